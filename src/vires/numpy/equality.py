"""Whole arrays compared: `allclose`, `array_equal`, `array_equiv`; and what a scalar is."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires._native import Array
from vires.core import dtypes
from vires.core.trace import Tracer
from vires.numpy.comparison import equal, isclose, logical_and, logical_or
from vires.numpy.creation import asarray
from vires.numpy.float_parts import isnan
from vires.numpy.operands import ShapeError, common_shape
from vires.numpy.reductions import all as all_

__all__ = ["allclose", "array_equal", "array_equiv", "isscalar"]


def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all elements are close in the sense of `isclose`."""
    return all_(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether shapes and all elements are equal."""
    x, y = asarray(a1), asarray(a2)
    if x.aval.shape != y.aval.shape:
        return asarray(np.bool_(False))
    same = equal(x, y)
    if equal_nan and dtypes.is_inexact(x.aval.dtype) and dtypes.is_inexact(y.aval.dtype):
        same = logical_or(same, logical_and(isnan(x), isnan(y)))
    return all_(same)


def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether shapes broadcast together and all elements are then equal."""
    x, y = asarray(a1), asarray(a2)
    try:
        common_shape("array_equiv", x.aval.shape, y.aval.shape)
    except ShapeError:
        return asarray(np.bool_(False))
    return all_(equal(x, y))


def isscalar(element: Any) -> bool:
    """Whether it is a number, or an array without axes."""
    if isinstance(element, (Array, Tracer, np.ndarray)):
        return element.ndim == 0
    return isinstance(element, (int, float, complex, np.generic))
