"""Sine, cosine and tangent.

The argument is reduced to a quarter turn, x = q pi/2 + t + low, by a three-part pi/2 and fused
multiply-adds, the sum held in two floats; then two short polynomials, of which the quadrant selects one.
Beyond the reach of that (1e5 in float32, 1e9 in float64) a lane is computed by a scalar function that
multiplies by the needed bits of 2/pi in integers.
"""

from __future__ import annotations

from typing import NamedTuple

from vires.engine.llvm.kinds import FLOAT32, FLOAT64, INT32, INT64, UINT64, Kind
from vires.engine.llvm.math_coefficients import COS_F32, COS_F64, SIN_F32, SIN_F64
from vires.engine.llvm.ssa import Builder, Val, fragment

_HALF_PI = 1.5707963267948966
#: 2/pi as hexadecimal digits after the point: enough for the largest float64 and 192 more bits.
_TWO_OVER_PI_BITS = 1280


class _Reduction(NamedTuple):
    parts: tuple[float, float, float]  # pi/2, the first rounded down, so that all are positive
    magic: float  # adding it rounds to an integer, which is then in the low bits
    limit: float
    sine: tuple[float, ...]
    cosine: tuple[float, ...]


_REDUCTIONS = {
    FLOAT32: _Reduction(
        (1.570796251296997, 7.549789415861596e-08, 5.390302529957765e-15),
        1.5 * 2**23,
        1e5,
        SIN_F32,
        COS_F32,
    ),
    FLOAT64: _Reduction(
        (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33),
        1.5 * 2**52,
        1e9,
        SIN_F64,
        COS_F64,
    ),
}


@fragment
def reduce_quarter(code: Builder, x: Val) -> tuple[Val, Val, Val]:
    """(t, low, quadrant's bits) of a non-negative x below the limit."""
    (first, second, third), magic = _REDUCTIONS[x.kind].parts, _REDUCTIONS[x.kind].magic
    shifted = code.fma(x, 1 / _HALF_PI, magic)
    quotient = shifted - magic
    # Exact: x and the product are multiples of a common unit of which less than 2 ** 24 (2 ** 53) remain.
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


@fragment
def sin(code: Builder, x: Val) -> Val:
    """Sine; nan at infinity; keeps the sign of zero."""
    size = code.fabs(x)
    t, low, quadrant = reduce_quarter(code, size)
    sine, cosine = polynomials(code, t, low)
    usual = _by_quadrant(code, quadrant, sine, cosine, code.bits(x))
    return _with_large(code, "sin", x, size, usual)


@fragment
def cos(code: Builder, x: Val) -> Val:
    """Cosine; nan at infinity."""
    size = code.fabs(x)
    t, low, quadrant = reduce_quarter(code, size)
    sine, cosine = polynomials(code, t, low)
    usual = _by_quadrant(code, quadrant + 1, sine, cosine, None)
    return _with_large(code, "cos", x, size, usual)


def _by_quadrant(code: Builder, quadrant: Val, sine: Val, cosine: Val, signs: Val | None) -> Val:
    """Quadrants 0 to 3 of a sine: sin, cos, -sin, -cos, with another sign on top."""
    width = quadrant.kind.bits
    odd = (quadrant & 1).compare("ne", 0)
    chosen = code.select(odd, cosine, sine)
    flip = quadrant << (width - 2)
    if signs is not None:
        flip = flip ^ signs
    return code.from_bits(code.bits(chosen) ^ (flip & -(1 << (width - 1))))


def _with_large(code: Builder, name: str, x: Val, size: Val, usual: Val) -> Val:
    """`usual`, but for large arguments the scalar function, which gives nan for infinity."""
    large = size > _REDUCTIONS[x.kind].limit
    return code.where_rare(large, usual, lambda: _large(code, name, x))


def _large(code: Builder, name: str, x: Val) -> Val:
    finish = {"sin": _finish_sin, "cos": _finish_cos}[name]
    function = code.helper(f"vires_{name}_large", [FLOAT64], finish)
    wide = code.cast("fpext", x, FLOAT64) if x.kind is FLOAT32 else x
    result = code.each_lane(function, FLOAT64, wide)
    return code.cast("fptrunc", result, FLOAT32) if x.kind is FLOAT32 else result


def _finish_sin(code: Builder, x: Val) -> Val:
    t, low, quadrant = reduce_large(code, x)
    sine, cosine = polynomials(code, t, low)
    result = _by_quadrant(code, quadrant, sine, cosine, code.bits(x))
    return result + (x - x)


def _finish_cos(code: Builder, x: Val) -> Val:
    t, low, quadrant = reduce_large(code, x)
    sine, cosine = polynomials(code, t, low)
    return _by_quadrant(code, quadrant + 1, sine, cosine, None) + (x - x)


def reduce_large(code: Builder, x: Val) -> tuple[Val, Val, Val]:
    """Payne and Hanek's reduction of |x| for one float64 of at least 2 ** 10.

    With x = m 2^e, the bits of 2/pi 2^e from weight 2 on, 192 of them, times m modulo 4 give the quadrant in
    the two upper bits and 126 bits of the fraction of a quarter turn.
    """
    bits = code.bits(x)
    exponent = ((bits >> 52) & 0x7FF) - 1075
    mantissa = (bits & ((1 << 52) - 1)) | (1 << 52)
    # Bit 0 of the table has weight 2 ** 62 in 2/pi: the exponent may be as small as -63.
    start = code.select(exponent + 61 > 0, exponent + 61, 0)
    start = code.select(start < 1060, start, 0)
    table = code.table("vires_two_over_pi", UINT64, _window_table())
    word, shift = start >> 5, start & 31
    loaded: list[Val] = []
    for offset in range(0, 8, 2):
        at = code.value(f"getelementptr i64, ptr {table}, {(word + offset).typed}", INT64, 1)
        loaded.append(code.impure(f"load i64, ptr {at.name}", INT64, 1))
    high, middle, low = (
        code.intrinsic("fshl", loaded[i], loaded[i + 1], shift) for i in range(3)
    )
    top = code.value(f"zext {(high * mantissa).typed} to i128", INT64, 1).name
    top = code.value(f"shl i128 {top}, 64", INT64, 1).name
    wide = [code.value(f"zext {v.typed} to i128", INT64, 1).name for v in (middle, low, mantissa)]
    second = code.value(f"mul i128 {wide[0]}, {wide[2]}", INT64, 1).name
    third = code.value(f"mul i128 {wide[1]}, {wide[2]}", INT64, 1).name
    third = code.value(f"lshr i128 {third}, 64", INT64, 1).name
    total = code.value(f"add i128 {top}, {second}", INT64, 1).name
    total = code.value(f"add i128 {total}, {third}", INT64, 1).name
    # Round to the nearest quarter turn; what is left is signed.
    rounded = code.value(f"add i128 {total}, {1 << 125}", INT64, 1).name
    quarter = code.value(f"lshr i128 {rounded}, 126", INT64, 1).name
    quadrant = code.value(f"trunc i128 {quarter} to i64", INT64, 1)
    whole = code.value(f"shl i128 {quarter}, 126", INT64, 1).name
    left = code.value(f"sub i128 {total}, {whole}", INT64, 1).name
    return *_scale_quarter(code, left), quadrant


def _scale_quarter(code: Builder, left: str) -> tuple[Val, Val]:
    """A signed i128 in units of 2 ** -126 quarter turns, in radians as two floats."""
    sign = code.value(f"ashr i128 {left}, 127", INT64, 1).name
    flipped = code.value(f"xor i128 {left}, {sign}", INT64, 1).name
    size = code.value(f"sub i128 {flipped}, {sign}", INT64, 1).name
    zeros = code.value(f"call i128 @llvm.ctlz.i128(i128 {size}, i1 false)", INT64, 1).name
    normal = code.value(f"shl i128 {size}, {zeros}", INT64, 1).name
    pieces: list[Val] = []
    for down in (75, 22):
        moved = code.value(f"lshr i128 {normal}, {down}", INT64, 1).name
        piece = code.value(f"trunc i128 {moved} to i64", INT64, 1) & ((1 << 53) - 1)
        pieces.append(code.cast("uitofp", piece, FLOAT64))
    count = code.value(f"trunc i128 {zeros} to i64", INT64, 1)
    # size = pieces[0] 2^(75 - zeros) + pieces[1] 2^(22 - zeros), in units of 2^-126.
    scale = code.from_bits((1023 + 75 - 126 - count) << 52)
    signed = code.value(f"trunc i128 {sign} to i64", INT64, 1)
    scale = code.from_bits(code.bits(scale) | (signed & -(1 << 63)))
    first, second, _ = _REDUCTIONS[FLOAT64].parts
    high = pieces[0] * scale
    low = pieces[1] * (scale * 2.0**-53)
    t = high * first
    rest = code.fma(high, first, -t) + code.fma(high, second, low * first)
    total = t + rest
    return total, rest - (total - t)


def _window_table() -> list[int]:
    """The 64 bits from every 32nd bit of 2/pi 2^-62 on."""
    digits = two_over_pi(_TWO_OVER_PI_BITS)
    padded = digits  # bit 0 of the table is the bit of weight 2 ** 0 of 2/pi 2 ** -62
    total = _TWO_OVER_PI_BITS + 64
    mask = (1 << 64) - 1
    return [(padded >> (total - 64 - start)) & mask for start in range(0, total - 63, 32)]


def two_over_pi(bits: int) -> int:
    """floor(2/pi 2^bits), by Machin's formula in integers."""
    guard = bits + 64

    def arctan_inverse(n: int) -> int:
        term = total = (1 << guard) // n
        square, divisor, sign = n * n, 3, -1
        while term:
            term //= square
            total += sign * (term // divisor)
            divisor, sign = divisor + 2, -sign
        return total

    pi = 4 * (4 * arctan_inverse(5) - arctan_inverse(239))
    return (2 << (guard + bits)) // pi


def kind_limit(kind: Kind) -> float:
    """The largest argument that the fast path takes."""
    return _REDUCTIONS[kind].limit


_ = INT32
