"""Determinants, inverses and solutions of linear equations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vires.core import dtypes
from vires.lax import linalg as lax_linalg
from vires.numpy import triangles
from vires.numpy.arithmetic import absolute, divide, multiply, subtract
from vires.numpy.choosing import where
from vires.numpy.contraction import matmul
from vires.numpy.creation import asarray
from vires.numpy.decompositions import eigvalsh, svd, svdvals
from vires.numpy.matrix_operands import adjoint, epsilon, matrix, squares
from vires.numpy.operands import (
    ShapeError,
    axis_index,
    broadcast,
    common_shape,
    convert,
    operand,
    promote_inexact,
    shape_text,
)
from vires.numpy.planned import planned
from vires.numpy.reductions import any as any_
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import prod as prod_
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import moveaxis
from vires.numpy.transcendental import log
from vires.ops.filled import full_like
from vires.ops.shape import expand_dims, reshape

# --- determinants


class SlogdetResult(NamedTuple):
    """What `slogdet` gives."""

    sign: Any
    logabsdet: Any


def _parity(pivots: Any) -> Any:
    """1 for an even number of row exchanges, -1 for an odd one."""
    own = np.arange(pivots.aval.shape[-1], dtype=np.int32)
    return 1 - 2 * (sum_(pivots != own, -1) % 2)


@planned("a")
def slogdet(a: Any, *, method: str | None = None) -> SlogdetResult:
    """(sign, log |det|); sign 0 and -inf where a is singular."""
    if method not in (None, "lu", "qr"):
        raise ValueError(f"slogdet: needs method None, 'lu' or 'qr'; got {method!r}")
    x = matrix("slogdet", a, square_matrix=True)
    factors, pivots, _ = lax_linalg.lu(x)
    diagonal_ = triangles.diagonal(factors, 0, -2, -1)
    size = absolute(diagonal_)
    singular = any_(diagonal_ == 0, -1)
    safe = where(diagonal_ == 0, 1, diagonal_)
    signs = (
        divide(safe, absolute(safe))
        if dtypes.kind(x.aval.dtype) == "complex"
        else where(safe < 0, -1, 1)
    )
    sign = prod_(convert(signs, x.aval.dtype), -1) * convert(
        _parity(pivots), dtypes.real_of(x.aval.dtype)
    )
    total = sum_(log(where(diagonal_ == 0, 1, size)), -1)
    return SlogdetResult(
        where(singular, full_like(sign, 0), sign),
        where(singular, full_like(total, -math.inf), total),
    )


@planned("a")
def det(a: Any) -> Any:
    """The determinant; also its derivative at singular matrices is right up to 3 x 3."""
    x = matrix("det", a, square_matrix=True)
    n = x.aval.shape[-1]
    if n == 0:
        return broadcast(asarray(np.ones((), x.aval.dtype)), x.aval.shape[:-2])
    if n == 1:
        return x[..., 0, 0]
    if n == 2:
        return x[..., 0, 0] * x[..., 1, 1] - x[..., 0, 1] * x[..., 1, 0]
    if n == 3:
        return (
            x[..., 0, 0] * (x[..., 1, 1] * x[..., 2, 2] - x[..., 1, 2] * x[..., 2, 1])
            - x[..., 0, 1] * (x[..., 1, 0] * x[..., 2, 2] - x[..., 1, 2] * x[..., 2, 0])
            + x[..., 0, 2] * (x[..., 1, 0] * x[..., 2, 1] - x[..., 1, 1] * x[..., 2, 0])
        )
    factors, pivots, _ = lax_linalg.lu(x)
    product = prod_(triangles.diagonal(factors, 0, -2, -1), -1)
    return product * convert(_parity(pivots), dtypes.real_of(x.aval.dtype))


# --- inverses and solutions


@planned("a", "b")
def solve(a: Any, b: Any) -> Any:
    """X with a X = b for square a; b is a vector (1 axis) or a stack of matrices. nan or inf where
    a is singular."""
    x, y = operand(a, "solve", "a"), operand(b, "solve", "b")
    x, y = promote_inexact(x, y)
    x = matrix("solve", x, square_matrix=True)
    y = convert(y, x.aval.dtype)
    vector = y.aval.ndim == 1
    if vector:
        y = expand_dims(y, (1,))
    if y.aval.ndim < 2 or y.aval.shape[-2] != x.aval.shape[-1]:
        raise ShapeError(
            f"solve: needs b with {x.aval.shape[-1]} rows; got {shape_text(operand(b, 'solve'))} "
            f"for a of {shape_text(x)}"
        )
    batch = common_shape("solve", x.aval.shape[:-2], y.aval.shape[:-2])
    x = broadcast(x, (*batch, *x.aval.shape[-2:]))
    y = broadcast(y, (*batch, *y.aval.shape[-2:]))
    result = lax_linalg.solve(x, y)
    return result[..., 0] if vector else result


@planned("a")
def inv(a: Any) -> Any:
    """The inverse of square matrices; nan or inf where a is singular."""
    x = matrix("inv", a, square_matrix=True)
    identity = broadcast(triangles.eye(x.aval.shape[-1], dtype=x.aval.dtype), x.aval.shape)
    return solve(x, identity)


def _cutoff(values: Any, tolerance: Any) -> Any:
    """The singular values that count, given a tolerance relative to the largest."""
    relative = convert(operand(tolerance, "linalg", "rtol"), values.aval.dtype)
    if relative.aval.ndim:
        relative = expand_dims(relative, (relative.aval.ndim,))
    return values > relative * max_(values, -1, keepdims=True, initial=0)


def pinv(a: Any, rtol: Any = None, hermitian: bool = False, *, rcond: Any = None) -> Any:
    """The pseudo-inverse; singular values below rtol times the largest count as 0."""
    x = matrix("pinv", a)
    tolerance = rcond if rtol is None else rtol
    if tolerance is None:
        tolerance = 10 * max(*x.aval.shape[-2:], 1) * epsilon(x.aval.dtype)
    if not x.aval.size:
        shape = (*x.aval.shape[:-2], x.aval.shape[-1], x.aval.shape[-2])
        return asarray(np.zeros(shape, x.aval.dtype))
    u, s, vh = svd(x, full_matrices=False, hermitian=hermitian)
    counts = _cutoff(s, tolerance)
    inverse = where(counts, 1 / where(counts, s, 1), 0)
    scaled = multiply(adjoint(vh), convert(inverse, s.aval.dtype)[..., None, :])
    return matmul(scaled, adjoint(u))


def matrix_rank(M: Any, rtol: Any = None, *, hermitian: bool = False, tol: Any = None) -> Any:
    """The number of singular values above a tolerance relative to the largest."""
    x = operand(M, "matrix_rank", "M")
    if x.aval.ndim < 2:
        return convert(any_(x != 0), dtypes.default_int())
    x = matrix("matrix_rank", x)
    s = absolute(eigvalsh(x)) if hermitian else svdvals(x)
    tolerance = tol if rtol is None else rtol
    if tolerance is None:
        tolerance = max(*x.aval.shape[-2:]) * epsilon(x.aval.dtype)
    return sum_(_cutoff(s, tolerance), -1)


def lstsq(
    a: Any, b: Any, rcond: float | None = None, *, numpy_resid: bool = False
) -> tuple[Any, Any, Any, Any]:
    """(x, residuals, rank, singular values) for the x of least norm that makes |b - a x|
    smallest."""
    x, y = promote_inexact(operand(a, "lstsq", "a"), operand(b, "lstsq", "b"))
    x = matrix("lstsq", x)
    if x.aval.ndim != 2 or y.aval.ndim not in (1, 2) or x.aval.shape[0] != y.aval.shape[0]:
        raise ShapeError(
            f"lstsq: needs a matrix a and b with as many rows; got {shape_text(x)} and "
            f"{shape_text(y)}"
        )
    y = convert(y, x.aval.dtype)
    vector = y.aval.ndim == 1
    y = expand_dims(y, (1,)) if vector else y
    m, n = x.aval.shape
    if rcond is None:
        rcond = max(m, n) * epsilon(x.aval.dtype)
    elif not hasattr(rcond, "aval") and rcond < 0:
        rcond = epsilon(x.aval.dtype)
    u, s, vh = svd(x, full_matrices=False)
    counts = _cutoff(s, rcond)
    inverse = convert(where(counts, 1 / where(counts, s, 1), 0), s.aval.dtype)
    rank = sum_(counts)
    solution = matmul(adjoint(vh), multiply(inverse[:, None], matmul(adjoint(u), y)))
    rest = subtract(y, matmul(x, solution))
    residuals = sum_(squares(rest), 0)
    if numpy_resid and (m <= n or int(rank) < n):
        residuals = residuals[:0]
    return solution[:, 0] if vector else solution, residuals, rank, s


def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse with respect to tensordot over `ind` axes."""
    x = operand(a, "tensorinv", "a")
    if ind <= 0:
        raise ValueError(f"tensorinv: needs ind > 0; got {ind}")
    shape = x.aval.shape
    n = math.prod(shape[ind:])
    if n * n != x.aval.size:
        raise ShapeError(
            f"tensorinv: needs axes that form a square matrix; got {shape_text(x)} with ind {ind}"
        )
    matrix = inv(reshape(x, new_sizes=(x.aval.size // n, n), dimensions=None))
    return reshape(matrix, new_sizes=(*shape[ind:], *shape[:ind]), dimensions=None)


def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    """x with tensordot(a, x, x.ndim) = b."""
    x, y = operand(a, "tensorsolve", "a"), operand(b, "tensorsolve", "b")
    if axes is not None:
        given = [axis_index("tensorsolve", d, x.aval.ndim) for d in axes]
        x = moveaxis(x, given, list(range(x.aval.ndim - len(given), x.aval.ndim)))
    shape = x.aval.shape[y.aval.ndim :]
    n = math.prod(shape)
    if n != y.aval.size or x.aval.size != n * n:
        raise ShapeError(
            f"tensorsolve: needs axes that form a square matrix; got {shape_text(x)} and "
            f"{shape_text(y)}"
        )
    flat = solve(
        reshape(x, new_sizes=(n, n), dimensions=None), reshape(y, new_sizes=(n,), dimensions=None)
    )
    return reshape(flat, new_sizes=shape, dimensions=None)
