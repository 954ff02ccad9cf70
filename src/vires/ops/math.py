"""Elementary functions: powers, exponentials, trigonometric, hyperbolic and error functions."""

from __future__ import annotations

import math as scalar_math
from collections.abc import Callable
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.trace import aval_of
from vires.dialect.loops import LoopBuilder, Value
from vires.ops.accept import FLOAT, INEXACT, NUMBER, DtypeSet, check_dtype, refuse, typed_all
from vires.ops.compare import eq
from vires.ops.convert import convert
from vires.ops.elementwise import add, div, mul, neg, sub
from vires.ops.families import Elementwise
from vires.ops.filled import full_like
from vires.ops.select import select_n


def _times(x: Any, factor: float) -> Any:
    return mul(x, full_like(x, factor))


def _plus(x: Any, term: float) -> Any:
    return add(x, full_like(x, term))


def _from(value: float, x: Any) -> Any:
    return sub(full_like(x, value), x)


_DOUBLE = {dtypes.float32: dtypes.float64, dtypes.complex64: dtypes.complex128}


def _in_double(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """The oracle: a NumPy function computed with twice the digits and rounded once."""

    def reference(*arrays: np.ndarray, **params: Any) -> np.ndarray:
        dtype = arrays[0].dtype
        wide = _DOUBLE.get(dtype, dtype)
        return np.asarray(function(*(x.astype(wide, copy=False) for x in arrays), **params)).astype(
            dtype
        )

    return reference


def _function(
    name: str,
    doc: str,
    reference: Callable[..., Any],
    jvp: Callable[..., Any],
    accepts: DtypeSet = INEXACT,
) -> Elementwise:
    """A function of one operand that the loop dialect has under the same name."""
    return Elementwise(
        name,
        accepts,
        doc,
        reference=_in_double(reference),
        jvp=jvp,
        loops=lambda b, x: b.op(name, x),
    )


# --- roots and powers

sqrt = _function(
    "sqrt",
    """The square root, correctly rounded; nan for negative real x.""",
    np.sqrt,
    lambda x, dx, *, out: div(_times(dx, 0.5), out),
)

rsqrt = _function(
    "rsqrt",
    """1 / sqrt(x); inf at 0.""",
    lambda x: 1 / np.sqrt(x),
    lambda x, dx, *, out: mul(dx, div(_times(out, -0.5), x)),
)

cbrt = _function(
    "cbrt",
    """The real cube root.""",
    np.cbrt,
    lambda x, dx, *, out: div(dx, _times(mul(out, out), 3)),
    FLOAT,
)

square = Elementwise(
    "square",
    NUMBER,
    """x x, rounded once.""",
    reference=np.square,
    jvp=lambda x, dx: mul(dx, _times(x, 2)),
    loops=lambda b, x: b.op("mul", x, x),
)


def _chain(x: Any, exponent: int, multiply: Callable[[Any, Any], Any]) -> Any:
    """x to a positive integer power by repeated squaring."""
    result = None
    while True:
        if exponent & 1:
            result = x if result is None else multiply(result, x)
        exponent >>= 1
        if not exponent:
            return result
        x = multiply(x, x)


def _integer_pow_infer(x: ShapedArray, *, y: int) -> ShapedArray:
    check_dtype("integer_pow", x, NUMBER)
    if y < 0 and dtypes.is_integer(x.dtype):
        raise refuse(
            "integer_pow",
            "a float or complex base for a negative exponent",
            f"{typed_all((x,))} to the {y}",
            "x.astype(float32)",
        )
    return x


def _integer_pow_reference(x: np.ndarray, *, y: int) -> np.ndarray:
    if y == 0:
        return np.ones_like(x)
    power = _chain(x, abs(y), np.multiply)
    return np.divide(np.ones_like(x), power) if y < 0 else power


def _integer_pow_element(b: LoopBuilder, x: Value, *, y: int) -> Value:
    one = b.constant(1, x.dtype)
    if y == 0:
        return one
    power = _chain(x, abs(y), lambda p, q: b.op("mul", p, q))
    return b.op("div", one, power) if y < 0 else power


def _integer_pow_jvp(x: Any, dx: Any, *, y: int) -> Any:
    if y == 0:
        return full_like(dx, 0)
    return mul(dx, _times(integer_pow(x, y=y - 1), y))


integer_pow = Elementwise(
    "integer_pow",
    NUMBER,
    """x to a fixed integer power y, by repeated squaring; 1 for y = 0.""",
    infer=_integer_pow_infer,
    reference=_integer_pow_reference,
    jvp=_integer_pow_jvp,
    loops=_integer_pow_element,
)


def _pow_infer(x: ShapedArray, y: ShapedArray) -> ShapedArray:
    check_dtype("pow", x, INEXACT)
    if y.dtype != x.dtype and not dtypes.is_integer(y.dtype):
        raise refuse("pow", "an exponent of the base's dtype or an integer one", typed_all((x, y)))
    if x.shape != y.shape:
        raise refuse(
            "pow", "operands of one shape", typed_all((x, y)), "vires.numpy.power, which broadcasts"
        )
    return y if x.weak_type and y.dtype == x.dtype else x


def _pow_element(b: LoopBuilder, x: Value, y: Value) -> Value:
    if y.dtype == x.dtype:
        return b.op("pow", x, y)
    # The parity of the exponent decides the sign, so every integer has to be exact in the wider
    # dtype.
    if dtypes.kind(x.dtype) == "complex":
        return b.op("pow", x, b.convert(y, x.dtype))
    wide = dtypes.float64 if y.dtype.itemsize > 2 else dtypes.float32
    wide = x.dtype if x.dtype.itemsize > wide.itemsize else wide
    return b.convert(b.op("pow", b.convert(x, wide), b.convert(y, wide)), x.dtype)


def _pow_jvp_base(x: Any, y: Any, dx: Any) -> Any:
    # At y = 0 the derivative is 0, also at x = 0, where y x^(y-1) would be 0 times infinity.
    zero = eq(y, full_like(y, 0))
    one = full_like(y, 1)
    lowered = pow(x, sub(select_n(zero, y, one), one))
    slope = mul(convert(y, aval_of(x).dtype), lowered)
    return mul(dx, select_n(zero, slope, full_like(slope, 0)))


def _pow_jvp_exponent(x: Any, y: Any, dy: Any, *, out: Any) -> Any:
    # At x = 0 the logarithm is replaced by 0: x^y is flat in y there for y > 0.
    safe = select_n(eq(x, full_like(x, 0)), x, full_like(x, 1))
    return mul(dy, mul(log(safe), out))


pow = Elementwise(
    "pow",
    INEXACT,
    """x^y, y of x's dtype or integer; 1 for y = 0; nan for negative real x and fractional y.""",
    infer=_pow_infer,
    reference=_in_double(np.power),
    jvp=(_pow_jvp_base, _pow_jvp_exponent),
    loops=_pow_element,
)

# --- exponentials and logarithms

_LN2 = scalar_math.log(2)

exp = _function("exp", """e^x.""", np.exp, lambda x, dx, *, out: mul(dx, out))
exp2 = Elementwise(
    "exp2",
    INEXACT,
    """2^x.""",
    reference=_in_double(lambda x: np.exp(x * _LN2) if x.dtype.kind == "c" else np.exp2(x)),
    jvp=lambda x, dx, *, out: mul(dx, _times(out, _LN2)),
    loops=lambda b, x: (
        b.op("exp", b.op("mul", x, b.constant(_LN2, x.dtype)))
        if dtypes.kind(x.dtype) == "complex"
        else b.op("exp2", x)
    ),
)
expm1 = _function(
    "expm1", """e^x - 1, accurate near 0.""", np.expm1, lambda x, dx, *, out: mul(dx, _plus(out, 1))
)
log = _function(
    "log",
    """The natural logarithm: -inf at 0, nan for negative real x.""",
    np.log,
    lambda x, dx: div(dx, x),
)
log2 = _function(
    "log2",
    """The logarithm to base 2, exact for powers of two.""",
    np.log2,
    lambda x, dx: div(dx, _times(x, _LN2)),
    FLOAT,
)
log1p = _function(
    "log1p", """log(1 + x), accurate near 0.""", np.log1p, lambda x, dx: div(dx, _plus(x, 1))
)


def _logistic_reference(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind == "c":
        return 1 / (1 + np.exp(-x))
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, np.ones_like(x)) / (1 + small)


logistic = _function(
    "logistic",
    """1 / (1 + e^-x), the sigmoid function.""",
    _logistic_reference,
    lambda x, dx, *, out: mul(dx, mul(out, _from(1, out))),
)

# --- trigonometric functions; angles in radians

sin = _function("sin", """The sine; nan at +-inf.""", np.sin, lambda x, dx: mul(dx, cos(x)))
cos = _function("cos", """The cosine; nan at +-inf.""", np.cos, lambda x, dx: neg(mul(dx, sin(x))))
tan = _function(
    "tan", """The tangent.""", np.tan, lambda x, dx, *, out: mul(dx, _plus(mul(out, out), 1))
)


def _one_minus_square(x: Any) -> Any:
    """(1 - x)(1 + x), without the cancellation of 1 - x x near 1."""
    return mul(_from(1, x), _plus(x, 1))


asin = _function(
    "asin",
    """The angle in [-pi/2, pi/2] whose sine is x; nan for real x outside [-1, 1].""",
    np.arcsin,
    lambda x, dx: mul(dx, rsqrt(_one_minus_square(x))),
)
acos = _function(
    "acos",
    """The angle in [0, pi] whose cosine is x; nan for real x outside [-1, 1].""",
    np.arccos,
    lambda x, dx: neg(mul(dx, rsqrt(_one_minus_square(x)))),
)
atan = _function(
    "atan",
    """The angle in [-pi/2, pi/2] whose tangent is x.""",
    np.arctan,
    lambda x, dx: div(dx, _plus(mul(x, x), 1)),
)


def _square_of_distance(y: Any, x: Any) -> Any:
    return add(mul(y, y), mul(x, x))


atan2 = Elementwise(
    "atan2",
    FLOAT,
    """The angle in [-pi, pi] of the point with ordinate y and abscissa x: atan2(y, x).""",
    reference=_in_double(np.arctan2),
    jvp=(
        lambda y, x, dy: mul(dy, div(x, _square_of_distance(y, x))),
        lambda y, x, dx: neg(mul(dx, div(y, _square_of_distance(y, x)))),
    ),
    loops=lambda b, y, x: b.op("atan2", y, x),
)

# --- hyperbolic functions

sinh = _function("sinh", """The hyperbolic sine.""", np.sinh, lambda x, dx: mul(dx, cosh(x)))
cosh = _function("cosh", """The hyperbolic cosine.""", np.cosh, lambda x, dx: mul(dx, sinh(x)))
tanh = _function(
    "tanh",
    """The hyperbolic tangent.""",
    np.tanh,
    lambda x, dx, *, out: mul(dx, _one_minus_square(out)),
)
asinh = _function(
    "asinh",
    """The number whose hyperbolic sine is x.""",
    np.arcsinh,
    lambda x, dx: mul(dx, rsqrt(_plus(mul(x, x), 1))),
)
acosh = _function(
    "acosh",
    """The number >= 0 whose hyperbolic cosine is x; nan for real x < 1.""",
    np.arccosh,
    lambda x, dx: div(dx, mul(sqrt(_plus(x, -1)), sqrt(_plus(x, 1)))),
)
atanh = _function(
    "atanh",
    """The number whose hyperbolic tangent is x; nan for real x outside [-1, 1].""",
    np.arctanh,
    lambda x, dx: div(dx, _one_minus_square(x)),
)

# --- error functions


def _each(function: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of Python floats on arrays."""
    vectorized = np.frompyfunc(function, 1, 1)
    return lambda x: np.asarray(vectorized(x), np.float64)


_numpy_erf, _numpy_erfc = _each(scalar_math.erf), _each(scalar_math.erfc)
_TWO_OVER_ROOT_PI = 2 / scalar_math.sqrt(scalar_math.pi)


def _erf_inv_reference(x: np.ndarray) -> np.ndarray:
    """Winitzki's approximation, improved by Halley's method on the better conditioned of erf and
    erfc."""
    size = np.abs(x)
    logarithm = np.log((1 - size) * (1 + size))
    a = 0.147
    middle = 2 / (np.pi * a) + logarithm / 2
    y = np.sqrt(np.sqrt(middle * middle - logarithm / a) - middle)
    y = np.where(size < 1, y, 0)
    for _ in range(4):
        excess = np.where(size < 0.5, _numpy_erf(y) - size, (1 - size) - _numpy_erfc(y))
        step = excess / (_TWO_OVER_ROOT_PI * np.exp(-y * y))
        y = y - step / (1 + y * step)
    y = np.where(size == 1, np.inf, np.where(size < 1, y, np.nan))
    return np.where(size < 1e-8, x / _TWO_OVER_ROOT_PI, np.copysign(y, x))


def _bell(x: Any) -> Any:
    """2 / sqrt(pi) e^(-x x), the derivative of erf."""
    return _times(exp(neg(mul(x, x))), _TWO_OVER_ROOT_PI)


erf = _function(
    "erf",
    """2 / sqrt(pi) times the integral of e^(-t t) from 0 to x.""",
    _numpy_erf,
    lambda x, dx: mul(dx, _bell(x)),
    FLOAT,
)
erfc = _function(
    "erfc",
    """1 - erf(x), accurate for large x.""",
    _numpy_erfc,
    lambda x, dx: neg(mul(dx, _bell(x))),
    FLOAT,
)
erf_inv = _function(
    "erf_inv",
    """The number whose erf is x; +-inf at +-1, nan outside.""",
    _erf_inv_reference,
    lambda x, dx, *, out: mul(dx, _times(exp(mul(out, out)), 1 / _TWO_OVER_ROOT_PI)),
    FLOAT,
)
