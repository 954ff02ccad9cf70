"""Arithmetic on elements: sums, products, quotients, order, absolute value, rounding."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData
from vires.core.trace import aval_of
from vires.dialect.loops import LoopBuilder, Value
from vires.ops.accept import (
    BOOL_OR_NUMBER,
    BOOL_OR_REAL,
    FLOAT,
    NUMBER,
    REAL,
    check_dtype,
    refuse,
    typed_all,
)
from vires.ops.bits import and_
from vires.ops.compare import eq, ge, gt, lt
from vires.ops.complex import complex, conj, real
from vires.ops.families import SAME, ZERO, Elementwise, is_linear
from vires.ops.filled import full_like
from vires.ops.select import select_n
from vires.ops.shape import broadcast, map_at

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
    """x - y trunc(x / y): the remainder with the sign of x, as C's fmod and %. For integer y = 0 it
    is x.""",
    reference=_rem_reference,
    jvp=(lambda x, y, dx: dx, lambda x, y, dy, *, out: neg(mul(dy, _nearest(div(sub(x, out), y))))),
    loops=lambda b, x, y: b.op("rem", x, y),
)


# --- order


def _share(x: Any, y: Any, out: Any, tangent: Any) -> Any:
    """The part of a tangent that reaches max or min of x and y through x: half where both are
    equal."""
    none = full_like(tangent, 0)
    half = mul(tangent, full_like(tangent, 0.5))
    return select_n(eq(x, out), none, select_n(eq(y, out), tangent, half))


def _first(b: LoopBuilder, name: str, x: Value, y: Value) -> Value:
    """max or min of two elements; complex numbers are ordered by real, then imaginary parts."""
    if dtypes.kind(x.dtype) != "complex":
        return b.op(name, x, y)
    order = "gt" if name == "max" else "lt"
    parts = [(b.op(part, x), b.op(part, y)) for part in ("real", "imag")]
    decided, tied = (b.op(order, *pair) for pair in parts)
    same = b.op("and", b.op("eq", *parts[0]), tied)
    nan = b.op("or", *(b.op("is_nan", pair[0]) for pair in parts))
    return b.select(b.op("or", nan, b.op("or", decided, same)), x, y)


max = Elementwise(
    "max",
    BOOL_OR_NUMBER,
    """The larger of x and y; nan when either is. The tangents of equal operands are averaged.""",
    reference=np.maximum,
    jvp=(
        lambda x, y, dx, *, out: _share(x, y, out, dx),
        lambda x, y, dy, *, out: _share(y, x, out, dy),
    ),
    loops=lambda b, x, y: b.op("or", x, y) if x.dtype == dtypes.bool_ else _first(b, "max", x, y),
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
    loops=lambda b, x, y: b.op("and", x, y) if x.dtype == dtypes.bool_ else _first(b, "min", x, y),
)


def _clamp_infer(low: ShapedArray, x: ShapedArray, high: ShapedArray) -> ShapedArray:
    check_dtype("clamp", x, BOOL_OR_REAL)
    if not low.dtype == x.dtype == high.dtype:
        raise refuse("clamp", "operands of one dtype", typed_all((low, x, high)), "x.astype(...)")
    if low.shape not in ((), x.shape) or high.shape not in ((), x.shape):
        raise refuse(
            "clamp", "bounds that are 0-d or have the shape of x", typed_all((low, x, high))
        )
    return ShapedArray(x.shape, x.dtype, low.weak_type and x.weak_type and high.weak_type)


def _clamp_batch(
    axis: AxisData, operands: tuple[Any, ...], dims: tuple[int | None, ...]
) -> tuple[Any, int | None]:
    low, x, high = operands
    if dims[0] is None and dims[2] is None and not aval_of(low).shape and not aval_of(high).shape:
        return clamp(low, x, high), dims[1]
    shape = tuple(n for d, n in enumerate(aval_of(x).shape) if d != dims[1])
    full: list[Any] = []
    for bound, dim in ((low, dims[0]), (x, dims[1]), (high, dims[2])):
        one = aval_of(bound).ndim == (dim is not None)  # 0-d for each of the mapped elements
        at_front = map_at(bound, dim, axis.size, 0)
        full.append(broadcast(at_front, (axis.size, *shape), (0,)) if one and shape else at_front)
    return clamp(*full), 0


def _where(condition: Any, x: Any, tangent: Any) -> Any:
    """A tangent, repeated to the shape of x, where a condition holds."""
    tangent = broadcast(tangent, aval_of(x).shape, ())
    return select_n(condition, full_like(tangent, 0), tangent)


def _as_shape(bound: Any, x: Any) -> Any:
    return broadcast(bound, aval_of(x).shape, ())


def _clamp_jvp_low(low: Any, x: Any, high: Any, dlow: Any) -> Any:
    low, high = _as_shape(low, x), _as_shape(high, x)
    return _where(and_(gt(low, x), lt(low, high)), x, dlow)


def _clamp_jvp(low: Any, x: Any, high: Any, dx: Any) -> Any:
    return _where(and_(gt(x, _as_shape(low, x)), lt(x, _as_shape(high, x))), x, dx)


def _clamp_jvp_high(low: Any, x: Any, high: Any, dhigh: Any) -> Any:
    return _where(lt(_as_shape(high, x), max(x, _as_shape(low, x))), x, dhigh)


clamp = Elementwise(
    "clamp",
    BOOL_OR_REAL,
    """min(max(x, low), high), bounds 0-d or of the shape of x; nan stays nan. Tangents pass
    strictly inside.""",
    reference=lambda low, x, high: np.minimum(np.maximum(x, low), high),
    infer=_clamp_infer,
    batch=_clamp_batch,
    jvp=(_clamp_jvp_low, _clamp_jvp, _clamp_jvp_high),
    loops=lambda b, low, x, high: (
        b.op("and", b.op("or", x, low), high)
        if x.dtype == dtypes.bool_
        else b.op("min", b.op("max", x, low), high)
    ),
)


# --- absolute value and sign


def _complex_sign(b: LoopBuilder, x: Value) -> Value:
    size = b.op("abs", x)
    zero = b.constant(0, size.dtype)
    is_zero = b.op("eq", size, zero)
    parts = [b.op("div", b.op(part, x), size) for part in ("real", "imag")]
    return b.op("complex", *(b.select(is_zero, zero, part) for part in parts))


def _sign_reference(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind == "c":
        size = np.abs(x)
        return np.where(size == 0, np.zeros_like(x), x / size)
    return np.copysign(np.sign(x), x) if x.dtype.kind == "f" else np.sign(x)


def _sign_jvp(x: Any, dx: Any, *, out: Any) -> Any:
    if dtypes.kind(aval_of(x).dtype) != "complex":
        return full_like(dx, 0)
    # d(x / |x|) = (dx - s Re(conj(s) dx)) / |x| for s = x / |x|
    along = real(mul(conj(out), dx))
    across = sub(dx, mul(out, complex(along, full_like(along, 0))))
    size = abs(x)
    return div(across, complex(size, full_like(size, 0)))


sign = Elementwise(
    "sign",
    NUMBER,
    """-1, 0 (with the sign of x) or 1; x / |x| for complex x.""",
    reference=_sign_reference,
    jvp=_sign_jvp,
    loops=lambda b, x: (
        _complex_sign(b, x) if dtypes.kind(x.dtype) == "complex" else b.op("sign", x)
    ),
)


def _abs_jvp(x: Any, dx: Any) -> Any:
    if dtypes.kind(aval_of(x).dtype) == "complex":
        return real(mul(dx, conj(sign(x))))
    return select_n(ge(x, full_like(x, 0)), neg(dx), dx)


abs = Elementwise(
    "abs",
    NUMBER,
    """|x|, real for complex x. The most negative integer stays as it is. The derivative at 0 is
    1.""",
    reference=np.abs,
    result=dtypes.real_of,
    jvp=_abs_jvp,
    loops=lambda b, x: b.op("abs", x),
)


# --- rounding

floor = Elementwise(
    "floor",
    FLOAT,
    """The largest integer that is not above x.""",
    reference=np.floor,
    jvp=ZERO,
    loops=lambda b, x: b.op("floor", x),
)

ceil = Elementwise(
    "ceil",
    FLOAT,
    """The smallest integer that is not below x.""",
    reference=np.ceil,
    jvp=ZERO,
    loops=lambda b, x: b.op("ceil", x),
)


class RoundingMethod(IntEnum):
    """What `round` does with x.5."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def _round_reference(x: np.ndarray, *, rounding_method: RoundingMethod) -> np.ndarray:
    if rounding_method == RoundingMethod.TO_NEAREST_EVEN:
        return np.rint(x)
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.copysign(np.ones_like(x), x), whole)


round = Elementwise(
    "round",
    FLOAT,
    """The nearest integer; x.5 away from zero or to the even one.""",
    reference=_round_reference,
    jvp=ZERO,
    loops=lambda b, x, *, rounding_method: b.op(
        "round_even" if rounding_method == RoundingMethod.TO_NEAREST_EVEN else "round_away", x
    ),
)


def _nearest(x: Any) -> Any:
    return round(x, rounding_method=RoundingMethod.TO_NEAREST_EVEN)


nextafter = Elementwise(
    "nextafter",
    FLOAT,
    """The next representable number after x in the direction of y.""",
    reference=np.nextafter,
    jvp=(lambda x, y, dx: dx, ZERO),
    loops=lambda b, x, y: b.op("nextafter", x, y),
    widen=False,
)
