"""Arithmetic on elements: neg add sub mul div rem max min abs sign and rounding."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.trace import aval_of
from vires.ops.accept import FLOAT, NUMBER, REAL, BOOL_OR_REAL, BOOL_OR_NUMBER
from vires.ops.families import SAME, ZERO, Elementwise, is_linear, to_bool
from vires.ops.linear import declared
from vires.ops.shape import full_like

# --- sums and products

neg = Elementwise(
    "neg",
    NUMBER,
    """-x. Integers wrap around.""",
    reference=np.negative,
    jvp=SAME,
    transpose=lambda ct, x: [neg(ct)],
    loops=lambda b, x: b.op("neg", x),
)

add = Elementwise(
    "add",
    BOOL_OR_NUMBER,
    """x + y, rounded once. Integers wrap around; on bool it is `or`.""",
    reference=np.add,
    jvp=(lambda x, y, dx: dx, lambda x, y, dy: dy),
    transpose=lambda ct, x, y: [ct if is_linear(x) else None, ct if is_linear(y) else None],
    loops=lambda b, x, y: b.op("or" if x.dtype == dtypes.bool_ else "add", x, y),
)

sub = Elementwise(
    "sub",
    NUMBER,
    """x - y, rounded once. Integers wrap around.""",
    reference=np.subtract,
    jvp=(lambda x, y, dx: dx, lambda x, y, dy: neg(dy)),
    transpose=lambda ct, x, y: [ct if is_linear(x) else None, neg(ct) if is_linear(y) else None],
    loops=lambda b, x, y: b.op("sub", x, y),
)

mul = Elementwise(
    "mul",
    BOOL_OR_NUMBER,
    """x y, rounded once. Integers wrap around; on bool it is `and`.""",
    reference=np.multiply,
    jvp=(lambda x, y, dx: mul(dx, y), lambda x, y, dy: mul(x, dy)),
    transpose=lambda ct, x, y: [mul(ct, y), None] if is_linear(x) else [None, mul(x, ct)],
    loops=lambda b, x, y: b.op("and" if x.dtype == dtypes.bool_ else "mul", x, y),
)


def _integer_quotient(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Quotient towards zero; -1 (all bits) for division by zero, and no overflow."""
    safe = np.where(y == 0, np.ones_like(y), y)
    quotient = x // safe
    if x.dtype.kind == "i":
        quotient = quotient + ((x % safe != 0) & ((x < 0) != (safe < 0))).astype(x.dtype)
        quotient = np.where(y == -1, np.negative(x), quotient)
    return np.where(y == 0, np.invert(np.zeros_like(x)), quotient).astype(x.dtype)


def _div_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _integer_quotient(x, y) if x.dtype.kind in "iu" else np.divide(x, y)


div = Elementwise(
    "div",
    NUMBER,
    """x / y. Integers: the quotient towards zero, -1 (all bits set) for y = 0.""",
    reference=_div_reference,
    jvp=(lambda x, y, dx: div(dx, y), lambda x, y, dy, *, out: neg(div(mul(dy, out), y))),
    transpose=lambda ct, x, y: [div(ct, y), None],
    loops=lambda b, x, y: b.op("div", x, y),
)


def _rem_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.dtype.kind not in "iu":
        return np.fmod(x, y)
    safe = np.where((y == 0) | (y == np.invert(np.zeros_like(y))), np.ones_like(y), y)
    trivial = np.fmod(x, y) if x.dtype.kind == "u" else np.zeros_like(x)
    remainder = np.where(safe == y, np.fmod(x, safe), trivial)
    return np.where(y == 0, x, remainder).astype(x.dtype)


rem = Elementwise(
    "rem",
    REAL,
    """x - y trunc(x / y): the remainder with the sign of x, as C's fmod and %. For integer y = 0 it is x.""",
    reference=_rem_reference,
    jvp=(lambda x, y, dx: dx, lambda x, y, dy: neg(mul(dy, round_to_zero(div(x, y))))),
    loops=lambda b, x, y: b.op("rem", x, y),
)


# --- order


def _share(x: Any, y: Any, out: Any, tangent: Any) -> Any:
    """The part of a tangent that reaches max or min of x and y through x: half where both are equal."""
    half = full_like(tangent, 0.5)
    chosen = declared("select_n")(declared("eq")(y, out), tangent, mul(tangent, half))
    return declared("select_n")(declared("eq")(x, out), full_like(tangent, 0), chosen)


max = Elementwise(
    "max",
    BOOL_OR_NUMBER,
    """The larger of x and y; nan when either is. The tangents of equal operands are averaged.""",
    reference=np.maximum,
    jvp=(
        lambda x, y, dx, *, out: _share(x, y, out, dx),
        lambda x, y, dy, *, out: _share(y, x, out, dy),
    ),
    loops=lambda b, x, y: b.op("or" if x.dtype == dtypes.bool_ else "max", x, y),
)

min = Elementwise(
    "min",
    BOOL_OR_NUMBER,
    """The smaller of x and y; nan when either is. The tangents of equal operands are averaged.""",
    reference=np.minimum,
    jvp=(
        lambda x, y, dx, *, out: _share(x, y, out, dx),
        lambda x, y, dy, *, out: _share(y, x, out, dy),
    ),
    loops=lambda b, x, y: b.op("and" if x.dtype == dtypes.bool_ else "min", x, y),
)
