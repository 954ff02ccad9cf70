"""Logarithms and what is made of them: log2, log1p, asinh, acosh, atanh.

x = 2^k m with m between sqrt(1/2) and sqrt(2), and log m by a polynomial in f = m - 1 (float32) or
in s = f / (2 + f) (float64). The core takes a correction to its argument, so that log(u + c) keeps
all digits where u + c is close to 1.
"""

from __future__ import annotations

from typing import NamedTuple

from vires.engine.llvm import math_coefficients as table
from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import FLOAT32, FLOAT64
from vires.engine.llvm.math_exp import EXPONENTS
from vires.engine.llvm.math_pairs import Pair, fast_sum, quotient, root, two_product, two_sum
from vires.engine.llvm.ssa import Builder, Val

INFINITY = float("inf")
NAN = float("nan")


class _Logarithm(NamedTuple):
    log2_high: float  # log 2 in so few digits that its product with an exponent is exact
    log2_low: float
    inverse: tuple[float, float]  # 1 / log 2 in two floats
    scale: int  # denormals are multiplied by this power of two
    sqrt_half_bits: int
    log: tuple[float, ...]
    atanh: tuple[float, ...]


_LOGARITHMS = {
    FLOAT32: _Logarithm(
        0.693145751953125,
        1.428606765330187e-06,
        (1.4426950216293335, 1.9259629911266175e-08),
        25,
        0x3F3504F3,
        table.LOG_F32,
        table.ATANH_F32,
    ),
    FLOAT64: _Logarithm(
        0.693147180559663,
        2.8235290563031577e-13,
        (1.4426950408889634, 2.0355273740931033e-17),
        54,
        0x3FE6A09E667F3BCD,
        table.LOG_F64,
        table.ATANH_F64,
    ),
}


def split(code: Builder, x: Val) -> tuple[Val, Val, Val]:
    """k as float, k as integer and m, for x positive and finite; also of denormals."""
    kind, e, g = x.kind, EXPONENTS[x.kind], _LOGARITHMS[x.kind]
    denormal = x < 2.0 ** (1 - e.bias)
    zero = code.number(0, code.bits(x).kind, x.lanes)
    normal = code.select(denormal, x * 2.0**g.scale, x)
    bits = code.bits(normal)
    exponent = (bits - g.sqrt_half_bits) >> e.mantissa
    m = code.from_bits(bits - (exponent << e.mantissa))
    k = exponent - code.select(denormal, g.scale, zero)
    return _to_float(code, k, kind is FLOAT32), k, m


def _to_float(code: Builder, k: Val, single: bool) -> Val:
    """A small integer as a float; for float64 by the bits, as some targets lack the conversion."""
    if single:
        return code.cast("sitofp", k, FLOAT32)
    magic = code.number(1.5 * 2**52, FLOAT64, k.lanes)
    return code.from_bits(k + code.bits(magic)) - magic


def log_m(code: Builder, f: Val, f_low: Val | None, precise: bool = False) -> Pair:
    """log(1 + f + f_low) as f plus the rest, f in the range of m - 1."""
    polynomial = _LOGARITHMS[f.kind].log
    square = f * f
    if f.kind is FLOAT32:
        factor = code.fma(f, code.polynomial(f, polynomial), -0.5)
        rest = (
            code.fma(square, factor, -0.5 * code.fma(f, f, -square)) if precise else square * factor
        )
    else:
        # log(1 + f) = f - s (f - R) with R = s^2 P(s^2), the rearrangement f = 2 s + s f.
        half = 0.5 * square
        s = f / (f + 2.0)
        z = s * s
        series = z * code.polynomial(z, polynomial)
        rest = code.fma(s, half + series, -half)
    return f, rest if f_low is None else rest + code.fma(-f, f_low, f_low)


@fragment
def log_sum(code: Builder, u: Val, c: Val) -> Val:
    """log(u + c) for a correction c much smaller than u, u positive and finite."""
    high, low = log_pair(code, u, c)
    return high + low


def log_pair(code: Builder, u: Val, c: Val | None) -> Pair:
    g, e = _LOGARITHMS[u.kind], EXPONENTS[u.kind]
    number, k, m = split(code, u)
    f, f_low = m - 1.0, None
    if c is not None:
        # c 2^-k; for the largest u it does not matter.
        zero = code.number(0, k.kind, k.lanes)
        biased = e.bias - k
        factor = code.from_bits(code.select(biased > 0, biased, zero) << e.mantissa)
        f, f_low = two_sum(f, c * factor)
    f, rest = log_m(code, f, f_low)
    high, error = fast_sum(number * g.log2_high, f)
    return high, error + code.fma(number, g.log2_low, rest)


def with_special(code: Builder, x: Val, result: Val, at_zero: float = -INFINITY) -> Val:
    """A logarithm's values outside the positive finite numbers."""
    positive = x > 0.0
    special = code.select(x.compare("oeq", 0.0), at_zero, code.select(positive, x, NAN))
    return code.select(positive & (x < INFINITY), result, special)


@fragment
def log(code: Builder, x: Val) -> Val:
    high, low = log_pair(code, x, None)
    return with_special(code, x, high + low)


@fragment
def log2(code: Builder, x: Val) -> Val:
    """Exact for powers of two."""
    inverse, inverse_low = _LOGARITHMS[x.kind].inverse
    number, _, m = split(code, x)
    f, rest = log_m(code, m - 1.0, None, precise=True)
    product, error = two_product(code, f, inverse)
    high, low = fast_sum(number, product)
    rest = code.fma(rest, inverse, code.fma(f, inverse_low, error))
    return with_special(code, x, high + (low + rest))


@fragment
def log1p(code: Builder, x: Val) -> Val:
    """log(1 + x), to all digits for small x; keeps the sign of zero."""
    u, c = two_sum(x, 1.0)
    result = with_special(code, u, log_sum(code, u, c))
    tiny = code.fabs(x) < 2.0 ** (-EXPONENTS[x.kind].mantissa - 2)
    result = code.select(tiny, x, result)
    return code.select(x < INFINITY, result, x * x)


@fragment
def atanh(code: Builder, x: Val) -> Val:
    """log((1 + |x|) / (1 - |x|)) / 2; a series below 1/2."""
    size = code.fabs(x)
    z = size * size
    near = code.fma(z * size, code.polynomial(z, _LOGARITHMS[x.kind].atanh), size)
    numerator = two_sum(size, 1.0)
    rest = 1.0 - size
    zero = code.number(0.0, x.kind, x.lanes)
    q, q_low = quotient(code, numerator, (rest, zero))
    far = 0.5 * log_sum(code, q, q_low)
    far = code.select(rest > 0.0, far, code.select(rest.compare("oeq", 0.0), INFINITY, rest * NAN))
    return code.intrinsic("copysign", code.select(size < 0.5, near, far), x)


@fragment
def asinh(code: Builder, x: Val) -> Val:
    """log(|x| + sqrt(x^2 + 1)); |x| log 2 beyond, a short series near 0."""
    kind, e = x.kind, EXPONENTS[x.kind]
    size = code.fabs(x)
    limit = 2.0 ** (e.mantissa // 2 + 3)
    bounded = code.select(size < limit, size, limit)
    square, square_low = two_product(code, bounded, bounded)
    total, error = two_sum(square, 1.0)
    s, s_low = root(code, (total, error + square_low))
    u, c = fast_sum(s, bounded)
    middle = log_sum(code, u, c + s_low)
    high, low = log_pair(code, size, None)
    far = high + (low + code.number(0.6931471805599453, kind, x.lanes))
    near = code.fma(size * size * size, -1.0 / 6.0, size)
    result = code.select(size < 2.0 ** (-e.mantissa // 4 - 1), near, middle)
    result = code.select(size < limit, result, code.select(size < INFINITY, far, size))
    return code.intrinsic("copysign", result, x)


@fragment
def acosh(code: Builder, x: Val) -> Val:
    """log(x + sqrt(x^2 - 1)), with t = x - 1 near 1; nan below 1."""
    kind, e = x.kind, EXPONENTS[x.kind]
    limit = 2.0 ** (e.mantissa // 2 + 3)
    t = code.select(x < limit, x, limit) - 1.0
    # (x - 1)(x + 1) = t (t + 2), all digits kept.
    sum_, sum_low = two_sum(t, 2.0)
    product, error = two_product(code, t, sum_)
    s, s_low = root(code, (product, code.fma(t, sum_low, error)))
    w, w_low = two_sum(s, t)
    u, c = two_sum(w, 1.0)
    middle = log_sum(code, u, c + (w_low + s_low))
    high, low = log_pair(code, x, None)
    far = high + (low + code.number(0.6931471805599453, kind, x.lanes))
    result = code.select(x < limit, middle, code.select(x < INFINITY, far, x))
    result = code.select(x.compare("oeq", 1.0), 0.0, result)
    return code.select(x >= 1.0, result, NAN)
