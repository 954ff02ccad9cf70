"""Eager reductions of the leading axes of large arrays: parts of the rows on all threads."""

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import _native

#: Rows and columns: below and above what is cut into parts, whole and broken bands, short rows that
#: are folded side by side, and one long row.
SHAPES = [
    (2, 70_000), (127, 1100), (128, 1100), (129, 1100), (1031, 255), (1031, 256), (1031, 257),
    (1500, 100), (20_000, 7), (140_000, 1), (150_000, 3), (300, 513), (131, 1000),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int8", "complex64", "bool"])
def test_reductions_of_leading_axes(shape, dtype):
    random = onp.random.default_rng(0)
    x = random.integers(-9, 9, shape).astype(dtype)
    if dtype.startswith(("float", "complex")):
        x = (x + random.standard_normal(shape)).astype(dtype)
    tolerance = 1e-10 if dtype == "float64" else 2e-4
    got = np.sum(np.asarray(x), 0)
    expected = x.sum(0, dtype="complex128" if dtype == "complex64" else None)
    onp.testing.assert_allclose(onp.asarray(got), expected, rtol=tolerance, atol=200 * tolerance)
    if dtype != "complex64":
        for name in ("max", "min"):
            got = getattr(np, name)(np.asarray(x), 0)
            onp.testing.assert_array_equal(onp.asarray(got), getattr(x, name)(0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1500, 100), (300, 513), (129, 1100)])
def test_extremes_of_special_values(shape, dtype):
    x = onp.random.default_rng(1).standard_normal(shape).astype(dtype)
    x[7, 3] = x[-1, 5] = onp.nan
    x[100, 4], x[101, 4] = onp.inf, -onp.inf
    x[:, 6], x[20, 6] = -0.0, 0.0
    x[:, 7] = -onp.inf
    x[:, 8] = 0.0
    x[50, 8] = -0.0
    for name, zeros in (("max", [0.0, 0.0]), ("min", [-0.0, -0.0])):
        got = onp.asarray(getattr(np, name)(np.asarray(x), 0))
        onp.testing.assert_array_equal(got, getattr(x, name)(0))
        assert onp.signbit(got[[6, 8]]).tolist() == onp.signbit(zeros).tolist()


def test_reductions_of_inner_axes():
    x = onp.random.default_rng(2).standard_normal((40, 130, 60)).astype("float32")
    for axes in (1, (0, 1), (0, 2), 0):
        onp.testing.assert_allclose(
            onp.asarray(np.sum(np.asarray(x), axes)), x.sum(axes, dtype="float64"), 1e-4, 1e-3
        )
        onp.testing.assert_array_equal(onp.asarray(np.max(np.asarray(x), axes)), x.max(axes))


def test_half_precision_is_folded_in_single():
    x = onp.full((4096, 40), 1 / 3, "float16")
    got = np.sum(np.asarray(x), 0)
    assert got.dtype == "float16"
    onp.testing.assert_allclose(onp.asarray(got, "float64"), x.sum(0, dtype="float64"), 1e-3)


@pytest.mark.parametrize("shape", [(1500, 100), (129, 1100), (150_000, 3)])
def test_any_number_of_threads_gives_the_same_bits(shape):
    x = np.asarray(onp.random.default_rng(3).standard_normal(shape).astype("float32"))
    before, results = _native.num_threads(), set()
    try:
        for threads in (1, 2, 3, 5):
            _native.set_num_threads(threads)
            results.add(bytes(memoryview(np.sum(x, 0))))
    finally:
        _native.set_num_threads(before)
    assert len(results) == 1


def test_a_sum_of_many_rows_is_accurate():
    """Parts keep errors small: one sum after the other would be off by 1e-3."""
    x = onp.full((500_000, 4), 0.1, "float32")
    got = onp.asarray(vires.numpy.sum(np.asarray(x), 0), "float64")
    onp.testing.assert_allclose(got, x.sum(0, dtype="float64"), rtol=2e-5)
