"""Programs that are lists of calls do what entries in machine code do."""

from __future__ import annotations

import ctypes

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import _native, lax
from vires.engine.llvm import call_list, codes, machine, pipeline
from vires.engine.llvm.call_text import calls_text

RNG = onp.random.default_rng(5)
X = RNG.standard_normal((40, 50)).astype("float32")
LONGER = RNG.standard_normal(3_000_000).astype("float32")
LONG = RNG.standard_normal(200_000).astype("float32")
SQUARE = (RNG.standard_normal((300, 300)) + 20 * onp.eye(300)).astype("float32")

FILTERED = RNG.standard_normal((2, 30, 30, 16)).astype("float32")
FILTER = RNG.standard_normal((3, 3, 16, 32)).astype("float32")

# --- one program in both forms


def in_both_forms(monkeypatch, function, *operands, donate=()):
    """The results of a program as a list and as an entry; checks that these forms ran."""
    writers = []
    write = pipeline.write

    def watched(*args):
        writer, units = write(*args)
        writers.append(writer)
        return writer, units

    monkeypatch.setattr(codes, "find", lambda *args: None)
    monkeypatch.setattr(pipeline, "write", watched)
    results = []
    for listed in (True, False):
        if not listed:
            monkeypatch.setattr(call_list, "can_list", lambda region: False)
        jitted = vires.jit(lambda *xs: function(*xs), donate_argnums=donate)
        results.append(vires.tree_util.tree_map(onp.array, jitted(*map(np.array, operands))))
    kinds = [type(writer) for writer in writers]
    assert kinds == [call_list.ListWriter, call_list.EntryWriter]
    return results


def translated(function, *operands, hurried=False):
    """A program, before it is compiled."""
    closed = vires.make_jaxpr(function)(*operands)
    builder, region, results = pipeline.lower(closed)
    arranged = pipeline.arrange(builder, region, results, "f", ())
    return pipeline.translate(arranged, "f", hurried=hurried)


def calls_of(function, *operands):
    """The calls of a program, as `VIRES_DUMP=calls` shows them."""
    return calls_text(translated(function, *operands).writer.calls())


def softmax(x):
    return np.exp(x - x.max(1, keepdims=True)) / np.exp(x - x.max(1, keepdims=True)).sum(1)[:, None]


def solve(a, b):
    return np.linalg.solve(a, b), np.linalg.cholesky(a @ a.T)


def convolve(x, kernel):
    names = ("NHWC", "HWIO", "NHWC")
    return np.tanh(lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=names))


def host(x):
    return vires.pure_callback(lambda x: onp.asarray(x) * 2, x, x) + 1


def scattered(x):
    return x.at[np.array([3, 5, 3])].add(1.5).at[7:9].set(0)


PROGRAMS = {
    "kernels": (softmax, X),
    "small": (lambda x: (np.cumsum(x), np.sum(x * x)), LONG),
    "threads": (lambda x: (np.sum(x * x), np.sin(x + 1), x.reshape(300, -1).sum(0)), LONGER),
    "sort": (lambda x: (np.sort(x), np.argsort(x)), LONG),
    "empty": (lambda x: np.sort(x[:0]) + 1, LONG),
    "product": (lambda a: np.maximum(a @ a + 1, 0), SQUARE),
    "small product": (lambda a: a[:7, :9] @ a[:9, :5], SQUARE),
    "packed on one thread": (lambda a: a[:60, :60] @ a[:60, :60], SQUARE),
    "routines": (solve, SQUARE, SQUARE[:, :3]),
    "convolution": (convolve, FILTERED, FILTER),
    "host": (host, X),
    "loop in registers": (lambda x: lax.fori_loop(0, 100, lambda i, a: a * 0.5 + i, x), X),
    "stops early": (lambda x: lax.while_loop(lambda a: a < 90, lambda a: a * 1.5, x), X[0, 0] + 9),
    "checked index": (lambda x, i: x[i], X, onp.int32(7)),
    "updates": (scattered, X),
    "no step": (lambda x: x, X),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_list_does_what_an_entry_does(monkeypatch, name):
    function, *operands = PROGRAMS[name]
    if name == "threads":
        assert calls_of(function, *operands).count("on all threads") >= 2
    listed, entered = in_both_forms(monkeypatch, function, *operands)
    for a, b in zip(*map(vires.tree_util.tree_leaves, (listed, entered)), strict=True):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
@pytest.mark.parametrize("index", [-100, 0, 1, 2, 3, 120])
def test_branches_take_the_same_case(monkeypatch, dtype, index):
    if index < 0 and dtype.startswith("u"):
        index = 250
    cases = [lambda x: np.sort(x) + 1, lambda x: np.sort(x * 2), lambda x: np.sum(x) + x]

    def function(i, x):
        return lax.switch(i, cases, x)

    listed, entered = in_both_forms(monkeypatch, function, onp.dtype(dtype).type(index), X[0])
    expected = cases[min(max(index, 0), 2)](np.array(X[0]))
    assert listed.tobytes() == entered.tobytes()
    assert onp.allclose(listed, expected)


def test_branches_inside_branches(monkeypatch):
    def function(p, q, x):
        inner = lambda x: lax.cond(q, lambda x: np.sort(x) + 1, lambda x: np.sort(x) - 1, x)
        return lax.cond(p, inner, lambda x: np.sort(x) * 5, x) + 10

    for p in (True, False):
        for q in (True, False):
            monkeypatch.undo()
            listed, entered = in_both_forms(monkeypatch, function, onp.bool_(p), onp.bool_(q), X[0])
            expected = onp.sort(X[0]) + (1 if q else -1) if p else onp.sort(X[0]) * 5
            assert onp.allclose(listed, expected + 10) and listed.tobytes() == entered.tobytes()


def test_a_donated_operand_is_written_in_place(monkeypatch):
    function = lambda x: x.at[3].set(1.5)
    listed, entered = in_both_forms(monkeypatch, function, X[0], donate=(0,))
    assert (listed == entered).all() and listed[3] == 1.5 and listed[4] == X[0, 4]
    x = np.array(X[0])
    place = x.unsafe_buffer_pointer()
    assert vires.jit(function, donate_argnums=0)(x).unsafe_buffer_pointer() == place


@pytest.mark.parametrize("index", [50, -51])
def test_the_error_of_a_check_tells_what_the_index_was(index):
    f = vires.jit(lambda x, i: np.sort(x)[i])
    assert f(X[0], 49) == X[0].max()
    with pytest.raises(IndexError, match=f"{index}"):
        f(X[0], index)
    assert f(X[0], -50) == X[0].min()


def test_what_a_host_function_raises_ends_the_list():
    def fail(x):
        raise OSError("no such thing")

    ran = []
    f = vires.jit(lambda x: vires.pure_callback(lambda y: ran.append(1) or y,
                                                x, vires.pure_callback(fail, x, x)))  # fmt: skip
    with pytest.raises(OSError, match="no such thing"):
        f(X)
    assert not ran


def test_kernels_of_very_many_buffers_have_an_entry():
    count = _native.MOST_OPERANDS
    xs = [np.full((5,), float(i)) for i in range(count)]
    function = lambda *xs: (np.sort(xs[0]), sum(xs))
    assert (onp.asarray(vires.jit(function)(*xs)[1]) == sum(range(count))).all()
    written = translated(function, *xs)
    assert isinstance(written.writer, call_list.EntryWriter) and written.writer.calls() is None
    assert isinstance(translated(function, *xs[:-10]).writer, call_list.ListWriter)


def test_what_was_written_before_a_program_turned_out_to_need_an_entry_is_used(monkeypatch):
    """Its kernels are in the program's modules once, and their numbers of errors begin anew."""
    xs = [np.full((5,), float(i)) for i in range(_native.MOST_OPERANDS)]

    def function(i, x, *xs):
        return np.tanh(x)[i] + sum(np.sin(x).sum() for x in np.split(x, 4)), sum(xs)

    submitted = []
    submit = machine.submit
    monkeypatch.setattr(
        machine, "submit", lambda *a, **k: submitted.append(a[2]) or submit(*a, **k)
    )
    written = translated(function, 3, np.arange(4000.0), *xs, hurried=True)
    assert isinstance(written.writer, call_list.EntryWriter)
    names = [name for unit in written.units for name in unit.exports]
    assert len(names) == len(set(names)) and submitted.count("f") == sum(
        unit.job is not None for unit in written.units
    )
    assert len(written.writer.failures) == 1


def test_a_program_without_kernels_needs_no_compiler():
    written = translated(np.sort, LONG)
    assert written.units == []
    assert pipeline.compiled(written.units, written.notes, "f")[0] == []


# --- the core's lists by themselves

NUMBER, TABLE, PLACE, PLACES, TASK, FRAME, RUNTIME = range(7)


def run(words, functions=(), tables=(), arrays=1, keeps=False):
    """Run a list on one result (the last slot but the scratch memory's) and some operands."""
    calls = _native.CallList(arrays + 1, keeps, list(tables), list(words), list(functions))
    types = [((4,), 11)] * arrays
    errors = []

    def error(site, a, b):
        errors.append((site, a, b))
        return ValueError("told")

    executable = _native.Executable(
        calls, calls, [], types[1:], [(*types[0], False)], on_error=error, heavy=True
    )
    operands = [np.arange(4, dtype="float32") + i for i in range(arrays - 1)]
    return executable, operands, errors


def recorder(count, result=0):
    """A C function of so many 64-bit operands, and the list of what it was called with."""
    seen = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * count)
    function = kind(lambda *values: seen.append(values) or result)
    return function, ctypes.cast(function, ctypes.c_void_p).value, seen


@pytest.mark.parametrize("count", [0, 1, 6, 7, 31, _native.MOST_OPERANDS])
def test_operands_arrive(count):
    _function, address, seen = recorder(count)
    numbers = [(-1) ** i * (1 << i % 60) + i for i in range(count)]
    operands = [word for value in numbers for word in (NUMBER, value, 0)]
    executable, operands_, _ = run([1, 0, 1, 0, 1, 0, -1, count, *operands], [address])
    executable.execute(operands_)
    assert seen == [tuple(numbers)]


def test_every_kind_of_operand():
    read = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 6)

    def look(table, place, places, task, frame, runtime):
        integers = (ctypes.c_int32 * 3).from_address(table)
        pointers = (ctypes.c_int64 * 2).from_address(places)
        slots = (ctypes.c_int64 * 3).from_address(frame)
        read.append((list(integers), place - slots[1], [p - slots[0] for p in pointers[:1]],
                     pointers[1] - slots[1], task, slots[2] == 0, runtime != 0))  # fmt: skip
        return 0

    function = kind(look)
    address = ctypes.cast(function, ctypes.c_void_p).value
    operands = [TABLE, 0, 0, PLACE, 1, 12, PLACES, 2, 0, 0, 0, 1, 8, TASK, 0, 0, FRAME, 0, 0,
                RUNTIME, 0, 0]  # fmt: skip
    words = [1, 0, 2, 0, 1, 0, -1, 6, *operands]
    executable, xs, _ = run(words, [address], [(4, [7, -8, 9])], arrays=2)
    executable.execute(xs)
    assert read == [([7, -8, 9], 12, [0], 8, task, True, True) for task in (0, 1)]


def test_the_runtime_lies_after_the_slots_where_kernels_look_for_it():
    read = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    function = kind(
        lambda frame, runtime: (
            read.append((ctypes.c_int64 * 3).from_address(frame)[2] == runtime) or 0
        )
    )
    words = [1, 0, 1, 0, 1, 0, -1, 2, FRAME, 0, 0, RUNTIME, 0, 0]
    address = ctypes.cast(function, ctypes.c_void_p).value
    executable, xs, _ = run(words, [address], keeps=True)
    executable.execute(xs)
    assert read == [True]


@pytest.mark.parametrize("threads", [0, 1])
def test_a_failure_is_told_and_ends_the_list(threads):
    _function, address, seen = recorder(1, result=1)
    step = [0, 3, threads, 1, 0, 5, 1, TASK, 0, 0]
    executable, xs, errors = run([2, *step, *step], [address])
    with pytest.raises(ValueError, match="told"):
        executable.execute(xs)
    assert errors == [(5, 0, 0)]
    assert len(seen) <= 3 and (threads or len(seen) == 1)


def test_only_the_low_half_of_a_result_counts():
    """Routines return 32 bits; what is above is left over."""
    _function, address, _ = recorder(0, result=1 << 40)
    executable, xs, errors = run([1, 0, 1, 0, 1, 0, 5, 0], [address])
    executable.execute(xs)
    assert not errors


@pytest.mark.parametrize(
    "words, what",
    [
        ([], "whole steps"),
        ([1], "whole steps"),
        ([1, 9], "kinds"),
        ([0, 0], "nothing after"),
        ([1, 0, 1, 0, 1, 0, -1, 129], "operands or fewer"),
        ([1, 1, 0, 0, 0, 0, -1], "a number of bytes"),
        ([1, 4, 0, 0, 3, 1, 1, 0], "an index of"),
        ([1, 0, 1, 0, 1, 4, -1, 0], "functions"),
        ([1, 0, 1, 0, 3], "two functions"),
        ([1, 0, 1, 0, 1, 0, -1, 1, PLACE, 2, 0], "slots"),
        ([1, 0, 1, 0, 1, 0, -1, 1, PLACE, -1, 0], "slots"),
        ([1, 0, 1, 0, 1, 0, -1, 1, TABLE, 0, 0], "tables"),
        ([1, 0, 1, 0, 1, 0, -1, 1, 8, 0, 0], "operands of known kinds"),
        ([1, 1, 0, 0, 0], "whole steps"),
        ([1, 2, 0, 1 << 40], "numbers of parts"),
        ([1, 4, 0, 0, 4, 1, 0], "a case"),
    ],
)
def test_what_is_no_list_is_refused(words, what):
    with pytest.raises(ValueError, match=what):
        run(words, [1])


def test_tables_hold_integers_of_4_or_8_bytes():
    with pytest.raises(ValueError, match="4 or 8 bytes"):
        run([0], tables=[(2, [1])])


# --- as text


def test_the_text_shows_every_kind_of_step():
    def function(i, x):
        y = np.sort(x)[i] + vires.pure_callback(lambda x: x, x, x)
        return lax.cond(i > 1, lambda y: np.sort(y) * 2, lambda y: np.sin(y), y).at[0].set(1)

    text = calls_of(function, onp.int32(2), X[0])
    lines = text.splitlines()
    assert any(line.startswith("vires_sort(runtime, 1, 50, 1, 1, 1, int32[11]") for line in lines)
    assert any(line.startswith("check [") and ", else error 1 of [" in line for line in lines)
    assert "host function 0 of {[" in text
    assert "branch by [" in text and "  case 0" in lines and "  case 1" in lines
    assert any(line.startswith("    vires_sort(") for line in lines)
    assert "'" not in text


# --- modules that are begun early


@pytest.mark.skipif(machine.processors() < 2, reason="needs another processor")
def test_modules_are_begun_while_others_are_written():
    def function(x):
        parts = [np.sin(x[i : i + 100]).sum() * np.cos(x[i]) ** i for i in range(12)]
        return [np.exp(p + x).sum(0) for p in parts]

    written = translated(function, LONG[:2000], hurried=True)
    begun = [unit for unit in written.units if unit.job is not None]
    assert begun and len(begun) < len(written.units)
    images = pipeline.compiled(written.units, written.notes, "f", hurried=True)[0]
    for unit, image in zip(written.units, images, strict=True):
        assert image == machine.compile_ir(*unit.hurried())
    assert not any(unit.job for unit in translated(function, LONG[:2000]).units)
