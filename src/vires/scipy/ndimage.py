"""Images of any number of axes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from vires.core import dtypes
from vires.numpy.arithmetic import clip
from vires.numpy.choosing import where
from vires.numpy.float_parts import floor, rint
from vires.numpy.operands import ShapeError, convert, operand, promote_inexact

__all__ = ["map_coordinates"]

#: How places outside 0, ..., n - 1 are brought inside.
_MODES: dict[str, Callable[[Any, int], Any]] = {
    "constant": lambda i, n: i,
    "nearest": lambda i, n: clip(i, 0, n - 1),
    "wrap": lambda i, n: i % n,
    "mirror": lambda i, n: _mirrored(i, n),
    "reflect": lambda i, n: _reflected(i, n),
}


def _mirrored(i: Any, n: int) -> Any:
    """... 2 1 | 0 1 2 ... : the edge elements occur once."""
    period = 2 * (n - 1)
    place = i % max(period, 1)
    return where(place < n, place, period - place)


def _reflected(i: Any, n: int) -> Any:
    """... 1 0 | 0 1 ... : the edge elements occur twice."""
    place = i % (2 * n)
    return where(place < n, place, 2 * n - 1 - place)


def map_coordinates(
    input: Any, coordinates: Sequence[Any], order: int, mode: str = "constant", cval: Any = 0.0
) -> Any:
    """The values of an array at places between its elements, interpolated.

    Args:
      input: the array.
      coordinates: for each axis the places along it, arrays of one shape.
      order: 0 for the nearest element, 1 for linear interpolation.
      mode: what lies outside: "constant" (`cval`), "nearest", "wrap", "mirror" or "reflect".
    """
    x = operand(input, "map_coordinates", "input")
    places = [operand(c, "map_coordinates", "coordinates") for c in coordinates]
    if len(places) != x.aval.ndim:
        raise ShapeError(
            f"map_coordinates: needs coordinates for each of {x.aval.ndim} axes; got {len(places)}"
        )
    if mode not in _MODES:
        known = ", ".join(map(repr, _MODES))
        raise NotImplementedError(f"map_coordinates: needs a mode among {known}; got {mode!r}")
    if order not in (0, 1):
        raise NotImplementedError(f"map_coordinates: needs order 0 or 1; got {order!r}")
    choices = [_neighbours(c, order) for c in places]
    total: Any = None
    for corner in itertools.product(*choices):
        indices, inside, factor = [], None, None
        for (index, weight), size in zip(corner, x.aval.shape, strict=True):
            fits = (index >= 0) & (index < size)
            inside = fits if inside is None else inside & fits
            indices.append(_MODES[mode](index, size))
            if weight is not None:
                factor = weight if factor is None else factor * weight
        value = x.at[tuple(indices)].get(mode="clip", wrap_negative_indices=False)
        if mode == "constant":
            value = where(inside, value, convert(operand(cval, "map_coordinates"), x.aval.dtype))
        value = value if factor is None else value * factor
        total = value if total is None else total + value
    if total is None:
        return x
    if dtypes.is_integer(x.aval.dtype) and not dtypes.is_integer(total.dtype):
        total = rint(total)
    return total.astype(x.aval.dtype)


def _neighbours(c: Any, order: int) -> list[tuple[Any, Any]]:
    """The elements beside a place along one axis, and their weights."""
    if dtypes.is_integer(c.aval.dtype):
        return [(c, None)]
    (c,) = promote_inexact(c)
    if order == 0:
        return [(rint(c).astype("int32"), None)]
    low = floor(c)
    index = low.astype("int32")
    return [(index, 1 - (c - low)), (index + 1, c - low)]
