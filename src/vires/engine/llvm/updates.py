"""Writing into a part of an array at run-time positions.

The result begins as a copy of the operand, or is the operand's own memory where nothing else needs
that
(see `inplace`): then the cost is that of the update, whatever the size of the array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vires.engine.llvm.express import merge_loops
from vires.engine.llvm.expressions import INT64, Expr, Index
from vires.engine.llvm.program import Block, Kernel, Store
from vires.engine.llvm.schedule import schedule

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder
    from vires.engine.llvm.emit_program import ProgramWriter


def update_slice_steps(builder: Builder, block: Block, vector_bytes: int) -> list[Block | Kernel]:
    """The block, with the loops over the update that write it into the result."""
    block.params["kernel"] = kernel = _kernel(builder, block)
    schedule(builder, kernel, vector_bytes)
    return [block]


def _kernel(builder: Builder, block: Block) -> Kernel:
    params = block.params
    operand, update, starts = params["operand"], params["update"], params["starts"]
    kernel = Kernel(update.shape, 0)
    kernel.exact = True  # the update may be computed from what it is written over
    index = begin_loops(builder, kernel, update.shape)
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
    kernel.loops = merge_loops(kernel, [kernel.loops])
    return kernel


def clamp(builder: Builder, x: Expr, last: int) -> Index:
    """x, of int64 or of a narrower dtype that holds `last`, moved between 0 and `last`."""
    low = builder.op("max", x, builder.constant(0, x.dtype))
    high = builder.convert(builder.op("min", low, builder.constant(max(last, 0), x.dtype)), INT64)
    if high.op in ("min", "max") and high.range is None:
        high = builder.node(high.op, high.args, INT64, None, (0, max(last, 0)))
        high.range = (0, max(last, 0))
    return builder.as_index(high)


def begin_loops(builder: Builder, kernel: Kernel, shape: Sequence[int]) -> tuple[Index, ...]:
    """One loop for each axis of the updates; gives the index."""
    builder.restart_variables()
    builder.memo.clear()
    variables = [builder.variable(n) for n in shape]
    kernel.loops = [v for v in variables if v.size != 1]
    return tuple([builder.as_index(v) if v.size != 1 else builder.index(0, ()) for v in variables])


def emit_update(writer: ProgramWriter, block: Block) -> None:
    """Copy the operand, unless it is the result's own memory, and run the loops over the update."""
    operand, result = block.operands[0].memory, block.results[0].memory
    if operand.find() is not result.find():  # they may still be one: a donated argument
        writer.copy_unless_same(result, operand)
    kernel: Kernel = block.params["kernel"]
    if kernel.stores and math.prod(kernel.domain):
        writer.kernel(kernel)


def emit_check(writer: ProgramWriter, block: Block) -> None:
    """Stop with an error unless all elements of the condition hold."""
    region = block.regions[0]
    position, shown = (x.memory for x in region.outputs)
    condition = block.operands[0].memory
    writer.check(condition, region, position, shown, writer.failure(block))
