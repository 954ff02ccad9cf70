"""Slices at positions known at run time, gather and scatter."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.control.repeats import apply_repeatedly
from vires.core import dtypes
from vires.core.trace import EVAL, Tracer, aval_of, current_trace, thread
from vires.lax.arguments import array, axis, scalar_of, sizes
from vires.ops import gather as gather_ops
from vires.ops import index as ops
from vires.ops import scatter as scatter_ops
from vires.ops.accept import refuse, typed
from vires.ops.compare import lt
from vires.ops.convert import convert
from vires.ops.elementwise import add, neg, rem
from vires.ops.filled import full, scalar
from vires.ops.join import concatenate
from vires.ops.parts import slice as slice_
from vires.ops.scatter import slice_sizes as scatter_sizes
from vires.ops.select import select_n
from vires.ops.shape import expand_dims, reshape, squeeze
from vires.ops.slices import (
    GatherDimensionNumbers,
    GatherScatterMode,
    ScatterDimensionNumbers,
    gather_numbers,
)

# --- dynamic slices


def _start(name: str, index: Any, size: int, negative: bool) -> Any:
    """One start index as a 0-d integer; a negative one counts from the end when `negative`."""
    if not isinstance(index, Tracer):
        try:
            number = operator.index(index)
        except TypeError as error:
            raise refuse(name, "integer start indices", f"{index!r}", "", TypeError) from error
        number += size if negative and number < 0 else 0
        return scalar(
            min(max(number, -(2**63)), 2**63 - 1),
            dtypes.int32 if abs(number) < 2**31 else dtypes.int64,
        )
    aval = index.aval
    if aval.shape or not dtypes.is_integer(aval.dtype):
        raise refuse(name, "0-d integer start indices", typed(aval))
    if not negative or dtypes.kind(aval.dtype) == "unsigned":
        return index
    if aval.dtype.itemsize < 4:
        index = convert(index, dtypes.int32)  # so that adding the size does not overflow
    dtype = index.aval.dtype
    return select_n(lt(index, scalar(0, dtype)), index, add(index, scalar(size, dtype)))


def _starts(
    name: str, indices: Any, shape: tuple[int, ...], negative: bool | Sequence[bool]
) -> list[Any]:
    if isinstance(indices, (list, tuple)):
        parts = list(indices)
    else:
        row = array(indices)
        if row.ndim != 1:
            raise refuse(name, "start indices along one axis", typed(aval_of(row)))
        if isinstance(row, Tracer):
            parts = [
                squeeze(
                    slice_(row, start_indices=(d,), limit_indices=(d + 1,), strides=None),
                    dimensions=(0,),
                )
                for d in range(row.shape[0])
            ]
        else:
            parts = list(np.asarray(row))
    if len(parts) != len(shape):
        raise refuse(name, f"{len(shape)} start indices, one for each axis", str(len(parts)))
    flags = [negative] * len(parts) if isinstance(negative, bool) else list(negative)
    return [_start(name, i, n, flag) for i, n, flag in zip(parts, shape, flags, strict=True)]


def dynamic_slice(
    operand: Any,
    start_indices: Any,
    slice_sizes: Sequence[int],
    *,
    allow_negative_indices: bool | Sequence[bool] = True,
) -> Any:
    """The slice of size `slice_sizes` at a position known at run time.

    A slice that does not lie inside the array is moved inside. Negative start indices count from
    the end.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.dynamic_slice(np.arange(6), (4,), (3,)).tolist()
    [3, 4, 5]
    """
    x = array(operand)
    starts = _starts("dynamic_slice", start_indices, x.shape, allow_negative_indices)
    return ops.dynamic_slice(x, *starts, slice_sizes=sizes("dynamic_slice", slice_sizes))


def dynamic_update_slice(
    operand: Any,
    update: Any,
    start_indices: Any,
    *,
    allow_negative_indices: bool | Sequence[bool] = True,
) -> Any:
    """The array with a slice replaced by `update`, at a position known at run time.

    A slice that does not lie inside the array is moved inside. Negative start indices count from
    the end.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.dynamic_update_slice(np.zeros(4), np.ones(2), (1,)).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    x = array(operand)
    y = array(update) if hasattr(update, "dtype") else scalar_of(update, x.dtype)
    starts = _starts("dynamic_update_slice", start_indices, x.shape, allow_negative_indices)
    return ops.dynamic_update_slice(x, y, *starts)


def dynamic_slice_in_dim(
    operand: Any,
    start_index: Any,
    slice_size: int,
    axis: int = 0,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """`dynamic_slice` along one axis, the others whole."""
    x = array(operand)
    d = _axis("dynamic_slice_in_dim", axis, x.ndim)
    starts: list[Any] = [0] * x.ndim
    starts[d] = start_index
    shape = tuple(slice_size if k == d else n for k, n in enumerate(x.shape))
    return dynamic_slice(x, starts, shape, allow_negative_indices=allow_negative_indices)


_axis = axis


def dynamic_index_in_dim(
    operand: Any,
    index: Any,
    axis: int = 0,
    keepdims: bool = True,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """The element at an index of one axis, the axis kept with size 1 or removed."""
    x = array(operand)
    d = _axis("dynamic_index_in_dim", axis, x.ndim)
    result = dynamic_slice_in_dim(x, index, 1, d, allow_negative_indices=allow_negative_indices)
    return result if keepdims else squeeze(result, dimensions=(d,))


def dynamic_update_slice_in_dim(
    operand: Any, update: Any, start_index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Any:
    """`dynamic_update_slice` along one axis, from the beginning of the others."""
    x = array(operand)
    starts: list[Any] = [0] * x.ndim
    starts[_axis("dynamic_update_slice_in_dim", axis, x.ndim)] = start_index
    return dynamic_update_slice(x, update, starts, allow_negative_indices=allow_negative_indices)


def dynamic_update_index_in_dim(
    operand: Any, update: Any, index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Any:
    """The array with what is at an index of one axis replaced; the update may lack that axis."""
    x = array(operand)
    y = array(update) if hasattr(update, "dtype") else scalar_of(update, x.dtype)
    d = _axis("dynamic_update_index_in_dim", axis, x.ndim)
    if y.ndim != x.ndim:
        y = expand_dims(y, (d,))
    return dynamic_update_slice_in_dim(
        x, y, index, d, allow_negative_indices=allow_negative_indices
    )


# --- gather and scatter


def gather(
    operand: Any,
    start_indices: Any,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Sequence[int],
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: str | GatherScatterMode | None = None,
    fill_value: Any = None,
) -> Any:
    """Slices of an array that start at given indices.

    The last axis of `start_indices` holds index vectors; its other axes are axes of the result.
    Where a
    slice does not lie inside, `mode` decides: "clip" (the default) moves it inside, "fill" gives
    `fill_value` (nan, the least signed or the greatest unsigned integer, True), "error" raises
    IndexError,
    "promise_in_bounds" promises that it does not happen.

    >>> import numpy as np
    >>> from vires import lax
    >>> rows = lax.GatherDimensionNumbers((1,), collapsed_slice_dims=(0,), start_index_map=(0,))
    >>> lax.gather(np.eye(3), np.array([[2], [0]]), rows, (1, 3)).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return gather_ops.gather(
        array(operand),
        array(start_indices),
        dimension_numbers=GatherDimensionNumbers(*map(tuple, dimension_numbers)),
        slice_sizes=sizes("gather", slice_sizes),
        indices_are_sorted=bool(indices_are_sorted),
        unique_indices=bool(unique_indices),
        mode=GatherScatterMode.CLIP if mode is None else GatherScatterMode.from_any(mode),
        fill_value=fill_value,
    )


def _scatter(primitive: Any, doc: str) -> Callable[..., Any]:
    def function(
        operand: Any,
        scatter_indices: Any,
        updates: Any,
        dimension_numbers: ScatterDimensionNumbers,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: str | GatherScatterMode | None = None,
    ) -> Any:
        x = array(operand)
        return primitive(
            x,
            array(scatter_indices),
            array(updates) if hasattr(updates, "dtype") else scalar_of(updates, x.dtype),
            dimension_numbers=ScatterDimensionNumbers(*map(tuple, dimension_numbers)),
            indices_are_sorted=bool(indices_are_sorted),
            unique_indices=bool(unique_indices),
            mode=GatherScatterMode.from_any(mode),
        )

    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = doc
    return function


scatter = _scatter(
    scatter_ops.scatter,
    """The array with slices at given indices replaced by updates. The last of several updates
    stays.

    `mode` decides about slices that do not lie inside: "drop" (the default), "clip", "error" or
    "promise_in_bounds".
    """,
)
scatter_add = _scatter(
    scatter_ops.scatter_add, """The array with updates added to its slices at given indices."""
)
scatter_mul = _scatter(
    scatter_ops.scatter_mul, """The array with its slices at given indices multiplied by updates."""
)
scatter_min = _scatter(
    scatter_ops.scatter_min,
    """The array with slices at given indices replaced by smaller updates.""",
)
scatter_max = _scatter(
    scatter_ops.scatter_max,
    """The array with slices at given indices replaced by larger updates.""",
)


def scatter_sub(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    **options: Any,
) -> Any:
    """The array with updates subtracted from its slices at given indices."""
    return scatter_add(operand, scatter_indices, neg(array(updates)), dimension_numbers, **options)


def scatter_apply(
    operand: Any,
    scatter_indices: Any,
    func: Callable[[Any], Any],
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape: Sequence[int] = (),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
) -> Any:
    """The array with `func`, an elementwise function, applied to its slices at given indices.

    Elements that several slices hold have it applied as many times; with `unique_indices` there are
    none. Reverse mode needs `unique_indices`, or indices that are no traced values.
    """
    x, indices = array(operand), array(scatter_indices)
    numbers = ScatterDimensionNumbers(*map(tuple, dimension_numbers))
    options: dict[str, Any] = {
        "indices_are_sorted": indices_are_sorted,
        "unique_indices": unique_indices,
        "mode": mode,
    }
    window = scatter_sizes(numbers, x.ndim, sizes("scatter_apply", update_shape))
    read = gather_numbers(numbers)
    before = gather(x, indices, read, window, **options)
    if unique_indices:
        after = func(before)
    else:
        with current_trace(thread.trace if isinstance(indices, Tracer) else EVAL):
            ones = full(aval_of(before).shape, 1, dtypes.int32)
            none = full(x.shape, 0, dtypes.int32)
            counts = scatter_add(none, indices, ones, numbers, **options)
            times = gather(counts, indices, read, window, **options)
        after = apply_repeatedly(func, before, times)
    return scatter(x, indices, after, numbers, **options)


def _modulo(index: Any, size: int) -> Any:
    index = convert(index, dtypes.int64) if index.dtype.itemsize < 4 else index
    shape, dtype = index.shape, index.dtype
    rest = rem(index, full(shape, size, dtype))
    if dtypes.kind(dtype) == "unsigned":
        return rest
    return select_n(lt(rest, full(shape, 0, dtype)), rest, add(rest, full(shape, size, dtype)))


def index_take(src: Any, idxs: Sequence[Any], axes: Sequence[int]) -> Any:
    """The slices of `src` at index arrays of one shape, one for each of `axes`, which are removed.

    Indices are taken modulo the size of their axis.
    """
    x = array(src)
    over = tuple(_axis("index_take", d, x.ndim) for d in axes)
    columns = [_modulo(array(i), x.shape[d]) for i, d in zip(idxs, over, strict=True)]
    vectors = [reshape(i, new_sizes=(*i.shape, 1), dimensions=None) for i in columns]
    batch = columns[0].ndim
    numbers = GatherDimensionNumbers(
        tuple(range(batch, batch + x.ndim - len(over))), tuple(sorted(over)), over
    )
    shape = tuple(1 if d in over else n for d, n in enumerate(x.shape))
    return gather(x, concatenate(*vectors, dimension=batch), numbers, shape)


__all__ = [
    "GatherDimensionNumbers", "GatherScatterMode", "ScatterDimensionNumbers",
    "dynamic_index_in_dim", "dynamic_slice", "dynamic_slice_in_dim", "dynamic_update_index_in_dim",
    "dynamic_update_slice", "dynamic_update_slice_in_dim", "gather", "index_take", "scatter",
    "scatter_add", "scatter_apply", "scatter_max", "scatter_min", "scatter_mul", "scatter_sub",
]  # fmt: skip
