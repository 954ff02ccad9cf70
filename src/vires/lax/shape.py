"""Making arrays and moving their elements, as users call it."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes, tree
from vires.core.trace import aval_of
from vires.lax.arguments import array, axes, broadcast_together, scalar_of, sizes
from vires.lax.arguments import array as _array
from vires.lax.arguments import axis as _axis
from vires.lax.elementwise import convert_element_type
from vires.ops import filled, join, parts
from vires.ops import shape as ops
from vires.ops.accept import refuse, typed
from vires.ops.identity import optimization_barrier as _barrier
from vires.ops.shape import broadcast as _broadcast

# --- broadcasting


def broadcast_in_dim(
    operand: Any, shape: Sequence[int], broadcast_dimensions: Sequence[int]
) -> Any:
    """Repeat along new axes: axis i of the operand becomes axis broadcast_dimensions[i] of the
    result.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.broadcast_in_dim(np.array([1, 2]), (2, 3), (0,)).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    operand, target = array(operand), sizes("broadcast_in_dim", shape)
    dims = tuple(map(operator.index, broadcast_dimensions))
    if operand.shape == target and dims == tuple(range(len(target))):
        return operand
    return ops.broadcast_in_dim(operand, shape=target, broadcast_dimensions=dims)


def broadcast(operand: Any, sizes: Sequence[int]) -> Any:
    """Repeat along new leading axes of the given sizes.

    >>> from vires import lax
    >>> lax.broadcast(7, (2,)).tolist()
    [7, 7]
    """
    operand, new = array(operand), tuple(map(operator.index, sizes))
    dims = tuple(range(len(new), len(new) + operand.ndim))
    return broadcast_in_dim(operand, (*new, *operand.shape), dims)


def broadcast_to_rank(x: Any, rank: int) -> Any:
    """Add leading axes of size 1 up to a number of axes."""
    x = array(x)
    if rank < x.ndim:
        raise refuse("broadcast_to_rank", f"a rank of at least {x.ndim}", str(rank), "", ValueError)
    return expand_dims(x, range(rank - x.ndim))


def broadcast_like(arr: Any, like_arr: Any) -> Any:
    """Repeat an array to the shape of another one, by NumPy's rules.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.broadcast_like(np.array([1, 2]), np.zeros((3, 2))).tolist()
    [[1, 2], [1, 2], [1, 2]]
    """
    arr, shape = array(arr), aval_of(like_arr).shape
    if arr.ndim > len(shape):
        raise refuse("broadcast_like", f"at most {len(shape)} axes", typed(aval_of(arr)))
    return _broadcast(arr, shape, tuple(range(len(shape) - arr.ndim, len(shape))))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape of operands of these shapes after NumPy's broadcasting.

    >>> from vires import lax
    >>> lax.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    return np.broadcast_shapes(*(tuple(shape) for shape in shapes))


# --- shapes


def reshape(operand: Any, new_sizes: Sequence[int], dimensions: Sequence[int] | None = None) -> Any:
    """The same elements in row-major order in another shape, the axes taken in the order
    `dimensions`.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.reshape(np.arange(4), (2, 2)).tolist()
    [[0, 1], [2, 3]]
    """
    operand, target = array(operand), sizes("reshape", new_sizes)
    if dimensions is not None and tuple(dimensions) != tuple(range(operand.ndim)):
        operand = transpose(operand, dimensions)
    if operand.shape == target:
        return operand
    return ops.reshape(operand, new_sizes=target, dimensions=None)


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Any:
    """Merge the axes from start_dimension up to, but not including, stop_dimension into one.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.collapse(np.zeros((2, 3, 4)), 0, 2).shape
    (6, 4)
    """
    operand = array(operand)
    start, stop, _ = np.s_[start_dimension:stop_dimension].indices(operand.ndim)
    merged = math.prod(operand.shape[start:stop])
    return reshape(operand, (*operand.shape[:start], merged, *operand.shape[stop:]))


def expand_dims(array: Any, dimensions: Sequence[int]) -> Any:
    """Insert axes of size 1, which have the numbers `dimensions` in the result."""
    x = _array(array)
    rank = x.ndim + len(tuple(dimensions))
    dims = axes("expand_dims", tuple(dimensions), rank)
    if len(set(dims)) != len(dims):
        raise refuse("expand_dims", "distinct axes", f"{tuple(dimensions)}", "", ValueError)
    return ops.expand_dims(x, dims)


def squeeze(array: Any, dimensions: Sequence[int]) -> Any:
    """Remove axes of size 1."""
    x = _array(array)
    dims = axes("squeeze", tuple(dimensions), x.ndim)
    return ops.squeeze(x, dimensions=tuple(sorted(dims))) if dims else x


def transpose(operand: Any, permutation: Sequence[int]) -> Any:
    """Permute axes: result axis i is operand axis permutation[i].

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.transpose(np.zeros((2, 3)), (1, 0)).shape
    (3, 2)
    """
    operand = array(operand)
    order = tuple(map(operator.index, permutation))
    if order == tuple(range(operand.ndim)):
        return operand
    return ops.transpose(operand, permutation=order)


def rev(operand: Any, dimensions: Sequence[int]) -> Any:
    """Reverse the order of elements along axes."""
    operand = array(operand)
    return parts.rev(operand, dimensions=axes("rev", dimensions, operand.ndim))


# --- parts


def slice(
    operand: Any,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Any:
    """Elements from start to limit, every stride-th, along each axis. Indices are not negative.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.slice(np.arange(6), (1,), (6,), (2,)).tolist()
    [1, 3, 5]
    """
    steps = None if strides is None else tuple(map(operator.index, strides))
    return parts.slice(
        array(operand),
        start_indices=tuple(map(operator.index, start_indices)),
        limit_indices=tuple(map(operator.index, limit_indices)),
        strides=None if steps is None or all(step == 1 for step in steps) else steps,
    )


def slice_in_dim(
    operand: Any, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0
) -> Any:
    """`slice` along one axis; negative indices count from the end, None is the end itself."""
    operand = array(operand)
    d = _axis("slice_in_dim", axis, operand.ndim)
    size = operand.shape[d]
    start = 0 if start_index is None else operator.index(start_index)
    limit = size if limit_index is None else operator.index(limit_index)
    starts, limits, strides = [0] * operand.ndim, list(operand.shape), [1] * operand.ndim
    starts[d] = start + size if start < 0 else start
    limits[d] = limit + size if limit < 0 else limit
    strides[d] = operator.index(stride)
    return slice(operand, starts, limits, strides)


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """The elements at one fixed index along an axis, which stays with size 1 or goes."""
    operand = array(operand)
    d = _axis("index_in_dim", axis, operand.ndim)
    i, size = operator.index(index), operand.shape[d]
    if not -size <= i < size:
        raise refuse(
            "index_in_dim",
            f"an index from {-size} to {size - 1}",
            f"{i} for axis {d} of {typed(operand.aval)}",
            "",
            IndexError,
        )
    part = slice_in_dim(operand, i % size, i % size + 1, axis=d)
    return part if keepdims else squeeze(part, (d,))


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Cut along an axis into consecutive parts of the given sizes.

    >>> import numpy as np
    >>> from vires import lax
    >>> [part.tolist() for part in lax.split(np.arange(3), (1, 2))]
    [[0], [1, 2]]
    """
    operand = array(operand)
    d = _axis("split", axis, operand.ndim)
    return list(parts.split(operand, sizes=tuple(map(operator.index, sizes)), axis=d))


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """The parts of an array along one axis, which goes."""
    x = array(x)
    d = _axis("unstack", axis, x.ndim)
    return (
        tuple(squeeze(part, (d,)) for part in split(x, (1,) * x.shape[d], d)) if x.shape[d] else ()
    )


# --- joining


def concatenate(operands: Any, dimension: int) -> Any:
    """Arrays of one dtype one after the other along an axis.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.concatenate([np.array([1, 2]), np.array([3])], 0).tolist()
    [1, 2, 3]
    """
    given = [array(x) for x in operands]
    if len(given) == 1 and 0 <= dimension < given[0].ndim:
        return given[0]
    return join.concatenate(*given, dimension=operator.index(dimension))


def stack(operands: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape and dtype along a new axis."""
    given = broadcast_together("stack", [array(x) for x in operands])
    if not given:
        raise refuse("stack", "at least one array", "none", "", ValueError)
    d = _axis("stack", axis, given[0].ndim + 1)
    return concatenate([expand_dims(x, (d,)) for x in given], d)


def pad(operand: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """Put a value around an array and between its elements: (low, high, interior) for each axis.

    Negative low or high cut elements off.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.pad(np.array([1, 2]), 0, [(1, 0, 2)]).tolist()
    [0, 1, 0, 0, 2]
    """
    operand = array(operand)
    if isinstance(padding_value, (bool, int, float, complex, np.generic)):
        padding_value = scalar_of(padding_value, operand.dtype)
    config = tuple(
        (operator.index(low), operator.index(high), operator.index(i))
        for low, high, i in padding_config
    )
    return join.pad(operand, array(padding_value), padding_config=config)


def tile(operand: Any, reps: Sequence[int]) -> Any:
    """Repeat an array as a whole along its axes, reps[i] times along axis i."""
    operand, times = array(operand), tuple(map(operator.index, reps))
    if len(times) != operand.ndim or any(n < 0 for n in times):
        raise refuse(
            "tile",
            f"{operand.ndim} repetitions >= 0",
            f"{times} for {typed(operand.aval)}",
            "",
            ValueError,
        )
    shape: list[int] = []
    for n, size in zip(times, operand.shape, strict=True):
        shape += [n, size]
    spread = broadcast_in_dim(operand, shape, range(1, 2 * operand.ndim, 2))
    return reshape(spread, [n * size for n, size in zip(times, operand.shape, strict=True)])


# --- making


def full(shape: Sequence[int], fill_value: Any, dtype: Any = None) -> Any:
    """An array of one repeated value. The dtype is the value's own when None.

    >>> from vires import lax
    >>> lax.full((2,), 7.5).tolist()
    [7.5, 7.5]
    """
    value = array(fill_value)
    if value.shape:
        raise refuse("full", "a scalar fill_value", typed(value.aval), "lax.broadcast_in_dim")
    if dtype is not None:
        value = convert_element_type(value, dtype)
    return broadcast(value, sizes("full", shape))


def full_like(
    x: Any, fill_value: Any, dtype: Any = None, shape: Sequence[int] | None = None
) -> Any:
    """An array of one repeated value with the shape and dtype of another one, unless they are
    given."""
    aval = (
        x.aval
        if hasattr(x, "aval")
        else x
        if hasattr(x, "shape") and hasattr(x, "dtype")
        else aval_of(x)
    )
    target = aval.dtype if dtype is None else dtype
    return full(aval.shape if shape is None else shape, fill_value, target)


def empty(shape: Sequence[int], dtype: Any) -> Any:
    """An array whose contents do not matter: zeros."""
    return full(shape, 0, dtype)


def iota(dtype: Any, size: int) -> Any:
    """0, 1, ..., size - 1.

    >>> from vires import lax
    >>> lax.iota("int32", 3).tolist()
    [0, 1, 2]
    """
    return broadcasted_iota(dtype, (operator.index(size),), 0)


def broadcasted_iota(dtype: Any, shape: Sequence[int], dimension: int) -> Any:
    """The index along one axis as the value of each element."""
    target = sizes("iota", shape)
    return filled.iota(
        dtype=dtypes.canonical(dtype), shape=target, dimension=operator.index(dimension)
    )


def optimization_barrier(operand: Any) -> Any:
    """A tree of arrays, none of which is used before all of them are computed."""
    leaves, treedef = tree.flatten(operand)
    return tree.unflatten(treedef, _barrier(*map(array, leaves)) if leaves else [])


__all__ = [
    "broadcast", "broadcast_in_dim", "broadcast_like", "broadcast_shapes", "broadcast_to_rank",
    "broadcasted_iota", "collapse", "concatenate", "empty", "expand_dims", "full", "full_like",
    "index_in_dim", "iota", "optimization_barrier", "pad", "reshape", "rev", "slice",
    "slice_in_dim", "split", "squeeze", "stack", "tile", "transpose", "unstack",
]  # fmt: skip
