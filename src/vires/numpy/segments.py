"""Reductions over the elements that have the same number."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.trace import Tracer
from vires.numpy.choosing import where
from vires.numpy.creation import full
from vires.numpy.operands import ShapeError, operand, shape_text
from vires.numpy.ranges import arange
from vires.numpy.reductions import max as greatest
from vires.numpy.reductions import min as least
from vires.numpy.reductions import prod
from vires.numpy.reductions import sum as total

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]


def _segments(
    name: str,
    data: Any,
    segment_ids: Any,
    num_segments: int | None,
    bucket_size: int | None,
    options: dict[str, Any],
) -> Any:
    method, identity_of, reduce = _KINDS[name]
    x, ids = operand(data, name, "data"), operand(segment_ids, name, "segment_ids")
    if dtypes.kind(ids.dtype) not in ("signed", "unsigned") or ids.shape != x.shape[: ids.ndim]:
        raise ShapeError(
            f"{name}: needs integer segment_ids for the first axes of data; got "
            f"{shape_text(ids)} for {shape_text(x)}"
        )
    if num_segments is None:
        num_segments = _count(name, ids)
    # Negative numbers belong to no segment: they do not count from the end.
    places = where(ids < 0, num_segments, ids) if dtypes.kind(ids.dtype) == "signed" else ids
    rest, identity = x.shape[ids.ndim :], identity_of(x.dtype)
    options = {**options, "mode": options["mode"] or "drop"}
    if bucket_size is None:
        start = full((num_segments, *rest), identity, x.dtype)
        return getattr(start.at[places], method)(x, **options)
    count = -(-ids.shape[0] // bucket_size)
    buckets = (arange(ids.shape[0]) // bucket_size).reshape(-1, *(1,) * (ids.ndim - 1))
    start = full((count, num_segments, *rest), identity, x.dtype)
    parts = getattr(start.at[buckets, places], method)(x, mode=options["mode"])
    if method in ("add", "multiply"):
        return reduce(parts, axis=0, dtype=x.dtype)
    return reduce(parts, axis=0, initial=identity)


def _count(name: str, ids: Any) -> int:
    """One more than the greatest number."""
    known = ids.concrete() if isinstance(ids, Tracer) else ids
    if known is None:
        raise TypeError(f"{name}: needs num_segments where segment_ids are traced; got None")
    return max(int(np.asarray(known).max(initial=-1)) + 1, 0)


def _bounds(dtype: Any) -> tuple[Any, Any]:
    if dtypes.kind(dtype) == "float":
        return -np.inf, np.inf
    if dtype == dtypes.bool_:
        return False, True
    info = np.iinfo(dtype)
    return info.min, info.max


#: Method of `x.at[...]`, value of an empty segment, and what joins parts.
_KINDS: dict[str, Any] = {
    "segment_sum": ("add", lambda dtype: 0, total),
    "segment_prod": ("multiply", lambda dtype: 1, prod),
    "segment_max": ("max", lambda dtype: _bounds(dtype)[0], greatest),
    "segment_min": ("min", lambda dtype: _bounds(dtype)[1], least),
}


def _function(name: str, doc: str) -> Any:
    def function(
        data: Any,
        segment_ids: Any,
        num_segments: int | None = None,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        bucket_size: int | None = None,
        mode: Any = None,
    ) -> Any:
        options = {
            "indices_are_sorted": indices_are_sorted,
            "unique_indices": unique_indices,
            "mode": mode,
        }
        return _segments(name, data, segment_ids, num_segments, bucket_size, options)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


segment_sum = _function(
    "segment_sum",
    """The sum of the elements of `data` with each segment number: result[i] of those with id i.

    Args:
      data: elements, or with further axes arrays of elements.
      segment_ids: integers for the first axes of `data`; negative ones, and those of
        `num_segments` or more, belong to no segment.
      num_segments: the length of the result; by default the greatest id and one more.
      indices_are_sorted, unique_indices: what is known of the ids.
      bucket_size: reduce runs of so many elements first, which rounds less.
      mode: what becomes of ids out of range, "drop" by default, as in `x.at[...].add`.

    >>> import numpy as np
    >>> segment_sum(np.array([1, 2, 4]), np.array([0, 0, 2])).tolist()
    [3, 0, 4]
    """,
)
segment_prod = _function(
    "segment_prod",
    """The product of the elements with each segment number, 1 where there is none (see
    `segment_sum`).
    """,
)
segment_max = _function(
    "segment_max",
    """The greatest element with each segment number; the least of the dtype (-inf) where there is
    none (see `segment_sum`).
    """,
)
segment_min = _function(
    "segment_min",
    """The least element with each segment number; the greatest of the dtype (inf) where there is
    none (see `segment_sum`).
    """,
)
