"""Reductions over sliding windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.core import dtypes, tree
from vires.core.trace import aval_of
from vires.lax.arguments import array, scalar_of
from vires.lax.convolve import padtype_to_pads
from vires.lax.monoids import NEUTRAL, apply_elementwise, is_identity, monoid, repeated
from vires.ops import window as ops
from vires.ops.accept import refuse, typed, typed_all
from vires.ops.extent import dilated
from vires.ops.filled import full
from vires.ops.select import select_n
from vires.ops.sliding import Window, check_window

_NAMED = {"add": ops.reduce_window_sum, "max": ops.reduce_window_max, "min": ops.reduce_window_min}


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[[Any, Any], Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Combine the elements of each window with an associative function of two scalars.

    Each window starts from `init_value`; places outside the array, and between elements that
    `base_dilation` moves apart, are left out. `operand` and `init_value` may be trees of one
    structure; `computation(x, y)` takes and returns such trees. Sums and extremes run as such.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.reduce_window(np.arange(6.0), -np.inf, lax.max, (2,), (2,)).tolist()
    [1.0, 3.0, 5.0]
    """
    flat, structure = tree.flatten(operand)
    initial, initial_structure = tree.flatten(init_value)
    if not flat or structure != initial_structure:
        raise refuse(
            "reduce_window",
            "operand and init_value of one structure",
            f"{structure} and {initial_structure}",
        )
    arrays = [array(x) for x in flat]
    inits = [
        i if hasattr(i, "aval") else scalar_of(i, x.dtype)
        for i, x in zip(initial, arrays, strict=True)
    ]
    if any(x.shape != arrays[0].shape for x in arrays) or any(
        aval_of(i).shape or aval_of(i).dtype != x.dtype for i, x in zip(inits, arrays, strict=True)
    ):
        raise refuse(
            "reduce_window",
            "operands of one shape and 0-d init values of their dtypes",
            typed_all([aval_of(x) for x in (*arrays, *inits)]),
        )
    ones = (1,) * arrays[0].ndim
    size, strides, base, gaps = (
        ones if axes is None else tuple(axes)
        for axes in (window_dimensions, window_strides, base_dilation, window_dilation)
    )
    if isinstance(padding, str):
        if not all(len(axes) == arrays[0].ndim for axes in (size, strides, base, gaps)):
            raise refuse(
                "reduce_window",
                f"window_dimensions, strides and dilations for each of {arrays[0].ndim} axes",
                f"{size}, {strides}, {base} and {gaps} for {typed(arrays[0].aval)}",
                "",
                ValueError,
            )
        spread = [dilated(n, d) for n, d in zip(arrays[0].shape, base, strict=True)]
        extents = [dilated(k, d) for k, d in zip(size, gaps, strict=True)]
        padding = padtype_to_pads(spread, extents, strides, padding)
    pads = tuple((int(low), int(high)) for low, high in padding)
    window = Window(size, strides, pads, base, gaps)
    check_window("reduce_window", aval_of(arrays[0]), window)

    def flat_computation(*scalars: Any) -> list[Any]:
        half = len(scalars) // 2
        first, second = structure.unflatten(scalars[:half]), structure.unflatten(scalars[half:])
        return tree.leaves(computation(first, second))

    totals = [repeated(init, window.positions(arrays[0].shape)) for init in inits]
    neutral = False
    if len(arrays) == 1:
        (x,), (init,) = arrays, inits
        operation = monoid(lambda a, b: flat_computation(a, b)[0], x.dtype)
        neutral = operation in NEUTRAL and is_identity(init, operation, x.dtype)
        if operation in _NAMED and x.dtype != dtypes.bool_:
            found = [_NAMED[operation](x, **window._asdict())]
            if not neutral:
                found = apply_elementwise(flat_computation, totals, found)
            return structure.unflatten(found)
    if aval_of(totals[0]).size:
        elements = [window.elements(x, init) for x, init in zip(arrays, inits, strict=True)]
        holes = any(low > 0 or high > 0 for low, high in pads) or any(step > 1 for step in base)
        inside = None
        if holes and not neutral:
            everywhere = full(arrays[0].shape, True, dtypes.bool_)
            inside = window.elements(everywhere, full((), False, dtypes.bool_))
        for place, parts in enumerate(zip(*elements, strict=True)):
            following = apply_elementwise(flat_computation, totals, parts)
            if inside is not None:
                following = [
                    select_n(inside[place], old, new)
                    for old, new in zip(totals, following, strict=True)
                ]
            totals = following
    return structure.unflatten(totals)


__all__ = ["reduce_window"]
