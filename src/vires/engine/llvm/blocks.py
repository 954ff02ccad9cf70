"""Steps that are algorithms on operands in memory. Each kind has a function that writes its call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vires.engine.llvm.program import Block

if TYPE_CHECKING:
    from vires.engine.llvm.emit_program import ProgramWriter


def emit_block(writer: ProgramWriter, block: Block) -> None:
    """Write one block into the entry."""
    raise NotImplementedError(block.kind)
