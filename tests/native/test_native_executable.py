"""Executables: the entry ABI, donation, forwarding, errors, host functions, scratch memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
import weakref

import numpy as np
import pytest

from native_code import (
    FLOAT32,
    INT32,
    add_executable,
    binary_loop,
    buffer,
    callback,
    entry,
    field,
)
from vires import _native


def array(values: object, dtype: object = np.float32) -> object:
    return _native.from_numpy(np.asarray(values, dtype))


def python_entry(function, inputs, outputs, **options) -> object:
    """An executable whose entry is a Python function of (buffers, runtime)."""
    address, kept = callback(function)
    constants = options.pop("constants", [])
    return _native.Executable(address, kept, constants, inputs, outputs, **options)


def pointers(buffers: int, count: int) -> list[int | None]:
    return list((ctypes.c_void_p * count).from_address(buffers))


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("n", [0, 1, 10, 10_000])
def test_runs(heavy: bool, n: int) -> None:
    executable = add_executable(n, heavy=heavy)
    a, b = np.arange(n, dtype=np.float32), np.full(n, 0.5, np.float32)
    (out,) = executable.execute([array(a), array(b)])
    np.testing.assert_array_equal(out._numpy(), a + b)
    assert out.dtype == np.float32
    assert not out.weak_type


def test_order_of_buffers() -> None:
    seen = []

    def body(buffers: int, runtime: int) -> int:
        seen.append(pointers(buffers, 5))
        return 0

    constant = array([7.0])
    executable = python_entry(
        body, [((2,), FLOAT32)], [((3,), INT32, True), ((0,), INT32, False)],
        constants=[constant], scratch_bytes=100,
    )  # fmt: skip
    x = array([1, 2])
    first, second = executable.execute([x])
    assert seen[0][:4] == [
        x.unsafe_buffer_pointer(), constant.unsafe_buffer_pointer(),
        first.unsafe_buffer_pointer(), second.unsafe_buffer_pointer(),
    ]  # fmt: skip
    assert all(seen[0])
    assert seen[0][4] % 64 == 0
    assert first.weak_type
    assert second.shape == (0,)


def test_no_scratch_is_null() -> None:
    seen = []

    def body(buffers: int, runtime: int) -> int:
        seen.extend(pointers(buffers, 1))
        return 0

    assert python_entry(body, [], []).execute([]) == []
    assert seen == [None]


def test_inputs_are_checked() -> None:
    executable = add_executable(3)
    good = array([1, 2, 3])
    for bad in ([good], [good, array([1, 2])], [good, array([1, 2, 3], np.int32)], [good, 1.0]):
        with pytest.raises(TypeError, match="Executable: needs"):
            executable.execute(bad)
    good.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        executable.execute([good, good])


def test_constants_survive_their_deletion() -> None:
    code = entry(buffer("a", 0) + buffer("b", 1) + buffer("out", 2) + binary_loop(2) + "ret i32 0")
    constant = array([1, 2])
    executable = _native.Executable(
        code.address(), code, [constant], [((2,), FLOAT32)], [((2,), FLOAT32, False)]
    )
    constant.delete()
    assert executable.execute([array([1, 1])])[0].tolist() == [2.0, 3.0]


def test_forwarding() -> None:
    def body(buffers: int, runtime: int) -> int:
        ctypes.c_int32.from_address(pointers(buffers, 3)[2]).value = 5
        return 0

    constant = array([[3.0]])
    executable = python_entry(
        body, [((2,), FLOAT32)],
        [((2, 1), FLOAT32, True), ((), INT32, False), ((1,), FLOAT32, False)],
        constants=[constant], forward={0: 0, 2: ("const", 0)},
    )  # fmt: skip
    x = array([1, 2])
    view, five, three = executable.execute([x])
    assert view.unsafe_buffer_pointer() == x.unsafe_buffer_pointer()
    assert view.tolist() == [[1.0], [2.0]]
    assert view.weak_type
    assert five.item() == 5
    assert three.tolist() == [3.0]
    x.delete()
    assert view.tolist() == [[1.0], [2.0]]


def test_donation_reuses_the_memory() -> None:
    executable = add_executable(100, donate={0: 1}, donated=[1])
    a, b = array(np.ones(100)), array(np.arange(100))
    address = b.unsafe_buffer_pointer()
    (out,) = executable.execute([a, b])
    assert out.unsafe_buffer_pointer() == address
    assert b.is_deleted()
    assert not a.is_deleted()
    np.testing.assert_array_equal(out._numpy(), np.arange(100) + 1)


@pytest.mark.parametrize("how", ["view", "numpy", "twice", "wrapped", "slice"])
def test_donation_never_writes_what_others_see(how: str) -> None:
    executable = add_executable(100, donate={0: 1}, donated=[1])
    a, b = array(np.ones(100)), array(np.arange(100))
    other = None
    if how == "view":
        other = b._view((100,))
    elif how == "numpy":
        other = b._numpy()
    elif how == "twice":
        a = b
    elif how == "wrapped":
        other = np.arange(100, dtype=np.float32)
        b = _native.wrap_numpy(other)
    else:
        b = array(np.arange(200))._view((100,), 400)
        other = None
    expected = a._numpy() + b._numpy()
    address = b.unsafe_buffer_pointer()
    (out,) = executable.execute([a, b])
    assert out.unsafe_buffer_pointer() != address
    assert b.is_deleted()
    np.testing.assert_array_equal(out._numpy(), expected)
    if other is not None:
        np.testing.assert_array_equal(np.asarray(other), np.arange(100))


def test_no_donation_without_permission() -> None:
    executable = add_executable(100, donate={0: 1})
    a, b = array(np.ones(100)), array(np.arange(100))
    (out,) = executable.execute([a, b])
    assert not b.is_deleted()
    assert out.unsafe_buffer_pointer() != b.unsafe_buffer_pointer()
    np.testing.assert_array_equal(b._numpy(), np.arange(100))


@pytest.mark.parametrize(
    "options",
    [
        {"donate": {0: 5}}, {"donate": {1: 0}}, {"donated": [2]}, {"forward": {0: ("const", 0)}},
        {"forward": {0: -1}},
    ],
)  # fmt: skip
def test_bad_numbers(options: dict) -> None:
    with pytest.raises(ValueError, match="Executable: needs the number of an"):
        add_executable(3, **options)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="address of an entry"):
        _native.Executable(0, None, [], [], [])
    with pytest.raises(TypeError, match="Arrays as constants"):
        _native.Executable(1, None, [np.zeros(2)], [], [])
    with pytest.raises(TypeError, match=r"\(callable, number of buffers\)"):
        _native.Executable(1, None, [], [], [], host_functions=[print])
    with pytest.raises(TypeError, match="registered code"):
        _native.Executable(1, None, [], [((), 63)], [])
    with pytest.raises(ValueError, match="output 0 has 8 bytes, its donor 4"):
        _native.Executable(1, None, [], [((1,), FLOAT32)], [((2,), FLOAT32, False)], donate={0: 0})


FAILING = """
  %pf = getelementptr %Runtime, ptr %rt, i32 0, i32 2
  %fail = load ptr, ptr %pf
  call void %fail(ptr %rt, i64 7, i64 11, i64 -13)
  call void %fail(ptr %rt, i64 8, i64 0, i64 0)
  ret i32 1
"""


@pytest.mark.parametrize("heavy", [False, True])
def test_failures_become_exceptions(heavy: bool) -> None:
    class OutOfBounds(IndexError):
        pass

    def on_error(site: int, a: int, b: int) -> Exception:
        return OutOfBounds(site, a, b)

    code = entry(FAILING)
    executable = _native.Executable(
        code.address(), code, [], [], [((), FLOAT32, False)], on_error=on_error, heavy=heavy
    )
    with pytest.raises(OutOfBounds) as error:
        executable.execute([])
    assert error.value.args == (7, 11, -13)
    wrong = _native.Executable(code.address(), code, [], [], [], on_error=lambda *_: "text")
    with pytest.raises(TypeError, match="needs an exception from on_error"):
        wrong.execute([])


def test_a_code_without_a_record() -> None:
    code = entry("ret i32 1")
    with pytest.raises(RuntimeError, match="returned 1 without recording an error"):
        _native.Executable(code.address(), code, [], [], []).execute([])


HOST = (
    field(3)
    + """
  %result = call i32 %f3(ptr %rt, i64 INDEX, ptr %buffers)
  %bad = icmp ne i32 %result, 0
  %code = select i1 %bad, i32 -1, i32 0
  ret i32 %code
"""
)


@pytest.mark.parametrize("heavy", [False, True])
def test_host_functions(heavy: bool) -> None:
    def fill(source: int, target: int) -> None:
        value = ctypes.c_float.from_address(source).value
        ctypes.c_float.from_address(target).value = value + 1
        _native.from_numpy(np.zeros(3))

    def fail(*addresses: int) -> None:
        raise KeyError(len(addresses))

    def make(index: int) -> object:
        code = entry(HOST.replace("INDEX", str(index)))
        return _native.Executable(
            code.address(), code, [], [((), FLOAT32)], [((), FLOAT32, False)],
            host_functions=[(fill, 2), (fail, 1)], heavy=heavy,
        )  # fmt: skip

    assert make(0).execute([array(4.0)])[0].item() == 5.0
    with pytest.raises(KeyError, match="1"):
        make(1).execute([array(4.0)])
    with pytest.raises(IndexError, match="host: needs a function number below 2; got 2"):
        make(2).execute([array(4.0)])


def test_host_functions_on_worker_threads() -> None:
    calls = []
    body = """
  %task_context.0 = insertvalue { ptr, ptr } undef, ptr %rt, 0
  %task_context.1 = insertvalue { ptr, ptr } %task_context.0, ptr %buffers, 1
  %place = alloca { ptr, ptr }
  store { ptr, ptr } %task_context.1, ptr %place
  call void %f0(ptr %rt, ptr @task, ptr %place, i64 64)
  ret i32 0
"""
    task = """
define void @task(ptr %context, i64 %i) {
  %both = load { ptr, ptr }, ptr %context
  %rt = extractvalue { ptr, ptr } %both, 0
  %buffers = extractvalue { ptr, ptr } %both, 1
  %p3 = getelementptr %Runtime, ptr %rt, i32 0, i32 3
  %f3 = load ptr, ptr %p3
  %r = call i32 %f3(ptr %rt, i64 0, ptr %buffers)
  ret void
}
"""
    code = entry(field(0) + body, task)
    executable = _native.Executable(
        code.address(), code, [], [], [], host_functions=[(lambda: calls.append(1), 0)]
    )
    _native.set_num_threads(4)
    executable.execute([])
    assert len(calls) == 64

    def fail() -> None:
        raise ZeroDivisionError("on some thread")

    failing = _native.Executable(code.address(), code, [], [], [], host_functions=[(fail, 0)])
    with pytest.raises(ZeroDivisionError, match="on some thread"):
        failing.execute([])


def test_scratch_from_the_runtime_is_freed() -> None:
    code = entry(
        field(4)
        + """
  %block = call ptr %f4(ptr %rt, i64 1000000)
  %more = call ptr %f4(ptr %rt, i64 100)
  store i64 1, ptr %more
  %int = ptrtoint ptr %block to i64
  %low = and i64 %int, 63
  %code = trunc i64 %low to i32
  ret i32 %code
"""
    )
    executable = _native.Executable(code.address(), code, [], [], [], scratch_bytes=1 << 20)
    executable.execute([])
    before = _native.memory_stats()["live"]
    for _ in range(100):
        executable.execute([])
    assert _native.memory_stats()["live"] == before
    absurd = _native.Executable(code.address(), code, [], [], [], scratch_bytes=1 << 50)
    with pytest.raises(MemoryError, match="bytes of scratch memory"):
        absurd.execute([])


def test_symbols() -> None:
    symbols = _native.symbols()
    code = entry(
        buffer("a", 0) + buffer("out", 1)
        + f"%copy = inttoptr i64 {symbols['vires_copy_rows']} to ptr\n"
        + "call void %copy(ptr %out, i64 8, ptr %a, i64 12, i64 8, i64 2)\nret i32 0"
    )  # fmt: skip
    executable = _native.Executable(
        code.address(), code, [], [((2, 3), FLOAT32)], [((2, 2), FLOAT32, False)]
    )
    assert executable.execute([array(np.arange(6).reshape(2, 3))])[0].tolist() == [[0, 1], [3, 4]]
    memory = np.ones(8, np.uint8)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(symbols["vires_zero"])(
        memory.ctypes.data, 5
    )
    assert memory.tolist() == [0] * 5 + [1] * 3


def test_attributes_and_lifetime() -> None:
    executable = add_executable(3)
    executable.note = "kept with the program"
    assert executable.note == "kept with the program"
    assert executable.kept is None
    executable.kept = [1, 4]
    assert executable.kept == [1, 4]
    with pytest.raises(ValueError, match="one number for each of the 2 inputs"):
        executable.kept = [1]
    executable.cycle = executable
    reference = weakref.ref(executable)
    del executable
    gc.collect()
    assert reference() is None


def test_nothing_leaks() -> None:
    executable = add_executable(100, donate={0: 0}, donated=[0], heavy=True)
    code = entry(FAILING)
    failing = _native.Executable(
        code.address(), code, [], [((3,), FLOAT32)], [((), FLOAT32, False)],
        on_error=lambda *_: ValueError("x"),
    )  # fmt: skip
    b, c = array(np.ones(100)), array([1, 2, 3])

    def work() -> None:
        executable.execute([array(np.ones(100)), b])
        with contextlib.suppress(ValueError):
            failing.execute([c])

    for _ in range(100):
        work()
    gc.collect()
    blocks, live = sys.getallocatedblocks(), _native.memory_stats()["live"]
    references = sys.getrefcount(b), sys.getrefcount(c)
    for _ in range(10_000):
        work()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 500
    assert _native.memory_stats()["live"] == live
    assert (sys.getrefcount(b), sys.getrefcount(c)) == references
