"""What samplers accept: dtypes, shapes and parameters, checked in one place."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy

from vires.core import dtypes
from vires.core.config import x64_mode
from vires.core.dtypes import DType
from vires.core.errors import TracerIntegerConversionError
from vires.core.trace import Array, Tracer, aval_of

Shape = Sequence[int] | int
#: The dtypes of a parameter that NumPy or Python made without being asked for 64 bits.
_NUMPY_DEFAULTS = {dtypes.float64: dtypes.float32, dtypes.int64: dtypes.int32}


def type_text(x: Any) -> str:
    """`float32[3,4]` for arrays, the class for other values: what messages show."""
    if x.__class__ is Array or isinstance(x, (Tracer, numpy.ndarray, numpy.generic)):
        dtype = x.dtype
        name = dtype.name if hasattr(dtype, "name") else str(dtype)
        return f"{name}[{','.join(map(str, x.shape))}]"
    return type(x).__name__


def float_dtype(dtype: Any, name: str) -> DType:
    """The dtype of a floating-point draw; None stands for the default one."""
    if dtype is None:
        return dtypes.default_float()
    result = dtypes.canonical(dtype)
    if dtypes.kind(result) != "float":
        raise ValueError(f"{name}: needs a float dtype; got {result.name}; try dtype=float32")
    return result


def inexact_dtype(dtype: Any, name: str) -> DType:
    """The dtype of a real or complex draw; None stands for the default float."""
    if dtype is None:
        return dtypes.default_float()
    result = dtypes.canonical(dtype)
    if dtypes.kind(result) not in ("float", "complex"):
        raise ValueError(
            f"{name}: needs a float or complex dtype; got {result.name}; try dtype=float32"
        )
    return result


def int_dtype(dtype: Any, name: str) -> DType:
    """The dtype of an integer draw; None stands for the default one."""
    if dtype is None:
        return dtypes.default_int()
    result = dtypes.canonical(dtype)
    if not dtypes.is_integer(result):
        raise ValueError(f"{name}: needs an integer dtype; got {result.name}; try dtype=int32")
    return result


def fixed_shape(shape: Shape, name: str) -> tuple[int, ...]:
    """A shape as a tuple of non-negative Python ints; one int stands for one dimension."""
    if isinstance(shape, tuple):
        for size in shape:  # the common case: nothing to convert
            if size.__class__ is not int or size < 0:
                break
        else:
            return shape
    try:
        if isinstance(shape, (str, bytes)):
            raise TypeError
        sizes = shape if isinstance(shape, (tuple, list)) else _as_sizes(shape)
        result = tuple(operator.index(size) for size in sizes)
    except TracerIntegerConversionError:
        raise  # says which value was traced, and where it comes from
    except TypeError:
        raise TypeError(
            f"{name}: needs a shape (a tuple of ints known before tracing); got {shape!r}; "
            "try shape=(3,), or mark the argument static with jit(..., static_argnames=...)"
        ) from None
    if any(size < 0 for size in result):
        raise ValueError(f"{name}: needs a shape of non-negative sizes; got {result}")
    return result


def _as_sizes(shape: Any) -> Sequence[int]:
    """One integer, or a one-dimensional array of integers, as a sequence."""
    if getattr(shape, "ndim", 0) == 0 and not isinstance(shape, Sequence):
        return (operator.index(shape),)
    return tuple(shape)


def parameter(x: Any, name: str, argument: str) -> Any:
    """A distribution's parameter as an array, a tracer or a Python scalar.

    A 64-bit parameter from NumPy or a list counts as 32-bit unless 64-bit mode is on: only a
    `dtype` that is asked for, or a Vires array, widens a draw, so that a seed gives the same
    numbers however its parameters are made.
    """
    cls = x.__class__
    if cls is Array or cls is float or cls is int or cls is bool or isinstance(x, Tracer):
        return x
    if isinstance(x, (list, tuple)):
        if any(isinstance(item, (Array, Tracer)) for item in x):
            raise TypeError(
                f"{name}: needs an array or a number for {argument}; "
                f"got a {cls.__name__} that holds arrays; try vires.numpy.stack"
            )
        x = numpy.asarray(x)
    if isinstance(x, (numpy.ndarray, numpy.generic)) and x.dtype.kind in "biufV":
        narrow = None if x64_mode() is True else _NUMPY_DEFAULTS.get(x.dtype)
        return numpy.asarray(x, narrow)
    raise TypeError(
        f"{name}: needs an array or a number for {argument}; got {type_text(x)}; "
        "try vires.numpy.asarray"
    )


def promoted_float(*values: Any) -> DType:
    """The float dtype to which parameters promote; the default for integers and weak types."""
    avals = [aval_of(value) for value in values]
    dtype, weak = dtypes.promote(*((aval.dtype, aval.weak_type) for aval in avals))
    return dtypes.default_float() if weak or dtypes.kind(dtype) != "float" else dtype


def broadcast_shape(
    name: str, shape: Shape | None, arguments: Sequence[str], values: Sequence[Any]
) -> tuple[int, ...]:
    """The shape of the draw: `shape`, to which parameters must broadcast, or their common one."""
    shapes = [() if isinstance(value, (int, float)) else tuple(value.shape) for value in values]
    if isinstance(shape, tuple) and not any(shapes):
        return fixed_shape(shape, name)
    return common_shape(name, shape, arguments, shapes)


def common_shape(
    name: str,
    shape: Shape | None,
    arguments: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
) -> tuple[int, ...]:
    """`broadcast_shape` of the parameters' shapes."""
    if shape is None:
        try:
            return numpy.broadcast_shapes(*shapes)
        except ValueError:
            raise ValueError(
                f"{name}: needs parameters that broadcast together; got "
                f"{', '.join(f'{a} of shape {s}' for a, s in zip(arguments, shapes, strict=True))}"
            ) from None
    result = fixed_shape(shape, name)
    for argument, own in zip(arguments, shapes, strict=True):
        if own and not _broadcasts(own, result):
            raise ValueError(
                f"{name}: needs parameters that broadcast to shape {result}; "
                f"got {argument} of shape {own}"
            )
    return result


def _broadcasts(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    if len(own) > len(shape):
        return False
    tail = shape[len(shape) - len(own) :]
    return all(size in (1, target) for size, target in zip(own, tail, strict=True))
