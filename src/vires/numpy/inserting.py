"""Slices put between those of an array, or taken out: `insert`, `delete`."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy.creation import asarray, flat
from vires.numpy.operands import (
    axis_index,
    broadcast,
    common_shape,
    convert,
    operand,
    promote_dtypes,
)
from vires.numpy.shaping import moveaxis
from vires.ops.shape import (
    expand_dims as expand_dims_p,
)


def delete(
    arr: Any, obj: Any, axis: int | None = None, *, assume_unique_indices: bool = False
) -> Any:
    """`arr` without the slices at `obj`, an index, a slice, a mask or indices, along an axis (None:
    flattened)."""
    x = operand(arr, "delete", "arr")
    if axis is None:
        x, axis = flat(x), 0
    axis = axis_index("delete", axis, x.aval.ndim)
    size = x.aval.shape[axis]
    if isinstance(obj, Tracer) and obj.concrete() is None:
        return _delete_traced(x, obj, axis, assume_unique_indices)
    keep = np.ones(size, bool)
    chosen = obj if isinstance(obj, (slice, int)) else np.asarray(obj)
    if not isinstance(chosen, (slice, int)):
        if chosen.dtype == bool:
            if chosen.shape != (size,):
                raise ValueError(f"delete: needs a mask of shape ({size},); got {chosen.shape}")
        else:
            chosen = chosen.astype(int) if chosen.size == 0 else chosen
    if isinstance(chosen, int) or (isinstance(chosen, np.ndarray) and chosen.dtype != bool):
        for index in np.ravel(chosen).tolist():
            if not -size <= index < size:
                raise IndexError(
                    f"delete: needs an index in [{-size}, {size}); got {index} for axis {axis}"
                )
    keep[chosen] = False
    return x[(slice(None),) * axis + (np.flatnonzero(keep),)]


def _delete_traced(x: Any, obj: Any, axis: int, unique: bool) -> Any:
    """A traced index removes one slice; several need `assume_unique_indices`, so that the shape is
    known."""
    if not dtypes.is_integer(obj.aval.dtype):
        raise ConcretizationTypeError(obj, "delete (the mask decides the shape)")
    if obj.aval.size != 1 and not unique:
        raise ConcretizationTypeError(
            obj, "delete (repeated indices decide the shape: try assume_unique_indices=True)"
        )
    size = x.aval.shape[axis]
    removed = flat(obj)
    removed = (removed + (removed < 0) * size).sort()
    places = np.arange(size - removed.aval.size, dtype=np.int32)
    shift = (
        places[None, :] >= (removed - np.arange(removed.aval.size, dtype=np.int32))[:, None]
    ).sum(axis=0)
    return x.at[(slice(None),) * axis + (places + shift,)].get(mode="clip")


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """`arr` with values inserted before the indices `obj` along an axis (None: flattened)."""
    x, new = operand(arr, "insert", "arr"), asarray(values)
    if axis is None:
        x, axis = flat(x), 0
    axis = axis_index("insert", axis, x.aval.ndim)
    size = x.aval.shape[axis]
    if isinstance(obj, Tracer) and obj.concrete() is None:
        places = flat(obj)
        scalar = obj.aval.ndim == 0
    else:
        if isinstance(obj, slice):
            obj = np.arange(*obj.indices(size))
        host = np.asarray(obj)
        if host.dtype == bool:
            host = np.flatnonzero(host)
        if host.size and not (-size <= host.min() and host.max() <= size):
            raise IndexError(
                f"insert: needs indices in [{-size}, {size}]; got {host.tolist()} for axis {axis}"
            )
        scalar = host.ndim == 0
        places = asarray(host.reshape(-1).astype(np.int32))
    count = places.aval.size
    places = places + (places < 0) * size
    if count == 1:
        # One place takes any number of slices; for a scalar place the first axis of the values
        # counts them.
        new = expand_dims_p(new, tuple(range(x.aval.ndim - new.aval.ndim)))
        new = moveaxis(new, 0, axis) if scalar else new
        count = new.aval.shape[axis]
        places = broadcast(places, (count,))
    target = (*x.aval.shape[:axis], count, *x.aval.shape[axis + 1 :])
    common_shape("insert", new.aval.shape, target)
    new = broadcast(new, target)
    order = places.argsort()
    # The k-th inserted slice, in sorted order, lands k places later.
    landing = places[order] + np.arange(count, dtype=np.int32)
    landing = landing.at[order].set(landing)
    taken = (np.arange(size + count, dtype=np.int32)[:, None] == landing[None, :]).any(axis=1)
    source = (~taken).cumsum() - 1
    dtype, weak = promote_dtypes(x)
    spread = (
        x.at[(slice(None),) * axis + (source,)].get(mode="clip")
        if size
        else broadcast(
            asarray(np.zeros((), dtype)), (*x.aval.shape[:axis], count, *x.aval.shape[axis + 1 :])
        )
    )
    return spread.at[(slice(None),) * axis + (landing,)].set(convert(new, dtype, weak))


__all__ = ["delete", "insert"]
