"""Reductions: sums, products, extremes and their positions, truth."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy.arithmetic import maximum, minimum, multiply, subtract, where_
from vires.numpy.comparison import bitwise_and, bitwise_or, truth
from vires.numpy.creation import flat
from vires.numpy.operands import (
    Shape,
    axes_tuple,
    axis_index,
    broadcast_all,
    convert,
    in_dtype,
    no_out,
    operand,
    value_or_operand,
)
from vires.numpy.planned import planned
from vires.ops import reduce
from vires.ops.extremes import highest, lowest
from vires.ops.filled import full
from vires.ops.shape import expand_dims

__all__ = [
    "all", "amax", "amin", "any", "apply_over_axes", "argmax", "argmin", "count_nonzero", "max",
    "min", "prod", "ptp", "sum",
]  # fmt: skip

# --- the common path


def _reduced(
    function: str, primitive: Callable[..., Any], identity: Any, x: Any, axes: Shape,
    keepdims: bool, where: Any, combine: Any = None, initial: Any = None,
) -> Any:  # fmt: skip
    """`x` reduced over axes: the identity stands where the mask `where` is false, the result is
    combined with `initial`."""
    if where is not None:
        mask = truth(operand(where, function, "where"))
        x, mask = broadcast_all(function, x, mask)
        x = where_(mask, x, full(x.aval.shape, identity, x.aval.dtype))
    result = primitive(x, axes=axes) if axes else x
    if initial is not None:
        initial = value_or_operand(initial, function, "initial")
        result = combine(result, in_dtype(initial, x.aval.dtype))
    return expand_dims(result, axes) if keepdims and axes else result


# --- sums and products


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
    return _reduced(function, primitive, identity, x, axes, keepdims, where, combine, initial)


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
        "sum", reduce.reduce_sum, _add, 0,
        a, axis, dtype, out, keepdims, initial, where, promote_integers,
    )  # fmt: skip


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
        "prod", reduce.reduce_prod, multiply, 1,
        a, axis, dtype, out, keepdims, initial, where, promote_integers,
    )  # fmt: skip


# --- extremes


def _extreme(
    function: str, largest: bool, a: Any, axis: Any, out: Any, keepdims: bool, initial: Any,
    where: Any,
) -> Any:  # fmt: skip
    no_out(function, out)
    x = operand(a, function, "a")
    axes = axes_tuple(function, axis, x.aval.ndim)
    if where is not None and initial is None:
        raise ValueError(
            f"{function}: needs initial= next to where=, for places where nothing is chosen; got "
            f"None; try initial={'-' if largest else ''}numpy.inf"
        )
    limit = lowest if largest else highest

    def reduction(x: Any, axes: Shape) -> Any:
        if not builtins.any(x.aval.shape[d] == 0 for d in axes):
            return (reduce.reduce_max if largest else reduce.reduce_min)(x, axes=axes)
        if initial is None:
            raise ValueError(
                f"{function}: needs at least one element along axes {axes}, since it has no "
                f"identity; got shape {x.aval.shape}; try initial=..."
            )
        rest = tuple(n for d, n in enumerate(x.aval.shape) if d not in axes)
        return full(rest, limit(x.aval.dtype), x.aval.dtype)

    identity = None if where is None else limit(x.aval.dtype)
    combine = maximum if largest else minimum
    return _reduced(function, reduction, identity, x, axes, keepdims, where, combine, initial)


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
    return _extreme("max", True, a, axis, out, keepdims, initial, where)


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
    return _extreme("min", False, a, axis, out, keepdims, initial, where)


amax, amin = max, min


@planned("a")
def ptp(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    """max - min along axes."""
    no_out("ptp", out)
    return subtract(max(a, axis, keepdims=keepdims), min(a, axis, keepdims=keepdims))


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


# --- truth


def _truth(
    function: str, primitive: Any, identity: bool, a: Any, axis: Any, out: Any, keepdims: bool,
    where: Any,
) -> Any:  # fmt: skip
    no_out(function, out)
    x = truth(operand(a, function, "a"))
    axes = axes_tuple(function, axis, x.aval.ndim)
    return _reduced(function, primitive, identity, x, axes, keepdims, where)


@planned("a", "where")
def all(
    a: Any, axis: Any = None, out: None = None, keepdims: bool = False, *, where: Any = None
) -> Any:
    """Whether all elements along axes are true (not zero)."""
    return _truth("all", reduce.reduce_and, True, a, axis, out, keepdims, where)


@planned("a", "where")
def any(
    a: Any, axis: Any = None, out: None = None, keepdims: bool = False, *, where: Any = None
) -> Any:
    """Whether some element along axes is true (not zero)."""
    return _truth("any", reduce.reduce_or, False, a, axis, out, keepdims, where)


@planned("a")
def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The number of elements along axes that are not zero."""
    return sum(truth(operand(a, "count_nonzero", "a")), axis, keepdims=keepdims)


# --- one axis after the other


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
