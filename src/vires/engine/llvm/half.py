"""Floats narrower than 32 bits, held as their bits: widening to float and rounding back.

Widening is exact. Narrowing rounds to nearest, ties to even; what is too large becomes infinity
where the format has one, else nan, or the largest value where it has neither (the 4 and 6 bit
formats).
"""

from __future__ import annotations

from typing import NamedTuple

from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import FLOAT32, FLOAT64, INT32, Kind, signed
from vires.engine.llvm.ssa import Builder, Val


class Format(NamedTuple):
    """The layout of a narrow float; `special` says what lies beyond the finite values."""

    exponent: int
    mantissa: int
    bias: int
    special: str  # ieee: inf and nan; fn: nan at all ones; fnuz: nan at -0; finite: neither
    sign: int = 1


FORMATS = {
    "float16": Format(5, 10, 15, "ieee"),
    "bfloat16": Format(8, 7, 127, "ieee"),
    "float8_e5m2": Format(5, 2, 15, "ieee"),
    "float8_e4m3": Format(4, 3, 7, "ieee"),
    "float8_e3m4": Format(3, 4, 3, "ieee"),
    "float8_e4m3fn": Format(4, 3, 7, "fn"),
    "float8_e4m3fnuz": Format(4, 3, 8, "fnuz"),
    "float8_e5m2fnuz": Format(5, 2, 16, "fnuz"),
    "float8_e4m3b11fnuz": Format(4, 3, 11, "fnuz"),
    "float6_e2m3fn": Format(2, 3, 1, "finite"),
    "float6_e3m2fn": Format(3, 2, 3, "finite"),
    "float4_e2m1fn": Format(2, 1, 1, "finite"),
    "float8_e8m0fnu": Format(8, 0, 127, "power", 0),
}


def magnitude_mask(kind: Kind) -> int:
    """All bits but the sign (and but unused ones)."""
    layout = FORMATS[kind.name]
    return (1 << (layout.exponent + layout.mantissa)) - 1


def sign_mask(kind: Kind) -> int:
    """The sign bit."""
    return magnitude_mask(kind) + 1


@fragment
def widen(code: Builder, x: Val) -> Val:
    """A narrow float as float32, exactly."""
    layout = FORMATS[x.kind.name]
    lanes = x.lanes
    if x.kind.name == "float16" and code.has("f16c"):
        half = code.value(f"bitcast {x.typed} to {_half(lanes)}", x.kind, lanes)
        text = f"fpext {_half(lanes)} {half.name} to {FLOAT32.type(lanes)}"
        return code.value(text, FLOAT32, lanes)
    word = code.cast("zext", x, INT32)
    if x.kind.name == "bfloat16":
        return code.from_bits(word << 16)
    if layout.special == "power":
        # 2 ** (bits - 127): a float's exponent field, except that 0 is a denormal there.
        value = code.from_bits(code.select(word.compare("eq", 0), 1 << 22, word << 23))
        return code.select(word.compare("eq", 255), float("nan"), value)
    magnitude = word & magnitude_mask(x.kind)
    shifted = magnitude << (23 - layout.mantissa)
    value = code.bits(code.from_bits(shifted) * 2.0 ** (127 - layout.bias))
    top = magnitude_mask(x.kind)
    if layout.special == "ieee":
        infinity = top - (1 << layout.mantissa) + 1
        value = code.select(magnitude >= infinity, shifted | 0x7F800000, value)
    elif layout.special == "fn":
        value = code.select(magnitude.compare("eq", top), 0x7FC00000, value)
    elif layout.special == "fnuz":
        value = code.select(word.compare("eq", sign_mask(x.kind)), 0x7FC00000, value)
    position = layout.exponent + layout.mantissa
    sign = (word & sign_mask(x.kind)) << (31 - position)
    return code.from_bits(value | sign)


@fragment
def narrow(code: Builder, x: Val, kind: Kind) -> Val:
    """A float32 rounded to a narrow float."""
    layout = FORMATS[kind.name]
    lanes = x.lanes
    if kind.name == "float16" and code.has("f16c"):
        half = code.value(f"fptrunc {x.typed} to {_half(lanes)}", kind, lanes)
        text = f"bitcast {_half(lanes)} {half.name} to {kind.type(lanes)}"
        return code.value(text, kind, lanes)
    word = code.bits(x)
    if kind.name == "bfloat16":
        odd = (code.as_unsigned(word) >> 16) & 1
        rounded = code.as_unsigned(word) + odd + 0x7FFF
        quiet = code.as_unsigned(word | 0x400000)
        bits = code.select(x.compare("uno", x), quiet, rounded) >> 16
        return Val(code, code.cast("trunc", bits, signed(2)).name, kind, lanes)
    if layout.special == "power":
        return _narrow_power(code, x, word, kind)
    magnitude = word & 0x7FFFFFFF
    drop = 23 - layout.mantissa
    rebased = magnitude + ((layout.bias - 127) << 23)
    odd = (rebased >> drop) & 1
    normal = (rebased + odd + ((1 << (drop - 1)) - 1)) >> drop
    # Adding a number whose last place is the smallest denormal rounds to a multiple of that.
    shift = 2.0 ** (1 - layout.bias - layout.mantissa + 23)
    shifted = code.bits(code.fabs(x) + shift)
    denormal = shifted - code.bits(code.number(shift, FLOAT32, lanes))
    is_small = magnitude < ((128 - layout.bias) << 23)
    bits = code.select(is_small, denormal, normal)
    top, is_nan = magnitude_mask(kind), magnitude > 0x7F800000
    if layout.special == "ieee":
        infinity = top - (1 << layout.mantissa) + 1
        bits = code.select(bits > infinity, infinity, bits)
        bits = code.select(is_nan, infinity | (1 << (layout.mantissa - 1)), bits)
    elif layout.special == "fn":
        bits = code.select(bits > top, top, bits)
        bits = code.select(is_nan, top, bits)
    elif layout.special == "finite":
        bits = code.select(bits > top, top, bits)
        bits = code.select(is_nan, 0, bits)
    position = layout.exponent + layout.mantissa
    sign = (code.as_signed(code.as_unsigned(word) >> (31 - position))) & sign_mask(kind)
    if layout.special == "finite":
        sign = code.select(is_nan, sign ^ sign_mask(kind), sign)
    result = bits | sign
    if layout.special == "fnuz":
        result = code.select(bits.compare("eq", 0), 0, result)
        result = code.select((bits > top) | is_nan, sign_mask(kind), result)
    return Val(code, code.cast("trunc", result, signed(kind.size)).name, kind, lanes)


@fragment
def round_to_odd(code: Builder, x: Val) -> Val:
    """A float64 as float32 such that a second rounding gives what one rounding would give."""
    near = code.cast("fptrunc", x, FLOAT32)
    back = code.cast("fpext", near, FLOAT64)
    too_far = code.cast("zext", code.fabs(back) > code.fabs(x), INT32)
    inexact = code.cast("zext", back.compare("one", x), INT32)
    return code.from_bits((code.bits(near) - too_far) | inexact)


def _half(lanes: int) -> str:
    return "half" if lanes == 1 else f"<{lanes} x half>"


def _narrow_power(code: Builder, x: Val, word: Val, kind: Kind) -> Val:
    """The nearest power of two, ties up; nan for what is too large or not positive."""
    exponent = (word + 0x400000) >> 23
    # 0x400000 is 2 ** -127, the smallest value; ml_dtypes rounds all that is above it up.
    small = code.cast("zext", word > 0x400000, INT32)
    bits = code.select(word < 0x800000, small, exponent)
    bits = code.select((bits > 254) | (word <= 0) | x.compare("uno", x), 255, bits)
    return Val(code, code.cast("trunc", bits, signed(1)).name, kind, x.lanes)
