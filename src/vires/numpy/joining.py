"""Joining and cutting arrays: `concatenate`, `stack`, `split`, `unstack`, ..."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy.creation import flat
from vires.numpy.operands import (
    ShapeError,
    axis_index,
    convert,
    no_out,
    operand,
    promote_dtypes,
    sequence_operands,
)
from vires.numpy.planned import planned
from vires.numpy.shaping import atleast_1d, atleast_2d, atleast_3d, moveaxis
from vires.ops.join import concatenate as concatenate_p
from vires.ops.parts import slice as slice_p
from vires.ops.parts import split as split_p
from vires.ops.shape import (
    expand_dims as expand_dims_p,
)
from vires.ops.shape import (
    reshape,
)

# --- joining


def _join(function: str, arrays: list[Any], axis: int, dtype: Any) -> Any:
    if dtype is None:
        dtype, weak = promote_dtypes(*arrays)
    else:
        dtype, weak = dtypes.canonical(dtype), False
    first = arrays[0].aval.shape
    rest = first[:axis] + first[axis + 1 :]
    for x in arrays:
        shape = x.aval.shape
        if len(shape) != len(first) or shape[:axis] + shape[axis + 1 :] != rest:
            shapes = ", ".join(str(x.aval.shape) for x in arrays[:6])
            raise ShapeError(
                f"{function}: needs shapes that are equal but for axis {axis}; got {shapes}"
            )
    arrays = [convert(x, dtype, weak) for x in arrays]
    return arrays[0] if len(arrays) == 1 else concatenate_p(*arrays, dimension=axis)


@planned("arrays")
def concatenate(arrays: Any, axis: int | None = 0, dtype: Any = None) -> Any:
    """Arrays joined along an axis that they have (None: flattened first).

    >>> from vires import numpy as np
    >>> np.concatenate([np.arange(2), np.ones(2)])
    Array([0., 1., 1., 1.], dtype=float32)
    """
    xs = sequence_operands(arrays, "concatenate")
    if not xs:
        raise ValueError("concatenate: needs at least one array; got none")
    if axis is None:
        xs, axis = [flat(x) for x in xs], 0
    if not xs[0].aval.ndim:
        raise ValueError(
            "concatenate: needs arrays of at least 1 axis; got a 0-d array; try numpy.stack"
        )
    return _join("concatenate", xs, axis_index("concatenate", axis, xs[0].aval.ndim), dtype)


def concat(arrays: Any, /, *, axis: int | None = 0) -> Any:
    """`concatenate`, under its name in the array API standard."""
    return concatenate(arrays, axis)


@planned("arrays")
def stack(arrays: Any, axis: int = 0, out: None = None, dtype: Any = None) -> Any:
    """Arrays of one shape joined along a new axis."""
    no_out("stack", out)
    xs = sequence_operands(arrays, "stack")
    if not xs:
        raise ValueError("stack: needs at least one array; got none")
    shape = xs[0].aval.shape
    if any(x.aval.shape != shape for x in xs):
        shapes = ", ".join(str(x.aval.shape) for x in xs[:6])
        raise ShapeError(
            f"stack: needs arrays of one shape; got {shapes}; try numpy.broadcast_arrays"
        )
    place = axis_index("stack", axis, len(shape) + 1)
    return _join("stack", [expand_dims_p(x, (place,)) for x in xs], place, dtype)


@planned("tup")
def vstack(tup: Any, dtype: Any = None) -> Any:
    """Arrays joined along axis 0, 1-d ones as rows."""
    xs = [atleast_2d(x) for x in sequence_operands(tup, "vstack", "tup")]
    return concatenate(xs, 0, dtype)


@planned("tup")
def hstack(tup: Any, dtype: Any = None) -> Any:
    """Arrays joined along axis 1, 1-d ones along axis 0."""
    xs = [atleast_1d(x) for x in sequence_operands(tup, "hstack", "tup")]
    return concatenate(xs, 0 if xs and xs[0].aval.ndim == 1 else 1, dtype)


def dstack(tup: Any, dtype: Any = None) -> Any:
    """Arrays joined along axis 2."""
    xs = [atleast_3d(x) for x in sequence_operands(tup, "dstack", "tup")]
    return concatenate(xs, 2, dtype)


def column_stack(tup: Any) -> Any:
    """1-d arrays as the columns of a matrix, beside 2-d ones."""
    xs = sequence_operands(tup, "column_stack", "tup")
    return concatenate([x if x.aval.ndim > 1 else reshape(x, new_sizes=(x.aval.size, 1),
        dimensions=None) for x in xs],
                       1)  # fmt: skip


def block(arrays: Any) -> Any:
    """An array from nested lists of blocks: the innermost lists are joined along the last axis."""
    depth = _depth(arrays)
    leaves: list[Any] = []
    _leaves(arrays, leaves)
    rank = max(depth, *(x.aval.ndim for x in leaves), 0) if leaves else depth

    def join(part: Any, level: int) -> Any:
        if not isinstance(part, list):
            x = operand(part, "block", "arrays")
            return expand_dims_p(x, tuple(range(rank - x.aval.ndim)))
        if not part:
            raise ValueError("block: needs lists that are not empty; got an empty list")
        return concatenate([join(item, level + 1) for item in part], rank - (depth - level))

    return join(arrays, 0)


def _depth(part: Any) -> int:
    if isinstance(part, tuple):
        raise TypeError("block: needs nested lists; got a tuple; try a list")
    if not isinstance(part, list):
        return 0
    depths = {_depth(item) for item in part}
    if len(depths) > 1:
        raise ValueError(f"block: needs lists nested to one depth; got depths {sorted(depths)}")
    return 1 + (depths.pop() if depths else 0)


def _leaves(part: Any, found: list[Any]) -> None:
    if isinstance(part, list):
        for item in part:
            _leaves(item, found)
    else:
        found.append(operand(part, "block", "arrays"))


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """`values` joined to the end of `arr` (None: both flattened)."""
    return concatenate([operand(arr, "append", "arr"), operand(values, "append", "values")], axis)


# --- cutting


def _static_list(function: str, x: Any) -> list[int]:
    if isinstance(x, Tracer) and x.concrete() is None:
        raise ConcretizationTypeError(x, f"{function} (the places of the cuts decide shapes)")
    if isinstance(x, (list, tuple)):
        return [operator.index(i) for i in x]
    return [operator.index(i) for i in np.asarray(x).tolist()]


@planned("ary")
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Parts along an axis: a number of nearly equal ones, or cut at indices."""
    return _split("array_split", ary, indices_or_sections, axis, equal=False)


@planned("ary")
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Parts along an axis: a number of equal ones, or cut at indices."""
    return _split("split", ary, indices_or_sections, axis, equal=True)


def _split(function: str, ary: Any, where: Any, axis: int, equal: bool) -> list[Any]:
    x = operand(ary, function, "ary")
    axis = axis_index(function, axis, x.aval.ndim)
    size = x.aval.shape[axis]
    if isinstance(where, (int, np.integer)) or (
        not isinstance(where, (list, tuple)) and np.ndim(where) == 0
    ):
        parts = operator.index(where)
        if parts < 1:
            raise ValueError(f"{function}: needs at least 1 part; got {parts}")
        small, larger = divmod(size, parts)
        if larger and equal:
            raise ValueError(
                f"{function}: needs a number of parts that divides size {size} of axis {axis}; "
                f"got {parts}; "
                "try numpy.array_split"
            )
        sizes = [small + 1] * larger + [small] * (parts - larger)
        return list(split_p(x, sizes=tuple(sizes), axis=axis)) if parts > 1 else [x]
    cuts = [min(max(i + size if i < 0 else i, 0), size) for i in _static_list(function, where)]
    results = []
    for start, stop in zip([0, *cuts], [*cuts, size], strict=True):
        limits = list(x.aval.shape)
        starts = [0] * len(limits)
        starts[axis], limits[axis] = start, max(start, stop)
        results.append(
            slice_p(x, start_indices=tuple(starts), limit_indices=tuple(limits), strides=None)
        )
    return results


def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along axis 0."""
    return split(ary, indices_or_sections, 0)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along axis 1, of a 1-d array along axis 0."""
    x = operand(ary, "hsplit", "ary")
    return split(x, indices_or_sections, 1 if x.aval.ndim > 1 else 0)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along axis 2."""
    return split(ary, indices_or_sections, 2)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis, without it."""
    x = operand(x, "unstack")
    if not x.aval.ndim:
        raise ValueError("unstack: needs at least 1 axis; got a 0-d array")
    x = moveaxis(x, axis, 0)
    n, *rest = x.aval.shape
    if not n:
        return ()
    parts = split_p(x, sizes=(1,) * n, axis=0) if n > 1 else [x]
    return tuple(reshape(part, new_sizes=tuple(rest), dimensions=None) for part in parts)


__all__ = [
    "append", "array_split", "block", "column_stack", "concat", "concatenate", "dsplit",
    "dstack", "hsplit", "hstack", "split", "stack", "unstack", "vsplit", "vstack",
]  # fmt: skip
