"""Exchange of slices of different lengths along a named axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.trace import aval_of
from vires.lax.arguments import array
from vires.lax.collective import AxisName, all_gather, all_to_all, axis_size, no_groups
from vires.lax.indexing import GatherDimensionNumbers, gather
from vires.lax.reduce import argmax, reduce_or
from vires.lax.shape import broadcast_in_dim, rev, stack
from vires.ops.accept import refuse, typed_all
from vires.ops.bits import and_
from vires.ops.compare import ge, lt
from vires.ops.convert import convert
from vires.ops.elementwise import add, div, sub
from vires.ops.filled import full, iota
from vires.ops.select import select_n

_NAME = "ragged_all_to_all"


def ragged_all_to_all(
    operand: Any, output: Any, input_offsets: Any, send_sizes: Any, output_offsets: Any,
    recv_sizes: Any, *, axis_name: AxisName,
    axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> Any:  # fmt: skip
    """Each place sends rows of `operand` to the places of a named axis, which write them to rows of
    `output`.

    With n places and k slices for each, slice i of n k goes to place i // k: the rows
    ``operand[input_offsets[i]:][:send_sizes[i]]``, which it writes from its row
    ``output_offsets[i]`` on. `recv_sizes` says how many rows come in: slice i from place i // k.
    Rows that nobody sends to keep what `output` has.
    """
    no_groups(_NAME, axis_index_groups)
    x, out = array(operand), array(output)
    numbers = [array(v) for v in (input_offsets, send_sizes, output_offsets, recv_sizes)]
    places = axis_size(axis_name)
    slices = _check(aval_of(x), aval_of(out), [aval_of(v) for v in numbers], places)
    rows, size = aval_of(out).shape[0], aval_of(x).shape[1:]
    if 0 in (slices, rows, *aval_of(x).shape):
        return out
    starts, _, targets, counts = [convert(v, dtypes.int32) for v in numbers]
    # Where the slices that come here begin there, and here.
    begin, target = (all_to_all(v, axis_name, 0, 0, tiled=True) for v in (starts, targets))
    spread = (slices, rows)
    begin, target, count = (broadcast_in_dim(v, spread, (0,)) for v in (begin, target, counts))
    row = iota(dtype=dtypes.int32, shape=spread, dimension=1)
    inside = and_(ge(row, target), lt(row, add(target, count)))
    # Of slices that overlap the last one stays.
    last = argmax(convert(rev(inside, (0,)), dtypes.int32), 0, dtypes.int32)
    chosen = sub(full((rows,), slices - 1, dtypes.int32), last)
    here = iota(dtype=dtypes.int32, shape=(rows,), dimension=0)
    sent = gather(
        sub(add(begin, row), target),
        stack([chosen, here], 1),
        GatherDimensionNumbers((), (0, 1), (0, 1)),
        (1, 1),
    )
    place = div(chosen, full((rows,), slices // places, dtypes.int32))
    taken = gather(
        all_gather(x, axis_name),
        stack([place, sent], 1),
        GatherDimensionNumbers(tuple(range(1, 1 + len(size))), (0, 1), (0, 1)),
        (1, 1, *size),
    )
    written = broadcast_in_dim(reduce_or(inside, (0,)), aval_of(out).shape, (0,))
    return select_n(written, out, taken)


def _check(x: ShapedArray, out: ShapedArray, numbers: Sequence[ShapedArray], places: int) -> int:
    """The number of slices that each place sends."""
    fits = x.ndim and out.ndim and x.shape[1:] == out.shape[1:] and x.dtype == out.dtype
    if not fits:
        raise refuse(_NAME, "operand and output with rows of one type", typed_all([x, out]))
    first = numbers[0].shape
    integers = all(dtypes.is_integer(v.dtype) for v in numbers)
    alike = len(first) == 1 and all(v.shape == first for v in numbers)
    if not integers or not alike or first[0] % places:
        needed = f"offsets and sizes as four integer vectors of one length, a multiple of {places}"
        raise refuse(_NAME, needed, typed_all(numbers))
    return first[0]


__all__ = ["ragged_all_to_all"]
