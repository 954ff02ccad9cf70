"""Step sizes as functions of the step number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import vires.numpy as np
from vires.errors import ConcretizationTypeError

Schedule = Callable[[Any], Any]


def make_schedule(scalar_or_schedule: Any) -> Schedule:
    """A step size as a schedule: functions are kept, numbers become constant ones.

    Raises:
        TypeError: when it is neither a function nor a number.

    >>> make_schedule(0.1)(7)
    0.1
    """
    if callable(scalar_or_schedule):
        return scalar_or_schedule
    if isinstance(scalar_or_schedule, (str, bytes)) or np.ndim(scalar_or_schedule) != 0:
        raise TypeError(
            "step_size: needs a number or a function of the step number; "
            f"got {_text(scalar_or_schedule)}; try 0.01 or minmax.exponential_decay(...)"
        )
    return constant(scalar_or_schedule)


def _text(x: Any) -> str:
    shape = getattr(x, "shape", None)
    return type(x).__name__ if shape is None else f"an array of shape {tuple(shape)}"


def constant(step_size: Any) -> Schedule:
    """The same step size at every step."""

    def schedule(i: Any) -> Any:
        return step_size

    return schedule


def _known(x: Any) -> Any:
    """A number, an array's too; None for a value that is traced, which nothing is known of."""
    try:
        return x.item() if getattr(x, "ndim", None) == 0 else x
    except ConcretizationTypeError:
        return None


def _check_steps(name: str, decay_steps: Any) -> None:
    """Refuse what is no number of steps to divide by."""
    known = _known(decay_steps)
    if known is None and decay_steps is not None:
        return
    if not isinstance(known, (int, float)):
        raise TypeError(f"{name}: needs a number as decay_steps; got {_text(known)}")
    if not known > 0:
        raise ValueError(
            f"{name}: needs decay_steps above 0; got {known}; "
            "try minmax.constant(step_size) for a step size that does not decay"
        )


def exponential_decay(step_size: Any, decay_steps: Any, decay_rate: Any) -> Schedule:
    """step_size * decay_rate**(i / decay_steps)

    Raises:
        ValueError: when decay_steps is not above 0, or decay_rate is below 0.

    >>> exponential_decay(1.0, 10, 0.5)(20)
    0.25
    """
    _check_steps("exponential_decay", decay_steps)
    rate = _known(decay_rate)
    if isinstance(rate, (int, float)) and not rate >= 0:
        raise ValueError(
            f"exponential_decay: needs a decay_rate that is not negative; got {decay_rate}"
        )

    def schedule(i: Any) -> Any:
        return step_size * decay_rate ** (i / decay_steps)

    return schedule


def inverse_time_decay(
    step_size: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False
) -> Schedule:
    """step_size / (1 + decay_rate * i / decay_steps), the quotient rounded down if staircase.

    Raises:
        ValueError: when decay_steps is not above 0.
    """
    _check_steps("inverse_time_decay", decay_steps)

    def schedule(i: Any) -> Any:
        ratio = i // decay_steps if staircase else i / decay_steps
        return step_size / (1 + decay_rate * ratio)

    return schedule


def polynomial_decay(
    step_size: Any, decay_steps: Any, final_step_size: Any, power: Any = 1.0
) -> Schedule:
    """From step_size to final_step_size in decay_steps steps, and constant from there.

    (step_size - final_step_size) * (1 - min(i, decay_steps) / decay_steps)**power + final_step_size

    Raises:
        ValueError: when decay_steps is not above 0.
    """
    _check_steps("polynomial_decay", decay_steps)

    def schedule(i: Any) -> Any:
        remaining = 1 - np.minimum(i, decay_steps) / decay_steps
        return remaining**power * (step_size - final_step_size) + final_step_size

    return schedule


def piecewise_constant(boundaries: Sequence[Any], values: Sequence[Any]) -> Schedule:
    """values[k] where k boundaries are below the step number i: values[0] up to the first one.

    Raises:
        ValueError: when there is not one value more than boundaries, in one dimension, or the
            boundaries do not ascend.
    """
    limits, sizes = np.asarray(boundaries), np.asarray(values)
    if limits.ndim != 1 or sizes.ndim != 1 or sizes.shape[0] != limits.shape[0] + 1:
        raise ValueError(
            "piecewise_constant: needs one value more than boundaries, both of one dimension; "
            f"got shapes {tuple(limits.shape)} and {tuple(sizes.shape)}"
        )

    known = [_known(limit) for limit in limits]
    if None not in known and known != sorted(known):
        raise ValueError(f"piecewise_constant: needs ascending boundaries; got {known}")

    def schedule(i: Any) -> Any:
        return sizes[np.sum(i > limits)]

    return schedule
