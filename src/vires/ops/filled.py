"""Arrays made of a number: iota, constants, zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import Primitive, Undefined, Zero
from vires.core.trace import EVAL, Trace, aval_of, thread
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


#: Dtypes whose scalars the native core makes as NumPy does, by the class of the Python number.
_DIRECT = {
    float: {dtype: dtypes.CODE_OF[dtype] for dtype in (dtypes.float32, dtypes.float64)},
    int: {dtype: dtypes.CODE_OF[dtype] for dtype in (dtypes.int32, dtypes.int64)},
}


def scalar(value: Any, dtype: DType, weak_type: bool = False) -> Array:
    """A 0-d array."""
    made = plain_scalar(value, dtype, weak_type)
    return _native.from_numpy(np.array(value, dtype), weak_type) if made is None else made


def plain_scalar(value: Any, dtype: DType, weak_type: bool = False) -> Array | None:
    """A 0-d array of a Python number, without NumPy; None where the native core would differ."""
    code = _DIRECT.get(value.__class__, {}).get(dtype)
    return None if code is None else _native.from_scalar(value, code, weak_type)


def full(
    shape: Shape,
    value: Any,
    dtype: DType,
    weak_type: bool = False,
    convert: Callable[[Any, DType, bool], Array] = scalar,
) -> Any:
    """An array of one repeated value, a Python or NumPy scalar, which `convert` makes a 0-d array.

    While a program is recorded, equal ones of Python scalars are one result: programs are full of
    zeros and ones.
    """
    if dtypes.is_key(dtype):
        raise refuse("full", NUMBER.needs, dtype.name, "vires.random.key")
    if not shape:
        return convert(value, dtype, weak_type)
    # No transformation in between has to see an operation on constants.
    trace = thread.trace.base()
    if trace is EVAL:
        if convert is not scalar:
            value = convert(value, dtype, weak_type)._numpy()
        return _native.wrap_numpy(np.full(shape, value, dtype), weak_type)
    if value.__class__ not in _PYTHON_REALS:
        return _repeated(trace, convert(value, dtype, weak_type), shape)
    # The text of a zero has its sign. A nan is unlike itself: each is recorded anew.
    # What one conversion refuses another may take.
    key = (shape, value or repr(value), dtype, weak_type, convert)
    found = trace.repeated.get(key)
    if found is None:
        found = trace.repeated[key] = _repeated(trace, convert(value, dtype, weak_type), shape)
    return found


_PYTHON_REALS = frozenset((bool, int, float))


def _repeated(trace: Trace, value: Array, shape: Shape) -> Any:
    params = {"shape": shape, "broadcast_dimensions": ()}
    return trace.process(broadcast_in_dim, (value,), params)


def zeros(aval: ShapedArray) -> Any:
    """Zeros of a type."""
    return full(aval.shape, 0, aval.dtype)


def full_like(x: Any, value: Any) -> Any:
    """An array of one repeated value with the shape and dtype of `x`."""
    aval = aval_of(x)
    return full(aval.shape, value, aval.dtype)
