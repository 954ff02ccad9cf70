"""What every function of the namespace does first: accept operands, promote them, broadcast
them."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.core import config, dtypes
from vires.core.avals import ShapedArray
from vires.core.errors import ViresTypeError
from vires.core.trace import Tracer, as_array, aval_of
from vires.ops.convert import convert_element_type
from vires.ops.filled import plain_scalar
from vires.ops.shape import broadcast_in_dim

Shape = tuple[int, ...]
SCALARS = frozenset((bool, int, float, complex))


class ShapeError(ViresTypeError, ValueError):
    """Shapes do not fit. Also a ValueError, as in NumPy, and a TypeError, as in JAX."""


class AxisError(np.exceptions.AxisError):
    """An axis that the array does not have: a ValueError and an IndexError, as in NumPy."""

    def __init__(self, function: str, axis: Any, ndim: int) -> None:
        super().__init__(
            f"{function}: needs an axis in [{-ndim}, {ndim}); got axis {axis} for an array of "
            f"{ndim} dimension" + ("s" if ndim != 1 else "")
        )


def operand(x: Any, function: str, argument: str = "x") -> Any:
    """`x` as an Array or Tracer. Lists, None and strings are refused by the function's name."""
    cls = x.__class__
    if cls is Array or isinstance(x, Tracer):
        return x
    if cls in SCALARS or isinstance(x, (np.ndarray, np.generic)):
        return as_array(x)
    convert_itself = getattr(x, "__jax_array__", None)
    if convert_itself is not None:
        return operand(convert_itself(), function, argument)
    if isinstance(getattr(x, "aval", None), ShapedArray):
        return x
    raise TypeError(
        f"{function}: needs an array or a number for {argument}; got {type(x).__name__}; try "
        "numpy.asarray(...)"
    )


def sequence_operands(xs: Any, function: str, argument: str = "arrays") -> list[Any]:
    """The operands of a function that joins arrays: a sequence, or an array that is cut along its
    first axis."""
    if isinstance(xs, (Array, Tracer, np.ndarray)):
        if not xs.ndim:
            raise TypeError(
                f"{function}: needs a sequence of arrays for {argument}; got a 0-d array"
            )
        return [operand(x, function, argument) for x in xs]
    if not isinstance(xs, Sequence) or isinstance(xs, str):
        raise TypeError(
            f"{function}: needs a sequence of arrays for {argument}; got {type(xs).__name__}; try "
            "a tuple or a list"
        )
    return [operand(x, function, f"{argument}[{i}]") for i, x in enumerate(xs)]


def convert(x: Any, dtype: Any, weak: bool = False) -> Any:
    """`x` with another dtype and weak type; nothing is done when it has them already."""
    aval = x.aval
    if aval.weak_type == weak and (aval.dtype is dtype or aval.dtype == dtype):
        return x
    if x.__class__ is Array and aval.weak_type and not aval.shape:
        # A Python scalar takes the array's dtype here and now, so that programs hold a literal.
        return scalar_of(x._numpy()[()].item(), dtype, weak)
    return convert_element_type(x, new_dtype=dtype, weak_type=weak)


def scalar_of(value: Any, dtype: Any, weak: bool = False) -> Array:
    """A Python scalar as a 0-d array of a dtype."""
    if value.__class__ is int and dtypes.is_integer(dtype):
        limits = _integer_limits(dtype)
        if not limits[0] <= value <= limits[1]:
            if value < 0 and not limits[0]:
                value &= limits[1]  # -1 next to an unsigned array wraps around, as in JAX
            else:
                raise OverflowError(
                    f"array: needs an integer that fits {dtype.name}; got {value}; try an array "
                    "of a wider dtype"
                )
    elif value.__class__ is complex and dtypes.kind(dtype) != "complex":
        value = value.real
    made = plain_scalar(value, dtype, weak)
    return _native.from_numpy(np.asarray(value).astype(dtype), weak) if made is None else made


def _integer_limits(dtype: Any) -> tuple[int, int]:
    bits: int = dtypes.PACKED_BITS.get(dtype) or 8 * dtype.itemsize
    if dtypes.kind(dtype) == "unsigned":
        return 0, (1 << bits) - 1
    return -(1 << bits - 1), (1 << bits - 1) - 1


_TO_INEXACT = {dtypes.int64: dtypes.float64, dtypes.uint64: dtypes.float64}


def inexact_of(dtype: Any) -> Any:
    """The float dtype in which a function such as sine computes an integer or bool dtype."""
    if dtypes.is_inexact(dtype):
        return dtype
    return _TO_INEXACT.get(dtype, dtypes.float32)


def promote_dtypes(*xs: Any) -> tuple[Any, bool]:
    """Common (dtype, weak type) of operands."""
    avals = [aval_of(x) if x.__class__ in SCALARS else x.aval for x in xs]
    return dtypes.promote(*[(aval.dtype, aval.weak_type) for aval in avals])


def in_dtype(x: Any, dtype: Any, weak: bool = False) -> Any:
    """An operand in a dtype; a Python number is rounded to it once, with all of its digits."""
    if x.__class__ in SCALARS and aval_of(x).dtype is not dtypes.bool_:
        return scalar_of(x, dtype, weak)
    return convert(as_array(x) if x.__class__ is bool else x, dtype, weak)


def value_or_operand(x: Any, function: str, argument: str = "x") -> Any:
    """A Python number as it is, the rest as Arrays or Tracers: for `promote` and `in_dtype`."""
    return x if x.__class__ in SCALARS else operand(x, function, argument)


def promote(*xs: Any) -> list[Any]:
    """Operands, which may be Python numbers, in their common dtype."""
    dtype, weak = promote_dtypes(*xs)
    return [in_dtype(x, dtype, weak) for x in xs]


def promote_inexact(*xs: Any) -> list[Any]:
    """Operands in their common dtype, a float one when all are integers or bools."""
    dtype, weak = promote_dtypes(*xs)
    if not dtypes.is_inexact(dtype):
        dtype = inexact_of(dtype)
    return [in_dtype(x, dtype, weak) for x in xs]


def shape_text(x: Any) -> str:
    """`float32[3,4]`, for messages."""
    return f"{x.dtype.name}[{','.join(map(str, x.shape))}]"


def common_shape(function: str, *shapes: Shape) -> Shape:
    """The shape that these shapes broadcast to."""
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    ndim = max(len(shape) for shape in shapes)
    result = [1] * ndim
    for shape in shapes:
        offset = ndim - len(shape)
        for axis, size in enumerate(shape, offset):
            if size != 1 and result[axis] != size:
                if result[axis] != 1:
                    shown = " and ".join(str(shape) for shape in dict.fromkeys(shapes))
                    raise ShapeError(
                        f"{function}: needs shapes that broadcast (equal sizes, or 1); got "
                        f"{shown}; "
                        "try reshape or expand_dims so that trailing axes agree"
                    )
                result[axis] = size
    return tuple(result)


def broadcast(x: Any, shape: Shape) -> Any:
    """`x` repeated along new leading axes and axes of size 1 to a shape that it broadcasts to."""
    own = x.aval.shape
    if own == shape:
        return x
    return broadcast_in_dim(
        x, shape=shape, broadcast_dimensions=tuple(range(len(shape) - len(own), len(shape)))
    )


def broadcast_all(function: str, *xs: Any) -> list[Any]:
    """Operands with one shape."""
    shapes = [x.aval.shape for x in xs]
    shape = common_shape(function, *shapes)
    check_rank_promotion(function, shapes)
    return [x if own == shape else broadcast(x, shape) for x, own in zip(xs, shapes, strict=True)]


def check_rank_promotion(function: str, shapes: Sequence[Shape]) -> None:
    """Warn or raise when the option numpy_rank_promotion says so."""
    policy = config.config._options["numpy_rank_promotion"].value
    if policy == "allow":
        return
    if len({len(shape) for shape in shapes if shape}) > 1:
        message = (
            f"{function}: needs operands of one rank (option numpy_rank_promotion); "
            f"got {' and '.join(map(str, shapes))}; try expand_dims or x[None]"
        )
        if policy == "raise":
            raise ShapeError(message)
        warnings.warn(message, stacklevel=3)


def integer(function: str, name: str, value: Any) -> int:
    """An argument that has to be a Python integer, or an array of one that is known."""
    if isinstance(value, Tracer):
        return operator.index(value)  # its own message says what to do
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: needs an integer for {name}; got {value!r:.40}") from None


def size_argument(function: str, size: Any) -> int:
    """A number of elements that the caller fixes, as in `nonzero(x, size=3)`."""
    count = integer(function, "size", size)
    if count < 0:
        raise ValueError(f"{function}: needs a size >= 0; got {count}")
    return count


def axis_index(function: str, axis: Any, ndim: int) -> int:
    """A single axis as a number in [0, ndim)."""
    index = integer(function, "axis", axis)
    if not -ndim <= index < ndim:
        raise AxisError(function, index, ndim)
    return index + ndim if index < 0 else index


def axes_tuple(function: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes, given as None (all), one integer or a sequence, as sorted distinct numbers in [0,
    ndim)."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (tuple, list)):
        axes = [axis_index(function, a, ndim) for a in axis]
        if len(set(axes)) != len(axes):
            raise ValueError(f"{function}: needs distinct axes; got {tuple(axis)}")
        return tuple(sorted(axes))
    return (axis_index(function, axis, ndim),)


def shape_tuple(function: str, shape: Any) -> Shape:
    """A shape, given as an integer or a sequence of integers, as a tuple of ints."""
    if isinstance(shape, (int, np.integer)):
        return (int(shape),)
    if isinstance(shape, Tracer) and not shape.ndim:
        return (operator.index(shape),)
    sizes: Any = shape
    try:
        return tuple([operator.index(size) for size in sizes])
    except TypeError as error:
        given: Sequence[Any] = shape if isinstance(shape, Sequence) else (shape,)
        if any(isinstance(size, Tracer) for size in given):
            raise  # the tracer's own message says what to do
        try:
            return (operator.index(sizes),)
        except TypeError:
            raise TypeError(
                f"{function}: needs a shape, a tuple of integers; got {shape!r}"
            ) from error


def check_sizes(function: str, shape: Shape) -> Shape:
    """The shape, whose sizes must not be negative."""
    for size in shape:
        if size < 0:
            raise ValueError(
                f"{function}: needs sizes >= 0; got the negative {size} in shape {shape}"
            )
    if math.prod(shape) >= 1 << 60:
        raise MemoryError(f"{function}: needs memory for all elements; got shape {shape}")
    return shape


def no_out(function: str, out: Any) -> None:
    """Refuse `out=`: arrays are immutable."""
    if out is not None:
        raise NotImplementedError(
            f"{function}: needs out=None, since arrays are immutable; got {type(out).__name__}; "
            "try the returned array"
        )
