"""log |gamma| and its derivative, both in float64 (float32 is computed there too).

Arguments below 8 are shifted up by 8 with the product x (x + 1) ... (x + 7), negative ones
reflected, and the rest is Stirling's series, whose terms are Bernoulli numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import FLOAT32, FLOAT64
from vires.engine.llvm.math_coefficients import LGAMMA_F64
from vires.engine.llvm.math_log import log
from vires.engine.llvm.math_trig import polynomials
from vires.engine.llvm.ssa import Builder, Val

INFINITY = float("inf")
NAN = float("nan")

_PI = 3.141592653589793
_PI_LOW = 1.2246467991473532e-16
_LOG_PI = 1.1447298858494002
_HALF_LOG_TWO_PI = 0.9189385332046728
#: B_2k for k = 1 ... 9.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798)


def _in_double(function: Callable[[Builder, Val], Val]) -> Callable[[Builder, Val], Val]:
    def emit(code: Builder, x: Val) -> Val:
        if x.kind is FLOAT64:
            return function(code, x)
        return code.cast("fptrunc", function(code, code.cast("fpext", x, FLOAT64)), FLOAT32)

    return emit


def _rising(code: Builder, x: Val) -> tuple[Val, Val]:
    """x (x + 1) ... (x + 7) and its derivative."""
    product, slope = x, code.number(1.0, x.kind, x.lanes)
    for step in range(1, 8):
        factor = x + float(step)
        slope = code.fma(slope, factor, product)
        product = product * factor
    return product, slope


def _fraction(code: Builder, x: Val) -> Val:
    """x less the nearest integer."""
    return x - code.intrinsic("rint", x)


def _sine_cosine_pi(code: Builder, fraction: Val) -> tuple[Val, Val]:
    """sin and cos of pi f for |f| <= 1/2."""
    outer = code.fabs(fraction) > 0.25
    half = code.intrinsic("copysign", code.number(0.5, fraction.kind, fraction.lanes), fraction)
    t = code.select(outer, half - fraction, fraction)
    high = t * _PI
    low = code.fma(t, _PI, -high) + t * _PI_LOW
    sine, cosine = polynomials(code, high, low)
    # sin(pi f) = cos(pi (1/2 - f)), and the other way round.
    flipped = code.intrinsic("copysign", cosine, fraction)
    return code.select(outer, flipped, sine), code.select(outer, code.fabs(sine), cosine)


@fragment
def _lgamma(code: Builder, x: Val) -> Val:
    reflected = x < 0.5
    argument = code.select(reflected, 1.0 - x, x)
    small = argument < 8.0
    shifted = code.select(small, argument + 8.0, argument)
    product, _ = _rising(code, code.select(small, argument, 1.0))
    inverse = 1.0 / shifted
    series = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, 1)]
    correction = inverse * code.polynomial(inverse * inverse, series)
    logarithm = log(code, shifted)
    # (x - 1/2) log x - x would overflow late; (x - 1/2) (log x - 1) - 1/2 only with the result.
    stirling = code.fma(shifted - 0.5, logarithm - 1.0, correction + (_HALF_LOG_TWO_PI - 0.5))
    # Around the zeros at 1 and 2 a polynomial, moved by one with log x = log gamma(x + 1) - log
    # gamma(x).
    central = argument < 3.0
    below, above = argument < 1.0, argument > 2.0
    one = code.number(1.0, x.kind, x.lanes)
    moved = code.select(below, argument + 1.0, code.select(above, argument - 1.0, argument))
    factor = code.select(below, argument, code.select(above, moved, one))
    other = log(code, code.select(central, factor, code.select(small, product, one)))
    polynomial = ((moved - 1.0) * (moved - 2.0)) * code.polynomial(moved - 1.5, LGAMMA_F64)
    start = code.select(central, polynomial, stirling)
    value = start + code.select(central & above, other, 0.0 - other)
    sine, _ = _sine_cosine_pi(code, _fraction(code, x))
    mirrored = (_LOG_PI - log(code, code.fabs(sine))) - value
    result = code.select(reflected, mirrored, value)
    # Close to 0, -log |x|, also where 1 - x is 1.
    result = code.select(code.fabs(x) < 1e-17, -log(code, code.fabs(x)), result)
    at_pole = (x <= 0.0) & code.intrinsic("floor", x).compare("oeq", x)
    infinite = at_pole | code.fabs(x).compare("oeq", INFINITY)
    return code.select(infinite, INFINITY, result)


@fragment
def _digamma(code: Builder, x: Val) -> Val:
    reflected = x < 0.5
    argument = code.select(reflected, 1.0 - x, x)
    small = argument < 8.0
    shifted = code.select(small, argument + 8.0, argument)
    product, slope = _rising(code, code.select(small, argument, 1.0))
    inverse = 1.0 / shifted
    square = inverse * inverse
    series = [b / (2 * k) for k, b in enumerate(_BERNOULLI, 1)]
    value = code.fma(inverse, -0.5, log(code, shifted)) - square * code.polynomial(square, series)
    value = value - code.select(small, slope / product, 0.0)
    sine, cosine = _sine_cosine_pi(code, _fraction(code, x))
    result = code.select(reflected, value - _PI * cosine / sine, value)
    at_pole = (x <= 0.0) & code.intrinsic("floor", x).compare("oeq", x)
    result = code.select(at_pole, NAN, result)
    zero_pole = code.intrinsic("copysign", code.number(INFINITY, x.kind, x.lanes), -x)
    return code.select(x.compare("oeq", 0.0), zero_pole, result)


lgamma = _in_double(_lgamma)
digamma = _in_double(_digamma)
