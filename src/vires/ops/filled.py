"""Arrays made of a number: iota, constants, zeros."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import Primitive, Undefined, Zero
from vires.core.trace import EVAL, as_array, aval_of, thread
from vires.ops.accept import NUMBER, check_dtype, refuse
from vires.ops.axes import check_axes
from vires.ops.shape import Shape, broadcast_in_dim, broadcast_reference


def _iota_infer(*, dtype: DType, shape: Shape, dimension: int) -> ShapedArray:
    aval = ShapedArray(shape, dtype)
    check_dtype("iota", aval, NUMBER)
    check_axes("iota", aval, (dimension,))
    return aval


def _iota_reference(*, dtype: DType, shape: Shape, dimension: int) -> np.ndarray:
    counts = np.arange(shape[dimension]).astype(dtype)
    return broadcast_reference(counts, shape=shape, broadcast_dimensions=(dimension,))


_NO_OPERANDS = Undefined("iota: has no operands")


iota = Primitive(
    "iota",
    """The index along one axis as the value of each element.""",
    infer=_iota_infer,
    reference=_iota_reference,
    jvp=lambda primals, tangents, **params: (
        iota(**params),
        Zero(iota.infer(**params).to_tangent_aval()),
    ),
    transpose=_NO_OPERANDS,
    batch=_NO_OPERANDS,
    loops=lambda b, *, dtype, shape, dimension: b.pull(
        lambda index: b.convert(index[dimension], dtype)
    ),
)


def scalar(value: Any, dtype: DType) -> Array:
    """A 0-d array."""
    return as_array(np.array(value, dtype))


@functools.lru_cache(maxsize=64)
def _zero(dtype: DType) -> Array:
    return scalar(0, dtype)


def full(shape: Shape, value: Any, dtype: DType) -> Any:
    """An array of one repeated value, a Python or NumPy scalar."""
    if dtypes.is_key(dtype):
        raise refuse("full", NUMBER.needs, dtype.name, "vires.random.key")
    if thread.trace is EVAL:
        return _native.wrap_numpy(np.full(shape, value, dtype))
    base = _zero(dtype) if value.__class__ is int and value == 0 else scalar(value, dtype)
    return broadcast_in_dim(base, shape=shape, broadcast_dimensions=()) if shape else base


def zeros(aval: ShapedArray) -> Any:
    """Zeros of a type."""
    return full(aval.shape, 0, aval.dtype)


def full_like(x: Any, value: Any) -> Any:
    """An array of one repeated value with the shape and dtype of `x`."""
    aval = aval_of(x)
    return full(aval.shape, value, aval.dtype)
