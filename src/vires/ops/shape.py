"""Operations that move elements without changing them, and the helpers that rules build on.

Each is a view: its `loops` rule maps an output index to an input index and costs nothing by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, Index, LoopBuilder, Operand
from vires.ops.accept import refuse, typed
from vires.ops.axes import check_axes, inserted, past
from vires.ops.linear import Linear, declared

Shape = tuple[int, ...]


# --- broadcast_in_dim


def _broadcast_infer(x: ShapedArray, *, shape: Shape, broadcast_dimensions: Shape) -> ShapedArray:
    dims = broadcast_dimensions
    if not x.shape and not dims:
        return ShapedArray(shape, x.dtype, x.weak_type)
    if len(dims) != x.ndim:
        raise refuse(
            "broadcast_in_dim",
            f"one of broadcast_dimensions for each of {x.ndim} axes",
            f"{dims} for {typed(x)}",
        )
    previous = -1
    for size, d in zip(x.shape, dims, strict=True):
        if not previous < d < len(shape):
            raise refuse(
                "broadcast_in_dim",
                f"increasing broadcast_dimensions below {len(shape)}",
                f"{dims} for {typed(x)} to shape {shape}",
                "lax.transpose first",
            )
        if size != shape[d] and size != 1:
            raise refuse(
                "broadcast_in_dim",
                "each axis of the operand to have size 1 or the size of its axis in the result",
                f"{typed(x)} to shape {shape} with broadcast_dimensions {dims}",
            )
        previous = d
    return ShapedArray(shape, x.dtype, x.weak_type)


def broadcast_reference(x: np.ndarray, *, shape: Shape, broadcast_dimensions: Shape) -> np.ndarray:
    aligned = [1] * len(shape)
    for size, d in zip(x.shape, broadcast_dimensions, strict=True):
        aligned[d] = size
    out = np.empty(shape, x.dtype)  # quicker than numpy.broadcast_to, and contiguous
    out[...] = x.reshape(aligned)
    return out


def _broadcast_transpose(ct: Any, x: Any, *, shape: Shape, broadcast_dimensions: Shape) -> Any:
    inner = aval_of(x).shape
    kept = {d for d, size in zip(broadcast_dimensions, inner, strict=True) if size == shape[d]}
    summed = tuple(d for d in range(len(shape)) if d not in kept)
    if summed:
        ct = declared("reduce_sum")(ct, axes=summed)
    return reshape(ct, new_sizes=inner, dimensions=None) if ct.aval.shape != inner else ct


def _broadcast_batch(
    axis: AxisData, x: Any, dim: int, *, shape: Shape, broadcast_dimensions: Shape
) -> Any:
    # The mapped axis keeps its place among the operand's axes, so that nothing has to be moved.
    at = broadcast_dimensions[dim - 1] + 1 if dim else 0
    dims = inserted(past(broadcast_dimensions, at), dim, at)
    return broadcast_in_dim(x, shape=inserted(shape, at, axis.size), broadcast_dimensions=dims), at


def _broadcast_loops(
    b: LoopBuilder, x: Operand, *, shape: Shape, broadcast_dimensions: Shape
) -> Definition:
    pairs = list(zip(x.shape, broadcast_dimensions, strict=True))
    return b.pull(lambda index: x.at([0 if size == 1 else index[d] for size, d in pairs]))


broadcast_in_dim = Linear(
    "broadcast_in_dim",
    """Repeat along new axes and axes of size 1: operand axis i is result axis
    broadcast_dimensions[i].""",
    infer=_broadcast_infer,
    reference=broadcast_reference,
    transpose=_broadcast_transpose,
    batch=_broadcast_batch,
    loops=_broadcast_loops,
)


# --- reshape


def _reshape_infer(x: ShapedArray, *, new_sizes: Shape, dimensions: None = None) -> ShapedArray:
    if math.prod(new_sizes) != x.size or any(size < 0 for size in new_sizes):
        raise refuse(
            "reshape",
            f"a shape of {x.size} elements",
            f"{typed(x)} to shape {tuple(new_sizes)}",
            "-1 for one size that is to be computed, in vires.numpy.reshape",
        )
    return ShapedArray(new_sizes, x.dtype, x.weak_type)


def _groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Split the axes of two shapes of one size into the shortest runs whose products are equal.

    Axes of size 1 belong to no group. `_groups((2, 3, 4), (6, 4))` is `[([0, 1], [0]), ([2],
    [1])]`.
    """
    groups = []
    left = [d for d, size in enumerate(before) if size != 1]
    right = [d for d, size in enumerate(after) if size != 1]
    while left:
        ins, outs = [left.pop(0)], [right.pop(0)]
        m, n = before[ins[0]], after[outs[0]]
        while m != n:
            if m < n:
                ins.append(left.pop(0))
                m *= before[ins[-1]]
            else:
                outs.append(right.pop(0))
                n *= after[outs[-1]]
        groups.append((ins, outs))
    return groups


def _reshape_loops(
    b: LoopBuilder, x: Operand, *, new_sizes: Shape, dimensions: None = None
) -> Definition:
    if math.prod(new_sizes) == 0:
        return b.pull(lambda index: b.constant(0, x.dtype))
    groups = _groups(x.shape, new_sizes)

    def element(index: Index) -> Any:
        source: list[Any] = [0] * len(x.shape)
        for ins, outs in groups:
            flat = index[outs[0]]
            for d in outs[1:]:
                flat = flat * new_sizes[d] + index[d]
            for d in reversed(ins[1:]):
                source[d] = flat % x.shape[d]
                flat = flat // x.shape[d]
            source[ins[0]] = flat
        return x.at(source)

    return b.pull(element)


def _reshape_batch(
    axis: AxisData, x: Any, dim: int, *, new_sizes: Shape, dimensions: None = None
) -> Any:
    return reshape(move_axis(x, dim, 0), new_sizes=(axis.size, *new_sizes), dimensions=None), 0


reshape = Linear(
    "reshape",
    """The same elements in row-major order in another shape.""",
    infer=_reshape_infer,
    reference=lambda x, *, new_sizes, dimensions=None: x.reshape(new_sizes),
    transpose=lambda ct, x, *, new_sizes, dimensions=None: reshape(
        ct, new_sizes=x.aval.shape, dimensions=None
    ),
    batch=_reshape_batch,
    loops=_reshape_loops,
)


# --- transpose


def _transpose_infer(x: ShapedArray, *, permutation: Shape) -> ShapedArray:
    if sorted(permutation) != list(range(x.ndim)):
        raise refuse(
            "transpose",
            f"a permutation of {tuple(range(x.ndim))}",
            f"{tuple(permutation)} for {typed(x)}",
        )
    return ShapedArray(tuple(x.shape[d] for d in permutation), x.dtype, x.weak_type)


def _inverse(permutation: Shape) -> Shape:
    return tuple(sorted(range(len(permutation)), key=permutation.__getitem__))


def _transpose_loops(b: LoopBuilder, x: Operand, *, permutation: Shape) -> Definition:
    inverse = _inverse(permutation)
    return b.pull(lambda index: x.at([index[d] for d in inverse]))


def _transpose_batch(axis: AxisData, x: Any, dim: int, *, permutation: Shape) -> Any:
    return transpose(x, permutation=(dim, *past(permutation, dim))), 0


transpose = Linear(
    "transpose",
    """Permute axes: result axis i is operand axis permutation[i].""",
    infer=_transpose_infer,
    reference=lambda x, *, permutation: np.transpose(x, permutation),
    transpose=lambda ct, x, *, permutation: transpose(ct, permutation=_inverse(permutation)),
    batch=_transpose_batch,
    loops=_transpose_loops,
)


# --- squeeze


def _squeeze_infer(x: ShapedArray, *, dimensions: Shape) -> ShapedArray:
    check_axes("squeeze", x, dimensions)
    if any(x.shape[d] != 1 for d in dimensions):
        raise refuse(
            "squeeze", "axes of size 1", f"axes {tuple(dimensions)} of {typed(x)}", "", ValueError
        )
    return ShapedArray(
        tuple(n for d, n in enumerate(x.shape) if d not in dimensions), x.dtype, x.weak_type
    )


def _squeeze_loops(b: LoopBuilder, x: Operand, *, dimensions: Shape) -> Definition:
    def element(index: Index) -> Any:
        rest = iter(index)
        return x.at([0 if d in dimensions else next(rest) for d in range(len(x.shape))])

    return b.pull(element)


def _squeeze_batch(axis: AxisData, x: Any, dim: int, *, dimensions: Shape) -> Any:
    dims = past(dimensions, dim)
    return squeeze(x, dimensions=dims), dim - sum(d < dim for d in dims)


squeeze = Linear(
    "squeeze",
    """Remove axes of size 1.""",
    infer=_squeeze_infer,
    reference=lambda x, *, dimensions: np.squeeze(x, dimensions),
    transpose=lambda ct, x, *, dimensions: reshape(ct, new_sizes=x.aval.shape, dimensions=None),
    batch=_squeeze_batch,
    loops=_squeeze_loops,
)


# --- rev


# --- slice


# --- split


# --- iota


# --- helpers for rules


def broadcast(x: Any, shape: Shape, dims: Shape) -> Any:
    """`broadcast_in_dim`, left out when it changes nothing."""
    return (
        x
        if aval_of(x).shape == shape
        else broadcast_in_dim(x, shape=shape, broadcast_dimensions=dims)
    )


def move_axis(x: Any, source: int, destination: int) -> Any:
    """Move one axis to another place, the others keeping their order."""
    if source == destination:
        return x
    order = [d for d in range(len(aval_of(x).shape)) if d != source]
    order.insert(destination, source)
    return transpose(x, permutation=tuple(order))


def expand_dims(x: Any, dims: Shape) -> Any:
    """Insert axes of size 1, which have the numbers `dims` in the result."""
    if not dims:
        return x
    inner = aval_of(x).shape
    rank = len(inner) + len(dims)
    kept = tuple(d for d in range(rank) if d not in dims)
    shape = [1] * rank
    for d, size in zip(kept, inner, strict=True):
        shape[d] = size
    return broadcast_in_dim(x, shape=tuple(shape), broadcast_dimensions=kept)


def map_at(x: Any, dim: int | None, size: int, destination: int) -> Any:
    """Put the mapped axis of an operand at `destination`; an operand without one is repeated."""
    if dim is not None:
        return move_axis(x, dim, destination)
    inner = aval_of(x).shape
    kept = tuple(d for d in range(len(inner) + 1) if d != destination)
    return broadcast_in_dim(x, shape=inserted(inner, destination, size), broadcast_dimensions=kept)


def align(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None]
) -> tuple[Sequence[Any], int]:
    """Operands mapped at one common axis, and its number."""
    first = next(d for d in dims if d is not None)
    if all(d == first for d in dims):
        return operands, first
    # An unmapped operand may have fewer axes than the first one has before its mapped axis.
    common = min(
        first,
        *(len(aval_of(x).shape) for x, d in zip(operands, dims, strict=True) if d is None),
        first,
    )
    return [map_at(x, d, axis.size, common) for x, d in zip(operands, dims, strict=True)], common
