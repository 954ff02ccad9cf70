"""How each dtype is held: its LLVM type in registers and in memory.

=====================  ==============  =============================================
dtype                  in a register   in memory
=====================  ==============  =============================================
bool                   i1              i8, 0 or 1
int8 ... uint64        i8 ... i64      the same
int2 int4 uint2 uint4  i8, extended    i8, the unused bits 0
float32, float64       float, double   the same
float16, bfloat16      i16 (the bits)  the same; arithmetic in float, rounded once
float8, float4, ...    i8 (the bits)   the same; arithmetic in float, rounded once
complex64, complex128  two floats      real, imaginary
=====================  ==============  =============================================
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np


class Kind:
    """What code generation knows of a dtype. There is one instance for each dtype."""

    __slots__ = (
        "bits", "dtype", "group", "maximum", "memory", "minimum", "name", "part", "scalar", "size",
        "tag", "types",
    )  # fmt: skip

    def __init__(self, dtype: np.dtype[Any]) -> None:
        name = dtype.name
        self.dtype = dtype
        self.name = name
        self.size = dtype.itemsize
        self.bits = 8 * self.size
        #: b(ool), i(nt), u(int), f(loat), n(arrow float held as bits), c(omplex)
        self.group = dtype.kind
        #: The kind of a complex number's parts.
        self.part: Kind | None = None
        self.minimum = self.maximum = 0
        if dtype.kind == "b":
            self.bits, self.scalar = 1, "i1"
        elif name in ("float32", "float64"):
            self.scalar = "float" if self.size == 4 else "double"
        elif dtype.kind == "c":
            self.scalar = "{float, float}" if self.size == 8 else "{double, double}"
            self.part = kind_of(np.float32 if self.size == 8 else np.float64)
        else:
            self.scalar = f"i{self.bits}"
            if name.startswith(("int", "uint")):
                self.group = name[0]
                self.bits = int(name.lstrip("uint"))
                signed = self.group == "i"
                self.minimum = -(1 << (self.bits - 1)) if signed else 0
                self.maximum = (1 << (self.bits - signed)) - 1
            else:
                self.group = "n"
        self.memory = "i8" if dtype.kind == "b" else self.scalar
        #: The element type in the name of an intrinsic: f32, i64, ...
        self.tag = f"f{self.bits}" if self.group == "f" else self.scalar
        self.types = {1: self.scalar}

    def type(self, lanes: int) -> str:
        """The LLVM type of a register: ``float`` or ``<8 x float>``."""
        found = self.types.get(lanes)
        if found is None:
            found = self.types[lanes] = f"<{lanes} x {self.scalar}>"
        return found

    def suffix(self, lanes: int) -> str:
        """The end of an intrinsic's name: ``f32`` or ``v8f32``."""
        return self.tag if lanes == 1 else f"v{lanes}{self.tag}"

    @property
    def is_packed(self) -> bool:
        """Whether an integer has fewer bits than its register (int4, uint4, int2, uint2)."""
        return self.group in "iu" and self.bits < 8

    @property
    def is_integer(self) -> bool:
        """Whether the dtype is an integer, signed or not; bool is none."""
        return self.group in "iu"

    def __repr__(self) -> str:
        return f"Kind({self.name})"


_kinds: dict[Any, Kind] = {}


def kind_of(dtype: Any) -> Kind:
    """The kind of a dtype, or of anything that NumPy makes a dtype of.

    Raises:
        TypeError: kernels do not compute with that dtype.
    """
    found = _kinds.get(dtype)
    if found is None:
        actual = np.dtype(dtype)
        found = _kinds.get(actual)
        if found is None:
            narrow = actual.kind == "V" or actual.name.startswith(("float", "bfloat"))
            known = actual.kind in "biufc" or (narrow and hasattr(ml_dtypes, actual.name))
            if not known or actual.itemsize > (16 if actual.kind == "c" else 8):
                raise TypeError(f"kernel: needs a bool or number dtype up to 64 bits; got {actual}")
            found = _kinds[actual] = Kind(actual)
        _kinds[dtype] = found
    return found


BOOL = kind_of(np.bool_)
INT8, INT16, INT32, INT64 = (kind_of(np.dtype(f"int{n}")) for n in (8, 16, 32, 64))
UINT8, UINT16, UINT32, UINT64 = (kind_of(np.dtype(f"uint{n}")) for n in (8, 16, 32, 64))
FLOAT16, FLOAT32, FLOAT64 = (kind_of(np.dtype(f"float{n}")) for n in (16, 32, 64))
BFLOAT16 = kind_of(ml_dtypes.bfloat16)
COMPLEX64, COMPLEX128 = kind_of(np.complex64), kind_of(np.complex128)

_SIGNED = {8: INT8, 16: INT16, 32: INT32, 64: INT64}
_UNSIGNED = {8: UINT8, 16: UINT16, 32: UINT32, 64: UINT64}


def signed(size: int) -> Kind:
    """The signed integer of so many bytes."""
    return _SIGNED[8 * size]


def unsigned(size: int) -> Kind:
    """The unsigned integer of so many bytes."""
    return _UNSIGNED[8 * size]
