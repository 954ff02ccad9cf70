"""Comparison with SciPy, in float64 and float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as onp
import pytest

both = pytest.mark.parametrize("dtype", ["float64", "float32"])


def assert_near(actual: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """Tuples or arrays of equal shapes and near values; nan and inf agree."""
    if isinstance(expected, tuple):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            assert_near(a, e, tolerance)
        return
    a, e = onp.asarray(actual), onp.asarray(expected)
    assert a.shape == e.shape
    onp.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


def assert_relative(
    function: Callable[..., Any],
    truth: Callable[..., Any],
    dtype: str,
    *operands: Any,
    ulps: float,
) -> None:
    """Values within some units of precision of the truth in float64, for operands of a dtype."""
    rounded = [onp.asarray(x, dtype) for x in operands]
    with onp.errstate(all="ignore"):
        wide = truth(*[x.astype("float64") for x in rounded])
    results = function(*rounded)
    pairs = zip(results, wide, strict=True) if isinstance(wide, tuple) else [(results, wide)]
    for result, expected in pairs:
        actual = onp.asarray(result)
        assert actual.dtype == dtype
        with onp.errstate(over="ignore"):
            expected = onp.asarray(expected).astype(dtype)
        onp.testing.assert_allclose(
            actual, expected, rtol=ulps * onp.finfo(dtype).eps, atol=onp.finfo(dtype).tiny
        )


def difference(function: Callable[..., Any], x: Any, step: float = 1e-6) -> Any:
    """The symmetric difference quotient."""
    return (function(x + step) - function(x - step)) / (2 * step)
