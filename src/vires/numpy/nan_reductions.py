"""Reductions over the elements that are not nan."""

from __future__ import annotations

import math
from typing import Any

from vires.core import dtypes
from vires.numpy.arithmetic import where_
from vires.numpy.comparison import logical_and, logical_not
from vires.numpy.float_parts import isnan
from vires.numpy.operands import operand
from vires.numpy.planned import planned
from vires.numpy.reductions import all as all_
from vires.numpy.reductions import argmax, argmin
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import min as min_
from vires.numpy.reductions import prod as prod_
from vires.numpy.reductions import sum as sum_
from vires.numpy.statistics import mean as mean_
from vires.numpy.statistics import std as std_
from vires.numpy.statistics import var as var_
from vires.ops.filled import full_like

__all__ = [
    "nanargmax", "nanargmin", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum",
    "nanvar",
]  # fmt: skip


def _without_nan(function: str, a: Any, replacement: Any) -> tuple[Any, Any]:
    """The operand with nan replaced, and the mask of nan, or None when the dtype has none."""
    x = operand(a, function, "a")
    if not dtypes.is_inexact(x.aval.dtype):
        return x, None
    mask = isnan(x)
    return where_(mask, full_like(x, replacement), x), mask


@planned("a", "where", "initial")
def nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:  # fmt: skip
    """The sum over axes, nan counted as 0."""
    return sum_(_without_nan("nansum", a, 0)[0], axis, dtype, out, keepdims, initial, where)


def nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:  # fmt: skip
    """The product over axes, nan counted as 1."""
    return prod_(_without_nan("nanprod", a, 1)[0], axis, dtype, out, keepdims, initial, where)


def _nan_extreme(
    function: str, reduction: Any, infinity: float, a: Any, axis: Any, out: Any, keepdims: bool,
    initial: Any,
    where: Any,
) -> Any:  # fmt: skip
    x, mask = _without_nan(function, a, infinity)
    result = reduction(x, axis, out, keepdims, initial, where)
    if mask is None or initial is not None:
        return result
    return where_(all_(mask, axis, keepdims=keepdims), full_like(result, math.nan), result)


def nanmax(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """The largest element along axes that is not nan; nan where all are."""
    return _nan_extreme("nanmax", max_, -math.inf, a, axis, out, keepdims, initial, where)


def nanmin(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """The smallest element along axes that is not nan; nan where all are."""
    return _nan_extreme("nanmin", min_, math.inf, a, axis, out, keepdims, initial, where)


def _valid(function: str, a: Any, where: Any) -> tuple[Any, Any]:
    x = operand(a, function, "a")
    if not dtypes.is_inexact(x.aval.dtype):
        return x, where
    valid = logical_not(isnan(x))
    if where is not None:
        valid = logical_and(valid, operand(where, function, "where"))
    return x, valid


@planned("a", "where")
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    where: Any = None,
) -> Any:
    """The mean over axes of the elements that are not nan; nan where there are none."""
    x, valid = _valid("nanmean", a, where)
    return mean_(x, axis, dtype, out, keepdims, where=valid)


def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0,
    keepdims: bool = False,
    where: Any = None, mean: Any = None,
) -> Any:  # fmt: skip
    """The variance over axes of the elements that are not nan; nan where there are too few."""
    x, valid = _valid("nanvar", a, where)
    return var_(x, axis, dtype, out, ddof, keepdims, where=valid, mean=mean)


def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0,
    keepdims: bool = False,
    where: Any = None, mean: Any = None,
) -> Any:  # fmt: skip
    """The square root of `nanvar`."""
    x, valid = _valid("nanstd", a, where)
    return std_(x, axis, dtype, out, ddof, keepdims, where=valid, mean=mean)


def _nan_position(
    function: str, position: Any, infinity: float, a: Any, axis: Any, out: Any, keepdims: Any
) -> Any:
    x, mask = _without_nan(function, a, infinity)
    result = position(x, axis, out, keepdims)
    if mask is None:
        return result
    none_left = all_(mask, axis, keepdims=bool(keepdims))
    return where_(none_left, full_like(result, -1), result)


def nanargmax(
    a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None
) -> Any:
    """The index of the first largest element that is not nan; -1 where all are."""
    return _nan_position("nanargmax", argmax, -math.inf, a, axis, out, keepdims)


def nanargmin(
    a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None
) -> Any:
    """The index of the first smallest element that is not nan; -1 where all are."""
    return _nan_position("nanargmin", argmin, math.inf, a, axis, out, keepdims)
