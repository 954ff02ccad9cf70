"""Comparisons, truth and bits: `equal`, `logical_and`, `bitwise_or`, `isclose`, ..."""

from __future__ import annotations

from typing import Any

from vires.core import dtypes
from vires.numpy.arithmetic import where_
from vires.numpy.operands import convert, operand, promote, promote_inexact
from vires.numpy.ufunc import elementwise
from vires.ops import bits, compare
from vires.ops import elementwise as ops
from vires.ops.complex import imag, real
from vires.ops.filled import full_like

# --- comparisons


@elementwise()
def equal(x, y):
    """x == y: bool; false for nan, true for 0.0 and -0.0."""
    return compare.eq(x, y)


@elementwise()
def not_equal(x, y):
    """x != y: bool; true for nan."""
    return compare.ne(x, y)


def _ordered(x: Any, y: Any, strict: Any, either: Any) -> Any:
    """A comparison; complex numbers by real, then imaginary part."""
    if dtypes.kind(x.aval.dtype) != "complex":
        return either(x, y)
    tied = bits.and_(compare.eq(real(x), real(y)), either(imag(x), imag(y)))
    return bits.or_(strict(real(x), real(y)), tied)


@elementwise()
def less(x, y):
    """x < y: bool; false for nan."""
    return _ordered(x, y, compare.lt, compare.lt)


@elementwise()
def less_equal(x, y):
    """x <= y: bool; false for nan."""
    return _ordered(x, y, compare.lt, compare.le)


@elementwise()
def greater(x, y):
    """x > y: bool; false for nan."""
    return _ordered(x, y, compare.gt, compare.gt)


@elementwise()
def greater_equal(x, y):
    """x >= y: bool; false for nan."""
    return _ordered(x, y, compare.gt, compare.ge)


# --- truth


def truth(x: Any) -> Any:
    """bool: whether each element is not zero."""
    return x if x.aval.dtype == dtypes.bool_ else compare.ne(x, full_like(x, 0))


def _truths(*xs: Any) -> list[Any]:
    return [truth(operand(x, "truth")) for x in xs]


@elementwise(_truths)
def logical_and(x1, x2):
    """Whether both are true (not zero)."""
    return bits.and_(x1, x2)


@elementwise(_truths)
def logical_or(x1, x2):
    """Whether one of them is true (not zero)."""
    return bits.or_(x1, x2)


@elementwise(_truths)
def logical_xor(x1, x2):
    """Whether exactly one of them is true (not zero)."""
    return bits.xor(x1, x2)


@elementwise(_truths)
def logical_not(x):
    """Whether x is false (zero)."""
    return bits.not_(x)


# --- bits


@elementwise()
def bitwise_and(x1, x2):
    """Bits set in both; `logical_and` on bool."""
    return bits.and_(x1, x2)


@elementwise()
def bitwise_or(x1, x2):
    """Bits set in one of them; `logical_or` on bool."""
    return bits.or_(x1, x2)


@elementwise()
def bitwise_xor(x1, x2):
    """Bits set in exactly one of them; `logical_xor` on bool."""
    return bits.xor(x1, x2)


@elementwise()
def bitwise_not(x):
    """Each bit inverted; `logical_not` on bool."""
    return bits.not_(x)


bitwise_invert = invert = bitwise_not


def _numbers(*xs: Any) -> list[Any]:
    promoted = promote(*xs)
    return [
        convert(x, dtypes.default_int()) if x.aval.dtype == dtypes.bool_ else x for x in promoted
    ]


@elementwise(_numbers)
def left_shift(x, y):
    """x 2^y; 0 for shifts by the width or more."""
    return bits.shift_left(x, y)


@elementwise(_numbers)
def right_shift(x1, x2):
    """x1 / 2^x2 rounded down; the sign is kept."""
    unsigned = dtypes.kind(x1.aval.dtype) == "unsigned"
    return (bits.shift_right_logical if unsigned else bits.shift_right_arithmetic)(x1, x2)


bitwise_left_shift, bitwise_right_shift = left_shift, right_shift


@elementwise()
def bitwise_count(x):
    """The number of bits set in |x|, as uint8."""
    size = ops.abs(x) if dtypes.kind(x.aval.dtype) == "signed" else x
    return convert(bits.population_count(size), dtypes.canonical("uint8"))


# --- closeness


def _promote_close(*xs: Any) -> list[Any]:
    return promote_inexact(*xs)


def _close(a: Any, b: Any, rtol: Any, atol: Any) -> Any:
    magnitude = ops.abs(b)
    if dtypes.kind(a.aval.dtype) == "complex":
        rtol, atol = real(rtol), real(atol)
    near = compare.le(ops.abs(ops.sub(a, b)), ops.add(atol, ops.mul(rtol, magnitude)))
    # An infinite b would make the tolerance infinite: only equal infinities are close.
    limit = full_like(magnitude, float("inf"))
    finite = bits.and_(compare.lt(magnitude, limit), compare.lt(ops.abs(a), limit))
    return where_(finite, near, compare.eq(a, b))


@elementwise(_promote_close, name="isclose")
def _isclose(a, b, rtol, atol):
    return _close(a, b, rtol, atol)


@elementwise(_promote_close, name="isclose")
def _isclose_equal_nan(a, b, rtol, atol):
    both_nan = bits.and_(compare.ne(a, a), compare.ne(b, b))
    return bits.or_(_close(a, b, rtol, atol), both_nan)


def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether |a - b| <= atol + rtol |b|; infinities are close to equal infinities only."""
    if dtypes.is_key(getattr(a, "dtype", None)) or dtypes.is_key(getattr(b, "dtype", None)):
        return equal(a, b)
    return (_isclose_equal_nan if equal_nan else _isclose)(
        operand(a, "isclose", "a"), b, rtol, atol
    )


__all__ = [
    "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "equal", "greater", "greater_equal",
    "invert", "isclose", "left_shift", "less", "less_equal", "logical_and", "logical_not",
    "logical_or", "logical_xor", "not_equal", "right_shift",
]  # fmt: skip
