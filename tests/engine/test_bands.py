"""Folds of rows, which read some rows at a time and keep what they have folded in memory."""

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import lax
from vires.engine.llvm import codes, costs, machine, schedule
from vires.engine.llvm.check import BrokenProgram, check_kernel
from vires.engine.llvm.pipeline import ProgramBuilder, arrange, lower
from vires.engine.llvm.program import Kernel


def kernels(f, *args):
    """The kernels of a program, in order."""
    closed = vires.make_jaxpr(f)(*args)
    builder, region, results = lower(closed)
    assert isinstance(builder, ProgramBuilder)
    arrange(builder, region, results, "f", ())
    return [step for step in region.steps if isinstance(step, Kernel)]


@pytest.fixture
def every_fold(monkeypatch):
    """Small arrays are folded in bands too, by several tasks."""
    monkeypatch.setattr(schedule, "_MANY_BYTES", 0)
    monkeypatch.setattr(costs, "SERIAL", 1000.0)
    monkeypatch.setattr(schedule, "_TASK", 500.0)
    monkeypatch.setattr(codes, "find", lambda key, name: None)
    monkeypatch.setattr(codes, "write", lambda key, made: None)


def on_reference(f, *args):
    with vires.config.override("engine", "reference"):
        return vires.jit(f)(*args)


def same(f, *args, rtol=2e-5):
    got, expected = vires.jit(lambda *xs: f(*xs))(*args), on_reference(f, *args)
    for a, b in zip(vires.tree.leaves(got), vires.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        if onp.issubdtype(a.dtype, onp.inexact):
            onp.testing.assert_allclose(onp.asarray(a), onp.asarray(b), rtol=rtol, atol=5e-4)
        else:
            onp.testing.assert_array_equal(onp.asarray(a), onp.asarray(b))


def test_large_folds_of_rows_are_banded_and_cut_along_the_rows():
    first, second = kernels(lambda x: np.sum(x * x, 0), onp.ones((2048, 2048), "float32"))
    assert first.band == 8 and first.task_var in first.reduced
    assert 1 < first.tasks <= 16 and not second.band


@pytest.mark.parametrize(
    "f, shape",
    [
        (lambda x: np.sum(x, 1), (2048, 2048)),  # along the rows
        (lambda x: np.sum(x, 0), (16, 100_000)),  # few rows
        (lambda x: np.sum(x, 0), (100, 100)),  # in the cache
        (lambda x: np.sum(x, 0), (100_000, 16)),  # one vector is a whole row
        (lambda x: np.cumsum(x, 0), (2048, 2048)),
    ],
)
def test_other_folds_are_not(f, shape):
    assert all(not kernel.band for kernel in kernels(f, onp.ones(shape, "float32")))


SHAPES = [(32, 65), (33, 130), (40, 64), (41, 63), (100, 257), (64, 1000), (257, 200), (1000, 70)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x, 0),
        lambda x: np.max(x, 0),
        lambda x: np.min(x * x - x, 0),
        lambda x: np.prod(1 + x * 0.01, 0),
        lambda x: (np.mean(x, 0), np.var(x, 0)),
        lambda x: np.argmax(x, 0),
        lambda x: np.any(x > 2, 0),
        lambda x: np.sum(np.where(x > 0, x, 0), 0),
        lambda x: np.linspace(0, 1, x.shape[0], dtype=x.dtype) @ x,
        lambda x: (x + 1, np.sum(x + 1, 0)),
        lambda x: np.sum(x[::-1], 0),
        lambda x: np.sum(x, 0) + np.max(x, 0),
    ],
)
def test_banded_folds_give_what_the_reference_gives(every_fold, f, shape):
    same(f, onp.random.default_rng(0).standard_normal(shape, "float32"))


@pytest.mark.parametrize(
    "dtype", ["float64", "int32", "int8", "uint64", "complex64", "float16", "bfloat16", "bool"]
)
def test_banded_folds_of_other_dtypes(every_fold, dtype):
    values = onp.random.default_rng(1).integers(0, 5, (70, 150))
    same(lambda x: np.sum(x, 0), np.asarray(values).astype(dtype), rtol=1e-2)
    if dtype != "complex64":
        same(lambda x: np.max(x, 0), np.asarray(values).astype(dtype))


def test_banded_folds_inside_others(every_fold):
    x = onp.random.default_rng(2).standard_normal((3, 40, 5, 70)).astype("float32")
    same(lambda x: np.sum(x, 1), x)
    same(lambda x: np.sum(x, (1, 2)), x)
    same(lambda x: np.sum(x, 2), x)
    same(lambda x: lax.fori_loop(0, 3, lambda i, c: c + np.sum(x * c.mean(), 1), x[:, 0]), x)


@pytest.mark.parametrize("value", [onp.nan, onp.inf, -onp.inf, -0.0])
def test_banded_folds_of_special_values(every_fold, value):
    x = onp.random.default_rng(3).standard_normal((50, 100), "float32")
    x[17, 5] = x[49, 99] = x[0, 0] = value
    same(lambda x: (np.sum(x, 0), np.max(x, 0), np.min(x, 0)), x)


def test_a_banded_fold_with_a_condition_reads_nothing_outside(every_fold):
    """The mask of lanes and of rows that lie outside (padding) holds in every band."""
    x = onp.random.default_rng(4).standard_normal((60, 90), "float32")
    same(lambda x: np.sum(np.pad(x, ((3, 5), (7, 2)), constant_values=1), 0), x)


@pytest.mark.parametrize("columns", [150, 188, 192, 250])
def test_parts_of_a_long_fold_are_all_combined(columns):
    """What combines many parts of a few columns is a long kernel itself: nobody would combine its
    parts.
    """

    def f(scale):
        rows = lax.broadcasted_iota("float32", (70_000, columns), 0)
        return np.sum(np.minimum(rows, 0) + scale, 0)  # nothing is read: there are no bands

    *_, last = kernels(f, onp.float32(1))
    assert last.task_var not in last.reduced and last.part is None
    assert onp.asarray(vires.jit(f)(onp.float32(1))).tolist() == [70_000.0] * columns


@pytest.mark.parametrize("shape, axes", [((0, 100_000), 1), ((1000, 0, 1000), (0, 2))])
def test_long_folds_without_results(shape, axes):
    """There is nothing to fold in parts, and no place for it."""
    found = vires.jit(lambda x: np.sum(np.sin(x), axes))(onp.ones(shape, "float32"))
    assert found.shape == onp.ones(shape).sum(axes).shape and found.size == 0
    x = onp.ones((0, 3, 100_000), "float32")
    assert vires.jit(lambda x, y: np.einsum("bij,bkj->bik", x, y))(x, x).shape == (0, 3, 3)


def test_the_checker_sees_parts_that_nobody_combines():
    (kernel,) = kernels(lambda x: np.sum(x, 0), onp.ones((100, 100), "float32"))
    check_kernel(kernel, "schedule")
    kernel.task_var, kernel.tasks = kernel.reduced[0], 4
    with pytest.raises(BrokenProgram, match="parts that nobody combines"):
        check_kernel(kernel, "schedule")


def test_any_number_of_threads_gives_the_same_bits():
    x = onp.random.default_rng(5).standard_normal((3000, 700), "float32")
    f = vires.jit(lambda x: np.sum(x * 1.7, 0))
    (kernel, *_) = kernels(lambda x: np.sum(x * 1.7, 0), x)
    assert kernel.band and kernel.tasks > 1
    before = vires._native.num_threads()
    results = set()
    try:
        for threads in (1, 2, 3, 5):
            vires._native.set_num_threads(threads)
            results.add(bytes(memoryview(f(x))))
    finally:
        vires._native.set_num_threads(before)
    assert len(results) == 1


def test_small_arrays_are_banded_where_every_fold_is(every_fold):
    found = kernels(lambda x: np.sum(x, 0), onp.ones((64, 1000), "float32"))
    assert found[0].band and found[0].lanes >= machine.host().vector_bytes // 4
