"""Quantiles and medians, of all elements or of those that are not nan."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.trace import Tracer
from vires.numpy.arithmetic import clip, divide, multiply
from vires.numpy.choosing import where
from vires.numpy.comparison import truth
from vires.numpy.creation import asarray
from vires.numpy.float_parts import ceil, floor, isnan
from vires.numpy.operands import (
    SCALARS,
    axes_tuple,
    broadcast,
    convert,
    in_dtype,
    inexact_of,
    no_out,
    operand,
    value_or_operand,
)
from vires.numpy.planned import planned
from vires.numpy.reductions import any as any_
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import moveaxis
from vires.numpy.sorting import sort
from vires.ops.filled import full_like
from vires.ops.shape import expand_dims, reshape

__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf")


def _quantile(
    function: str,
    a: Any,
    q: Any,
    axis: Any,
    method: str,
    keepdims: bool,
    skip_nan: bool,
    weights: Any,
) -> Any:
    if method not in _METHODS:
        raise ValueError(f"{function}: needs a method among {', '.join(_METHODS)}; got {method!r}")
    x, exact = operand(a, function, "a"), value_or_operand(q, function, "q")
    q = operand(q, function, "q")
    if dtypes.kind(x.aval.dtype) == "complex":
        raise ValueError(f"{function}: needs a real dtype; got {x.aval.dtype.name}")
    if q.aval.ndim > 1:
        raise ValueError(f"{function}: needs q with at most 1 axis; got shape {q.aval.shape}")
    if not isinstance(q, Tracer) and q.aval.size:
        host = q._numpy().astype(np.float64)
        if not (host.min() >= 0 and host.max() <= 1):
            scale = ("0 to 100", host * 100) if "percentile" in function else ("0 to 1", host)
            raise ValueError(f"{function}: needs q from {scale[0]}; got {scale[1]}")
    weak = x.aval.weak_type
    target = inexact_of(x.aval.dtype)
    x, q = convert(x, target, weak), in_dtype(exact, target)
    axes = axes_tuple(function, axis, x.aval.ndim)
    kept_shape = tuple(n for d, n in enumerate(x.aval.shape) if d not in axes)
    count = math.prod(x.aval.shape[d] for d in axes)
    x = moveaxis(x, axes, tuple(range(len(axes))))
    lines = reshape(x, new_sizes=(count, *kept_shape), dimensions=None)
    if weights is not None:
        result = _weighted(function, lines, q, weights, axes, a, method)
    elif not count:
        result = full_like(
            broadcast(asarray(np.zeros((), target)), (*q.aval.shape, *kept_shape)), math.nan
        )
    else:
        result = _interpolated(lines, q, method, skip_nan)
    if keepdims:
        shape = [1 if d in axes else n for d, n in enumerate(operand(a, function).aval.shape)]
        result = reshape(result, new_sizes=(*q.aval.shape, *shape), dimensions=None)
    return convert(result, target, weak)


def _interpolated(lines: Any, q: Any, method: str, skip_nan: bool) -> Any:
    """Quantiles along axis 0, which has elements; new leading axes follow the shape of q."""
    dtype = lines.aval.dtype
    ordered = sort(lines, 0)
    last = lines.aval.shape[0] - 1
    rest = lines.aval.ndim - 1
    q = expand_dims(q, tuple(range(q.aval.ndim, q.aval.ndim + rest)))
    if skip_nan:
        valid = sum_(truth(1 - convert(isnan(lines), dtypes.int32)), 0)
        top = convert(valid, dtype) - 1
        top = broadcast(top, top.aval.shape)
        place = multiply(q, clip(top, 0, None))
    else:
        top = None
        place = multiply(q, full_like(q, last))
    low, high = floor(place), ceil(place)
    if method == "nearest":
        from_half = (place - low) == 0.5
        even = (low % 2) == 0
        low = high = where(from_half, where(even, low, high), floor(place + 0.5))
    elif method == "inverted_cdf":
        n = full_like(place, last + 1) if top is None else top + 1
        low = high = clip(ceil(multiply(q, n)) - 1, 0, None)
    elif method == "lower":
        high = low
    elif method == "higher":
        low = high
    share = 0.5 if method == "midpoint" else place - low

    def at(position: Any) -> Any:
        index = clip(convert(position, dtypes.int32), 0, last)
        shape = index.aval.shape
        index = broadcast(index, (*shape[: len(shape) - rest], *lines.aval.shape[1:]))
        return _along_first(ordered, index)

    below = at(low)
    result = below if high is low else _between(below, at(high), share, low, high)
    if top is not None:
        return where(top < 0, full_like(result, math.nan), result)
    spoiled = any_(isnan(lines), 0)
    return where(spoiled, full_like(result, math.nan), result)


def _between(below: Any, above: Any, share: Any, low: Any, high: Any) -> Any:
    """Linear interpolation that keeps infinities: the same place on both sides is no interval."""
    return where(low == high, below, below * (1 - share) + above * share)


def _weighted(
    function: str, lines: Any, q: Any, weights: Any, axes: Any, a: Any, method: str
) -> Any:
    if method != "inverted_cdf":
        raise ValueError(f"{function}: needs method='inverted_cdf' next to weights; got {method!r}")
    w = operand(weights, function, "weights")
    shape = operand(a, function).aval.shape
    if w.aval.shape != shape:
        w = broadcast(expand_dims(w, tuple(d for d in range(len(shape)) if d not in axes)), shape)
    w = reshape(
        moveaxis(w, axes, tuple(range(len(axes)))), new_sizes=lines.aval.shape, dimensions=None
    )
    order = lines.argsort(axis=0)
    ordered = _along_first(lines, order)
    running = _along_first(w, order).cumsum(axis=0)
    total = running[-1:]
    rest = lines.aval.ndim - 1
    targets = expand_dims(q, tuple(range(q.aval.ndim, q.aval.ndim + rest)))
    targets = expand_dims(targets, (q.aval.ndim,)) * total
    reached = sum_(convert(running < targets, dtypes.int32), q.aval.ndim)
    index = clip(reached, 0, lines.aval.shape[0] - 1)
    return _along_first(ordered, index)


def _along_first(x: Any, index: Any) -> Any:
    """The elements at places along axis 0, which `index` gives for each place on the other axes;
    it may have more leading axes, or none."""
    rest = x.aval.ndim - 1
    grid = [
        np.arange(n, dtype=np.int32).reshape([-1 if e == d else 1 for e in range(rest)])
        for d, n in enumerate(x.aval.shape[1:])
    ]
    return x.at[(index, *grid)].get(mode="promise_in_bounds", wrap_negative_indices=False)


def quantile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """The value below which a share q of the elements along axes lies, interpolated between
    neighbours.

    method: "linear", "lower", "higher", "midpoint", "nearest" or "inverted_cdf". nan where an
    element is nan.
    """
    no_out("quantile", out)
    return _quantile("quantile", a, q, axis, method, keepdims, False, weights)


def percentile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False, *, weights: Any = None, out_sharding: Any = None,
) -> Any:  # fmt: skip
    """`quantile` with q from 0 to 100."""
    no_out("percentile", out)
    return _quantile("percentile", a, _share(q), axis, method, keepdims, False, weights)


def _share(q: Any) -> Any:
    return q / 100 if q.__class__ in SCALARS else divide(operand(q, "percentile", "q"), 100)


def nanquantile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """`quantile` of the elements that are not nan; nan where there are none."""
    no_out("nanquantile", out)
    return _quantile("nanquantile", a, q, axis, method, keepdims, True, weights)


def nanpercentile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """`percentile` of the elements that are not nan; nan where there are none."""
    no_out("nanpercentile", out)
    return _quantile("nanpercentile", a, _share(q), axis, method, keepdims, True, weights)


@planned("a")
def median(
    a: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:
    """The middle of the sorted elements along axes, the mean of two for an even number; nan where
    one is nan."""
    no_out("median", out)
    return _quantile("median", a, 0.5, axis, "midpoint", keepdims, False, None)


@planned("a")
def nanmedian(
    a: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:
    """The median along axes of the elements that are not nan; nan where there are none."""
    no_out("nanmedian", out)
    return _quantile("nanmedian", a, 0.5, axis, "midpoint", keepdims, True, None)
