"""Steps along a direction that satisfy the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from vires.lax.control import while_loop
from vires.numpy.choosing import where
from vires.numpy.contraction import dot
from vires.numpy.creation import asarray
from vires.numpy.float_parts import isfinite

#: A step is good when the value falls by at least this share of what the slope promises, ...
DECREASE = 1e-4
#: ... and the slope is at most this share of the slope at 0.
CURVATURE = 0.9


class Found(NamedTuple):
    """A step, what it leads to, and whether none was found that makes the value smaller."""

    step: Any
    value: Any
    gradient: Any
    evaluations: Any
    failed: Any


class _Search(NamedTuple):
    low: Any
    value_low: Any
    slope_low: Any
    high: Any
    value_high: Any
    bracketed: Any
    step: Any
    value: Any
    gradient: Any
    done: Any
    count: Any


def search(
    evaluate: Callable[[Any], tuple[Any, Any]],
    x: Any,
    direction: Any,
    value: Any,
    gradient: Any,
    before: Any,
    steps: int,
) -> Found:
    """A step from x along a direction; `before` is the value one iteration ago.

    One loop does both phases: the step doubles until an interval holds a good step, which is then
    made smaller by quadratic interpolation, kept away from its ends. The best point seen with
    enough decrease is taken when no good one turns up.
    """
    slope = dot(gradient, direction)
    guess = 2.02 * (value - before) / where(slope == 0, 1, slope)
    first = where((guess > 0) & (guess < 1), guess, 1)
    zero = value * 0
    state = _Search(
        zero, value, slope, zero, value, zero != 0, zero + first, value, gradient, zero != 0,
        asarray(0),
    )  # fmt: skip

    def going(s: _Search) -> Any:
        return ~s.done & (s.count < 3 * steps)

    def step(s: _Search) -> _Search:
        new_value, new_gradient = evaluate(x + s.step * direction)
        new_slope = dot(new_gradient, direction)
        too_high = (
            (new_value > value + DECREASE * s.step * slope)
            | (new_value >= s.value_low) & (s.low > 0)
            | ~isfinite(new_value)
        )
        good = ~too_high & (abs(new_slope) <= -CURVATURE * slope)
        # The interval lies between the best point, `low`, and a point beyond a minimum, `high`.
        turned = ~too_high & where(s.bracketed, new_slope * (s.high - s.low) >= 0, new_slope >= 0)
        high = where(too_high, s.step, where(turned, s.low, s.high))
        value_high = where(too_high, new_value, where(turned, s.value_low, s.value_high))
        low = where(too_high, s.low, s.step)
        value_low = where(too_high, s.value_low, new_value)
        slope_low = where(too_high, s.slope_low, new_slope)
        bracketed = s.bracketed | too_high | turned
        width = high - low
        bow = value_high - value_low - slope_low * width
        inside = -0.5 * slope_low * width * width / where(bow == 0, 1, bow)
        share = where(width == 0, 0.5, inside / where(width == 0, 1, width))
        share = where((share > 0.1) & (share < 0.9), share, 0.5)
        following = where(bracketed, low + share * width, 2 * s.step)
        taken = good | ~too_high
        return _Search(
            low, value_low, slope_low, high, value_high, bracketed,
            where(good, s.step, following),
            where(taken, new_value, s.value),
            where(taken, new_gradient, s.gradient),
            good,
            s.count + 1,
        )  # fmt: skip

    s = while_loop(going, step, state)
    best = where(s.done, s.step, s.low)
    failed = ~s.done & ~((s.low > 0) & (s.value_low < value))
    return Found(best, s.value, s.gradient, s.count, failed)
