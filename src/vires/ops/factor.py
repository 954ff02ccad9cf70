"""Factorisations into triangular and orthogonal matrices (LU, QR), and solving with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import LinearOperand, Undefined, Zero
from vires.core.trace import aval_of
from vires.ops import lapack, matrix_routines, stacks
from vires.ops.accept import refuse, typed, typed_all
from vires.ops.complex import real
from vires.ops.convert import convert
from vires.ops.elementwise import add, neg, sub
from vires.ops.filled import scalar
from vires.ops.gather import gather
from vires.ops.join import concatenate, pad
from vires.ops.linear import tangent_zero
from vires.ops.matrices import (
    MatrixOperation,
    adjoint,
    check_matrices,
    eye_like,
    matmul,
    on_diagonal,
    swapped,
    tril,
    triu,
)
from vires.ops.parts import slice as slice_
from vires.ops.shape import reshape
from vires.ops.slices import GatherDimensionNumbers, GatherScatterMode
from vires.ops.triangular import solve_triangular


def part(a: Any, rows: tuple[int, int], columns: tuple[int, int]) -> Any:
    """A block of each matrix."""
    shape = aval_of(a).shape
    outer = shape[:-2]
    return slice_(
        a,
        start_indices=(*(0 for _ in outer), rows[0], columns[0]),
        limit_indices=(*outer, rows[1], columns[1]),
        strides=None,
    )


def take(a: Any, places: Any, axis: int) -> Any:
    """The rows (axis -2) or columns (axis -1) of each matrix in the order that its vector of
    places gives.
    """
    aval = aval_of(a)
    if 0 in aval.shape:
        return a
    rank, at = aval.ndim, aval_of(places)
    stack = tuple(range(rank - 2))
    d = rank + axis
    sizes = tuple(1 if k in stack or k == d else n for k, n in enumerate(aval.shape))
    return gather(
        a,
        reshape(places, new_sizes=(*at.shape, 1), dimensions=None),
        dimension_numbers=GatherDimensionNumbers(
            (rank - 1 if axis == -2 else rank - 2,), (d,), (d,), stack, stack
        ),
        slice_sizes=sizes,
        indices_are_sorted=False,
        unique_indices=True,
        mode=GatherScatterMode.PROMISE_IN_BOUNDS,
        fill_value=None,
    )


# --- lu


def _lu_infer(a: ShapedArray) -> list[ShapedArray]:
    m, n = check_matrices("lu", a)
    outer = a.shape[:-2]
    return [
        ShapedArray(a.shape, a.dtype),
        ShapedArray((*outer, min(m, n)), dtypes.int32),
        ShapedArray((*outer, m), dtypes.int32),
    ]


def permutation_of(pivots: np.ndarray, size: int) -> np.ndarray:
    """The permutation of rows that exchanges of row i with row pivots[i] make."""
    order = np.arange(size, dtype=np.int32)
    for i, j in enumerate(pivots):
        order[i], order[j] = order[j], order[i]
    return order


def _lu(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    factors, pivots = lapack.lu(a)
    return factors, pivots, permutation_of(pivots, a.shape[0])


def _unit_lower(factors: Any) -> Any:
    """L as a square matrix: the columns that it lacks are those of the identity."""
    aval = aval_of(factors)
    m, n = aval.shape[-2:]
    lower = tril(part(factors, (0, m), (0, min(m, n))), -1)
    square = grown(lower, m, m)
    return on_diagonal(square, eye_like(square))


def _upper(factors: Any) -> Any:
    """U as a square matrix: the rows that it lacks are those of the identity."""
    aval = aval_of(factors)
    m, n = aval.shape[-2:]
    upper = triu(part(factors, (0, min(m, n)), (0, n)))
    if m >= n:
        return upper
    return concatenate(
        upper, part(eye_like(grown(upper, n, n)), (m, n), (0, n)), dimension=aval.ndim - 2
    )


def grown(a: Any, rows: int, columns: int) -> Any:
    """Matrices with zeros added below and to the right."""
    aval = aval_of(a)
    m, n = aval.shape[-2:]
    if (m, n) == (rows, columns):
        return a
    config = ((0, 0, 0),) * (aval.ndim - 2) + ((0, rows - m, 0), (0, columns - n, 0))
    return pad(a, scalar(0, aval.dtype), padding_config=config)


def _lu_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    factors, pivots, order = lu(primals[0])
    (da,) = tangents
    integers = [tangent_zero(aval_of(pivots)), tangent_zero(aval_of(order))]
    if da.__class__ is Zero:
        return [factors, pivots, order], [tangent_zero(aval_of(factors)), *integers]
    # P da = dL U + L dU: L^-1 (P da) U^-1 = L^-1 dL + dU U^-1, strictly lower plus upper
    # triangular.
    lower, upper = _unit_lower(factors), _upper(factors)
    inner = solve_triangular(lower, take(da, order, -2), unit=True)
    inner = solve_triangular(upper, inner, left=False, lower=False)
    tangent = add(matmul(lower, tril(inner, -1)), matmul(triu(inner), upper))
    return [factors, pivots, order], [tangent, *integers]


lu = MatrixOperation(
    "lu",
    """P a = L U: L (unit lower, without its diagonal) and U in one matrix, row exchanges, and P as
    a permutation.
    """,
    infer=_lu_infer,
    function=_lu,
    jvp=_lu_jvp,
    transpose=Undefined("transpose: lu is not linear"),
    multiple_results=True,
    small=matrix_routines.lu,
)


def _pivots_infer(pivots: ShapedArray, *, permutation_size: int) -> ShapedArray:
    name = "lu_pivots_to_permutation"
    if not dtypes.is_integer(pivots.dtype) or pivots.ndim < 1:
        raise refuse(name, "integer pivots along the last axis", typed(pivots))
    if permutation_size < pivots.shape[-1]:
        raise refuse(
            name, f"a permutation_size of at least {pivots.shape[-1]}", str(permutation_size)
        )
    return ShapedArray((*pivots.shape[:-1], permutation_size), dtypes.int32)


def _pivots_jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    out = pivots_to_permutation(*primals, **params)
    return out, tangent_zero(aval_of(out))


pivots_to_permutation = MatrixOperation(
    "lu_pivots_to_permutation",
    """The permutation that exchanging row i with row pivots[i], for all i in order, makes.""",
    infer=_pivots_infer,
    function=lambda pivots, *, permutation_size: permutation_of(pivots, permutation_size),
    jvp=_pivots_jvp,
    transpose=Undefined("integer valued"),
    ranks=(1,),
)


# --- solve


def _solve_infer(a: ShapedArray, b: ShapedArray, *, transpose_a: bool) -> ShapedArray:
    n, _ = check_matrices("solve", a, square=True)
    check_matrices("solve", b)
    if a.dtype != b.dtype or a.shape[:-2] != b.shape[:-2] or b.shape[-2] != n:
        raise refuse(
            "solve",
            "a and b of one dtype with equal leading axes and numbers of rows",
            typed_all((a, b)),
        )
    return ShapedArray(b.shape, b.dtype)


def _solve(a: np.ndarray, b: np.ndarray, *, transpose_a: bool) -> np.ndarray:
    return lapack.solve(a.T if transpose_a else a, b)


def _solve_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, transpose_a: bool
) -> tuple[Any, Any]:
    a, b = primals
    da, db = tangents
    x = solve(a, b, transpose_a=transpose_a)
    right = None if db.__class__ is Zero else db
    if da.__class__ is not Zero:
        moved = matmul(swapped(da) if transpose_a else da, x)
        right = neg(moved) if right is None else sub(right, moved)
    if right is None:
        return x, tangent_zero(aval_of(x))
    return x, solve(a, right, transpose_a=transpose_a)


def _solve_transpose(ct: Any, a: Any, b: Any, *, transpose_a: bool) -> list[Any]:
    if b.__class__ is not LinearOperand:
        raise TypeError("transpose: solve is linear in b only")
    return [None, solve(a, ct, transpose_a=not transpose_a)]


solve = MatrixOperation(
    "solve",
    """X with a X = b (or a^T X = b) for general square a; nan or inf where it is singular.""",
    infer=_solve_infer,
    function=_solve,
    jvp=_solve_jvp,
    transpose=_solve_transpose,
    ranks=(2, 2),
    small=matrix_routines.solve,
)


# --- qr


def _qr_infer(a: ShapedArray, *, full_matrices: bool, pivoting: bool) -> list[ShapedArray]:
    m, n = check_matrices("qr", a)
    outer, k = a.shape[:-2], m if full_matrices else min(m, n)
    results = [ShapedArray((*outer, m, k), a.dtype), ShapedArray((*outer, k, n), a.dtype)]
    return [*results, ShapedArray((*outer, n), dtypes.int32)] if pivoting else results


def _qr(a: np.ndarray, *, full_matrices: bool, pivoting: bool) -> tuple[np.ndarray, ...]:
    m, n = a.shape
    order: tuple[np.ndarray, ...] = ()
    if pivoting:
        work, taus, columns = lapack.geqp3(a)
        order = (columns,)
    else:
        work, taus = lapack.geqrf(a)
    k = m if full_matrices else min(m, n)
    vectors = np.zeros((m, k), a.dtype)
    vectors[:, : min(n, k)] = work[:, : min(n, k)]
    q = lapack.householder_product(vectors, taus) if n else np.eye(m, k, dtype=a.dtype)
    return q, np.triu(work[:k]), *order


def _qr_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, full_matrices: bool, pivoting: bool
) -> tuple[Any, Any]:
    results = qr(*primals, full_matrices=full_matrices, pivoting=pivoting)
    (da,) = tangents
    q, r, *order = results
    integers = [tangent_zero(aval_of(o)) for o in order]
    if da.__class__ is Zero:
        return results, [tangent_zero(aval_of(q)), tangent_zero(aval_of(r)), *integers]
    aval = aval_of(da)
    m, n = aval.shape[-2:]
    if full_matrices and m > n:
        raise NotImplementedError(
            "qr: needs mode='reduced' to be differentiated with more rows than columns; got "
            f"{typed(aval)}"
        )
    if order:
        da = take(da, order[0], -1)
    square = part(r, (0, min(m, n)), (0, min(m, n)))
    da_left = part(da, (0, m), (0, min(m, n)))
    # With c = Q^H da R^-1: Q^H dQ is skew-Hermitian, dR R^-1 upper triangular with real diagonal;
    # c is their sum.
    da_over_r = solve_triangular(square, da_left, left=False, lower=False)
    c = matmul(adjoint(q), da_over_r)
    below = tril(c, -1)
    skew = sub(below, adjoint(below))
    if dtypes.kind(aval.dtype) == "complex":
        skew = on_diagonal(skew, sub(c, convert(real(c), aval.dtype)))
    dq = add(matmul(q, sub(skew, c)), da_over_r)
    dr = matmul(sub(c, skew), square)
    if n > m:  # the other columns: R2 = Q^H a2
        right = part(r, (0, m), (m, n))
        other = sub(matmul(adjoint(q), part(da, (0, m), (m, n))), matmul(skew, right))
        dr = concatenate(dr, other, dimension=aval.ndim - 1)
    return results, [dq, dr, *integers]


qr = MatrixOperation(
    "qr",
    """a = Q R: Q with orthonormal columns, R upper triangular; with pivoting a[:, p] = Q R for a
    permutation p.
    """,
    infer=_qr_infer,
    function=_qr,
    jvp=_qr_jvp,
    transpose=Undefined("transpose: qr is not linear"),
    multiple_results=True,
    many=stacks.qr,
)


# --- Householder reflections

_COMPACT = Undefined(
    "needs qr to be differentiated; got the compact form of Householder reflections"
)


def _geqrf_infer(a: ShapedArray) -> list[ShapedArray]:
    m, n = check_matrices("geqrf", a)
    return [ShapedArray(a.shape, a.dtype), ShapedArray((*a.shape[:-2], min(m, n)), a.dtype)]


geqrf = MatrixOperation(
    "geqrf",
    """R on and above the diagonal, Householder vectors below it, and their factors.""",
    infer=_geqrf_infer,
    function=lapack.geqrf,
    jvp=_COMPACT,
    transpose=_COMPACT,
    multiple_results=True,
)


def _product_infer(a: ShapedArray, taus: ShapedArray) -> ShapedArray:
    m, n = check_matrices("householder_product", a)
    if taus.dtype != a.dtype or taus.shape[:-1] != a.shape[:-2] or taus.ndim != a.ndim - 1 or m < n:
        raise refuse(
            "householder_product",
            "vectors below the diagonal of matrices with at least as many rows as columns, "
            "and their factors",
            typed_all((a, taus)),
        )
    if taus.shape[-1] > n:
        raise refuse("householder_product", f"at most {n} factors", typed(taus))
    return ShapedArray(a.shape, a.dtype)


householder_product = MatrixOperation(
    "householder_product",
    """The first columns of the product of Householder reflections, as geqrf gives them.""",
    infer=_product_infer,
    function=lapack.householder_product,
    jvp=_COMPACT,
    transpose=_COMPACT,
    ranks=(2, 1),
)
