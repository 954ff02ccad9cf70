"""Number theory and packed bits: `gcd`, `lcm`, `packbits`, `unpackbits`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from vires.control.loops import while_loop
from vires.core import dtypes
from vires.numpy.arithmetic import abs as abs_
from vires.numpy.arithmetic import where_
from vires.numpy.comparison import bitwise_and, right_shift, truth
from vires.numpy.creation import flat
from vires.numpy.operands import axis_index, broadcast_all, convert, operand, promote
from vires.numpy.reductions import any as any_
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import moveaxis
from vires.ops import compare
from vires.ops import elementwise as ops
from vires.ops.filled import full_like, scalar
from vires.ops.join import pad
from vires.ops.shape import reshape

__all__ = ["gcd", "lcm", "packbits", "unpackbits"]


def _integers(function: str, x1: Any, x2: Any) -> list[Any]:
    xs = promote(operand(x1, function, "x1"), operand(x2, function, "x2"))
    if not dtypes.is_integer(xs[0].aval.dtype):
        raise ValueError(
            f"{function}: needs integers; got {xs[0].aval.dtype.name}; try x.astype(int)"
        )
    return broadcast_all(function, *xs)


def gcd(x1: Any, x2: Any) -> Any:
    """The greatest common divisor, >= 0; gcd(0, x) = |x|."""
    x, y = _integers("gcd", x1, x2)
    unsigned = dtypes.kind(x.aval.dtype) == "unsigned"
    x, y = (z if unsigned else abs_(z) for z in (x, y))

    def divide(pair: tuple[Any, Any]) -> tuple[Any, Any]:
        a, b = pair
        done = compare.eq(b, full_like(b, 0))
        remainder = ops.rem(a, where_(done, full_like(b, 1), b))
        return where_(done, a, b), where_(done, b, remainder)

    result, _ = while_loop(
        lambda pair: any_(compare.ne(pair[1], full_like(pair[1], 0))), divide, (x, y)
    )
    return (
        result if unsigned else abs_(result)
    )  # the most negative integer is its own absolute value


def lcm(x1: Any, x2: Any) -> Any:
    """The least common multiple, >= 0; lcm(0, x) = 0."""
    x, y = _integers("lcm", x1, x2)
    unsigned = dtypes.kind(x.aval.dtype) == "unsigned"
    x, y = (z if unsigned else abs_(z) for z in (x, y))
    divisor = gcd(x, y)
    zero = full_like(x, 0)
    safe = where_(compare.eq(divisor, zero), full_like(x, 1), divisor)
    return where_(compare.eq(divisor, zero), zero, ops.mul(x, ops.div(y, safe)))


def _byte_order(bitorder: str) -> np.ndarray:
    if bitorder not in ("big", "little"):
        raise ValueError(f"bitorder: needs 'big' or 'little'; got {bitorder!r}")
    places = np.arange(8, dtype=np.uint8)
    return places[::-1].copy() if bitorder == "big" else places


def packbits(a: Any, axis: int | None = None, bitorder: str = "big") -> Any:
    """Groups of eight truth values along an axis (None: of the flattened array) as the bits of
    uint8, zeros at the
    end."""
    x = operand(a, "packbits", "a")
    if not (dtypes.is_integer(x.aval.dtype) or x.aval.dtype == dtypes.bool_):
        raise TypeError(f"packbits: needs bool or integers; got {x.aval.dtype.name}")
    places = _byte_order(bitorder)
    x = truth(x)
    if axis is None:
        x, axis = flat(x), 0
    axis = axis_index("packbits", axis, x.aval.ndim)
    x = convert(moveaxis(x, axis, -1), np.dtype(np.uint8))
    *rest, n = x.aval.shape
    missing = -n % 8
    if missing:
        config = tuple((0, 0, 0) for _ in rest)
        x = pad(x, scalar(0, np.dtype(np.uint8)), padding_config=(*config, (0, missing, 0)))
    groups = reshape(x, new_sizes=(*rest, (n + missing) // 8, 8), dimensions=None)
    return moveaxis(sum_(groups << places, -1, dtype=np.uint8), -1, axis)


def unpackbits(
    a: Any, axis: int | None = None, count: int | None = None, bitorder: str = "big"
) -> Any:
    """The bits of uint8 along an axis (None: of the flattened array), as uint8 0 and 1; `count` of
    them."""
    x = operand(a, "unpackbits", "a")
    if x.aval.dtype != np.dtype(np.uint8):
        raise TypeError(f"unpackbits: needs uint8; got {x.aval.dtype.name}")
    places = _byte_order(bitorder)
    if axis is None:
        x, axis = flat(x), 0
    axis = axis_index("unpackbits", axis, x.aval.ndim)
    x = moveaxis(x, axis, -1)
    bits = bitwise_and(right_shift(x[..., None], places), np.uint8(1))
    *rest, n = x.aval.shape
    result = reshape(bits, new_sizes=(*rest, 8 * n), dimensions=None)
    if count is not None:
        count = operator.index(count)
        if count > 8 * n:
            config = tuple((0, 0, 0) for _ in rest)
            zero = scalar(0, np.dtype(np.uint8))
            result = pad(result, zero, padding_config=(*config, (0, count - 8 * n, 0)))
        else:
            result = result[..., :count]
    return moveaxis(result, -1, axis)
