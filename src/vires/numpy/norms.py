"""Norms of vectors and matrices, and the condition number that follows from them."""

from __future__ import annotations

import math
from typing import Any

from vires.numpy.arithmetic import absolute, power, sqrt
from vires.numpy.choosing import where
from vires.numpy.decompositions import svdvals
from vires.numpy.float_parts import isnan
from vires.numpy.matrix_operands import matrix, squares
from vires.numpy.operands import (
    axes_tuple,
    axis_index,
    convert,
    operand,
    promote_inexact,
    shape_text,
)
from vires.numpy.planned import planned
from vires.numpy.reductions import any as any_
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import min as min_
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import moveaxis
from vires.numpy.solutions import inv
from vires.ops.shape import expand_dims


def _vector_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if order is None or order == 2:
        return sqrt(sum_(squares(x), axes, keepdims=keepdims))
    size = absolute(x)
    if order == math.inf:
        return max_(size, axes, keepdims=keepdims, initial=0)
    if order == -math.inf:
        return min_(size, axes, keepdims=keepdims)
    if order == 1:
        return sum_(size, axes, keepdims=keepdims)
    if order == 0:
        return sum_(convert(x != 0, size.aval.dtype), axes, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(f"norm: needs a number as ord for vectors; got {order!r}")
    return power(sum_(power(size, order), axes, keepdims=keepdims), 1.0 / order)


def _matrix_norm(x: Any, order: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    rows, columns = axes
    if order is None or order == "fro":
        return sqrt(sum_(squares(x), axes, keepdims=keepdims))
    if order in (1, -1, math.inf, -math.inf):
        first, second = (rows, columns) if abs(order) == 1 else (columns, rows)
        sums = sum_(absolute(x), first, keepdims=True)
        result = (
            max_(sums, second, keepdims=True, initial=0)
            if order > 0
            else min_(sums, second, keepdims=True)
        )
        return result if keepdims else result.squeeze(axes)
    if order not in (2, -2, "nuc"):
        raise ValueError(
            "norm: needs ord None, 'fro', 'nuc', 1, -1, 2, -2, inf or -inf for matrices; got "
            f"{order!r}"
        )
    s = svdvals(moveaxis(x, axes, (-2, -1)))
    result = (
        sum_(s, -1) if order == "nuc" else max_(s, -1, initial=0) if order == 2 else min_(s, -1)
    )
    return expand_dims(result, tuple(sorted(axes))) if keepdims else result


@planned("x")
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors along one axis, or of matrices along two: Euclidean and Frobenius by
    default.

    >>> from vires import numpy as np
    >>> np.linalg.norm(np.array([3., 4.]))
    Array(5., dtype=float32)
    """
    (value,) = promote_inexact(operand(x, "norm"))
    ndim = value.aval.ndim
    if axis is None:
        axes = tuple(range(ndim))
        if ord is None:
            return _vector_norm(value, None, axes, keepdims)
        if ndim > 2:
            raise ValueError(
                f"norm: needs a vector or a matrix for ord={ord!r}; got shape {value.aval.shape}; "
                "try axis=-1 for vectors, axis=(-2, -1) for matrices"
            )
    else:
        given = axis if isinstance(axis, (tuple, list)) else (axis,)
        axes = tuple(axis_index("norm", d, ndim) for d in given)
    if len(axes) == 1:
        return _vector_norm(value, ord, axes, keepdims)
    if len(axes) == 2:
        if axes[0] == axes[1]:
            raise ValueError(f"norm: needs two different axes; got {axis}")
        return _matrix_norm(value, ord, axes, keepdims)
    raise ValueError(f"norm: needs 1 or 2 axes; got {axes}")


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The norm of the elements along axes (None: all), taken as one vector."""
    (value,) = promote_inexact(operand(x, "vector_norm"))
    return _vector_norm(value, ord, axes_tuple("vector_norm", axis, value.aval.ndim), keepdims)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norm of the matrices in the last two axes."""
    value = matrix("matrix_norm", x)
    ndim = value.aval.ndim
    return _matrix_norm(value, ord, (ndim - 2, ndim - 1), keepdims)


def cond(x: Any, p: Any = None) -> Any:
    """The condition number: the ratio of the extreme singular values, or |x| |x^-1| in the norm
    p."""
    value = matrix("cond", x)
    if not value.aval.size:
        raise ValueError(f"cond: needs matrices with elements; got {shape_text(value)}")
    if p in (None, 2, -2):
        s = svdvals(value)
        result = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    else:
        result = norm(value, p, (-2, -1)) * norm(inv(value), p, (-2, -1))
    # Of a singular matrix it is infinite, of a matrix with nan it is nan.
    spoiled = any_(isnan(value), (-2, -1))
    return where(isnan(result) & ~spoiled, math.inf, result)
