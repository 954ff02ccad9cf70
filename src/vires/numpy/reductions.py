"""Reductions: sums, products, means, variances, extremes, truth, positions of extremes."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy.arithmetic import divide, maximum, minimum, multiply, sqrt, subtract, where_
from vires.numpy.comparison import bitwise_and, bitwise_or, logical_and, logical_not, truth
from vires.numpy.creation import flat
from vires.numpy.float_parts import isnan
from vires.numpy.operands import (
    Shape,
    axes_tuple,
    axis_index,
    broadcast,
    broadcast_all,
    convert,
    in_dtype,
    inexact_of,
    no_out,
    operand,
    promote_dtypes,
    value_or_operand,
)
from vires.numpy.planned import planned
from vires.ops import reduce
from vires.ops.complex import imag, real
from vires.ops.elementwise import div, mul, sub
from vires.ops.extremes import highest, lowest
from vires.ops.filled import full, full_like
from vires.ops.math import square
from vires.ops.shape import expand_dims

# --- the common path


def kept(result: Any, axes: Shape, keepdims: bool) -> Any:
    """A reduction's result with axes of size 1 in place of those that are gone, when `keepdims`."""
    return expand_dims(result, axes) if keepdims and axes else result


def _masked(function: str, x: Any, where: Any, identity: Any) -> Any:
    """`x` with the identity of the reduction where the mask is false."""
    mask = truth(operand(where, function, "where"))
    x, mask = broadcast_all(function, x, mask)
    return where_(mask, x, full(x.aval.shape, identity, x.aval.dtype))


def _with_initial(combine: Any, result: Any, initial: Any, dtype: Any, function: str) -> Any:
    return combine(result, in_dtype(value_or_operand(initial, function, "initial"), dtype))


def _accumulator(dtype: Any, promote_integers: bool) -> Any:
    """The dtype in which sums and products of a dtype are computed: at least 32 bits for
    integers."""
    kind = dtypes.kind(dtype)
    if kind == "bool":
        return dtypes.default_int()
    if promote_integers and kind in ("signed", "unsigned"):
        default = dtypes.default_int()
        if dtype.itemsize < default.itemsize:
            return default if kind == "signed" else np.dtype(f"uint{8 * default.itemsize}")
    return dtype


def _accumulate(
    function: str, primitive: Any, combine: Any, identity: int, a: Any, axis: Any, dtype: Any,
    out: Any,
    keepdims: bool, initial: Any, where: Any, promote_integers: bool,
) -> Any:  # fmt: skip
    no_out(function, out)
    x = operand(a, function, "a")
    weak = x.aval.weak_type and dtype is None
    target = (
        dtypes.canonical(dtype)
        if dtype is not None
        else _accumulator(x.aval.dtype, promote_integers)
    )
    if dtypes.kind(target) == "bool":
        primitive, combine = (
            (reduce.reduce_or, bitwise_or) if identity == 0 else (reduce.reduce_and, bitwise_and)
        )
        x = truth(x)
    x = convert(x, target, weak)
    axes = axes_tuple(function, axis, x.aval.ndim)
    if where is not None:
        x = _masked(function, x, where, identity)
    result = primitive(x, axes=axes) if axes else x
    if initial is not None:
        result = _with_initial(combine, result, initial, target, function)
    return kept(result, axes, keepdims)


@planned("a", "where", "initial")
def sum(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
    initial: Any = None,
    where: Any = None, promote_integers: bool = True,
) -> Any:  # fmt: skip
    """The sum over axes (None: all); small integers add up in 32 bits, float16 and bfloat16 in
    float32.

    >>> from vires import numpy as np
    >>> np.sum(np.array([[1, 2], [3, 4]]), axis=0)
    Array([4, 6], dtype=int32)
    """
    return _accumulate(
        "sum",
        reduce.reduce_sum,
        _add,
        0,
        a,
        axis,
        dtype,
        out,
        keepdims,
        initial,
        where,
        promote_integers,
    )


def _add(x: Any, y: Any) -> Any:
    return x + y


@planned("a", "where", "initial")
def prod(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
    initial: Any = None,
    where: Any = None, promote_integers: bool = True,
) -> Any:  # fmt: skip
    """The product over axes (None: all); small integers multiply in 32 bits."""
    return _accumulate(
        "prod",
        reduce.reduce_prod,
        multiply,
        1,
        a,
        axis,
        dtype,
        out,
        keepdims,
        initial,
        where,
        promote_integers,
    )


# --- extremes


def _extreme(
    function: str,
    a: Any,
    axis: Any,
    out: Any,
    keepdims: bool,
    initial: Any,
    where: Any,
    largest: bool,
) -> Any:
    no_out(function, out)
    x = operand(a, function, "a")
    axes = axes_tuple(function, axis, x.aval.ndim)
    dtype = x.aval.dtype
    if where is not None:
        if initial is None:
            raise ValueError(
                f"{function}: needs initial= next to where=, for places where nothing is chosen"
            )
        x = _masked(function, x, where, lowest(dtype) if largest else highest(dtype))
    empty = builtins.any(x.aval.shape[d] == 0 for d in axes)
    if initial is None and empty:
        raise ValueError(
            f"{function}: needs at least one element along axes {axes}, since it has no identity; "
            f"got shape {x.aval.shape}; try initial=..."
        )
    combine = maximum if largest else minimum
    if empty:
        shape = tuple(n for d, n in enumerate(x.aval.shape) if d not in axes)
        result = full(shape, lowest(dtype) if largest else highest(dtype), dtype)
    else:
        result = (reduce.reduce_max if largest else reduce.reduce_min)(x, axes=axes) if axes else x
    if initial is not None:
        result = _with_initial(combine, result, initial, dtype, function)
    return kept(result, axes, keepdims)


@planned("a", "where", "initial")
def max(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """The largest element along axes (None: all); nan when one is nan. Empty axes need
    `initial`."""
    return _extreme("max", a, axis, out, keepdims, initial, where, largest=True)


@planned("a", "where", "initial")
def min(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """The smallest element along axes (None: all); nan when one is nan. Empty axes need
    `initial`."""
    return _extreme("min", a, axis, out, keepdims, initial, where, largest=False)


amax, amin = max, min


@planned("a")
def ptp(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    """max - min along axes."""
    no_out("ptp", out)
    return subtract(max(a, axis, keepdims=keepdims), min(a, axis, keepdims=keepdims))


# --- truth


def _truth_reduction(
    function: str,
    primitive: Any,
    identity: bool,
    a: Any,
    axis: Any,
    out: Any,
    keepdims: bool,
    where: Any,
) -> Any:
    no_out(function, out)
    x = truth(operand(a, function, "a"))
    axes = axes_tuple(function, axis, x.aval.ndim)
    if where is not None:
        x = _masked(function, x, where, identity)
    return kept(primitive(x, axes=axes) if axes else x, axes, keepdims)


@planned("a", "where")
def all(
    a: Any, axis: Any = None, out: None = None, keepdims: bool = False, *, where: Any = None
) -> Any:
    """Whether all elements along axes are true (not zero)."""
    return _truth_reduction("all", reduce.reduce_and, True, a, axis, out, keepdims, where)


@planned("a", "where")
def any(
    a: Any, axis: Any = None, out: None = None, keepdims: bool = False, *, where: Any = None
) -> Any:
    """Whether some element along axes is true (not zero)."""
    return _truth_reduction("any", reduce.reduce_or, False, a, axis, out, keepdims, where)


@planned("a")
def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The number of elements along axes that are not zero."""
    return sum(truth(operand(a, "count_nonzero", "a")), axis, keepdims=keepdims)


# --- means and variances


def _count(x: Any, axes: Shape, where: Any, keepdims: bool, function: str) -> Any:
    """How many elements are combined: a Python number, or an array when there is a mask."""
    if where is None:
        return math.prod(x.aval.shape[d] for d in axes)
    mask = broadcast(truth(operand(where, function, "where")), x.aval.shape)
    return sum(mask, axes, keepdims=keepdims)


@planned("a", "where")
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: Any = None,
) -> Any:
    """The arithmetic mean over axes (None: all), in a float dtype; nan for no elements.

    >>> from vires import numpy as np
    >>> np.mean(np.array([1, 2, 4]))
    Array(2.3333333, dtype=float32)
    """
    no_out("mean", out)
    x = operand(a, "mean", "a")
    own = x.aval.dtype
    target = inexact_of(own) if dtype is None else dtypes.canonical(dtype)
    weak = x.aval.weak_type and dtype is None
    computing = dtypes.float32 if target.itemsize < 4 and dtypes.is_inexact(target) else target
    x = convert(x, computing if dtypes.is_inexact(computing) else inexact_of(own), weak)
    axes = axes_tuple("mean", axis, x.aval.ndim)
    total = sum(x, axes, keepdims=keepdims, where=where)
    count = _count(x, axes, where, keepdims, "mean")
    if isinstance(count, int):
        return convert(div(total, full_like(total, count)), target, weak)
    return convert(divide(total, convert(count, dtypes.real_of(total.aval.dtype))), target, weak)


def _variance(
    function: str, a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: bool, where: Any,
    given_mean: Any,
    correction: Any,
) -> Any:  # fmt: skip
    if correction is not None:
        if ddof:
            raise ValueError(
                f"{function}: needs one of ddof and correction; got {ddof} and {correction}"
            )
        ddof = correction
    x = operand(a, function, "a")
    own = x.aval.dtype
    computing = inexact_of(own) if dtype is None else inexact_of(promote_dtypes(x)[0])
    target = dtypes.real_of(computing) if dtype is None else dtypes.canonical(dtype)
    if dtype is not None and dtypes.kind(target) == "complex" and dtypes.kind(own) != "complex":
        raise ValueError(f"{function}: needs a real dtype for a real array; got {target.name}")
    weak = x.aval.weak_type and dtype is None
    if computing.itemsize < 4:
        computing = dtypes.float32
    x = convert(x, computing, weak)
    axes = axes_tuple(function, axis, x.aval.ndim)
    center = (
        mean(x, axes, keepdims=True, where=where)
        if given_mean is None
        else operand(given_mean, function, "mean")
    )
    if given_mean is not None and center.aval.ndim != x.aval.ndim:
        center = expand_dims(center, axes)
    deviation = sub(x, broadcast(convert(center, computing, weak), x.aval.shape))
    if dtypes.kind(computing) == "complex":
        squares = square(real(deviation)) + square(imag(deviation))
    else:
        squares = square(deviation)
    total = sum(squares, axes, keepdims=keepdims, where=where)
    count = _count(x, axes, where, keepdims, function)
    if isinstance(count, int) and not hasattr(ddof, "aval"):
        left = count - ddof
        result = div(total, full_like(total, left if left > 0 else 0))
    else:
        left = maximum(subtract(count, ddof), 0)
        result = divide(total, convert(left, total.aval.dtype))
    return result, target, weak and target == dtypes.real_of(computing)


@planned("a", "where")
def var(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0,
    keepdims: bool = False, *,
    where: Any = None, mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    """The variance over axes: the sum of |x - mean|^2 over N - ddof."""
    no_out("var", out)
    result, dtype, weak = _variance("var", a, axis, dtype, ddof, keepdims, where, mean, correction)
    return convert(result, dtype, weak)


@planned("a", "where")
def std(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0,
    keepdims: bool = False, *,
    where: Any = None, mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    """The standard deviation over axes: the square root of `var`."""
    no_out("std", out)
    result, dtype, weak = _variance("std", a, axis, dtype, ddof, keepdims, where, mean, correction)
    return convert(sqrt(result), dtype, weak)


def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: bool = False
) -> Any:
    """The weighted mean over axes; (mean, sum of weights) when `returned`."""
    x = operand(a, "average", "a")
    if weights is None:
        result = mean(x, axis, keepdims=keepdims)
        axes = axes_tuple("average", axis, x.aval.ndim)
        total = full_like(result, math.prod(x.aval.shape[d] for d in axes))
    else:
        w = operand(weights, "average", "weights")
        dtype = inexact_of(promote_dtypes(x, w)[0])
        x, w = convert(x, dtype), convert(w, dtype)
        axes = axes_tuple("average", axis, x.aval.ndim)
        if w.aval.shape != x.aval.shape:
            if axis is None or w.aval.shape != tuple(x.aval.shape[d] for d in axes):
                raise ValueError(
                    "average: needs weights of the array's shape or of its axes; got "
                    f"{w.aval.shape} for "
                    f"{x.aval.shape} and axis {axis}"
                )
            w = broadcast(
                expand_dims(w, tuple(d for d in range(x.aval.ndim) if d not in axes)), x.aval.shape
            )
        total = sum(w, axes, keepdims=keepdims)
        result = divide(sum(mul(x, w), axes, keepdims=keepdims), total)
    return (result, total) if returned else result


# --- positions of extremes


def _position(function: str, primitive: Any, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    no_out(function, out)
    x = operand(a, function, "a")
    ndim = x.aval.ndim
    if axis is None:
        x, d = flat(x), 0
    else:
        d = axis_index(function, axis, ndim)
    if x.aval.shape[d] == 0:
        raise ValueError(
            f"{function}: needs at least one element; got an empty axis of shape {x.aval.shape}"
        )
    if dtypes.kind(x.aval.dtype) == "complex":
        raise TypeError(f"{function}: needs a real dtype; got {x.aval.dtype.name}; try abs(x)")
    result = primitive(x, axes=(d,), index_dtype=dtypes.index_dtype(x.aval.shape[d]))
    if not keepdims:
        return result
    return expand_dims(result, tuple(range(ndim)) if axis is None else (d,))


@planned("a")
def argmax(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Any:
    """The index of the first largest element along an axis (None: of the flattened array); nan is
    the largest."""
    return _position("argmax", reduce.argmax, a, axis, out, keepdims)


@planned("a")
def argmin(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Any:
    """The index of the first smallest element along an axis (None: of the flattened array); nan is
    the smallest."""
    return _position("argmin", reduce.argmin, a, axis, out, keepdims)


# --- without nan


def _without_nan(function: str, a: Any, replacement: Any) -> tuple[Any, Any]:
    """The operand with nan replaced, and the mask of nan, or None when the dtype has none."""
    x = operand(a, function, "a")
    if not dtypes.is_inexact(x.aval.dtype):
        return x, None
    mask = isnan(x)
    return where_(mask, full_like(x, replacement), x), mask


@planned("a", "where", "initial")
def nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:  # fmt: skip
    """The sum over axes, nan counted as 0."""
    return sum(_without_nan("nansum", a, 0)[0], axis, dtype, out, keepdims, initial, where)


def nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:  # fmt: skip
    """The product over axes, nan counted as 1."""
    return prod(_without_nan("nanprod", a, 1)[0], axis, dtype, out, keepdims, initial, where)


def _nan_extreme(
    function: str, reduction: Any, infinity: float, a: Any, axis: Any, out: Any, keepdims: bool,
    initial: Any,
    where: Any,
) -> Any:  # fmt: skip
    x, mask = _without_nan(function, a, infinity)
    result = reduction(x, axis, out, keepdims, initial, where)
    if mask is None or initial is not None:
        return result
    return where_(all(mask, axis, keepdims=keepdims), full_like(result, math.nan), result)


def nanmax(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """The largest element along axes that is not nan; nan where all are."""
    return _nan_extreme("nanmax", max, -math.inf, a, axis, out, keepdims, initial, where)


def nanmin(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """The smallest element along axes that is not nan; nan where all are."""
    return _nan_extreme("nanmin", min, math.inf, a, axis, out, keepdims, initial, where)


def _valid(function: str, a: Any, where: Any) -> tuple[Any, Any]:
    x = operand(a, function, "a")
    if not dtypes.is_inexact(x.aval.dtype):
        return x, where
    valid = logical_not(isnan(x))
    if where is not None:
        valid = logical_and(valid, operand(where, function, "where"))
    return x, valid


@planned("a", "where")
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    where: Any = None,
) -> Any:
    """The mean over axes of the elements that are not nan; nan where there are none."""
    x, valid = _valid("nanmean", a, where)
    return mean(x, axis, dtype, out, keepdims, where=valid)


def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0,
    keepdims: bool = False,
    where: Any = None, mean: Any = None,
) -> Any:  # fmt: skip
    """The variance over axes of the elements that are not nan; nan where there are too few."""
    x, valid = _valid("nanvar", a, where)
    return var(x, axis, dtype, out, ddof, keepdims, where=valid, mean=mean)


def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0,
    keepdims: bool = False,
    where: Any = None, mean: Any = None,
) -> Any:  # fmt: skip
    """The square root of `nanvar`."""
    x, valid = _valid("nanstd", a, where)
    return std(x, axis, dtype, out, ddof, keepdims, where=valid, mean=mean)


def _nan_position(
    function: str, position: Any, infinity: float, a: Any, axis: Any, out: Any, keepdims: Any
) -> Any:
    x, mask = _without_nan(function, a, infinity)
    result = position(x, axis, out, keepdims)
    if mask is None:
        return result
    none_left = all(mask, axis, keepdims=bool(keepdims))
    return where_(none_left, full_like(result, -1), result)


def nanargmax(
    a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None
) -> Any:
    """The index of the first largest element that is not nan; -1 where all are."""
    return _nan_position("nanargmax", argmax, -math.inf, a, axis, out, keepdims)


def nanargmin(
    a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None
) -> Any:
    """The index of the first smallest element that is not nan; -1 where all are."""
    return _nan_position("nanargmin", argmin, math.inf, a, axis, out, keepdims)


def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """`func(x, axis)` applied along one axis after the other, the axes kept with size 1."""
    x = operand(a, "apply_over_axes", "a")
    for axis in axes if isinstance(axes, (tuple, list)) else (axes,):
        d = axis_index("apply_over_axes", axis, x.aval.ndim)
        result = operand(func(x, d), "apply_over_axes", "the function's result")
        if result.aval.ndim != x.aval.ndim:
            result = expand_dims(result, (d,))
        x = result
    return x


__all__ = [
    "all", "amax", "amin", "any", "apply_over_axes", "argmax", "argmin", "average",
    "count_nonzero", "max", "mean", "min", "nanargmax", "nanargmin", "nanmax", "nanmean",
    "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "prod", "ptp", "std", "sum", "var",
]  # fmt: skip
