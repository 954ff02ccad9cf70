"""Step sizes as functions of the step number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import vires.numpy as np

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


def exponential_decay(step_size: Any, decay_steps: Any, decay_rate: Any) -> Schedule:
    """step_size * decay_rate**(i / decay_steps)

    >>> exponential_decay(1.0, 10, 0.5)(20)
    0.25
    """

    def schedule(i: Any) -> Any:
        return step_size * decay_rate ** (i / decay_steps)

    return schedule


def inverse_time_decay(
    step_size: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False
) -> Schedule:
    """step_size / (1 + decay_rate * i / decay_steps), the quotient rounded down if staircase."""

    def schedule(i: Any) -> Any:
        ratio = i // decay_steps if staircase else i / decay_steps
        return step_size / (1 + decay_rate * ratio)

    return schedule


def polynomial_decay(
    step_size: Any, decay_steps: Any, final_step_size: Any, power: Any = 1.0
) -> Schedule:
    """From step_size to final_step_size in decay_steps steps, and constant from there.

    (step_size - final_step_size) * (1 - min(i, decay_steps) / decay_steps)**power + final_step_size
    """

    def schedule(i: Any) -> Any:
        remaining = 1 - np.minimum(i, decay_steps) / decay_steps
        return remaining**power * (step_size - final_step_size) + final_step_size

    return schedule


def piecewise_constant(boundaries: Sequence[Any], values: Sequence[Any]) -> Schedule:
    """values[k] where k boundaries are below the step number i: values[0] up to the first one.

    Raises:
        ValueError: when there is not one value more than boundaries, in one dimension.
    """
    limits, sizes = np.asarray(boundaries), np.asarray(values)
    if limits.ndim != 1 or sizes.ndim != 1 or sizes.shape[0] != limits.shape[0] + 1:
        raise ValueError(
            "piecewise_constant: needs one value more than boundaries, both of one dimension; "
            f"got shapes {tuple(limits.shape)} and {tuple(sizes.shape)}"
        )

    def schedule(i: Any) -> Any:
        return sizes[np.sum(i > limits)]

    return schedule
