"""Extents of dilated and padded arrays, and the windows that slide over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.ops.axes import Axes

Padding = tuple[tuple[int, int], ...]


def dilated(size: int, dilation: int) -> int:
    """The extent of `size` elements with dilation - 1 gaps between them."""
    return 0 if size == 0 else (size - 1) * dilation + 1


def output_sizes(
    lhs: Axes, rhs: Axes, strides: Axes, padding: Padding, lhs_dilation: Axes, rhs_dilation: Axes
) -> Axes:
    """Spatial sizes of a convolution's result from those of its operands."""
    sizes = []
    for n, k, stride, (low, high), spread, gap in zip(
        lhs, rhs, strides, padding, lhs_dilation, rhs_dilation, strict=True
    ):
        room = dilated(n, spread) + low + high - dilated(k, gap)
        sizes.append(room // stride + 1 if room >= 0 else 0)
    return tuple(sizes)


def spread(x: np.ndarray, first: int, dilation: Axes, padding: Padding, fill: Any) -> np.ndarray:
    """Axes from `first` on dilated by gaps and padded (or, for negative padding, cut)."""
    sizes = [dilated(n, s) for n, s in zip(x.shape[first:], dilation, strict=True)]
    full = [
        size + max(low, 0) + max(high, 0) for size, (low, high) in zip(sizes, padding, strict=True)
    ]
    out = np.full((*x.shape[:first], *full), fill, x.dtype)
    inside = [
        slice(max(low, 0), max(low, 0) + size, s)
        for size, (low, _), s in zip(sizes, padding, dilation, strict=True)
    ]
    out[(..., *inside)] = x
    cut = [
        slice(max(-low, 0), max(n - max(-high, 0), max(-low, 0)))
        for n, (low, high) in zip(full, padding, strict=True)
    ]
    return out[(..., *cut)]


def windows(x: np.ndarray, first: int, size: Axes, strides: Axes, gaps: Axes) -> np.ndarray:
    """A view with axes (leading..., positions..., window...) of the windows over the axes from
    `first` on.
    """
    room = [n - dilated(k, gap) for n, k, gap in zip(x.shape[first:], size, gaps, strict=True)]
    count = [r // s + 1 if r >= 0 else 0 for r, s in zip(room, strides, strict=True)]
    steps = x.strides[first:]
    return np.lib.stride_tricks.as_strided(
        x,
        (*x.shape[:first], *count, *size),
        (
            *x.strides[:first],
            *(step * s for step, s in zip(steps, strides, strict=True)),
            *(step * gap for step, gap in zip(steps, gaps, strict=True)),
        ),
        writeable=False,
    )
