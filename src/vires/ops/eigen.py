"""Eigenvalues and singular values, with their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import Undefined, Zero
from vires.core.trace import aval_of
from vires.ops import lapack, lapack_stacks, stacks
from vires.ops.accept import typed
from vires.ops.compare import eq
from vires.ops.complex import complex as complex_
from vires.ops.complex import imag, real
from vires.ops.convert import convert
from vires.ops.elementwise import abs as abs_
from vires.ops.elementwise import add, div, mul, neg, sub
from vires.ops.factor import solve
from vires.ops.filled import iota, zeros
from vires.ops.linear import tangent_zero
from vires.ops.matrices import (
    MatrixOperation,
    adjoint,
    check_matrices,
    columns_of,
    diagonal,
    hermitian_of,
    inverse_or_zero,
    matmul,
    on_diagonal,
    rows_of,
)
from vires.ops.reduce import argmax, reduce_sum
from vires.ops.select import select_n


def _real(x: Any) -> Any:
    return real(x) if dtypes.kind(aval_of(x).dtype) == "complex" else x


def _gaps(values: Any, like: ShapedArray) -> Any:
    """1 / (value_j - value_i) at row i, column j; 0 on the diagonal and where values are equal.

    Vectors of equal values are not determined, and what is differentiated must not depend on their
    choice.
    """
    columns, rows = columns_of(values, like), rows_of(values, like)
    return inverse_or_zero(sub(rows, columns))


# --- eigh


def _eigh_infer(a: ShapedArray, *, lower: bool) -> list[ShapedArray]:
    n, _ = check_matrices("eigh", a, square=True)
    values = ShapedArray((*a.shape[:-2], n), dtypes.real_of(a.dtype))
    return [ShapedArray(a.shape, a.dtype), values]


def _eigh_jvp(primals: Sequence[Any], tangents: Sequence[Any], *, lower: bool) -> tuple[Any, Any]:
    v, w = eigh(*primals, lower=lower)
    (da,) = tangents
    if da.__class__ is Zero:
        return [v, w], [tangent_zero(aval_of(v)), tangent_zero(aval_of(w))]
    inner = matmul(matmul(adjoint(v), hermitian_of(da, lower)), v)
    real_like = ShapedArray(aval_of(v).shape, aval_of(w).dtype)
    gaps = _gaps(w, real_like)
    return [v, w], [matmul(v, mul(convert(gaps, aval_of(v).dtype), inner)), _real(diagonal(inner))]


eigh = MatrixOperation(
    "eigh",
    """Orthonormal eigenvectors (columns) and ascending eigenvalues of Hermitian matrices.

    One triangle of a is read. nan in, nan out.
    """,
    infer=_eigh_infer,
    function=lambda a, *, lower: lapack.eigh(a, lower),
    jvp=_eigh_jvp,
    transpose=Undefined("transpose: eigh is not linear"),
    multiple_results=True,
    many=stacks.eigh,
)


# --- svd


def _svd_infer(a: ShapedArray, *, full_matrices: bool, compute_uv: bool) -> list[ShapedArray]:
    m, n = check_matrices("svd", a)
    outer, k = a.shape[:-2], min(m, n)
    s = ShapedArray((*outer, k), dtypes.real_of(a.dtype))
    if not compute_uv:
        return [s]
    rows, columns = (m, n) if full_matrices else (k, k)
    return [s, ShapedArray((*outer, m, rows), a.dtype), ShapedArray((*outer, columns, n), a.dtype)]


def _svd(a: np.ndarray, *, full_matrices: bool, compute_uv: bool) -> tuple[np.ndarray, ...]:
    if not compute_uv:
        return lapack.svd(a, False, False)
    u, s, vh = lapack.svd(a, full_matrices, True)
    return s, u, vh


def _svd_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, full_matrices: bool, compute_uv: bool
) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    if da.__class__ is Zero:
        results = svd(a, full_matrices=full_matrices, compute_uv=compute_uv)
        return results, [tangent_zero(aval_of(r)) for r in results]
    m, n = aval_of(a).shape[-2:]
    if compute_uv and full_matrices and m != n:
        raise NotImplementedError(
            f"svd: needs full_matrices=False to be differentiated; got {typed(aval_of(a))} "
            "with full_matrices=True"
        )
    s, u, vh = svd(a, full_matrices=False, compute_uv=True)
    v = adjoint(vh)
    inner = matmul(matmul(adjoint(u), da), v)
    ds = _real(diagonal(inner))
    if not compute_uv:
        return [s], [ds]
    dtype = aval_of(a).dtype
    like = ShapedArray(aval_of(inner).shape, aval_of(s).dtype)
    gaps = convert(_gaps(mul(s, s), like), dtype)
    rows, columns = (convert(place(s, like), dtype) for place in (rows_of, columns_of))
    hermitian = adjoint(inner)
    du_inner = mul(gaps, add(mul(inner, rows), mul(columns, hermitian)))
    dv_inner = mul(gaps, add(mul(columns, inner), mul(hermitian, rows)))
    if dtypes.kind(dtype) == "complex":  # the phase that u and v share is left to u
        turning = sub(inner, convert(real(inner), dtype))
        du_inner = on_diagonal(
            du_inner, mul(turning, convert(inverse_or_zero(rows_of(s, like)), dtype))
        )
    du, dv = matmul(u, du_inner), matmul(v, dv_inner)

    def beyond(product: Any, basis: Any) -> Any:
        """The part of da V / s (or da^H U / s) outside of the span of the vectors."""
        outside = sub(product, matmul(basis, matmul(adjoint(basis), product)))
        wide = ShapedArray(aval_of(outside).shape, aval_of(s).dtype)
        return mul(outside, convert(inverse_or_zero(rows_of(s, wide)), dtype))

    if m > n:
        du = add(du, beyond(matmul(da, v), u))
    elif n > m:
        dv = add(dv, beyond(matmul(adjoint(da), u), v))
    return [s, u, vh], [ds, du, adjoint(dv)]


svd = MatrixOperation(
    "svd",
    """Singular values, descending; with compute_uv also U and V^H, a = U diag(s) V^H.

    nan in, nan out.
    """,
    infer=_svd_infer,
    function=_svd,
    jvp=_svd_jvp,
    transpose=Undefined("transpose: svd is not linear"),
    multiple_results=True,
    many=stacks.svd,
)


# --- eig


def _eig_infer(
    a: ShapedArray, *, compute_left_eigenvectors: bool, compute_right_eigenvectors: bool
) -> list[ShapedArray]:
    n, _ = check_matrices("eig", a, square=True)
    dtype = dtypes.complex_of(a.dtype)
    vectors = ShapedArray(a.shape, dtype)
    count = bool(compute_left_eigenvectors) + bool(compute_right_eigenvectors)
    return [ShapedArray((*a.shape[:-2], n), dtype), *[vectors] * count]


def _eig(
    a: np.ndarray, *, compute_left_eigenvectors: bool, compute_right_eigenvectors: bool
) -> tuple[np.ndarray, ...]:
    w, left, right = lapack.eig(a, compute_left_eigenvectors, compute_right_eigenvectors)
    wanted = ((left, compute_left_eigenvectors), (right, compute_right_eigenvectors))
    return w, *(v for v, flag in wanted if flag)


def _eig_jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    compute_left_eigenvectors: bool,
    compute_right_eigenvectors: bool,
) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    flags = {
        "compute_left_eigenvectors": compute_left_eigenvectors,
        "compute_right_eigenvectors": compute_right_eigenvectors,
    }
    if da.__class__ is Zero:
        results = eig(a, **flags)
        return results, [tangent_zero(aval_of(r)) for r in results]
    if compute_left_eigenvectors:
        raise NotImplementedError(
            "eig: needs compute_left_eigenvectors=False to be differentiated; got True; "
            "try the right eigenvectors of the transposed matrix"
        )
    w, v = eig(a, compute_left_eigenvectors=False, compute_right_eigenvectors=True)
    inner = solve(v, matmul(convert(da, aval_of(v).dtype), v), transpose_a=False)
    dw = diagonal(inner)
    if not compute_right_eigenvectors:
        return [w], [dw]
    moved = matmul(v, mul(_gaps(w, aval_of(v)), inner))
    return [w, v], [dw, _normalised_tangent(v, moved)]


def _normalised_tangent(v: Any, moved: Any) -> Any:
    """The tangent without what would change LAPACK's choice: norm 1, the largest component real."""
    aval = aval_of(v)
    row = aval.ndim - 2
    largest = argmax(abs_(v), axes=(row,), index_dtype=dtypes.int32)
    rows = iota(dtype=dtypes.int32, shape=aval.shape, dimension=row)
    there = eq(rows, rows_of(largest, aval))

    def at_largest(x: Any) -> Any:
        return reduce_sum(select_n(there, zeros(aval), x), axes=(row,))

    growth = real(reduce_sum(mul(_conjugate(v), moved), axes=(row,)))
    turn = div(imag(at_largest(moved)), real(at_largest(v)))
    change = neg(complex_(growth, turn))
    return add(moved, mul(rows_of(change, aval), v))


def _conjugate(v: Any) -> Any:
    return complex_(real(v), neg(imag(v)))


eig = MatrixOperation(
    "eig",
    """Complex eigenvalues of general matrices and, if wanted, left and right eigenvectors (columns
    of norm 1).

    The largest component of each vector is real. nan in, nan out.
    """,
    infer=_eig_infer,
    function=_eig,
    jvp=_eig_jvp,
    transpose=Undefined("transpose: eig is not linear"),
    multiple_results=True,
    many=stacks.eig,
)


# --- forms that have no derivatives

_NO_DERIVATIVE = Undefined("needs eigh or eig to be differentiated; got an intermediate form")


def _schur_infer(a: ShapedArray, *, compute_schur_vectors: bool) -> list[ShapedArray]:
    check_matrices("schur", a, square=True)
    return [ShapedArray(a.shape, a.dtype)] * (2 if compute_schur_vectors else 1)


def _schur(a: np.ndarray, *, compute_schur_vectors: bool) -> tuple[np.ndarray, ...]:
    t, z = lapack.schur(a, compute_schur_vectors)
    return (t, z) if compute_schur_vectors else (t,)


schur = MatrixOperation(
    "schur",
    """T (upper triangular; for real a in blocks of 1 or 2) and, if wanted, unitary Z with a = Z T
    Z^H.
    """,
    infer=_schur_infer,
    function=_schur,
    jvp=_NO_DERIVATIVE,
    transpose=_NO_DERIVATIVE,
    multiple_results=True,
    many=lapack_stacks.schur,
)


def _hessenberg_infer(a: ShapedArray) -> list[ShapedArray]:
    n, _ = check_matrices("hessenberg", a, square=True)
    return [ShapedArray(a.shape, a.dtype), ShapedArray((*a.shape[:-2], max(n - 1, 0)), a.dtype)]


hessenberg = MatrixOperation(
    "hessenberg",
    """The Hessenberg form H on and above the first subdiagonal, Householder vectors below, their
    factors.
    """,
    infer=_hessenberg_infer,
    function=lapack.hessenberg,
    jvp=_NO_DERIVATIVE,
    transpose=_NO_DERIVATIVE,
    multiple_results=True,
    many=lapack_stacks.hessenberg,
)


def _tridiagonal_infer(a: ShapedArray, *, lower: bool) -> list[ShapedArray]:
    n, _ = check_matrices("tridiagonal", a, square=True)
    outer, real_dtype, less = a.shape[:-2], dtypes.real_of(a.dtype), max(n - 1, 0)
    return [
        ShapedArray(a.shape, a.dtype),
        ShapedArray((*outer, n), real_dtype),
        ShapedArray((*outer, less), real_dtype),
        ShapedArray((*outer, less), a.dtype),
    ]


tridiagonal = MatrixOperation(
    "tridiagonal",
    """Hermitian matrices reduced to tridiagonal: Householder vectors, diagonal, off-diagonal,
    factors.
    """,
    infer=_tridiagonal_infer,
    function=lambda a, *, lower: lapack.tridiagonal(a, lower),
    jvp=_NO_DERIVATIVE,
    transpose=_NO_DERIVATIVE,
    multiple_results=True,
    many=lapack_stacks.tridiagonal,
)
