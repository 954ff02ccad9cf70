"""Steps that are algorithms on operands in memory. Each kind has a function that writes its call.

What has none yet runs on the host, by the operation's NumPy reference: `ON_HOST` lists it, with the
reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vires.core.avals import ShapedArray
from vires.engine.llvm.builder import EFFECT, reference_of
from vires.engine.llvm.calls import Call, Known, Table, addresses
from vires.engine.llvm.contract import emit_contract
from vires.engine.llvm.emit_control import emit_scan, emit_while
from vires.engine.llvm.gemm import emit_product
from vires.engine.llvm.program import Block, Node
from vires.engine.llvm.sorting import emit_sort
from vires.engine.llvm.updates import emit_check, emit_update
from vires.engine.reference import view

if TYPE_CHECKING:
    from vires.engine.llvm.emit_entry import EntryWriter
    from vires.engine.llvm.emit_program import ProgramWriter

Emitter = Callable[["ProgramWriter", Block], None]
CodeEmitter = Callable[["EntryWriter", Block], None]


def emit_library(writer: ProgramWriter, block: Block) -> None:
    """Call a routine of the native core: runtime, static integers, operands, results."""
    args = Table(8, tuple([int(x) for x in block.params["args"]]))
    inputs = addresses([x.memory for x in block.operands])
    outputs = addresses([x.memory for x in visible(block)])
    operands = (Known.RUNTIME, args, inputs, outputs)
    name = f"vires_{block.params['name']}"
    writer.run([Call(name, operands, failure=writer.failure(block))])


def emit_branch(writer: ProgramWriter, block: Block) -> None:
    """Run one of the regions."""
    writer.branch(block.operands[0].memory, block.regions)


def emit_turns(writer: ProgramWriter, block: Block) -> None:
    """Run a loop in registers."""
    writer.kernel(block.params["kernel"])
    writer.check_stop()


#: What writes blocks, by what they are written as.
EMITTERS: dict[str, Emitter] = {
    "branch": emit_branch,
    "check": emit_check,
    "library": emit_library,
    "product": emit_product,
    "scatter": emit_update,
    "sort": emit_sort,
    "turns": emit_turns,
    "update_slice": emit_update,
}
#: What writes blocks that need code of their own in the entry of a program.
CODE_EMITTERS: dict[str, CodeEmitter] = {
    "contract": emit_contract,
    "scan": emit_scan,
    "while": emit_while,
}
#: Blocks that run on the host, and why.
ON_HOST: dict[str, str] = {
    "random_bits": "the operation is elementwise in its rule",
}


def written_as(block: Block) -> str:
    """How a block is written: as its kind, or as one that does the same with less; `host` where a
    Python function does it.
    """
    params = block.params
    if not params.get("native", True):
        return "host"
    if block.kind in CODE_EMITTERS:
        return "turns" if "kernel" in params else "product" if "product" in params else block.kind
    return block.kind if block.kind in EMITTERS else "host"


def emit_block(writer: ProgramWriter, block: Block) -> None:
    """Write one block that needs no code of its own."""
    EMITTERS.get(written_as(block), emit_host)(writer, block)


def failure_of(block: Block) -> Any:
    """What makes the exception of a failed block."""
    if block.kind == "check":
        return block.params["failure"]
    return NoMemory(block.equation.primitive.name)


def visible(block: Block) -> list[Node]:
    """The results that the operation gives."""
    return [x for x in block.results if x.number >= 0 and x.name != EFFECT]


class NoMemory:
    """The error of an operation that finds no memory for its work."""

    def __init__(self, name: str) -> None:
        self.name = name

    def error(self, position: int, shown: int) -> Exception:
        return MemoryError(f"{self.name}: needs memory for its work; got none")


def host_function(block: Block) -> tuple[Callable[..., None], int]:
    """The Python function that a block calls, with its number of buffers."""
    function = block.params["function"] if block.kind == "host" else reference_of(block.equation)
    results = visible(block)
    call = host_call(function, [x.aval for x in block.operands], [x.aval for x in results])
    return call, len(block.operands) + len(results)


def emit_host(writer: ProgramWriter, block: Block) -> None:
    """Call a Python function with NumPy views of the operands; copy what it returns."""
    writer.call_host(block, [node.memory for node in (*block.operands, *visible(block))])


def host_call(
    function: Callable[..., Sequence[Any]],
    operands: Sequence[ShapedArray],
    results: Sequence[ShapedArray],
) -> Callable[..., None]:
    """What the runtime calls with addresses: operands, then results."""
    count = len(operands)

    def call(*addresses: int) -> None:
        arrays: list[np.ndarray] = []
        for address, aval in zip(addresses, operands, strict=False):
            array = view(address, aval)
            array.flags.writeable = False
            arrays.append(array)
        values = function(*arrays)
        for address, aval, value in zip(addresses[count:], results, values, strict=True):
            np.copyto(view(address, aval), value, casting="unsafe")

    return call
