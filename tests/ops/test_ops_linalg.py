"""Matrix factorisations, solvers and Fourier transforms against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import vires
from vires import lax
from vires.lax import linalg
from vires.ops import eigen, factor, triangular

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


def matrix(*shape, dtype=np.float64, seed=0):
    random = np.random.RandomState(seed + sum(shape))
    x = random.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * random.normal(size=shape)
    return x.astype(dtype)


def definite(n, dtype, *batch):
    a = matrix(*batch, n, n, dtype=dtype)
    return (a @ a.conj().swapaxes(-1, -2) + np.eye(n)).astype(dtype)


def close(actual, expected, dtype):
    single = np.dtype(dtype).name in ("float32", "complex64")
    assert np.asarray(actual).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(np.asarray(actual), expected, atol=2e-4 if single else 1e-10)


def adjoint(x):
    return np.asarray(x).conj().swapaxes(-1, -2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cholesky(dtype):
    a = definite(4, dtype, 2)
    close(linalg.cholesky(a), np.linalg.cholesky(a), dtype)
    close(vires.jit(linalg.cholesky)(a), np.linalg.cholesky(a), dtype)
    lower = np.tril(a)
    close(linalg.cholesky(lower, symmetrize_input=False), np.linalg.cholesky(a), dtype)
    assert np.isnan(np.asarray(linalg.cholesky(-a))[:, *np.tril_indices(4)]).all()
    assert linalg.cholesky(a[:0]).shape == (0, 4, 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("lower", [False, True])
def test_triangular_solve(left, lower, dtype):
    a = matrix(3, 3, dtype=dtype) + 3 * np.eye(3, dtype=dtype)
    b = matrix(3, 2, dtype=dtype) if left else matrix(2, 3, dtype=dtype)
    for transpose in (False, True):
        for conjugate in (False, True):
            for unit in (False, True):
                x = linalg.triangular_solve(
                    a, b, left_side=left, lower=lower, transpose_a=transpose, conjugate_a=conjugate,
                    unit_diagonal=unit,
                )  # fmt: skip
                t = np.tril(a) if lower else np.triu(a)
                if unit:
                    np.fill_diagonal(t, 1)
                t = t.T if transpose else t
                t = t.conj() if conjugate else t
                close((t @ np.asarray(x) if left else np.asarray(x) @ t), b, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (1, 1), (0, 3), (3, 0)])
def test_lu_and_qr(shape, dtype):
    a = matrix(2, *shape, dtype=dtype)
    m, n = shape
    k = min(m, n)
    factors, pivots, order = map(np.asarray, linalg.lu(a))
    lower = np.tril(factors[..., :k], -1) + np.eye(m, k, dtype=dtype)
    upper = np.triu(factors[..., :k, :])
    close(lower @ upper, np.take_along_axis(a, order[..., None].astype(int), -2), dtype)
    if k:
        permutation = linalg.lu_pivots_to_permutation(pivots, m)
        np.testing.assert_array_equal(np.asarray(permutation), order)
    for full in (False, True):
        q, r = linalg.qr(a, full_matrices=full)
        close(np.asarray(q) @ np.asarray(r), a, dtype)
        close(
            adjoint(q) @ np.asarray(q), np.tile(np.eye(q.shape[-1], dtype=dtype), (2, 1, 1)), dtype
        )
        q, r, p = linalg.qr(a, full_matrices=full, pivoting=True)
        permuted = np.take_along_axis(a, np.asarray(p)[:, None].astype(int), -1)
        close(np.asarray(q) @ np.asarray(r), permuted, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_eigenvalues(dtype):
    a = definite(4, dtype, 2)
    v, w = linalg.eigh(a)
    close(w, np.linalg.eigvalsh(a), dtype)
    close((np.asarray(v) * np.asarray(w)[:, None]) @ adjoint(v), a, dtype)
    b = matrix(4, 4, dtype=dtype)
    w, left, right = map(np.asarray, linalg.eig(b))
    assert w.dtype == np.result_type(dtype, np.complex64)
    close((b @ right).astype(w.dtype), right * w, dtype)
    close((adjoint(left) @ b).astype(w.dtype), w[:, None] * adjoint(left), dtype)
    t, z = map(np.asarray, linalg.schur(b))
    close(z @ t @ adjoint(z), b, dtype)
    h = np.triu(np.asarray(linalg.hessenberg(b)[0]), -1)
    close(np.abs(h), np.abs(scipy.linalg.hessenberg(b)), dtype)
    _, d, e, _ = map(np.asarray, linalg.tridiagonal(a[0]))
    close(
        np.linalg.eigvalsh(np.diag(d) + np.diag(e, 1) + np.diag(e, -1)),
        np.linalg.eigvalsh(a[0]),
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (0, 3)])
def test_svd(shape, dtype):
    a = matrix(2, *shape, dtype=dtype)
    k = min(shape)
    for full in (False, True):
        u, s, vh = map(np.asarray, linalg.svd(a, full_matrices=full))
        close((u[..., :k] * s[:, None]) @ vh[:, :k], a, dtype)
        close(s, np.linalg.svd(a, compute_uv=False), dtype)
        assert u.shape[-1] == (shape[0] if full else k)
    close(linalg.svd(a, compute_uv=False), s, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_solvers(dtype):
    a, b = matrix(2, 4, 4, dtype=dtype) + 4 * np.eye(4, dtype=dtype), matrix(2, 4, 3, dtype=dtype)
    close(linalg.solve(a, b), np.linalg.solve(a, b), dtype)
    dl, d, du = matrix(4, dtype=dtype), matrix(4, dtype=dtype) + 5, matrix(4, dtype=dtype, seed=1)
    full = np.diag(d) + np.diag(dl[1:], -1) + np.diag(du[:-1], 1)
    close(linalg.tridiagonal_solve(dl, d, du, b[0]), np.linalg.solve(full, b[0]), dtype)


def test_smaller_functions():
    a = matrix(4, 3)
    compact, taus = linalg.geqrf(a)
    q, _ = linalg.qr(a)
    c = matrix(4, 2)
    for transpose, truth in ((False, np.asarray(q) @ c), (True, np.asarray(q).T @ c)):
        close(linalg.ormqr(compact, taus, c, transpose=transpose), truth, np.float64)
    close(linalg.ormqr(compact, taus, c.T, left=False), c.T @ np.asarray(q), np.float64)
    close(linalg.householder_product(compact, taus), np.asarray(q)[:, :3], np.float64)
    r, w = np.triu(matrix(3, 3)), matrix(3)
    updated = np.asarray(linalg.cholesky_update(r, w))
    close(updated.T @ updated, r.T @ r + np.outer(w, w), np.float64)
    product = linalg.symmetric_product(a, np.eye(4), alpha=2.0, beta=3.0)
    close(product, 2 * a @ a.T + 3 * np.eye(4), np.float64)
    u, h, *_ = linalg.qdwh(a)
    close(np.asarray(u) @ np.asarray(h), a, np.float64)


def test_equal_eigenvalues_have_finite_gradients():
    def loss(x):
        _, w = linalg.eigh(x)
        return lax.reduce_sum(lax.mul(w, w), (0,))

    np.testing.assert_allclose(np.asarray(vires.grad(loss)(np.eye(3))), 2 * np.eye(3), atol=1e-12)


def test_gradient_of_the_logarithm_of_a_determinant():
    a = definite(4, np.float64)

    def log_det(x):
        factor = linalg.cholesky(x)
        diagonal = lax.reduce_sum(lax.mul(factor, np.eye(4)), (1,))
        return lax.mul(lax.reduce_sum(lax.log(diagonal), (0,)), 2.0)

    np.testing.assert_allclose(np.asarray(vires.grad(log_det)(a)), np.linalg.inv(a), atol=1e-10)
    gradients = vires.jit(vires.vmap(vires.grad(log_det)))(np.stack([a, 2 * a]))
    np.testing.assert_allclose(np.asarray(gradients)[1], np.linalg.inv(2 * a), atol=1e-10)


def test_nan_in_nan_out():
    bad = np.full((3, 3), np.nan)
    assert np.isnan(np.asarray(linalg.eigh(bad)[1])).all()
    assert np.isnan(np.asarray(linalg.svd(bad, compute_uv=False))).all()
    assert np.isnan(np.asarray(linalg.eig(bad)[0])).all()
    assert np.isnan(np.asarray(linalg.solve(np.zeros((2, 2)), np.ones((2, 1))))).all()


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("single", [False, True])
def test_fft_is_numpys(single, jitted):
    x = matrix(3, 4, 6, dtype=np.float32 if single else np.float64)
    z = matrix(3, 4, 6, dtype=np.complex64 if single else np.complex128)
    wrap = vires.jit if jitted else lambda f: f
    tolerance = 1e-5 if single else 1e-12
    for kind, lengths, operand, truth in (
        ("FFT", (6,), z, np.fft.fft(z)),
        ("fft", (4, 6), x, np.fft.fft2(x)),
        (lax.FftType.IFFT, (4, 6), z, np.fft.ifft2(z)),
        ("RFFT", (3, 4, 6), x, np.fft.rfftn(x)),
        ("IRFFT", (11,), z, np.fft.irfft(z, 11)),
        ("IRFFT", (4, 10), z, np.fft.irfft2(z, (4, 10))),
    ):
        result = wrap(lambda x, k=kind, n=lengths: lax.fft(x, k, n))(operand)
        kind_of = "c" if truth.dtype.kind == "c" else "f"
        assert result.dtype == f"{kind_of}{(4 if single else 8) * (2 if kind_of == 'c' else 1)}"
        np.testing.assert_allclose(np.asarray(result), truth, atol=tolerance * 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: linalg.cholesky(np.ones((2, 3))),
            r"add: needs|cholesky: needs a stack of square matrices",
        ),
        (
            lambda: linalg.lu(np.ones((2, 2), int)),
            r"lu: needs float32, float64, .*; got int64\[2,2\]",
        ),
        (lambda: linalg.qr(np.ones(3)), r"qr: needs a stack of matrices; got float64\[3\]"),
        (
            lambda: linalg.triangular_solve(np.eye(3), np.ones((2, 2)), left_side=True),
            r"triangular_solve: needs a and b of one dtype .* as many rows as a",
        ),
        (
            lambda: lax.fft(np.ones(4), "DCT", (4,)),
            r"fft: needs one of FFT, IFFT, RFFT, IRFFT; got 'DCT'",
        ),
        (lambda: lax.fft(np.ones(4), "RFFT", (5,)), r"rfft: needs last axes of sizes \(5,\)"),
        (lambda: lax.fft(np.ones(4) * 1j, "RFFT", (4,)), r"rfft: needs float32 or float64"),
    ],
)
def test_messages(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_what_cannot_be_differentiated_says_so():
    a = matrix(4, 3)
    with pytest.raises(NotImplementedError, match="svd: needs full_matrices=False"):
        vires.jvp(lambda x: linalg.svd(x), (a,), (a,))
    with pytest.raises(NotImplementedError, match="qr: needs mode='reduced'"):
        vires.jvp(lambda x: linalg.qr(x), (a,), (a,))
    square = matrix(3, 3)
    with pytest.raises(NotImplementedError, match="eig: needs compute_left_eigenvectors=False"):
        vires.jvp(lambda x: linalg.eig(x), (square,), (square,))
    with pytest.raises(TypeError, match="needs eigh or eig to be differentiated"):
        vires.jvp(lambda x: linalg.schur(x), (square,), (square,))


STACKED = {
    "eigh": lambda a: linalg.eigh(a + np.swapaxes(a, -1, -2), symmetrize_input=False),
    "eigh upper": lambda a: linalg.eigh(a, lower=False, symmetrize_input=False),
    "svd": lambda a: linalg.svd(a[..., :3], full_matrices=False),
    "svd full": lambda a: linalg.svd(a[..., :3], full_matrices=True),
    "svd values": lambda a: linalg.svd(a[..., :3], compute_uv=False),
    "qr": lambda a: linalg.qr(a[..., :3], full_matrices=False),
    "qr full": lambda a: linalg.qr(a[..., :3], full_matrices=True),
    "eig": lambda a: linalg.eig(a),
    "eig right": lambda a: linalg.eig(a, compute_left_eigenvectors=False),
    "eig values": lambda a: linalg.eig(
        a, compute_left_eigenvectors=False, compute_right_eigenvectors=False
    ),
    "schur": lambda a: linalg.schur(a),
    "schur form": lambda a: linalg.schur(a, compute_schur_vectors=False),
    "hessenberg": linalg.hessenberg,
    "tridiagonal": lambda a: linalg.tridiagonal(a, lower=True),
    "tridiagonal upper": lambda a: linalg.tridiagonal(a, lower=False),
    "tridiagonal_solve": lambda a: linalg.tridiagonal_solve(
        a[..., 0, :], a[..., 1, :], a[..., 2, :], a[..., :3]
    ),
}


@pytest.mark.parametrize("name", STACKED)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_stacks_of_small_matrices_are_decomposed_one_by_one(name, dtype):
    """Also those beside a matrix with nan."""
    random = np.random.RandomState(0)
    a = random.normal(size=(2, 3, 4, 4)).astype(dtype)
    if dtype == "complex128":
        a = a + 1j * random.normal(size=a.shape)
    a[1, 0, 2, 1] = np.nan
    function = STACKED[name]
    for run in (function, vires.jit(function), vires.vmap(function)):
        together = [np.asarray(x) for x in vires.tree.leaves(run(a))]
        for place in np.ndindex(2, 3):
            alone = vires.tree.leaves(function(a[place]))
            for x, y in zip(together, alone, strict=True):
                np.testing.assert_allclose(x[place], np.asarray(y), rtol=1e-9, atol=1e-12)


def test_small_matrices_are_many_at_once(monkeypatch):
    """No call from Python for each of them."""

    def one(*args, **params):
        raise AssertionError("a single matrix")

    a = np.random.RandomState(0).normal(size=(5, 3, 3))
    for primitive, call in (
        (eigen.eigh, lambda: linalg.eigh(a)),
        (eigen.svd, lambda: linalg.svd(a)),
        (factor.qr, lambda: linalg.qr(a)),
        (eigen.schur, lambda: linalg.schur(a)),
        (eigen.hessenberg, lambda: linalg.hessenberg(a)),
        (eigen.tridiagonal, lambda: linalg.tridiagonal(a, lower=True)),
        (
            triangular.tridiagonal_solve,
            lambda: (linalg.tridiagonal_solve(a[:, 0], a[:, 1], a[:, 2], a),),
        ),
    ):
        monkeypatch.setattr(primitive, "function", one)
        assert np.asarray(call()[0]).shape[0] == 5


@pytest.mark.parametrize("count", [1, 2, 65, 200])
def test_a_stack_has_the_bits_of_its_matrices(count):
    """However it is divided among threads, and beside systems that have no solution."""
    random = np.random.RandomState(1)
    a = random.normal(size=(count, 5, 5)).astype(np.float32)
    a[count // 2, :2] = 0
    diagonals = a[:, 0], a[:, 1], a[:, 2]
    for function, arrays in (
        (lambda a: linalg.schur(a), (a,)),
        (linalg.hessenberg, (a,)),
        (lambda a: linalg.tridiagonal(a, lower=True), (a,)),
        (lambda *x: [linalg.tridiagonal_solve(*x)], (*diagonals, a)),
    ):
        together = [np.asarray(x) for x in function(*arrays)]
        for i in range(count):
            for x, y in zip(together, function(*(x[i] for x in arrays)), strict=True):
                np.testing.assert_array_equal(x[i], np.asarray(y))
    singular = linalg.tridiagonal_solve(*diagonals, a)[count // 2]
    assert np.isnan(np.asarray(singular)).all()


@pytest.mark.parametrize("engine", ["llvm", "reference"])
@pytest.mark.parametrize("operand", range(4))
def test_stacks_in_another_order_of_memory(engine, operand):
    """Routines that take whole stacks see each matrix, however the stack lies in memory."""
    n, count = 6, 9
    systems = [np.random.default_rng(i).standard_normal((count, n)) for i in range(3)]
    systems[1] += 5
    given = [*systems, np.random.default_rng(4).standard_normal((count, n, 2))]
    axis = (-1 if operand < 3 else 1) % given[operand].ndim
    moved = np.ascontiguousarray(np.moveaxis(given[operand], 0, axis))

    def solve(moved, *others):
        operands = [*others[:operand], np_moved(moved), *others[operand:]]
        return vires.lax.linalg.tridiagonal_solve(*operands)

    def np_moved(x):
        return vires.numpy.moveaxis(x, axis, 0)

    others = [x for i, x in enumerate(given) if i != operand]
    with vires.config.override("engine", engine), vires.config.override("enable_x64", True):
        found = np.asarray(vires.jit(solve)(moved, *others))
    below, on, above, right = given
    for i in range(count):
        whole = np.diag(on[i]) + np.diag(below[i, 1:], -1) + np.diag(above[i, :-1], 1)
        np.testing.assert_allclose(found[i], np.linalg.solve(whole, right[i]), rtol=1e-9)
