"""Scalar types and questions about dtypes: `float32`, `finfo`, `result_type`, `issubdtype`, ...

A scalar type is a dtype wherever one is asked for, and a function that makes an array:
`float32(1)`.
"""

from __future__ import annotations

from typing import Any, Literal

import ml_dtypes
import numpy as np

from vires.core import dtypes
from vires.core.trace import aval_of
from vires.numpy.creation import asarray


class ScalarMeta(type):
    """The class of scalar types, so that they compare and convert as the dtypes that they name."""

    dtype: np.dtype[Any]

    def __call__(cls, x: Any = 0) -> Any:
        """`x` as an array of this dtype."""
        return asarray(x, dtype=cls.dtype)

    def __eq__(cls, other: object) -> bool:
        return cls is other or (
            isinstance(other, (type, np.dtype, str)) and _same_dtype(cls, other)
        )

    def __ne__(cls, other: object) -> bool:
        return not cls == other

    def __hash__(cls) -> int:
        return hash(cls.dtype.type)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.dtype.type)

    def __repr__(cls) -> str:
        return f"<class 'vires.numpy.{cls.__name__}'>"


def _same_dtype(cls: ScalarMeta, other: Any) -> bool:
    try:
        return np.dtype(other) == cls.dtype
    except TypeError:
        return False


def _scalar_type(name: str, dtype: Any) -> Any:
    return ScalarMeta(name, (), {"dtype": np.dtype(dtype), "__doc__": f"The dtype {name}."})


bool_ = _scalar_type("bool_", np.bool_)
int2 = _scalar_type("int2", ml_dtypes.int2)
int4 = _scalar_type("int4", ml_dtypes.int4)
int8 = _scalar_type("int8", np.int8)
int16 = _scalar_type("int16", np.int16)
int32 = _scalar_type("int32", np.int32)
int64 = _scalar_type("int64", np.int64)
uint2 = _scalar_type("uint2", ml_dtypes.uint2)
uint4 = _scalar_type("uint4", ml_dtypes.uint4)
uint8 = _scalar_type("uint8", np.uint8)
uint16 = _scalar_type("uint16", np.uint16)
uint32 = _scalar_type("uint32", np.uint32)
uint64 = _scalar_type("uint64", np.uint64)
float4_e2m1fn = _scalar_type("float4_e2m1fn", ml_dtypes.float4_e2m1fn)
float8_e3m4 = _scalar_type("float8_e3m4", ml_dtypes.float8_e3m4)
float8_e4m3 = _scalar_type("float8_e4m3", ml_dtypes.float8_e4m3)
float8_e8m0fnu = _scalar_type("float8_e8m0fnu", ml_dtypes.float8_e8m0fnu)
float8_e4m3fn = _scalar_type("float8_e4m3fn", ml_dtypes.float8_e4m3fn)
float8_e5m2 = _scalar_type("float8_e5m2", ml_dtypes.float8_e5m2)
float8_e4m3b11fnuz = _scalar_type("float8_e4m3b11fnuz", ml_dtypes.float8_e4m3b11fnuz)
float8_e4m3fnuz = _scalar_type("float8_e4m3fnuz", ml_dtypes.float8_e4m3fnuz)
float8_e5m2fnuz = _scalar_type("float8_e5m2fnuz", ml_dtypes.float8_e5m2fnuz)
bfloat16 = _scalar_type("bfloat16", ml_dtypes.bfloat16)
float16 = _scalar_type("float16", np.float16)
float32 = single = _scalar_type("float32", np.float32)
float64 = double = _scalar_type("float64", np.float64)
complex64 = csingle = _scalar_type("complex64", np.complex64)
complex128 = cdouble = _scalar_type("complex128", np.complex128)
# The widest of each kind, as in NumPy on a 64-bit machine.
int_, uint, float_, complex_ = int64, uint64, float64, complex128

finfo = ml_dtypes.finfo
iinfo = ml_dtypes.iinfo

_ABSTRACT_ABOVE = {
    "signed": (np.signedinteger, np.integer, np.number, np.generic),
    "unsigned": (np.unsignedinteger, np.integer, np.number, np.generic),
    "float": (np.floating, np.inexact, np.number, np.generic),
}


def _scalar_class(x: Any) -> Any:
    """The NumPy scalar class of a dtype, or an abstract class as it is."""
    if isinstance(x, type) and not isinstance(x, ScalarMeta):
        if issubclass(x, np.generic):
            return x
        if x in dtypes.PYTHON_SCALARS:
            return {
                bool: np.bool_,
                int: np.integer,
                float: np.floating,
                complex: np.complexfloating,
            }[x]
    return np.dtype(x).type


def issubdtype(arg1: Any, arg2: Any) -> bool:
    """Whether a dtype equals another, or lies below an abstract kind such as `floating`.

    >>> from vires import numpy as np
    >>> np.issubdtype(np.bfloat16, np.floating)
    True
    """
    if isinstance(arg1, dtypes.KeyDtype):
        return arg2 is dtypes.prng_key or arg2 is arg1 or arg2 is np.generic
    if arg2 is dtypes.prng_key or isinstance(arg2, dtypes.KeyDtype):
        return False
    if (
        arg1 in dtypes.PYTHON_SCALARS
        and isinstance(arg1, type)
        and not isinstance(arg1, ScalarMeta)
    ):
        arg1 = dtypes.python_scalar_dtype(arg1)
    lower, upper = _scalar_class(arg1), _scalar_class(arg2)
    if lower is upper:
        return True
    if not issubclass(lower, np.number | np.bool_) or lower.__module__.startswith("ml_dtypes"):
        return upper in _ABSTRACT_ABOVE.get(dtypes.kind(np.dtype(lower)), ())
    return issubclass(lower, upper)


def _pair(x: Any) -> tuple[Any, bool]:
    """(dtype, weak) of an array, a dtype or a Python scalar or scalar type."""
    if isinstance(x, type) and x in dtypes.PYTHON_SCALARS and not isinstance(x, ScalarMeta):
        return dtypes.python_scalar_dtype(x), x is not bool
    if isinstance(x, (str, type, np.dtype, dtypes.KeyDtype)):
        return dtypes.canonical(x), False
    if x is None:
        return dtypes.default_float(), False
    aval = aval_of(x)
    return aval.dtype, aval.weak_type


def result_type(*args: Any) -> Any:
    """The dtype that an operation on these arrays, scalars and dtypes gives.

    >>> from vires import numpy as np
    >>> np.result_type(np.int32, 1.0), np.result_type(np.float16, 1)
    (dtype('float32'), dtype('float16'))
    """
    if not args:
        raise ValueError("result_type: needs at least one array or dtype; got none")
    return dtypes.canonical(dtypes.promote(*[_pair(x) for x in args])[0])


def promote_types(a: Any, b: Any) -> Any:
    """The smallest dtype of the promotion lattice that is above both."""
    return (
        result_type(a, b)
        if a is not None and b is not None
        else result_type(a or float, b or float)
    )


def can_cast(
    from_: Any,
    to: Any,
    casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"] = "safe",
) -> bool:
    """Whether a conversion is allowed under NumPy's casting rules."""
    return np.can_cast(np.dtype(from_), np.dtype(to), casting=casting)


_KINDS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": ("signed",),
    "unsigned integer": ("unsigned",),
    "integral": ("signed", "unsigned"),
    "real floating": ("float",),
    "complex floating": ("complex",),
    "numeric": ("signed", "unsigned", "float", "complex"),
}


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind ("bool", "integral", "real floating", "numeric", ...) or equals
    a dtype."""
    dtype = dtypes.canonical(dtype)
    for each in kind if isinstance(kind, tuple) else (kind,):
        if isinstance(each, str) and each in _KINDS:
            if dtypes.kind(dtype) in _KINDS[each]:
                return True
        elif dtypes.canonical(each) == dtype:
            return True
    return False


__all__ = [
    "bfloat16", "bool_", "can_cast", "cdouble", "complex64", "complex128", "complex_", "csingle",
    "double", "finfo", "float4_e2m1fn", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
    "float16", "float32", "float64", "float_", "iinfo", "int2", "int4", "int8",
    "int16", "int32", "int64", "int_", "isdtype", "issubdtype", "promote_types", "result_type",
    "single", "uint", "uint2", "uint4", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip
