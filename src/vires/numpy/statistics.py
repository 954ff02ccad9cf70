"""Statistics: quantiles, medians, covariances, histograms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy.arithmetic import clip, divide, multiply, sqrt, subtract
from vires.numpy.choosing import where
from vires.numpy.comparison import logical_and, truth
from vires.numpy.contraction import contract
from vires.numpy.creation import asarray, flat
from vires.numpy.float_parts import ceil, conj, floor, imag, isnan, real
from vires.numpy.joining import concatenate
from vires.numpy.operands import (
    SCALARS,
    axes_tuple,
    broadcast,
    convert,
    in_dtype,
    inexact_of,
    no_out,
    operand,
    promote_dtypes,
    promote_inexact,
    value_or_operand,
)
from vires.numpy.planned import planned
from vires.numpy.ranges import linspace
from vires.numpy.reductions import any as any_
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import mean as mean_
from vires.numpy.reductions import min as min_
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import atleast_1d, atleast_2d, moveaxis
from vires.numpy.sorting import bincount, searchsorted, sort
from vires.ops.complex import complex
from vires.ops.filled import full_like
from vires.ops.shape import expand_dims, reshape

__all__ = [
    "corrcoef", "cov", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd", "median",
    "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile",
]  # fmt: skip

# --- quantiles

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
        if rest:
            full = (*shape[: len(shape) - rest], *lines.aval.shape[1:])
            index = broadcast(index, full)
            grid = [
                np.arange(n, dtype=np.int32).reshape([-1 if e == d else 1 for e in range(rest)])
                for d, n in enumerate(lines.aval.shape[1:])
            ]
            return ordered.at[(index, *grid)].get(
                mode="promise_in_bounds", wrap_negative_indices=False
            )
        return ordered.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)

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
    grid = [
        np.arange(n, dtype=np.int32).reshape([-1 if e == d else 1 for e in range(rest)])
        for d, n in enumerate(lines.aval.shape[1:])
    ]
    return ordered.at[(index, *grid)].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _along_first(x: Any, order: Any) -> Any:
    rest = x.aval.ndim - 1
    grid = [
        np.arange(n, dtype=np.int32).reshape([1, *(-1 if e == d else 1 for e in range(rest))])
        for d, n in enumerate(x.aval.shape[1:])
    ]
    return x.at[(order, *grid)].get(mode="promise_in_bounds", wrap_negative_indices=False)


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


# --- covariance


def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None, dtype: Any = None,
) -> Any:  # fmt: skip
    """The covariance matrix of variables in rows (columns when not `rowvar`), over N - 1
    observations (N if `bias`)."""
    (x,) = promote_inexact(operand(m, "cov", "m"))
    if x.aval.ndim > 2:
        raise ValueError(f"cov: needs at most 2 axes; got shape {x.aval.shape}")
    if dtype is not None:
        x = convert(x, dtypes.canonical(dtype))
    x = atleast_2d(x)
    if not rowvar and operand(m, "cov").aval.ndim == 2:
        x = x.T
    if not x.aval.shape[0]:
        return asarray(np.zeros((0, 0), x.aval.dtype))
    if y is not None:
        second = atleast_2d(promote_inexact(operand(y, "cov", "y"))[0])
        if not rowvar and second.aval.shape[0] != 1:
            second = second.T
        x = concatenate([x, second], 0)
    if ddof is None:
        ddof = 0 if bias else 1
    weights = None
    for given, name, whole in ((fweights, "fweights", True), (aweights, "aweights", False)):
        if given is None:
            continue
        w = operand(given, "cov", name)
        if w.aval.ndim != 1 or w.aval.shape[0] != x.aval.shape[1]:
            raise ValueError(f"cov: needs {name} of shape ({x.aval.shape[1]},); got {w.aval.shape}")
        if whole and not dtypes.is_integer(w.aval.dtype):
            raise TypeError(f"cov: needs integer fweights; got {w.aval.dtype.name}")
        weights = w if weights is None else multiply(weights, w)
    if weights is None:
        center = mean_(x, 1, keepdims=True)
        factor: Any = x.aval.shape[1] - ddof
        deviation = subtract(x, center)
        weighted = deviation
    else:
        weights = convert(weights, dtypes.real_of(x.aval.dtype))
        total = sum_(weights)
        center = divide(sum_(multiply(x, weights), 1, keepdims=True), total)
        if not ddof:
            factor = total
        elif aweights is None:
            factor = total - ddof
        else:
            factor = total - ddof * sum_(multiply(weights, operand(aweights, "cov"))) / total
        deviation = subtract(x, center)
        weighted = multiply(deviation, weights)
    product = contract(weighted, conj(deviation), ((1,), (1,)))
    if isinstance(factor, int):
        factor = max(factor, 0)
    result = divide(product, convert(operand(factor, "cov"), dtypes.real_of(product.aval.dtype)))
    return result.squeeze() if result.aval.size == 1 else result


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, dtype: Any = None) -> Any:
    """The matrix of correlation coefficients of variables in rows (columns when not `rowvar`)."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.aval.ndim:
        return divide(c, c)
    deviations = sqrt(real(c.diagonal()))
    result = c / deviations[:, None] / deviations[None, :]
    if dtypes.kind(result.aval.dtype) == "complex":
        return complex(clip(real(result), -1, 1), clip(imag(result), -1, 1))
    return clip(result, -1, 1)


# --- histograms


def _edges(function: str, x: Any, bins: Any, range_: Any) -> Any:
    if isinstance(bins, str):
        raise NotImplementedError(f"{function}: needs a number of bins or edges; got {bins!r}")
    if isinstance(bins, Tracer) and bins.concrete() is None and not bins.aval.ndim:
        raise ConcretizationTypeError(bins, f"{function} (the number of bins decides the shape)")
    if isinstance(bins, Sequence) or getattr(bins, "ndim", 0) > 0:
        edges = asarray(bins)
        if edges.aval.ndim != 1:
            raise ValueError(f"{function}: needs 1-d edges; got shape {edges.aval.shape}")
        return promote_inexact(edges)[0]
    dtype = inexact_of(promote_dtypes(x)[0])
    if range_ is None:
        low, high = (min_(x), max_(x)) if x.aval.size else (asarray(0.0), asarray(1.0))
    else:
        low, high = (operand(end, function, "range") for end in range_)
    low, high = convert(low, dtype), convert(high, dtype)
    flat_range = low == high
    low, high = where(flat_range, low - 0.5, low), where(flat_range, high + 0.5, high)
    return linspace(low, high, int(bins) + 1, dtype=dtype)


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """The edges of the bins that `histogram` uses."""
    return _edges("histogram_bin_edges", flat(operand(a, "histogram_bin_edges", "a")), bins, range)


def _bin_numbers(x: Any, edges: Any) -> tuple[Any, Any]:
    """The bin of each element, and whether it lies in one; the last bin is closed on both sides."""
    dtype, _ = promote_dtypes(x, edges)
    x, edges = convert(x, dtype), convert(edges, dtype)
    count = edges.aval.size - 1
    number = searchsorted(edges, x, "right") - 1
    number = where(x == edges[-1], count - 1, number)
    return number, logical_and(x >= edges[0], x <= edges[-1])


def histogram(
    a: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
) -> tuple[Any, Any]:
    """(counts, edges): how many elements, or how much weight, each bin holds; as a density when
    `density`."""
    x = flat(operand(a, "histogram", "a"))
    edges = _edges("histogram", x, bins, range)
    number, inside = _bin_numbers(x, edges)
    count = edges.aval.size - 1
    if weights is None:
        amounts = asarray(np.ones(x.aval.shape, inexact_of(x.aval.dtype)))
    else:
        amounts = flat(operand(weights, "histogram", "weights"))
        if amounts.aval.shape != x.aval.shape:
            raise ValueError(
                f"histogram: needs weights of shape {x.aval.shape}; got {amounts.aval.shape}"
            )
    counts = bincount(where(inside, number, count), amounts, length=count)
    if density:
        widths = edges[1:] - edges[:-1]
        (counts,) = promote_inexact(counts)
        counts = counts / widths / sum_(counts)
    return counts, edges


def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
) -> tuple[Any, list[Any]]:
    """(counts, edges of each axis) for points given as rows, or as a sequence of coordinate
    arrays."""
    if isinstance(sample, (list, tuple)):
        points = concatenate(
            [expand_dims(flat(operand(x, "histogramdd", "sample")), (1,)) for x in sample], 1
        )
    else:
        points = atleast_1d(operand(sample, "histogramdd", "sample"))
        points = points if points.aval.ndim > 1 else expand_dims(points, (1,))
    n, dims = points.aval.shape
    per_axis = list(bins) if isinstance(bins, (list, tuple)) else [bins] * dims
    if len(per_axis) != dims:
        raise ValueError(f"histogramdd: needs bins for each of {dims} axes; got {len(per_axis)}")
    ranges = [None] * dims if range is None else list(range)
    edges = [_edges("histogramdd", points[:, d], per_axis[d], ranges[d]) for d in _counting(dims)]
    total: Any = asarray(np.zeros((n,), np.int32))
    inside: Any = asarray(np.ones((n,), bool))
    for d in _counting(dims):
        number, here = _bin_numbers(points[:, d], edges[d])
        total = total * (edges[d].aval.size - 1) + number
        inside = logical_and(inside, here)
    shape = tuple(e.aval.size - 1 for e in edges)
    amounts = (
        asarray(np.ones((n,), inexact_of(points.aval.dtype)))
        if weights is None
        else flat(operand(weights, "histogramdd", "weights"))
    )
    counts = bincount(
        where(inside, total, math.prod(shape)), amounts, length=math.prod(shape)
    ).reshape(shape)
    if density:
        (counts,) = promote_inexact(counts)
        counts = counts / sum_(counts)
        for d, e in enumerate(edges):
            widths = e[1:] - e[:-1]
            counts = counts / expand_dims(widths, tuple(k for k in _counting(dims) if k != d))
    return counts, edges


_counting = range


def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    weights: Any = None,
    density: bool | None = None,
) -> tuple[Any, Any, Any]:
    """(counts, x edges, y edges) for points in the plane."""
    if isinstance(bins, (list, tuple)) and len(bins) == 2:
        per_axis: Any = list(bins)
    else:
        per_axis = [bins, bins]
    counts, (x_edges, y_edges) = histogramdd([x, y], per_axis, range, weights, density)
    return counts, x_edges, y_edges
