"""The exponential and what is made of it: exp2, expm1, logistic, sinh, cosh, tanh.

x = n log 2 + r with |r| <= log(2)/2, then e^r = 1 + r + r^2 P(r) and the factor 2^n in two steps,
so that results below the normal range are rounded once. Where a difference or quotient follows,
e^r is held as the sum of two floats.
"""

from __future__ import annotations

from typing import NamedTuple

from vires.engine.llvm import math_coefficients as table
from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import FLOAT32, FLOAT64, Kind
from vires.engine.llvm.math_pairs import Pair, fast_sum, quotient, two_product, two_sum
from vires.engine.llvm.ssa import Builder, Val


class Exponent(NamedTuple):
    """How a kind's exponent is read and written, and the range of exp."""

    mantissa: int  # bits stored
    bias: int
    magic: float  # adding it rounds to an integer, which is then in the low bits
    log2_high: float  # log 2, rounded down
    log2_low: float
    lowest: float  # exp is 0 below
    highest: float  # exp is infinite above
    exp: tuple[float, ...]
    exp2: tuple[float, ...]
    sinh: tuple[float, ...]


EXPONENTS = {
    FLOAT32: Exponent(
        23,
        127,
        1.5 * 2**23,
        0.6931471228599548,
        5.769998878690785e-08,
        -104.0,
        89.0,
        table.EXP_F32,
        table.EXP2_F32,
        table.SINH_F32,
    ),
    FLOAT64: Exponent(
        52,
        1023,
        1.5 * 2**52,
        0.6931471805599453,
        2.3190468138462996e-17,
        -746.0,
        710.0,
        table.EXP_F64,
        table.EXP2_F64,
        table.SINH_F64,
    ),
}


def clamp(code: Builder, x: Val, low: float, high: float) -> Val:
    """x between bounds; nan stays."""
    x = code.select(x < low, low, x)
    return code.select(x > high, high, x)


def power_of_two(code: Builder, n: Val, kind: Kind) -> Val:
    """2^n as a float, for n in the range of normal exponents."""
    e = EXPONENTS[kind]
    return code.from_bits((n + e.bias) << e.mantissa)


def scale(code: Builder, x: Val, n: Val) -> Val:
    """x 2^n for |n| up to twice the exponent range, rounded once also where it is denormal."""
    half = n >> 1
    return x * power_of_two(code, half, x.kind) * power_of_two(code, n - half, x.kind)


def round_to_integer(code: Builder, shifted: Val) -> tuple[Val, Val]:
    """The integer, as float and as integer, of which `shifted` is the sum with the magic number."""
    magic = EXPONENTS[shifted.kind].magic
    number = code.bits(shifted) - code.bits(code.number(magic, shifted.kind, shifted.lanes))
    return shifted - magic, number


@fragment
def reduce(code: Builder, x: Val) -> tuple[Val, Val, Val]:
    """r, its rounding error and n with x = n log 2 + r."""
    e = EXPONENTS[x.kind]
    n, number = round_to_integer(code, code.fma(x, 1.4426950408889634, e.magic))
    near = code.fma(n, -e.log2_high, x)  # exact
    r = code.fma(n, -e.log2_low, near)
    return r, code.fma(n, -e.log2_low, near - r), number


def exp_minus_one_minus(code: Builder, r: Val) -> Val:
    """e^r - 1 - r for a reduced r."""
    return (r * r) * code.polynomial(r, EXPONENTS[r.kind].exp)


def exp_pair(code: Builder, x: Val, low: Val | None = None) -> tuple[Pair, Val]:
    """e^(x + low) = (high + low) 2^n: the pair and n, for x within the range."""
    r, r_low, n = reduce(code, x)
    if low is not None:
        r_low = r_low + low
    tail = exp_minus_one_minus(code, r)
    # (1 + r_low) e^r: r_low matters to first order only.
    part, part_low = fast_sum(r, tail)
    high, high_low = fast_sum(code.number(1.0, x.kind, x.lanes), part)
    return (high, high_low + (part_low + code.fma(r_low, part, r_low))), n


@fragment
def exp(code: Builder, x: Val) -> Val:
    e = EXPONENTS[x.kind]
    r, _, n = reduce(code, clamp(code, x, e.lowest, e.highest))
    return scale(code, exp_minus_one_minus(code, r) + r + 1.0, n)


@fragment
def exp2(code: Builder, x: Val) -> Val:
    """Exact for integers."""
    e = EXPONENTS[x.kind]
    lowest = float(1 - e.bias - e.mantissa - 2)
    bounded = clamp(code, x, lowest, float(e.bias + 2))
    n, number = round_to_integer(code, bounded + e.magic)
    r = bounded - n
    return scale(code, code.fma(r, code.polynomial(r, e.exp2), 1.0), number)


def expm1_pair(code: Builder, x: Val) -> Pair:
    """(e^x - 1) / 2 as a pair, for x within the range; keeps all digits near 0."""
    r, r_low, n = reduce(code, x)
    square, square_low = two_product(code, r, r)
    tail = code.fma(
        square, code.polynomial(r, EXPONENTS[x.kind].exp), code.fma(square_low, 0.5, r_low)
    )
    part, part_low = fast_sum(r, tail)
    factor = power_of_two(code, n - 1, x.kind)
    offset, offset_low = fast_sum(factor, -0.5)
    high, low = fast_sum(offset, factor * part)
    return high, low + code.fma(factor, part_low, offset_low)


@fragment
def expm1(code: Builder, x: Val) -> Val:
    e = EXPONENTS[x.kind]
    high, low = expm1_pair(code, clamp(code, x, -3.0 * e.mantissa, e.highest))
    half = high + low
    # Below this, e^x - 1 is x to the last digit; it keeps the sign of zero and denormals.
    tiny = code.fabs(x) < 2.0 ** (-e.mantissa - 2)
    return code.select(tiny, x, half + half)


@fragment
def logistic(code: Builder, x: Val) -> Val:
    """1 / (1 + e^-x) by e^-|x|, which cannot overflow."""
    size = clamp(code, code.fabs(x), 0.0, -EXPONENTS[x.kind].lowest)
    (high, low), n = exp_pair(code, -size)
    e, e_low = scale(code, high, n), scale(code, low, n)
    one, zero = code.number(1.0, x.kind, x.lanes), code.number(0.0, x.kind, x.lanes)
    total, total_low = fast_sum(one, e)
    negative = x < 0.0
    top = code.select(negative, e, one), code.select(negative, e_low, zero)
    q, q_low = quotient(code, top, (total, total_low + e_low))
    return q + q_low


@fragment
def tanh(code: Builder, x: Val) -> Val:
    """t / (t + 2) with t = e^(2 |x|) - 1."""
    e = EXPONENTS[x.kind]
    size = clamp(code, code.fabs(x), 0.0, 0.4 * e.mantissa + 1.0)
    high, low = expm1_pair(code, size + size)
    total, total_low = two_sum(high, 1.0)
    q, q_low = quotient(code, (high, low), (total, total_low + low))
    tiny = size < 2.0 ** (-e.mantissa // 2 - 2)
    result = code.select(tiny, size, q + q_low)
    return code.intrinsic("copysign", result, x)


def half_exp(code: Builder, size: Val) -> Pair:
    """e^size / 2 as a pair, infinite where it overflows."""
    (high, low), n = exp_pair(code, clamp(code, size, 0.0, EXPONENTS[size.kind].highest + 1.0))
    return scale(code, high, n - 1), scale(code, low, n - 1)


@fragment
def sinh(code: Builder, x: Val) -> Val:
    size = code.fabs(x)
    z = size * size
    near = code.fma(z * size, code.polynomial(z, EXPONENTS[x.kind].sinh), size)
    high, low = half_exp(code, size)
    far = high + (low - 0.25 / high)
    return code.intrinsic("copysign", code.select(size < 1.0, near, far), x)


@fragment
def cosh(code: Builder, x: Val) -> Val:
    high, low = half_exp(code, code.fabs(x))
    return high + (low + 0.25 / high)
