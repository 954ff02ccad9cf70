"""Programs without an entry: the native core performs their calls from a list.

Compiling an entry takes longer than many a kernel, and a list costs nanoseconds a call when it
runs. Loops around steps stay in machine code (`emit_entry`): there these nanoseconds count.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from vires import _native
from vires.engine.llvm.blocks import CODE_EMITTERS, written_as
from vires.engine.llvm.calls import Addresses, Call, Kinds, Known, Operand, Steps, Table
from vires.engine.llvm.emit_entry import EntryWriter
from vires.engine.llvm.emit_program import ProgramWriter
from vires.engine.llvm.modules import Begin, Unit
from vires.engine.llvm.program import Block, Buffer, Kernel, Region

_KNOWN = {
    Known.TASK: (Kinds.TASK, 0, 0),
    Known.FRAME: (Kinds.FRAME, 0, 0),
    Known.RUNTIME: (Kinds.RUNTIME, 0, 0),
    Known.NULL: (Kinds.NUMBER, 0, 0),
}


class TooManyOperands(Exception):
    """A kernel has more buffers than the core passes to a function."""


def can_list(region: Region) -> bool:
    """Whether the steps of a region are calls only, or branches and checks around calls."""
    return all(
        isinstance(step, Kernel)
        or (written_as(step) not in CODE_EMITTERS and all(map(can_list, step.regions)))
        for step in region.steps
    )


class ListWriter(ProgramWriter):
    """Writes the calls of a program besides the functions of its kernels."""

    def __init__(self, slots: int, extended: int, begin: Begin | None = None) -> None:
        super().__init__(slots, extended, begin)
        self._words: list[int] = [0]
        #: Where the number of steps of the current list stands.
        self._count = 0
        self._functions: dict[str, int] = {}
        self._tables: dict[Table, int] = {}

    def units(self, region: Region) -> list[Unit]:
        self.steps(region)
        return self.division.finish(None)[0]

    def calls(self) -> dict[str, Any] | None:
        return {
            "slots": self.slots,
            "keeps": self.extended > self.slots,
            "functions": list(self._functions),
            "tables": [[table.itemsize, list(table.values)] for table in self._tables],
            "words": self._words,
        }

    def run(self, calls: Sequence[Call], tasks: int = 1, *, threads: bool = False) -> None:
        self._begin(Steps.TASKS, tasks, threads, len(calls))
        for call in calls:
            if not call.is_kernel:
                self.symbols[call.function] = ""
            if len(call.operands) > _native.MOST_OPERANDS:
                raise TooManyOperands
            number = self._functions.setdefault(call.function, len(self._functions))
            self._words += (number, call.failure, len(call.operands))
            for operand in call.operands:
                self._words += self._operand(operand)

    def _operand(self, operand: Operand) -> Sequence[int]:
        match operand:
            case int():
                return Kinds.NUMBER, operand, 0
            case Buffer():
                return Kinds.PLACE, *_place(operand)
            case Table():
                return Kinds.TABLE, self._tables.setdefault(operand, len(self._tables)), 0
            case Addresses():
                places = chain.from_iterable(map(_place, operand.buffers))
                return Kinds.PLACES, len(operand.buffers), 0, *places
            case _:
                return _KNOWN[operand]

    def call_host(self, block: Block, buffers: Sequence[Buffer]) -> None:
        self._begin(Steps.HOST, len(self.hosts), len(buffers))
        self._words += chain.from_iterable(map(_place, buffers))
        self.hosts.append(block)

    def copy_unless_same(self, target: Buffer, source: Buffer) -> None:
        self._begin(Steps.COPY, *_place(target), *_place(source), target.nbytes)

    def check(
        self, condition: Buffer, region: Region, position: Buffer, shown: Buffer, failure: int
    ) -> None:
        self._begin(Steps.CHECK, *_place(condition), *_place(position), *_place(shown), failure)
        self._inside(region)

    def branch(self, index: Buffer, regions: Sequence[Region]) -> None:
        kind = index.dtype
        self._begin(Steps.BRANCH, *_place(index), kind.itemsize, kind.kind == "i", len(regions))
        for region in regions:
            self._inside(region)

    def check_stop(self) -> None:
        pass  # the core does, after each step

    def _begin(self, *words: int) -> None:
        """A step of the current list."""
        self._words[self._count] += 1
        self._words += map(int, words)

    def _inside(self, region: Region) -> None:
        """The steps of a region, as a list inside a step."""
        outer, self._count = self._count, len(self._words)
        self._words.append(0)
        self.steps(region)
        self._count = outer


def _place(buffer: Buffer) -> tuple[int, int]:
    root = buffer.find()
    return root.slot, root.offset


def write(
    region: Region, slots: int, extended: int, begin: Begin | None
) -> tuple[ProgramWriter, list[Unit]]:
    """A program with these steps, in one form or the other: its writer and its modules."""
    entry = EntryWriter(slots, extended, begin)
    if can_list(region):
        writer = ListWriter(slots, extended, begin)
        with suppress(TooManyOperands):
            return writer, writer.units(region)
        # Kernels that are written, and being compiled, are found again by their text.
        entry.bodies, entry.division = writer.bodies, writer.division
    return entry, entry.units(region)
