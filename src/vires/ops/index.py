"""dynamic_slice and dynamic_update_slice: one slice at a position known at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, LinearOperand, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, Index, LoopBuilder, Operand, Value
from vires.ops.accept import ANY, INTEGER, check_dtype, refuse, typed, typed_all
from vires.ops.axes import Axes, insert
from vires.ops.convert import convert
from vires.ops.filled import scalar, zeros
from vires.ops.gather import gather
from vires.ops.join import concatenate
from vires.ops.linear import tangent_zero
from vires.ops.scatter import scatter
from vires.ops.shape import map_at, reshape
from vires.ops.slices import GatherDimensionNumbers, GatherScatterMode, ScatterDimensionNumbers


def _check_starts(name: str, x: ShapedArray, starts: Sequence[ShapedArray]) -> None:
    if len(starts) != x.ndim or any(s.shape for s in starts):
        got = typed_all(starts) if starts else "none"
        raise refuse(
            name, f"{x.ndim} 0-d start indices, one for each axis", f"{got} for {typed(x)}"
        )
    for start in starts:
        check_dtype(name, start, INTEGER)


def _clamped(starts: Sequence[np.ndarray], shape: Axes, sizes: Axes) -> list[int]:
    return [
        min(max(int(start), 0), n - size)
        for start, n, size in zip(starts, shape, sizes, strict=True)
    ]


def _index_vectors(starts: Sequence[Any], dims: Sequence[int | None], axis: AxisData) -> Any:
    """Mapped start indices as one array of index vectors, the mapped axis first."""
    wide = max((aval_of(s).dtype for s in starts), key=lambda dtype: dtype.itemsize)
    if len({aval_of(s).dtype for s in starts}) > 1:
        wide = dtypes.int64
    columns = [
        reshape(
            map_at(convert(s, wide), d, axis.size, 0), new_sizes=(axis.size, 1), dimensions=None
        )
        for s, d in zip(starts, dims, strict=True)
    ]
    return columns[0] if len(columns) == 1 else concatenate(*columns, dimension=1)


# --- dynamic_slice


def _slice_infer(x: ShapedArray, *starts: ShapedArray, slice_sizes: Axes) -> ShapedArray:
    check_dtype("dynamic_slice", x, ANY)
    _check_starts("dynamic_slice", x, starts)
    if len(slice_sizes) != x.ndim or any(
        not 0 <= size <= n for size, n in zip(slice_sizes, x.shape, strict=True)
    ):
        raise refuse(
            "dynamic_slice",
            "for each axis a slice size from 0 to the size of the axis",
            f"slice_sizes {tuple(slice_sizes)} for {typed(x)}",
        )
    return ShapedArray(tuple(slice_sizes), x.dtype, x.weak_type)


def _slice_reference(x: np.ndarray, *starts: np.ndarray, slice_sizes: Axes) -> np.ndarray:
    at = _clamped(starts, x.shape, slice_sizes)
    return x[tuple(slice(i, i + size) for i, size in zip(at, slice_sizes, strict=True))]


def _slice_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, slice_sizes: Axes
) -> tuple[Any, Any]:
    x, *starts = primals
    out = dynamic_slice(x, *starts, slice_sizes=slice_sizes)
    if tangents[0].__class__ is Zero:
        return out, tangent_zero(aval_of(out))
    return out, dynamic_slice(tangents[0], *starts, slice_sizes=slice_sizes)


def _slice_transpose(ct: Any, x: LinearOperand, *starts: Any, slice_sizes: Axes) -> list[Any]:
    result = dynamic_update_slice(zeros(x.aval), ct, *starts)
    return [result, *([None] * len(starts))]


def _slice_batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], *, slice_sizes: Axes
) -> tuple[Any, int]:
    x, *starts = operands
    dim, *start_dims = dims
    if all(d is None for d in start_dims):
        assert dim is not None
        starts.insert(dim, scalar(0, dtypes.int32))
        return dynamic_slice(x, *starts, slice_sizes=insert(slice_sizes, dim, axis.size)), dim
    rank = len(slice_sizes)
    axes = tuple(range(rank))
    numbers = GatherDimensionNumbers(tuple(range(1, rank + 1)), (), axes)
    if dim is not None:
        numbers = GatherDimensionNumbers(
            numbers.offset_dims, (), tuple(d + (d >= dim) for d in axes), (dim,), (0,)
        )
        slice_sizes = insert(slice_sizes, dim, 1)
    result = gather(
        x,
        _index_vectors(starts, start_dims, axis),
        dimension_numbers=numbers,
        slice_sizes=slice_sizes,
        indices_are_sorted=dim is not None,
        unique_indices=dim is not None,
        mode=GatherScatterMode.CLIP,
        fill_value=None,
    )
    return result, 0


def _slice_loops(b: LoopBuilder, x: Operand, *starts: Operand, slice_sizes: Axes) -> Definition:
    def start(d: int) -> Value | int:
        room = x.shape[d] - slice_sizes[d]
        if room == 0:
            return 0
        value = starts[d].at(())
        if value.dtype == dtypes.uint64:
            value = b.op("min", value, b.constant(room, dtypes.uint64))
        value = b.op("min", b.convert(value, dtypes.int64), b.constant(room, dtypes.int64))
        return b.op("max", value, b.constant(0, dtypes.int64))

    def element(index: Index) -> Value:
        return x.at([i + start(d) for d, i in enumerate(index)])

    return b.pull(element)


dynamic_slice = Primitive(
    "dynamic_slice",
    """The slice of size slice_sizes that begins at the start indices, moved inside where it does
    not lie inside.
    """,
    infer=_slice_infer,
    reference=_slice_reference,
    jvp=_slice_jvp,
    transpose=_slice_transpose,
    batch=_slice_batch,
    loops=_slice_loops,
)


# --- dynamic_update_slice


def _update_infer(x: ShapedArray, update: ShapedArray, *starts: ShapedArray) -> ShapedArray:
    name = "dynamic_update_slice"
    check_dtype(name, x, ANY)
    if x.dtype != update.dtype:
        raise refuse(
            name,
            "an update of the operand's dtype",
            typed_all((x, update)),
            f"update.astype({x.dtype.name})",
        )
    if update.ndim != x.ndim or any(m > n for m, n in zip(update.shape, x.shape, strict=True)):
        raise refuse(name, "an update that fits into the operand", typed_all((x, update)))
    _check_starts(name, x, starts)
    return ShapedArray(x.shape, x.dtype, x.weak_type and update.weak_type)


def _update_reference(x: np.ndarray, update: np.ndarray, *starts: np.ndarray) -> np.ndarray:
    at = _clamped(starts, x.shape, update.shape)
    result = x.copy()
    result[tuple(slice(i, i + size) for i, size in zip(at, update.shape, strict=True))] = update
    return result


def _update_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    x, update, *starts = primals
    out = dynamic_update_slice(x, update, *starts)
    dx, d_update = tangents[:2]
    if dx.__class__ is Zero and d_update.__class__ is Zero:
        return out, tangent_zero(aval_of(out))
    dx, d_update = (zeros(t.aval) if t.__class__ is Zero else t for t in (dx, d_update))
    return out, dynamic_update_slice(dx, d_update, *starts)


def _update_transpose(ct: Any, x: Any, update: Any, *starts: Any) -> list[Any]:
    aval = aval_of(update)
    ct_x = ct_update = None
    if x.__class__ is LinearOperand:
        ct_x = dynamic_update_slice(ct, zeros(ShapedArray(aval.shape, ct.aval.dtype)), *starts)
    if update.__class__ is LinearOperand:
        ct_update = dynamic_slice(ct, *starts, slice_sizes=aval.shape)
    return [ct_x, ct_update, *([None] * len(starts))]


def _update_batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None]
) -> tuple[Any, int]:
    x, update, *starts = operands
    dim, update_dim, *start_dims = dims
    if dim is None:
        x, dim = map_at(x, None, axis.size, 0), 0
    if all(d is None for d in start_dims):
        starts.insert(dim, scalar(0, dtypes.int32))
        return dynamic_update_slice(x, map_at(update, update_dim, axis.size, dim), *starts), dim
    rank = len(starts)
    numbers = ScatterDimensionNumbers(
        tuple(range(1, rank + 1)), (), tuple(d + (d >= dim) for d in range(rank)), (dim,), (0,)
    )
    result = scatter(
        x,
        _index_vectors(starts, start_dims, axis),
        map_at(update, update_dim, axis.size, 0),
        dimension_numbers=numbers,
        indices_are_sorted=True,
        unique_indices=True,
        mode=GatherScatterMode.CLIP,
    )
    return result, dim


dynamic_update_slice = Primitive(
    "dynamic_update_slice",
    """The operand with a slice replaced by the update, at the start indices, moved so that it lies
    inside.
    """,
    infer=_update_infer,
    reference=_update_reference,
    jvp=_update_jvp,
    transpose=_update_transpose,
    batch=_update_batch,
    loops=lambda b, x, update, *starts: b.block("update_slice", [x, update, *starts])[0],
)
