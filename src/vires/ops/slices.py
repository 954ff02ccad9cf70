"""Where the slices of gather and scatter lie: dimension numbers, modes, positions, bounds.

Index vectors are the last axis of `indices`; the other axes of `indices` are the batch of slices.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.trace import aval_of
from vires.ops.accept import ANY, INTEGER, check_dtype, refuse, typed
from vires.ops.axes import Axes, insert, past, without
from vires.ops.bits import and_
from vires.ops.check import OutOfBounds, check
from vires.ops.compare import ge, le
from vires.ops.convert import convert
from vires.ops.extremes import highest, lowest
from vires.ops.shape import broadcast_in_dim


class GatherDimensionNumbers(NamedTuple):
    """Which axes of operand, indices and result belong together, as in XLA's gather.

    * offset_dims: axes of the result that run within a slice.
    * collapsed_slice_dims: axes of the operand that have slice size 1 and no axis in the result.
    * start_index_map: the operand axis that each component of an index vector points along.
    * operand_batching_dims, start_indices_batching_dims: axes that operand and indices share.
    """

    offset_dims: Axes
    collapsed_slice_dims: Axes
    start_index_map: Axes
    operand_batching_dims: Axes = ()
    start_indices_batching_dims: Axes = ()


class ScatterDimensionNumbers(NamedTuple):
    """Which axes of operand, indices and updates belong together, as in XLA's scatter.

    * update_window_dims: axes of the updates that run within a slice.
    * inserted_window_dims: axes of the operand that have slice size 1 and no axis in the updates.
    * scatter_dims_to_operand_dims: the operand axis that each component of an index vector points
      along.
    * operand_batching_dims, scatter_indices_batching_dims: axes that operand and indices share.
    """

    update_window_dims: Axes
    inserted_window_dims: Axes
    scatter_dims_to_operand_dims: Axes
    operand_batching_dims: Axes = ()
    scatter_indices_batching_dims: Axes = ()


def scatter_numbers(numbers: GatherDimensionNumbers) -> ScatterDimensionNumbers:
    """The scatter that writes where a gather reads."""
    return ScatterDimensionNumbers(*numbers)


def gather_numbers(numbers: ScatterDimensionNumbers) -> GatherDimensionNumbers:
    """The gather that reads where a scatter writes."""
    return GatherDimensionNumbers(*numbers)


class GatherScatterMode(Enum):
    """What happens where a slice does not lie inside the array."""

    #: The start index is moved to the nearest one whose slice lies inside.
    CLIP = 0
    #: gather gives the fill value; scatter leaves the slice out.
    FILL_OR_DROP = 1
    #: The caller promises that it does not happen.
    PROMISE_IN_BOUNDS = 2
    #: IndexError at run time, naming index, axis and size.
    ERROR = 3

    @staticmethod
    def from_any(mode: str | GatherScatterMode | None) -> GatherScatterMode:
        """The mode of a name: "clip", "fill", "drop", "promise_in_bounds", "error"; None is
        "fill".
        """
        if isinstance(mode, GatherScatterMode):
            return mode
        found = _MODES.get(mode)
        if found is None:
            raise ValueError(f"mode: needs one of {', '.join(filter(None, _MODES))}; got {mode!r}")
        return found


_MODES: dict[str | None, GatherScatterMode] = {
    None: GatherScatterMode.FILL_OR_DROP,
    "fill": GatherScatterMode.FILL_OR_DROP,
    "drop": GatherScatterMode.FILL_OR_DROP,
    "clip": GatherScatterMode.CLIP,
    "promise_in_bounds": GatherScatterMode.PROMISE_IN_BOUNDS,
    "error": GatherScatterMode.ERROR,
}


def default_fill(dtype: DType) -> Any:
    """What an out-of-bounds gather gives: nan, the least signed or greatest unsigned integer,
    True.
    """
    kind = dtypes.kind(dtype)
    if kind in ("float", "complex"):
        return np.nan
    if kind == "key":
        return 0
    return lowest(dtype) if kind == "signed" else highest(dtype)


# --- types


def check_numbers(
    name: str,
    operand: ShapedArray,
    indices: ShapedArray,
    numbers: GatherDimensionNumbers,
    sizes: Axes,
) -> None:
    """Raise unless dimension numbers and slice sizes fit the operand and the indices."""

    def fail(needs: str, got: str) -> Exception:
        return refuse(
            name, needs, f"{got} for operand {typed(operand)} and indices {typed(indices)}"
        )

    check_dtype(name, operand, ANY)
    check_dtype(name, indices, INTEGER)
    if indices.ndim == 0 or indices.shape[-1] != len(numbers.start_index_map):
        raise fail(
            "index vectors along the last axis of indices, one component for each axis indexed",
            f"start_index_map {numbers.start_index_map}",
        )
    if len(sizes) != operand.ndim or any(
        not 0 <= s <= n for s, n in zip(sizes, operand.shape, strict=True)
    ):
        raise fail(
            "a slice size from 0 to the size of its axis for each axis", f"slice sizes {sizes}"
        )
    for what, axes, rank in (
        ("collapsed_slice_dims", numbers.collapsed_slice_dims, operand.ndim),
        ("start_index_map", numbers.start_index_map, operand.ndim),
        ("operand_batching_dims", numbers.operand_batching_dims, operand.ndim),
        ("start_indices_batching_dims", numbers.start_indices_batching_dims, indices.ndim - 1),
    ):
        if len(set(axes)) != len(axes) or any(not 0 <= d < rank for d in axes):
            raise fail(f"distinct {what} below {rank}", f"{what} {axes}")
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    if len(set(gone)) != len(gone) or set(numbers.operand_batching_dims) & set(
        numbers.start_index_map
    ):
        raise fail(
            "each operand axis to be collapsed, batched or indexed, not several of them",
            str(numbers),
        )
    if any(sizes[d] != 1 for d in gone):
        raise fail("slice size 1 for collapsed and batching axes", f"slice sizes {sizes}")
    shared = [
        (operand.shape[i], indices.shape[j])
        for i, j in zip(
            numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True
        )
    ]
    if any(m != n for m, n in shared):
        raise fail("batching axes of equal sizes", f"sizes {shared}")
    if len(numbers.offset_dims) != operand.ndim - len(gone):
        raise fail(f"{operand.ndim - len(gone)} axes within slices", f"{numbers.offset_dims}")


# --- batching


def map_operand(numbers: GatherDimensionNumbers, dim: int) -> tuple[GatherDimensionNumbers, int]:
    """Numbers for an operand with one more axis, taken whole, at `dim`, and the axis of it in the
    result.
    """
    gone = past((*numbers.collapsed_slice_dims, *numbers.operand_batching_dims), dim)
    rank = len(without(range(dim), gone))  # of the new axis among those within slices
    offset = numbers.offset_dims
    at = offset[rank] if rank < len(offset) else offset[-1] + 1 if offset else 0
    return numbers._replace(
        offset_dims=insert(past(offset, at), rank, at),
        collapsed_slice_dims=past(numbers.collapsed_slice_dims, dim),
        start_index_map=past(numbers.start_index_map, dim),
        operand_batching_dims=past(numbers.operand_batching_dims, dim),
    ), at


def map_indices(numbers: GatherDimensionNumbers) -> GatherDimensionNumbers:
    """Numbers for indices with one more axis at 0, which is axis 0 of the result too."""
    return numbers._replace(
        offset_dims=past(numbers.offset_dims, 0),
        start_indices_batching_dims=past(numbers.start_indices_batching_dims, 0),
    )


def map_both(numbers: GatherDimensionNumbers, dim: int) -> GatherDimensionNumbers:
    """Numbers for an operand with a mapped axis at `dim` that indices and result have at 0."""
    pairs = sorted(
        zip(
            (dim, *past(numbers.operand_batching_dims, dim)),
            (0, *past(numbers.start_indices_batching_dims, 0)),
            strict=True,
        )
    )
    return GatherDimensionNumbers(
        past(numbers.offset_dims, 0),
        past(numbers.collapsed_slice_dims, dim),
        past(numbers.start_index_map, dim),
        tuple(d for d, _ in pairs),
        tuple(d for _, d in pairs),
    )


# --- positions


class Places(NamedTuple):
    """Where slices lie, for NumPy: `operand.transpose(order)[arrays]` are the slices.

    Its axes are the batch, then the axes within slices that were indexed, then the whole axes.
    """

    order: Axes
    arrays: tuple[np.ndarray, ...]
    to_result: Axes  #: transposes those axes to the result's
    valid: np.ndarray  #: for each slice, whether it lies inside


def places(
    shape: Axes,
    indices: np.ndarray,
    numbers: GatherDimensionNumbers,
    sizes: Axes,
    mode: GatherScatterMode,
) -> Places:
    """Where slices of a gather (or, with offset_dims for update_window_dims, of a scatter) lie."""
    batch_rank = indices.ndim - 1
    starts = indices.astype(np.int64, copy=False)
    if indices.dtype == np.uint64:
        starts = np.minimum(indices, np.iinfo(np.int64).max).astype(np.int64)
    limits = np.array([shape[d] - sizes[d] for d in numbers.start_index_map], np.int64)
    inside = (starts >= 0) & (starts <= limits)
    if mode is GatherScatterMode.ERROR and not inside.all():
        axes = numbers.start_index_map
        failure = OutOfBounds("index", axes, *(tuple(s[d] for d in axes) for s in (shape, sizes)))
        position = int(np.argmin(inside))
        raise failure.error(position, int(starts.reshape(-1)[position]))
    starts = np.clip(starts, 0, limits)

    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    pointed = [
        d
        for d in range(len(shape))
        if d in numbers.start_index_map
        or d in numbers.operand_batching_dims
        or sizes[d] != shape[d]
    ]
    running = [d for d in pointed if d not in gone]
    rank = batch_rank + len(running)
    arrays = []
    for d in pointed:
        position: Any = 0
        if d in numbers.start_index_map:
            position = starts[..., numbers.start_index_map.index(d)]
            position = position.reshape(position.shape + (1,) * len(running))
        elif d in numbers.operand_batching_dims:
            axis = numbers.start_indices_batching_dims[numbers.operand_batching_dims.index(d)]
            position = np.arange(shape[d]).reshape(_along(rank, axis, shape[d]))
        if d in running:
            axis = batch_rank + running.index(d)
            position = position + np.arange(sizes[d]).reshape(_along(rank, axis, sizes[d]))
        arrays.append(position)
    if arrays:  # the first one has the full shape, also where no array depends on some batch axis
        full = (*indices.shape[:-1], *(sizes[d] for d in running))
        arrays[0] = np.broadcast_to(arrays[0], full)
    whole = [d for d in range(len(shape)) if d not in pointed]
    inner = [*running, *whole]
    offset_axis = dict(zip(without(range(len(shape)), gone), numbers.offset_dims, strict=True))
    batch_axes = without(range(rank + len(whole)), numbers.offset_dims)
    result_axes = [*batch_axes, *(offset_axis[d] for d in inner)]
    return Places(
        (*pointed, *whole),
        tuple(arrays),
        tuple(np.argsort(result_axes).tolist()),
        np.asarray(inside.all(axis=-1)),
    )


def _along(rank: int, axis: int, size: int) -> Axes:
    return tuple(size if d == axis else 1 for d in range(rank))


def in_bounds(
    indices: Any, operation: str, numbers: GatherDimensionNumbers, shape: Axes, sizes: Axes
) -> Any:
    """The indices, checked at run time to lie inside the operand."""
    axes = numbers.start_index_map
    aval = aval_of(indices)
    if not axes or not aval.size:
        return indices
    shown = convert(indices, dtypes.int64)
    last = (aval.ndim - 1,)
    limits, least = (
        broadcast_in_dim(np.array(row, np.int64), shape=aval.shape, broadcast_dimensions=last)
        for row in ([shape[d] - sizes[d] for d in axes], [0] * len(axes))
    )
    inside = and_(ge(shown, least), le(shown, limits))
    failure = OutOfBounds(
        operation, axes, tuple(shape[d] for d in axes), tuple(sizes[d] for d in axes)
    )
    return check(indices, inside, shown, failure=failure)
