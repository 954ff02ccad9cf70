"""Constants and conversions between dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.engine.llvm import half
from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import BOOL, FLOAT32, FLOAT64, INT8, INT32, Kind, signed
from vires.engine.llvm.ssa import Builder, ComplexVal, Val


def constant(code: Builder, value: Any, kind: Kind, lanes: int) -> Val:
    """A constant of any dtype, rounded as NumPy rounds."""
    if kind.part is not None:
        number = complex(value)
        real = constant(code, number.real, kind.part, lanes)
        return ComplexVal(kind, real, constant(code, number.imag, kind.part, lanes))
    if kind.group == "n":
        raw = np.asarray(value).astype(kind.dtype).tobytes()
        bits = int.from_bytes(raw, "little")
        return code.splat_literal(str(bits), kind, lanes)
    if kind.group == "f":
        if kind is FLOAT32:
            value = np.asarray(value).astype(np.float32)
        return code.number(float(value), kind, lanes)
    if kind.group == "b":
        return code.number(bool(value), kind, lanes)
    return code.number(_wrapped(int(value), kind), kind, lanes)


def _wrapped(value: int, kind: Kind) -> int:
    """An integer reduced to the width of a kind."""
    span = 1 << kind.bits
    value &= span - 1
    return value - span if value > kind.maximum else value


def convert(code: Builder, x: Val, kind: Kind) -> Val:
    """A value as another dtype: see `LoopBuilder.convert`."""
    if x.kind is kind:
        return x
    if isinstance(x, ComplexVal):
        if kind.part is not None:
            return ComplexVal(kind, convert(code, x.re, kind.part), convert(code, x.im, kind.part))
        if kind.group == "b":
            return convert(code, x.re, BOOL) | convert(code, x.im, BOOL)
        return convert(code, x.re, kind)
    if kind.part is not None:
        zero = code.number(0.0, kind.part, x.lanes)
        return ComplexVal(kind, convert(code, x, kind.part), zero)
    return _convert_real(code, x, kind)


@fragment
def _convert_real(code: Builder, x: Val, kind: Kind) -> Val:
    source, target = x.kind.group, kind.group
    if source == "n":
        return convert(code, half.widen(code, x), kind)
    if target == "n":
        if source == "f":
            single = half.round_to_odd(code, x) if x.kind is FLOAT64 else x
            return half.narrow(code, single, kind)
        return half.narrow(code, convert(code, x, FLOAT32), kind)
    if target == "b":
        return x.compare("une" if source == "f" else "ne", 0)
    if target == "f":
        if source == "f":
            return code.cast("fpext" if kind is FLOAT64 else "fptrunc", x, kind)
        return code.cast("sitofp" if source == "i" else "uitofp", x, kind)
    if source == "f":
        return _float_to_integer(code, x, kind)
    if source == "b":
        return Val(code, code.cast("zext", x, signed(kind.size)).name, kind, x.lanes)
    return _integer_to_integer(code, x, kind)


def _integer_to_integer(code: Builder, x: Val, kind: Kind) -> Val:
    if x.kind.size > kind.size:
        x = code.cast("trunc", x, kind)
    elif x.kind.size < kind.size:
        x = code.cast("sext" if x.kind.group == "i" else "zext", x, kind)
    return repack(code, Val(code, x.name, kind, x.lanes))


def repack(code: Builder, x: Val) -> Val:
    """An integer narrower than its register, wrapped around to its width."""
    kind = x.kind
    if not kind.is_packed:
        return x
    if kind.group == "u":
        return x & kind.maximum
    spare = 8 - kind.bits
    return (x << spare) >> spare


def _float_to_integer(code: Builder, x: Val, kind: Kind) -> Val:
    """Truncation that saturates; nan gives 0."""
    if kind.bits < 32:
        # Every value fits into an int32 after clamping, which is exact in float.
        low = code.select(x > float(kind.minimum), x, float(kind.minimum))
        clamped = code.select(low < float(kind.maximum), low, float(kind.maximum))
        zeroed = code.select(x.compare("uno", x), 0.0, clamped)
        whole = code.cast("fptosi", zeroed, INT32)
        return Val(code, code.cast("trunc", whole, kind).name, kind, x.lanes)
    above, below = float(kind.maximum + 1), float(kind.minimum)
    if kind.group == "u":
        result = code.cast("fptoui", x, kind)
        result = code.select(x > -1.0, result, 0)
    else:
        result = code.cast("fptosi", x, kind)
        result = code.select(x < below, kind.minimum, result)
        result = code.select(x.compare("uno", x), 0, result)
    return code.select(x >= above, kind.maximum, result)


def bitcast(code: Builder, x: Val, kind: Kind) -> Val:
    """The same bits as another dtype of the same width."""
    source = x.kind
    if (
        source.size != kind.size
        or source.is_packed
        or kind.is_packed
        or source.part is not kind.part
    ):
        raise TypeError(
            f"bitcast: needs dtypes of one width; got {source.dtype} of {source.size} bytes and "
            f"{kind.dtype} of {kind.size} bytes"
        )
    if source is kind:
        return x
    if source.group == "b":
        x = code.cast("zext", x, INT8)
    if kind.group == "b":
        return x.compare("ne", 0)
    if x.kind.scalar == kind.scalar:
        return Val(code, x.name, kind, x.lanes)
    return code.value(f"bitcast {x.typed} to {kind.type(x.lanes)}", kind, x.lanes)
