"""Changed copies: `x.at[index].set(y)`, `.add(y)`, `.get(mode=...)`, ..."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.control.repeats import apply_repeatedly
from vires.core import dtypes
from vires.core.trace import EVAL, Tracer, current_trace, thread
from vires.numpy import arithmetic
from vires.numpy.arithmetic import where_
from vires.numpy.creation import asarray
from vires.numpy.getitem import addresses, getitem, host_index, read
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
from vires.numpy.planned import shortcut
from vires.numpy.ufunc import adopts
from vires.ops.filled import full, full_like, scalar
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


class At(_native.At):
    """`x.at`: `x.at[index]` names the elements that the methods of the result change or read."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"At({self.array!r})"


class IndexUpdate(_native.IndexUpdate):
    """`x.at[index]`: methods that give a changed copy of x, or read the elements.

    `mode` says what an index outside the array does: None raises IndexError, "drop" leaves it out,
    "fill" reads
    `fill_value`, "clip" takes the nearest element, "promise_in_bounds" leaves it undefined, "wrap"
    counts around.
    `unique_indices` and `indices_are_sorted` are promises. Values are broadcast to the shape of
    x[index] and converted
    to the dtype of x.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"IndexUpdate({self.array!r}, {self.index!r})"

    def get(
        self, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
        fill_value: Any = None, wrap_negative_indices: bool = True, out_sharding: Any = None,
    ) -> Any:  # fmt: skip
        """x[index], with a mode for indices outside the array.

        >>> from vires import numpy as np
        >>> np.arange(3.).at[np.array([1, 7])].get(mode="fill", fill_value=-1)
        Array([ 1., -1.], dtype=float32)
        """
        if mode is None and fill_value is None and not indices_are_sorted and not unique_indices:
            return self.array[self.index]
        return get(
            self.array,
            self.index,
            "getitem",
            indices_are_sorted=indices_are_sorted,
            unique_indices=unique_indices,
            mode=mode,
            fill_value=fill_value,
            wrap_negative_indices=wrap_negative_indices,
        )

    @shortcut("at_set")
    def set(self, values: Any, **options: Any) -> Any:
        """A copy of x with x[index] replaced by the values; of several for one element the last one
        stays.

        >>> from vires import numpy as np
        >>> np.zeros(3).at[1].set(5)
        Array([0., 5., 0.], dtype=float32)
        """
        return _update("set", self.array, self.index, values, **options)

    @shortcut("at_add")
    def add(self, values: Any, **options: Any) -> Any:
        """A copy of x with the values added to x[index]; several values for one element add up."""
        return _update("add", self.array, self.index, values, **options)

    def subtract(self, values: Any, **options: Any) -> Any:
        """A copy of x with the values subtracted from x[index]."""
        return _update("add", self.array, self.index, -asarray(values), **options)

    sub = subtract

    @shortcut("at_multiply")
    def multiply(self, values: Any, **options: Any) -> Any:
        """A copy of x with x[index] multiplied by the values; several values for one element
        multiply."""
        return _update("multiply", self.array, self.index, values, **options)

    mul = multiply

    def divide(self, values: Any, **options: Any) -> Any:
        """A copy of x with x[index] divided by the values."""
        factors = _update("multiply", full_like(self.array, 1), self.index, values, **options)
        return convert(arithmetic.divide(self.array, factors), self.array.aval.dtype)

    def power(self, values: Any, **options: Any) -> Any:
        """A copy of x with x[index] raised to the powers of the values."""
        exponents = _update("multiply", full_like(self.array, 1), self.index, values, **options)
        return arithmetic.power(self.array, exponents)

    def min(self, values: Any, **options: Any) -> Any:
        """A copy of x with the smaller of x[index] and the values."""
        return _update("min", self.array, self.index, values, **options)

    def max(self, values: Any, **options: Any) -> Any:
        """A copy of x with the larger of x[index] and the values."""
        return _update("max", self.array, self.index, values, **options)

    def apply(self, func: Callable[[Any], Any], **options: Any) -> Any:
        """A copy of x with a function applied to the elements x[index], as often as each occurs,
        like ``ufunc.at``."""
        mode = options.get("mode")
        reads = "clip" if mode in ("drop", "fill") else mode
        values = self.get(mode=reads)
        if not options.get("unique_indices") and values.size and _may_repeat(self.index):
            traced = any(isinstance(x, Tracer) for x in _entries(self.index))
            with current_trace(thread.trace if traced else EVAL):
                none = full(self.array.aval.shape, 0, dtypes.int32)
                counts = _update("add", none, self.index, 1, **options)
                times = IndexUpdate(counts, self.index).get(mode=reads)
            values = apply_repeatedly(func, values, times)
        else:
            values = func(values)
        return _update("set", self.array, self.index, values, **options)


def _entries(index: Any) -> tuple[Any, ...]:
    return index if index.__class__ is tuple else (index,)


def _may_repeat(index: Any) -> bool:
    """Whether an index may name an element twice: by arrays of integers."""
    return any(
        isinstance(x, (np.ndarray, Array, Tracer)) and x.ndim and x.dtype != bool
        for x in _entries(index)
    )


def _is_plain(x: Any, index: Any) -> bool:
    """Whether array and indices are concrete."""
    return x.__class__ is Array and not any(isinstance(i, Tracer) for i in _entries(index))


_native.set_update_types(At, IndexUpdate)


def _static_fill(value: Any) -> Any:
    return (
        value
        if value is None or isinstance(value, (bool, int, float, complex))
        else np.asarray(value).item()
    )


def _wrapped(x: Any, index: Any, mode: Any) -> tuple[Any, Any]:
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


def _bounded(plan: Plan, mode: GatherScatterMode) -> Plan:
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


def get(
    x: Any, index: Any, operation: str, *, mode: Any = None, fill_value: Any = None,
    indices_are_sorted: bool = False, unique_indices: bool = False,
    wrap_negative_indices: bool = True,
) -> Any:  # fmt: skip
    """`x.at[index].get(...)`, with errors in the name of `operation`."""
    if mode is None and fill_value is not None:
        mode = "fill"
    if mode is None or mode == "promise_in_bounds":  # an index that breaks the promise raises
        if thread.trace is EVAL and (x.__class__ is Array if mode is None else _is_plain(x, index)):
            try:
                return x[index]
            except IndexError:
                make_plan(x.aval.shape, index, operation=operation)  # says so in that name
                raise
        if mode is None and not indices_are_sorted and not unique_indices:
            return getitem(x, index, operation)
    index, mode = _wrapped(x, index, mode)
    parsed = parse_mode(mode)
    checked = parsed is GatherScatterMode.ERROR
    plan = _bounded(make_plan(x.aval.shape, index, checked, operation), parsed)
    fill = _static_fill(fill_value)
    return read(x, plan, parsed, fill, indices_are_sorted, unique_indices, wrap_negative_indices)


def put(x: Any, index: Any, values: Any, operation: str, mode: Any) -> Any:
    """`x.at[index].set(values, mode=mode)`, with errors of indices in the name of `operation`."""
    if not _is_plain(x, index):
        return _update("set", x, index, values, mode=mode, name=operation)
    try:
        return x.at[index].set(values, mode=mode)
    except IndexError:
        make_plan(x.aval.shape, index, operation=operation)  # says so in that name
        raise


# --- updates


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


def _update(
    operation: str, x: Any, index: Any, values: Any, *, indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None, wrap_negative_indices: bool = True, out_sharding: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`x.at[index].<operation>(values)`, with errors of indices in the name of `name`."""
    if mode is None and x.__class__ is Array and thread.trace is EVAL:
        result = _quick_update(operation, x, index, values)
        if result is not None:
            return result
    name = name or f"at.{operation}"
    y = _in_dtype(x, values, operation)
    if isinstance(index, Tracer) and index.aval.dtype == dtypes.bool_ and index.concrete() is None:
        return _where_mask(operation, x, index, y)
    index, mode = _wrapped(x, index, mode)
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
    plan = _bounded(plan, parsed)
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
