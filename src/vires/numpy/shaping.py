"""Shapes and axes: `reshape`, `transpose`, `broadcast_to`, `expand_dims`, `flip`, `roll`, ..."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core.trace import Tracer
from vires.numpy.creation import asarray, flat
from vires.numpy.operands import (
    AxisError,
    Shape,
    ShapeError,
    axes_tuple,
    axis_index,
    broadcast,
    broadcast_all,
    common_shape,
    operand,
    shape_text,
    shape_tuple,
)
from vires.numpy.planned import planned, shortcut
from vires.ops.join import concatenate as concatenate_p
from vires.ops.parts import rev
from vires.ops.parts import slice as slice_p
from vires.ops.shape import expand_dims as expand_dims_p
from vires.ops.shape import reshape as reshape_p
from vires.ops.shape import squeeze as squeeze_p
from vires.ops.shape import transpose as transpose_p

# --- what it is


def shape(a: Any) -> Shape:
    """The sizes of the axes."""
    return tuple(a.shape) if hasattr(a, "shape") else operand(a, "shape", "a").aval.shape


def ndim(a: Any) -> int:
    """The number of axes."""
    return len(shape(a))


def size(a: Any, axis: Any = None) -> int:
    """The number of elements, or the size of an axis or the product of several."""
    sizes = shape(a)
    if axis is None:
        return math.prod(sizes)
    return math.prod(sizes[d] for d in axes_tuple("size", axis, len(sizes)))


# --- the same elements in another shape


def resolve_shape(function: str, size: int, new_shape: Any) -> Shape:
    """A shape in which -1 stands for the one size that the number of elements decides."""
    sizes = shape_tuple(function, new_shape)
    unknown = sizes.count(-1)
    if not unknown:
        return sizes
    known = math.prod(n for n in sizes if n != -1)
    if unknown > 1 or not known or size % known:
        raise ShapeError(
            f"{function}: needs at most one -1, which the size decides; got shape {sizes} for "
            f"{size} elements"
        )
    return tuple(size // known if n == -1 else n for n in sizes)


@shortcut("reshape_function")
@planned("a")
def reshape(a: Any, shape: Any = None, order: str = "C", *, copy: bool | None = None,
    out_sharding: Any = None,
            newshape: Any = None) -> Any:  # fmt: skip
    """The elements in row-major order in another shape; one size may be -1.

    >>> from vires import numpy as np
    >>> np.reshape(np.arange(6), (2, -1))
    Array([[0, 1, 2],
           [3, 4, 5]], dtype=int32)
    """
    x = operand(a, "reshape", "a")
    own = x.aval.shape
    sizes = resolve_shape("reshape", math.prod(own), newshape if shape is None else shape)
    if sizes == own and order != "F":
        return x
    if math.prod(sizes) != math.prod(own) or any(n < 0 for n in sizes):
        raise ShapeError(
            f"reshape: needs a shape of {math.prod(own)} elements; got {shape_text(x)} to shape "
            f"{sizes}; "
            "try -1 for one size"
        )
    if order in ("C", "K"):
        return reshape_p(x, new_sizes=sizes, dimensions=None)
    if order != "F":
        raise ValueError(f"reshape: needs order 'C' or 'F'; got {order!r}")
    columns = _reversed_axes(x)
    return _reversed_axes(reshape_p(columns, new_sizes=sizes[::-1], dimensions=None))


def _reversed_axes(x: Any) -> Any:
    ndim = x.aval.ndim
    return transpose_p(x, permutation=tuple(range(ndim))[::-1]) if ndim > 1 else x


@shortcut("ravel")
@planned("a")
def ravel(a: Any, order: str = "C", *, out_sharding: Any = None) -> Any:
    """All elements along one axis."""
    return reshape(a, (-1,), order) if order == "F" else flat(operand(a, "ravel", "a"))


@shortcut("expand_dims")
@planned("a")
def expand_dims(a: Any, axis: Any) -> Any:
    """New axes of size 1, which have the numbers `axis` in the result."""
    x = operand(a, "expand_dims", "a")
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    return expand_dims_p(x, axes_tuple("expand_dims", list(axes), x.aval.ndim + len(axes)))


@shortcut("squeeze")
@planned("a")
def squeeze(a: Any, axis: Any = None) -> Any:
    """Remove axes of size 1: all of them, or those given."""
    x = operand(a, "squeeze", "a")
    sizes = x.aval.shape
    if axis is None:
        axes = tuple(d for d, n in enumerate(sizes) if n == 1)
    else:
        axes = axes_tuple("squeeze", axis, len(sizes))
        for d in axes:
            if sizes[d] != 1:
                raise ValueError(f"squeeze: needs axes of size 1; got axis {d} of shape {sizes}")
    return squeeze_p(x, dimensions=axes) if axes else x


def atleast_1d(*arys: Any) -> Any:
    """Arrays with at least 1 axis: 0-d ones become 1-d."""
    return _each("atleast_1d", arys, lambda x: x if x.aval.ndim else expand_dims_p(x, (0,)))


def atleast_2d(*arys: Any) -> Any:
    """Arrays with at least 2 axes: new ones come first."""
    return _each(
        "atleast_2d", arys, lambda x: expand_dims_p(x, tuple(range(max(0, 2 - x.aval.ndim))))
    )


def atleast_3d(*arys: Any) -> Any:
    """Arrays with at least 3 axes: 1-d becomes (1, n, 1), 2-d becomes (m, n, 1)."""
    new = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}
    return _each("atleast_3d", arys, lambda x: expand_dims_p(x, new.get(x.aval.ndim, ())))


def _each(function: str, arys: Sequence[Any], change: Any) -> Any:
    results = [change(operand(x, function, f"arys[{i}]")) for i, x in enumerate(arys)]
    return results[0] if len(results) == 1 else results


# --- the order of axes


@shortcut("transpose")
@planned("a")
def transpose(a: Any, axes: Any = None) -> Any:
    """The axes in reverse order, or in the order `axes`."""
    x = operand(a, "transpose", "a")
    if axes is None:
        return _reversed_axes(x)
    order = tuple(axis_index("transpose", d, x.aval.ndim) for d in axes)
    if len(order) != x.aval.ndim or len(set(order)) != len(order):
        raise ValueError(f"transpose: needs each of {x.aval.ndim} axes once; got {tuple(axes)}")
    return x if order == tuple(range(len(order))) else transpose_p(x, permutation=order)


def permute_dims(a: Any, /, axes: Sequence[int]) -> Any:
    """The axes in the order `axes`."""
    return transpose(a, axes)


def matrix_transpose(x: Any, /) -> Any:
    """The last two axes exchanged."""
    x = operand(x, "matrix_transpose")
    if x.aval.ndim < 2:
        raise ValueError(f"matrix_transpose: needs at least 2 axes; got shape {x.aval.shape}")
    return swapaxes(x, -1, -2)


@shortcut("swapaxes")
@planned("a")
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    x = operand(a, "swapaxes", "a")
    order = list(range(x.aval.ndim))
    first, second = (axis_index("swapaxes", d, x.aval.ndim) for d in (axis1, axis2))
    order[first], order[second] = order[second], order[first]
    return x if first == second else transpose_p(x, permutation=tuple(order))


@shortcut("moveaxis")
@planned("a")
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Axes moved to other places, the rest keeping their order."""
    x = operand(a, "moveaxis", "a")
    sources, destinations = (
        [
            axis_index("moveaxis", d, x.aval.ndim)
            for d in (axes if isinstance(axes, (tuple, list)) else (axes,))
        ]
        for axes in (source, destination)
    )
    if len(sources) != len(destinations) or len(set(sources)) != len(sources):
        raise ValueError(
            f"moveaxis: needs as many distinct sources as destinations; got {source}, {destination}"
        )
    if len(set(destinations)) != len(destinations):
        raise ValueError(f"moveaxis: needs distinct destinations; got {destination}")
    order = [d for d in range(x.aval.ndim) if d not in sources]
    for place, d in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, d)
    return x if order == sorted(order) else transpose_p(x, permutation=tuple(order))


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """An axis moved to before the axis `start`."""
    x = operand(a, "rollaxis", "a")
    axis = axis_index("rollaxis", axis, x.aval.ndim)
    if not -x.aval.ndim <= start <= x.aval.ndim:
        raise AxisError("rollaxis", start, x.aval.ndim)
    start = start + x.aval.ndim if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


# --- repetition


@shortcut("broadcast_to")
@planned("array")
def broadcast_to(array: Any, shape: Any, *, out_sharding: Any = None) -> Any:
    """`array` repeated along new leading axes and axes of size 1."""
    x = operand(array, "broadcast_to", "array")
    sizes = shape_tuple("broadcast_to", shape)
    own = x.aval.shape
    if own == sizes:
        return x
    if len(own) > len(sizes) or any(
        n not in (1, m) for n, m in zip(own[::-1], sizes[::-1], strict=False)
    ):
        raise ShapeError(
            f"broadcast_to: needs sizes that are equal or 1; got {shape_text(x)} to shape {sizes}"
        )
    return broadcast(x, sizes)


def broadcast_arrays(*args: Any) -> list[Any]:
    """Arrays repeated to their common shape."""
    if not args:
        return []
    return broadcast_all(
        "broadcast_arrays", *(operand(x, "broadcast_arrays", "args") for x in args)
    )


def broadcast_shapes(*shapes: Any) -> Shape:
    """The shape that arrays of these shapes broadcast to."""
    return common_shape(
        "broadcast_shapes", (), *(shape_tuple("broadcast_shapes", s) for s in shapes)
    )


def resize(a: Any, new_shape: Any) -> Any:
    """The elements in row-major order, repeated or cut to fill a shape."""
    x = flat(operand(a, "resize", "a"))
    sizes = shape_tuple("resize", new_shape)
    total = math.prod(sizes)
    if any(n < 0 for n in sizes):
        raise ValueError(f"resize: needs sizes >= 0; got {sizes}")
    if not total or not x.aval.size:
        return asarray(np.zeros(sizes, x.aval.dtype))
    repeats = -(-total // x.aval.size)
    whole = concatenate_p(*[x] * repeats, dimension=0) if repeats > 1 else x
    if whole.aval.size != total:
        whole = slice_p(whole, start_indices=(0,), limit_indices=(total,), strides=None)
    return reshape_p(whole, new_sizes=sizes, dimensions=None)


# --- the order of elements


@planned("m")
def flip(m: Any, axis: Any = None) -> Any:
    """The elements in reverse order along axes (None: all)."""
    x = operand(m, "flip", "m")
    axes = axes_tuple("flip", axis, x.aval.ndim)
    return rev(x, dimensions=axes) if axes else x


def flipud(m: Any) -> Any:
    """The elements in reverse order along axis 0."""
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """The elements in reverse order along axis 1."""
    return flip(m, 1)


def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """The plane of two axes turned k times by 90 degrees, from the first axis towards the
    second."""
    x = operand(m, "rot90", "m")
    first, second = (axis_index("rot90", d, x.aval.ndim) for d in axes)
    if first == second:
        raise ValueError(f"rot90: needs two different axes; got {axes}")
    turns = k % 4
    if turns == 2:
        return flip(flip(x, first), second)
    if turns == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second) if turns == 3 else x


def _roll_one(x: Any, shift: int, axis: int) -> Any:
    size = x.aval.shape[axis]
    shift = shift % size if size else 0
    if not shift:
        return x
    ndim = x.aval.ndim
    starts = tuple(size - shift if d == axis else 0 for d in range(ndim))
    tail = slice_p(x, start_indices=starts, limit_indices=x.aval.shape, strides=None)
    limits = tuple(size - shift if d == axis else n for d, n in enumerate(x.aval.shape))
    head = slice_p(x, start_indices=(0,) * ndim, limit_indices=limits, strides=None)
    return concatenate_p(tail, head, dimension=axis)


@planned("a")
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """The elements moved by `shift` places along axes, those that leave at the end coming in at the
    start."""
    x = operand(a, "roll", "a")
    if axis is None:
        return reshape_p(roll(flat(x), shift, 0), new_sizes=x.aval.shape, dimensions=None)
    axes = [
        axis_index("roll", d, x.aval.ndim)
        for d in (axis if isinstance(axis, (tuple, list)) else (axis,))
    ]
    if isinstance(shift, Tracer) and shift.concrete() is None:
        return _roll_by(x, shift, axes)
    shifts = (
        np.broadcast_to(np.asarray(shift), (len(axes),))
        if np.ndim(shift) <= 1
        else np.asarray(shift)
    )
    if shifts.shape != (len(axes),):
        raise ValueError(f"roll: needs a shift for each of {len(axes)} axes; got {shift}")
    for each, d in zip(shifts.tolist(), axes, strict=True):
        x = _roll_one(x, operator.index(each), d)
    return x


def _roll_by(x: Any, shift: Any, axes: Sequence[int]) -> Any:
    """Roll by a traced shift: each element is looked up."""
    shifts = broadcast(shift, (len(axes),)) if shift.aval.ndim == 0 else shift
    for k, d in enumerate(axes):
        n = x.aval.shape[d]
        if n:
            source = (np.arange(n, dtype=np.int32) - shifts[k].astype(np.int32)) % n
            x = x.at[(slice(None),) * d + (source,)].get(
                mode="promise_in_bounds", wrap_negative_indices=False
            )
    return x


__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_shapes",
    "broadcast_to", "expand_dims", "flip", "fliplr", "flipud", "matrix_transpose", "moveaxis",
    "ndim", "permute_dims", "ravel", "reshape", "resize", "roll", "rollaxis", "rot90", "shape",
    "size", "squeeze", "swapaxes", "transpose",
]  # fmt: skip
