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
from vires.engine.llvm.contract import emit_contract
from vires.engine.llvm.emit_control import emit_branch, emit_scan, emit_while
from vires.engine.llvm.program import Block, Node
from vires.engine.llvm.sorting import NoMemory, emit_sort, leave_without_memory
from vires.engine.llvm.updates import emit_check, emit_update
from vires.engine.reference import view

if TYPE_CHECKING:
    from vires.engine.llvm.emit_program import ProgramWriter

Emitter = Callable[["ProgramWriter", Block], None]


def emit_library(writer: ProgramWriter, block: Block) -> None:
    """Call a routine of the native core: runtime, static integers, operands, results."""
    args = writer.integers("i64", [int(x) for x in block.params["args"]])
    inputs = writer.pointer_table([x.memory for x in block.operands])
    outputs = writer.pointer_table([x.memory for x in visible(block)])
    name = f"vires_{block.params['name']}"
    passed = ("ptr %rt", f"ptr {args}", f"ptr {inputs}", f"ptr {outputs}")
    leave_without_memory(writer, block, writer.call(name, "i32", *passed))
    writer.check_stop()


#: Blocks with code of their own, by kind.
EMITTERS: dict[str, Emitter] = {
    "contract": emit_contract,
    "scan": emit_scan,
    "while": emit_while,
    "branch": emit_branch,
    "update_slice": emit_update,
    "scatter": emit_update,
    "check": emit_check,
    "sort": emit_sort,
    "library": emit_library,
}
#: Blocks that run on the host, and why.
ON_HOST: dict[str, str] = {
    "random_bits": "the operation is elementwise in its rule",
}


def emit_block(writer: ProgramWriter, block: Block) -> None:
    """Write one block into the entry."""
    emitter = EMITTERS.get(block.kind)
    if emitter is not None and block.params.get("native", True):
        emitter(writer, block)
    else:
        emit_host(writer, block)


def failure_of(block: Block) -> Any:
    """What makes the exception of a failed block."""
    if block.kind == "check":
        return block.params["failure"]
    return NoMemory(block.equation.primitive.name)


def visible(block: Block) -> list[Node]:
    """The results that the operation gives."""
    return [x for x in block.results if x.number >= 0 and x.name != EFFECT]


def host_function(block: Block) -> tuple[Callable[..., None], int]:
    """The Python function that a block calls, with its number of buffers."""
    function = block.params["function"] if block.kind == "host" else reference_of(block.equation)
    results = visible(block)
    call = host_call(function, [x.aval for x in block.operands], [x.aval for x in results])
    return call, len(block.operands) + len(results)


def emit_host(writer: ProgramWriter, block: Block) -> None:
    """Call a Python function with NumPy views of the operands; copy what it returns."""
    nodes = [*block.operands, *visible(block)]
    number = len(writer.hosts)
    writer.hosts.append(block)
    main = writer.main
    table = writer.pointer_table([node.memory for node in nodes])
    field, host, failed = main.fresh(), main.fresh(), main.fresh()
    main.emit(f"{field} = getelementptr ptr, ptr %rt, i64 3")
    main.emit(f"{host} = load ptr, ptr {field}")
    main.emit(f"{failed} = call i32 {host}(ptr %rt, i64 {number}, ptr {table})")
    writer.leave_if(f"icmp ne i32 {failed}, 0", "-1")


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
