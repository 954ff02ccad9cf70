"""Sine, cosine and tangent.

The argument is reduced to a quarter turn, x = q pi/2 + t + low, by a three-part pi/2 and fused
multiply-adds, the sum held in two floats; then two short polynomials, of which the quadrant
selects one. Beyond the reach of that (1e5 in float32, 1e9 in float64) a lane is computed by the C
library's function, which is exact to an ulp for the largest numbers too. Writing that out here (it
takes 128-bit integers) would cost every kernel 5 ms of compilation for a path that is hardly ever
taken.
"""

from __future__ import annotations

from typing import NamedTuple

from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import FLOAT32, FLOAT64
from vires.engine.llvm.math_coefficients import (
    COS_F32,
    COS_F64,
    SIN_F32,
    SIN_F64,
    TAN_F32,
    TAN_F64,
)
from vires.engine.llvm.math_pairs import fast_sum
from vires.engine.llvm.ssa import Builder, Val

_HALF_PI = 1.5707963267948966


class _Reduction(NamedTuple):
    parts: tuple[float, float, float]  # pi/2, the first rounded down, so that all are positive
    magic: float  # adding it rounds to an integer, which is then in the low bits
    limit: float
    sine: tuple[float, ...]
    cosine: tuple[float, ...]
    tangent: tuple[float, ...]


_REDUCTIONS = {
    FLOAT32: _Reduction(
        (1.570796251296997, 7.549789415861596e-08, 5.390302529957765e-15),
        1.5 * 2**23,
        1e5,
        SIN_F32,
        COS_F32,
        TAN_F32,
    ),
    FLOAT64: _Reduction(
        (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33),
        1.5 * 2**52,
        1e9,
        SIN_F64,
        COS_F64,
        TAN_F64,
    ),
}


@fragment
def reduce_quarter(code: Builder, x: Val) -> tuple[Val, Val, Val]:
    """(t, low, quadrant's bits) of a non-negative x below the limit."""
    (first, second, third), magic = _REDUCTIONS[x.kind].parts, _REDUCTIONS[x.kind].magic
    shifted = code.fma(x, 1 / _HALF_PI, magic)
    quotient = shifted - magic
    # Exact: x and the product are multiples of a common unit of which less than 2 ** 24 (2 ** 53)
    # remain.
    near = code.fma(quotient, -first, x)
    product = quotient * second
    t = near - product
    rest = (near - t) - product
    dropped = code.fma(quotient, third, code.fma(quotient, second, -product))
    return t, rest - dropped, code.bits(shifted)


@fragment
def polynomials(code: Builder, t: Val, low: Val) -> tuple[Val, Val]:
    """Sine and cosine of t + low for t up to a quarter turn."""
    table = _REDUCTIONS[t.kind]
    z = t * t
    cube = z * t
    sine = code.fma(cube, code.polynomial(z, table.sine), low) + t
    square = code.fma(t, t, (t + t) * low)
    cosine = code.fma(square, code.polynomial(square, table.cosine), 1.0)
    return sine, cosine


def sin(code: Builder, x: Val) -> Val:
    """Sine; nan at infinity; keeps the sign of zero."""
    return _circular(code, "sin", x)


def cos(code: Builder, x: Val) -> Val:
    """Cosine; nan at infinity. Of the sine of the same argument it shares nearly all."""
    return _circular(code, "cos", x)


def _circular(code: Builder, name: str, x: Val) -> Val:
    size = code.fabs(x)
    t, low, quadrant = reduce_quarter(code, size)
    sine, cosine = polynomials(code, t, low)
    return _by_quadrant(code, name, x, size, quadrant, sine, cosine)


@fragment
def tan(code: Builder, x: Val) -> Val:
    """Tangent; nan at infinity; keeps the sign of zero."""
    size = code.fabs(x)
    t, low, quadrant = reduce_quarter(code, size)
    # Close to a multiple of pi/2 the low part is not small; the inverse below takes it as small.
    t, low = fast_sum(t, low)
    z = t * t
    series = t * code.polynomial(z, _REDUCTIONS[x.kind].tangent)
    z_low = code.fma(t, t, -z)
    tangent, rest = fast_sum(t, code.fma(z, series, z_low * series))
    rest = rest + code.fma(tangent * tangent, low, low)
    # -1 / (tangent + rest) by a quotient and its first correction.
    q = -1.0 / tangent
    inverse = code.fma(q, code.fma(q, rest, code.fma(q, tangent, 1.0)), q)
    odd = (quadrant & 1).compare("ne", 0)
    usual = code.select(odd, inverse, tangent + rest)
    sign = code.bits(x) & -(1 << (8 * x.kind.size - 1))
    usual = code.from_bits(code.bits(usual) ^ sign)
    return _with_large(code, "tan", x, size, usual)


@fragment
def _by_quadrant(
    code: Builder, name: str, x: Val, size: Val, quadrant: Val, sine: Val, cosine: Val
) -> Val:
    """Quadrants 0 to 3 of a sine: sin, cos, -sin, -cos; the cosine is a quadrant ahead."""
    if name == "cos":
        quadrant = quadrant + 1
    width = quadrant.kind.bits
    odd = (quadrant & 1).compare("ne", 0)
    chosen = code.select(odd, cosine, sine)
    flip = quadrant << (width - 2)
    if name == "sin":
        flip = flip ^ code.bits(x)
    usual = code.from_bits(code.bits(chosen) ^ (flip & -(1 << (width - 1))))
    return _with_large(code, name, x, size, usual)


def _with_large(code: Builder, name: str, x: Val, size: Val, usual: Val) -> Val:
    """`usual`, but the C library's value for large arguments: nan for infinity."""
    large = size > _REDUCTIONS[x.kind].limit
    return code.where_rare(large, usual, lambda: _large(code, name, x))


def _large(code: Builder, name: str, x: Val) -> Val:
    code.helpers[name] = f"declare double @{name}(double)"
    wide = code.cast("fpext", x, FLOAT64) if x.kind is FLOAT32 else x
    result = code.each_lane(name, FLOAT64, wide)
    return code.cast("fptrunc", result, FLOAT32) if x.kind is FLOAT32 else result
