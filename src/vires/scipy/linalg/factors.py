"""Factorisations: Cholesky, LU, QR, singular values, polar. Leading axes are batch axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.lax import linalg as lax_linalg
from vires.numpy.contraction import matmul
from vires.numpy.float_parts import conj
from vires.numpy.operands import convert
from vires.numpy.planned import planned
from vires.numpy.triangles import eye, tril, triu
from vires.scipy.linalg.arguments import adjoint, matrices, matrix, square

__all__ = [
    "cho_factor", "cholesky", "lu", "lu_factor", "polar", "qr", "qr_multiply", "svd",
]  # fmt: skip


@planned("a")
def _cholesky(a: Any, lower: bool) -> Any:
    x = square("cholesky", a)
    factor = lax_linalg.cholesky(x if lower else adjoint(x), symmetrize_input=False)
    return factor if lower else adjoint(factor)


def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """Upper triangular U with a = U^H U, or lower triangular L with a = L L^H, of Hermitian
    positive definite a, of which the same triangle is read; nan where a is not.

    >>> from vires.scipy import linalg
    >>> from vires import numpy as np
    >>> linalg.cholesky(np.array([[4., 2.], [2., 5.]]))
    Array([[2., 1.],
           [0., 2.]], dtype=float32)
    """
    return _cholesky(a, bool(lower))


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Any, bool]:
    """(factor, lower) for `cho_solve`: the factor of `cholesky`."""
    return _cholesky(a, bool(lower)), lower


def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Any, Any]:
    """(L and U in one matrix, row exchanges) for `lu_solve`; L has a diagonal of ones."""
    return _lu_factor(a)


@planned("a")
def _lu_factor(a: Any) -> tuple[Any, Any]:
    factors, pivots, _ = lax_linalg.lu(matrix("lu_factor", a))
    return factors, pivots


def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Any, ...]:
    """(P, L, U) with a = P L U: a permutation, unit lower and upper triangular matrices; or
    (P L, U) when `permute_l`."""
    return _lu(a, bool(permute_l))


@planned("a")
def _lu(a: Any, permute_l: bool) -> tuple[Any, ...]:
    x = matrix("lu", a)
    factors, _, order = lax_linalg.lu(x)
    m, n = x.aval.shape[-2:]
    k = min(m, n)
    lower = tril(factors[..., :, :k], -1) + eye(m, k, dtype=x.aval.dtype)
    upper = triu(factors[..., :k, :])
    # Column j of the permutation matrix holds its one in row order[j].
    rows = np.arange(m, dtype=np.int32)[:, None]
    permutation = convert(rows == order[..., None, :], lower.aval.dtype)
    return (matmul(permutation, lower), upper) if permute_l else (permutation, lower, upper)


def qr(
    a: Any, overwrite_a: bool = False, lwork: Any = None, mode: str = "full",
    pivoting: bool = False, check_finite: bool = True,
) -> tuple[Any, ...]:  # fmt: skip
    """(Q, R) with orthonormal columns of Q, upper triangular R and a = Q R; with `pivoting` also
    the permutation p of the columns, a[:, p] = Q R.

    mode: "full" (square Q), "economic", or "r" for (R,) alone.
    """
    if mode not in ("full", "economic", "r"):
        raise ValueError(f"qr: needs mode 'full', 'economic' or 'r'; got {mode!r}")
    return _qr(a, mode, bool(pivoting))


@planned("a")
def _qr(a: Any, mode: str, pivoting: bool) -> tuple[Any, ...]:
    x = matrix("qr", a)
    results = lax_linalg.qr(x, full_matrices=mode != "economic", pivoting=pivoting)
    return results[1:] if mode == "r" else results


def qr_multiply(
    a: Any, c: Any, mode: str = "right", pivoting: bool = False, conjugate: bool = False,
    overwrite_a: bool = False, overwrite_c: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """(c Q, R), or (Q c, R) for mode "left", for a = Q R with the columns of Q that R needs; with
    `pivoting` also the permutation. A vector c is a row (right) or a column (left)."""
    if mode not in ("left", "right"):
        raise ValueError(f"qr_multiply: needs mode 'left' or 'right'; got {mode!r}")
    return _qr_multiply(a, c, mode, bool(pivoting), bool(conjugate))


@planned("a", "c")
def _qr_multiply(a: Any, c: Any, mode: str, pivoting: bool, conjugate: bool) -> tuple[Any, ...]:
    x, y = matrices("qr_multiply", ("a", a), ("c", c))
    q, *rest = lax_linalg.qr(x, full_matrices=False, pivoting=pivoting)
    q = conj(q) if conjugate else q
    return (matmul(q, y) if mode == "left" else matmul(y, q), *rest)


def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, overwrite_a: bool = False,
    check_finite: bool = True, lapack_driver: str = "gesdd",
) -> Any:  # fmt: skip
    """(U, s, V^H) with a = U diag(s) V^H, s descending; or s alone."""
    return _svd(a, bool(full_matrices), bool(compute_uv))


@planned("a")
def _svd(a: Any, full_matrices: bool, compute_uv: bool) -> Any:
    x = matrix("svd", a)
    return lax_linalg.svd(x, full_matrices=full_matrices, compute_uv=compute_uv)


def polar(
    a: Any, side: str = "right", *, method: str = "qdwh", eps: float | None = None,
    max_iterations: int | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """(U, P) with a = U P (side "right") or a = P U ("left"): orthonormal columns or rows of U,
    Hermitian positive semidefinite P. Both methods, "qdwh" and "svd", use singular values."""
    if side not in ("left", "right"):
        raise ValueError(f"polar: needs side 'right' or 'left'; got {side!r}")
    if method not in ("qdwh", "svd"):
        raise ValueError(f"polar: needs method 'qdwh' or 'svd'; got {method!r}")
    return _polar(a, side)


@planned("a")
def _polar(a: Any, side: str) -> tuple[Any, Any]:
    x = matrix("polar", a)
    u, s, vh = lax_linalg.svd(x, full_matrices=False)
    if side == "right":
        stretch = matmul(adjoint(vh) * s[..., None, :], vh)
    else:
        stretch = matmul(u * s[..., None, :], adjoint(u))
    return matmul(u, vh), stretch
