"""Factors and triangular systems of matrices that are divided into tiles."""

from __future__ import annotations

import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires.lax import linalg as vlinalg

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
SIZES = [33, 128, 256, 257, 300, 517, 700]
RNG = np.random.default_rng(4)


def sample(dtype, shape):
    x = RNG.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * RNG.standard_normal(shape)
    return x.astype(dtype)


def positive(dtype, n, stack=()):
    x = sample(dtype, (*stack, n, n))
    return (x @ np.swapaxes(x.conj(), -1, -2) / n + np.eye(n)).astype(dtype)


def tolerance(dtype):
    return {"rtol": 0, "atol": 2e-4 if np.finfo(dtype).bits == 32 else 1e-12}


cholesky = vires.jit(lambda a: vlinalg.cholesky(a, symmetrize_input=False))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_cholesky(dtype, n):
    a = positive(dtype, n)
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    seen = a + np.triu(np.full((n, n), np.nan, dtype), 1)  # only the lower triangle is read
    found = np.asarray(cholesky(np.where(np.tri(n, dtype=bool), a, seen)))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.linalg.cholesky(a.astype(wide)), **tolerance(dtype))
    assert not np.triu(found, 1).any()


@pytest.mark.parametrize("n", [40, 270])
def test_stacks(n):
    a, b = positive(np.float32, n, (2, 3)), sample(np.float32, (2, 3, n, 2))
    factors = cholesky(a)
    np.testing.assert_allclose(factors, np.linalg.cholesky(a), **tolerance(np.float32))
    x = vires.jit(lambda t, b: vlinalg.triangular_solve(t, b, left_side=True, lower=True))(
        factors, b
    )
    np.testing.assert_allclose(np.asarray(factors) @ np.asarray(x), b, **tolerance(np.float32))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [0, 100, 300, 519])
def test_no_factor(dtype, bad):
    a = positive(dtype, 520)
    a[bad, bad] = -1
    found = np.asarray(cholesky(a))
    assert np.isnan(found[np.tril_indices(520)]).all()
    assert not found[np.triu_indices(520, 1)].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular_solve(dtype, left, lower, unit):
    for n, others in [(33, 3), (129, 70), (300, 1), (300, 130), (140, 1100)]:
        a = (sample(dtype, (n, n)) / n + 2 * np.eye(n)).astype(dtype)
        b = sample(dtype, (n, others) if left else (others, n))
        seen = np.tril(a) if lower else np.triu(a)
        if unit:
            seen = np.tril(seen, -1) + np.triu(seen, 1) + np.eye(n, dtype=dtype)
        for transpose, conjugate in [(False, False), (True, False), (True, True), (False, True)]:
            flags = {
                "left_side": left,
                "lower": lower,
                "transpose_a": transpose,
                "conjugate_a": conjugate,
                "unit_diagonal": unit,
            }
            x = np.asarray(vlinalg.triangular_solve(vnp.array(a), vnp.array(b), **flags))
            op = seen.T if transpose else seen
            op = op.conj() if conjugate else op
            np.testing.assert_allclose(op @ x if left else x @ op, b, **tolerance(dtype))


def test_a_zero_on_the_diagonal():
    a = np.eye(300)
    a[200, 200] = 0
    x = np.asarray(vlinalg.triangular_solve(a, np.ones((300, 2)), left_side=True, lower=True))
    assert np.isinf(x[200]).all() and (x[:200] == 1).all()


def test_without_equations_or_right_sides():
    solve = vires.jit(lambda a, b: vlinalg.triangular_solve(a, b, left_side=True, lower=True))
    assert solve(np.eye(300, dtype="f"), np.ones((300, 0), "f")).shape == (300, 0)
    assert solve(np.ones((0, 300, 300), "f"), np.ones((0, 300, 2), "f")).shape == (0, 300, 2)
    assert cholesky(np.ones((0, 300, 300), "f")).shape == (0, 300, 300)


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_number_of_threads(dtype):
    a, b = positive(dtype, 530), sample(dtype, (530, 9))
    both = vires.jit(
        lambda a, b: (vlinalg.cholesky(a), vlinalg.triangular_solve(a, b, left_side=True))
    )
    results = []
    for number in (1, 2, 3):
        with vires.threads(number):
            results.append([np.asarray(x).tobytes() for x in both(a, b)])
    assert results[0] == results[1] == results[2]


def test_at_once_as_compiled():
    a, b = vnp.array(positive(np.float32, 400)), vnp.array(sample(np.float32, (400, 3)))
    assert np.array_equal(vlinalg.cholesky(a, symmetrize_input=False), cholesky(a))
    x = vlinalg.triangular_solve(a, b, left_side=True)
    compiled = vires.jit(lambda a, b: vlinalg.triangular_solve(a, b, left_side=True))
    assert np.array_equal(x, compiled(a, b))


def test_donated_operands():
    a, b = positive(np.float64, 300), sample(np.float64, (300, 300))
    expected = np.linalg.solve(np.tril(a), b)
    solve = vires.jit(
        lambda a, b: vlinalg.triangular_solve(a, b, left_side=True, lower=True),
        donate_argnums=(0, 1),
    )
    np.testing.assert_allclose(solve(vnp.array(a), vnp.array(b)), expected, rtol=1e-7, atol=1e-9)
    factor = vires.jit(lambda a: vlinalg.cholesky(a, symmetrize_input=False), donate_argnums=0)
    np.testing.assert_allclose(factor(vnp.array(a)), np.linalg.cholesky(a), rtol=0, atol=1e-12)
