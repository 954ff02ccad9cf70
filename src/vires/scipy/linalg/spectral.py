"""Eigenvalues: Hermitian and tridiagonal problems, Schur's and Hessenberg's forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core import dtypes
from vires.lax import linalg as lax_linalg
from vires.lax.control import cond, fori_loop
from vires.lax.indexing import dynamic_slice, dynamic_update_slice
from vires.numpy.arithmetic import sqrt
from vires.numpy.choosing import where
from vires.numpy.contraction import matmul
from vires.numpy.float_parts import conj
from vires.numpy.joining import concatenate
from vires.numpy.operands import ShapeError, broadcast, convert, shape_text
from vires.numpy.planned import planned
from vires.numpy.triangles import eye, triu
from vires.scipy.linalg.arguments import adjoint, check_square, matrices, square
from vires.scipy.linalg.factors import _cholesky
from vires.scipy.linalg.solvers import _solve_triangular

__all__ = ["eigh", "eigh_tridiagonal", "hessenberg", "rsf2csf", "schur"]


def eigh(
    a: Any, b: Any = None, lower: bool = True, eigvals_only: bool = False,
    overwrite_a: bool = False, overwrite_b: bool = False, turbo: bool = True, eigvals: None = None,
    type: int = 1, check_finite: bool = True,
) -> Any:  # fmt: skip
    """(eigenvalues, eigenvectors) of Hermitian matrices, of which one triangle is read: ascending
    values, orthonormal columns; or the values alone.

    With a Hermitian positive definite b the problem a v = w b v (type 1), a b v = w v (2) or
    b a v = w v (3).
    """
    if eigvals is not None:
        raise NotImplementedError(
            f"eigh: needs eigvals=None; got {eigvals!r}; try a slice of the result"
        )
    if type not in (1, 2, 3):
        raise ValueError(f"eigh: needs type 1, 2 or 3; got {type!r}")
    if b is None:
        return _eigh(a, bool(lower), bool(eigvals_only))
    return _generalized_eigh(a, b, bool(lower), bool(eigvals_only), type)


@planned("a")
def _eigh(a: Any, lower: bool, eigvals_only: bool) -> Any:
    x = square("eigh", a)
    vectors, values = lax_linalg.eigh(x, lower=lower, symmetrize_input=False)
    return values if eigvals_only else (values, vectors)


@planned("a", "b")
def _generalized_eigh(a: Any, b: Any, lower: bool, eigvals_only: bool, type: int) -> Any:
    x, y = matrices("eigh", ("a", a), ("b", b))
    check_square("eigh", x)
    check_square("eigh", y)
    if not lower:
        x, y = adjoint(x), adjoint(y)
    # The whole of x is used below, so that its upper triangle has to agree.
    strict = np.tril(np.ones(x.aval.shape[-2:], bool), -1)
    x = where(strict.T, adjoint(x), x)
    factor = _cholesky(y, True)
    if type == 1:
        half = _solve_triangular(factor, x, 0, True, False)
        reduced = adjoint(_solve_triangular(factor, adjoint(half), 0, True, False))
    else:
        reduced = matmul(matmul(adjoint(factor), x), factor)
    vectors, values = lax_linalg.eigh(reduced)
    if eigvals_only:
        return values
    if type == 3:
        return values, matmul(factor, vectors)
    return values, _solve_triangular(factor, vectors, 2, True, False)


def eigh_tridiagonal(
    d: Any, e: Any, *, eigvals_only: bool = False, select: str = "a",
    select_range: tuple[float, float] | None = None, tol: float | None = None, key: Any = None,
) -> Any:  # fmt: skip
    """(eigenvalues, eigenvectors), or the values alone, of the Hermitian matrix with diagonal d and
    e below it.

    select: "a" for all, "i" for those numbered from select_range[0] to select_range[1], "v" for
    those in the interval (select_range[0], select_range[1]], which is for concrete operands only.
    """
    if select not in ("a", "i", "v"):
        raise ValueError(f"eigh_tridiagonal: needs select 'a', 'i' or 'v'; got {select!r}")
    if select == "a":
        low = high = 0.0
    elif select_range is not None and len(select_range) == 2:
        low, high = select_range
    else:
        raise ValueError(
            f"eigh_tridiagonal: needs a select_range of 2 numbers for select {select!r}; "
            f"got {select_range!r}"
        )
    values, vectors = _eigh_tridiagonal(d, e)
    if select == "i":
        chosen: Any = slice(int(low), int(high) + 1)
    elif select == "v":
        chosen = (values > low) & (values <= high)
    else:
        chosen = slice(None)
    return values[chosen] if eigvals_only else (values[chosen], vectors[:, chosen])


@planned("d", "e")
def _eigh_tridiagonal(d: Any, e: Any) -> Any:
    x, y = matrices("eigh_tridiagonal", ("d", d), ("e", e))
    n = x.aval.shape[0] if x.aval.ndim == 1 else 0
    if y.aval.shape != (n - 1,):
        raise ShapeError(
            "eigh_tridiagonal: needs 1-d arrays, e one shorter than d; "
            f"got {shape_text(x)} and {shape_text(y)}"
        )
    below = concatenate([y, x[:1] * 0])
    matrix = eye(n, dtype=x.aval.dtype) * x[None, :]
    matrix = matrix + eye(n, k=-1, dtype=x.aval.dtype) * below[None, :]
    vectors, values = lax_linalg.eigh(matrix, lower=True, symmetrize_input=False)
    return values, vectors


def schur(a: Any, output: str = "real") -> tuple[Any, Any]:
    """(T, Z) with a = Z T Z^H, Z unitary and T upper triangular; for real a and output "real" T is
    real and has blocks of 2 for pairs of complex eigenvalues.
    """
    if output not in ("real", "complex", "r", "c"):
        raise ValueError(f"schur: needs output 'real' or 'complex'; got {output!r}")
    return _schur(a, output[0] == "c")


@planned("a")
def _schur(a: Any, wide: bool) -> tuple[Any, Any]:
    x = square("schur", a)
    if wide:
        x = convert(x, dtypes.complex_of(dtypes.real_of(x.aval.dtype)))
    triangular, vectors = lax_linalg.schur(x)
    return triangular, vectors


def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> tuple[Any, Any]:
    """Schur's real form as the complex one: (T', Z') with Z' T' Z'^H = Z T Z^H, T' triangular."""
    return _rsf2csf(T, Z)


@planned("T", "Z")
def _rsf2csf(T: Any, Z: Any) -> tuple[Any, Any]:
    t, z = matrices("rsf2csf", ("T", T), ("Z", Z))
    check_square("rsf2csf", t)
    check_square("rsf2csf", z)
    if t.aval.ndim != 2 or t.aval.shape != z.aval.shape:
        raise ShapeError(
            "rsf2csf: needs two square matrices of one shape; "
            f"got {shape_text(t)} and {shape_text(z)}"
        )
    dtype = dtypes.complex_of(dtypes.real_of(t.aval.dtype))
    t, z = convert(t, dtype), convert(z, dtype)
    n = t.aval.shape[0]
    if n < 2:
        return t, z
    epsilon = float(np.finfo(dtypes.real_of(dtype)).eps)

    def rotate(m: Any, t: Any, z: Any) -> tuple[Any, Any]:
        """Make the element below the diagonal in row m zero: rotate two rows and columns."""
        block = dynamic_slice(t, (m - 1, m - 1), (2, 2))
        a, b, c, d = block[0, 0], block[0, 1], block[1, 0], block[1, 1]
        half = (a - d) / 2
        eigenvalue = half + sqrt(half * half + b * c)
        length = sqrt(abs(eigenvalue) ** 2 + abs(c) ** 2)
        cosine, sine = eigenvalue / length, c / length
        rotation = concatenate([conj(cosine)[None], sine[None], -sine[None], cosine[None]])
        rotation = rotation.reshape((2, 2))
        zero = m * 0
        rows = matmul(rotation, dynamic_slice(t, (m - 1, zero), (2, n)))
        t = dynamic_update_slice(t, rows, (m - 1, zero))
        columns = matmul(dynamic_slice(t, (zero, m - 1), (n, 2)), adjoint(rotation))
        t = dynamic_update_slice(t, columns, (zero, m - 1))
        columns = matmul(dynamic_slice(z, (zero, m - 1), (n, 2)), adjoint(rotation))
        return t, dynamic_update_slice(z, columns, (zero, m - 1))

    def step(k: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        t, z = carry
        m = n - 1 - k
        size = abs(t[m - 1, m - 1]) + abs(t[m, m])
        coupled = abs(t[m, m - 1]) > epsilon * size
        return cond(coupled, lambda t, z: rotate(m, t, z), lambda t, z: (t, z), t, z)

    t, z = fori_loop(0, n - 1, step, (t, z))
    return triu(t), z


def hessenberg(
    a: Any, *, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """H, zero below the first subdiagonal, with a = Q H Q^H; (H, unitary Q) when `calc_q`."""
    return _hessenberg(a, bool(calc_q))


@planned("a")
def _hessenberg(a: Any, calc_q: bool) -> Any:
    x = square("hessenberg", a)
    n = x.aval.shape[-1]
    if n < 2:
        identity = broadcast(eye(n, dtype=x.aval.dtype), x.aval.shape)
        return (x, identity) if calc_q else x
    compact, taus = lax_linalg.hessenberg(x)
    h = triu(compact, -1)
    if not calc_q:
        return h
    inner = lax_linalg.householder_product(compact[..., 1:, : n - 1], taus)
    batch = x.aval.shape[:-2]
    first = broadcast(eye(1, n, dtype=x.aval.dtype), (*batch, 1, n))
    left = first[..., 0, 1:][..., None]
    return h, concatenate([first, concatenate([left, inner], axis=-1)], axis=-2)
