"""The element that each window chooses: the derivative of maxima over windows, and its
transpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import LoopBuilder, Operand
from vires.ops.accept import REAL, check_dtype, refuse, typed_all
from vires.ops.bits import and_, not_, or_
from vires.ops.compare import eq, gt, lt, ne
from vires.ops.composed import composed
from vires.ops.elementwise import add, mul
from vires.ops.extent import dilated
from vires.ops.extremes import highest, lowest
from vires.ops.filled import full, iota, scalar, zeros
from vires.ops.host import on_host
from vires.ops.join import pad
from vires.ops.linear import tangent_zero
from vires.ops.parts import slice as slice_
from vires.ops.reduce import NUMPY_WIDE
from vires.ops.select import select_n
from vires.ops.shape import broadcast, map_at, reshape
from vires.ops.sliding import Window, check_window

#: Windows of more places are not written out as selections, one for each place.
LARGEST_WRITTEN_OUT = 128

_STRICT = {"ge": gt, "le": lt}


def _outside(select: str, dtype: DType) -> Any:
    return lowest(dtype) if select == "ge" else highest(dtype)


def _chosen(x: np.ndarray, window: Window, select: str) -> np.ndarray:
    """The place within each window of its first extreme (or nan) element that lies in the array."""
    wide = x.astype(NUMPY_WIDE.get(x.dtype, x.dtype), copy=False)
    rank = x.ndim
    view = window.view(wide, _outside(select, x.dtype))
    inside = window.view(np.ones(x.shape, np.bool_), False)
    flat = view.reshape(*view.shape[:rank], math.prod(view.shape[rank:]))
    inside = inside.reshape(flat.shape)
    place = np.argmax(flat, -1) if select == "ge" else np.argmin(flat, -1)
    # Padding can only win a tie with the least value there is.
    lost = ~np.take_along_axis(inside, place[..., None], -1)[..., 0]
    return np.where(lost, np.argmax(inside, -1), place)


def _best_places(x: Any, window: Window, select: str) -> tuple[list[Any], Any]:
    """The elements at each place within the windows, and the number of the chosen place."""
    aval = aval_of(x)
    shape = window.positions(aval.shape)
    candidates = window.elements(x, scalar(_outside(select, aval.dtype), aval.dtype))
    best, place = candidates[0], full(shape, 0, dtypes.int32)
    floating = dtypes.kind(aval.dtype) == "float"
    present = window.elements(full(aval.shape, True, dtypes.bool_), scalar(False, dtypes.bool_))
    seen = present[0]
    for k, (candidate, here) in enumerate(zip(candidates[1:], present[1:], strict=True), 1):
        better = _STRICT[select](candidate, best)
        if floating:
            better = or_(better, and_(ne(candidate, candidate), eq(best, best)))
        better = or_(better, and_(here, not_(seen)))
        best = select_n(better, best, candidate)
        place = select_n(better, place, full(shape, k, dtypes.int32))
        seen = or_(seen, here)
    return candidates, place


def _pair_infer(name: str) -> Callable[..., None]:
    def check(values: ShapedArray, operand: ShapedArray, select: str, window: Window) -> None:
        check_dtype(name, operand, REAL)
        check_window(name, operand, window)
        if values.dtype != operand.dtype:
            raise refuse(name, "operands of one dtype", typed_all((values, operand)))
        if select not in _STRICT:
            raise refuse(name, "select 'ge' or 'le'", repr(select), "", ValueError)

    return check


def _gather_infer(
    tangents: ShapedArray, operand: ShapedArray, *, select: str, **params: Any
) -> ShapedArray:
    window = Window(**params)
    _pair_infer("select_and_gather_add")(tangents, operand, select, window)
    if tangents.shape != operand.shape:
        raise refuse(
            "select_and_gather_add", "operands of one shape", typed_all((tangents, operand))
        )
    return ShapedArray(window.positions(operand.shape), operand.dtype)


def _gather_reference(
    tangents: np.ndarray, operand: np.ndarray, *, select: str, **params: Any
) -> np.ndarray:
    window = Window(**params)
    place = _chosen(operand, window, select)
    view = window.view(tangents, 0)
    flat = view.reshape(*place.shape, math.prod(view.shape[operand.ndim :]))
    return np.take_along_axis(flat, place[..., None], -1)[..., 0]


@composed
def _gather_composed(tangents: Any, operand: Any, *, select: str, **params: Any) -> Any:
    window = Window(**params)
    _, place = _best_places(operand, window, select)
    parts = window.elements(tangents, scalar(0, aval_of(tangents).dtype))
    out = parts[0]
    for k, part in enumerate(parts[1:], 1):
        out = select_n(eq(place, full(aval_of(place).shape, k, dtypes.int32)), out, part)
    return out


def _lowering(name: str, written_out: Callable[..., Any]) -> Callable[..., Any]:
    host = on_host(name, "windows of many places")

    def loops(b: LoopBuilder, *operands: Operand, **params: Any) -> Any:
        small = math.prod(params["window_dimensions"]) <= LARGEST_WRITTEN_OUT
        return (written_out if small else host)(b, *operands, **params)

    return loops


def _pair_batch(primitive: Callable[[], Primitive]) -> Callable[..., tuple[Any, int]]:
    def batch(
        axis: AxisData,
        operands: Sequence[Any],
        dims: Sequence[int | None],
        *,
        select: str,
        **params: Any,
    ) -> tuple[Any, int]:
        both = [map_at(x, d, axis.size, 0) for x, d in zip(operands, dims, strict=True)]
        return primitive()(*both, select=select, **Window(**params).mapped(0)._asdict()), 0

    return batch


def _linear_jvp(primitive: Callable[[], Primitive]) -> Callable[..., tuple[Any, Any]]:
    """Linear in the first operand; the choice by the second has no derivative."""

    def jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        out = primitive()(*primals, **params)
        if tangents[0].__class__ is Zero:
            return out, tangent_zero(aval_of(out))
        return out, primitive()(tangents[0], primals[1], **params)

    return jvp


select_and_gather_add = Primitive(
    "select_and_gather_add",
    """For each window the element of the first operand where the second is greatest ("ge") or
    least ("le").
    """,
    infer=_gather_infer,
    reference=_gather_reference,
    jvp=_linear_jvp(lambda: select_and_gather_add),
    transpose=lambda ct, tangents, operand, **params: [
        select_and_scatter_add(ct, operand, **params),
        None,
    ],
    batch=_pair_batch(lambda: select_and_gather_add),
    loops=_lowering("select_and_gather_add", _gather_composed),
)


# --- its transpose


def _scatter_infer(
    source: ShapedArray, operand: ShapedArray, *, select: str, **params: Any
) -> ShapedArray:
    window = Window(**params)
    _pair_infer("select_and_scatter_add")(source, operand, select, window)
    if source.shape != window.positions(operand.shape):
        raise refuse(
            "select_and_scatter_add",
            f"a source of shape {window.positions(operand.shape)}, one element for each window",
            typed_all((source, operand)),
        )
    return ShapedArray(operand.shape, operand.dtype)


def _scatter_reference(
    source: np.ndarray, operand: np.ndarray, *, select: str, **params: Any
) -> np.ndarray:
    window = Window(**params)
    wide = NUMPY_WIDE.get(source.dtype, source.dtype)
    place = np.unravel_index(_chosen(operand, window, select), window.window_dimensions)
    out = np.zeros(operand.shape, wide)
    if not source.size:
        return out.astype(operand.dtype)
    positions = np.indices(source.shape)
    targets, inside = [], np.ones(source.shape, np.bool_)
    for at, within, n, stride, (low, _), base, gap in zip(
        positions, place, operand.shape, *window[1:], strict=True
    ):
        spot = at * stride + within * gap - low
        inside &= (spot >= 0) & (spot < dilated(n, base)) & (spot % base == 0)
        targets.append(spot // base)
    np.add.at(out, tuple(t[inside] for t in targets), source[inside].astype(wide))
    return out.astype(operand.dtype)


def _is_apart(window: Window) -> bool:
    """Whether no two windows share an element."""
    size, strides, _, base, gaps = window
    ones = set(base) | set(gaps) == {1}
    return ones and all(n <= stride for n, stride in zip(size, strides, strict=True))


def _spread_apart(source: Any, place: Any, window: Window, aval: ShapedArray) -> Any:
    """Each element of `aval` is of one window at most: the window's cotangent if it was chosen."""
    counts, strides = aval_of(source).shape, window.window_strides
    shape = tuple([n for pair in zip(counts, strides, strict=True) for n in pair])
    spread_out = tuple(range(0, len(shape), 2))
    number, inside = full(shape, 0, dtypes.int32), full(shape, True, dtypes.bool_)
    for d, (size, stride) in enumerate(zip(window.window_dimensions, strides, strict=True)):
        if stride > 1:
            within = iota(dtype=dtypes.int32, shape=shape, dimension=2 * d + 1)
            limit = full(shape, size, dtypes.int32)
            number = add(mul(number, limit), within)
            inside = and_(inside, lt(within, limit)) if size < stride else inside
    chosen = and_(inside, eq(broadcast(place, shape, spread_out), number))
    nothing = zeros(ShapedArray(shape, aval.dtype))
    part = select_n(chosen, nothing, broadcast(source, shape, spread_out))
    whole = tuple([n * stride for n, stride in zip(counts, strides, strict=True)])
    part = reshape(part, new_sizes=whole, dimensions=None)
    config = tuple([
        (-low, size - n + low, 0)
        for n, size, (low, _) in zip(whole, aval.shape, window.padding, strict=True)
    ])  # fmt: skip
    return pad(part, scalar(0, aval.dtype), padding_config=config)


@composed
def _scatter_composed(source: Any, operand: Any, *, select: str, **params: Any) -> Any:
    window = Window(**params)
    aval = aval_of(operand)
    _, place = _best_places(operand, window, select)
    total = zeros(ShapedArray(aval.shape, aval.dtype))
    if _is_apart(window):
        return add(total, _spread_apart(source, place, window, aval))
    nothing = zeros(aval_of(source))
    shape = aval_of(source).shape
    # Each place within the windows sends its cotangents where `Window.elements` took the elements
    # from.
    for k, offset in enumerate(window.offsets()):
        chosen = eq(place, full(shape, k, dtypes.int32))
        part = select_n(chosen, nothing, source)
        spread_out, cut = [], []
        for o, n, m, stride, (low, high), base, gap in zip(
            offset, aval.shape, shape, *window[1:], strict=True
        ):
            padded = dilated(n, base) + low + high
            start = o * gap
            spread_out.append((start - low, padded - start - dilated(m, stride) - high, stride - 1))
            cut.append(base)
        wide = pad(part, scalar(0, aval.dtype), padding_config=tuple(spread_out))
        full_shape = aval_of(wide).shape
        back = slice_(
            wide, start_indices=(0,) * aval.ndim, limit_indices=full_shape, strides=tuple(cut)
        )
        total = add(total, back)
    return total


select_and_scatter_add = Primitive(
    "select_and_scatter_add",
    """Zeros with each element of the first operand added where its window of the second is
    greatest or least.
    """,
    infer=_scatter_infer,
    reference=_scatter_reference,
    jvp=_linear_jvp(lambda: select_and_scatter_add),
    transpose=lambda ct, source, operand, **params: [
        select_and_gather_add(ct, operand, **params),
        None,
    ],
    batch=_pair_batch(lambda: select_and_scatter_add),
    loops=_lowering("select_and_scatter_add", _scatter_composed),
)
