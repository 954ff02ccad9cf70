"""Dtypes beyond NumPy's, and questions about dtypes (as `jax.dtypes`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core import dtypes as _dtypes
from vires.core.dtypes import bfloat16, float0, prng_key
from vires.core.errors import TypePromotionError
from vires.core.trace import aval_of


def canonicalize_dtype(dtype: Any, allow_extended_dtype: bool = False) -> Any:
    """The dtype that arrays get where this one is asked: narrowed only if enable_x64 is False."""
    return _dtypes.canonical(dtype)


class extended:
    """Abstract kind of the dtypes that NumPy does not have (random keys), for `issubdtype`."""


_KINDS: dict[Any, set[str]] = {
    np.generic: {"bool", "signed", "unsigned", "float", "complex"},
    np.number: {"signed", "unsigned", "float", "complex"},
    np.integer: {"signed", "unsigned"},
    np.signedinteger: {"signed"},
    np.unsignedinteger: {"unsigned"},
    np.inexact: {"float", "complex"},
    np.floating: {"float"},
    np.complexfloating: {"complex"},
    np.bool_: {"bool"},
    prng_key: {"key"},
    extended: {"key"},
}


def issubdtype(a: Any, b: Any) -> bool:
    """Whether dtype `a` is of kind or dtype `b`; knows bfloat16, float8 and random keys.

    >>> import numpy as np
    >>> issubdtype(bfloat16, np.floating), issubdtype("int32", np.inexact)
    (True, False)
    """
    if isinstance(a, type) and a in _KINDS and a is not np.bool_:
        return b in _KINDS and _KINDS[a] <= _KINDS[b]
    dtype = a if isinstance(a, _dtypes.KeyDtype) else np.dtype(getattr(a, "dtype", a))
    kinds = _KINDS.get(b) if isinstance(b, type) else None
    if kinds is not None:
        return _dtypes.kind(dtype) in kinds
    if isinstance(dtype, _dtypes.KeyDtype) or isinstance(b, _dtypes.KeyDtype):
        return dtype is b
    return bool(dtype == np.dtype(getattr(b, "dtype", b)))


def result_type(*args: Any, return_weak_type_flag: bool = False) -> Any:
    """The dtype that operands have after promotion."""
    pairs = [_pair(x) for x in args]
    dtype, weak = _dtypes.promote(*pairs)
    dtype = _dtypes.canonical(dtype)
    return (dtype, weak) if return_weak_type_flag else dtype


def _pair(x: Any) -> tuple[Any, bool]:
    if isinstance(x, type) and x in _dtypes.PYTHON_SCALARS:
        return _dtypes.python_scalar_dtype(x), x is not bool
    if isinstance(x, (str, type, np.dtype, _dtypes.KeyDtype)):
        return _dtypes.canonical(x), False
    aval = aval_of(x)
    return aval.dtype, aval.weak_type


def scalar_type_of(x: Any) -> type:
    """The Python scalar type of an array or number: bool, int, float or complex."""
    kind = _dtypes.kind(aval_of(x).dtype)
    return {"bool": bool, "signed": int, "unsigned": int, "float": float, "complex": complex}[kind]


def itemsize_bits(dtype: Any) -> int:
    """How many bits an element of a dtype has.

    >>> itemsize_bits("int4"), itemsize_bits("float32")
    (4, 32)
    """
    found = _dtypes.canonical(dtype)
    if found.name == "float4_e2m1fn":
        return 4
    return _dtypes.PACKED_BITS.get(found, 8 * int(found.itemsize))


__all__ = [
    "TypePromotionError",
    "bfloat16",
    "canonicalize_dtype",
    "extended",
    "float0",
    "issubdtype",
    "itemsize_bits",
    "prng_key",
    "result_type",
    "scalar_type_of",
]
