"""Sorting by the native core's radix sort."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vires.core import dtypes
from vires.engine.llvm.calls import Call, Known, Table, addresses
from vires.engine.llvm.program import Block

if TYPE_CHECKING:
    from vires.engine.llvm.emit_program import ProgramWriter


def emit_sort(writer: ProgramWriter, block: Block) -> None:
    """Sort the operands together along an axis by the first of them."""
    params = block.params
    axis: int = params["axis"]
    keys: int = params["num_keys"]
    shape = block.operands[0].shape
    outer, length, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    operands = (
        Known.RUNTIME,
        outer,
        length,
        inner,
        len(block.operands),
        keys,
        Table(4, tuple([dtypes.CODE_OF[x.aval.dtype] for x in block.operands])),
        Table(8, tuple([x.dtype.itemsize for x in block.operands])),
        addresses([x.memory for x in block.operands]),
        addresses([x.memory for x in block.results]),
    )
    writer.run([Call("vires_sort", operands, failure=writer.failure(block))])
