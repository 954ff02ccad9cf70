"""Stacks of small matrices, compiled, against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import vires
import vires.numpy as vnp
from vires.lax import linalg as vlinalg

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
STACKS = [(), (1,), (0,), (3, 2), (700,)]
RNG = np.random.default_rng(3)


def sample(dtype, shape):
    x = RNG.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * RNG.standard_normal(shape)
    return x.astype(dtype)


def tolerance(dtype):
    return {"rtol": 0, "atol": 2e-3 if np.finfo(dtype).bits == 32 else 1e-10}


def regular(dtype, stack, n):
    """Matrices whose systems are well conditioned, with exchanges of rows."""
    a = sample(dtype, (*stack, n, n)) / max(n, 1) + 2 * np.eye(n)
    return a[..., RNG.permutation(n), :].astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stack", STACKS)
def test_solve(dtype, stack):
    for n, columns in [(1, 1), (4, 1), (5, 3), (32, 32), (3, 0), (0, 2)]:
        a, b = regular(dtype, stack, n), sample(dtype, (*stack, n, columns))
        for transpose in (False, True):
            found = vires.jit(
                lambda a, b, t=transpose: vlinalg.solve(vnp.swapaxes(a, -1, -2) if t else a, b)
            )(a, b)
            expected = np.linalg.solve(np.swapaxes(a, -1, -2) if transpose else a, b)
            assert found.dtype == dtype
            np.testing.assert_allclose(found, expected, **tolerance(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_singular_and_exchanged(dtype):
    a = np.array([[[0, 1], [1, 0]], [[1, 2], [2, 4]], [[0, 0], [0, 0]]], dtype)
    b = np.array([[[3], [5]]] * 3, dtype)
    found = np.asarray(vires.jit(vlinalg.solve)(a, b))
    np.testing.assert_array_equal(found[0], [[5], [3]])
    assert np.isnan(found[1:]).all()


def test_large_and_tiny_complex_pivots():
    a = np.array([[[1e300 + 1e300j]], [[1e-300 + 1e-300j]]])
    found = np.asarray(vires.jit(vlinalg.solve)(a, a))
    np.testing.assert_allclose(found, np.ones((2, 1, 1)), rtol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 6), (6, 3), (32, 32), (0, 3), (3, 0)])
def test_lu(dtype, shape):
    m, n = shape
    a = sample(dtype, (5, m, n))
    factors, pivots, order = (np.asarray(x) for x in vires.jit(vlinalg.lu)(a))
    k = min(m, n)
    assert pivots.shape == (5, k) and order.shape == (5, m)
    lower = np.tril(factors[..., :k], -1) + np.eye(m, k)
    upper = np.triu(factors[..., :k, :])
    assert (abs(lower) <= 1.5).all()
    permuted = np.take_along_axis(a, order[..., None], 1)
    np.testing.assert_allclose(lower @ upper, permuted, **tolerance(dtype))
    for i in range(5 * bool(k)):
        expected = scipy.linalg.lapack.get_lapack_funcs("getrf", (a[i],))(a[i])[1]
        np.testing.assert_array_equal(pivots[i], expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stack", STACKS)
def test_cholesky(dtype, stack):
    for n in (0, 1, 3, 8, 32):
        x = sample(dtype, (*stack, n, n))
        a = (x @ np.swapaxes(x.conj(), -1, -2) / max(n, 1) + np.eye(n)).astype(dtype)
        found = vires.jit(lambda a: vlinalg.cholesky(a, symmetrize_input=False))(a)
        np.testing.assert_allclose(found, np.linalg.cholesky(a), **tolerance(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_cholesky_of_an_indefinite_matrix(dtype):
    a = np.array([[[1, 2], [2, 1]], [[4, 2], [2, 5]]], dtype)
    found = np.asarray(vires.jit(vlinalg.cholesky)(a))
    assert np.isnan(found[0][np.tril_indices(2)]).all()
    assert found[0, 0, 1] == 0
    np.testing.assert_allclose(found[1], [[2, 0], [1, 2]], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular_solve(dtype, left, lower, unit):
    for n, other, stack in [(1, 1, ()), (4, 3, (6,)), (32, 5, (2,)), (3, 0, (2,)), (5, 2, (400,))]:
        a = (sample(dtype, (*stack, n, n)) / n + 2 * np.eye(n)).astype(dtype)
        b = sample(dtype, (*stack, n, other) if left else (*stack, other, n))
        for transpose, conjugate in [(False, False), (True, False), (True, True), (False, True)]:
            flags = {
                "left_side": left,
                "lower": lower,
                "transpose_a": transpose,
                "conjugate_a": conjugate,
                "unit_diagonal": unit,
            }
            x = np.asarray(
                vires.jit(lambda a, b, f=flags: vlinalg.triangular_solve(a, b, **f))(a, b)
            )
            seen = np.tril(a) if lower else np.triu(a)
            if unit:
                seen = np.tril(seen, -1) + np.triu(seen, 1) + np.eye(n, dtype=dtype)
            seen = np.swapaxes(seen, -1, -2) if transpose else seen
            seen = seen.conj() if conjugate else seen
            product = seen @ x if left else x @ seen
            np.testing.assert_allclose(product, b, **tolerance(dtype))


def test_inverse_and_determinant():
    a = regular(np.float64, (200,), 6)
    inverse = vires.jit(vnp.linalg.inv)(a)
    np.testing.assert_allclose(inverse, np.linalg.inv(a), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(vires.jit(vnp.linalg.det)(a), np.linalg.det(a), rtol=1e-12)


def test_same_bits_for_any_number_of_threads():
    a, b = regular(np.float32, (3000,), 7), sample(np.float32, (3000, 7, 2))
    solve = vires.jit(vlinalg.solve)
    results = []
    for number in (1, 2, 3):
        with vires.threads(number):
            results.append(np.asarray(solve(a, b)).tobytes())
    assert results[0] == results[1] == results[2]


def test_a_donated_operand_stays_whole_until_it_is_read():
    a, b = regular(np.float64, (50,), 4), sample(np.float64, (50, 4, 2))
    expected = np.linalg.solve(a, b)
    solve = vires.jit(vlinalg.solve, donate_argnums=1)
    np.testing.assert_allclose(solve(a, vnp.array(b)), expected, rtol=1e-9, atol=1e-12)
    invert = vires.jit(vlinalg.cholesky, donate_argnums=0)
    s = a @ np.swapaxes(a, -1, -2)
    np.testing.assert_allclose(invert(vnp.array(s)), np.linalg.cholesky(s), rtol=1e-9, atol=1e-12)
