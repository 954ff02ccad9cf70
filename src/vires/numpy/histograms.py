"""Histograms: how many points lie in each bin, along one axis or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy.choosing import where
from vires.numpy.comparison import logical_and
from vires.numpy.creation import asarray, flat
from vires.numpy.joining import concatenate
from vires.numpy.operands import convert, inexact_of, operand, promote_dtypes, promote_inexact
from vires.numpy.ranges import linspace
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import min as min_
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import atleast_1d
from vires.numpy.sorting import bincount, searchsorted
from vires.ops.shape import expand_dims

__all__ = ["histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]


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
