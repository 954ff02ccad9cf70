"""Activation functions: elementwise, fused into one kernel, with derivatives that are finite
everywhere."""

from __future__ import annotations

import math as python_math
from typing import Any

from vires.numpy.arithmetic import where_
from vires.numpy.joining import split
from vires.numpy.operands import axis_index, operand, promote_inexact
from vires.numpy.transcendental import tanh
from vires.numpy.ufunc import elementwise
from vires.ops import compare, math
from vires.ops import elementwise as ops
from vires.ops.filled import full_like

__all__ = [
    "celu", "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "identity", "leaky_relu", "log1mexp", "log_sigmoid", "mish", "relu", "relu6", "selu",
    "sigmoid", "silu", "soft_sign", "softplus", "sparse_plus", "sparse_sigmoid", "squareplus",
    "swish", "tanh",
]  # fmt: skip


def _clipped(x: Any, low: float, high: float) -> Any:
    """x between two bounds, with derivative 0 at the bounds."""
    below, above = full_like(x, low), full_like(x, high)
    return where_(compare.le(x, below), below, where_(compare.ge(x, above), above, x))


def _softplus(x: Any) -> Any:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)."""
    positive = where_(compare.le(x, full_like(x, 0)), full_like(x, 0), x)
    at_zero = compare.eq(x, full_like(x, 0))
    # |x| has derivative 0 at 0, so there the derivative 1/2 comes from x itself.
    size = where_(at_zero, x, ops.abs(x))
    tail = math.log1p(math.exp(ops.neg(size)))
    return where_(at_zero, ops.add(x, tail), ops.add(positive, tail))


@elementwise()
def relu(x):
    """max(x, 0), with derivative 0 at 0."""
    return where_(compare.le(x, full_like(x, 0)), full_like(x, 0), x)


@elementwise()
def relu6(x):
    """min(max(x, 0), 6), with derivative 0 at 0 and 6."""
    return _clipped(x, 0, 6)


@elementwise("inexact")
def sigmoid(x):
    """1 / (1 + e^-x)."""
    return math.logistic(x)


@elementwise("inexact")
def softplus(x):
    """log(1 + e^x), without overflow."""
    return _softplus(x)


@elementwise("inexact")
def log_sigmoid(x):
    """log(sigmoid(x)) = -softplus(-x)."""
    return ops.neg(_softplus(ops.neg(x)))


@elementwise("inexact")
def soft_sign(x):
    """x / (1 + |x|)."""
    return ops.div(x, ops.add(full_like(x, 1), ops.abs(x)))


@elementwise("inexact")
def silu(x):
    """x sigmoid(x)."""
    return ops.mul(x, math.logistic(x))


swish = silu


@elementwise("inexact")
def mish(x):
    """x tanh(softplus(x))."""
    return ops.mul(x, math.tanh(_softplus(x)))


def _expm1_below(x: Any) -> Any:
    """e^x - 1 where x <= 0, and 0 elsewhere, so that large x does not overflow."""
    zero = full_like(x, 0)
    return math.expm1(where_(compare.gt(x, zero), zero, x))


@elementwise("inexact", name="elu")
def _elu(x, alpha):
    return where_(compare.gt(x, full_like(x, 0)), x, ops.mul(alpha, _expm1_below(x)))


def elu(x: Any, alpha: Any = 1.0) -> Any:
    """x where x > 0, else alpha (e^x - 1)."""
    return _elu(x, alpha)


@elementwise("inexact", name="celu")
def _celu(x, alpha):
    zero = full_like(x, 0)
    positive = where_(compare.gt(x, zero), x, zero)
    return ops.add(positive, ops.mul(alpha, _expm1_below(ops.div(x, alpha))))


def celu(x: Any, alpha: Any = 1.0) -> Any:
    """max(x, 0) + min(alpha (e^(x / alpha) - 1), 0) for alpha > 0."""
    return _celu(x, alpha)


_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@elementwise("inexact")
def selu(x):
    """1.0507 elu(x, 1.6733): layers of it keep mean 0 and variance 1."""
    inner = where_(
        compare.gt(x, full_like(x, 0)), x, ops.mul(full_like(x, _SELU_ALPHA), _expm1_below(x))
    )
    return ops.mul(full_like(x, _SELU_SCALE), inner)


@elementwise("inexact", name="leaky_relu")
def _leaky_relu(x, negative_slope):
    return where_(compare.ge(x, full_like(x, 0)), x, ops.mul(negative_slope, x))


def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Any:
    """x where x >= 0, else negative_slope x."""
    return _leaky_relu(x, negative_slope)


@elementwise("inexact", name="gelu")
def _gelu_tanh(x):
    cube = ops.mul(x, math.square(x))
    inner = ops.mul(
        full_like(x, python_math.sqrt(2 / python_math.pi)),
        ops.add(x, ops.mul(full_like(x, 0.044715), cube)),
    )
    return ops.mul(ops.mul(full_like(x, 0.5), x), ops.add(full_like(x, 1), math.tanh(inner)))


@elementwise("inexact", name="gelu")
def _gelu_exact(x):
    return ops.mul(
        ops.mul(full_like(x, 0.5), x), math.erfc(ops.mul(x, full_like(x, -python_math.sqrt(0.5))))
    )


def gelu(x: Any, approximate: bool = True) -> Any:
    """x times the normal distribution function of x, by a tanh formula when `approximate`, else by
    erfc."""
    return (_gelu_tanh if approximate else _gelu_exact)(x)


@elementwise("inexact")
def hard_tanh(x):
    """min(max(x, -1), 1), with derivative 1 at both ends."""
    one = full_like(x, 1)
    return where_(compare.gt(x, one), one, where_(compare.lt(x, ops.neg(one)), ops.neg(one), x))


def _hard_sigmoid(x: Any) -> Any:
    return ops.div(_clipped(ops.add(x, full_like(x, 3)), 0, 6), full_like(x, 6))


@elementwise("inexact")
def hard_sigmoid(x):
    """relu6(x + 3) / 6."""
    return _hard_sigmoid(x)


@elementwise("inexact")
def hard_silu(x):
    """x relu6(x + 3) / 6."""
    return ops.mul(x, _hard_sigmoid(x))


hard_swish = hard_silu


@elementwise("inexact", name="squareplus")
def _squareplus(x, b):
    return ops.mul(full_like(x, 0.5), ops.add(x, math.sqrt(ops.add(math.square(x), b))))


def squareplus(x: Any, b: Any = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2."""
    return _squareplus(x, b)


@elementwise("inexact")
def sparse_plus(x):
    """0 below -1, x above 1, (x + 1)^2 / 4 between."""
    one = full_like(x, 1)
    between = ops.mul(full_like(x, 0.25), math.square(ops.add(x, one)))
    return where_(
        compare.le(x, ops.neg(one)), full_like(x, 0), where_(compare.ge(x, one), x, between)
    )


@elementwise("inexact")
def sparse_sigmoid(x):
    """0 below -1, 1 above 1, (x + 1) / 2 between: the derivative of sparse_plus."""
    shifted = ops.add(x, full_like(x, 1))
    return ops.mul(full_like(x, 0.5), ops.min(ops.max(shifted, full_like(x, 0)), full_like(x, 2)))


@elementwise("inexact")
def log1mexp(x):
    """log(1 - e^-x) for x > 0, accurate for small and large x."""
    small = compare.lt(x, full_like(x, python_math.log(2)))
    one = full_like(x, 1)
    near = math.log(ops.neg(math.expm1(ops.neg(where_(small, x, one)))))
    far = math.log1p(ops.neg(math.exp(ops.neg(where_(small, one, x)))))
    return where_(small, near, far)


@elementwise()
def identity(x):
    """x."""
    return x


def glu(x: Any, axis: int = -1) -> Any:
    """a sigmoid(b) for the halves a and b of an axis of even size."""
    (value,) = promote_inexact(operand(x, "glu"))
    axis = axis_index("glu", axis, value.aval.ndim)
    if value.aval.shape[axis] % 2:
        raise ValueError(
            f"glu: needs an axis of even size; got shape {value.aval.shape} and axis {axis}"
        )
    a, b = split(value, 2, axis)
    return a * sigmoid(b)
