"""Hypergeometric functions of real arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from vires.api.linear_maps import jvp
from vires.control.custom_jvp import custom_jvp
from vires.core import dtypes
from vires.lax import special as lax_special
from vires.lax.control import while_loop
from vires.numpy.choosing import where
from vires.numpy.float_parts import floor, rint
from vires.numpy.operands import broadcast_all, convert, operand, promote_inexact, value_or_operand
from vires.numpy.planned import planned
from vires.numpy.reductions import any as any_
from vires.numpy.transcendental import exp, log, log1p
from vires.scipy.special.gammas import _sign

__all__ = ["hyp1f1", "hyp2f1"]

_EPSILON = 2.0**-54


def _series(ratio: Callable[[Any], Any], like: Any, most: int) -> Any:
    """1 + r_0 + r_0 r_1 + ..., until nothing changes any more."""

    def going(state: Any) -> Any:
        k, term, total = state
        return (k < most) & any_(abs(term) > _EPSILON * abs(total))

    def step(state: Any) -> Any:
        k, term, total = state
        term = term * ratio(convert(k, dtypes.float64))
        return k + 1, term, total + term

    one = like * 0 + 1
    return while_loop(going, step, (operand(0, "series"), one, one))[2]


def _log_gamma_ratio(top: list[Any], bottom: list[Any]) -> tuple[Any, Any]:
    """(log |product of Gamma(top) / product of Gamma(bottom)|, its sign)."""
    size: Any = 0
    sign: Any = 1
    for x in top:
        size, sign = size + lax_special.lgamma(x), sign * _sign(x)
    for x in bottom:
        size, sign = size - lax_special.lgamma(x), sign * _sign(x)
    return size, sign


def _whole_below(x: Any) -> Any:
    return (x <= 0) & (floor(x) == x)


def _hyp1f1_value(a: Any, b: Any, x: Any) -> Any:
    negative = x < 0
    # Kummer: 1F1(a, b, x) = e^x 1F1(b - a, b, -x)
    first, size = where(negative, b - a, a), abs(x)
    far = (size > 100 + 2 * abs(first) + 2 * abs(b)) & ~_whole_below(first)
    near_x = where(far | ~(size < math.inf), 1, size)
    total = _series(lambda k: (first + k) * near_x / ((b + k) * (k + 1)), near_x, 4000)
    near = total * exp(where(negative, -near_x, 0))
    far_x = where(far, size, 200)
    term = tail = far_x * 0 + 1
    for k in range(25):
        term = term * (b - first + k) * (1 - first + k) / ((k + 1) * far_x)
        tail = tail + term
    logarithm, sign = _log_gamma_ratio([b], [where(far, first, 1)])
    growth = logarithm + (first - b) * log(far_x) + where(negative, 0, far_x)
    value = where(far, sign * exp(growth) * tail, near)
    value = where(x == 0, 1, value)
    pole = _whole_below(b) & ~(_whole_below(a) & (a >= b))
    return where((a != a) | (b != b) | (x != x), math.nan, where(pole, math.inf, value))


def _hyp2f1_series(a: Any, b: Any, c: Any, x: Any) -> Any:
    return _series(lambda k: (a + k) * (b + k) * x / ((c + k) * (k + 1)), x, 40000)


def _hyp2f1_value(a: Any, b: Any, c: Any, x: Any) -> Any:
    negative = x < 0
    # Pfaff: F(a, b, c, x) = (1 - x)^-a F(a, c - b, c, x / (x - 1))
    second = where(negative, c - b, b)
    z = where(negative, x / (x - 1), x)
    prefactor = where(negative, exp(-a * log1p(where(negative, -x, 0))), 1)
    gap = c - a - second
    polynomial = _whole_below(a) | _whole_below(second)
    near_one = (z > 0.75) & (z < 1) & (abs(gap - rint(gap)) > 1e-3) & ~polynomial
    inside = (z < 1) & ~near_one
    direct = _hyp2f1_series(a, second, c, where(inside | polynomial, z, 0))
    w = where(near_one, 1 - z, 0.1)
    one, two, three, four = (
        where(near_one, p, q) for p, q in ((a, 0.5), (second, 0.5), (c, 1.3), (gap, 0.3))
    )
    size, sign = _log_gamma_ratio([three, four], [three - one, three - two])
    turned = sign * exp(size) * _hyp2f1_series(one, two, 1 - four, w)
    size, sign = _log_gamma_ratio([three, -four], [one, two])
    other = _hyp2f1_series(three - one, three - two, 1 + four, w)
    turned = turned + sign * exp(size + four * log(w)) * other
    # Gauss: the value at 1
    end = (z == 1) & (gap > 0)
    size, sign = _log_gamma_ratio(
        [c, where(end, gap, 1)], [where(end, c - a, 1), where(end, c - second, 1)]
    )
    value = where(near_one, turned, where(end, sign * exp(size), direct))
    outside = ((z > 1) | (z == 1) & (gap <= 0)) & ~polynomial
    value = where(outside, math.inf, value) * prefactor
    value = where((x == 0) | (a == 0) | (b == 0), 1, value)
    pole = _whole_below(c) & ~(_whole_below(a) & (a >= c)) & ~(_whole_below(b) & (b >= c))
    return where((a != a) | (b != b) | (c != c) | (x != x), math.nan, where(pole, math.inf, value))


def _slope(function: Callable[..., Any], arguments: tuple[Any, ...], place: int) -> Any:
    """The derivative in one argument, through the sums."""

    def of_one(value: Any) -> Any:
        return function(*arguments[:place], value, *arguments[place + 1 :])

    x = arguments[place]
    return jvp(of_one, (x,), (x * 0 + 1,))[1]


@custom_jvp
def _hyp1f1(a: Any, b: Any, x: Any) -> Any:
    return _hyp1f1_value(a, b, x)


_hyp1f1.defjvps(
    lambda da, out, *args: da * _slope(_hyp1f1_value, args, 0),
    lambda db, out, *args: db * _slope(_hyp1f1_value, args, 1),
    lambda dx, out, a, b, x: dx * (a / b * _hyp1f1(a + 1, b + 1, x)),
)


@custom_jvp
def _hyp2f1(a: Any, b: Any, c: Any, x: Any) -> Any:
    return _hyp2f1_value(a, b, c, x)


_hyp2f1.defjvps(
    lambda da, out, *args: da * _slope(_hyp2f1_value, args, 0),
    lambda db, out, *args: db * _slope(_hyp2f1_value, args, 1),
    lambda dc, out, *args: dc * _slope(_hyp2f1_value, args, 2),
    lambda dx, out, a, b, c, x: dx * (a * b / c * _hyp2f1(a + 1, b + 1, c + 1, x)),
)


def _computed(name: str, function: Callable[..., Any], *xs: Any) -> Any:
    """A function of operands of one shape, in float64."""
    promoted = promote_inexact(*[value_or_operand(x, name) for x in xs])
    dtype, weak = promoted[0].aval.dtype, all(x.aval.weak_type for x in promoted)
    wide = [convert(x, dtypes.float64) for x in broadcast_all(name, *promoted)]
    return convert(function(*wide), dtype, weak)


@planned("a", "b", "x")
def hyp1f1(a: Any, b: Any, x: Any) -> Any:
    """Kummer's function, the sum of (a)_k / (b)_k x^k / k!; computed in float64."""
    return _computed("hyp1f1", _hyp1f1, a, b, x)


@planned("a", "b", "c", "x")
def hyp2f1(a: Any, b: Any, c: Any, x: Any) -> Any:
    """Gauss' function, the sum of (a)_k (b)_k / (c)_k x^k / k!, continued to x < -1; computed in
    float64."""
    return _computed("hyp2f1", _hyp2f1, a, b, c, x)
