"""Elementwise operations as users call them: operands of one dtype, scalars and axes of size 1
repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vires._native import Array
from vires.core import dtypes
from vires.core.primitive import Primitive
from vires.core.trace import Tracer, as_array, aval_of
from vires.lax.arguments import array, broadcast_together, operands, pair, scalar_of
from vires.ops import bits, compare, convert, identity, math
from vires.ops import complex as parts
from vires.ops import elementwise as ops
from vires.ops.accept import refuse
from vires.ops.elementwise import RoundingMethod
from vires.ops.filled import full_like
from vires.ops.select import select_n as _select_n


def _public(function: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _unary(name: str, primitive: Primitive, doc: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return primitive(x if x.__class__ is Array or isinstance(x, Tracer) else as_array(x))

    return _public(function, name, doc)


def _accurate(name: str, primitive: Primitive, doc: str) -> Callable[..., Any]:
    """A function that takes JAX's `accuracy`: there is one implementation, so that every value is
    met."""

    def function(x: Any, *, accuracy: Any = None) -> Any:
        return primitive(x if x.__class__ is Array or isinstance(x, Tracer) else as_array(x))

    return _public(function, name, doc)


def _binary(name: str, primitive: Primitive, doc: str) -> Callable[[Any, Any], Any]:
    def function(x: Any, y: Any) -> Any:
        if (
            (x.__class__ is Array or isinstance(x, Tracer))
            and (y.__class__ is Array or isinstance(y, Tracer))
            and x.shape == y.shape
        ):
            return primitive(x, y)
        return primitive(*pair(name, x, y))

    return _public(function, name, doc)


# --- arithmetic

neg = _unary("neg", ops.neg, """-x. Integers wrap around.""")
add = _binary(
    "add",
    ops.add,
    """x + y of operands of one dtype; scalars and axes of size 1 are repeated.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.add(np.arange(3), 1).tolist()
    [1, 2, 3]
    """,
)
sub = _binary("sub", ops.sub, """x - y of operands of one dtype.""")
div = _binary(
    "div", ops.div, """x / y; the quotient towards zero for integers, -1 for a divisor 0."""
)
rem = _binary("rem", ops.rem, """The remainder of x / y with the sign of x, as C's % and fmod.""")
max = _binary("max", ops.max, """The larger of x and y, nan when either is.""")
min = _binary("min", ops.min, """The smaller of x and y, nan when either is.""")
abs = _unary("abs", ops.abs, """|x|; real for complex x.""")
sign = _unary("sign", ops.sign, """-1, 0 or 1; x / |x| for complex x.""")
floor = _unary("floor", ops.floor, """The largest integer that is not above x.""")
ceil = _unary("ceil", ops.ceil, """The smallest integer that is not below x.""")
nextafter = _binary(
    "nextafter", ops.nextafter, """The next number after x in the direction of y."""
)


def mul(x: Any, y: Any, *, out_dtype: Any = None) -> Any:
    """x y of operands of one dtype; with `out_dtype` the operands are converted to it before.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.mul(np.float32([1, 2]), 1.5).tolist()
    [1.5, 3.0]
    """
    if out_dtype is not None:
        x, y = convert_element_type(x, out_dtype), convert_element_type(y, out_dtype)
    return ops.mul(*pair("mul", x, y))


def reciprocal(x: Any) -> Any:
    """1 / x for float or complex x."""
    x = array(x)
    return ops.div(full_like(x, 1), x)


def round(x: Any, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Any:
    """The nearest integer as a float; halves away from zero, or to the even one.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.round(np.float32([0.5, 1.5, -2.5])).tolist()
    [1.0, 2.0, -3.0]
    >>> lax.round(np.float32([0.5, 1.5, -2.5]), lax.RoundingMethod.TO_NEAREST_EVEN).tolist()
    [0.0, 2.0, -2.0]
    """
    return ops.round(array(x), rounding_method=RoundingMethod(rounding_method))


def clamp(min: Any, x: Any, max: Any) -> Any:
    """x limited to the range from `min` to `max`, which are scalars, 0-d, or of the shape of x.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.clamp(0.0, np.float32([-1, 0.5, 7]), 1.0).tolist()
    [0.0, 0.5, 1.0]
    """
    x = array(x)
    bounds = []
    for bound in (min, max):
        bound = (
            scalar_of(bound, x.dtype)
            if isinstance(bound, (int, float, np.generic))
            else array(bound)
        )
        bounds.append(bound)
    return ops.clamp(bounds[0], x, bounds[1])


# --- comparisons

eq = _binary("eq", compare.eq, """Whether x = y; false for nan.""")
ne = _binary("ne", compare.ne, """Whether x and y differ; true for nan.""")
lt = _binary("lt", compare.lt, """Whether x < y.""")
le = _binary("le", compare.le, """Whether x <= y.""")
gt = _binary("gt", compare.gt, """Whether x > y.""")
ge = _binary("ge", compare.ge, """Whether x >= y.""")
is_finite = _unary("is_finite", compare.is_finite, """Whether x is neither infinite nor nan.""")

# --- bits

bitwise_and = _binary("bitwise_and", bits.and_, """Bits set in both; logical on bool.""")
bitwise_or = _binary("bitwise_or", bits.or_, """Bits set in either; logical on bool.""")
bitwise_xor = _binary("bitwise_xor", bits.xor, """Bits set in one of the two; logical on bool.""")
bitwise_not = _unary("bitwise_not", bits.not_, """All bits changed; logical on bool.""")
shift_left = _binary("shift_left", bits.shift_left, """x 2^y; 0 for shifts by the width or more.""")
shift_right_logical = _binary(
    "shift_right_logical", bits.shift_right_logical, """Bits moved down by y, zeros from above."""
)
shift_right_arithmetic = _binary(
    "shift_right_arithmetic",
    bits.shift_right_arithmetic,
    """Bits moved down by y, the sign from above.""",
)
population_count = _unary("population_count", bits.population_count, """The number of bits set.""")
clz = _unary("clz", bits.clz, """The number of leading zero bits.""")
mulhi = _binary("mulhi", bits.mulhi, """The upper half of the bits of the product x y.""")

# --- powers, exponentials, logarithms

sqrt = _accurate(
    "sqrt", math.sqrt, """The square root, correctly rounded; nan for negative real x."""
)
rsqrt = _accurate("rsqrt", math.rsqrt, """1 / sqrt(x).""")
cbrt = _accurate("cbrt", math.cbrt, """The real cube root.""")
square = _unary("square", math.square, """x x.""")
exp = _accurate("exp", math.exp, """e^x.""")
exp2 = _accurate("exp2", math.exp2, """2^x.""")
expm1 = _accurate("expm1", math.expm1, """e^x - 1, accurate near 0.""")
log = _accurate("log", math.log, """The natural logarithm.""")
log1p = _accurate("log1p", math.log1p, """log(1 + x), accurate near 0.""")
logistic = _accurate("logistic", math.logistic, """1 / (1 + e^-x).""")


def integer_pow(x: Any, y: int) -> Any:
    """x to a fixed integer power, by repeated multiplication.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.integer_pow(np.float32([2, 3]), -1).tolist()
    [0.5, 0.3333333432674408]
    """
    return math.integer_pow(array(x), y=y)


def pow(x: Any, y: Any) -> Any:
    """x^y for float or complex x, and y of the same dtype or integer.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.pow(np.float32([2, -3]), np.int32([3, 2])).tolist()
    [8.0, 9.0]
    """
    integer = y.__class__ is int or (hasattr(y, "dtype") and dtypes.is_integer(aval_of(y).dtype))
    if not integer or x.__class__ in (int, bool):
        return math.pow(*operands("pow", x, y))
    return math.pow(*broadcast_together("pow", [array(x), array(y)]))


# --- trigonometric and hyperbolic functions; angles in radians

sin = _accurate("sin", math.sin, """The sine of x in radians.""")
cos = _accurate("cos", math.cos, """The cosine of x in radians.""")
tan = _accurate("tan", math.tan, """The tangent of x in radians.""")
asin = _unary("asin", math.asin, """The angle in [-pi/2, pi/2] whose sine is x.""")
acos = _unary("acos", math.acos, """The angle in [0, pi] whose cosine is x.""")
atan = _unary("atan", math.atan, """The angle in [-pi/2, pi/2] whose tangent is x.""")
atan2 = _binary(
    "atan2", math.atan2, """The angle in [-pi, pi] of the point with ordinate x and abscissa y."""
)
sinh = _unary("sinh", math.sinh, """The hyperbolic sine.""")
cosh = _unary("cosh", math.cosh, """The hyperbolic cosine.""")
tanh = _accurate("tanh", math.tanh, """The hyperbolic tangent.""")
asinh = _unary("asinh", math.asinh, """The number whose hyperbolic sine is x.""")
acosh = _unary("acosh", math.acosh, """The number >= 0 whose hyperbolic cosine is x.""")
atanh = _unary("atanh", math.atanh, """The number whose hyperbolic tangent is x.""")

# --- complex numbers

complex = _binary("complex", parts.complex, """x + i y for float32 or float64 x and y.""")
real = _unary("real", parts.real, """The real part of a complex number.""")
imag = _unary("imag", parts.imag, """The imaginary part of a complex number.""")


def conj(x: Any) -> Any:
    """The complex conjugate, complex also for real x.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.conj(np.complex64(1 + 2j)).item()
    (1-2j)
    """
    x = array(x)
    if dtypes.kind(x.dtype) != "complex":
        x = convert_element_type(x, dtypes.complex_of(x.dtype))
    return parts.conj(x)


# --- selection


def select_n(which: Any, *cases: Any) -> Any:
    """cases[which] for each element; `which` is bool (false takes the first case) or int32, 0-d or
    of the shape.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.select_n(np.array([False, True]), np.array([1, 2]), np.array([3, 4])).tolist()
    [1, 4]
    """
    if not cases:
        raise refuse("select_n", "at least one case", "none")
    which = array(which)
    if which.dtype == dtypes.int64 and which.weak_type:
        which = convert.convert(which, dtypes.int32)
    return _select_n(which, *operands("select_n", *cases))


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """on_true where pred holds, else on_false. `pred` is 0-d or has the shape of the cases.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.select(np.array([False, True]), np.array([1, 2]), np.array([3, 4])).tolist()
    [3, 2]
    """
    return select_n(pred, on_false, on_true)


# --- conversions


def convert_element_type(operand: Any, new_dtype: Any) -> Any:
    """The operand in another dtype: float to integer drops the fraction and saturates, nan gives 0.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.convert_element_type(np.float32([1.9, -1.9, 300]), np.int8).tolist()
    [1, -1, 127]
    """
    operand = array(operand)
    dtype = dtypes.canonical(new_dtype)
    if operand.dtype == dtype and not operand.aval.weak_type:
        return operand
    return convert.convert_element_type(operand, new_dtype=dtype, weak_type=False)


def bitcast_convert_type(operand: Any, new_dtype: Any) -> Any:
    """The same bits as another dtype; a narrower one adds a last axis, a wider one takes it away.

    >>> import numpy as np
    >>> from vires import lax
    >>> hex(lax.bitcast_convert_type(np.float32(1), np.uint32).item())
    '0x3f800000'
    """
    return convert.bitcast_convert_type(array(operand), new_dtype=dtypes.canonical(new_dtype))


def reduce_precision(operand: Any, exponent_bits: int, mantissa_bits: int) -> Any:
    """The operand rounded to a float format with these numbers of bits, in its own dtype.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.reduce_precision(np.float32(1 / 3), exponent_bits=8, mantissa_bits=7).item()
    0.333984375
    """
    return convert.reduce_precision(
        array(operand), exponent_bits=exponent_bits, mantissa_bits=mantissa_bits
    )


def erf(x: Any) -> Any:
    """The error function 2 / sqrt(pi) times the integral of e^(-t t) from 0 to x.

    >>> from vires import lax
    >>> lax.erf(0.0).item()
    0.0
    """
    return math.erf(array(x))


def erfc(x: Any) -> Any:
    """1 - erf(x), accurate for large x."""
    return math.erfc(array(x))


def erf_inv(x: Any) -> Any:
    """The number whose erf is x; +-inf at +-1."""
    return math.erf_inv(array(x))


def copy(x: Any) -> Any:
    """x in memory of its own."""
    return identity.copy(array(x))


__all__ = [
    "RoundingMethod", "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh",
    "bitcast_convert_type", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "cbrt",
    "ceil", "clamp", "clz", "complex", "conj", "convert_element_type", "copy", "cos", "cosh",
    "div", "eq", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "ge", "gt", "imag",
    "integer_pow", "is_finite", "le", "log", "log1p", "logistic", "lt", "max", "min", "mul",
    "mulhi", "ne", "neg", "nextafter", "population_count", "pow", "real", "reciprocal",
    "reduce_precision", "rem", "round", "rsqrt", "select", "select_n", "shift_left",
    "shift_right_arithmetic", "shift_right_logical", "sign", "sin", "sinh", "sqrt", "square",
    "sub", "tan", "tanh",
]  # fmt: skip
