"""Inverse sine, cosine and tangent, by odd polynomials on a short range and pi/2 or pi minus
those."""

from __future__ import annotations

from typing import NamedTuple

from vires.engine.llvm import math_coefficients as table
from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import FLOAT32, FLOAT64
from vires.engine.llvm.math_pairs import Pair, fast_sum, root, two_sum
from vires.engine.llvm.ssa import Builder, Val


class _Angles(NamedTuple):
    half_pi: float
    half_pi_low: float
    asin: tuple[float, ...]
    atan: tuple[float, ...]


_ANGLES = {
    FLOAT32: _Angles(1.5707963705062866, -4.371138828673793e-08, table.ASIN_F32, table.ATAN_F32),
    FLOAT64: _Angles(1.5707963267948966, 6.123233995736766e-17, table.ASIN_F64, table.ATAN_F64),
}


def _arc(code: Builder, numerator: Pair, denominator: Pair) -> Pair:
    """The arc of a tangent up to 2/3 in size, given as a quotient, as a pair."""
    (n, n_low), (d, d_low) = numerator, denominator
    inverse = 1.0 / d
    t = n * inverse
    # What rounding left of the quotient; an infinite denominator leaves nothing, but nan here.
    error = (code.fma(-t, d, n) + code.fma(-t, d_low, n_low)) * inverse
    error = code.select(code.fabs(error) < 1.0, error, 0.0)
    z = t * t
    rest = code.fma(z * t, code.polynomial(z, _ANGLES[t.kind].atan), code.fma(-z, error, error))
    return t, rest


@fragment
def atan(code: Builder, x: Val) -> Val:
    """As pi/4 + atan((x - 1) / (x + 1)) around 1 and pi/2 - atan(1 / x) beyond."""
    kind, lanes, a = x.kind, x.lanes, _ANGLES[x.kind]
    zero, one = code.number(0.0, kind, lanes), code.number(1.0, kind, lanes)
    size = code.fabs(x)
    middle, large = size > 0.66, size > 1.5
    minus, minus_low = two_sum(size, -1.0)
    plus, plus_low = two_sum(size, 1.0)

    def choose(far: Val | float, around: Val | float, near: Val) -> Val:
        return code.select(large, far, code.select(middle, around, near))

    numerator = choose(-1.0, minus, size), choose(zero, minus_low, zero)
    denominator = choose(size, plus, one), choose(zero, plus_low, zero)
    t, rest = _arc(code, numerator, denominator)
    base = choose(a.half_pi, 0.5 * a.half_pi, zero)
    base_low = choose(a.half_pi_low, 0.5 * a.half_pi_low, zero)
    high, low = fast_sum(base, t)
    return code.intrinsic("copysign", high + (low + (base_low + rest)), x)


@fragment
def atan2(code: Builder, y: Val, x: Val) -> Val:
    """The angle of the point (x, y), with C's values for zeros and infinities of either sign."""
    kind, lanes, a = x.kind, x.lanes, _ANGLES[x.kind]
    zero, one = code.number(0.0, kind, lanes), code.number(1.0, kind, lanes)
    width, height = code.fabs(x), code.fabs(y)
    steep = height > width
    small, large = code.select(steep, width, height), code.select(steep, height, width)
    # Two zeros or two infinities have no ratio: as (0, 1) and (1, 1).
    even = small.compare("oeq", large)
    small = code.select(even, code.select(large.compare("oeq", 0.0), zero, one), small)
    large = code.select(even, one, large)
    # The sum and the inverse of the larger must not overflow, the quotient's error not be denormal.
    reach = 2.0**60 if kind is FLOAT32 else 2.0**500
    factor = code.select(large > reach, 0.25, code.select(small < 1.0 / reach, reach, one))
    small, large = small * factor, large * factor
    middle = small > 0.66 * large
    total, total_low = fast_sum(large, small)
    numerator = code.select(middle, small - large, small), zero
    denominator = code.select(middle, total, large), code.select(middle, total_low, zero)
    t, rest = _arc(code, numerator, denominator)
    # The angle to the nearer axis is base + arc; from there pi/2 - or pi -.
    inner = code.select(middle, 0.5 * a.half_pi, zero)
    inner_low = code.select(middle, 0.5 * a.half_pi_low, zero)
    backward = code.bits(x) < 0
    base = code.select(steep, a.half_pi, code.select(backward, 2.0 * a.half_pi, zero))
    base_low = code.select(steep, a.half_pi_low, code.select(backward, 2.0 * a.half_pi_low, zero))
    negative = code.cast("sext", steep ^ backward, code.bits(x).kind) & -(1 << (8 * kind.size - 1))
    t, rest, inner, inner_low = (
        code.from_bits(code.bits(v) ^ negative) for v in (t, rest, inner, inner_low)
    )
    # base + inner is exact: 0, 1, 2, 3 or 4 times pi/4, the third rounded to what its low part
    # makes up.
    base, base_error = fast_sum(base, inner)
    high, low = fast_sum(base, t)
    angle = high + (low + ((base_error + (base_low + inner_low)) + rest))
    angle = code.select(x.compare("uno", y), x + y, angle)
    return code.intrinsic("copysign", angle, y)


def _near_and_root(code: Builder, size: Val) -> tuple[Val, Val, Val, Val]:
    """For x <= 1/2 x and asin x - x; beyond, s and the rest of asin s for s = sqrt((1 - x) / 2)."""
    half = (1.0 - size) * 0.5
    small = size <= 0.5
    z = code.select(small, size * size, half)
    zero = code.number(0.0, size.kind, size.lanes)
    s, s_low = root(code, (half, zero))
    s_low = code.select(half > 0.0, s_low, 0.0)
    t = code.select(small, size, s)
    rest = code.fma(
        z * t, code.polynomial(z, _ANGLES[size.kind].asin), code.select(small, zero, s_low)
    )
    return small, t, rest, z


@fragment
def asin(code: Builder, x: Val) -> Val:
    """nan outside -1 ... 1."""
    a = _ANGLES[x.kind]
    small, t, rest, _ = _near_and_root(code, code.fabs(x))
    high, low = fast_sum(code.number(a.half_pi, x.kind, x.lanes), -2.0 * t)
    far = high + (low + (a.half_pi_low - (rest + rest)))
    return code.intrinsic("copysign", code.select(small, t + rest, far), x)


@fragment
def acos(code: Builder, x: Val) -> Val:
    """nan outside -1 ... 1; exact digits near 1."""
    kind, lanes, a = x.kind, x.lanes, _ANGLES[x.kind]
    small, t, rest, _ = _near_and_root(code, code.fabs(x))
    # pi/2 - asin x; 2 asin s; pi - 2 asin s.
    negative = x < 0.0
    factor = code.select(small, -1.0, code.number(2.0, kind, lanes))
    factor = code.select(negative, -factor, factor)
    zero = code.number(0.0, kind, lanes)
    base = code.select(small, a.half_pi, code.select(negative, 2.0 * a.half_pi, zero))
    base_low = code.select(small, a.half_pi_low, code.select(negative, 2.0 * a.half_pi_low, zero))
    high, low = fast_sum(base, factor * t)
    return high + (low + code.fma(factor, rest, base_low))
