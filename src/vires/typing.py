"""Types for annotations (as `jax.typing`)."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from vires.api.array_type import Array

__all__ = ["ArrayLike", "DTypeLike"]


class SupportsDType(Protocol):
    """Something with a dtype."""

    @property
    def dtype(self) -> np.dtype[Any]: ...


#: What functions take where they take an array.
ArrayLike = Array | np.ndarray | np.bool_ | np.number | bool | int | float | complex
#: What functions take for a dtype.
DTypeLike = str | type[Any] | np.dtype | SupportsDType
