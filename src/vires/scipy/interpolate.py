"""Interpolation on grids."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from vires.numpy.arithmetic import clip
from vires.numpy.choosing import where
from vires.numpy.creation import asarray
from vires.numpy.joining import stack
from vires.numpy.operands import ShapeError, convert, operand, promote_inexact, shape_text
from vires.numpy.reductions import any as any_
from vires.numpy.sorting import searchsorted

__all__ = ["RegularGridInterpolator"]


class RegularGridInterpolator:
    """The interpolation of values on a rectangular grid.

    Args:
      points: the coordinates of the grid along each axis, ascending.
      values: of the grid points; further axes are values of several components.
      method: "linear", or "nearest" (of two equally near points the lower one).
      bounds_error: whether points outside raise; only False.
      fill_value: the value outside, None to extrapolate.
    """

    def __init__(
        self,
        points: Sequence[Any],
        values: Any,
        method: str = "linear",
        bounds_error: bool = False,
        fill_value: Any = math.nan,
    ) -> None:
        if method not in ("linear", "nearest"):
            raise ValueError(
                f"RegularGridInterpolator: needs method 'linear' or 'nearest'; got {method!r}"
            )
        if bounds_error:
            raise NotImplementedError(
                "RegularGridInterpolator: needs bounds_error=False, since values are not known "
                "while tracing; got True; try fill_value"
            )
        (self.values,) = promote_inexact(operand(values, "RegularGridInterpolator", "values"))
        grids = [asarray(p) for p in points]
        if len(grids) > self.values.ndim:
            raise ShapeError(
                f"RegularGridInterpolator: needs values of at least {len(grids)} axes; "
                f"got {shape_text(self.values)}"
            )
        for d, grid in enumerate(grids):
            if grid.ndim != 1 or grid.shape[0] != self.values.shape[d] or grid.shape[0] < 2:
                raise ShapeError(
                    f"RegularGridInterpolator: needs points[{d}] with the {self.values.shape[d]} "
                    f"coordinates of that axis, at least 2; got {shape_text(grid)}"
                )
        self.grid = tuple(convert(grid, self.values.dtype) for grid in grids)
        self.method, self.bounds_error, self.fill_value = method, bounds_error, fill_value

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """Values at points, whose coordinates lie along the last axis of xi or are its elements."""
        chosen = self.method if method is None else method
        if chosen not in ("linear", "nearest"):
            raise ValueError(
                f"RegularGridInterpolator: needs method 'linear' or 'nearest'; got {chosen!r}"
            )
        if isinstance(xi, tuple):
            xi = stack(promote_inexact(*[asarray(x) for x in xi]), -1)
        (x,) = promote_inexact(operand(xi, "RegularGridInterpolator", "xi"))
        n = len(self.grid)
        if x.aval.ndim == 1 and n == 1:
            x = x[:, None]
        if not x.aval.ndim or x.aval.shape[-1] != n:
            raise ShapeError(
                f"RegularGridInterpolator: needs points of {n} coordinates; got {shape_text(x)}"
            )
        places, weights = [], []
        for d, grid in enumerate(self.grid):
            own = x[..., d]
            place = clip(searchsorted(grid, own) - 1, 0, grid.shape[0] - 2)
            low, high = grid[place], grid[place + 1]
            places.append(place)
            weights.append((own - low) / (high - low))
        result = (self._linear if chosen == "linear" else self._nearest)(places, weights)
        extra = (1,) * (self.values.ndim - n)
        if self.fill_value is not None:
            outside = x != x
            for d, grid in enumerate(self.grid):
                own = x[..., d : d + 1]
                outside = outside | (own < grid[0]) | (own > grid[-1])
            spoiled = any_(outside, -1)
            result = where(spoiled.reshape(spoiled.shape + extra), self.fill_value, result)
        return result

    def _linear(self, places: list[Any], weights: list[Any]) -> Any:
        """The values at the corners of each cell, each times the products of distances."""
        extra = (1,) * (self.values.ndim - len(places))
        total: Any = 0
        for corner in itertools.product((0, 1), repeat=len(places)):
            value = self.values[tuple(i + side for i, side in zip(places, corner, strict=True))]
            factor: Any = 1
            for weight, side in zip(weights, corner, strict=True):
                factor = factor * (weight if side else 1 - weight)
            total = total + value * factor.reshape(factor.shape + extra)
        return total

    def _nearest(self, places: list[Any], weights: list[Any]) -> Any:
        return self.values[
            tuple(where(w <= 0.5, i, i + 1) for i, w in zip(places, weights, strict=True))
        ]
