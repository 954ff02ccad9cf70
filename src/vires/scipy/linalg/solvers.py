"""Solutions of linear systems, inverses, determinants. Leading axes are batch axes."""

from __future__ import annotations

from typing import Any

from vires.lax import linalg as lax_linalg
from vires.numpy import linalg as numpy_linalg
from vires.numpy.choosing import take_along_axis
from vires.numpy.operands import ShapeError, broadcast, common_shape, operand, shape_text
from vires.numpy.planned import planned
from vires.numpy.triangles import diagonal
from vires.scipy.linalg.arguments import check_square, matrices, square
from vires.scipy.linalg.factors import _cholesky

__all__ = ["cho_solve", "det", "inv", "lu_solve", "solve", "solve_triangular"]

_TRANSPOSES = {0: 0, "N": 0, 1: 1, "T": 1, 2: 2, "C": 2}
#: What SciPy's names for the structure of a matrix mean here.
_STRUCTURES = {
    "gen": "general", "general": "general",
    "sym": "general", "symmetric": "general",
    "her": "general", "hermitian": "general",
    "pos": "positive", "positive definite": "positive",
    "diagonal": "diagonal",
    "upper triangular": "upper", "lower triangular": "lower",
}  # fmt: skip


def _system(function: str, a: Any, b: Any, vector: bool) -> tuple[Any, Any]:
    """Square matrices and right-hand sides as stacks of matrices with one batch shape."""
    x, y = matrices(function, ("a", a), ("b", b))
    check_square(function, x)
    if vector:
        y = y[..., None]
    if y.aval.ndim < 2 or y.aval.shape[-2] != x.aval.shape[-1]:
        raise ShapeError(
            f"{function}: needs b with {x.aval.shape[-1]} rows; "
            f"got {shape_text(operand(b, function))} for a of {shape_text(x)}"
        )
    batch = common_shape(function, x.aval.shape[:-2], y.aval.shape[:-2])
    return broadcast(x, (*batch, *x.aval.shape[-2:])), broadcast(y, (*batch, *y.aval.shape[-2:]))


def _is_vector(a: Any, b: Any, function: str) -> bool:
    """Whether b is one right-hand side for each matrix."""
    return operand(b, function).aval.ndim == operand(a, function).aval.ndim - 1


def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False,
    overwrite_b: bool = False, debug: Any = None, check_finite: bool = True,
) -> Any:  # fmt: skip
    """X with op(a) X = b for upper or lower triangular a, of which one triangle is read.

    trans: 0 or "N" for a itself, 1 or "T" for its transpose, 2 or "C" for its adjoint.
    """
    if trans not in _TRANSPOSES:
        raise ValueError(f"solve_triangular: needs trans 0, 1, 2, 'N', 'T' or 'C'; got {trans!r}")
    return _solve_triangular(a, b, _TRANSPOSES[trans], bool(lower), bool(unit_diagonal))


@planned("a", "b")
def _solve_triangular(a: Any, b: Any, trans: int, lower: bool, unit_diagonal: bool) -> Any:
    vector = _is_vector(a, b, "solve_triangular")
    x, y = _system("solve_triangular", a, b, vector)
    result = lax_linalg.triangular_solve(
        x, y, left_side=True, lower=lower, transpose_a=trans > 0, conjugate_a=trans == 2,
        unit_diagonal=unit_diagonal,
    )  # fmt: skip
    return result[..., 0] if vector else result


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """X with a X = b, given the factor of a from `cho_factor`.

    >>> from vires.scipy import linalg
    >>> from vires import numpy as np
    >>> linalg.cho_solve(linalg.cho_factor(2 * np.eye(2)), np.array([2., 4.])).round(4).tolist()
    [1.0, 2.0]
    """
    factor, lower = c_and_lower
    return _cho_solve(factor, b, bool(lower))


@planned("c", "b")
def _cho_solve(c: Any, b: Any, lower: bool) -> Any:
    vector = _is_vector(c, b, "cho_solve")
    x, y = _system("cho_solve", c, b, vector)
    for first in (True, False):
        adjoint = first != lower
        y = lax_linalg.triangular_solve(
            x, y, left_side=True, lower=lower, transpose_a=adjoint, conjugate_a=adjoint
        )
    return y[..., 0] if vector else y


def lu_solve(
    lu_and_piv: tuple[Any, Any], b: Any, trans: int = 0, overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:  # fmt: skip
    """X with op(a) X = b, given the factors of a from `lu_factor`.

    trans: 0 for a itself, 1 for its transpose, 2 for its adjoint.
    """
    if trans not in _TRANSPOSES:
        raise ValueError(f"lu_solve: needs trans 0, 1 or 2; got {trans!r}")
    factors, pivots = lu_and_piv
    return _lu_solve(factors, pivots, b, _TRANSPOSES[trans])


@planned("lu", "piv", "b")
def _lu_solve(lu: Any, piv: Any, b: Any, trans: int) -> Any:
    vector = _is_vector(lu, b, "lu_solve")
    x, y = _system("lu_solve", lu, b, vector)
    n = x.aval.shape[-1]
    exchanges = operand(piv, "lu_solve", "piv")
    exchanges = broadcast(exchanges, (*x.aval.shape[:-2], n))
    order = lax_linalg.lu_pivots_to_permutation(exchanges, n)
    if trans == 0:
        y = take_along_axis(y, order[..., None], axis=-2)
    for lower in (True, False) if trans == 0 else (False, True):
        y = lax_linalg.triangular_solve(
            x, y, left_side=True, lower=lower, unit_diagonal=lower, transpose_a=trans > 0,
            conjugate_a=trans == 2,
        )  # fmt: skip
    if trans != 0:
        y = take_along_axis(y, _inverse_order(order)[..., None], axis=-2)
    return y[..., 0] if vector else y


def _inverse_order(order: Any) -> Any:
    return order.argsort(axis=-1)


def solve(
    a: Any, b: Any, lower: bool = False, overwrite_a: bool = False, overwrite_b: bool = False,
    debug: bool = False, check_finite: bool = True, assume_a: str = "gen",
) -> Any:  # fmt: skip
    """X with a X = b for square a; b is a vector (1 axis) or a stack of matrices.

    assume_a: "gen", "sym", "her", "pos" (positive definite: solved by Cholesky, reading the upper
    or `lower` triangle), "diagonal", "upper triangular" or "lower triangular".
    """
    structure = _STRUCTURES.get(assume_a)
    if structure is None:
        known = ", ".join(map(repr, _STRUCTURES))
        raise ValueError(f"solve: needs assume_a among {known}; got {assume_a!r}")
    if structure == "general":
        return numpy_linalg.solve(a, b)
    return _solve(a, b, structure, bool(lower))


@planned("a", "b")
def _solve(a: Any, b: Any, structure: str, lower: bool) -> Any:
    vector = operand(b, "solve", "b").aval.ndim == 1
    x, y = _system("solve", a, b, vector)
    if structure == "diagonal":
        result = y / diagonal(x, 0, -2, -1)[..., None]
    elif structure == "positive":
        result = _cho_solve(_cholesky(x, lower), y, lower)
    else:
        result = _solve_triangular(x, y, 0, structure == "lower", False)
    return result[..., 0] if vector else result


@planned("a")
def _inv(a: Any) -> Any:
    return numpy_linalg.inv(square("inv", a))


def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The inverse of square matrices; nan or inf where a is singular."""
    return _inv(a)


@planned("a")
def _det(a: Any) -> Any:
    return numpy_linalg.det(square("det", a))


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The determinant of square matrices."""
    return _det(a)
