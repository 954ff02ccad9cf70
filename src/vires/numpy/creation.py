"""Arrays from Python values, from NumPy and from nothing: `array`, `asarray`, `zeros`, `full`,
`empty`, ..."""

from __future__ import annotations

import os
from typing import IO, Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.trace import EVAL, Tracer, as_array, thread
from vires.numpy.operands import (
    SCALARS,
    Shape,
    broadcast,
    check_sizes,
    convert,
    in_dtype,
    operand,
    promote_dtypes,
    scalar_of,
    shape_tuple,
)
from vires.numpy.planned import planned, shortcut
from vires.ops.filled import full as full_p
from vires.ops.join import concatenate
from vires.ops.shape import expand_dims, reshape

# --- from values


def from_host(values: np.ndarray, weak_type: bool = False) -> Array:
    """A NumPy array that nobody else holds as an Array, without a copy where it is contiguous."""
    return _native.wrap_numpy(np.asarray(values, order="C"), weak_type=weak_type)


@shortcut("array")
def array(
    object: Any,
    dtype: Any = None,
    copy: bool = True,
    order: str | None = "K",
    ndmin: int = 0,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """An array from numbers, nested sequences of numbers and arrays, NumPy arrays or buffers.

    Python numbers get 32-bit dtypes unless `dtype` says otherwise or enable_x64 is True; NumPy
    arrays keep theirs.

    >>> from vires import numpy as np
    >>> np.array([[1, 2], [3, 4.5]])
    Array([[1. , 2. ],
           [3. , 4.5]], dtype=float32)
    """
    _check_order("array", order)
    result = _array(object, dtype)
    if copy and result is object and result.__class__ is Array:
        result = result._view(result.shape, 0)
    missing = ndmin - len(result.shape)
    return expand_dims(result, tuple(range(missing))) if missing > 0 else result


@shortcut("asarray")
def asarray(
    a: Any, dtype: Any = None, order: str | None = None, *, copy: bool | None = None,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:  # fmt: skip
    """`a` as an array; an array of the right dtype is returned as it is."""
    _check_order("asarray", order)
    return _array(a, dtype)


def _check_order(function: str, order: str | None) -> None:
    if order not in (None, "K", "C", "A"):
        raise NotImplementedError(
            f"{function}: needs order 'C' or 'K', since arrays are row-major; got {order!r}"
        )


def _array(x: Any, dtype: Any) -> Any:
    cls = x.__class__
    if dtype is not None:
        dtype = dtypes.canonical(dtype)
    if cls is Array or isinstance(x, Tracer):
        return x if dtype is None else convert_to(x, dtype)
    if cls in SCALARS:
        if dtype is None:
            return as_array(x)
        if cls is float and dtypes.is_integer(dtype):
            return as_array(np.asarray(x).astype(dtype))
        return scalar_of(x, dtype)
    if isinstance(x, (list, tuple)):
        return _from_sequence(x, dtype)
    if hasattr(x, "__jax_array__"):
        return _array(x.__jax_array__(), dtype)
    if x is None or isinstance(x, (str, bytes, dict, set, frozenset)):
        raise TypeError(
            f"array: needs numbers, arrays or nested sequences of them; got {type(x).__name__}"
        )
    values = x if isinstance(x, (np.ndarray, np.generic)) else np.asarray(x)
    if values.dtype == object:
        raise TypeError(
            f"array: needs numbers, arrays or nested sequences of them; got {type(x).__name__} "
            f"{x!r:.60}"
        )
    return _native.from_numpy(
        np.asarray(values, dtypes.canonical(values.dtype) if dtype is None else dtype)
    )


def convert_to(x: Any, dtype: Any) -> Any:
    """`x` in a dtype that the user named: the result is not weakly typed."""
    own = x.aval.dtype
    if own is not dtype and (dtypes.is_key(own) or dtypes.is_key(dtype)):
        raise TypeError(
            f"astype: needs two number dtypes; got {own} and {dtype}; try vires.random.key_data"
        )
    return convert(x, dtype)


def _leaf_types(x: Any, found: set[type]) -> None:
    """The types of all leaves of nested lists and tuples."""
    types = set(map(type, x))
    nested = {t for t in types if issubclass(t, (list, tuple))}
    found |= types - nested
    if nested:
        for item in x:
            if isinstance(item, (list, tuple)):
                _leaf_types(item, found)


def _from_sequence(x: Any, dtype: Any) -> Any:
    types: set[type] = set()
    _leaf_types(x, types)
    if types <= SCALARS:
        try:
            values = np.array(x)
        except ValueError as error:
            raise ValueError(
                f"array: needs nested sequences of equal lengths; got {x!r:.80}"
            ) from error
        if dtype is None:
            if values.dtype == object:
                raise OverflowError(f"array: needs integers that fit 64 bits; got {x!r:.80}")
            dtype = _default_of(values, types)
        return _native.from_numpy(values.astype(dtype))
    if any(issubclass(t, (str, bytes, type(None), dict, set)) for t in types):
        raise TypeError(
            f"array: needs numbers; got {', '.join(sorted(t.__name__ for t in types))} in a "
            "sequence; try float(...)"
        )
    return _stack_leaves(x, dtype)


def _default_of(values: np.ndarray, types: set[type]) -> Any:
    """The dtype of a list of Python numbers."""
    if not types:
        return dtypes.default_float()
    kind = values.dtype.kind
    if kind == "f":
        return dtypes.default_float()
    if kind == "b":
        return dtypes.bool_
    if kind == "c":
        return dtypes.default_complex()
    default = dtypes.default_int()
    if values.size and default.itemsize < 8:
        low, high = int(values.min()), int(values.max())
        if not -(1 << 31) <= low <= high < 1 << 31:
            raise OverflowError(
                f"array: needs integers that fit {default.name}; got "
                f"{low if low < -(1 << 31) else high}; "
                "try dtype=int64"
            )
    return default


def _stack_leaves(x: Any, dtype: Any) -> Any:
    """Nested sequences that hold arrays: joined along new leading axes."""
    if not isinstance(x, (list, tuple)):
        return _array(x, None)
    parts = [_stack_leaves(item, None) for item in x]
    shapes = {part.aval.shape for part in parts}
    if len(shapes) > 1:
        raise ValueError(
            f"array: needs parts of one shape; got {', '.join(map(str, sorted(shapes)))}"
        )
    if dtype is None:
        dtype = promote_dtypes(*parts)[0]
    parts = [convert(part, dtype) for part in parts]
    if all(part.__class__ is Array for part in parts) and not dtypes.is_key(dtype):
        return from_host(np.stack([part._numpy() for part in parts]))
    return concatenate(*(expand_dims(part, (0,)) for part in parts), dimension=0)


# --- of one value


def dtype_or(dtype: Any, default: Any) -> Any:
    return default if dtype is None else dtypes.canonical(dtype)


def _sizes(function: str, shape: Any) -> Shape:
    return check_sizes(function, shape_tuple(function, shape))


def repeated(shape: Shape, value: Any, dtype: Any) -> Any:
    """An array of one repeated Python or NumPy number."""
    if thread.trace is EVAL:
        return from_host(np.full(shape, value, dtype) if value else np.zeros(shape, dtype))
    return full_p(shape, value, dtype)


@planned()
def zeros(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Any:
    """Zeros of a shape; float32 unless `dtype` says otherwise."""
    return repeated(_sizes("zeros", shape), 0, dtype_or(dtype, dtypes.default_float()))


@planned()
def ones(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Any:
    """Ones of a shape; float32 unless `dtype` says otherwise."""
    return repeated(_sizes("ones", shape), 1, dtype_or(dtype, dtypes.default_float()))


def empty(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Any:
    """Zeros of a shape: arrays are immutable, so there is nothing to gain from uninitialised
    memory."""
    return repeated(_sizes("empty", shape), 0, dtype_or(dtype, dtypes.default_float()))


@planned("fill_value")
def full(
    shape: Any, fill_value: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None
) -> Any:
    """An array of a repeated value, which may itself be an array that broadcasts to `shape`.

    >>> from vires import numpy as np
    >>> np.full((2, 2), 7)
    Array([[7, 7],
           [7, 7]], dtype=int32, weak_type=True)
    """
    sizes = _sizes("full", shape)
    value = _array(fill_value, dtype)
    return broadcast(value, sizes)


def _shape_and_dtype(function: str, a: Any, dtype: Any, shape: Any) -> tuple[Shape, Any, bool]:
    """Shape, dtype and weak type of a result that takes after `a`, which may be any object with
    shape and dtype."""
    if hasattr(a, "shape") and hasattr(a, "dtype"):
        own_shape, own_dtype = tuple(a.shape), a.dtype
        weak = bool(getattr(a, "weak_type", False))
    else:
        aval = operand(a, function, "a").aval
        own_shape, own_dtype, weak = aval.shape, aval.dtype, aval.weak_type
    sizes = own_shape if shape is None else _sizes(function, shape)
    return (
        sizes,
        dtype_or(dtype, own_dtype if dtypes.is_key(own_dtype) else dtypes.canonical(own_dtype)),
        (weak and dtype is None),
    )


@planned("a")
def zeros_like(
    a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None, out_sharding: Any = None
) -> Any:
    """Zeros with the shape and dtype of `a`."""
    return _like("zeros_like", a, 0, dtype, shape)


@planned("a")
def ones_like(
    a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None, out_sharding: Any = None
) -> Any:
    """Ones with the shape and dtype of `a`."""
    return _like("ones_like", a, 1, dtype, shape)


def empty_like(
    prototype: Any,
    dtype: Any = None,
    shape: Any = None,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Zeros with the shape and dtype of `prototype`."""
    return _like("empty_like", prototype, 0, dtype, shape)


def _like(function: str, a: Any, value: int, dtype: Any, shape: Any) -> Any:
    sizes, dtype, weak = _shape_and_dtype(function, a, dtype, shape)
    if dtypes.is_key(dtype):
        raise TypeError(f"{function}: needs a number dtype; got {dtype}; try vires.random.key")
    result = repeated(sizes, value, dtype)
    return convert(result, dtype, True) if weak else result


@planned("a", "fill_value")
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    shape: Any = None,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """An array of a repeated value with the shape and dtype of `a`."""
    sizes, dtype, weak = _shape_and_dtype("full_like", a, dtype, shape)
    if dtypes.is_key(dtype):
        return broadcast(fill_value, sizes)
    scalar = fill_value.__class__ in SCALARS
    value = in_dtype(fill_value if scalar else _array(fill_value, None), dtype, weak)
    return broadcast(value, sizes)


# --- from NumPy's readers


@shortcut("copy")
def copy(a: Any, order: str | None = None) -> Any:
    """A copy of `a`."""
    return array(operand(a, "copy", "a"), order=order or "K")


@planned("x")
def astype(x: Any, dtype: Any, /, *, copy: bool = False, device: Any = None) -> Any:
    """`x` converted to a dtype (float32 for None): floats truncate to integers, != 0 to bool;
    complex gives its real
    part."""
    x = operand(x, "astype")
    dtype = dtype_or(dtype, dtypes.default_float())
    if (
        not dtypes.is_key(dtype)
        and dtypes.kind(x.aval.dtype) == "complex"
        and dtypes.kind(dtype) == "bool"
    ):
        return x != 0
    return convert_to(x, dtype)


def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> Any:
    """The numbers in a buffer, as one axis."""
    return _array(np.frombuffer(buffer, dtypes.canonical(dtype), count, offset), None)


def fromstring(string: str, dtype: Any = float, count: int = -1, *, sep: str) -> Any:
    """The numbers written in a text, as one axis."""
    return _array(np.fromstring(string, dtypes.canonical(dtype), count, sep=sep), None)


def fromiter(iterable: Any, dtype: Any, count: int = -1) -> Any:
    """The numbers that an iterable gives, as one axis."""
    return _array(np.fromiter(iterable, dtypes.canonical(dtype), count), None)


def fromfile(file: Any, dtype: Any = float, count: int = -1, sep: str = "", offset: int = 0) -> Any:
    """The numbers in a file, as one axis."""
    return _array(np.fromfile(file, dtypes.canonical(dtype), count, sep, offset), None)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """An array from any library that speaks DLPack, on the host."""
    return x if x.__class__ is Array else _array(np.from_dlpack(x), None)


def load(file: IO[bytes] | str | os.PathLike[Any], *args: Any, **kwargs: Any) -> Any:
    """The array in a .npy file, or the arrays in a .npz file by name."""
    values = np.load(file, *args, **kwargs)
    return _array(values, None) if isinstance(values, np.ndarray) else values


save, savez = np.save, np.savez


def fromfunction(function: Any, shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """`function(i, j, ...)` applied once to the arrays of all indices of a shape."""
    sizes = shape_tuple("fromfunction", shape)
    grid = np.indices(sizes).astype(dtypes.canonical(dtype))
    return function(*(_array(axis, None) for axis in grid), **kwargs)


def flat(x: Any) -> Any:
    """`x` with one axis."""
    shape = x.aval.shape
    return x if len(shape) == 1 else reshape(x, new_sizes=(x.aval.size,), dimensions=None)


__all__ = [
    "array", "asarray", "astype", "copy", "empty", "empty_like", "from_dlpack", "frombuffer",
    "fromfile", "fromfunction", "fromiter", "fromstring", "full", "full_like", "load", "ones",
    "ones_like", "save", "savez", "zeros", "zeros_like",
]  # fmt: skip
