"""Linear algebra against SciPy."""

from __future__ import annotations

import numpy as onp
import pytest
import scipy.linalg as reference
from scipy_agreement import assert_near

import vires
import vires.numpy as np
from vires.scipy import linalg

RANDOM = onp.random.default_rng(0)
A = RANDOM.normal(size=(5, 5))
P = A @ A.T + onp.eye(5)
B = RANDOM.normal(size=(5, 2))


@pytest.mark.parametrize("lower", [False, True])
def test_cholesky(lower):
    assert_near(linalg.cholesky(P, lower), reference.cholesky(P, lower))
    factor = linalg.cho_factor(P, lower)
    assert factor[1] is lower
    assert_near(linalg.cho_solve(factor, B), onp.linalg.solve(P, B))
    assert_near(linalg.cho_solve(factor, B[:, 0]), onp.linalg.solve(P, B[:, 0]))
    stack = onp.stack([P, 2 * P])
    solved = linalg.cho_solve(linalg.cho_factor(stack, lower), onp.stack([B, B]))
    assert_near(solved, onp.linalg.solve(stack, B))
    garbage = onp.where(onp.tri(5, k=0 if lower else -1, dtype=bool) == lower, P, 7.0)
    assert_near(linalg.cholesky(garbage, lower), reference.cholesky(P, lower))


@pytest.mark.parametrize("trans", [0, 1, 2])
@pytest.mark.parametrize("a", [A, A + 1j * P], ids=["real", "complex"])
def test_solutions_by_factors(a, trans):
    expected = reference.lu_solve(reference.lu_factor(a), B, trans)
    assert_near(linalg.lu_solve(linalg.lu_factor(a), B, trans), expected)
    for lower in (False, True):
        expected = reference.solve_triangular(a, B, trans, lower=lower)
        assert_near(linalg.solve_triangular(a, B, trans, lower=lower), expected)


@pytest.mark.parametrize("a", [A, A[:, :3], A[:3]], ids=["square", "tall", "wide"])
def test_lu_and_qr(a):
    assert_near(linalg.lu(a), reference.lu(a))
    assert_near(linalg.lu(a, True), reference.lu(a, True))
    for mode in ("full", "economic", "r"):
        assert_near(linalg.qr(a, mode=mode), reference.qr(a, mode=mode))
    assert_near(linalg.qr(a, pivoting=True), reference.qr(a, pivoting=True))
    assert_near(linalg.svd(a, compute_uv=False), reference.svdvals(a))
    for side in ("left", "right"):
        if a.shape[0] >= a.shape[1]:
            assert_near(linalg.polar(a, side), reference.polar(a, side))


def test_qr_multiply():
    tall = A[:, :3]
    for mode, c in (("left", B[:3]), ("right", B.T), ("left", B[:3, 0]), ("right", B[:, 0])):
        expected = reference.qr_multiply(tall, c.copy(), mode)
        assert_near(linalg.qr_multiply(tall, c, mode), expected)


def test_solve_by_structure():
    assert_near(linalg.solve(A, B), onp.linalg.solve(A, B))
    assert_near(linalg.solve(P, B, assume_a="pos"), onp.linalg.solve(P, B))
    assert_near(linalg.solve(P, B[:, 0], assume_a="pos"), onp.linalg.solve(P, B[:, 0]))
    upper = onp.triu(P)
    assert_near(linalg.solve(upper, B, assume_a="upper triangular"), onp.linalg.solve(upper, B))
    assert_near(linalg.solve(P, B, assume_a="diagonal"), B / onp.diag(P)[:, None])
    assert_near(linalg.inv(A), onp.linalg.inv(A))
    assert_near(linalg.det(A), onp.linalg.det(A))


def test_exponential():
    for scale in (0.1, 1, 10):
        expected = reference.expm(scale * A)
        assert_near(
            linalg.expm(scale * A) / onp.abs(expected).max(), expected / abs(expected).max()
        )
    stack = onp.stack([A, P])
    assert_near(linalg.expm(stack) / 1e4, reference.expm(stack) / 1e4)
    assert_near(linalg.expm(A.astype("float32")), reference.expm(A), 1e-4)
    upper = onp.triu(A)
    assert_near(linalg.expm(upper, upper_triangular=True), reference.expm(upper))
    assert onp.isnan(linalg.expm(1e9 * A)).all()
    assert linalg.expm(onp.zeros((0, 0))).shape == (0, 0)


def test_derivative_of_the_exponential():
    value, slope = linalg.expm_frechet(A, P)
    expected = reference.expm_frechet(A, P)
    assert_near((value, slope), expected, 1e-8)
    gradient = vires.jit(vires.grad(lambda x: (linalg.expm(x) * B[0, 0]).sum()))(A)
    assert_near((gradient * P).sum(), (expected[1] * B[0, 0]).sum(), 1e-8)


def test_functions_of_matrices():
    assert_near(linalg.sqrtm(P) @ linalg.sqrtm(P), P.astype(complex))
    assert linalg.sqrtm(onp.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]
    assert_near(linalg.funm(A, np.exp), reference.expm(A).astype(complex), 1e-8)
    assert linalg.funm(A, np.exp, disp=False)[1] < 1e-12
    c = RANDOM.normal(size=(5, 4))
    b = RANDOM.normal(size=(4, 4))
    expected = reference.solve_sylvester(A, b, c)
    assert_near(linalg.solve_sylvester(A, b, c), expected)
    assert onp.isnan(linalg.solve_sylvester(A, -A, P)).all()


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("kind", [1, 2, 3])
def test_generalized_eigenvalues(kind, lower):
    values, vectors = linalg.eigh(P, P + onp.eye(5), lower=lower, type=kind)
    expected, columns = reference.eigh(P, P + onp.eye(5), lower=lower, type=kind)
    assert_near(values, expected)
    assert_near(abs(vectors), abs(columns))


def test_eigenvalues():
    garbage = onp.triu(P) + onp.tril(onp.ones((5, 5)), -1)
    values, vectors = linalg.eigh(garbage, lower=False)
    assert_near(values, onp.linalg.eigvalsh(P))
    assert_near(P @ onp.asarray(vectors), vectors * values)
    d, e = A[0], P[0, 1:]
    expected = reference.eigh_tridiagonal(d, e)
    assert_near(linalg.eigh_tridiagonal(d, e, eigvals_only=True), expected[0])
    for select, interval in (("i", (1, 3)), ("v", (-1.0, 1.0))):
        truth = reference.eigh_tridiagonal(d, e, True, select=select, select_range=interval)
        own = linalg.eigh_tridiagonal(d, e, eigvals_only=True, select=select, select_range=interval)
        assert_near(own, truth)


def test_triangular_forms():
    t, z = linalg.schur(A)
    assert_near(z @ t @ z.T, A)
    t, z = linalg.rsf2csf(t, z)
    assert_near(z @ t @ np.conj(z).T, A.astype(complex))
    assert onp.tril(onp.asarray(t), -1).any() == onp.False_
    t, z = linalg.schur(A, "complex")
    assert_near(z @ t @ np.conj(z).T, A.astype(complex))
    assert_near(linalg.hessenberg(A, calc_q=True), reference.hessenberg(A, calc_q=True))


def test_matrices_of_vectors():
    v, w = RANDOM.normal(size=6), RANDOM.normal(size=4)
    assert_near(linalg.toeplitz(v, w), reference.toeplitz(v, w))
    assert_near(linalg.toeplitz(v + 1j), reference.toeplitz(v + 1j))
    assert_near(linalg.hankel(v, w), reference.hankel(v, w))
    assert_near(linalg.hankel(v), reference.hankel(v))
    assert_near(linalg.leslie(v, v[1:]), reference.leslie(v, v[1:]))
    assert_near(linalg.block_diag(A, v, 3.0), reference.block_diag(A, v, 3.0))
    for name in ("circulant", "companion", "fiedler", "fiedler_companion"):
        for n in range(2, 7):
            assert_near(getattr(linalg, name)(v[:n]), getattr(reference, name)(v[:n]))
    for mode in ("full", "same", "valid"):
        for n in (1, 2, 4, 7):
            for a in (v, w[:2]):
                expected = reference.convolution_matrix(a, n, mode)
                assert_near(linalg.convolution_matrix(a, n, mode), expected)


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_matrices_of_a_size(n):
    with vires.enable_x64():
        for name in ("hadamard", "hilbert", "invhilbert", "pascal", "invpascal", "helmert", "dft"):
            assert_near(getattr(linalg, name)(n), getattr(reference, name)(n))
        for kind in ("lower", "upper"):
            assert_near(linalg.pascal(n, kind), reference.pascal(n, kind))
            assert_near(linalg.invpascal(n, kind), reference.invpascal(n, kind))


def test_gradients_through_solutions():
    def total(solve, a):
        return solve(a).sum()

    def by_cholesky(a):
        return linalg.cho_solve(linalg.cho_factor(a @ a.T), B)

    gradient = vires.jit(vires.grad(lambda a: total(by_cholesky, a)))(A)
    step = 1e-6 * P
    high, low = (onp.linalg.solve(a @ a.T, B).sum() for a in (A + step, A - step))
    assert_near((gradient * P).sum(), (high - low) / 2e-6, 1e-5)
    mapped = vires.vmap(lambda b: linalg.solve(A, b))(B.T)
    assert_near(mapped, onp.linalg.solve(A, B).T)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linalg.cholesky(onp.ones((2, 3))), "cholesky: needs square matrices"),
        (lambda: linalg.solve(A, B, assume_a="no"), "solve: needs assume_a among"),
        (lambda: linalg.solve(A, B[:3], assume_a="pos"), "solve: needs b with 5 rows"),
        (lambda: linalg.qr(A, mode="x"), "qr: needs mode 'full', 'economic' or 'r'; got 'x'"),
        (lambda: linalg.hadamard(3), "hadamard: needs n a power of 2; got 3"),
        (lambda: linalg.eigh(A, type=4), "eigh: needs type 1, 2 or 3; got 4"),
        (lambda: linalg.companion(onp.ones(1)), "companion: needs at least 2 coefficients"),
    ],
)
def test_refusals(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
