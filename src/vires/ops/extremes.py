"""The least and greatest values of dtypes: identities of min and max."""

from __future__ import annotations

import functools
from typing import Any

import ml_dtypes
import numpy as np

from vires.core import dtypes
from vires.core.dtypes import DType


@functools.cache
def lowest(dtype: DType) -> Any:
    """The identity of max: -inf, the least integer, or False."""
    return _extreme(dtype, "min", -np.inf)


@functools.cache
def highest(dtype: DType) -> Any:
    """The identity of min: inf, the greatest integer, or True."""
    return _extreme(dtype, "max", np.inf)


def _extreme(dtype: DType, end: str, infinity: float) -> Any:
    kind = dtypes.kind(dtype)
    if kind == "bool":
        return end == "max"
    if kind in ("signed", "unsigned"):
        return int(getattr(ml_dtypes.iinfo(dtype), end))
    if kind == "complex":
        return dtype.type(complex(infinity, infinity))
    with np.errstate(all="ignore"):
        value = np.array(infinity).astype(dtype)
    if np.isinf(value.astype(np.float32)):
        return value[()]
    return getattr(ml_dtypes.finfo(dtype), end)  # float8 types without infinities
