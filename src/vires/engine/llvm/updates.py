"""Writing into a part of an array: a slice at run-time positions, and scatter.

The result begins as a copy of the operand, or is the operand's own memory where nothing else needs
that
(see `inplace`): then the cost is that of the update, whatever the size of the array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vires.engine.llvm.expressions import BOOL, INT64, Expr, Index
from vires.engine.llvm.program import Block, Buffer, Kernel, Node, Store

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder
    from vires.engine.llvm.emit_program import ProgramWriter
    from vires.ops.slices import ScatterDimensionNumbers


def update_slice_kernel(builder: Builder, block: Block) -> Kernel:
    """The loops over the update that write it into the result."""
    operand, update, *starts = block.operands
    kernel = Kernel(update.shape, 0)
    index = _loops(builder, kernel, update.shape)
    target: list[Index] = []
    for d, i in enumerate(index):
        last = operand.shape[d] - update.shape[d]
        start = builder.convert(starts[d].at(()), INT64)
        if starts[d].dtype.name == "uint64":
            limit = builder.constant(last, starts[d].dtype)
            start = builder.convert(builder.op("min", starts[d].at(()), limit), INT64)
        target.append(clamp(builder, start, last) + i)
    result = block.results[0].buffer
    assert result is not None
    value = update.at(index)
    kernel.stores.append(Store(result, builder.offset(operand.shape, target), value))
    return kernel


def scatter_kernel(builder: Builder, block: Block) -> Kernel:
    """The loops over the updates; of several updates of one element the last one stays, or all are
    combined.
    """
    operand, indices, updates = block.operands
    params = block.params
    numbers: ScatterDimensionNumbers = params["dimension_numbers"]
    sizes: Sequence[int] = params["slice_sizes"]
    combine: str | None = params["combine"]
    kernel = Kernel(updates.shape, 0)
    index = _loops(builder, kernel, updates.shape)
    batch = [i for d, i in enumerate(index) if d not in numbers.update_window_dims]
    window = iter([index[d] for d in numbers.update_window_dims])
    target: list[Index] = []
    inside: Expr | None = None
    for d, size in enumerate(operand.shape):
        position = builder.index(0, ())
        if d in numbers.scatter_dims_to_operand_dims:
            component = numbers.scatter_dims_to_operand_dims.index(d)
            start = _index_at(builder, indices, [*batch, component], size)
            last = size - sizes[d]
            if params["drop"]:
                within = builder.op(
                    "and",
                    builder.op("ge", start, builder.constant(0, INT64)),
                    builder.op("le", start, builder.constant(last, INT64)),
                )
                inside = within if inside is None else builder.op("and", inside, within)
                position = builder.as_index(start)
            else:
                position = clamp(builder, start, last)
        elif d in numbers.operand_batching_dims:
            axis = numbers.scatter_indices_batching_dims[numbers.operand_batching_dims.index(d)]
            position = batch[axis]
        if d not in numbers.inserted_window_dims and d not in numbers.operand_batching_dims:
            position = position + next(window)
        target.append(position)
    result = block.results[0].buffer
    assert result is not None
    offset = builder.offset(operand.shape, target)
    value = updates.at(index)
    if inside is not None and inside.op == "const":
        if not inside.attr:
            return kernel
        inside = None
    kernel.stores.append(Store(result, offset, value, combine, inside))
    return kernel


def _index_at(builder: Builder, indices: Node, place: Sequence[Any], size: int) -> Expr:
    start = indices.at(place)
    if start.dtype.name == "uint64":
        start = builder.op("min", start, builder.constant(size, start.dtype))
    return builder.convert(start, INT64)


def clamp(builder: Builder, x: Expr, last: int) -> Index:
    """x moved between 0 and `last`, as an index."""
    low = builder.op("max", x, builder.constant(0, INT64))
    high = builder.op("min", low, builder.constant(max(last, 0), INT64))
    if high.op in ("min", "max") and high.range is None:
        high = builder.node(high.op, high.args, INT64, None, (0, max(last, 0)))
        high.range = (0, max(last, 0))
    return builder.as_index(high)


def _loops(builder: Builder, kernel: Kernel, shape: Sequence[int]) -> tuple[Index, ...]:
    """One loop for each axis of the updates; gives the index."""
    builder.restart_variables()
    builder.memo.clear()
    variables = [builder.variable(n) for n in shape]
    kernel.loops = [v for v in variables if v.size != 1]
    return tuple([builder.as_index(v) if v.size != 1 else builder.index(0, ()) for v in variables])


def emit_update(writer: ProgramWriter, block: Block) -> None:
    """Copy the operand, unless it is the result's own memory, and run the loops over the update."""
    operand, result = block.operands[0].buffer, block.results[0].buffer
    assert operand is not None and result is not None
    if operand.find() is not result.find():  # they may still be one: a donated argument
        writer.copy_unless_same(
            writer.main_pointer(result), writer.main_pointer(operand), operand.nbytes
        )
    kernel: Kernel = block.params["kernel"]
    if kernel.stores and math.prod(kernel.domain):
        writer.kernel(kernel)


def emit_check(writer: ProgramWriter, block: Block) -> None:
    """Stop with an error unless all elements of the condition hold."""
    main = writer.main
    good = main.load(writer.main_pointer(_buffer(block.operands[0])), BOOL)
    failed, on = main.fresh_label("failed"), main.fresh_label("on")
    main.cond_br(good, on, failed)
    main.label(failed)
    region = block.regions[0]
    writer.steps(region)
    position, shown = (main.load(writer.main_pointer(_buffer(x)), INT64) for x in region.outputs)
    site = len(writer.failures)
    writer.failures.append(block)
    place, function = main.fresh(), main.fresh()
    main.emit(f"{place} = getelementptr ptr, ptr %rt, i64 2")
    main.emit(f"{function} = load ptr, ptr {place}")
    main.emit(f"call void {function}(ptr %rt, i64 {site}, {position.typed}, {shown.typed})")
    main.emit("ret i32 1")
    main.label(on)


def _buffer(node: Node) -> Buffer:
    assert node.buffer is not None
    return node.buffer
