"""Triangular systems, Cholesky factors and tridiagonal systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import LinearOperand, Undefined, Zero
from vires.core.trace import aval_of
from vires.ops import lapack, lapack_stacks, matrix_routines
from vires.ops.accept import refuse, typed_all
from vires.ops.complex import conj
from vires.ops.elementwise import add, mul, neg, sub
from vires.ops.filled import scalar, zeros
from vires.ops.join import pad
from vires.ops.linear import tangent_zero
from vires.ops.matrices import (
    MatrixOperation,
    check_matrices,
    columns_of,
    halved_diagonal_tril,
    hermitian_of,
    matmul,
    on_diagonal,
    swapped,
    tril,
    triu,
)

# --- triangular_solve


def _solve_infer(
    a: ShapedArray,
    b: ShapedArray,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> ShapedArray:
    name = "triangular_solve"
    n, _ = check_matrices(name, a, square=True)
    check_matrices(name, b)
    shared = b.shape[-2] if left_side else b.shape[-1]
    if a.dtype != b.dtype or a.shape[:-2] != b.shape[:-2] or n != shared:
        raise refuse(
            name,
            "a and b of one dtype with equal leading axes, b with as many "
            f"{'rows' if left_side else 'columns'} as a",
            typed_all((a, b)),
        )
    return ShapedArray(b.shape, b.dtype)


def _solve(
    a: np.ndarray,
    b: np.ndarray,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> np.ndarray:
    return lapack.triangular_solve(a, b, left_side, lower, transpose_a, conjugate_a, unit_diagonal)


def _solve_jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    a, b = primals
    da, db = tangents
    x = triangular_solve(a, b, **params)
    terms = None if db.__class__ is Zero else db
    if da.__class__ is not Zero:  # op(a) x = b: op(a) dx = db - op(da) x
        seen = tril(da) if params["lower"] else triu(da)
        if params["unit_diagonal"]:
            seen = on_diagonal(seen, zeros(aval_of(seen)))
        if params["transpose_a"]:
            seen = swapped(seen)
        if params["conjugate_a"] and dtypes.kind(aval_of(a).dtype) == "complex":
            seen = conj(seen)
        moved = matmul(seen, x) if params["left_side"] else matmul(x, seen)
        terms = neg(moved) if terms is None else sub(terms, moved)
    if terms is None:
        return x, tangent_zero(aval_of(x))
    return x, triangular_solve(a, terms, **params)


def _solve_transpose(ct: Any, a: Any, b: Any, *, transpose_a: bool, **params: Any) -> list[Any]:
    if b.__class__ is not LinearOperand:
        raise TypeError("transpose: triangular_solve is linear in b only")
    return [None, triangular_solve(a, ct, transpose_a=not transpose_a, **params)]


triangular_solve = MatrixOperation(
    "triangular_solve",
    """X with op(a) X = b (left_side) or X op(a) = b, where a is lower or upper triangular.

    op transposes (transpose_a) and conjugates (conjugate_a). Only one triangle of a is read; with
    unit_diagonal the diagonal counts as ones.
    """,
    infer=_solve_infer,
    function=_solve,
    jvp=_solve_jvp,
    transpose=_solve_transpose,
    ranks=(2, 2),
    small=matrix_routines.triangular_solve,
)


def solve_triangular(
    a: Any,
    b: Any,
    *,
    left: bool = True,
    lower: bool = True,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit: bool = False,
) -> Any:
    """`triangular_solve` for rules."""
    return triangular_solve(
        a,
        b,
        left_side=left,
        lower=lower,
        transpose_a=transpose_a,
        conjugate_a=conjugate_a,
        unit_diagonal=unit,
    )


# --- cholesky


def _cholesky_infer(a: ShapedArray) -> ShapedArray:
    check_matrices("cholesky", a, square=True)
    return ShapedArray(a.shape, a.dtype)


def _cholesky_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    (a,), (da,) = primals, tangents
    factor = cholesky(a)
    if da.__class__ is Zero:
        return factor, tangent_zero(aval_of(factor))
    # L^-1 da L^-H = S + S^H with S = L^-1 dL lower triangular.
    inner = solve_triangular(factor, hermitian_of(da))
    inner = solve_triangular(factor, inner, left=False, transpose_a=True, conjugate_a=True)
    return factor, matmul(factor, halved_diagonal_tril(inner))


cholesky = MatrixOperation(
    "cholesky",
    """Lower triangular L with L L^H = a; the lower triangle of a is read.

    nan where a is not positive definite.
    """,
    infer=_cholesky_infer,
    function=lapack.cholesky,
    jvp=_cholesky_jvp,
    transpose=Undefined("transpose: cholesky is not linear"),
    small=matrix_routines.cholesky,
)


# --- tridiagonal_solve


def _tridiagonal_infer(
    dl: ShapedArray, d: ShapedArray, du: ShapedArray, b: ShapedArray
) -> ShapedArray:
    name = "tridiagonal_solve"
    check_matrices(name, b)
    if any(x.shape != b.shape[:-1] or x.dtype != b.dtype for x in (dl, d, du)):
        raise refuse(
            name,
            "three diagonals with an element for each row of b, of its dtype",
            typed_all((dl, d, du, b)),
        )
    return ShapedArray(b.shape, b.dtype)


def _rows_moved(x: Any, by: int) -> Any:
    """Rows moved down (by 1) or up (by -1), zeros coming in."""
    aval = aval_of(x)
    config = [(0, 0, 0)] * aval.ndim
    config[-2] = (by, -by, 0)
    return pad(x, scalar(0, aval.dtype), padding_config=tuple(config))


def _tridiagonal_product(dl: Any, d: Any, du: Any, x: Any) -> Any:
    terms = [
        mul(columns_of(diagonal, aval_of(x)), moved)
        for diagonal, moved in ((dl, _rows_moved(x, 1)), (d, x), (du, _rows_moved(x, -1)))
        if diagonal.__class__ is not Zero
    ]
    total = terms[0]
    for term in terms[1:]:
        total = add(total, term)
    return total


def _tridiagonal_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    dl, d, du, b = primals
    *moving, db = tangents
    below, on, above = moving
    x = tridiagonal_solve(dl, d, du, b)
    right = None if db.__class__ is Zero else db
    if any(t.__class__ is not Zero for t in moving):
        product = _tridiagonal_product(below, on, above, x)
        right = neg(product) if right is None else sub(right, product)
    if right is None:
        return x, tangent_zero(aval_of(x))
    return x, tridiagonal_solve(dl, d, du, right)


def _tridiagonal_transpose(ct: Any, dl: Any, d: Any, du: Any, b: Any) -> list[Any]:
    if b.__class__ is not LinearOperand:
        raise TypeError("transpose: tridiagonal_solve is linear in b only")

    def moved(x: Any, by: int) -> Any:
        config = [(0, 0, 0)] * aval_of(x).ndim
        config[-1] = (by, -by, 0)
        return pad(x, scalar(0, aval_of(x).dtype), padding_config=tuple(config))

    return [None, None, None, tridiagonal_solve(moved(du, 1), d, moved(dl, -1), ct)]


tridiagonal_solve = MatrixOperation(
    "tridiagonal_solve",
    """X of a system whose matrix has three diagonals: below it dl[1:], d, above it du[:-1]; nan if
    singular.
    """,
    infer=_tridiagonal_infer,
    function=lapack.tridiagonal_solve,
    jvp=_tridiagonal_jvp,
    transpose=_tridiagonal_transpose,
    ranks=(1, 1, 1, 2),
    many=lapack_stacks.tridiagonal_solve,
)
