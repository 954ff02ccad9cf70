"""Powers and roots: pow, rsqrt, cbrt."""

from __future__ import annotations

from vires.engine.llvm import math_coefficients as table
from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import FLOAT32, FLOAT64, INT32
from vires.engine.llvm.math_exp import EXPONENTS, clamp, exp_pair, power_of_two, scale
from vires.engine.llvm.math_log import split
from vires.engine.llvm.math_pairs import Pair, fast_sum, two_product, two_sum
from vires.engine.llvm.ssa import Builder, Val

INFINITY = float("inf")
NAN = float("nan")

#: 2/3 and log 2 in two floats; of log 2 the first with so few digits that k times it is exact.
_TWO_THIRDS = {
    FLOAT32: (0.6666666865348816, -1.986821492305628e-08),
    FLOAT64: (0.6666666666666666, 3.700743415417188e-17),
}
_LOG2 = {
    FLOAT32: (0.693145751953125, 1.428606765330187e-06, 5.2849e-14),
    FLOAT64: (0.693147180559663, 2.8235290563031577e-13, 1.1842379e-29),
}
_TAIL = {FLOAT32: table.LOG_TAIL_F32, FLOAT64: table.LOG_TAIL_F64}


def log_precise(code: Builder, x: Val) -> Pair:
    """log x as a pair with a dozen bits more than a float, x positive and finite."""
    kind = x.kind
    number, _, m = split(code, x)
    f = m - 1.0
    d, d_low = fast_sum(code.number(2.0, kind, x.lanes), f)
    s = f / d
    s_low = (code.fma(-s, d, f) - s * d_low) / d
    square, square_low = two_product(code, s, s)
    square_low = code.fma(s + s, s_low, square_low)
    cube, cube_low = two_product(code, square, s)
    cube_low = code.fma(square, s_low, code.fma(square_low, s, cube_low))
    # log m = 2 s + s^3 (2/3 + s^2 P(s^2)), the first two factors of the series in two floats.
    third, third_low = _TWO_THIRDS[kind]
    tail = square * code.polynomial(square, _TAIL[kind])
    factor, factor_low = fast_sum(code.number(third, kind, x.lanes), tail)
    factor_low = factor_low + third_low
    term, term_low = two_product(code, cube, factor)
    term_low = code.fma(cube, factor_low, code.fma(cube_low, factor, term_low))
    part, part_low = fast_sum(s + s, term)
    part_low = part_low + (term_low + (s_low + s_low))
    high_digits, low_digits, _ = _LOG2[kind]
    offset, offset_low = two_product(code, number, low_digits)
    base, base_low = fast_sum(number * high_digits, offset)
    high, low = two_sum(base, part)
    low = low + (part_low + (base_low + offset_low))
    return fast_sum(high, low)


@fragment
def power(code: Builder, x: Val, y: Val) -> Val:
    """x^y with all of C's special values."""
    kind, lanes, e = x.kind, x.lanes, EXPONENTS[x.kind]
    zero, one = code.number(0.0, kind, lanes), code.number(1.0, kind, lanes)
    size = code.fabs(x)
    ordinary = (size > 0.0) & (size < INFINITY)
    high, low = log_precise(code, code.select(ordinary, size, one))
    # log 0 = -inf, log inf = inf, log nan = nan
    outside = code.select(size.compare("oeq", 0.0), -INFINITY, size)
    high, low = code.select(ordinary, high, outside), code.select(ordinary, low, zero)
    # (+-1)^(+-inf) is 1.
    constant = high.compare("oeq", 0.0) & code.fabs(y).compare("oeq", INFINITY)
    exponent = code.select(constant, zero, y)
    product, error = two_product(code, exponent, high)
    error = code.fma(exponent, low, error)
    exponent = clamp(code, product, e.lowest - 1.0, e.highest + 1.0)
    error = code.select(product.compare("oeq", exponent), error, zero)
    (power_high, power_low), n = exp_pair(code, exponent, error)
    result = scale(code, power_high + power_low, n)
    half = y * 0.5
    whole = code.intrinsic("trunc", y).compare("oeq", y)
    odd = whole & code.intrinsic("trunc", half).compare("une", half)
    flip = code.cast("sext", odd, code.bits(x).kind) & code.bits(x) & -(1 << (8 * kind.size - 1))
    result = code.from_bits(code.bits(result) ^ flip)
    undefined = (x < 0.0) & (x > -INFINITY) & code.intrinsic("trunc", y).compare("one", y)
    result = code.select(undefined, NAN, result)
    return code.select(y.compare("oeq", 0.0) | x.compare("oeq", 1.0), one, result)


@fragment
def rsqrt(code: Builder, x: Val) -> Val:
    """1 / sqrt(x), corrected for the rounding of both; inf at +-0 with its sign, 0 at inf."""
    # Where x - s^2 would be denormal, x is scaled by a power of 4 and the result by its root.
    factor = 2.0 ** (EXPONENTS[x.kind].mantissa // 2 + 2)
    tiny = x < 2.0 ** (2 * EXPONENTS[x.kind].mantissa - EXPONENTS[x.kind].bias)
    scaled = code.select(tiny, x * (factor * factor), x)
    s = code.intrinsic("sqrt", scaled)
    y = 1.0 / s
    # x - s^2 and 1 - s y, exactly.
    root_error = code.fma(-s, s, scaled)
    error = code.fma(-s, y, 1.0)
    correction = code.fma(root_error * y, -0.5 * y, error)
    better = code.fma(y, correction, y)
    result = code.select(code.fabs(better) < INFINITY, better, y)
    return code.select(tiny, result * factor, result)


@fragment
def cbrt(code: Builder, x: Val) -> Val:
    """An estimate from the bits, Halley's iteration, and a last step with the exact residual."""
    kind, lanes, e = x.kind, x.lanes, EXPONENTS[x.kind]
    size = code.fabs(x)
    ordinary = (size > 0.0) & (size < INFINITY)
    number, k, m = split(code, code.select(ordinary, size, code.number(1.0, kind, lanes)))
    # k = 3 n + remainder; m 2^remainder is between 0.7 and 5.7.
    third = code.intrinsic("floor", number * (1.0 / 3.0) + 1.0 / 6.0)
    shifted = third + e.magic
    n = code.bits(shifted) - code.bits(code.number(e.magic, kind, lanes))
    value = m * power_of_two(code, k - (n + n + n), kind)
    single = value if kind is FLOAT32 else code.cast("fptrunc", value, FLOAT32)
    guess = code.cast("sitofp", code.bits(single), FLOAT32) * (1.0 / 3.0)
    y = code.from_bits(code.cast("fptosi", guess, INT32) + 0x2A514067)
    y = _halley(y, single)
    if kind is FLOAT64:
        y = _halley(code.cast("fpext", y, FLOAT64), value)
    square, square_low = two_product(code, y, y)
    rest = code.fma(-square, y, value) - square_low * y
    y = y + rest / (3.0 * square)
    result = code.select(ordinary, y * power_of_two(code, n, kind), size)
    return code.intrinsic("copysign", result, x)


def _halley(y: Val, value: Val) -> Val:
    cube = y * y * y
    return y * ((cube + (value + value)) / (cube + cube + value))
