"""Products of small and large vectors and matrices against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

import vires.numpy as vnp


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (2, 3, 4), (4, 4, 4), (5, 7, 9), (8, 16, 33), (32, 32, 32), (3, 64, 2),
     (33, 31, 30), (1, 5, 6), (6, 5, 1), (0, 3, 4), (3, 0, 4), (70, 20, 10), (200, 30, 40),
     (300, 200, 1)],
)  # fmt: skip
def test_matrices(shape: tuple[int, int, int], dtype: str) -> None:
    random = np.random.default_rng(0)
    m, k, n = shape
    a, b = (random.standard_normal(size).astype(dtype) for size in ((m, k), (k, n)))
    exact = a.astype(np.complex128) @ b.astype(np.complex128)
    bound = 4 * (k + 1) * np.finfo(dtype).eps * (np.abs(a) @ np.abs(b) + 1e-30)
    x, y = vnp.asarray(a), vnp.asarray(b)
    turned = vnp.asarray(a.T.copy()), vnp.asarray(b.T.copy())
    results = [
        x @ y,
        vnp.tensordot(turned[0], y, ((0,), (0,))),
        vnp.tensordot(x, turned[1], ((1,), (1,))),
        vnp.einsum("ki,jk->ij", turned[0], turned[1]),
    ]
    for result in results:
        assert result.dtype == dtype
        assert (np.abs(np.asarray(result) - exact) <= bound).all()
    if n:
        column = x @ y[:, 0]
        assert (np.abs(np.asarray(column) - exact[:, 0]) <= bound[:, 0]).all()
    if m:
        row = x[0] @ y
        assert (np.abs(np.asarray(row) - exact[0]) <= bound[0]).all()


@pytest.mark.parametrize("size", [0, 1, 3, 8, 31, 32, 33, 100, 4095, 4097, 300_000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vectors(size: int, dtype: str) -> None:
    random = np.random.default_rng(size)
    a, b = (random.standard_normal(size).astype(dtype) for _ in range(2))
    exact = (a.astype(np.longdouble) * b.astype(np.longdouble)).sum()
    bound = 64 * np.finfo(dtype).eps * (np.abs(a) @ np.abs(b) + 1e-30)
    assert abs(float(vnp.dot(vnp.asarray(a), vnp.asarray(b))) - exact) <= bound


def test_values_that_are_not_finite() -> None:
    a = np.array([[np.inf, 1], [np.nan, 2], [0, -0.0]], np.float32)
    b = np.array([[1, 0], [2, 0]], np.float32)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(vnp.asarray(a) @ vnp.asarray(b), a @ b)
