"""Sorting by the native core's radix sort."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vires.core import dtypes
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
    count = len(block.operands)
    codes = [dtypes.CODE_OF[x.aval.dtype] for x in block.operands]
    code_table = writer.integers("i32", codes)
    size_table = writer.integers("i64", [x.dtype.itemsize for x in block.operands])
    inputs = writer.pointer_table([x.memory for x in block.operands])
    outputs = writer.pointer_table([x.memory for x in block.results])
    failed = writer.call(
        "vires_sort",
        "i32",
        "ptr %rt",
        f"i64 {outer}",
        f"i64 {length}",
        f"i64 {inner}",
        f"i64 {count}",
        f"i64 {keys}",
        f"ptr {code_table}",
        f"ptr {size_table}",
        f"ptr {inputs}",
        f"ptr {outputs}",
    )
    leave_without_memory(writer, block, failed)


def leave_without_memory(writer: ProgramWriter, block: Block, failed: str) -> None:
    """Leave the program where a routine says that it found no memory for its work."""
    main = writer.main
    site = len(writer.failures)
    writer.failures.append(block)
    bad, out, on = main.fresh(), main.fresh_label("memory"), main.fresh_label("on")
    main.emit(f"{bad} = icmp ne i32 {failed}, 0")
    main.emit(f"br i1 {bad}, label %{out}, label %{on}")
    main.label(out)
    place, function = main.fresh(), main.fresh()
    main.emit(f"{place} = getelementptr ptr, ptr %rt, i64 2")
    main.emit(f"{function} = load ptr, ptr {place}")
    main.emit(f"call void {function}(ptr %rt, i64 {site}, i64 0, i64 0)")
    main.emit("ret i32 1")
    main.label(on)


class NoMemory:
    """The error of an operation that finds no memory for its work."""

    def __init__(self, name: str) -> None:
        self.name = name

    def error(self, position: int, shown: int) -> Exception:
        return MemoryError(f"{self.name}: needs memory for its work; got none")
