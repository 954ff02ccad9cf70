"""vires.numpy.linalg and polynomials against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest
from compare import assert_close, check

import vires
import vires.numpy as np

RNG = onp.random.default_rng(0)


def normal(*shape: int, dtype: Any = onp.float32) -> onp.ndarray:
    x = RNG.normal(size=shape)
    if onp.dtype(dtype).kind == "c":
        x = x + 1j * RNG.normal(size=shape)
    return x.astype(dtype)


def positive(*shape: int, dtype: Any = onp.float32) -> onp.ndarray:
    x = normal(*shape, dtype=dtype)
    return (x @ x.conj().swapaxes(-1, -2) + onp.eye(shape[-1])).astype(dtype)


DTYPES = ["float32", "float64", "complex64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_solutions(dtype: str) -> None:
    a, b = normal(3, 4, 4, dtype=dtype), normal(3, 4, 2, dtype=dtype)
    check("linalg.inv", a, ulps=2000, scale=2000)
    check("linalg.solve", a, b, ulps=2000, scale=2000)
    check("linalg.solve", a[0], b[0, :, 0].copy(), ulps=2000, scale=2000)
    check("linalg.det", a, ulps=200, scale=200)
    check("linalg.slogdet", a, ulps=200, scale=200)
    for n in (1, 2, 3):
        check("linalg.det", a[:, :n, :n].copy(), ulps=200, scale=200)
    check("linalg.matrix_power", a[0], 3, ulps=100, scale=1000)
    check("linalg.matrix_power", a[0], 0)
    check("linalg.pinv", normal(5, 3, dtype=dtype), ulps=2000, scale=2000)
    check("linalg.cholesky", positive(3, 4, 4, dtype=dtype), ulps=64, scale=64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_decompositions(dtype: str) -> None:
    for shape in ((5, 3), (3, 5), (2, 4, 4)):
        x = normal(*shape, dtype=dtype)
        for mode in ("reduced", "complete"):
            q, r = np.linalg.qr(np.asarray(x), mode)
            assert_close(q @ r, x, ulps=64, scale=64)
            assert_close(np.linalg.matrix_transpose(q).conj() @ q,
            onp.broadcast_to(onp.eye(q.shape[-1]), (*shape[:-2], q.shape[-1], q.shape[-1])),
            ulps=64, scale=64, dtype=False)  # fmt: skip
        assert_close(
            abs(np.linalg.qr(np.asarray(x), "r")), abs(onp.linalg.qr(x, "r")), ulps=200, scale=64
        )
        u, s, vh = np.linalg.svd(np.asarray(x), full_matrices=False)
        assert_close((u * s[..., None, :]) @ vh, x, ulps=64, scale=64)
        assert_close(s, onp.linalg.svd(x, compute_uv=False), ulps=64, scale=64)
        check("linalg.svdvals", x, ulps=64, scale=64)
    h = positive(2, 4, 4, dtype=dtype)
    w, v = np.linalg.eigh(np.asarray(h))
    assert_close(w, onp.linalg.eigvalsh(h), ulps=200, scale=200)
    assert_close(
        h @ onp.asarray(v), onp.asarray(v) * onp.asarray(w)[..., None, :], ulps=200, scale=400
    )
    check("linalg.eigvalsh", h, ulps=200, scale=200)
    u, s, vh = np.linalg.svd(np.asarray(h), hermitian=True)
    assert_close((u * s[..., None, :]) @ vh, h, ulps=100, scale=400)
    x = normal(4, 4, dtype=dtype)
    w, v = np.linalg.eig(np.asarray(x))
    assert_close(x @ onp.asarray(v), onp.asarray(v) * onp.asarray(w), ulps=200, scale=400)
    order = onp.argsort(onp.asarray(w).real)
    expected = onp.linalg.eigvals(x)
    assert_close(onp.asarray(w)[order],
    expected[onp.argsort(expected.real)].astype(onp.asarray(w).dtype), ulps=500, scale=500,
    dtype=False)  # fmt: skip


def test_least_squares() -> None:
    a, b = normal(6, 3), normal(6, 2)
    x, residuals, rank, s = np.linalg.lstsq(np.asarray(a), np.asarray(b))
    e = onp.linalg.lstsq(a, b, rcond=None)
    assert_close(x, e[0], ulps=200, scale=200)
    assert_close(residuals, e[1], ulps=200, scale=200)
    assert int(rank) == e[2]
    assert_close(s, e[3], ulps=200, scale=200)
    x = np.linalg.lstsq(np.asarray(a), np.asarray(b[:, 0].copy()))[0]
    assert_close(x, e[0][:, 0], ulps=200, scale=200)


def test_norms() -> None:
    v, m = normal(3, 5), normal(2, 4, 3)
    for order in (None, 1, 2, 3, onp.inf, -onp.inf, 0, -1):
        check("linalg.norm", v[0], ord=order, ulps=32)
        check("linalg.norm", v, ord=order, axis=1, keepdims=True, ulps=32)
    for order in (None, "fro", "nuc", 1, -1, 2, -2, onp.inf, -onp.inf):
        check("linalg.norm", m, ord=order, axis=(1, 2), ulps=64)
        check("linalg.norm", m[0], ord=order, keepdims=True, ulps=64)
    check("linalg.norm", m, ulps=32)
    check("linalg.norm", normal(4, dtype=onp.complex64), ulps=32)
    check("linalg.vector_norm", m, axis=(0, 1), ulps=32)
    check("linalg.matrix_norm", m, ord=2, ulps=64)
    check("linalg.cond", m[0, :3], ulps=2000)
    check("linalg.cond", m[0, :3], 1, ulps=4000)
    check("linalg.matrix_rank", onp.stack([onp.eye(3), onp.ones((3, 3))]).astype(onp.float32))
    check("linalg.matrix_rank", onp.eye(4, dtype=onp.float32), hermitian=True)
    with pytest.raises(ValueError, match="norm: needs"):
        np.linalg.norm(np.ones((2, 2, 2)), "fro")


def test_products() -> None:
    a, b, c, v = normal(2, 30), normal(30, 4), normal(4, 5), normal(5)
    for arrays in ([a, b], [a, b, c], [a, b, c, v], [normal(2), a, b, c]):
        assert_close(
            np.linalg.multi_dot([np.asarray(x) for x in arrays]),
            onp.linalg.multi_dot(arrays),
            ulps=64,
            scale=64,
        )
    t = normal(4, 6, 8, 3)
    check("linalg.tensorinv", t, ulps=20000, scale=20000)
    check("linalg.tensorsolve", normal(2, 3, 6), normal(2, 3), ulps=2000, scale=2000)
    check("linalg.cross", normal(4, 3), normal(4, 3), ulps=16, scale=8)
    check("linalg.outer", v, v)
    check("linalg.trace", normal(2, 3, 3), offset=1)
    check("linalg.diagonal", normal(2, 3, 4), offset=-1)
    check("linalg.vecdot", normal(3, 5), v, ulps=16, scale=16)
    check("linalg.matmul", a, b, ulps=16, scale=16)
    check("linalg.tensordot", a, b, axes=1, ulps=16, scale=16)


def test_errors() -> None:
    for text, message in (
        ("np.linalg.inv(np.ones((2, 3)))", r"inv: needs square matrices; got float32\[2,3\]"),
        ("np.linalg.det(np.ones(3))", "at least 2 axes"),
        ("np.linalg.solve(np.eye(3), np.ones(2))", "3 rows"),
        ("np.linalg.qr(np.eye(3), 'x')", "mode"),
        ("np.linalg.lstsq(np.eye(3), np.ones(2))", "as many rows"),
        ("np.linalg.matrix_power(np.ones((2, 3)), 2)", "square"),
    ):
        with pytest.raises(ValueError, match=message):
            eval(text)


def test_singular_matrices() -> None:
    sign, log = np.linalg.slogdet(np.zeros((2, 4, 4)))
    assert sign.tolist() == [0, 0] and log.tolist() == [-onp.inf] * 2
    assert float(np.linalg.det(np.ones((4, 4)))) == 0.0
    assert onp.isnan(onp.asarray(np.linalg.cholesky(-np.eye(2)))).any()


def test_derivatives() -> None:
    a = np.asarray(positive(4, 4, dtype=onp.float64))
    functions = {
        "det": lambda a: np.linalg.det(a), "slogdet": lambda a: np.linalg.slogdet(a)[1],
        "inv": lambda a: np.linalg.inv(a).sum(), "solve": lambda a: np.linalg.solve(a,
        np.ones(4)).sum(),
        "cholesky": lambda a: np.linalg.cholesky(a).sum(),
        "eigh": lambda a: (np.linalg.eigh(a)[0] ** 2).sum(),
        "norm": lambda a: np.linalg.norm(a), "pinv": lambda a: np.linalg.pinv(a)[0, 0],
        "qr": lambda a: np.abs(np.linalg.qr(a)[1]).sum(),
        "svd": lambda a: np.linalg.svd(a)[1].max(),
    }  # fmt: skip
    direction = onp.random.default_rng(1).normal(size=(4, 4))
    direction = np.asarray(direction + direction.T)
    for name, f in functions.items():
        tangent = float((vires.grad(f)(a) * direction).sum())
        h = 1e-5
        numeric = (float(f(a + h * direction)) - float(f(a - h * direction))) / (2 * h)
        assert abs(tangent - numeric) <= 1e-5 * max(1, abs(numeric)), (name, tangent, numeric)


def test_polynomials() -> None:
    p, q = onp.array([1.0, -3, 2, 0.5], onp.float32), onp.array([2.0, 1], onp.float32)
    x = normal(3, 2)
    check("polyval", p, x, ulps=16, scale=8)
    check("polyval", onp.array([1, 2, 3]), onp.arange(4))
    check("polyadd", p, q)
    check("polysub", q, p)
    check("polymul", p, q, ulps=16, scale=8)
    check("polyder", p)
    check("polyder", p, 2)
    check("polyint", p)
    check("polyint", p, 2, k=[1.0, 2.0], jit=False)
    check("poly", onp.array([1.0, 2, 3], onp.float32), ulps=16)
    quotient, rest = np.polydiv(np.asarray(p), np.asarray(q))
    e = onp.polydiv(p, q)
    assert_close(quotient, e[0], dtype=False, ulps=16)
    assert_close(rest[-1:], e[1], dtype=False, ulps=64)
    roots = onp.sort_complex(onp.asarray(np.roots(np.asarray(p))))
    assert_close(roots, onp.sort_complex(onp.roots(p)).astype(onp.complex64), ulps=500, scale=500)
    assert_close(
        np.roots(np.array([0.0, 1, -1, 0])).real.sort(),
        onp.array([0, 1.0]),
        dtype=False,
        ulps=64,
        scale=8,
    )


def test_polyfit() -> None:
    x = onp.linspace(-1, 1, 20).astype(onp.float32)
    y = (x**2 * 3 - x + 0.5 + 0.01 * normal(20)).astype(onp.float32)
    check("polyfit", x, y, 2, ulps=500, scale=500)
    check("polyfit", x, y, 2, w=(1 + x**2).astype(onp.float32), ulps=500, scale=500)
    _, cov = np.polyfit(np.asarray(x), np.asarray(y), 2, cov=True)
    e = onp.polyfit(x, y, 2, cov=True)
    assert_close(cov, e[1], dtype=False, ulps=20000, scale=10)
    full = np.polyfit(np.asarray(x), np.asarray(y), 2, full=True)
    assert len(full) == 5 and int(full[2]) == 3


OF_MATRICES = {
    "det": np.linalg.det,
    "inv": np.linalg.inv,
    "slogdet": lambda a: np.linalg.slogdet(a)[1],
    "solve": lambda a: np.linalg.solve(a, a),
    "cholesky": np.linalg.cholesky,
    "qr": lambda a: np.linalg.qr(a)[1],
    "svd": lambda a: np.linalg.svd(a)[1],
    "eigvalsh": np.linalg.eigvalsh,
    "lu": lambda a: vires.lax.linalg.lu(a)[0],
    "pinv": np.linalg.pinv,
}


@pytest.mark.parametrize("name", OF_MATRICES)
@pytest.mark.parametrize("shape", [(9, 0, 4, 4), (0, 4, 4), (0, 0), (3, 0, 0)])
def test_derivatives_without_elements(name: str, shape: tuple[int, ...]) -> None:
    """Of no matrices, and of matrices of no rows: empty as well."""
    function, x = OF_MATRICES[name], onp.zeros(shape, "float32")
    out = function(np.asarray(x))
    assert vires.jit(function)(x).shape == out.shape
    for engine in ("llvm", "reference"):
        with vires.config.override("engine", engine):
            primal, tangent = vires.jvp(function, (x,), (x,))
            assert primal.shape == tangent.shape == out.shape
            assert vires.grad(lambda x: np.sum(function(x)))(x).shape == shape
