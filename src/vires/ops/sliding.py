"""Where windows that slide over arrays lie."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from vires.core.avals import ShapedArray
from vires.core.trace import aval_of
from vires.ops.accept import refuse, typed
from vires.ops.axes import Axes, insert
from vires.ops.extent import Padding, dilated, output_sizes, spread, windows
from vires.ops.join import pad
from vires.ops.parts import slice as slice_


class Window(NamedTuple):
    """The parameters that all operations on windows share, one entry for each axis."""

    window_dimensions: Axes
    window_strides: Axes
    padding: Padding
    base_dilation: Axes
    window_dilation: Axes

    def positions(self, shape: Axes) -> Axes:
        """How many windows there are along each axis of an array of that shape."""
        return output_sizes(
            shape,
            self.window_dimensions,
            self.window_strides,
            self.padding,
            self.base_dilation,
            self.window_dilation,
        )

    def mapped(self, dim: int) -> Window:
        """The same windows on arrays with one more axis."""
        ones = (insert(axes, dim, 1) for axes in (self[0], self[1], self[3], self[4]))
        size, strides, base, gaps = ones
        padding = (*self.padding[:dim], (0, 0), *self.padding[dim:])
        return Window(size, strides, padding, base, gaps)

    def mirrored(self, shape: Axes) -> Window:
        """The windows on the result through which each element of an array of that shape was
        seen.
        """
        pads = []
        for n, m, k, stride, (low, _), base, gap in zip(
            shape, self.positions(shape), *self, strict=True
        ):
            before = dilated(k, gap) - 1 - low
            pads.append(
                (before, dilated(n, base) + dilated(k, gap) - 1 - dilated(m, stride) - before)
            )
        return Window(
            self.window_dimensions,
            self.base_dilation,
            tuple(pads),
            self.window_strides,
            self.window_dilation,
        )

    def view(self, x: np.ndarray, fill: Any) -> np.ndarray:
        """All windows of a NumPy array, the last half of the axes running within a window."""
        padded = spread(x, 0, self.base_dilation, self.padding, fill)
        return windows(padded, 0, self.window_dimensions, self.window_strides, self.window_dilation)

    def offsets(self) -> list[Axes]:
        """The places within a window in row-major order."""
        return list(itertools.product(*map(range, self.window_dimensions)))

    def elements(self, x: Any, fill: Any) -> list[Any]:
        """For each place within a window, the elements there of all windows; `fill` is a 0-d
        array.
        """
        aval = aval_of(x)
        config = tuple(
            (low, high, base - 1)
            for (low, high), base in zip(self.padding, self.base_dilation, strict=True)
        )
        padded = pad(x, fill, padding_config=config)
        count = self.positions(aval.shape)
        room = aval_of(padded).shape
        found = []
        for offset in self.offsets():
            start = tuple(
                min(o * gap, n)
                for o, gap, n in zip(offset, self.window_dilation, room, strict=True)
            )
            limit = tuple(
                s + dilated(n, stride)
                for s, n, stride in zip(start, count, self.window_strides, strict=True)
            )
            found.append(
                slice_(
                    padded, start_indices=start, limit_indices=limit, strides=self.window_strides
                )
            )
        return found


def check_window(name: str, x: ShapedArray, window: Window) -> None:
    """Raise unless the parameters fit the operand."""
    for what, values in window._asdict().items():
        if len(values) != x.ndim:
            raise refuse(
                name, f"{x.ndim} entries of {what}, one for each axis", f"{values} for {typed(x)}"
            )
        if what != "padding" and any(v < 1 for v in values):
            raise refuse(name, f"positive {what}", f"{values} for {typed(x)}", "", ValueError)
