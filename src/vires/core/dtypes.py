"""Dtypes: their codes and short names, Python scalars' kinds, and type promotion.

Promotion follows the lattice of JAX's users' guide: bool < int < uint8, int8 < ... < float < ... <
complex, where "int", "float" and "complex" stand for weakly typed values (Python scalars), which
never widen an array.
"""

from __future__ import annotations

import functools
from typing import Any

import ml_dtypes
import numpy as np

from vires.core import config
from vires.core.errors import TypePromotionError

DType = Any  # np.dtype, or KeyDtype for arrays of random keys


class KeyDtype:
    """Element type of arrays of random keys: 64 opaque bits, which only vires.random looks into."""

    __slots__ = ("implementation", "itemsize", "name")
    kind = "V"

    def __init__(self, implementation: str, itemsize: int) -> None:
        self.implementation = implementation
        self.itemsize = itemsize
        self.name = f"key<{implementation}>"

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return (_key_dtype, (self.implementation,))


KEY = KeyDtype("fry", 8)


def _key_dtype(implementation: str) -> KeyDtype:
    """The one instance of a key dtype, so that identity is equality also after pickling."""
    if implementation != KEY.implementation:
        raise ValueError(f"key dtype: needs 'fry'; got {implementation!r}")
    return KEY


class prng_key:
    """Abstract kind of all key dtypes, for `issubdtype(dtype, prng_key)`."""


bfloat16 = np.dtype(ml_dtypes.bfloat16)
float0 = np.dtype([("float0", np.void, 0)])
bool_ = np.dtype(np.bool_)
int32, int64 = np.dtype(np.int32), np.dtype(np.int64)
uint32, uint64 = np.dtype(np.uint32), np.dtype(np.uint64)
float16, float32, float64 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)
complex64, complex128 = np.dtype(np.complex64), np.dtype(np.complex128)

_FIRST_FLOAT8 = tuple(
    np.dtype(getattr(ml_dtypes, name))
    for name in (
        "float8_e4m3fn",
        "float8_e5m2",
        "float8_e4m3b11fnuz",
        "float8_e4m3fnuz",
        "float8_e5m2fnuz",
    )
)
_LATER_FLOAT8 = tuple(
    np.dtype(getattr(ml_dtypes, name))
    for name in ("float8_e3m4", "float8_e4m3", "float8_e8m0fnu", "float4_e2m1fn")
)
#: Floats of at most 8 bits.
FLOAT8 = _FIRST_FLOAT8 + _LATER_FLOAT8
int2, uint2 = np.dtype(ml_dtypes.int2), np.dtype(ml_dtypes.uint2)
int4, uint4 = np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4)
#: How many bits the integers have whose elements do not fill their byte.
PACKED_BITS: dict[DType, int] = {int2: 2, uint2: 2, int4: 4, uint4: 4}

#: Position in this tuple is the dtype's code in the native core, and in pickles.
CODES: tuple[DType, ...] = (
    bool_, np.dtype(np.int8), np.dtype(np.int16), int32, int64,
    np.dtype(np.uint8), np.dtype(np.uint16), uint32, uint64,
    float16, bfloat16, float32, float64, complex64, complex128, KEY, *_FIRST_FLOAT8, int4, uint4,
    *_LATER_FLOAT8, int2, uint2,
)  # fmt: skip
CODE_OF: dict[DType, int] = {dtype: code for code, dtype in enumerate(CODES)}

_SHORT = {"bool": "bool", "bfloat16": "bf16", "float0": "float0"}


@functools.cache
def name(dtype: Any) -> str:
    """`dtype.name`: NumPy makes it anew each time, in microseconds."""
    return dtype.name


@functools.cache
def short_name(dtype: DType) -> str:
    """`f32` for float32, `i64` for int64, ...: as printed in a jaxpr."""
    if dtype == float0:
        return "float0"
    name: str = dtype.name
    if name in _SHORT or name.startswith("key<"):
        return _SHORT.get(name, name)
    for long, short in (("uint", "u"), ("int", "i"), ("float", "f"), ("complex", "c")):
        if name.startswith(long):
            return short + name[len(long) :]
    return name


def is_key(dtype: DType) -> bool:
    return isinstance(dtype, KeyDtype)


@functools.cache
def kind(dtype: DType) -> str:
    """One of "bool", "signed", "unsigned", "float", "complex", "key", "float0"."""
    if isinstance(dtype, KeyDtype):
        return "key"
    if dtype == float0:
        return "float0"
    if dtype.kind in "biufc":
        return {"b": "bool", "i": "signed", "u": "unsigned", "f": "float", "c": "complex"}[
            dtype.kind
        ]
    if dtype in CODE_OF:  # ml_dtypes: kind is "V"
        if dtype in PACKED_BITS:
            return "signed" if dtype.name.startswith("int") else "unsigned"
        return "float"
    raise TypeError(f"dtype: needs a number, bool or key dtype; got {dtype}")


def is_inexact(dtype: DType) -> bool:
    return kind(dtype) in ("float", "complex")


def is_integer(dtype: DType) -> bool:
    return kind(dtype) in ("signed", "unsigned")


@functools.cache
def real_of(dtype: DType) -> DType:
    """The dtype of the real part: float32 for complex64, float64 for complex128, else itself."""
    return {complex64: float32, complex128: float64}.get(dtype, dtype)


@functools.cache
def complex_of(dtype: DType) -> DType:
    """complex128 for float64 and complex128, else complex64."""
    return complex128 if dtype in (float64, complex128) else complex64


# --- defaults and canonical widths


def default_int() -> DType:
    return int64 if config.x64_mode() is True else int32


def index_dtype(size: int) -> DType:
    """The dtype of positions along an axis: the default integers, or wider where they must be."""
    default = default_int()
    return default if size <= np.iinfo(default).max else np.dtype(np.int64)


def default_float() -> DType:
    return float64 if config.x64_mode() is True else float32


def default_complex() -> DType:
    return complex128 if config.x64_mode() is True else complex64


_NARROW = {int64: int32, uint64: uint32, float64: float32, complex128: complex64}


def canonical(dtype: Any) -> DType:
    """`dtype` as a dtype object; 64-bit types become 32-bit ones when enable_x64 is False."""
    if isinstance(dtype, KeyDtype):
        return dtype
    if dtype.__class__ is type and dtype in PYTHON_SCALARS:
        return python_scalar_dtype(dtype)
    try:
        result = np.dtype(dtype)
    except TypeError as error:
        raise _no_dtype(dtype) from error
    if not result.isnative:
        result = result.newbyteorder("=")
    if result not in CODE_OF and result != float0:
        raise _no_dtype(dtype)
    return _NARROW.get(result, result) if config.x64_mode() is False else result


def _no_dtype(dtype: Any) -> TypeError:
    return TypeError(f"dtype: needs a number or bool dtype; got {dtype!r}; try float32, int32, ...")


PYTHON_SCALARS: tuple[type, ...] = (bool, int, float, complex)


def python_scalar_dtype(scalar_type: type) -> DType:
    """The dtype that a Python scalar gets when nothing else decides."""
    if scalar_type is bool:
        return bool_
    if scalar_type is int:
        return default_int()
    return default_float() if scalar_type is float else default_complex()


# --- promotion

_WEAK_INT, _WEAK_FLOAT, _WEAK_COMPLEX = "i*", "f*", "c*"
_EDGES: dict[Any, tuple[Any, ...]] = {
    "bool": (_WEAK_INT,),
    _WEAK_INT: ("uint8", "int8", "int4", "uint4", "int2", "uint2"), "int2": (), "uint2": (),
    "int4": ("int8",), "uint4": ("uint8", "int8"),
    "uint8": ("uint16", "int16"), "uint16": ("uint32", "int32"), "uint32": ("uint64", "int64"),
    "int8": ("int16",), "int16": ("int32",), "int32": ("int64",),
    "uint64": (_WEAK_FLOAT,), "int64": (_WEAK_FLOAT,),
    _WEAK_FLOAT: ("float16", "bfloat16", _WEAK_COMPLEX, *(d.name for d in FLOAT8)),
    "float16": ("float32",), "bfloat16": ("float32",),
    "float32": ("float64", "complex64"), "float64": ("complex128",),
    _WEAK_COMPLEX: ("complex64",), "complex64": ("complex128",), "complex128": (),
    **{d.name: () for d in FLOAT8},
}  # fmt: skip


def _above(node: Any) -> set[Any]:
    found = {node}
    for parent in _EDGES[node]:
        found |= _above(parent)
    return found


_UPPER: dict[Any, set[Any]] = {node: _above(node) for node in _EDGES}


def _node(dtype: DType, weak: bool) -> Any:
    if weak and dtype != bool_:
        return {
            "signed": _WEAK_INT,
            "unsigned": _WEAK_INT,
            "float": _WEAK_FLOAT,
            "complex": _WEAK_COMPLEX,
        }[kind(dtype)]
    return dtype.name


@functools.lru_cache(maxsize=4096)
def _join(nodes: frozenset[Any]) -> Any:
    """Least upper bound in the lattice, or None when there is none."""
    first, *others = (_UPPER[node] for node in nodes)
    common = first.intersection(*others)
    least = [node for node in common if common <= _UPPER[node]]
    return least[0] if least else None


@functools.lru_cache(maxsize=8192)
def _promote(pairs: tuple[tuple[DType, bool], ...], x64: bool | str) -> tuple[DType, bool]:
    keys = [dtype for dtype, _ in pairs if is_key(dtype)]
    if keys:
        if len(keys) == len(pairs):
            return keys[0], False
        raise TypePromotionError(
            "promotion: needs numbers; got random keys mixed with numbers; try "
            "vires.random.key_data"
        )
    result = _join(frozenset(_node(dtype, weak) for dtype, weak in pairs))
    if result is None:
        names = ", ".join(dict.fromkeys(short_name(dtype) for dtype, _ in pairs))
        raise TypePromotionError(
            f"promotion: needs dtypes with a common wider type; got {names}; try x.astype(...) to "
            "say which"
        )
    if result in (_WEAK_INT, _WEAK_FLOAT, _WEAK_COMPLEX):
        default = {
            _WEAK_INT: default_int,
            _WEAK_FLOAT: default_float,
            _WEAK_COMPLEX: default_complex,
        }[result]()
        explicit = [dtype for dtype, is_weak in pairs if is_weak and kind(dtype) == kind(default)]
        wide = max([default, *explicit], key=lambda d: d.itemsize) if explicit else default
        # An upper bound that no dtype forces stays weak: int32 + 2.5 is a weak float.
        return wide, True
    dtype = np.dtype(result) if result not in _BY_NAME else _BY_NAME[result]
    return dtype, False


_BY_NAME = {dtype.name: dtype for dtype in CODES}


def promote(*pairs: tuple[DType, bool]) -> tuple[DType, bool]:
    """Common (dtype, weak_type) of operands given as (dtype, weak_type)."""
    if len(set(pairs)) == 1:
        return pairs[0]
    if _promotion.value == "strict":
        _check_strict(pairs)
    return _promote(pairs, config.x64_mode())


_promotion = config.config.option("numpy_dtype_promotion")


def _check_strict(pairs: tuple[tuple[DType, bool], ...]) -> None:
    """Refuse to widen: operands have one dtype, but for Python scalars of no higher kind."""
    strong = list(dict.fromkeys(dtype for dtype, weak in pairs if not weak))
    if len(strong) > 1:
        raise TypePromotionError(
            f"promotion: needs operands of one dtype with numpy_dtype_promotion='strict'; got "
            f"{', '.join(map(short_name, strong))}; try x.astype(...) to say which"
        )
