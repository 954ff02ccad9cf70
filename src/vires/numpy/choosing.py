"""Choosing elements: `where`, `take`, `nonzero`, `select`, `choose`, `compress`, ..."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy.arithmetic import clip, remainder, where_
from vires.numpy.at import get as get_at
from vires.numpy.at import put as put_at
from vires.numpy.comparison import truth
from vires.numpy.creation import asarray, flat, from_host
from vires.numpy.operands import (
    ShapeError,
    axis_index,
    broadcast,
    broadcast_all,
    common_shape,
    convert,
    no_out,
    operand,
    promote,
    sequence_operands,
    shape_tuple,
    size_argument,
)
from vires.numpy.planned import shortcut
from vires.numpy.reductions import sum as sum_
from vires.numpy.ufunc import elementwise
from vires.ops import cumulative
from vires.ops.filled import iota
from vires.ops.select import select_n
from vires.ops.shape import expand_dims, reshape

# --- by condition


def _condition_first(condition: Any, x: Any, y: Any) -> list[Any]:
    return [truth(operand(condition, "where", "the condition")), *promote(x, y)]


@elementwise(_condition_first, name="where")
def _where(condition, x, y):
    return where_(condition, x, y)


def where(
    condition: Any,
    x: Any = None,
    y: Any = None,
    /,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Elements of `x` where the condition is true, else of `y`; with the condition alone,
    `nonzero(condition)`.

    Both `x` and `y` are computed: a nan in the part that is not chosen does no harm, but its
    derivative may.

    >>> from vires import numpy as np
    >>> np.where(np.arange(4) > 1, 1., 0.)
    Array([0., 0., 1., 1.], dtype=float32, weak_type=True)
    """
    if x is None and y is None:
        return nonzero(condition, size=size, fill_value=fill_value)
    if x is None or y is None:
        raise ValueError("where: needs both x and y, or neither; got one of them")
    if size is not None or fill_value is not None:
        raise ValueError(
            f"where: needs size=None and fill_value=None next to x and y; got size={size} and "
            f"fill_value={fill_value}; try where(condition, size=...) for the indices"
        )
    if dtypes.is_key(getattr(x, "dtype", None)):
        condition, x, y = broadcast_all(
            "where", truth(operand(condition, "where")), x, operand(y, "where", "y")
        )
        return where_(condition, x, y)
    return _where(condition, x, y)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Each element from the choice of the first condition that holds, else `default`."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(
            f"select: needs as many conditions as choices, at least one; got {len(condlist)} and "
            f"{len(choicelist)}"
        )
    choices = promote(*(operand(x, "select", "choicelist") for x in (*choicelist, default)))
    result = choices[-1]
    for condition, choice in zip(reversed(condlist), reversed(choices[:-1]), strict=True):
        result = where(condition, choice, result)
    return result


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """Functions (or values) applied where their conditions hold, the last condition winning; one
    more for the rest."""
    x = operand(x, "piecewise")
    if isinstance(condlist, Tracer) or hasattr(condlist, "dtype"):
        condlist = operand(condlist, "piecewise", "condlist")
        conditions = [condlist] if condlist.aval.shape == x.aval.shape else list(condlist)
    else:
        conditions = [operand(condition, "piecewise", "condlist") for condition in condlist]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        result = functions.pop()
        result = result(x, *args, **kw) if callable(result) else result
    elif len(functions) == len(conditions):
        result = 0
    else:
        raise ValueError(
            f"piecewise: needs {len(conditions)} or {len(conditions) + 1} functions; got "
            f"{len(functions)}"
        )
    for condition, function in zip(conditions, functions, strict=True):
        result = where(
            condition, function(x, *args, **kw) if callable(function) else function, result
        )
    return convert(broadcast(operand(result, "piecewise"), x.aval.shape), x.aval.dtype)


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """Each element from the choice whose number is in `a`; mode "wrap" or "clip" for numbers
    outside."""
    no_out("choose", out)
    which = operand(a, "choose", "a")
    if not dtypes.is_integer(which.aval.dtype):
        raise ValueError(f"choose: needs integers; got {which.aval.dtype.name}")
    arrays = promote(*sequence_operands(choices, "choose", "choices"))
    which, *arrays = broadcast_all("choose", which, *arrays)
    if mode == "raise":
        if isinstance(which, Tracer) and which.concrete() is None:
            raise ConcretizationTypeError(which, "choose (mode='raise'; try mode='clip' or 'wrap')")
        values = np.asarray(which)
        if values.size and not (values.min() >= 0 and values.max() < len(arrays)):
            raise ValueError(
                f"choose: needs numbers from 0 to {len(arrays) - 1}; got {values.min()} to "
                f"{values.max()}"
            )
    elif mode == "wrap":
        which = remainder(which, len(arrays))
    elif mode == "clip":
        which = clip(which, 0, len(arrays) - 1)
    else:
        raise ValueError(f"choose: needs mode 'raise', 'wrap' or 'clip'; got {mode!r}")
    return select_n(convert(which, dtypes.int32), *arrays)


# --- the places where something holds


@shortcut("nonzero")
def nonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> tuple[Any, ...]:
    """For each axis the indices of the elements that are not zero.

    Under jit their number must be given as `size`: the result is cut to it or padded with
    `fill_value` (default 0).
    """
    x = operand(a, "nonzero", "a")
    if not x.aval.ndim:
        raise ValueError("nonzero: needs at least 1 axis; got a 0-d array; try numpy.atleast_1d(x)")
    fills = fill_value if isinstance(fill_value, tuple) else (fill_value,) * x.aval.ndim
    size = None if size is None else size_argument("nonzero", size)
    value = x.concrete() if isinstance(x, Tracer) else x
    if value is None:
        if size is None:
            raise ConcretizationTypeError(
                x, "nonzero (the number of nonzero elements decides the shape: try size=...)"
            )
        return _nonzero_traced(x, size, fills)
    found = np.nonzero(value._numpy() != 0 if value.dtype.kind == "V" else value._numpy())
    results = []
    for indices, fill in zip(found, fills, strict=True):
        indices = indices.astype(dtypes.default_int())
        if size is not None:
            missing = max(0, size - indices.size)
            indices = np.concatenate(
                [indices[:size], np.full(missing, 0 if fill is None else fill, indices.dtype)]
            )
        results.append(from_host(indices))
    return tuple(results)


def _nonzero_traced(x: Any, size: int, fills: Sequence[Any]) -> tuple[Any, ...]:
    """The k-th place is the number of elements before which fewer than k + 1 hold: a count of
    running sums."""
    shape = x.aval.shape
    mask = flat(truth(x))
    running = cumulative.cumsum(convert(mask, dtypes.int32), axis=0, reverse=False)
    # Scatter: each element that holds writes its position at its rank; others fall outside and are
    # dropped.
    ranks = where(mask, running - 1, size)
    positions = (
        asarray(np.zeros(size, np.int32))
        .at[ranks]
        .set(iota(dtype=dtypes.int32, shape=mask.aval.shape, dimension=0), mode="drop")
    )
    total = sum_(mask)
    valid = iota(dtype=dtypes.int32, shape=(size,), dimension=0) < total
    results = []
    for axis, fill in enumerate(fills):
        stride = math.prod(shape[axis + 1 :])
        index = (positions // max(stride, 1)) % max(shape[axis], 1)
        filled = where(valid, index, 0 if fill is None else fill)
        results.append(convert(filled, dtypes.default_int()))
    return tuple(results)


def flatnonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """The indices in the flattened array of the elements that are not zero."""
    return nonzero(flat(operand(a, "flatnonzero", "a")), size=size, fill_value=fill_value)[0]


def argwhere(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """The indices of the elements that are not zero, one row each."""
    x = operand(a, "argwhere", "a")
    if not x.aval.ndim:
        rows = flatnonzero(x, size=size).aval.size if size is None else size
        return asarray(np.zeros((rows, 0), dtypes.default_int()))
    found = nonzero(x, size=size, fill_value=fill_value)
    return (
        asarray(list(found)).T
        if found[0].aval.size
        else asarray(np.zeros((0, x.aval.ndim), dtypes.default_int()))
    )


def compress(
    condition: Any,
    a: Any,
    axis: int | None = None,
    *,
    size: int | None = None,
    fill_value: Any = 0,
    out: None = None,
) -> Any:
    """The slices along an axis (None: of the flattened array) where the condition holds."""
    no_out("compress", out)
    x, chosen = operand(a, "compress", "a"), operand(condition, "compress", "condition")
    if chosen.aval.ndim != 1:
        raise ValueError(f"compress: needs a 1-d condition; got shape {chosen.aval.shape}")
    if axis is None:
        x, axis = flat(x), 0
    axis = axis_index("compress", axis, x.aval.ndim)
    length = x.aval.shape[axis]
    if (
        chosen.aval.size > length
        and not isinstance(chosen, Tracer)
        and np.any(np.asarray(chosen)[length:])
    ):
        raise IndexError(
            f"compress: needs a condition of at most {length} elements; got {chosen.aval.size}"
        )
    chosen = chosen[:length]
    (places,) = nonzero(chosen, size=size, fill_value=length)
    if size is None:
        return take(x, places, axis)
    return take(x, places, axis, mode="fill", fill_value=fill_value)


def extract(condition: Any, arr: Any, *, size: int | None = None, fill_value: Any = 0) -> Any:
    """The elements of the flattened array where the flattened condition holds."""
    return compress(flat(operand(condition, "extract", "condition")), flat(operand(arr, "extract",
        "arr")),
                    size=size, fill_value=fill_value)  # fmt: skip


# --- by index


def take(
    a: Any, indices: Any, axis: int | None = None, out: None = None, mode: Any = None,
    unique_indices: bool = False,
    indices_are_sorted: bool = False, fill_value: Any = None,
) -> Any:  # fmt: skip
    """The slices at `indices` along an axis (None: of the flattened array).

    An index outside raises IndexError; mode "clip" takes the nearest element, "wrap" counts around,
    "fill" gives
    `fill_value`.
    """
    no_out("take", out)
    x, index = operand(a, "take", "a"), operand(indices, "take", "indices")
    if not dtypes.is_integer(index.aval.dtype):
        if index.aval.size:
            raise TypeError(f"take: needs integer indices; got {index.aval.dtype.name}")
        index = convert(index, dtypes.int32)
    if axis is None:
        x, axis = flat(x) if x.aval.ndim else expand_dims(x, (0,)), 0
    axis = axis_index("take", axis, x.aval.ndim)
    if mode == "raise":
        mode = None
    if fill_value is not None and mode is None:
        mode = "fill"
    at = (slice(None),) * axis + (index,)
    if mode is None and fill_value is None:
        return get_at(x, at, "take")
    return get_at(
        x,
        at,
        "take",
        mode=mode,
        fill_value=fill_value,
        unique_indices=unique_indices,
        indices_are_sorted=indices_are_sorted,
    )


def _along_axis_index(function: str, x: Any, index: Any, axis: int) -> tuple[Any, ...]:
    """The index of each element along an axis, with that of the other axes beside it."""
    if not dtypes.is_integer(index.aval.dtype):
        raise TypeError(f"{function}: needs integer indices; got {index.aval.dtype.name}")
    if index.aval.ndim != x.aval.ndim:
        raise ShapeError(
            f"{function}: needs indices with {x.aval.ndim} axes; got shape {index.aval.shape} for "
            f"{x.aval.shape}"
        )
    rank = x.aval.ndim
    rest = tuple(1 if d == axis else n for d, n in enumerate(x.aval.shape))
    own = tuple(1 if d == axis else n for d, n in enumerate(index.aval.shape))
    common_shape(function, rest, own)
    entries: list[Any] = []
    for d in range(rank):
        if d == axis:
            entries.append(index)
        elif x.aval.shape[d] == 1:
            entries.append(np.zeros((1,) * rank, np.int32))
        else:
            places = np.arange(x.aval.shape[d], dtype=np.int32)
            entries.append(places.reshape(tuple(-1 if e == d else 1 for e in range(rank))))
    return tuple(entries)


def take_along_axis(
    arr: Any, indices: Any, axis: int | None = -1, mode: Any = None, fill_value: Any = None, *,
    wrap_negative_indices: bool | None = None,
) -> Any:  # fmt: skip
    """For each index its element along an axis, beside the other axes, which broadcast: as argsort
    gives them."""
    x, index = (
        operand(arr, "take_along_axis", "arr"),
        operand(indices, "take_along_axis", "indices"),
    )
    if axis is None:
        if index.aval.ndim != 1:
            raise ValueError(
                f"take_along_axis: needs 1-d indices for axis=None; got shape {index.aval.shape}"
            )
        x, axis = flat(x), 0
    axis = axis_index("take_along_axis", axis, x.aval.ndim)
    entries = _along_axis_index("take_along_axis", x, index, axis)
    return get_at(x, entries, "take_along_axis", mode=mode, fill_value=fill_value)


def put_along_axis(
    arr: Any, indices: Any, values: Any, axis: int | None, inplace: bool = True, *, mode: Any = None
) -> Any:
    """A copy of `arr` with values at the places that `take_along_axis` reads; needs
    inplace=False."""
    if inplace:
        raise ValueError(
            "put_along_axis: needs inplace=False, since arrays are immutable; got True; "
            "try x = put_along_axis(x, ..., inplace=False)"
        )
    x, index = operand(arr, "put_along_axis", "arr"), operand(indices, "put_along_axis", "indices")
    shape = x.aval.shape
    if axis is None:
        x, axis = flat(x), 0
    axis = axis_index("put_along_axis", axis, x.aval.ndim)
    entries = _along_axis_index("put_along_axis", x, index, axis)
    result = put_at(x, entries, values, "put_along_axis", mode)
    return reshape(result, new_sizes=shape, dimensions=None)


def put(a: Any, ind: Any, v: Any, mode: str | None = None, *, inplace: bool = True) -> Any:
    """A copy of `a` with values at indices of the flattened array; needs inplace=False."""
    if inplace:
        raise ValueError(
            "put: needs inplace=False, since arrays are immutable; got True; "
            "try x = put(x, ..., inplace=False)"
        )
    x, index, values = (
        operand(a, "put", "a"),
        flat(operand(ind, "put", "ind")),
        flat(operand(v, "put", "v")),
    )
    if not index.aval.size or not values.aval.size:
        return x
    repeats = -(-index.aval.size // values.aval.size)
    if repeats > 1:
        values = flat(broadcast(values, (repeats, values.aval.size)))
    result = put_at(flat(x), index, values[: index.aval.size], "put", mode)
    return reshape(result, new_sizes=x.aval.shape, dimensions=None)


def place(arr: Any, mask: Any, vals: Any, *, inplace: bool = True) -> Any:
    """A copy of `arr` with successive values where the mask holds; needs inplace=False."""
    if inplace:
        raise ValueError(
            "place: needs inplace=False, since arrays are immutable; got True; "
            "try x = place(x, ..., inplace=False)"
        )
    x, chosen = operand(arr, "place", "arr"), flat(truth(operand(mask, "place", "mask")))
    values = flat(operand(vals, "place", "vals"))
    if chosen.aval.size != x.aval.size or not values.aval.size:
        raise ValueError(
            f"place: needs a mask of {x.aval.size} elements and at least one value; got "
            f"{chosen.aval.size} and {values.aval.size}"
        )
    ranks = cumulative.cumsum(convert(chosen, dtypes.int32), axis=0, reverse=False) - 1
    new = convert(values[remainder(ranks, values.aval.size)], x.aval.dtype)
    return reshape(where_(chosen, new, flat(x)), new_sizes=x.aval.shape, dimensions=None)


def ravel_multi_index(
    multi_index: Sequence[Any],
    dims: Sequence[int],
    mode: str = "raise",
    order: str = "C",
    *,
    dtype: Any = None,
) -> Any:
    """The indices in the flattened array of indices along each axis."""
    sizes = shape_tuple("ravel_multi_index", dims)
    indices = [operand(index, "ravel_multi_index", "multi_index") for index in multi_index]
    if len(indices) != len(sizes):
        raise ValueError(f"ravel_multi_index: needs {len(sizes)} index arrays; got {len(indices)}")
    target = dtypes.default_int() if dtype is None else dtypes.canonical(dtype)
    result: Any = 0
    stride = 1
    axes = range(len(sizes))
    for d in axes if order == "F" else reversed(axes):
        index = indices[d]
        if not dtypes.is_integer(index.aval.dtype):
            raise TypeError(f"ravel_multi_index: needs integers; got {index.aval.dtype.name}")
        if mode == "wrap":
            index = remainder(index, sizes[d])
        elif mode == "clip":
            index = clip(index, 0, sizes[d] - 1)
        elif isinstance(index, Tracer) and index.concrete() is None:
            raise ConcretizationTypeError(
                index, "ravel_multi_index (mode='raise'; try mode='clip' or 'wrap')"
            )
        elif index.aval.size and not (
            np.asarray(index).min() >= 0 and np.asarray(index).max() < sizes[d]
        ):
            found = np.asarray(index)
            worst = found.min() if found.min() < 0 else found.max()
            raise ValueError(
                f"ravel_multi_index: needs indices from 0 to {sizes[d] - 1} along axis {d}; got "
                f"{worst}; try mode='clip' or 'wrap' if that is meant"
            )
        result = convert(index, target) * stride + result
        stride *= sizes[d]
    return result


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """The indices along each axis of indices in the flattened array; those outside are moved to the
    nearest inside."""
    sizes = shape_tuple("unravel_index", shape)
    index = operand(indices, "unravel_index", "indices")
    total = math.prod(sizes)
    index = where(index < 0, index + total, index)
    index = clip(index, 0, max(total - 1, 0))
    results = []
    for size in reversed(sizes):
        results.append(remainder(index, size))
        index = index // max(size, 1)
    return tuple(reversed(results))


def ix_(*args: Any) -> tuple[Any, ...]:
    """Index arrays that together select the outer product of 1-d indices or masks."""
    results = []
    for k, arg in enumerate(args):
        index = operand(arg, "ix_", f"args[{k}]")
        if index.aval.ndim != 1:
            raise ValueError(f"ix_: needs 1-d arrays; got shape {index.aval.shape}")
        if index.aval.dtype == dtypes.bool_:
            (index,) = nonzero(index)
        shape = tuple(index.aval.size if d == k else 1 for d in range(len(args)))
        results.append(reshape(index, new_sizes=shape, dimensions=None))
    return tuple(results)


__all__ = [
    "argwhere", "choose", "compress", "extract", "flatnonzero", "ix_", "nonzero", "piecewise",
    "place", "put", "put_along_axis", "ravel_multi_index", "select", "take", "take_along_axis",
    "unravel_index", "where",
]  # fmt: skip
