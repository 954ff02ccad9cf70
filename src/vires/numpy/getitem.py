"""Reading elements: `x[index]`, by slices where everything is static, else by one gather."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.trace import EVAL, Tracer, thread
from vires.numpy.index_plan import Looked, NewAxis, Plan, Strided, make_plan, out_of_bounds
from vires.numpy.operands import Shape, convert
from vires.ops import compare
from vires.ops import elementwise as ops
from vires.ops.bits import and_
from vires.ops.check import check
from vires.ops.filled import full_like
from vires.ops.gather import gather
from vires.ops.join import concatenate
from vires.ops.parts import rev
from vires.ops.parts import slice as slice_p
from vires.ops.select import select_n
from vires.ops.shape import broadcast_in_dim, expand_dims, reshape, squeeze
from vires.ops.slices import GatherDimensionNumbers, GatherScatterMode


def getitem(x: Any, index: Any, operation: str = "getitem") -> Any:
    """`x[index]`, with NumPy's meaning of integers, slices, None, `...`, masks and arrays of
    integers.

    An index outside the array raises IndexError: at once when it is concrete, else when the program
    runs, by the name of `operation`.
    """
    if x.__class__ is Array and thread.trace is EVAL:
        found = _host_getitem(x, index, operation)
        if found is not None:
            return found
    plan = make_plan(x.aval.shape, index, operation=operation)
    return read(x, plan, GatherScatterMode.ERROR)


_PLAIN = frozenset((int, slice, type(None), type(Ellipsis)))
_SHARED = (
    4096  # bytes from which a contiguous slice shares memory with its array instead of being copied
)


def _host_getitem(x: Array, index: Any, operation: str) -> Any:
    """Concrete indices of a concrete array: NumPy's own indexing. None when the index needs the
    general path."""
    cls = index.__class__
    values = x._numpy()
    try:
        if cls is int:
            view = values[index, ...]
        elif cls in _PLAIN:
            view = values[index]
        else:
            host = host_index(index)
            if host is None:
                return None
            view = values[host]
            if view.__class__ is not np.ndarray:
                view = np.asarray(view, values.dtype)
    except (IndexError, TypeError, ValueError):
        make_plan(x.shape, index, operation=operation)  # says what is wrong in our words
        raise
    key = x.dtype if dtypes.is_key(x.dtype) else None
    if view.nbytes >= _SHARED and view.flags.c_contiguous:
        offset = view.__array_interface__["data"][0] - x.unsafe_buffer_pointer()
        if 0 <= offset <= x.nbytes - view.nbytes:
            return x._view(view.shape, offset)
        return _native.wrap_numpy(view, x.weak_type, key)
    return _native.from_numpy(view, x.weak_type, key)


def host_index(index: Any) -> Any:
    """An index for NumPy: concrete arrays as NumPy arrays. None when something in it is traced, or
    refused."""
    if index.__class__ is not tuple:
        host = _host_entry(index)
        return None if host is _OTHER else host
    entries = tuple(_host_entry(entry) for entry in index)
    return None if any(entry is _OTHER for entry in entries) else entries


_OTHER = slice(None)  # by identity


def _host_entry(entry: Any) -> Any:
    cls = entry.__class__
    if cls in _PLAIN or cls is bool or cls is np.bool_:
        return entry
    if cls is Array:
        entry = entry._numpy()
    if isinstance(entry, np.ndarray):
        return entry if entry.dtype.kind in "biu" else _OTHER
    return entry if isinstance(entry, np.integer) else _OTHER


# --- static indices


def _is_full(item: Strided, shape: Shape) -> bool:
    return item.start == 0 and item.step == 1 and item.size == shape[item.axis]


def _read_static(x: Any, plan: Plan) -> Any:
    """Integers and slices only: slice, reverse, drop and add axes."""
    shape = plan.shape
    starts, limits, steps = [0] * len(shape), list(shape), [1] * len(shape)
    reverse, dropped = [], []
    for item in plan.items:
        if isinstance(item, Looked):
            starts[item.axis], limits[item.axis] = item.index, item.index + 1
            dropped.append(item.axis)
        elif isinstance(item, Strided):
            start, step = item.start, item.step
            if step < 0:
                reverse.append(item.axis)
                start, step = start + (item.size - 1) * step, -step
            if not item.size:
                start, step = 0, 1
            starts[item.axis], steps[item.axis] = start, step
            limits[item.axis] = start + (item.size - 1) * step + 1 if item.size else start
    if starts != [0] * len(shape) or tuple(limits) != shape or steps != [1] * len(shape):
        strides = None if steps == [1] * len(shape) else tuple(steps)
        x = slice_p(x, start_indices=tuple(starts), limit_indices=tuple(limits), strides=strides)
    if reverse:
        x = rev(x, dimensions=tuple(reverse))
    if dropped:
        x = squeeze(x, dimensions=tuple(dropped))
    return _with_new_axes(x, plan)


def _with_new_axes(x: Any, plan: Plan) -> Any:
    kept = [item for item in plan.items if not isinstance(item, Looked)]
    new = tuple(i for i, item in enumerate(kept) if isinstance(item, NewAxis))
    return expand_dims(x, new) if new else x


# --- gathers


class Addresses(NamedTuple):
    """A plan as the indices and numbers of a gather or scatter.

    `windows` are the slices that are taken whole (step 1 or -1); all else is looked up by
    `indices`, whose leading axes
    are in the order of the result's. `window_positions` says where the windows lie among the
    result's axes, new axes left
    out, and `reverse` which of those run backwards.
    """

    indices: Any
    axes: tuple[int, ...]
    collapsed: tuple[int, ...]
    window_positions: tuple[int, ...]
    slice_sizes: Shape
    reverse: tuple[int, ...]
    shape: Shape


class _OutOfBounds(NamedTuple):
    """What a traced index outside its axis raises."""

    operation: str
    axes: tuple[int, ...]
    sizes: tuple[int, ...]

    def error(self, position: int, shown: int) -> IndexError:
        k = position % len(self.axes)
        return out_of_bounds(shown, self.axes[k], self.sizes[k], self.operation)


def addresses(plan: Plan, mode: GatherScatterMode, wrap_negative: bool = True) -> Addresses:
    """The gather of a plan. A step other than 1 or -1 is looked up; in mode ERROR traced indices
    are checked.

    Negative traced indices count from the end, unless `wrap_negative` is false.
    """
    basic = [item for item in plan.items if isinstance(item, Strided)]
    place = sum(isinstance(item, Strided) for item in _basic_items(plan)[: plan.place])
    # The result's axes, new ones left out: slices, with the batch of the looked-up axes in between.
    slots: list[Any] = [*basic[:place], *[None] * len(plan.batch), *basic[place:]]
    windows = [item for item in basic if abs(item.step) == 1 or item.size == 0 or item.size == 1]
    stepped = [item for item in basic if item not in windows]
    batch_positions = tuple(i for i, slot in enumerate(slots) if slot is None or slot in stepped)
    window_positions = tuple(
        i for i, slot in enumerate(slots) if slot is not None and slot in windows
    )
    batch_shape = tuple(
        plan.batch[i - place] if slots[i] is None else slots[i].size for i in batch_positions
    )
    axis_in_batch = {i: k for k, i in enumerate(batch_positions)}
    looked_dims = tuple(axis_in_batch[place + k] for k in range(len(plan.batch)))

    components: list[tuple[int, Any, bool]] = []  # axis, values over the batch shape, traced
    for item in plan.looked:
        components.append(
            (
                item.axis,
                _spread(item.index, batch_shape, looked_dims),
                isinstance(item.index, Tracer),
            )
        )
    for item in stepped:
        values = item.start + item.step * np.arange(item.size)
        dim = axis_in_batch[next(i for i, slot in enumerate(slots) if slot is item)]
        components.append((item.axis, _spread(values, batch_shape, (dim,)), False))
    sizes = [1] * len(plan.shape)
    reverse = []
    for item in windows:
        sizes[item.axis] = item.size
        start = item.start + (item.size - 1) * item.step if item.step < 0 else item.start
        if item.step < 0 and item.size > 1:
            reverse.append(next(i for i, slot in enumerate(slots) if slot is item))
        if item.size and start:
            components.append((item.axis, np.full(batch_shape, start), False))
    components.sort(key=lambda component: component[0])
    kept = {item.axis for item in windows}
    return Addresses(
        indices=_stack(components, plan, batch_shape, mode, wrap_negative),
        axes=tuple(axis for axis, _, _ in components),
        collapsed=tuple(d for d in range(len(plan.shape)) if d not in kept),
        window_positions=window_positions,
        slice_sizes=tuple(sizes),
        reverse=tuple(reverse),
        shape=tuple(
            plan.batch[i - place] if slot is None else slot.size for i, slot in enumerate(slots)
        ),
    )


def _basic_items(plan: Plan) -> list[Any]:
    return [item for item in plan.items if not isinstance(item, Looked)]


def _spread(values: Any, shape: Shape, dims: tuple[int, ...]) -> Any:
    """Index values over the batch shape; their axes lie at `dims`."""
    if isinstance(values, Tracer):
        if values.aval.shape == shape:
            return values
        missing = len(dims) - values.aval.ndim
        return broadcast_in_dim(values, shape=shape, broadcast_dimensions=dims[missing:])
    values = np.asarray(values)
    missing = len(dims) - values.ndim
    sizes = [1] * len(shape)
    for size, d in zip(values.shape, dims[missing:], strict=True):
        sizes[d] = size
    return np.broadcast_to(values.reshape(sizes), shape)


def _stack(
    components: list[tuple[int, Any, bool]],
    plan: Plan,
    batch_shape: Shape,
    mode: GatherScatterMode,
    wrap_negative: bool,
) -> Any:
    """All components along a last axis, in one integer dtype; traced ones counted from the start of
    their axes."""
    if not components:
        return np.zeros((*batch_shape, 0), np.int32)
    if not any(is_traced for _, _, is_traced in components):
        largest = max(plan.shape, default=0)
        dtype = np.int32 if largest < 1 << 31 else np.int64
        clipped = [np.clip(values, -(1 << 31), (1 << 31) - 1) for _, values, _ in components]
        return _native.from_numpy(np.stack(clipped if dtype is np.int32 else [v for _, v,
            _ in components], -1)
                                  .astype(dtype))  # fmt: skip
    wide = (
        any(
            values.aval.dtype.itemsize == 8 if is_traced else False
            for _, values, is_traced in components
        )
        or max(plan.shape) >= 1 << 31
    )
    dtype = dtypes.int64 if wide else dtypes.int32
    raw = [
        _last(_signed(values, dtype) if is_traced else _constant(values, dtype))
        for _, values, is_traced in components
    ]
    axes = tuple(axis for axis, _, _ in components)
    sizes = np.array([plan.shape[axis] for axis in axes], dtype)
    indices = concatenate(*raw, dimension=len(batch_shape)) if len(raw) > 1 else raw[0]
    shape = indices.aval.shape
    if not wrap_negative and mode is not GatherScatterMode.ERROR:
        return indices
    zero = full_like(indices, 0)
    if len(axes) == 1:
        limit = full_like(indices, plan.shape[axes[0]])
    else:
        limit = broadcast_in_dim(
            _constant(sizes, dtype), shape=shape, broadcast_dimensions=(len(shape) - 1,)
        )
    counted = indices
    if wrap_negative:
        counted = select_n(compare.lt(indices, zero), indices, ops.add(indices, limit))
    if mode is GatherScatterMode.ERROR and indices.aval.size:
        inside = and_(compare.ge(counted, zero), compare.lt(counted, limit))
        failure = _OutOfBounds(plan.operation, axes, tuple(plan.shape[axis] for axis in axes))
        counted = check(counted, inside, convert(indices, dtypes.int64), failure=failure)
    return counted


def _constant(values: Any, dtype: Any) -> Any:
    return _native.from_numpy(np.asarray(values, dtype, order="C"))


def _signed(values: Any, dtype: Any) -> Any:
    """Traced indices as signed integers; unsigned ones too large for it become the largest, out of
    any bounds."""
    own = values.aval.dtype
    if own.name in ("uint32", "uint64") and own.itemsize >= dtype.itemsize:
        values = ops.min(values, full_like(values, (1 << 8 * dtype.itemsize - 1) - 1))
    return convert(values, dtype)


def _last(x: Any) -> Any:
    return expand_dims(x, (x.aval.ndim,))


def read(
    x: Any,
    plan: Plan,
    mode: GatherScatterMode,
    fill_value: Any = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    wrap_negative: bool = True,
) -> Any:
    """The elements of a plan. `mode` says what a traced index outside the array does."""
    if not plan.advanced and not plan.traced:
        return _read_static(x, plan)
    at = addresses(plan, mode, wrap_negative)
    if 0 in plan.shape and 0 in plan.result_shape:
        return _nothing(x.aval.dtype, plan.result_shape)
    promised = mode is GatherScatterMode.ERROR  # the indices have been checked
    result = gather(
        x,
        at.indices,
        dimension_numbers=GatherDimensionNumbers(
            offset_dims=at.window_positions,
            collapsed_slice_dims=at.collapsed,
            start_index_map=at.axes,
        ),
        slice_sizes=at.slice_sizes,
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=GatherScatterMode.PROMISE_IN_BOUNDS if promised else mode,
        fill_value=fill_value,
    )
    if at.reverse:
        result = rev(result, dimensions=at.reverse)
    return (
        result
        if result.aval.shape == plan.result_shape
        else reshape(result, new_sizes=plan.result_shape, dimensions=None)
    )


def _nothing(dtype: Any, shape: Shape) -> Any:
    """An array without elements."""
    key = dtypes.is_key(dtype)
    return _native.from_numpy(
        np.zeros(shape, np.uint64 if key else dtype), dtype=dtype if key else None
    )
