"""scatter: slices written, or combined, at positions given by indices.

How the loops run depends on shapes alone:

* Where different turns of a loop write different elements (axes that operand and updates share,
  windows along an axis that no index moves, unique indices), its turns are divided among tasks.
* Where many updates are combined into few elements, each task combines a fixed part of the updates
  into an array of its own, and a second kernel combines these arrays in a fixed order.
* Otherwise one task writes the updates in their order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vires.engine.llvm.express import merge_loops
from vires.engine.llvm.expressions import INT64, Expr, Index, LoopVar
from vires.engine.llvm.program import Block, Buffer, Kernel, Node, Store
from vires.engine.llvm.schedule import schedule
from vires.engine.llvm.update_blocks import UNROLLED, identity
from vires.engine.llvm.updates import begin_loops, clamp

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder
    from vires.ops.slices import ScatterDimensionNumbers

#: Rows of partial results begin at multiples of so many elements.
_ROW = 16
_WIDE = np.dtype(np.float32)
#: Integers that hold the bits of floats.
_ORDERED = {_WIDE: np.dtype(np.int32), np.dtype(np.float64): np.dtype(np.int64)}


def scatter_steps(builder: Builder, block: Block, vector_bytes: int) -> list[Block | Kernel]:
    """The steps that do the work of the block."""
    result = block.results[0].memory
    parts: int = block.params["parts"]
    if not parts:
        kernel = _kernel(builder, block, result)
        schedule(builder, kernel, vector_bytes)
        block.params["kernel"] = kernel
        return [block]
    combine: str = block.params["combine"]
    dtype = _partial_dtype(combine, result.dtype)
    row = -(-result.size // _ROW) * _ROW
    partial = Buffer((parts, row), dtype)
    begin = _fill(builder, partial, combine, result.dtype)
    schedule(builder, begin, vector_bytes)
    kernel = _kernel(builder, block, partial)
    schedule(builder, kernel, vector_bytes)
    end = _combination(builder, block, partial)
    schedule(builder, end, vector_bytes)
    for step in (begin, kernel, end):
        step.nodes = block.results
    return [begin, kernel, end]


def _partial_dtype(combine: str, dtype: Any) -> Any:
    """The dtype in which parts are combined: sums and products of half precision in float32,
    extremes of floats as integers of the same order, since processors are slow at those of floats
    with nan and signed zeros.
    """
    if dtype.kind in "fV" and combine in ("add", "mul") and dtype.itemsize < 4:
        return _WIDE
    return _ORDERED.get(dtype, dtype) if combine in ("min", "max") else dtype


def _into(builder: Builder, x: Expr, combine: str | None, dtype: Any) -> Expr:
    """A value as its part is combined; nan as the largest or smallest."""
    if dtype.kind != "i" or x.dtype.kind != "f":
        return builder.convert(x, dtype)
    wins = math.copysign(math.nan, 1.0 if combine == "max" else -1.0)
    nan = builder.constant(_ordered(wins, x.dtype), dtype)
    return builder.select(builder.op("is_nan", x), nan, _flip(builder, builder.bitcast(x, dtype)))


def _back(builder: Builder, x: Expr, dtype: Any) -> Expr:
    if dtype.kind != "f" or x.dtype.kind != "i":
        return builder.convert(x, dtype)
    return builder.bitcast(_flip(builder, x), dtype)


def _flip(builder: Builder, bits: Expr) -> Expr:
    """Between the bits of floats and integers of the same order: the bits below the sign are
    inverted where it is set.
    """
    width = 8 * bits.dtype.itemsize
    sign = builder.op("shift_right_arithmetic", bits, builder.constant(width - 1, bits.dtype))
    mask = builder.constant((1 << width - 1) - 1, bits.dtype)
    return builder.op("xor", bits, builder.op("and", sign, mask))


def _ordered(value: float, dtype: Any) -> int:
    """The integer of a float in that order."""
    bits = int(np.array(value, dtype).view(_ORDERED[dtype]))
    return bits ^ ((1 << 8 * dtype.itemsize - 1) - 1) if bits < 0 else bits


def _fill(builder: Builder, partial: Buffer, combine: str, dtype: Any) -> Kernel:
    """The value that changes nothing, everywhere."""
    value = identity(combine, dtype)
    if partial.dtype.kind == "i" and dtype.kind == "f":
        value = _ordered(value, dtype)
    kernel = Kernel((partial.size,), 0)
    (place,) = begin_loops(builder, kernel, (partial.size,))
    kernel.stores.append(Store(partial, place, builder.constant(value, partial.dtype)))
    return kernel


def _combination(builder: Builder, block: Block, partial: Buffer) -> Kernel:
    """The operand combined with what the tasks have combined."""
    operand: Node = block.params["operand"]
    combine: str = block.params["combine"]
    parts, row = partial.shape
    kernel = Kernel(operand.shape, 0)
    index = begin_loops(builder, kernel, operand.shape)
    place = builder.offset(operand.shape, index)
    values = [builder.load(partial, place + k * row, partial.dtype) for k in range(parts)]
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=True)
        values = [builder.op(combine, a, b) for a, b in pairs]
    wide = _WIDE if partial.dtype is _WIDE else operand.dtype
    before = builder.convert(operand.at(index), wide)
    total = builder.op(combine, before, _back(builder, values[0], wide))
    total = builder.convert(total, operand.dtype)
    kernel.stores.append(Store(block.results[0].memory, place, total))
    kernel.loops = merge_loops(kernel, [kernel.loops])
    return kernel


def _kernel(builder: Builder, block: Block, target: Buffer) -> Kernel:
    """The loops over the updates; of several updates of one element the last one stays, or all are
    combined.
    """
    params = block.params
    operand, updates = params["operand"], params["updates"]
    numbers: ScatterDimensionNumbers = params["dimension_numbers"]
    sizes: Sequence[int] = params["slice_sizes"]
    combine: str | None = params["combine"]
    unrolled = _unrolled(updates.shape, numbers)
    domain = [1 if d in unrolled else n for d, n in enumerate(updates.shape)]
    kernel = Kernel(tuple(domain), 0)
    kernel.scatters = kernel.exact = True
    index = begin_loops(builder, kernel, domain)
    # Slices that are left out: of short windows the lanes are masked, others are written without
    # any effect.
    short = bool(unrolled) or not numbers.update_window_dims
    neutral = None if short else identity(combine, operand.dtype)
    position = builder.index(0, ())
    if params["parts"]:
        kernel.part = builder.variable(params["parts"])
        position = builder.as_index(kernel.part) * target.shape[1]
    batch = [i for d, i in enumerate(index) if d not in numbers.update_window_dims]
    starts, inside = _starts(builder, params, batch, neutral is not None)
    if inside is not None and inside.op == "const":
        if not inside.attr:
            return kernel
        inside = None
    for place in _places(index, unrolled, updates.shape):
        window = iter([place[d] for d in numbers.update_window_dims])
        at: list[Index] = []
        for d in range(len(sizes)):
            start = starts[d]
            if d not in numbers.inserted_window_dims and d not in numbers.operand_batching_dims:
                start = start + next(window)
            at.append(start)
        value = updates.at(place)
        mask = inside
        if inside is not None and neutral is not None:
            value = builder.select(inside, value, builder.constant(neutral, value.dtype))
            mask = None
        value = _into(builder, value, combine, target.dtype)
        offset = position + builder.offset(operand.shape, at)
        kernel.stores.append(Store(target, offset, value, combine, mask))
    _merge(builder, kernel, numbers, index, params)
    return kernel


def _unrolled(shape: Sequence[int], numbers: ScatterDimensionNumbers) -> set[int]:
    """The last axes of short windows, whose elements are written one by one."""
    found: set[int] = set()
    total = 1
    for d in reversed(numbers.update_window_dims):
        total *= shape[d]
        if total > UNROLLED or (not found and total == UNROLLED):
            break
        found.add(d)
    return found


def _places(
    index: Sequence[Index], unrolled: set[int], shape: Sequence[int]
) -> Iterator[tuple[Index | int, ...]]:
    """The index, at each element of the unrolled axes."""
    return itertools.product(
        *[range(shape[d]) if d in unrolled else (i,) for d, i in enumerate(index)]
    )


def _starts(
    builder: Builder, params: dict[str, Any], batch: Sequence[Index], clamped: bool
) -> tuple[list[Index], Expr | None]:
    """Where the slice begins along each axis of the operand, and whether it lies inside (None: it
    does). With `clamped`, slices that do not are moved inside.
    """
    operand, indices = params["operand"], params["indices"]
    numbers: ScatterDimensionNumbers = params["dimension_numbers"]
    starts: list[Index] = []
    inside: Expr | None = None
    for d, size in enumerate(operand.shape):
        position = builder.index(0, ())
        if d in numbers.scatter_dims_to_operand_dims:
            component = numbers.scatter_dims_to_operand_dims.index(d)
            start = indices.at([*batch, component])
            last = size - params["slice_sizes"][d]
            if start.dtype.name == "uint64":
                start = builder.op("min", start, builder.constant(size, start.dtype))
            if start.dtype.name != "int32" or last >= 1 << 31:
                start = builder.convert(start, INT64)
            if params["drop"]:
                within = builder.op(
                    "and",
                    builder.op("ge", start, builder.constant(0, start.dtype)),
                    builder.op("le", start, builder.constant(last, start.dtype)),
                )
                inside = within if inside is None else builder.op("and", inside, within)
            if params["drop"] and not clamped:
                position = builder.as_index(builder.convert(start, INT64))
            else:
                position = clamp(builder, start, last)
        elif d in numbers.operand_batching_dims:
            axis = numbers.scatter_indices_batching_dims[numbers.operand_batching_dims.index(d)]
            position = batch[axis]
        starts.append(position)
    return starts, inside


def _merge(
    builder: Builder,
    kernel: Kernel,
    numbers: ScatterDimensionNumbers,
    index: Sequence[Index],
    params: dict[str, Any],
) -> None:
    """Make one loop of neighbours where one will do, and note the loops whose turns write different
    elements.
    """
    windows = iter(numbers.update_window_dims)
    fixed: set[int] = set()
    for d in range(len(params["slice_sizes"])):
        if d in numbers.inserted_window_dims or d in numbers.operand_batching_dims:
            continue
        axis = next(windows)
        if d not in numbers.scatter_dims_to_operand_dims:
            fixed.add(axis)
    batch = [d for d in range(len(index)) if d not in numbers.update_window_dims]
    if params["unique"]:
        fixed.update(batch)
    else:
        fixed.update([batch[axis] for axis in numbers.scatter_indices_batching_dims])
    runs: list[list[LoopVar]] = []
    apart: list[bool] = []
    for d, i in enumerate(index):
        var = i.terms[0][0] if i.terms else None
        if isinstance(var, LoopVar) and var in kernel.loops:
            if not apart or apart[-1] != (d in fixed):
                apart.append(d in fixed)
                runs.append([])
            runs[-1].append(var)
    kernel.loops = merge_loops(kernel, runs)
    kernel.apart = [
        v for v in kernel.loops for run, a in zip(runs, apart, strict=True) if a and v in run
    ]
