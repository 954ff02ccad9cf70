"""Functions of whole axes: softmax, logsumexp, standardisation, one-hot encoding."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.lax import stop_gradient
from vires.numpy.arithmetic import absolute, divide, maximum, multiply, sign, subtract
from vires.numpy.choosing import where as where_function
from vires.numpy.comparison import truth
from vires.numpy.float_parts import isfinite, real
from vires.numpy.operands import axes_tuple, broadcast, convert, operand, promote_inexact
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import sum as sum_
from vires.numpy.statistics import mean as mean_
from vires.numpy.transcendental import exp, log
from vires.ops.filled import full_like
from vires.ops.math import rsqrt, square
from vires.ops.shape import expand_dims

__all__ = ["log_softmax", "logmeanexp", "logsumexp", "one_hot", "softmax", "standardize"]


def _shift(x: Any, axes: tuple[int, ...], where: Any) -> Any:
    """The largest element along axes, kept with size 1; 0 where it is not finite. It has no
    derivative."""
    largest = max_(real(x), axes, keepdims=True, initial=-math.inf, where=where)
    return stop_gradient(where_function(isfinite(largest), largest, full_like(largest, 0)))


def logsumexp(
    a: Any,
    axis: Any = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Any = None,
) -> Any:
    """log(sum(b exp(a))) over axes, without overflow; (log |sum|, sign) when `return_sign`."""
    if b is None:
        (x,) = promote_inexact(operand(a, "logsumexp", "a"))
        factors = None
    else:
        x, factors = promote_inexact(operand(a, "logsumexp", "a"), operand(b, "logsumexp", "b"))
        # A factor of 0 also silences an infinite element.
        x = where_function(factors != 0, x, full_like(x, -math.inf))
    axes = axes_tuple("logsumexp", axis, x.aval.ndim)
    shift = _shift(x, axes, where)
    terms = exp(subtract(x, shift))
    if factors is not None:
        terms = multiply(terms, factors)
    total = sum_(terms, axes, keepdims=keepdims, where=where)
    back = shift if keepdims else _dropped(shift, axes)
    if not return_sign:
        return log(total) + back
    return log(absolute(total)) + back, sign(total)


def _dropped(x: Any, axes: tuple[int, ...]) -> Any:
    return x.squeeze(axes) if axes else x


def logmeanexp(x: Any, axis: Any = None, where: Any = None, keepdims: bool = False) -> Any:
    """log(mean(exp(x))) over axes, without overflow."""
    value = operand(x, "logmeanexp")
    axes = axes_tuple("logmeanexp", axis, value.aval.ndim)
    total = logsumexp(value, axes, where=where, keepdims=keepdims)
    if where is None:
        return (
            total - math.log(math.prod(value.aval.shape[d] for d in axes))
            if value.aval.size
            else total
        )
    count = sum_(
        broadcast(truth(operand(where, "logmeanexp", "where")), value.aval.shape),
        axes,
        keepdims=keepdims,
    )
    return total - log(count)


def softmax(x: Any, axis: Any = -1, where: Any = None) -> Any:
    """exp(x) / sum(exp(x)) along axes, without overflow; 0 where the mask is false.

    >>> from vires import nn, numpy as np
    >>> nn.softmax(np.zeros(2))
    Array([0.5, 0.5], dtype=float32)
    """
    (value,) = promote_inexact(operand(x, "softmax"))
    axes = axes_tuple("softmax", axis, value.aval.ndim)
    terms = exp(subtract(value, _shift(value, axes, where)))
    if where is not None:
        terms = where_function(where, terms, full_like(terms, 0))
    result = divide(terms, sum_(terms, axes, keepdims=True))
    return result if where is None else where_function(where, result, full_like(result, 0))


def log_softmax(x: Any, axis: Any = -1, where: Any = None) -> Any:
    """log(softmax(x)) along axes, accurate for small probabilities; -inf where the mask is
    false."""
    (value,) = promote_inexact(operand(x, "log_softmax"))
    axes = axes_tuple("log_softmax", axis, value.aval.ndim)
    shifted = subtract(value, _shift(value, axes, where))
    if where is not None:
        shifted = where_function(where, shifted, full_like(shifted, -math.inf))
    result = shifted - log(sum_(exp(shifted), axes, keepdims=True))
    return result if where is None else where_function(where, result, full_like(result, -math.inf))


def standardize(
    x: Any, axis: Any = -1, mean: Any = None, variance: Any = None, epsilon: Any = 1e-5,
    where: Any = None, *,
    algorithm: str = "fast",
) -> Any:  # fmt: skip
    """(x - mean) / sqrt(variance + epsilon) along axes."""
    if algorithm not in ("fast", "two_pass"):
        raise ValueError(f"standardize: needs algorithm 'fast' or 'two_pass'; got {algorithm!r}")
    (value,) = promote_inexact(operand(x, "standardize"))
    axes = axes_tuple("standardize", axis, value.aval.ndim)
    center = (
        mean_(value, axes, keepdims=True, where=where)
        if mean is None
        else operand(mean, "standardize", "mean")
    )
    deviation = subtract(value, center)
    if variance is None:
        if algorithm == "fast":
            spread = maximum(
                mean_(square(value), axes, keepdims=True, where=where) - center * center, 0
            )
        else:
            spread = mean_(square(deviation), axes, keepdims=True, where=where)
    else:
        spread = operand(variance, "standardize", "variance")
    (widened,) = promote_inexact(spread + epsilon)
    return multiply(deviation, rsqrt(widened))


def one_hot(x: Any, num_classes: int, *, dtype: Any = None, axis: int = -1) -> Any:
    """1 at the place that each integer names along a new axis of size num_classes, 0 elsewhere.

    >>> from vires import nn, numpy as np
    >>> nn.one_hot(np.array([0, 2]), 3)
    Array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    value = operand(x, "one_hot")
    count = operator.index(num_classes)
    rank = value.aval.ndim + 1
    if not -rank <= axis < rank:
        raise ValueError(f"one_hot: needs an axis in [{-rank}, {rank}); got {axis}")
    place = axis % rank
    classes = np.arange(count, dtype=np.int32).reshape(
        [-1 if d == place else 1 for d in range(rank)]
    )
    target = dtypes.default_float() if dtype is None else dtypes.canonical(dtype)
    return convert(expand_dims(value, (place,)) == classes, target)
