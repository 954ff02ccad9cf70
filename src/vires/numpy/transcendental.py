"""Elementwise exponentials, logarithms and trigonometric functions. Angles are in radians."""

from __future__ import annotations

import math as python_math
from typing import Any

from vires.core import dtypes
from vires.numpy.arithmetic import is_nan, scaled, where_
from vires.numpy.ufunc import elementwise
from vires.ops import bits, compare, math
from vires.ops import elementwise as ops
from vires.ops.complex import complex, imag, real
from vires.ops.filled import full_like


def _unary(name: str, primitive: Any, doc: str) -> Any:
    """An elementwise function of a float or complex operand that is one primitive."""

    def body(x: Any) -> Any:
        return primitive(x)

    body.__doc__ = doc
    return elementwise("inexact", name=name)(body)


exp = _unary("exp", math.exp, """e^x.""")
exp2 = _unary("exp2", math.exp2, """2^x.""")
expm1 = _unary("expm1", math.expm1, """e^x - 1, accurate near 0.""")
log = _unary("log", math.log, """The natural logarithm: -inf at 0, nan for negative real x.""")
log2 = _unary("log2", math.log2, """The logarithm to base 2, exact for powers of 2.""")
log1p = _unary("log1p", math.log1p, """log(1 + x), accurate near 0.""")
sin = _unary("sin", math.sin, """Sine; nan at +-inf.""")
cos = _unary("cos", math.cos, """Cosine; nan at +-inf.""")
tan = _unary("tan", math.tan, """Tangent.""")
arcsin = asin = _unary(
    "arcsin", math.asin, """The angle in [-pi/2, pi/2] whose sine is x; nan outside [-1, 1]."""
)
arccos = acos = _unary(
    "arccos", math.acos, """The angle in [0, pi] whose cosine is x; nan outside [-1, 1]."""
)
arctan = atan = _unary("arctan", math.atan, """The angle in [-pi/2, pi/2] whose tangent is x.""")
sinh = _unary("sinh", math.sinh, """Hyperbolic sine.""")
cosh = _unary("cosh", math.cosh, """Hyperbolic cosine.""")
tanh = _unary("tanh", math.tanh, """Hyperbolic tangent.""")
arcsinh = asinh = _unary("arcsinh", math.asinh, """The number whose hyperbolic sine is x.""")
arccosh = acosh = _unary(
    "arccosh", math.acosh, """The number >= 0 whose hyperbolic cosine is x; nan below 1."""
)
arctanh = atanh = _unary(
    "arctanh", math.atanh, """The number whose hyperbolic tangent is x; nan outside [-1, 1]."""
)


@elementwise("inexact")
def log10(x):
    """The logarithm to base 10."""
    return ops.div(math.log(x), full_like(x, python_math.log(10)))


@elementwise("inexact")
def arctan2(x1, x2):
    """The angle in [-pi, pi] of the point (x2, x1): x1 is its ordinate."""
    return math.atan2(x1, x2)


atan2 = arctan2


@elementwise("inexact")
def deg2rad(x):
    """Degrees to radians."""
    return scaled(x, python_math.pi / 180)


@elementwise("inexact")
def rad2deg(x):
    """Radians to degrees."""
    return scaled(x, 180 / python_math.pi)


radians, degrees = deg2rad, rad2deg


@elementwise("inexact")
def hypot(x1, x2):
    """sqrt(x1^2 + x2^2) without overflow; inf when either is infinite, even if the other is nan."""
    x, y = ops.abs(x1), ops.abs(x2)
    large, small = ops.max(x, y), ops.min(x, y)
    zero, one = full_like(x, 0), full_like(x, 1)
    degenerate = bits.or_(compare.eq(large, zero), compare.eq(small, full_like(x, python_math.inf)))
    ratio = ops.div(small, where_(degenerate, one, large))
    size = ops.mul(large, math.sqrt(ops.add(one, math.square(ratio))))
    size = where_(degenerate, large, size)
    infinite = full_like(x, python_math.inf)
    return where_(bits.or_(compare.eq(x, infinite), compare.eq(y, infinite)), infinite, size)


def _add_exponentials(x: Any, y: Any, log_of: Any, exp_of: Any) -> Any:
    """log(exp(x) + exp(y)) = max + log(1 + exp(-|x - y|)); equal infinities stay as they are."""
    difference = ops.sub(x, y)
    undefined = is_nan(difference)
    difference = where_(undefined, full_like(x, 0), difference)
    tail = log_of(exp_of(ops.neg(ops.abs(difference))))
    return where_(undefined, ops.add(x, y), ops.add(ops.max(x, y), tail))


@elementwise("inexact")
def logaddexp(x1, x2):
    """log(exp(x1) + exp(x2)) without overflow."""
    if dtypes.kind(x1.aval.dtype) == "complex":
        large = where_(compare.gt(real(x1), real(x2)), x1, x2)
        small = where_(compare.gt(real(x1), real(x2)), x2, x1)
        total = ops.add(large, math.log1p(math.exp(ops.sub(small, large))))
        return _wrap_imaginary(total)
    return _add_exponentials(x1, x2, math.log1p, math.exp)


def _wrap_imaginary(z: Any) -> Any:
    """z with its imaginary part brought into (-pi, pi]."""
    angle = imag(z)
    turns = ops.round(
        scaled(angle, 1 / (2 * python_math.pi)), rounding_method=ops.RoundingMethod.TO_NEAREST_EVEN
    )
    return complex(real(z), ops.sub(angle, scaled(turns, 2 * python_math.pi)))


@elementwise("inexact")
def logaddexp2(x1, x2):
    """log2(2^x1 + 2^x2) without overflow."""
    return _add_exponentials(
        x1, x2, lambda x: scaled(math.log1p(x), 1 / python_math.log(2)), math.exp2
    )


@elementwise("inexact")
def sinc(x):
    """sin(pi x) / (pi x), 1 at 0; its derivatives at 0 are exact too."""
    angle = scaled(x, python_math.pi)
    near = compare.lt(ops.abs(angle), full_like(ops.abs(angle), 1e-3))
    safe = where_(near, full_like(x, 1), angle)
    series = ops.sub(full_like(x, 1), scaled(math.square(angle), 1 / 6))
    return where_(near, series, ops.div(math.sin(safe), safe))


__all__ = [
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh",
    "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "deg2rad", "degrees", "exp", "exp2",
    "expm1", "hypot", "log", "log1p", "log2", "log10", "logaddexp", "logaddexp2", "rad2deg",
    "radians", "sin", "sinc", "sinh", "tan", "tanh",
]  # fmt: skip
