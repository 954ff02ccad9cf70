"""Abstract values: what is known of an array while a function is traced."""

from __future__ import annotations

import math
from typing import Any

from vires.core import dtypes
from vires.core.dtypes import DType


class ShapedArray:
    """Shape, dtype and weak type of an array. Immutable; equal when all three are."""

    __slots__ = ("_hash", "dtype", "shape", "weak_type")
    shape: tuple[int, ...]
    dtype: DType
    weak_type: bool

    def __init__(self, shape: tuple[int, ...], dtype: DType, weak_type: bool = False) -> None:
        self.shape = shape
        self.dtype = dtype
        self.weak_type = weak_type
        self._hash = 0

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, ShapedArray)
            and self.shape == other.shape
            and self.dtype == other.dtype
            and self.weak_type == other.weak_type
        )

    def __hash__(self) -> int:
        if self._hash == 0:
            self._hash = hash((self.shape, self.dtype, self.weak_type))
        return self._hash

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def str_short(self, short_dtypes: bool = True) -> str:
        """`f32[3,4]`."""
        return f"{dtypes.short_name(self.dtype)}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        return f"ShapedArray({self.str_short()}{weak})"

    def update(self, **changes: Any) -> ShapedArray:
        """A copy with some of shape, dtype, weak_type replaced."""
        return ShapedArray(
            changes.get("shape", self.shape),
            changes.get("dtype", self.dtype),
            changes.get("weak_type", self.weak_type),
        )

    def strip_weak_type(self) -> ShapedArray:
        return ShapedArray(self.shape, self.dtype) if self.weak_type else self

    def to_tangent_aval(self) -> ShapedArray:
        """The type of tangents: the same for inexact dtypes, float0 for the others."""
        if dtypes.is_inexact(self.dtype):
            return self
        return ShapedArray(self.shape, dtypes.float0)

    def same_type(self, other: ShapedArray) -> bool:
        """Equal but for the weak type."""
        return self.shape == other.shape and self.dtype == other.dtype
