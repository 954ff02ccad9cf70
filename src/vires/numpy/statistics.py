"""Moments: means, variances, covariances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy.arithmetic import clip, divide, maximum, multiply, sqrt, subtract
from vires.numpy.comparison import truth
from vires.numpy.contraction import contract
from vires.numpy.creation import asarray
from vires.numpy.float_parts import conj, imag, real
from vires.numpy.joining import concatenate
from vires.numpy.operands import (
    Shape,
    axes_tuple,
    broadcast,
    convert,
    inexact_of,
    no_out,
    operand,
    promote_dtypes,
    promote_inexact,
)
from vires.numpy.planned import planned
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import atleast_2d
from vires.ops.complex import complex
from vires.ops.elementwise import div, mul, sub
from vires.ops.filled import full_like
from vires.ops.math import square
from vires.ops.shape import expand_dims

__all__ = ["average", "corrcoef", "cov", "mean", "std", "var"]


# --- means and variances


def _count(x: Any, axes: Shape, where: Any, keepdims: bool, function: str) -> Any:
    """How many elements are combined: a Python number, or an array when there is a mask."""
    if where is None:
        return math.prod(x.aval.shape[d] for d in axes)
    mask = broadcast(truth(operand(where, function, "where")), x.aval.shape)
    return sum_(mask, axes, keepdims=keepdims)


@planned("a", "where")
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: Any = None,
) -> Any:
    """The arithmetic mean over axes (None: all), in a float dtype; nan for no elements.

    >>> from vires import numpy as np
    >>> np.mean(np.array([1, 2, 4]))
    Array(2.3333333, dtype=float32)
    """
    no_out("mean", out)
    x = operand(a, "mean", "a")
    own = x.aval.dtype
    target = inexact_of(own) if dtype is None else dtypes.canonical(dtype)
    weak = x.aval.weak_type and dtype is None
    computing = dtypes.float32 if target.itemsize < 4 and dtypes.is_inexact(target) else target
    x = convert(x, computing if dtypes.is_inexact(computing) else inexact_of(own), weak)
    axes = axes_tuple("mean", axis, x.aval.ndim)
    total = sum_(x, axes, keepdims=keepdims, where=where)
    count = _count(x, axes, where, keepdims, "mean")
    if isinstance(count, int):
        return convert(div(total, full_like(total, count)), target, weak)
    return convert(divide(total, convert(count, dtypes.real_of(total.aval.dtype))), target, weak)


def _variance(
    function: str, a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: bool, where: Any,
    given_mean: Any,
    correction: Any,
) -> Any:  # fmt: skip
    if correction is not None:
        if ddof:
            raise ValueError(
                f"{function}: needs one of ddof and correction; got {ddof} and {correction}"
            )
        ddof = correction
    x = operand(a, function, "a")
    own = x.aval.dtype
    computing = inexact_of(own) if dtype is None else inexact_of(promote_dtypes(x)[0])
    target = dtypes.real_of(computing) if dtype is None else dtypes.canonical(dtype)
    if dtype is not None and dtypes.kind(target) == "complex" and dtypes.kind(own) != "complex":
        raise ValueError(f"{function}: needs a real dtype for a real array; got {target.name}")
    weak = x.aval.weak_type and dtype is None
    if computing.itemsize < 4:
        computing = dtypes.float32
    x = convert(x, computing, weak)
    axes = axes_tuple(function, axis, x.aval.ndim)
    center = (
        mean(x, axes, keepdims=True, where=where)
        if given_mean is None
        else operand(given_mean, function, "mean")
    )
    if given_mean is not None and center.aval.ndim != x.aval.ndim:
        center = expand_dims(center, axes)
    deviation = sub(x, broadcast(convert(center, computing, weak), x.aval.shape))
    if dtypes.kind(computing) == "complex":
        squares = square(real(deviation)) + square(imag(deviation))
    else:
        squares = square(deviation)
    total = sum_(squares, axes, keepdims=keepdims, where=where)
    count = _count(x, axes, where, keepdims, function)
    if isinstance(count, int) and not hasattr(ddof, "aval"):
        left = count - ddof
        result = div(total, full_like(total, left if left > 0 else 0))
    else:
        left = maximum(subtract(count, ddof), 0)
        result = divide(total, convert(left, total.aval.dtype))
    return result, target, weak and target == dtypes.real_of(computing)


@planned("a", "where")
def var(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0,
    keepdims: bool = False, *,
    where: Any = None, mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    """The variance over axes: the sum of |x - mean|^2 over N - ddof."""
    no_out("var", out)
    result, dtype, weak = _variance("var", a, axis, dtype, ddof, keepdims, where, mean, correction)
    return convert(result, dtype, weak)


@planned("a", "where")
def std(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0,
    keepdims: bool = False, *,
    where: Any = None, mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    """The standard deviation over axes: the square root of `var`."""
    no_out("std", out)
    result, dtype, weak = _variance("std", a, axis, dtype, ddof, keepdims, where, mean, correction)
    return convert(sqrt(result), dtype, weak)


def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: bool = False
) -> Any:
    """The weighted mean over axes; (mean, sum of weights) when `returned`."""
    x = operand(a, "average", "a")
    if weights is None:
        result = mean(x, axis, keepdims=keepdims)
        axes = axes_tuple("average", axis, x.aval.ndim)
        total = full_like(result, math.prod(x.aval.shape[d] for d in axes))
    else:
        w = operand(weights, "average", "weights")
        dtype = inexact_of(promote_dtypes(x, w)[0])
        x, w = convert(x, dtype), convert(w, dtype)
        axes = axes_tuple("average", axis, x.aval.ndim)
        if w.aval.shape != x.aval.shape:
            if axis is None or w.aval.shape != tuple(x.aval.shape[d] for d in axes):
                raise ValueError(
                    "average: needs weights of the array's shape or of its axes; got "
                    f"{w.aval.shape} for "
                    f"{x.aval.shape} and axis {axis}"
                )
            w = broadcast(
                expand_dims(w, tuple(d for d in range(x.aval.ndim) if d not in axes)), x.aval.shape
            )
        total = sum_(w, axes, keepdims=keepdims)
        result = divide(sum_(mul(x, w), axes, keepdims=keepdims), total)
    return (result, total) if returned else result


# --- covariance


def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None, dtype: Any = None,
) -> Any:  # fmt: skip
    """The covariance matrix of variables in rows (columns when not `rowvar`), over N - 1
    observations (N if `bias`)."""
    (x,) = promote_inexact(operand(m, "cov", "m"))
    if x.aval.ndim > 2:
        raise ValueError(f"cov: needs at most 2 axes; got shape {x.aval.shape}")
    if dtype is not None:
        x = convert(x, dtypes.canonical(dtype))
    x = atleast_2d(x)
    if not rowvar and operand(m, "cov").aval.ndim == 2:
        x = x.T
    if not x.aval.shape[0]:
        return asarray(np.zeros((0, 0), x.aval.dtype))
    if y is not None:
        second = atleast_2d(promote_inexact(operand(y, "cov", "y"))[0])
        if not rowvar and second.aval.shape[0] != 1:
            second = second.T
        x = concatenate([x, second], 0)
    if ddof is None:
        ddof = 0 if bias else 1
    weights = None
    for given, name, whole in ((fweights, "fweights", True), (aweights, "aweights", False)):
        if given is None:
            continue
        w = operand(given, "cov", name)
        if w.aval.ndim != 1 or w.aval.shape[0] != x.aval.shape[1]:
            raise ValueError(f"cov: needs {name} of shape ({x.aval.shape[1]},); got {w.aval.shape}")
        if whole and not dtypes.is_integer(w.aval.dtype):
            raise TypeError(f"cov: needs integer fweights; got {w.aval.dtype.name}")
        weights = w if weights is None else multiply(weights, w)
    if weights is None:
        center = mean(x, 1, keepdims=True)
        factor: Any = x.aval.shape[1] - ddof
        deviation = subtract(x, center)
        weighted = deviation
    else:
        weights = convert(weights, dtypes.real_of(x.aval.dtype))
        total = sum_(weights)
        center = divide(sum_(multiply(x, weights), 1, keepdims=True), total)
        if not ddof:
            factor = total
        elif aweights is None:
            factor = total - ddof
        else:
            factor = total - ddof * sum_(multiply(weights, operand(aweights, "cov"))) / total
        deviation = subtract(x, center)
        weighted = multiply(deviation, weights)
    product = contract(weighted, conj(deviation), ((1,), (1,)))
    if isinstance(factor, int):
        factor = max(factor, 0)
    result = divide(product, convert(operand(factor, "cov"), dtypes.real_of(product.aval.dtype)))
    return result.squeeze() if result.aval.size == 1 else result


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, dtype: Any = None) -> Any:
    """The matrix of correlation coefficients of variables in rows (columns when not `rowvar`)."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.aval.ndim:
        return divide(c, c)
    deviations = sqrt(real(c.diagonal()))
    result = c / deviations[:, None] / deviations[None, :]
    if dtypes.kind(result.aval.dtype) == "complex":
        return complex(clip(real(result), -1, 1), clip(imag(result), -1, 1))
    return clip(result, -1, 1)
