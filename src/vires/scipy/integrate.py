"""Integrals of samples."""

from __future__ import annotations

from typing import Any

from vires.numpy.operands import axis_index, operand, promote_inexact, value_or_operand
from vires.numpy.planned import planned
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import moveaxis

__all__ = ["trapezoid"]


@planned("y", "x", "dx")
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral along an axis by the trapezoidal rule, of samples y at points x, or dx apart.

    >>> from vires.scipy import integrate
    >>> from vires import numpy as np
    >>> integrate.trapezoid(np.array([1., 2., 3.])).item()
    4.0
    """
    values = operand(y, "trapezoid", "y")
    place = axis_index("trapezoid", axis, values.aval.ndim)
    if x is None:
        values, step = promote_inexact(values, value_or_operand(dx, "trapezoid", "dx"))
        values = moveaxis(values, place, -1)
    else:
        values, points = promote_inexact(values, operand(x, "trapezoid", "x"))
        values = moveaxis(values, place, -1)
        if points.aval.ndim > 1:
            points = moveaxis(points, axis, -1)
        step = points[..., 1:] - points[..., :-1]
    return 0.5 * sum_(step * (values[..., 1:] + values[..., :-1]), -1)
