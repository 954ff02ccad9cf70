"""Axes of operations that combine or walk along some axes of one operand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core.avals import ShapedArray
from vires.ops.accept import refuse, typed

Axes = tuple[int, ...]


def check_axes(name: str, x: ShapedArray, axes: Sequence[int]) -> None:
    """Raise unless the axes are distinct axes of the operand."""
    if len(set(axes)) != len(axes) or any(not 0 <= d < x.ndim for d in axes):
        raise refuse(
            name,
            f"distinct axes from 0 to {x.ndim - 1}" if x.ndim else "no axes",
            f"axes {tuple(axes)} for {typed(x)}",
            "",
            ValueError,
        )


def past(axes: Sequence[int], dim: int) -> Axes:
    """Axis numbers after a mapped axis has been inserted at `dim`."""
    return tuple(d + (d >= dim) for d in axes)


def inserted(values: Sequence[Any], position: int, value: Any) -> tuple[Any, ...]:
    """The values with one more at a position."""
    return (*values[:position], value, *values[position:])


def without(values: Sequence[int], axes: Sequence[int]) -> Axes:
    """The values at all positions except `axes`."""
    return tuple(value for d, value in enumerate(values) if d not in axes)


def insert(values: Sequence[int], position: int, value: int) -> Axes:
    """The values with one more at `position`."""
    return (*values[:position], value, *values[position:])
