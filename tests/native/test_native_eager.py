"""Eager elementwise operations: broadcasting, dispatch by type, fallback."""

from __future__ import annotations

import copy
import gc
import itertools
import pickle
import sys
import threading
import weakref

import numpy as np
import pytest

from native_code import (
    BFLOAT16,
    BOOL,
    COMPLEX128,
    FLOAT32,
    FLOAT64,
    INT32,
    Code,
    EagerAdd,
    binary_kernel,
    dtype_of,
)
from vires import _native


def array(values: object, dtype: object = np.float32) -> object:
    return _native.from_numpy(np.asarray(values, dtype))


def check(eager: EagerAdd, a: np.ndarray, b: np.ndarray) -> None:
    got = eager.op(array(a), array(b))
    assert got.shape == np.broadcast_shapes(a.shape, b.shape)
    np.testing.assert_array_equal(got._numpy(), a + b)


def ramp(*shape: int) -> np.ndarray:
    return np.arange(int(np.prod(shape, dtype=int)), dtype=np.float32).reshape(shape) % 1021


SHAPES = [
    ((), ()), ((1,), ()), ((3,), ()), ((), (1, 1)), ((0,), (1,)), ((0,), ()), ((2, 0), (2, 1)),
    ((5,), (5,)), ((4, 5), (5,)), ((4, 5), (4, 1)), ((4, 1), (1, 5)), ((4, 1), (5,)),
    ((1000, 3), (3,)), ((1000, 3), (1000, 1)), ((3, 1000), (3, 1)), ((7, 1, 5), (1, 6, 1)),
    ((50, 3, 3), (50, 1, 3)), ((50, 3, 3), (3, 1)), ((50, 1, 3, 1), (1, 4, 1, 5)),
    ((2, 1, 3, 1, 2, 1), (1, 5, 1, 2, 1, 3)), ((300, 40, 7), (40, 1)), ((1, 33), (3000, 1)),
    ((64, 1), (1, 33)), ((600, 500), (500,)), ((600, 500), (600, 1)), ((600, 1), (500,)),
    ((200_000, 3), (3,)), ((200_000, 3), (200_000, 1)), ((400_000,), (400_000,)),
    ((400_000,), ()), ((1, 400_000), (2, 1)), ((2, 400_000), (400_000,)),
    ((20, 5, 20, 200), (20, 1, 20, 1)), ((30_000, 2, 6), (30_000, 1, 6)),
]  # fmt: skip


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_broadcasting(eager_add: EagerAdd, shapes: tuple, threads: int) -> None:
    _native.set_num_threads(threads)
    a, b = (ramp(*shape) for shape in shapes)
    check(eager_add, a, b)
    check(eager_add, b, a)


def test_random_broadcasting(eager_add: EagerAdd) -> None:
    random = np.random.default_rng(0)
    for _ in range(500):
        full = random.choice([1, 2, 3, 5, 8, 17, 40], size=random.integers(0, 6))
        shapes = []
        for _ in range(2):
            own = np.where(random.random(full.size) < 0.4, 1, full)
            shapes.append(tuple(own[random.integers(0, full.size + 1) :]))
        if np.prod(full, dtype=float) < 100_000:
            check(eager_add, ramp(*shapes[0]), ramp(*shapes[1]))


@pytest.mark.parametrize(
    "shapes", [((3,), (4,)), ((2, 3), (2,)), ((0,), (2,)), ((5, 1, 2), (3, 3))]
)
def test_shapes_that_do_not_fit(eager_add: EagerAdd, shapes: tuple) -> None:
    a, b = (array(ramp(*shape)) for shape in shapes)
    assert eager_add.op(a, b) == "fallback"
    assert eager_add.fallen == [((a, b), {})]


def test_scalars(eager_add: EagerAdd) -> None:
    x = array([1, 2, 3])
    assert eager_add.op(x, 1.5).tolist() == [2.5, 3.5, 4.5]
    assert eager_add.op(2, x).tolist() == [3.0, 4.0, 5.0]
    assert eager_add.op(x, True).tolist() == [2.0, 3.0, 4.0]
    zero = eager_add.op(array(1), 1.5)
    assert (zero.shape, zero.item()) == ((), 2.5)
    assert set(eager_add.variants) == {1, 2}
    assert (FLOAT32, False) in {d for ds in eager_add.resolved for d in ds}
    assert {bool, int, float} <= {d for ds in eager_add.resolved for d in ds if isinstance(d, type)}


def test_weak_types(eager_add: EagerAdd) -> None:
    weak = _native.from_scalar(1.0, FLOAT32, True)
    strong = array(1)
    assert eager_add.op(weak, weak).weak_type
    assert eager_add.op(weak, 2.0).weak_type
    assert not eager_add.op(weak, strong).weak_type
    assert len(eager_add.resolved) == 3


def test_resolves_once_for_each_type_and_context(eager_add: EagerAdd) -> None:
    x = array([1, 2])
    for _ in range(3):
        eager_add.op(x, x)
        eager_add.op(x, 1.0)
    assert len(eager_add.resolved) == 2
    _native.set_context(1)
    eager_add.op(x, x)
    assert len(eager_add.resolved) == 3
    _native.set_context(0)
    eager_add.op(x, x)
    assert len(eager_add.resolved) == 3
    eager_add.op.clear_cache()
    eager_add.op(x, x)
    assert len(eager_add.resolved) == 4


class Half(float):
    """A Python float of another exact type."""


@pytest.mark.parametrize(
    "args, kwargs",
    [
        ((1.0, 2.0), {}), ((), {}), ((np.ones(2), 1.0), {}), ((np.longdouble(1), 1.0), {}),
        ((np.ones(2, np.float32).view(np.matrix), 1.0), {}),
        ((np.array(["a"]), array([1.0])), {}),
        ((array([1.0]), np.float64(2)), {}), ((array([1.0]), Half(2)), {}),
        ((array([1.0]), "a"), {}),
        ((array([1.0]), 1.0), {"out": None}), ((array([1.0]),) * 8, {}),
        ((array([1], np.int32), 1), {}),
        ((array([1.0]), 10**400), {}),
    ],
)  # fmt: skip
def test_fallback(eager_add: EagerAdd, args: tuple, kwargs: dict) -> None:
    assert eager_add.op(*args, **kwargs) == "fallback"
    assert eager_add.fallen == [(args, kwargs)]


def test_numpy_operands(eager_add: EagerAdd) -> None:
    values = ramp(4, 6)
    x = array(values)
    unaligned = np.frombuffer(b"x" + ramp(6).tobytes(), np.uint8)[1:].view(np.float32)
    for other in (
        ramp(4, 6), ramp(6), np.float32(2), np.array(3, np.float32), ramp(12)[::2], ramp(6, 4).T,
        ramp(6).astype(">f4"), unaligned,
    ):  # fmt: skip
        np.testing.assert_array_equal(eager_add.op(x, other)._numpy(), values + other)
        np.testing.assert_array_equal(eager_add.op(other, values)._numpy(), values + other)
    assert eager_add.resolved == [((FLOAT32, False), (FLOAT32, False))]
    assert not eager_add.op(np.float32(1), 1.0).weak_type
    assert not eager_add.fallen
    _native.set_context(0, False, True)
    assert eager_add.op(x, values) == "fallback"


def test_fallback_while_tracing(eager_add: EagerAdd) -> None:
    _native.set_tracing(True)
    assert eager_add.op(array([1.0]), 1.0) == "fallback"
    assert not eager_add.resolved


def test_integers_that_do_not_fit() -> None:
    code = binary_kernel("add", "i32")
    op = _native.EagerOp(
        "add", lambda *args: "fallback",
        lambda ds: _native.ElementwiseKernel(
            [(INT32, False)], [None, INT32], lambda mask: code.address(f"k{mask}"), code
        ),
    )  # fmt: skip
    x = array([1, 2], np.int32)
    assert op(x, 2**31 - 2).tolist() == [2**31 - 1, -(2**31)]
    assert op(x, 2**31) == "fallback"
    assert op(x, -(2**31) - 1) == "fallback"
    assert op(x, x).tolist() == [2, 4]


@pytest.mark.parametrize("code", [BOOL, 1, BFLOAT16, FLOAT64, COMPLEX128])
@pytest.mark.parametrize(
    "shapes", [((70, 3), (3,)), ((70, 3), (70, 1)), ((5,), ()), ((2, 33), (1, 33))], ids=str
)
def test_element_sizes(code: int, shapes: tuple) -> None:
    size = dtype_of(code).itemsize
    llvm_type = f"i{8 * size}"
    kernel = binary_kernel("or", llvm_type)
    op = _native.EagerOp(
        "or", None,
        lambda ds: _native.ElementwiseKernel(
            [(code, False)], [None, None], lambda mask: kernel.address(f"k{mask}"), kernel
        ),
    )  # fmt: skip
    random = np.random.default_rng(0)
    a, b = (random.integers(0, 2, (*shape, size)).astype(np.uint8) for shape in shapes)
    expected = np.bitwise_or(a, b)
    x, y = (_native.from_numpy(v.view(dtype_of(code))[..., 0]) for v in (a, b))
    got = op(x, y)
    assert got.dtype == dtype_of(code)
    np.testing.assert_array_equal(got._numpy()[..., None].view(np.uint8), expected)


TWO_RESULTS = """
define void @k(ptr %pointers, i64 %n) {
start:
  %p0 = load ptr, ptr %pointers
  %q1 = getelementptr ptr, ptr %pointers, i64 1
  %p1 = load ptr, ptr %q1
  %q2 = getelementptr ptr, ptr %pointers, i64 2
  %p2 = load ptr, ptr %q2
  br label %loop
loop:
  %i = phi i64 [ 0, %start ], [ %next, %body ]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %body, label %exit
body:
  %a0 = getelementptr float, ptr %p0, i64 %i
  %a1 = getelementptr i32, ptr %p1, i64 %i
  %a2 = getelementptr float, ptr %p2, i64 %i
  %x = load float, ptr %a2
  %negative = fneg float %x
  store float %negative, ptr %a0
  %whole = fptosi float %x to i32
  store i32 %whole, ptr %a1
  %next = add i64 %i, 1
  br label %loop
exit:
  ret void
}
"""


@pytest.mark.parametrize("shape", [(), (5,), (0,), (3, 4), (700_000,)])
def test_two_results(shape: tuple) -> None:
    code = Code(TWO_RESULTS)
    op = _native.EagerOp(
        "both", None,
        lambda ds: _native.ElementwiseKernel(
            [(FLOAT32, True), (INT32, False)], [None], lambda mask: code.address("k"), code
        ),
    )  # fmt: skip
    values = ramp(*shape)
    first, second = op(array(values))
    assert first.weak_type
    assert second.dtype == np.int32
    np.testing.assert_array_equal(first._numpy(), -values)
    np.testing.assert_array_equal(second._numpy(), values)


def test_results_do_not_depend_on_threads(eager_add: EagerAdd) -> None:
    random = np.random.default_rng(0)
    a, b = (array(random.standard_normal(1_000_003)) for _ in range(2))
    results = []
    for threads in (1, 2, 3, 8):
        _native.set_num_threads(threads)
        results.append(eager_add.op(a, b)._numpy().tobytes())
    assert len(set(results)) == 1


def test_deleted_operands(eager_add: EagerAdd) -> None:
    x = array([1.0])
    x.delete()
    with pytest.raises(RuntimeError, match=r"float32\[1\] that was deleted"):
        eager_add.op(x, x)


def test_errors_of_callables() -> None:
    x = array([1.0])

    def fail(*args: object) -> object:
        raise LookupError("from Python")

    for op in (
        _native.EagerOp("f", fail, lambda ds: None),
        _native.EagerOp("f", None, fail),
        _native.EagerOp(
            "f", None, lambda ds: _native.ElementwiseKernel([(11, False)], [None], fail)
        ),
    ):
        with pytest.raises(LookupError, match="from Python"):
            op(x)
    for wrong in (3, _native.ElementwiseKernel([(11, False)], [None, None], fail)):
        with pytest.raises(TypeError, match="needs None or an ElementwiseKernel of 1 inputs"):
            _native.EagerOp("f", None, lambda ds, wrong=wrong: wrong)(x)
    with pytest.raises(ValueError, match="address from variant; got 0"):
        _native.EagerOp(
            "f", None, lambda ds: _native.ElementwiseKernel([(11, False)], [None], lambda mask: 0)
        )(x)
    with pytest.raises(ValueError, match="needs 1 to 4 outputs"):
        _native.ElementwiseKernel([], [None], fail)
    with pytest.raises(ValueError, match="needs 1 to 7 inputs"):
        _native.ElementwiseKernel([(11, False)], [None] * 8, fail)


def test_as_a_method_and_attributes(eager_add: EagerAdd) -> None:
    op = eager_add.op
    _native.Array._test_plus = op
    try:
        assert array([1, 2])._test_plus(1.0).tolist() == [2.0, 3.0]
        assert next(map(op, [array(1)], [array(2)])).item() == 3.0
    finally:
        del _native.Array._test_plus
    assert op.__name__ == "add"
    assert repr(op) == "<vires function add>"
    op.__doc__ = "Sum."
    assert op.__doc__ == "Sum."
    op.nin = 2
    assert op.nin == 2
    assert copy.deepcopy(op) is op
    op.__module__, op.__qualname__ = __name__, "module_level_add"
    sys.modules[__name__].module_level_add = op
    assert pickle.loads(pickle.dumps(op)) is op


def test_life_cycle() -> None:
    eager = EagerAdd()
    eager.op(array([1.0]), 1.0)
    eager.op.itself = eager.op
    reference, code = weakref.ref(eager.op), weakref.ref(eager.code)
    del eager
    gc.collect()
    assert reference() is None
    assert code() is None


def test_threads(eager_add: EagerAdd) -> None:
    wrong = []

    def work(k: int) -> None:
        small, large = ramp(11) + k, ramp(300_000) + k
        for i in range(200):
            values = large if i % 20 == 0 else small
            got = eager_add.op(array(values), float(k))
            if not np.array_equal(got._numpy(), values + k):
                wrong.append(1)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_leaks(eager_add: EagerAdd) -> None:
    x, y, row = array(ramp(5, 3)), array(ramp(3)), array(ramp(1000))

    def work() -> None:
        for a, b in itertools.product((x, y, 1.0), (x, y)):
            eager_add.op(a, b)
        eager_add.op(x, row)
        eager_add.op(row, 2.0)
        eager_add.fallen.clear()

    for _ in range(100):
        work()
    gc.collect()
    blocks, live = sys.getallocatedblocks(), _native.memory_stats()["live"]
    references = [sys.getrefcount(a) for a in (x, y, row)]
    for _ in range(10_000):
        work()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 500
    assert _native.memory_stats()["live"] == live
    assert [sys.getrefcount(a) for a in (x, y, row)] == references
