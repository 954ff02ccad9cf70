"""Arrays and elements several times: `tile`, `repeat`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy.creation import flat
from vires.numpy.operands import (
    axis_index,
    broadcast,
    check_sizes,
    operand,
    shape_tuple,
)
from vires.numpy.planned import planned
from vires.ops.shape import (
    broadcast_in_dim,
    reshape,
)


@planned("A")
def tile(A: Any, reps: Any) -> Any:
    """The whole array repeated along each axis; more repetitions than axes add leading axes."""
    x = operand(A, "tile", "A")
    counts = check_sizes("tile", shape_tuple("tile", reps))
    rank = max(len(counts), x.aval.ndim)
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - x.aval.ndim) + x.aval.shape
    pairs = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
    spread = broadcast_in_dim(
        reshape(x, new_sizes=shape, dimensions=None) if shape != x.aval.shape else x,
        shape=pairs,
        broadcast_dimensions=tuple(range(1, 2 * rank, 2)),
    )
    total = tuple(n * m for n, m in zip(counts, shape, strict=True))
    return reshape(spread, new_sizes=total, dimensions=None)


@planned("a")
def repeat(
    a: Any,
    repeats: Any,
    axis: int | None = None,
    *,
    total_repeat_length: int | None = None,
    out_sharding: Any = None,
) -> Any:
    """Each element along an axis repeated (None: flattened first).

    Traced `repeats` need `total_repeat_length`: the result is cut to it, or its last element
    repeated.
    """
    x = operand(a, "repeat", "a")
    if axis is None:
        x, axis = flat(x), 0
    axis = axis_index("repeat", axis, x.aval.ndim)
    size = x.aval.shape[axis]
    if isinstance(repeats, Tracer) and repeats.concrete() is None:
        if total_repeat_length is None:
            raise ConcretizationTypeError(
                repeats, "repeat (repeats decides the shape: try total_repeat_length=...)"
            )
        return _repeat_traced(x, repeats, axis, total_repeat_length)
    counts = np.asarray(repeats)
    if counts.size == 1 and total_repeat_length is None:
        n = operator.index(counts.reshape(()).item())
        if n < 0:
            raise ValueError(f"repeat: needs repeats >= 0; got {n}")
        shape = x.aval.shape
        spread = broadcast_in_dim(
            x,
            shape=(*shape[: axis + 1], n, *shape[axis + 1 :]),
            broadcast_dimensions=tuple(d + (d > axis) for d in range(len(shape))),
        )
        return reshape(
            spread, new_sizes=(*shape[:axis], size * n, *shape[axis + 1 :]), dimensions=None
        )
    counts = np.broadcast_to(counts, (size,)) if counts.size == 1 else counts
    if counts.shape != (size,):
        raise ValueError(f"repeat: needs 1 or {size} repeats; got shape {counts.shape}")
    if (counts < 0).any():
        raise ValueError("repeat: needs repeats >= 0; got a negative one")
    source = np.repeat(np.arange(size, dtype=np.int32), counts)
    if total_repeat_length is not None:
        missing = total_repeat_length - source.size
        last = source[-1:] if source.size else np.full(1, max(size - 1, 0), np.int32)
        source = (
            np.concatenate([source, np.repeat(last, missing)])
            if missing > 0
            else source[:total_repeat_length]
        )
    return x[(slice(None),) * axis + (source,)]


def _repeat_traced(x: Any, repeats: Any, axis: int, total: int) -> Any:
    counts = broadcast(repeats, (x.aval.shape[axis],)) if repeats.aval.ndim == 0 else repeats
    ends = counts.cumsum()
    # The source of a place is the number of ends at or before it.
    places = np.arange(total, dtype=np.int32)
    source = (ends[None, :] <= places[:, None]).sum(axis=1).clip(max=x.aval.shape[axis] - 1)
    return x.at[(slice(None),) * axis + (source,)].get(mode="clip")


__all__ = ["repeat", "tile"]
