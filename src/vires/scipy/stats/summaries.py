"""Summaries of samples: most frequent values, ranks, standard errors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from vires.core import dtypes
from vires.lax.reduce import cummax
from vires.numpy.choosing import take_along_axis, where
from vires.numpy.cumulative import cumsum
from vires.numpy.operands import axis_index, convert, operand, promote_inexact
from vires.numpy.planned import planned
from vires.numpy.reductions import argmax
from vires.numpy.reductions import max as max_
from vires.numpy.shaping import flip, moveaxis
from vires.numpy.sorting import argsort, sort
from vires.numpy.statistics import std
from vires.ops.join import concatenate

__all__ = ["ModeResult", "mode", "rankdata", "sem"]


class ModeResult(NamedTuple):
    """What `mode` gives."""

    mode: Any
    count: Any


def _check_policy(function: str, nan_policy: str) -> None:
    if nan_policy == "omit":
        raise NotImplementedError(
            f"{function}: needs nan_policy 'propagate', since the size of results must be known; "
            "got 'omit'"
        )
    if nan_policy != "propagate":
        raise ValueError(f"{function}: needs nan_policy 'propagate'; got {nan_policy!r}")


def _lines(function: str, a: Any, axis: int | None) -> tuple[Any, int]:
    """The operand with the axis in question last, and where that was."""
    x = operand(a, function, "a")
    if axis is None or not x.aval.ndim:
        return x.reshape((-1,)), 0
    place = axis_index(function, axis, x.aval.ndim)
    return moveaxis(x, place, -1), place


def _starts(ordered: Any) -> Any:
    """Whether an element of a sorted line differs from the one before; the first does."""
    changed = ordered[..., 1:] != ordered[..., :-1]
    first = ordered[..., :1] == ordered[..., :1]
    return concatenate(first | True, changed, dimension=ordered.aval.ndim - 1)


def _runs(ordered: Any) -> tuple[Any, Any]:
    """For each element of a sorted line where its run of equal elements begins, and where the next
    run does."""
    n = ordered.aval.shape[-1]
    places = np.arange(n, dtype=np.int32)
    starts = _starts(ordered)
    begin = _cummax(where(starts, places, 0))
    ends = concatenate(starts[..., 1:], starts[..., :1], dimension=starts.aval.ndim - 1)
    last = flip(_cummax(flip(where(ends, n - places, 0), -1)), -1)
    return begin, n - last + 1


def _cummax(x: Any) -> Any:
    return cummax(x, axis=x.aval.ndim - 1)


def mode(
    a: Any, axis: int | None = 0, nan_policy: str = "propagate", keepdims: bool = False
) -> ModeResult:
    """The most frequent element along an axis, the smallest of several, and how often it occurs."""
    _check_policy("mode", nan_policy)
    return ModeResult(*_mode(a, axis, bool(keepdims)))


@planned("a")
def _mode(a: Any, axis: int | None, keepdims: bool) -> tuple[Any, Any]:
    x, place = _lines("mode", a, axis)
    ndim = operand(a, "mode").aval.ndim
    if not x.aval.shape[-1]:
        raise ValueError(f"mode: needs at least 1 element; got shape {x.aval.shape}")
    ordered = sort(x, axis=-1)
    begin, end = _runs(ordered)
    length = end - begin
    best = argmax(length, axis=-1, keepdims=True)
    value = take_along_axis(ordered, best, axis=-1)
    count = convert(max_(length, -1, keepdims=True), dtypes.default_int())
    if not keepdims:
        return value[..., 0], count[..., 0]
    if axis is None:
        return value.reshape((1,) * ndim), count.reshape((1,) * ndim)
    return moveaxis(value, -1, place), moveaxis(count, -1, place)


def rankdata(
    a: Any, method: str = "average", *, axis: int | None = None, nan_policy: str = "propagate"
) -> Any:
    """The ranks of the elements, from 1; equal elements share the "average", "min" or "max" of
    their ranks, are numbered in order ("ordinal"), or count as one ("dense")."""
    _check_policy("rankdata", nan_policy)
    if method not in ("average", "min", "max", "dense", "ordinal"):
        raise ValueError(
            f"rankdata: needs method 'average', 'min', 'max', 'dense' or 'ordinal'; got {method!r}"
        )
    return _rankdata(a, method, axis)


@planned("a")
def _rankdata(a: Any, method: str, axis: int | None) -> Any:
    x, place = _lines("rankdata", a, axis)
    order = argsort(x, axis=-1)
    places = argsort(order, axis=-1)
    if method == "ordinal":
        ranks = places + 1
    else:
        ordered = take_along_axis(x, order, axis=-1)
        if method == "dense":
            ranks = cumsum(convert(_starts(ordered), dtypes.default_int()), -1)
        else:
            begin, end = _runs(ordered)
            average = convert(begin + 1 + end, dtypes.default_float()) * 0.5
            ranks = {"min": begin + 1, "max": end, "average": average}[method]
        ranks = take_along_axis(ranks, places, axis=-1)
    target = dtypes.default_float() if method == "average" else dtypes.default_int()
    ranks = convert(ranks, target)
    if dtypes.is_inexact(x.aval.dtype):
        spoiled = (x != x).any(-1, keepdims=True)
        if method == "average":
            ranks = where(spoiled, math.nan, ranks)
    return ranks if axis is None else moveaxis(ranks, -1, place)


def sem(
    a: Any, axis: int | None = 0, ddof: int = 1, nan_policy: str = "propagate", *,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """The standard error of the mean along an axis (None: of all elements): the standard deviation
    with `ddof` less degrees of freedom, divided by the square root of the number of elements."""
    _check_policy("sem", nan_policy)
    return _sem(a, axis, ddof, bool(keepdims))


@planned("a")
def _sem(a: Any, axis: int | None, ddof: int, keepdims: bool) -> Any:
    (x,) = promote_inexact(operand(a, "sem", "a"))
    count = x.aval.size if axis is None else x.aval.shape[axis_index("sem", axis, x.aval.ndim)]
    return std(x, axis, ddof=ddof, keepdims=keepdims) / math.sqrt(count)
