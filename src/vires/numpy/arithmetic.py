"""Elementwise arithmetic: sums, products, quotients, powers, extremes."""

from __future__ import annotations

from typing import Any

from vires.core import dtypes
from vires.core.trace import Tracer
from vires.numpy.operands import convert, operand
from vires.numpy.planned import planned
from vires.numpy.ufunc import elementwise
from vires.ops import bits, compare, math
from vires.ops import elementwise as ops
from vires.ops.convert import bitcast_convert_type
from vires.ops.filled import full_like
from vires.ops.select import select_n


def where_(condition: Any, x: Any, y: Any) -> Any:
    """Elements of `x` where the condition holds, else of `y`: operands of one shape and dtype."""
    return select_n(condition, y, x)


def is_zero(x: Any) -> Any:
    return compare.eq(x, full_like(x, 0))


def is_nan(x: Any) -> Any:
    return compare.ne(x, x)


def integer(x: Any) -> bool:
    return dtypes.is_integer(x.aval.dtype)


def _no_bool(function: str, x: Any) -> None:
    if x.aval.dtype == dtypes.bool_:
        raise TypeError(
            f"{function}: needs a number dtype; got bool; try logical_xor, or x.astype(int)"
        )


def _real(function: str, x: Any) -> None:
    if dtypes.kind(x.aval.dtype) == "complex":
        raise TypeError(f"{function}: needs a real dtype; got {x.aval.dtype.name}; try x.real")


# --- sums, products, quotients


@elementwise()
def add(x1, x2):
    """x1 + x2. Integers wrap around; on bool it is `logical_or`."""
    return ops.add(x1, x2)


@elementwise()
def subtract(x1, x2):
    """x1 - x2. Integers wrap around; bool is refused, as in NumPy."""
    _no_bool("subtract", x1)
    return ops.sub(x1, x2)


@elementwise()
def multiply(x1, x2):
    """x1 x2. Integers wrap around; on bool it is `logical_and`."""
    return ops.mul(x1, x2)


@elementwise("inexact")
def divide(x1, x2):
    """x1 / x2 in a float or complex dtype; integers are converted first."""
    return ops.div(x1, x2)


true_divide = divide


def _floor_quotient(x1: Any, x2: Any) -> Any:
    """Integers: the quotient rounded down, 0 for division by zero."""
    zero = full_like(x1, 0)
    quotient = where_(is_zero(x2), zero, ops.div(x1, x2))
    if dtypes.kind(x1.aval.dtype) == "unsigned":
        return quotient
    remainder = ops.rem(x1, x2)
    uneven = bits.and_(
        compare.ne(remainder, zero), compare.ne(compare.lt(remainder, zero), compare.lt(x2, zero))
    )
    below = bits.and_(uneven, compare.ne(x2, zero))
    return where_(below, ops.sub(quotient, full_like(x1, 1)), quotient)


def _floor_remainder(x1: Any, x2: Any) -> Any:
    """The remainder with the sign of x2; 0 for integer division by zero, nan for float."""
    remainder = ops.rem(x1, x2)
    zero = full_like(x1, 0)
    if dtypes.kind(x1.aval.dtype) != "unsigned":
        other_sign = compare.ne(compare.lt(remainder, zero), compare.lt(x2, zero))
        uneven = bits.and_(compare.ne(remainder, zero), other_sign)
        remainder = where_(uneven, ops.add(remainder, x2), remainder)
    if integer(x1):
        return where_(is_zero(x2), zero, remainder)
    # An exact quotient leaves a zero that has the divisor's sign.
    signed_zero = where_(sign_bit(x2), full_like(x1, -0.0), zero)
    return where_(compare.eq(remainder, zero), signed_zero, remainder)


def sign_bit(x: Any) -> Any:
    """Whether a float's sign bit is set: also for -0.0 and -nan."""
    width = {2: "int16", 4: "int32", 8: "int64", 1: "int8"}[x.aval.dtype.itemsize]
    word = bitcast_convert_type(x, new_dtype=dtypes.canonical(width))
    return compare.lt(word, full_like(word, 0))


def _float_floor_quotient(x1: Any, x2: Any) -> Any:
    """floor(x1 / x2) from the exact remainder, so that it agrees with `remainder`."""
    exact = ops.rem(x1, x2)
    quotient = ops.div(ops.sub(x1, exact), x2)
    zero = full_like(x1, 0)
    uneven = bits.and_(
        compare.ne(exact, zero), compare.ne(compare.lt(exact, zero), compare.lt(x2, zero))
    )
    quotient = where_(uneven, ops.sub(quotient, full_like(x1, 1)), quotient)
    whole = ops.round(quotient, rounding_method=ops.RoundingMethod.TO_NEAREST_EVEN)
    plain = ops.div(x1, x2)
    whole = where_(compare.eq(whole, zero), ops.mul(plain, zero), whole)  # the sign of the quotient
    return where_(compare.eq(x2, zero), plain, whole)


@elementwise()
def floor_divide(x1, x2):
    """The largest integer below or at x1 / x2. Integer division by zero gives 0, float inf or
    nan."""
    _real("floor_divide", x1)
    if x1.aval.dtype == dtypes.bool_:
        x1, x2 = (convert(x, dtypes.default_int()) for x in (x1, x2))
    return _floor_quotient(x1, x2) if integer(x1) else _float_floor_quotient(x1, x2)


@elementwise()
def remainder(x1, x2):
    """x1 - x2 floor(x1 / x2), with the sign of x2. Integer division by zero gives 0, float nan."""
    _real("remainder", x1)
    if x1.aval.dtype == dtypes.bool_:
        x1, x2 = (convert(x, dtypes.default_int()) for x in (x1, x2))
    return _floor_remainder(x1, x2)


mod = remainder


@elementwise()
def divmod(x1, x2):
    """(floor_divide(x1, x2), remainder(x1, x2))."""
    _real("divmod", x1)
    if x1.aval.dtype == dtypes.bool_:
        x1, x2 = (convert(x, dtypes.default_int()) for x in (x1, x2))
    quotient = _floor_quotient(x1, x2) if integer(x1) else _float_floor_quotient(x1, x2)
    return quotient, _floor_remainder(x1, x2)


@elementwise()
def fmod(x1, x2):
    """x1 - x2 trunc(x1 / x2), with the sign of x1, as C's fmod. Integer division by zero gives
    0."""
    _real("fmod", x1)
    if not integer(x1):
        return ops.rem(x1, x2)
    return where_(is_zero(x2), full_like(x1, 0), ops.rem(x1, x2))


@elementwise()
def negative(x):
    """-x. Integers wrap around; bool is refused."""
    _no_bool("negative", x)
    return ops.neg(x)


@elementwise()
def positive(x):
    """x."""
    return x


@elementwise("inexact")
def reciprocal(x):
    """1 / x in a float or complex dtype."""
    return ops.div(full_like(x, 1), x)


@elementwise()
def absolute(x):
    """|x|, real for complex x. The derivative at 0 is 0."""
    if dtypes.kind(x.aval.dtype) in ("bool", "unsigned"):
        return x
    return ops.abs(x)


abs = absolute


@elementwise("inexact")
def fabs(x):
    """|x| of real x, as a float."""
    _real("fabs", x)
    return ops.abs(x)


@elementwise()
def sign(x):
    """-1, 0 or 1 with the dtype of x; x / |x| for complex x; nan for nan."""
    _no_bool("sign", x)
    return ops.sign(x)


@elementwise()
def square(x):
    """x^2."""
    return ops.mul(x, x) if x.aval.dtype == dtypes.bool_ else math.square(x)


# --- powers


@elementwise("inexact")
def sqrt(x):
    """The square root, correctly rounded; nan for negative real x."""
    return math.sqrt(x)


@elementwise("inexact")
def cbrt(x):
    """The cube root; negative for negative x."""
    return math.cbrt(x)


def _integer_power(x: Any, y: Any) -> Any:
    """x^y of integer arrays by repeated squaring over the bits of y."""
    one, zero = full_like(x, 1), full_like(x, 0)
    result, factor, rest = one, x, y
    for _ in range(8 * x.aval.dtype.itemsize - (dtypes.kind(y.aval.dtype) == "signed")):
        odd = compare.ne(bits.and_(rest, one), zero)
        result = where_(odd, ops.mul(result, factor), result)
        factor = ops.mul(factor, factor)
        rest = bits.shift_right_logical(rest, one)
    if dtypes.kind(y.aval.dtype) == "unsigned":
        return result
    # 1 / x^|y| rounded towards zero: only 1 and -1 leave something.
    even = compare.eq(bits.and_(y, one), zero)
    of_minus_one = where_(even, one, ops.neg(one))
    inverse = where_(
        compare.eq(x, one), one, where_(compare.eq(x, ops.neg(one)), of_minus_one, zero)
    )
    return where_(compare.lt(y, zero), inverse, result)


@elementwise(name="power")
def _power(x1, x2):
    """x1^x2."""
    if x1.aval.dtype == dtypes.bool_:
        x1, x2 = (convert(x, dtypes.default_int()) for x in (x1, x2))
    return _integer_power(x1, x2) if integer(x1) else math.pow(x1, x2)


def power(x1: Any, x2: Any, /) -> Any:
    """x1^x2. A Python integer exponent is computed by multiplication; 0^0 = 1; nan for a negative
    float base and a
    fractional exponent. Integer arrays to negative powers round towards zero.

    >>> from vires import numpy as np
    >>> np.power(np.array([1., 2., 3.]), 2)
    Array([1., 4., 9.], dtype=float32)
    """
    if x2.__class__ is int and x1.__class__ not in (int, bool):
        return _static_power(x1, x2)
    if x2.__class__ is float and x2 == 2.0 and getattr(x1, "dtype", None) in _INEXACT:
        return square(x1)
    return _power(x1, x2)


_INEXACT = frozenset(dtype for dtype in dtypes.CODES if dtypes.is_inexact(dtype))


def _static_power(x: Any, exponent: int) -> Any:
    if exponent == 2 and not isinstance(x, Tracer):
        return square(x)
    x = operand(x, "power", "x1")
    dtype = x.aval.dtype
    if dtype == dtypes.bool_:
        x = convert(x, dtypes.default_int())
    elif exponent < 0 and dtypes.is_integer(dtype):
        raise ValueError(
            f"power: needs an exponent of at least 0 for an integer base; got {dtype.name} to the "
            f"power {exponent}; "
            "try x.astype(float)"
        )
    if exponent == 1:
        return x
    if exponent == 2:
        return math.square(x)
    return math.integer_pow(x, y=exponent)


pow = power


@elementwise("inexact")
def float_power(x1, x2):
    """x1^x2 in a float or complex dtype."""
    return math.pow(x1, x2)


# --- extremes


@elementwise()
def maximum(x1, x2):
    """The larger of x1 and x2; nan when either is. Complex numbers compare by real, then imaginary
    part."""
    return ops.max(x1, x2)


@elementwise()
def minimum(x1, x2):
    """The smaller of x1 and x2; nan when either is. Complex numbers compare by real, then imaginary
    part."""
    return ops.min(x1, x2)


@elementwise()
def fmax(x1, x2):
    """The larger of x1 and x2; where one of them is nan, the other."""
    return where_(is_nan(x1), x2, where_(is_nan(x2), x1, ops.max(x1, x2)))


@elementwise()
def fmin(x1, x2):
    """The smaller of x1 and x2; where one of them is nan, the other."""
    return where_(is_nan(x1), x2, where_(is_nan(x2), x1, ops.min(x1, x2)))


@elementwise(name="clip")
def _clip(x, low, high):
    return ops.min(ops.max(x, low), high)


@planned("arr", "min", "max", "a", "a_min", "a_max")
def clip(arr: Any = None, /, min: Any = None, max: Any = None, *, a: Any = None, a_min: Any = None,
         a_max: Any = None) -> Any:  # fmt: skip
    """min(max(arr, min), max) for each element; a bound that is None is left out.

    >>> from vires import numpy as np
    >>> np.clip(np.arange(5), 1, 3)
    Array([1, 1, 2, 3, 3], dtype=int32)
    """
    arr = a if arr is None else arr
    low = a_min if min is None else min
    high = a_max if max is None else max
    if arr is None:
        raise TypeError("clip: needs an array; got None")
    for bound in (arr, low, high):
        if bound is not None and dtypes.kind(operand(bound, "clip").aval.dtype) == "complex":
            raise ValueError("clip: needs real operands; got a complex one; try x.real and x.imag")
    if low is None:
        return operand(arr, "clip") if high is None else minimum(arr, high)
    return maximum(arr, low) if high is None else _clip(arr, low, high)


def scaled(x: Any, value: float) -> Any:
    """x times a Python number."""
    return ops.mul(x, full_like(x, value))


__all__ = [
    "abs", "absolute", "add", "cbrt", "clip", "divide", "divmod", "fabs", "float_power",
    "floor_divide", "fmax", "fmin", "fmod", "maximum", "minimum", "mod", "multiply", "negative",
    "positive", "pow", "power", "reciprocal", "remainder", "sign", "sqrt", "square", "subtract",
    "true_divide",
]  # fmt: skip
