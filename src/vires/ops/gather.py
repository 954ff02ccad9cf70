"""gather: slices of an array at positions given by an array of indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, LinearOperand, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Index, LoopBuilder, Operand, Value
from vires.ops.accept import refuse
from vires.ops.axes import Axes, insert, without
from vires.ops.composed import composed
from vires.ops.filled import zeros
from vires.ops.linear import declared, tangent_zero
from vires.ops.shape import move_axis
from vires.ops.slices import (
    GatherDimensionNumbers,
    GatherScatterMode,
    check_numbers,
    default_fill,
    in_bounds,
    map_both,
    map_indices,
    map_operand,
    places,
    scatter_numbers,
)


def _infer(
    operand: ShapedArray,
    indices: ShapedArray,
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Axes,
    indices_are_sorted: bool,
    unique_indices: bool,
    mode: GatherScatterMode,
    fill_value: Any,
) -> ShapedArray:
    numbers = dimension_numbers
    check_numbers("gather", operand, indices, numbers, slice_sizes)
    rank = indices.ndim - 1 + len(numbers.offset_dims)
    offset = numbers.offset_dims
    if list(offset) != sorted(set(offset)) or any(not 0 <= d < rank for d in offset):
        raise refuse("gather", f"increasing offset_dims below {rank}", f"offset_dims {offset}")
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    within, batch = iter(without(slice_sizes, gone)), iter(indices.shape[:-1])
    shape = tuple(next(within) if d in offset else next(batch) for d in range(rank))
    return ShapedArray(shape, operand.dtype, operand.weak_type)


def _reference(
    operand: np.ndarray,
    indices: np.ndarray,
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Axes,
    indices_are_sorted: bool,
    unique_indices: bool,
    mode: GatherScatterMode,
    fill_value: Any,
) -> np.ndarray:
    if any(n == 0 and s == 0 for n, s in zip(operand.shape, slice_sizes, strict=True)):
        rank = indices.ndim - 1 + len(dimension_numbers.offset_dims)
        gone = (*dimension_numbers.collapsed_slice_dims, *dimension_numbers.operand_batching_dims)
        within, batch = iter(without(slice_sizes, gone)), iter(indices.shape[:-1])
        offset = dimension_numbers.offset_dims
        return np.zeros(
            [next(within) if d in offset else next(batch) for d in range(rank)], operand.dtype
        )
    at = places(operand.shape, indices, dimension_numbers, slice_sizes, mode)
    view = operand.transpose(at.order)
    if len(at.arrays) == 1:
        slices = view.take(at.arrays[0], axis=0, mode="clip")
    else:
        slices = (
            view[at.arrays] if at.arrays else np.broadcast_to(view, indices.shape[:-1] + view.shape)
        )
    if mode is GatherScatterMode.FILL_OR_DROP and not at.valid.all():
        fill = default_fill(operand.dtype) if fill_value is None else fill_value
        missing = ~at.valid.reshape(at.valid.shape + (1,) * (slices.ndim - at.valid.ndim))
        slices = np.where(missing, np.asarray(fill).astype(operand.dtype), slices)
    return slices.transpose(at.to_result)


# --- derivatives and batching


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    operand, indices = primals
    out = gather(operand, indices, **params)
    if tangents[0].__class__ is Zero:
        return out, tangent_zero(aval_of(out))
    mode = params["mode"]
    if mode is GatherScatterMode.ERROR:  # the operation itself has checked the indices
        mode = GatherScatterMode.PROMISE_IN_BOUNDS
    return out, gather(tangents[0], indices, **{**params, "mode": mode, "fill_value": 0})


def _transpose(
    ct: Any,
    operand: LinearOperand,
    indices: Any,
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Axes,
    indices_are_sorted: bool,
    unique_indices: bool,
    mode: GatherScatterMode,
    fill_value: Any,
) -> list[Any]:
    result = declared("scatter_add")(
        zeros(operand.aval),
        indices,
        ct,
        dimension_numbers=scatter_numbers(dimension_numbers),
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
    )
    return [result, None]


def _batch(
    axis: AxisData,
    operands: Sequence[Any],
    dims: Sequence[int | None],
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Axes,
    **params: Any,
) -> tuple[Any, int]:
    operand, indices = operands
    dim, indices_dim = dims
    if indices_dim is None:
        assert dim is not None
        numbers, result_dim = map_operand(dimension_numbers, dim)
        sizes = insert(slice_sizes, dim, axis.size)
        return gather(
            operand, indices, dimension_numbers=numbers, slice_sizes=sizes, **params
        ), result_dim
    indices = move_axis(indices, indices_dim, 0)
    params["indices_are_sorted"] = False
    if dim is None:
        params["unique_indices"] = False
        numbers = map_indices(dimension_numbers)
    else:
        numbers = map_both(dimension_numbers, dim)
        slice_sizes = insert(slice_sizes, dim, 1)
    return gather(operand, indices, dimension_numbers=numbers, slice_sizes=slice_sizes, **params), 0


# --- lowering


@composed
def _checked(operand: Any, indices: Any, **params: Any) -> Any:
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    indices = in_bounds(indices, "index", numbers, aval_of(operand).shape, sizes)
    return gather(operand, indices, **{**params, "mode": GatherScatterMode.PROMISE_IN_BOUNDS})


def _loops(b: LoopBuilder, operand: Operand, indices: Operand, **params: Any) -> Any:
    mode: GatherScatterMode = params["mode"]
    if mode is GatherScatterMode.ERROR:
        return _checked(b, operand, indices, **params)
    numbers: GatherDimensionNumbers = params["dimension_numbers"]
    sizes: Axes = params["slice_sizes"]
    shape = operand.shape
    if any(n == 0 for n in shape):
        return b.pull(lambda index: b.constant(0, operand.dtype))
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    offset_axis = dict(zip(without(range(len(shape)), gone), numbers.offset_dims, strict=True))

    def constant(value: int) -> Value:
        return b.constant(value, dtypes.int64)

    def element(index: Index) -> Value:
        batch = [i for d, i in enumerate(index) if d not in numbers.offset_dims]
        inside: Value | None = None
        source: list[Any] = []
        for d in range(len(shape)):
            position: Any = 0
            if d in numbers.start_index_map:
                start = indices.at([*batch, numbers.start_index_map.index(d)])
                if start.dtype == dtypes.uint64:
                    start = b.op("min", start, b.constant(shape[d], dtypes.uint64))
                start = b.convert(start, dtypes.int64)
                limit = constant(shape[d] - sizes[d])
                # Also promised indices are clamped: a broken promise must not touch memory
                # elsewhere.
                position = b.op("max", b.op("min", start, limit), constant(0))
                if mode is GatherScatterMode.FILL_OR_DROP:
                    here = b.op("eq", position, start)
                    inside = here if inside is None else b.op("and", inside, here)
            elif d in numbers.operand_batching_dims:
                axis = numbers.start_indices_batching_dims[numbers.operand_batching_dims.index(d)]
                position = batch[axis]
            if d in offset_axis:
                within = index[offset_axis[d]]
                position = within if position.__class__ is int else position + within
            source.append(position)
        if inside is None:
            return operand.at(source)
        fill = params["fill_value"]
        outside = b.constant(default_fill(operand.dtype) if fill is None else fill, operand.dtype)
        return b.guarded(inside, lambda: operand.at(source), outside)

    return b.pull(element)


gather = Primitive(
    "gather",
    """Slices of the operand that start at the given indices.

    The result has the axes of the indices except the last, and at offset_dims the axes within a
    slice.
    """,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=_loops,
)
