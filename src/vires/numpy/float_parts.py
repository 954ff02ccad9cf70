"""Rounding, the parts of floats and of complex numbers: `floor`, `frexp`, `signbit`, `nan_to_num`,
`angle`, ..."""

from __future__ import annotations

import math as python_math
from typing import Any

import ml_dtypes

from vires.core import dtypes
from vires.core.trace import Tracer
from vires.numpy.arithmetic import is_nan, scaled, sign_bit, where_
from vires.numpy.operands import convert, inexact_of, no_out, operand, promote_inexact, scalar_of
from vires.numpy.planned import planned
from vires.numpy.ufunc import elementwise
from vires.ops import bits, compare, math
from vires.ops import elementwise as ops
from vires.ops.complex import complex
from vires.ops.complex import conj as conj_p
from vires.ops.complex import imag as imag_p
from vires.ops.complex import real as real_p
from vires.ops.convert import bitcast_convert_type
from vires.ops.filled import full, full_like

_NEAREST = ops.RoundingMethod.TO_NEAREST_EVEN

# --- rounding


def _rounding(name: str, rounded: Any, doc: str) -> Any:
    """An elementwise function that leaves integers and bools as they are."""

    def body(x: Any) -> Any:
        if dtypes.kind(x.aval.dtype) in ("bool", "signed", "unsigned"):
            return x
        return rounded(x)

    body.__doc__ = doc
    return elementwise(name=name)(body)


def _nearest(x: Any) -> Any:
    return ops.round(x, rounding_method=_NEAREST)


def _parts(x: Any, function: Any) -> Any:
    """A rounding applied to the real and the imaginary part of complex x."""
    if dtypes.kind(x.aval.dtype) == "complex":
        return complex(function(real_p(x)), function(imag_p(x)))
    return function(x)


def _trunc(x: Any) -> Any:
    zero = full_like(x, 0)
    whole = where_(compare.lt(x, zero), ops.ceil(x), ops.floor(x))
    return where_(compare.eq(x, zero), x, whole)


floor = _rounding(
    "floor", ops.floor, """The largest integer that is not above x, in the dtype of x."""
)
ceil = _rounding(
    "ceil", ops.ceil, """The smallest integer that is not below x, in the dtype of x."""
)
trunc = _rounding("trunc", _trunc, """The nearest integer towards zero, in the dtype of x.""")
fix = trunc
rint = _rounding(
    "rint", lambda x: _parts(x, _nearest), """The nearest integer, halves to the even one."""
)


def _round_integer(x: Any, decimals: int) -> Any:
    """Integers rounded to a multiple of 10^-decimals, halves to the even multiple."""
    from_zero = ops.rem(x, full_like(x, 10**-decimals))
    if dtypes.kind(x.aval.dtype) == "signed":
        negative = compare.lt(from_zero, full_like(x, 0))
        from_zero = where_(negative, ops.add(from_zero, full_like(x, 10**-decimals)), from_zero)
    base = ops.sub(x, from_zero)
    odd = compare.ne(
        bits.and_(ops.div(base, full_like(x, 10**-decimals)), full_like(x, 1)), full_like(x, 0)
    )
    half = full_like(x, 10**-decimals // 2)
    up = bits.or_(compare.gt(from_zero, half), bits.and_(compare.eq(from_zero, half), odd))
    return where_(up, ops.add(base, full_like(x, 10**-decimals)), base)


@planned("a")
def round(a: Any, decimals: int = 0, out: None = None) -> Any:
    """`a` rounded to a number of decimals, halves to even; a negative number rounds to tens,
    hundreds, ..."""
    no_out("round", out)
    if decimals == 0:
        return rint(a)
    x = operand(a, "round", "a")
    dtype = x.aval.dtype
    if dtypes.kind(dtype) in ("bool", "signed", "unsigned"):
        if decimals > 0 or dtype == dtypes.bool_:
            return x
        if 10**-decimals > ml_dtypes.iinfo(dtype).max:
            return full_like(x, 0)
        return _round_integer(x, decimals)
    wide = convert(x, dtypes.float32) if dtype.itemsize == 2 else x
    factor = full_like(wide, 10.0 ** builtin_abs(decimals))
    if decimals > 0:
        rounded = ops.div(_parts(ops.mul(wide, factor), _nearest), factor)
    else:
        rounded = ops.mul(_parts(ops.div(wide, factor), _nearest), factor)
    return convert(rounded, dtype, x.aval.weak_type)


builtin_abs = abs
around = round

# --- predicates


@elementwise()
def isnan(x):
    """Whether x is not a number."""
    return is_nan(x)


def _all_finite(x: Any) -> Any:
    kind = dtypes.kind(x.aval.dtype)
    if kind == "complex":
        return bits.and_(compare.is_finite(real_p(x)), compare.is_finite(imag_p(x)))
    return compare.is_finite(x) if kind == "float" else compare.eq(x, x)


@elementwise()
def isfinite(x):
    """Whether x is neither infinite nor nan."""
    return _all_finite(x)


@elementwise()
def isinf(x):
    """Whether x is infinite."""
    kind = dtypes.kind(x.aval.dtype)
    if kind == "complex":
        parts = [ops.abs(real_p(x)), ops.abs(imag_p(x))]
        return bits.or_(*(compare.eq(part, full_like(part, python_math.inf)) for part in parts))
    return (
        compare.eq(ops.abs(x), full_like(x, python_math.inf))
        if kind == "float"
        else compare.ne(x, x)
    )


def _one_infinity(name: str, value: float) -> Any:
    def body(x: Any) -> Any:
        kind = dtypes.kind(x.aval.dtype)
        if kind == "complex":
            raise TypeError(f"{name}: needs a real dtype; got {x.aval.dtype.name}; try x.real")
        return compare.eq(x, full_like(x, value)) if kind == "float" else compare.ne(x, x)

    body.__doc__ = f"""Whether x is {value}."""
    return elementwise(name=name)(body)


isposinf = _one_infinity("isposinf", python_math.inf)
isneginf = _one_infinity("isneginf", -python_math.inf)


@elementwise()
def signbit(x):
    """Whether the sign bit is set: for negative numbers, -0.0 and -nan."""
    kind = dtypes.kind(x.aval.dtype)
    if kind == "float":
        return sign_bit(x)
    return compare.lt(x, full_like(x, 0)) if kind == "signed" else compare.ne(x, x)


# --- parts of floats


@elementwise("inexact")
def nextafter(x, y):
    """The next representable number after x in the direction of y."""
    return ops.nextafter(x, y)


@elementwise("inexact")
def spacing(x):
    """The distance from x to the next representable number away from zero, with the sign of x."""
    negative = compare.lt(x, full_like(x, 0))
    infinite = where_(negative, full_like(x, -python_math.inf), full_like(x, python_math.inf))
    distance = ops.sub(ops.nextafter(x, infinite), x)
    return where_(compare.is_finite(x), distance, full_like(x, python_math.nan))


@elementwise("inexact")
def copysign(x1, x2):
    """|x1| with the sign of x2."""
    size = ops.abs(x1)
    return where_(sign_bit(x2), ops.neg(size), size)


@elementwise()
def heaviside(x1, x2):
    """0 below 0, x2 at 0, 1 above 0; nan for nan."""
    if not dtypes.is_inexact(x1.aval.dtype):
        x1, x2 = promote_inexact(x1, x2)
    zero = full_like(x1, 0)
    step = where_(compare.lt(x1, zero), zero, where_(compare.eq(x1, zero), x2, full_like(x1, 1)))
    return where_(is_nan(x1), x1, step)


def _exponent_bits(x: Any) -> tuple[Any, int, int, Any]:
    """The bits of a float, the width of its mantissa, the bias of its exponent, and the dtype of
    the bits."""
    info = ml_dtypes.finfo(x.aval.dtype)
    integer = dtypes.canonical(f"int{8 * x.aval.dtype.itemsize}")
    return bitcast_convert_type(x, new_dtype=integer), info.nmant, 1 - int(info.minexp), integer


@elementwise("inexact")
def frexp(x):
    """(mantissa, exponent) with x = mantissa 2^exponent and 0.5 <= |mantissa| < 1; the exponent is
    int32."""
    # A subnormal is scaled into the normal range first.
    mantissa_width = int(ml_dtypes.finfo(x.aval.dtype).nmant)
    tiny = full_like(x, float(ml_dtypes.finfo(x.aval.dtype).smallest_normal))
    subnormal = compare.lt(ops.abs(x), tiny)
    scaled_x = where_(subnormal, scaled(x, 2.0 ** (mantissa_width + 1)), x)
    word, width, bias, integer = _exponent_bits(scaled_x)
    ones = (1 << (8 * integer.itemsize - 1 - width)) - 1
    field = bits.and_(bits.shift_right_logical(word, full_like(word, width)), full_like(word, ones))
    kept = bits.and_(word, full_like(word, ~(ones << width)))
    half = bits.or_(kept, full_like(word, (bias - 1) << width))
    mantissa = bitcast_convert_type(half, new_dtype=x.aval.dtype)
    exponent = ops.sub(field, full_like(field, bias - 1))
    exponent = ops.sub(
        exponent, where_(subnormal, full_like(field, mantissa_width + 1), full_like(field, 0))
    )
    special = bits.or_(compare.eq(x, full_like(x, 0)), bits.not_(compare.is_finite(x)))
    mantissa = where_(special, x, mantissa)
    exponent = where_(special, full_like(exponent, 0), exponent)
    return mantissa, convert(exponent, dtypes.int32)


def _ldexp_operands(*xs: Any) -> list[Any]:
    x, exponent = (operand(x, "ldexp") for x in xs)
    if not dtypes.is_integer(exponent.aval.dtype):
        raise ValueError(
            f"ldexp: needs an integer exponent; got {exponent.aval.dtype.name}; try x1 * 2.0**x2"
        )
    return [convert(x, inexact_of(x.aval.dtype), x.aval.weak_type), convert(exponent, dtypes.int32)]


@elementwise(_ldexp_operands)
def ldexp(x1, x2):
    """x1 2^x2 for integer x2, rounded once unless the result is subnormal."""
    limit = 2 * (
        int(ml_dtypes.finfo(x1.aval.dtype).maxexp) + int(ml_dtypes.finfo(x1.aval.dtype).nmant)
    )
    exponent = ops.max(ops.min(x2, full_like(x2, limit)), full_like(x2, -limit))
    # Four factors, each a power of two in the normal range, reach every exponent that matters.
    quarter = bits.shift_right_arithmetic(exponent, full_like(exponent, 2))
    rest = ops.sub(exponent, ops.mul(quarter, full_like(quarter, 3)))
    factor, last = _power_of_two(quarter, x1), _power_of_two(rest, x1)
    return ops.mul(ops.mul(ops.mul(ops.mul(x1, last), factor), factor), factor)


def _power_of_two(exponent: Any, like: Any) -> Any:
    """2^exponent in the dtype of `like`, for exponents of normal numbers, made from its bits."""
    info = ml_dtypes.finfo(like.aval.dtype)
    integer = dtypes.canonical(f"int{8 * like.aval.dtype.itemsize}")
    field = convert(ops.add(exponent, full_like(exponent, 1 - int(info.minexp))), integer)
    word = bits.shift_left(field, full_like(field, int(info.nmant)))
    return bitcast_convert_type(word, new_dtype=like.aval.dtype)


@elementwise("inexact", name="modf")
def _modf(x):
    whole = _trunc(x)
    infinite = compare.eq(ops.abs(x), full_like(x, python_math.inf))
    part = where_(infinite, full_like(x, 0), ops.sub(x, whole))
    signed = where_(
        compare.eq(part, full_like(x, 0)), where_(sign_bit(x), full_like(x, -0.0), part), part
    )
    return signed, whole


def modf(x: Any, /, out: None = None) -> Any:
    """(fractional part, whole part), both with the sign of x."""
    no_out("modf", out)
    return _modf(x)


def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """x with nan replaced by `nan`, and infinities by `posinf`, `neginf` (default: the largest
    finite numbers)."""
    x = operand(x, "nan_to_num")
    dtype = x.aval.dtype
    kind = dtypes.kind(dtype)
    if kind == "complex":
        return complex(
            nan_to_num(real_p(x), copy, nan, posinf, neginf),
            nan_to_num(imag_p(x), copy, nan, posinf, neginf),
        )
    if kind != "float":
        return x
    info = ml_dtypes.finfo(dtype)
    high = float(info.max) if posinf is None else posinf
    low = float(info.min) if neginf is None else neginf
    return _replace(x, *(_in_dtype(value, dtype) for value in (nan, high, low)))


def _in_dtype(value: Any, dtype: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return scalar_of(float(value), dtype)
    return convert(operand(value, "nan_to_num", "the replacement"), dtype)


@elementwise(name="nan_to_num")
def _replace(x, nan, posinf, neginf):
    x = where_(is_nan(x), nan, x)
    x = where_(compare.eq(x, full_like(x, python_math.inf)), posinf, x)
    return where_(compare.eq(x, full_like(x, -python_math.inf)), neginf, x)


# --- complex numbers


@elementwise()
def real(val):
    """The real part; a real array as it is."""
    return real_p(val) if dtypes.kind(val.aval.dtype) == "complex" else val


@elementwise()
def imag(val):
    """The imaginary part; zeros for a real array."""
    return (
        imag_p(val)
        if dtypes.kind(val.aval.dtype) == "complex"
        else full(val.aval.shape, 0, val.aval.dtype)
    )


@elementwise()
def conj(x):
    """The complex conjugate; a real array as it is."""
    return conj_p(x) if dtypes.kind(x.aval.dtype) == "complex" else x


conjugate = conj


@elementwise("inexact", name="angle")
def _angle(z):
    if dtypes.kind(z.aval.dtype) == "complex":
        return math.atan2(imag_p(z), real_p(z))
    return where_(
        is_nan(z),
        z,
        where_(compare.lt(z, full_like(z, 0)), full_like(z, python_math.pi), full_like(z, 0)),
    )


def angle(z: Any, deg: bool = False) -> Any:
    """The argument of z in (-pi, pi], in radians, or degrees when `deg`."""
    result = _angle(z)
    return ops.mul(result, full_like(result, 180 / python_math.pi)) if deg else result


@elementwise()
def iscomplex(x):
    """Whether the imaginary part is not zero."""
    return (
        compare.ne(imag_p(x), full_like(imag_p(x), 0))
        if dtypes.kind(x.aval.dtype) == "complex"
        else bits.not_(compare.eq(full_like(x, 0), full_like(x, 0)))
    )


@elementwise()
def isreal(x):
    """Whether the imaginary part is zero."""
    zero = imag_p(x) if dtypes.kind(x.aval.dtype) == "complex" else full_like(x, 0)
    return compare.eq(zero, full_like(zero, 0))


def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex, whatever the values."""
    dtype = getattr(x, "dtype", None)
    return (
        isinstance(x, builtin_complex)
        if dtype is None
        else dtypes.kind(dtypes.canonical(dtype)) == "complex"
    )


def isrealobj(x: Any) -> bool:
    """Whether the dtype is real, whatever the values."""
    return not iscomplexobj(x)


builtin_complex = 0j.__class__  # the name is taken by the primitive


def is_concrete(x: Any) -> bool:
    """Whether the value is known now."""
    return not isinstance(x, Tracer) or x.concrete() is not None


__all__ = [
    "angle", "around", "ceil", "conj", "conjugate", "copysign", "fix", "floor", "frexp",
    "heaviside", "imag", "iscomplex", "iscomplexobj", "isfinite", "isinf", "isnan", "isneginf",
    "isposinf", "isreal", "isrealobj", "ldexp", "modf", "nan_to_num", "nextafter", "real", "rint",
    "round", "signbit", "spacing", "trunc",
]  # fmt: skip
