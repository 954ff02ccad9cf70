"""Order: `sort`, `argsort`, `searchsorted`, `digitize`, `partition`, `bincount`, `interp`, ..."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy.arithmetic import clip, remainder, where_
from vires.numpy.choosing import where
from vires.numpy.comparison import bitwise_not, less, less_equal
from vires.numpy.creation import asarray, flat
from vires.numpy.float_parts import isnan
from vires.numpy.operands import (
    axis_index,
    broadcast,
    convert,
    operand,
    promote,
    promote_inexact,
    sequence_operands,
    size_argument,
    value_or_operand,
)
from vires.numpy.planned import planned, shortcut
from vires.ops.filled import iota
from vires.ops.join import concatenate
from vires.ops.parts import rev
from vires.ops.sort import sort as sort_p

__all__ = [
    "argpartition", "argsort", "bincount", "digitize", "interp", "lexsort", "partition",
    "searchsorted", "sort", "sort_complex",
]  # fmt: skip


def _no_kind(function: str, kind: Any, order: Any) -> None:
    if kind is not None or order is not None:
        raise NotImplementedError(
            f"{function}: needs kind=None and order=None (stable=... chooses); got {kind or order}"
        )


def _positions(x: Any, axis: int, dtype: Any = dtypes.int32) -> Any:
    return iota(dtype=dtype, shape=x.aval.shape, dimension=axis)


@planned("a")
def sort(
    a: Any, axis: int | None = -1, *, kind: None = None, order: None = None, stable: bool = True,
    descending: bool = False,
) -> Any:  # fmt: skip
    """The elements along an axis (None: of the flattened array) in ascending order, nan last; nan
    first when
    `descending`."""
    _no_kind("sort", kind, order)
    x = operand(a, "sort", "a")
    if axis is None:
        x, axis = flat(x), 0
    if not x.aval.ndim:
        raise np.exceptions.AxisError("sort: needs at least 1 axis; got a 0-d array")
    axis = axis_index("sort", axis, x.aval.ndim)
    (result,) = sort_p(x, dimension=axis, is_stable=stable, num_keys=1)
    return rev(result, dimensions=(axis,)) if descending else result


@planned("a")
def argsort(
    a: Any, axis: int | None = -1, *, kind: None = None, order: None = None, stable: bool = True,
    descending: bool = False, dtype: Any = None,
) -> Any:  # fmt: skip
    """The indices that sort along an axis (None: of the flattened array); equal elements keep their
    order."""
    _no_kind("argsort", kind, order)
    x = operand(a, "argsort", "a")
    if axis is None:
        x, axis = flat(x), 0
    if not x.aval.ndim:
        raise np.exceptions.AxisError("argsort: needs at least 1 axis; got a 0-d array")
    axis = axis_index("argsort", axis, x.aval.ndim)
    index_dtype = dtypes.default_int() if dtype is None else dtypes.canonical(dtype)
    places = _positions(x, axis, index_dtype)
    if (
        descending
    ):  # stable in the reverse order: sort the reversed array, reverse, count from the other end
        x = rev(x, dimensions=(axis,))
    _, result = sort_p(x, places, dimension=axis, is_stable=stable, num_keys=1)
    if not descending:
        return result
    result = rev(result, dimensions=(axis,))
    return (x.aval.shape[axis] - 1) - result


def lexsort(keys: Any, axis: int = -1) -> Any:
    """The indices that sort by the last key, ties by the one before it, and so on."""
    arrays = sequence_operands(keys, "lexsort", "keys")
    if not arrays:
        raise TypeError("lexsort: needs at least one key; got none")
    if len({x.aval.shape for x in arrays}) > 1:
        raise ValueError(
            "lexsort: needs keys of one shape; got " + ", ".join(str(x.aval.shape) for x in arrays)
        )
    if not arrays[0].aval.ndim:
        return asarray(np.zeros((), dtypes.default_int()))
    axis = axis_index("lexsort", axis, arrays[0].aval.ndim)
    places = _positions(arrays[0], axis, dtypes.default_int())
    return sort_p(*arrays[::-1], places, dimension=axis, is_stable=True, num_keys=len(arrays))[-1]


def sort_complex(a: Any) -> Any:
    """The elements sorted along the last axis, as complex numbers."""
    x = operand(a, "sort_complex", "a")
    result = sort(x)
    return convert(result, dtypes.complex_of(result.aval.dtype))


def _kth(function: str, kth: Any, size: int) -> None:
    k = operator.index(kth)
    if not -size <= k < size:
        raise ValueError(f"{function}: needs kth in [{-size}, {size}); got {k}")


def partition(a: Any, kth: int, axis: int = -1) -> Any:
    """The element of rank kth at its place along an axis, smaller ones before it, larger ones
    after."""
    x = operand(a, "partition", "a")
    axis = axis_index("partition", axis, x.aval.ndim)
    _kth("partition", kth, x.aval.shape[axis])
    return sort(x, axis)


def argpartition(a: Any, kth: int, axis: int = -1) -> Any:
    """The indices that `partition` along an axis."""
    x = operand(a, "argpartition", "a")
    axis = axis_index("argpartition", axis, x.aval.ndim)
    _kth("argpartition", kth, x.aval.shape[axis])
    return argsort(x, axis)


# --- searching


@shortcut("searchsorted")
def searchsorted(
    a: Any, v: Any, side: str = "left", sorter: Any = None, *, method: str = "scan"
) -> Any:
    """Where to insert `v` into the sorted 1-d array `a` so that it stays sorted: before ("left") or
    after equals."""
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: needs side 'left' or 'right'; got {side!r}")
    x, y = promote(operand(a, "searchsorted", "a"), value_or_operand(v, "searchsorted", "v"))
    if x.aval.ndim != 1:
        raise ValueError(f"searchsorted: needs a 1-d array to search; got shape {x.aval.shape}")
    if sorter is not None:
        x = x[operand(sorter, "searchsorted", "sorter")]
    size = x.aval.size
    if not isinstance(x, Tracer) and not isinstance(y, Tracer) and x.aval.dtype.kind != "V":
        return asarray(np.searchsorted(x._numpy(), y._numpy(), side).astype(dtypes.default_int()))
    return _bisect(x, y, size, side)


def _before(element: Any, y: Any, side: str) -> Any:
    """Whether an element of the sorted array lies before the place to insert y; nan is the
    largest."""
    if not dtypes.is_inexact(element.aval.dtype):
        return less(element, y) if side == "left" else less_equal(element, y)
    if side == "left":
        return less(element, y) | (isnan(y) & bitwise_not(isnan(element)))
    return less_equal(element, y) | isnan(y)


def _bisect(x: Any, y: Any, size: int, side: str) -> Any:
    """Binary search with a fixed number of steps: the bits of the place, from the highest."""
    shape = y.aval.shape
    place = broadcast(asarray(np.zeros((), np.int32)), shape)
    if not size:
        return convert(place, dtypes.default_int())
    step = 1 << size.bit_length() - 1
    while step:
        candidate = place + step
        element = x.at[clip(candidate - 1, 0, size - 1)].get(
            mode="promise_in_bounds", wrap_negative_indices=False
        )
        ahead = less_equal(candidate, size) & _before(element, y, side)
        place = where_(ahead, candidate, place)
        step >>= 1
    return convert(place, dtypes.default_int())


def digitize(x: Any, bins: Any, right: bool = False, *, method: str | None = None) -> Any:
    """The number of the bin of each element; `bins` are increasing or decreasing edges, `right`
    closes bins there."""
    x, edges = operand(x, "digitize"), operand(bins, "digitize", "bins")
    if edges.aval.ndim != 1:
        raise ValueError(f"digitize: needs 1-d bins; got shape {edges.aval.shape}")
    size = edges.aval.size
    if not size:
        return asarray(np.zeros(x.aval.shape, dtypes.default_int()))
    side = "left" if right else "right"
    rising = edges[-1] >= edges[0]
    if not isinstance(rising, Tracer):
        return (
            searchsorted(edges, x, side)
            if bool(rising)
            else size - searchsorted(edges[::-1], x, side)
        )
    return where(rising, searchsorted(edges, x, side), size - searchsorted(edges[::-1], x, side))


@shortcut("bincount")
def bincount(
    x: Any,
    weights: Any = None,
    minlength: int = 0,
    *,
    length: int | None = None,
    out_sharding: Any = None,
) -> Any:
    """How often each integer >= 0 occurs, or the sum of the weights of its occurrences.

    Under jit the result's size must be given as `length`; integers outside are left out.
    """
    values = operand(x, "bincount")
    if values.aval.ndim != 1 or not (
        dtypes.is_integer(values.aval.dtype)
        or values.aval.dtype == dtypes.bool_
        or not values.aval.size
    ):
        raise TypeError(f"bincount: needs a 1-d array of integers; got {values.aval.str_short()}")
    if not dtypes.is_integer(values.aval.dtype):
        values = convert(values, dtypes.int32)
    concrete = values.concrete() if isinstance(values, Tracer) else values
    if length is None:
        if concrete is None:
            raise ConcretizationTypeError(
                values, "bincount (the largest value decides the shape: try length=...)"
            )
        host = concrete._numpy()
        if host.size and int(host.min()) < 0:
            raise ValueError(f"bincount: needs integers >= 0; got {int(host.min())}")
        length = max(int(host.max()) + 1 if host.size else 0, operator.index(minlength))
    else:
        length = size_argument("bincount", length)
        values = clip(values, 0, None)
    if weights is None:
        amounts = asarray(np.ones(values.aval.shape, dtypes.default_int()))
    else:
        amounts = operand(weights, "bincount", "weights")
        if amounts.aval.shape != values.aval.shape:
            raise ValueError(
                f"bincount: needs weights of shape {values.aval.shape}; got {amounts.aval.shape}"
            )
    return asarray(np.zeros(length, amounts.aval.dtype)).at[values].add(amounts, mode="drop")


def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Piecewise linear interpolation through the points (xp, fp) with increasing xp; `left` and
    `right` are the values
    outside (default: those at the ends), `period` makes it periodic."""
    places, knots = promote_inexact(operand(x, "interp"), operand(xp, "interp", "xp"))
    (values,) = promote_inexact(operand(fp, "interp", "fp"))
    places, knots, values = promote(places, knots,
    values) if dtypes.kind(values.aval.dtype) == "float" else (
        places, knots, values
    )  # fmt: skip
    if knots.aval.ndim != 1 or knots.aval.shape != values.aval.shape:
        raise ValueError(
            f"interp: needs 1-d xp and fp of one size; got {knots.aval.shape} and "
            f"{values.aval.shape}"
        )
    if not knots.aval.size:
        raise ValueError("interp: needs at least one point; got none")
    if period is not None:
        span = abs(asarray(period))
        places, knots = remainder(places, span), remainder(knots, span)
        order = argsort(knots)
        knots, values = knots[order], values[order]
        knots = concatenate(*promote(knots[-1:] - span, knots, knots[:1] + span), dimension=0)
        values = concatenate(values[-1:], values, values[:1], dimension=0)
    size = knots.aval.size
    if size == 1:
        inside = broadcast(values, places.aval.shape or (1,)) if places.aval.ndim else values[0]
    else:
        upper = clip(searchsorted(knots, places, "right"), 1, size - 1)
        x0 = knots.at[upper - 1].get(mode="promise_in_bounds", wrap_negative_indices=False)
        x1 = knots.at[upper].get(mode="promise_in_bounds", wrap_negative_indices=False)
        y0 = values.at[upper - 1].get(mode="promise_in_bounds", wrap_negative_indices=False)
        y1 = values.at[upper].get(mode="promise_in_bounds", wrap_negative_indices=False)
        width = x1 - x0
        flat_step = width == 0
        share = where(flat_step, 0, (places - x0) / where(flat_step, 1, width))
        inside = where(share == 1, y1, y0 + share * (y1 - y0))
    if period is not None:
        return inside
    low = values[0] if left is None else left
    high = values[-1] if right is None else right
    if isinstance(low, str) or isinstance(high, str):
        raise NotImplementedError("interp: needs numbers for left and right; got a string")
    result = where(places < knots[0], low, inside)
    return where(places > knots[-1], high, result)
