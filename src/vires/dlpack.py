"""Arrays of other libraries, without a copy where possible (as `jax.dlpack`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy.creation import from_dlpack

__all__ = ["from_dlpack", "is_supported_dtype"]


def is_supported_dtype(dtype: Any) -> bool:
    """Whether arrays of a dtype can be exchanged by the DLPack protocol.

    >>> is_supported_dtype("float32"), is_supported_dtype("U1")
    (True, False)
    """
    found = np.dtype(dtype)
    return found.kind in "biufc" and found in dtypes.CODES
