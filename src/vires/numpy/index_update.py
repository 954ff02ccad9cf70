"""Writing at an index: one copy of the array, a slice update, or a scatter."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.trace import EVAL, Tracer, thread
from vires.numpy import arithmetic
from vires.numpy.arithmetic import where_
from vires.numpy.creation import asarray
from vires.numpy.getitem import addresses, host_index, read
from vires.numpy.index_plan import Looked, NewAxis, Plan, Strided, make_plan
from vires.numpy.operands import (
    SCALARS,
    Shape,
    ShapeError,
    broadcast,
    common_shape,
    convert,
    in_dtype,
    promote_dtypes,
)
from vires.numpy.ufunc import adopts
from vires.ops.filled import scalar
from vires.ops.index import dynamic_update_slice
from vires.ops.parts import rev
from vires.ops.scatter import scatter, scatter_add, scatter_max, scatter_min, scatter_mul
from vires.ops.shape import expand_dims, reshape
from vires.ops.slices import GatherScatterMode, ScatterDimensionNumbers

#: Operation: its scatter (several values for one element combine), its function of two arrays,
#: NumPy's ufunc.
_OPERATIONS: dict[str, tuple[Any, Callable[[Any, Any], Any], Any]] = {
    "set": (scatter, lambda x, y: y, None),
    "add": (scatter_add, arithmetic.add, np.add),
    "multiply": (scatter_mul, arithmetic.multiply, np.multiply),
    "min": (scatter_min, arithmetic.minimum, np.minimum),
    "max": (scatter_max, arithmetic.maximum, np.maximum),
}


def parse_mode(mode: Any) -> GatherScatterMode:
    """The mode of a name; None: indices outside the array raise IndexError."""
    if mode is None:
        return GatherScatterMode.ERROR
    try:
        return GatherScatterMode.from_any(mode)
    except (ValueError, TypeError):
        raise ValueError(
            f"mode: needs one of clip, fill, drop, wrap, promise_in_bounds, error; got {mode!r}"
        ) from None


def wrapped(x: Any, index: Any, mode: Any) -> tuple[Any, Any]:
    """Mode "wrap": indices modulo their axes, which makes them all valid."""
    if mode != "wrap":
        return index, mode
    entries = list(index) if isinstance(index, tuple) else [index]
    axis = 0
    for i, entry in enumerate(entries):
        if entry is None:
            continue
        if entry is Ellipsis:
            axis = x.aval.ndim - sum(e is not None for e in entries[i + 1 :])
            continue
        if isinstance(entry, (int, np.integer)) and not isinstance(entry, bool):
            entries[i] = int(entry) % _turn(x, axis)
        elif isinstance(entry, (Array, Tracer, np.ndarray)) and dtypes.is_integer(
            dtypes.canonical(entry.dtype)
        ):  # an empty index looks nothing up, whatever the axis
            entries[i] = arithmetic.remainder(entry, _turn(x, axis) if np.size(entry) else 1)
        axis += 1
    return tuple(entries), "promise_in_bounds"


def _turn(x: Any, axis: int) -> int:
    """The size of an axis, which indices count around."""
    size = x.aval.shape[axis]
    if not size:
        raise IndexError(
            f'getitem: needs elements along axis {axis} to count around with mode="wrap"; got '
            f"shape {x.aval.shape}"
        )
    return size


def bounded(plan: Plan, mode: GatherScatterMode) -> Plan:
    """Without the check of concrete indices, integers outside the array are looked up, so that the
    mode decides."""
    if mode is GatherScatterMode.ERROR or plan.advanced:
        return plan
    if all(
        0 <= item.index < plan.shape[item.axis]
        for item in plan.looked
        if isinstance(item.index, int)
    ):
        return plan
    place = sum(
        not isinstance(item, Looked) for item in plan.items[: plan.items.index(plan.looked[0])]
    )
    return Plan(plan.shape, plan.items, plan.looked, True, (), place, plan.operation)


def _in_dtype(x: Any, values: Any, operation: str) -> Any:
    """The values in the dtype of x, with a warning when that loses something other than digits."""
    own = x.aval.dtype
    if values.__class__ in SCALARS and adopts(own, values.__class__):
        return in_dtype(values, own)
    y = asarray(values)
    other = y.aval.dtype
    if own == other:
        return convert(y, own)
    if dtypes.is_key(own) or dtypes.is_key(other):
        raise TypeError(f"at.{operation}: needs values of dtype {own}; got {other}")
    if promote_dtypes(x, y)[0] != own and _rank(own) < _rank(other):
        warnings.warn(
            f"at.{operation}: values of dtype {other.name} are converted to {own.name}, the "
            "array's dtype, and lose "
            "their fraction or imaginary part; try x.astype(...) first",
            FutureWarning,
            stacklevel=4,
        )
    return convert(y, own)


def _rank(dtype: Any) -> int:
    return {"bool": 0, "unsigned": 1, "signed": 1, "float": 2, "complex": 3}[dtypes.kind(dtype)]


def update(
    operation: str, x: Any, index: Any, values: Any, *, indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None, wrap_negative_indices: bool = True, out_sharding: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """A copy of x with the values set, added, ... at x[index], with errors of indices in the name
    of `name`.
    """
    if mode is None and x.__class__ is Array and thread.trace is EVAL:
        result = _quick_update(operation, x, index, values)
        if result is not None:
            return result
    name = name or f"at.{operation}"
    y = _in_dtype(x, values, operation)
    if isinstance(index, Tracer) and index.aval.dtype == dtypes.bool_ and index.concrete() is None:
        return _where_mask(operation, x, index, y)
    index, mode = wrapped(x, index, mode)
    parsed = parse_mode(mode)
    if (
        x.__class__ is Array
        and y.__class__ is Array
        and thread.trace is EVAL
        and (parsed is GatherScatterMode.ERROR or mode == "promise_in_bounds")
    ):
        host = host_index(index)
        if host is not None:
            try:
                return _host_update(operation, x, host, y)
            except (IndexError, TypeError):
                make_plan(x.shape, index, operation=name)  # says what is wrong in our words
                raise
    checked = parsed is GatherScatterMode.ERROR
    plan = make_plan(x.aval.shape, index, checked, name)
    plan = bounded(plan, parsed)
    y = _value_for(operation, y, plan.result_shape)
    if 0 in plan.result_shape:
        return x
    if (
        not plan.advanced
        and not plan.traced
        and all(
            item.step in (1, -1) or item.size == 1
            for item in plan.items
            if isinstance(item, Strided)
        )
    ):
        return _write_static(operation, x, plan, y)
    return _write(
        operation, x, plan, y, parsed, indices_are_sorted, unique_indices, wrap_negative_indices
    )


def _value_for(operation: str, y: Any, shape: Shape) -> Any:
    """The values broadcast to the shape of x[index]; leading axes of size 1 may be too many, as in
    NumPy."""
    own = y.aval.shape
    extra = len(own) - len(shape)
    if extra > 0 and all(n == 1 for n in own[:extra]):
        y = reshape(y, new_sizes=own[extra:], dimensions=None)
        own = own[extra:]
    try:
        fits = common_shape("at", own, shape) == shape
    except ShapeError:
        fits = False
    if not fits:
        raise ShapeError(
            f"at.{operation}: needs values that broadcast to the shape {shape} of x[index]; got "
            f"shape {own}"
        )
    return broadcast(y, shape)


def _quick_update(operation: str, x: Array, index: Any, values: Any) -> Array | None:
    """An update by NumPy where index and values are as they must be; None where they need a closer
    look."""
    if values.__class__ is Array:
        if values.dtype is not x.dtype:
            return None
    elif values.__class__ not in SCALARS or not adopts(x.dtype, values.__class__):
        return None
    host = host_index(index)
    if host is None or dtypes.is_key(x.dtype):
        return None
    source = x._numpy()
    out = source.copy()
    value = values._numpy() if values.__class__ is Array else values
    ufunc = _OPERATIONS[operation][2]
    try:
        if ufunc is None:
            if value.__class__ is np.ndarray and value.ndim > out.ndim:
                return None
            out[host] = value
        elif isinstance(host, np.ndarray) or host.__class__ is tuple:
            ufunc.at(out, host, value)
        else:  # a slice or an integer names each element once
            out[host] = ufunc(source[host], value)
    except (ValueError, IndexError, TypeError):  # what does not fit: the general path says so
        return None
    return _native.wrap_numpy(out, x.weak_type)


def _host_update(operation: str, x: Array, host: Any, y: Array) -> Array:
    """Everything is concrete: one copy of x, changed in place before anybody sees it."""
    out = np.array(x._numpy())
    values = y._numpy()
    ufunc = _OPERATIONS[operation][2]
    if values.ndim > 0:
        target = out[host].shape if ufunc is None else None
        if target is not None and values.shape != target:
            values = _value_for(operation, y, target)._numpy()
    if ufunc is None:
        out[host] = values
    else:
        ufunc.at(out, host, values)
    key = x.dtype if dtypes.is_key(x.dtype) else None
    return _native.wrap_numpy(out, x.weak_type, key)


def _where_mask(operation: str, x: Any, mask: Any, y: Any) -> Any:
    """A traced mask: its elements are chosen by `where`, so values cannot depend on how many there
    are."""
    k = mask.aval.ndim
    if mask.aval.shape != x.aval.shape[:k]:
        raise IndexError(
            f"at: needs a boolean mask of shape {x.aval.shape[:k]}; got shape {mask.aval.shape}"
        )
    if y.aval.ndim > x.aval.ndim - k:
        raise ShapeError(
            f"at.{operation}: needs values without an axis along a traced mask; got shape "
            f"{y.aval.shape}; "
            "try numpy.where(mask, y, x) with y of the shape of x"
        )
    y = broadcast(y, x.aval.shape)
    changed = _OPERATIONS[operation][1](x, y)
    while mask.aval.ndim < x.aval.ndim:
        mask = expand_dims(mask, (mask.aval.ndim,))
    return where_(broadcast(mask, x.aval.shape), changed, x)


def _write_static(operation: str, x: Any, plan: Plan, y: Any) -> Any:
    """Integers and slices without gaps: each element occurs once, so read, combine, write."""
    if operation != "set":
        y = _OPERATIONS[operation][1](read(x, plan, GatherScatterMode.ERROR), y)
    if plan.result_shape == plan.shape == x.aval.shape and not any(
        item.step < 0 for item in plan.items if isinstance(item, Strided)
    ):
        return convert(y, x.aval.dtype, x.aval.weak_type)
    starts, sizes, reverse = [0] * len(plan.shape), [1] * len(plan.shape), []
    for item in plan.items:
        if isinstance(item, Looked):
            starts[item.axis] = item.index
        elif isinstance(item, Strided):
            starts[item.axis], sizes[item.axis] = item.start, item.size
            if item.step < 0 and item.size > 1:
                starts[item.axis] = item.start - item.size + 1
                reverse.append(item.axis)
    update = reshape(y, new_sizes=tuple(sizes), dimensions=None)
    if reverse:
        update = rev(update, dimensions=tuple(reverse))
    wide = max(plan.shape, default=0) > np.iinfo(np.int32).max
    dtype = dtypes.int64 if wide else dtypes.int32
    return dynamic_update_slice(x, update, *(scalar(start, dtype) for start in starts))


def _write(
    operation: str,
    x: Any,
    plan: Plan,
    y: Any,
    mode: GatherScatterMode,
    is_sorted: bool,
    unique: bool,
    wrap: bool,
) -> Any:
    at = addresses(plan, mode, wrap)
    if any(isinstance(item, NewAxis) for item in plan.items):
        y = reshape(y, new_sizes=at.shape, dimensions=None)
    if at.reverse:
        y = rev(y, dimensions=at.reverse)
    checked = mode is GatherScatterMode.ERROR
    return _OPERATIONS[operation][0](
        x,
        at.indices,
        y,
        dimension_numbers=ScatterDimensionNumbers(
            update_window_dims=at.window_positions,
            inserted_window_dims=at.collapsed,
            scatter_dims_to_operand_dims=at.axes,
        ),
        indices_are_sorted=is_sorted,
        unique_indices=unique or not plan.advanced,
        mode=GatherScatterMode.PROMISE_IN_BOUNDS if checked else mode,
    )
