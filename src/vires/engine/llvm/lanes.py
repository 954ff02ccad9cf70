"""Operations on values in code: expressions, shuffles of lanes, division by constants, combined
accumulators.
"""

from __future__ import annotations

from collections.abc import Sequence

from vires.engine.llvm import memory
from vires.engine.llvm.code import Code, ComplexVal, Val
from vires.engine.llvm.expressions import Expr, LoopVar, walk
from vires.engine.llvm.kinds import BOOL
from vires.engine.llvm.program import Fold


def is_single(x: Expr) -> bool:
    """Whether a variable has only one value, 0 (its loop was merged into another)."""
    return isinstance(x, LoopVar) and x.size == 1


def reverse(code: Code, x: Val) -> Val:
    """The lanes in the opposite order."""
    if isinstance(x, ComplexVal):
        return ComplexVal(x.kind, reverse(code, x.re), reverse(code, x.im))
    order = ", ".join(f"i32 {lane}" for lane in range(x.lanes - 1, -1, -1))
    return code.value(
        f"shufflevector {x.typed}, {x.typed}, <{x.lanes} x i32> <{order}>", x.kind, x.lanes
    )


def shift(code: Code, x: Val, fill: Val, step: int) -> Val:
    """Lanes moved up by a number of places; the first ones come from `fill`."""
    if isinstance(x, ComplexVal) and isinstance(fill, ComplexVal):
        return ComplexVal(
            x.kind, shift(code, x.re, fill.re, step), shift(code, x.im, fill.im, step)
        )
    order = ", ".join(
        f"i32 {x.lanes + lane - step if lane >= step else lane}" for lane in range(x.lanes)
    )
    return code.value(
        f"shufflevector {fill.typed}, {x.typed}, <{x.lanes} x i32> <{order}>", x.kind, x.lanes
    )


def apply(code: Code, x: Expr, operands: Sequence[Val]) -> Val:
    """The value of an operation on values."""
    op = x.op
    if op == "convert":
        return code.convert(operands[0], x.dtype)
    if op == "bitcast":
        return code.bitcast(operands[0], x.dtype)
    if op == "floordiv":
        return floor_divide(code, operands[0], x.attr, x.args[0].range)
    return code.op(op, *operands)


def floor_divide(code: Code, x: Val, divisor: int, span: tuple[int, int] | None) -> Val:
    """x // divisor without a division where the range allows: (x * multiplier) >> shift."""
    if divisor & (divisor - 1) == 0:
        return x >> (divisor.bit_length() - 1)
    if span is not None and span[0] >= 0:
        shift = max(span[1].bit_length(), 1) + divisor.bit_length()
        multiplier = -(-(1 << shift) // divisor)
        if span[1] * multiplier < 1 << 63:
            return (x * multiplier) >> shift
        return x.binary("udiv", divisor)
    quotient = x.binary("sdiv", divisor)
    below = (quotient * divisor).compare("sgt", x)
    return code.select(below, quotient - 1, quotient)


def combine(code: Code, fold: Fold, a: Sequence[Val], b: Sequence[Val]) -> list[Val]:
    """Two tuples of accumulators as one."""
    if isinstance(fold.combine, str):
        return [code.op(fold.combine, x, y) for x, y in zip(a, b, strict=True)]
    values: dict[Expr, Val] = dict(zip(fold.arguments, (*a, *b), strict=True))
    for x in walk(fold.combined):
        if x not in values:
            if x.op == "const":
                values[x] = code.constant(x.attr, x.dtype)
            else:
                values[x] = apply(code, x, [values[y] for y in x.args])
    lanes = a[0].lanes
    return [code.splat(values[x], lanes) for x in fold.combined]


def across(code: Code, fold: Fold, values: Sequence[Val]) -> list[Val]:
    """All lanes as one, halving; of conditions, by their bits."""
    if fold.combine in ("and", "or") and values[0].kind is BOOL:
        every = code.all_lanes if fold.combine == "and" else code.any_lane
        return [every(x) for x in values]
    current = list(values)
    while current[0].lanes > 1:
        half = current[0].lanes // 2
        low = [memory.part(code, x, 0, half) for x in current]
        high = [memory.part(code, x, half, half) for x in current]
        current = combine(code, fold, low, high)
    return current
