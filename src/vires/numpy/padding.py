"""`pad`: arrays with borders, made in any of NumPy's ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy.creation import asarray
from vires.numpy.cumulative import along
from vires.numpy.float_parts import round as round_
from vires.numpy.operands import SCALARS, broadcast, convert, in_dtype, operand
from vires.numpy.planned import planned
from vires.numpy.quantiles import median as median_
from vires.numpy.ranges import linspace
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import min as min_
from vires.numpy.statistics import mean as mean_
from vires.ops.join import concatenate
from vires.ops.join import pad as pad_p
from vires.ops.parts import rev

__all__ = ["pad"]

Widths = list[tuple[int, int]]


def _static_pairs(pad_width: Any, ndim: int) -> Widths:
    """(before, after) for each axis."""
    if isinstance(pad_width, Tracer) and pad_width.concrete() is None:
        raise ConcretizationTypeError(pad_width, "pad (pad_width decides the shape)")
    if isinstance(pad_width, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            pairs[axis] = (width, width) if isinstance(width, int) else tuple(width)
        return pairs
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu":
        raise TypeError(f"pad: needs integer widths; got {pad_width!r}")
    try:
        widths = np.broadcast_to(widths, (ndim, 2))
    except ValueError as error:
        raise ValueError(
            f"pad: needs pad_width as an integer, a pair, or a pair for each of {ndim} axes; got "
            f"{pad_width!r}"
        ) from error
    if (widths < 0).any():
        raise ValueError(f"pad: needs widths >= 0; got {pad_width!r}")
    return [(int(before), int(after)) for before, after in widths]


def _value_pairs(values: Any, ndim: int, dtype: Any) -> list[list[Any]]:
    """A value for each end of each axis, given as one, a pair, or a pair for each axis."""
    given = asarray(values)
    spread = broadcast(given, (ndim, 2))
    return [[convert(spread[d, end], dtype) for end in range(2)] for d in range(ndim)]


def _edge(x: Any, axis: int, last: bool, width: int) -> Any:
    size = x.aval.shape[axis]
    slice_ = along(x, axis, size - 1, size) if last else along(x, axis, 0, 1)
    shape = tuple(width if d == axis else n for d, n in enumerate(x.aval.shape))
    return broadcast(slice_, shape)


def _join(x: Any, axis: int, before: Any, after: Any) -> Any:
    parts = [part for part in (before, x, after) if part is not None]
    return concatenate(*parts, dimension=axis) if len(parts) > 1 else x


def _constant(value: Any, dtype: Any) -> Any:
    return in_dtype(value if value.__class__ in SCALARS else asarray(value), dtype)


def _pad_constant(x: Any, widths: Widths, constant_values: Any) -> Any:
    pairs = _value_pairs(constant_values, x.aval.ndim, x.aval.dtype)
    same = (
        isinstance(constant_values, (int, float, complex))
        or asarray(constant_values).aval.ndim == 0
    )
    if same:
        config = tuple((before, after, 0) for before, after in widths)
        return pad_p(x, _constant(constant_values, x.aval.dtype), padding_config=config)
    for axis, ((before, after), values) in enumerate(zip(widths, pairs, strict=True)):
        for amount, value, low in ((before, values[0], True), (after, values[1], False)):
            if amount:
                config = tuple(
                    ((amount, 0, 0) if low else (0, amount, 0)) if d == axis else (0, 0, 0)
                    for d in range(x.aval.ndim)
                )
                x = pad_p(x, value, padding_config=config)
    return x


def _pad_edge(x: Any, widths: Widths) -> Any:
    for axis, (before, after) in enumerate(widths):
        x = _join(
            x,
            axis,
            _edge(x, axis, False, before) if before else None,
            _edge(x, axis, True, after) if after else None,
        )
    return x


def _mirrored(
    x: Any, axis: int, width: int, low: bool, symmetric: bool, odd: bool
) -> tuple[Any, int]:
    """As much of a mirror image at one end as one reflection gives: the array with it, and what is
    still missing."""
    size = x.aval.shape[axis]
    offset = 0 if symmetric else 1
    amount = min(width, size - offset)
    if amount <= 0:  # a single element has no neighbour to mirror: it is repeated
        edge = _edge(x, axis, not low, width)
        return _join(x, axis, edge if low else None, None if low else edge), 0
    part = (
        along(x, axis, offset, offset + amount)
        if low
        else along(x, axis, size - offset - amount, size - offset)
    )
    part = rev(part, dimensions=(axis,))
    if odd:
        part = 2 * _edge(x, axis, not low, amount) - part
    return _join(x, axis, part if low else None, None if low else part), width - amount


def _pad_mirror(x: Any, widths: Widths, symmetric: bool, reflect_type: str) -> Any:
    if reflect_type not in ("even", "odd"):
        raise ValueError(f"pad: needs reflect_type 'even' or 'odd'; got {reflect_type!r}")
    for axis, (before, after) in enumerate(widths):
        # One reflection at each end in turn: the next one mirrors what is there already.
        while before or after:
            if before:
                x, before = _mirrored(x, axis, before, True, symmetric, reflect_type == "odd")
            if after:
                x, after = _mirrored(x, axis, after, False, symmetric, reflect_type == "odd")
    return x


def _pad_wrap(x: Any, widths: Widths) -> Any:
    for axis, (before, after) in enumerate(widths):
        size = x.aval.shape[axis]
        places = np.arange(-before, size + after) % size
        x = x[(slice(None),) * axis + (places,)]
    return x


def _pad_statistic(x: Any, widths: Widths, statistic: Callable[..., Any], stat_length: Any) -> Any:
    lengths = (
        [(None, None)] * x.aval.ndim
        if stat_length is None
        else _static_pairs(stat_length, x.aval.ndim)
    )
    for axis, ((before, after), (low, high)) in enumerate(zip(widths, lengths, strict=True)):
        size = x.aval.shape[axis]
        ends = (
            (before, along(x, axis, 0, size if low is None else min(low, size))),
            (after, along(x, axis, 0 if high is None else max(size - high, 0), size)),
        )
        parts = []
        for width, part in ends:
            shape = tuple(width if d == axis else n for d, n in enumerate(x.aval.shape))
            value = statistic(part, axis=axis, keepdims=True)
            if dtypes.is_integer(x.aval.dtype):
                value = round_(value)
            parts.append(broadcast(convert(value, x.aval.dtype), shape) if width else None)
        x = _join(x, axis, *parts)
    return x


def _pad_ramp(x: Any, widths: Widths, end_values: Any) -> Any:
    pairs = _value_pairs(end_values, x.aval.ndim, x.aval.dtype)
    for axis, ((before, after), values) in enumerate(zip(widths, pairs, strict=True)):
        parts: list[Any] = [None, None]
        size = x.aval.shape[axis]
        for end, width in enumerate((before, after)):
            if not width:
                continue
            edge = along(x, axis, size - 1, size) if end else along(x, axis, 0, 1)
            edge = edge.squeeze(axis)
            ramp = linspace(values[end], edge, width, endpoint=False, dtype=x.aval.dtype, axis=axis)
            parts[end] = rev(ramp, dimensions=(axis,)) if end else ramp
        x = _join(x, axis, *parts)
    return x


def _pad_function(x: Any, widths: Widths, function: Callable[..., Any], **keywords: Any) -> Any:
    """A function of NumPy's protocol, applied to each line; it returns the line instead of changing
    it."""
    from_constant = _pad_constant(x, widths, 0)
    for axis, width in enumerate(widths):
        lines = from_constant.swapaxes(axis, -1)
        flat = lines.reshape(-1, lines.aval.shape[-1])
        rows = [
            operand(function(row, width, axis, keywords), "pad", "the function's result")
            for row in flat
        ]
        joined = concatenate(*(row[None] for row in rows), dimension=0) if rows else flat
        from_constant = joined.reshape(lines.aval.shape).swapaxes(axis, -1)
    return from_constant


_STATISTICS = {"maximum": max_, "minimum": min_, "mean": mean_, "median": median_}


@planned("array")
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """`array` with `pad_width` elements before and after each axis: (before, after) for each, a
    pair, or a number.

    mode: "constant" (constant_values=0), "edge", "reflect" and "symmetric" (reflect_type="even"),
    "wrap",
    "linear_ramp" (end_values=0), "maximum", "minimum", "mean", "median" (stat_length=None),
    "empty", or a function.

    >>> from vires import numpy as np
    >>> np.pad(np.arange(3), (1, 2), mode="edge")
    Array([0, 0, 1, 2, 2, 2], dtype=int32)
    """
    x = operand(array, "pad", "array")
    widths = _static_pairs(pad_width, x.aval.ndim)
    if callable(mode):
        return _pad_function(x, widths, mode, **kwargs)
    allowed = {
        "constant": {"constant_values"}, "edge": set(), "empty": set(), "wrap": set(),
        "reflect": {"reflect_type"},
        "symmetric": {"reflect_type"}, "linear_ramp": {"end_values"},
        **{s: {"stat_length"} for s in _STATISTICS},
    }  # fmt: skip
    if mode not in allowed:
        raise NotImplementedError(f"pad: needs a mode among {', '.join(allowed)}; got {mode!r}")
    if not set(kwargs) <= allowed[mode]:
        raise ValueError(
            f"pad: needs {' or '.join(sorted(allowed[mode])) or 'no other argument'} with mode "
            f"{mode!r}; got {', '.join(sorted(set(kwargs) - allowed[mode]))}"
        )
    if not kwargs:
        return _pad_plain(x, tuple(widths), mode)
    return _pad(x, widths, mode, kwargs)


@planned("x")
def _pad_plain(x: Any, widths: tuple[tuple[int, int], ...], mode: str) -> Any:
    return _pad(x, list(widths), mode, {})


def _pad(x: Any, widths: Widths, mode: str, kwargs: dict[str, Any]) -> Any:
    if all(width == (0, 0) for width in widths):
        return x
    if mode in ("constant", "empty"):
        return _pad_constant(x, widths, kwargs.get("constant_values", 0))
    if any(sum(width) and not n for width, n in zip(widths, x.aval.shape, strict=True)):
        raise ValueError(
            f"pad: needs axes with elements for mode {mode!r}; got shape {x.aval.shape}"
        )
    if mode == "edge":
        return _pad_edge(x, widths)
    if mode in ("reflect", "symmetric"):
        return _pad_mirror(x, widths, mode == "symmetric", kwargs.get("reflect_type", "even"))
    if mode == "wrap":
        return _pad_wrap(x, widths)
    if mode == "linear_ramp":
        return _pad_ramp(x, widths, kwargs.get("end_values", 0))
    return _pad_statistic(x, widths, _STATISTICS[mode], kwargs.get("stat_length"))
