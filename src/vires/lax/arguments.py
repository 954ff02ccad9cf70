"""What users may hand to functions of this namespace, and how it becomes operands of primitives."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires._native import Array
from vires.core import dtypes
from vires.core.dtypes import DType
from vires.core.errors import TracerIntegerConversionError
from vires.core.trace import Tracer, as_array, aval_of
from vires.ops.accept import refuse, typed_all
from vires.ops.convert import convert_numpy
from vires.ops.filled import full, scalar
from vires.ops.shape import broadcast

_PYTHON_SCALARS = frozenset((bool, int, float, complex))
_RANK = {"bool": 0, "signed": 1, "unsigned": 1, "float": 2, "complex": 3}


def array(x: Any) -> Any:
    """An array or tracer from an array, tracer, NumPy array or scalar, or Python scalar."""
    return x if x.__class__ is Array or isinstance(x, Tracer) else as_array(x)


def _is_scalar(x: Any) -> bool:
    return x.__class__ in _PYTHON_SCALARS or isinstance(x, np.generic)


def _adopts(x: Any, dtype: DType) -> bool:
    """Whether a scalar may take the dtype of the arrays beside it: when no kind of number is
    lost."""
    kind = dtypes.kind(dtype)
    if kind not in _RANK:
        return False
    own = {bool: 0, int: 1, float: 2, complex: 3}.get(x.__class__)
    return (_RANK[dtypes.kind(x.dtype)] if own is None else own) <= _RANK[kind]


def scalar_of(x: Any, dtype: DType) -> Any:
    """A Python or NumPy scalar as a 0-d array of a dtype; an integer must fit an integer dtype."""
    if x.__class__ in _PYTHON_SCALARS and dtype.kind != "V":
        return scalar(x, dtype)
    return as_array(convert_numpy(np.asarray(x), dtype))


def pair(name: str, x: Any, y: Any) -> Sequence[Any]:
    """`operands` of two: quick for an array and a Python scalar, in either order."""
    if y.__class__ in _PYTHON_SCALARS and (x.__class__ is Array or isinstance(x, Tracer)):
        aval = x.aval
        if _adopts(y, aval.dtype):
            return x, full(aval.shape, y, aval.dtype)
    elif x.__class__ in _PYTHON_SCALARS and (y.__class__ is Array or isinstance(y, Tracer)):
        aval = y.aval
        if _adopts(x, aval.dtype):
            return full(aval.shape, x, aval.dtype), y
    return operands(name, x, y)


def operands(name: str, *xs: Any) -> Sequence[Any]:
    """Operands of one shape: scalars take the dtype of the arrays, 0-d arrays and axes of size 1
    are repeated."""
    dtype = None
    for x in xs:
        if x.__class__ is Array or isinstance(x, (Tracer, np.ndarray)) or not _is_scalar(x):
            dtype = aval_of(x).dtype
            break
    else:
        return _of_scalars(xs)
    arrays = [
        x
        if x.__class__ is Array or isinstance(x, Tracer)
        else scalar_of(x, dtype)
        if _is_scalar(x) and _adopts(x, dtype)
        else as_array(x)
        for x in xs
    ]
    return broadcast_together(name, arrays)


def _of_scalars(xs: Sequence[Any]) -> Sequence[Any]:
    pairs = [(aval.dtype, aval.weak_type) for aval in map(aval_of, xs)]
    dtype, weak = dtypes.promote(*pairs)
    if weak and all(x.__class__ in _PYTHON_SCALARS for x in xs):
        # The widest Python scalar decides and the result stays weak.
        python = {"signed": int, "float": float, "complex": complex}[dtypes.kind(dtype)]
        return [as_array(python(x)) for x in xs]
    return [scalar_of(x, dtype) for x in xs]


def broadcast_together(name: str, arrays: Sequence[Any]) -> Sequence[Any]:
    """Repeat 0-d arrays and axes of size 1 so that all have one shape; the rank must be the same
    else."""
    shapes = [x.shape for x in arrays]
    if all(shape == shapes[0] for shape in shapes):
        return arrays
    ranked = [shape for shape in shapes if shape]
    if len({len(shape) for shape in ranked}) > 1:
        raise refuse(
            name, "operands of one rank, or 0-d ones", typed_all([aval_of(x) for x in arrays]),
            "vires.numpy, whose functions broadcast, or lax.broadcast_in_dim",
        )  # fmt: skip
    shape = []
    for sizes in zip(*ranked, strict=True):
        known = {size for size in sizes if size != 1}
        if len(known) > 1:
            raise refuse(
                name,
                "operands of one shape, or with axes of size 1",
                typed_all([aval_of(x) for x in arrays]),
            )
        shape.append(known.pop() if known else 1)
    target = tuple(shape)
    return [broadcast(x, target, tuple(range(len(x.shape)))) for x in arrays]


def sizes(name: str, shape: Any) -> tuple[int, ...]:
    """A shape as a tuple of Python integers."""
    try:
        return (
            tuple(map(operator.index, shape))
            if not hasattr(shape, "__index__")
            else (operator.index(shape),)
        )
    except TracerIntegerConversionError:
        raise  # says which value was traced, and where it comes from
    except TypeError as error:
        raise refuse(name, "a shape of concrete integers", repr(shape), "", TypeError) from error


def axis(name: str, number: Any, rank: int) -> int:
    """An axis number, counted from the end when negative."""
    d = operator.index(number)
    if not -rank <= d < rank:
        raise refuse(name, f"an axis from {-rank} to {rank - 1}", str(d), "", ValueError)
    return d % rank


def axes(name: str, numbers: Any, rank: int) -> tuple[int, ...]:
    """Several axis numbers, or one."""
    given = (numbers,) if hasattr(numbers, "__index__") else tuple(numbers)
    return tuple(axis(name, number, rank) for number in given)
