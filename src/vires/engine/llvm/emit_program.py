"""A program in steps: a function for each kernel, and what runs them in order.

That is code of its own (`emit_entry`) where a program has loops around steps, and otherwise a list
of calls that the native core performs (`call_list`).
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from vires.engine.llvm.blocks import emit_block
from vires.engine.llvm.calls import Call, kernel_call
from vires.engine.llvm.code import Code
from vires.engine.llvm.emit import Writer
from vires.engine.llvm.kinds import INT64
from vires.engine.llvm.modules import Begin, Body, Division, Unit, cost
from vires.engine.llvm.program import Block, Buffer, Kernel, Region, Step
from vires.engine.llvm.ssa import Val

KernelWriter = TypeVar("KernelWriter", bound=Writer)


class ProgramWriter(abc.ABC):
    """Writes the functions of one program, and what calls them."""

    def __init__(self, slots: int, extended: int, begin: Begin | None = None) -> None:
        #: The functions of kernels, by their text and the effort of the compiler.
        self.bodies: dict[tuple[str, int, int], Body] = {}
        self.division = Division(begin)
        #: Slots of the caller's table, and those of the frame: one more for the runtime, and those
        #: of moving pointers, when the program has loops.
        self.slots = slots
        self.extended = extended
        #: C functions that the program calls, with their declarations.
        self.symbols: dict[str, str] = {}
        #: Blocks that call a Python function, and blocks that can fail: their numbers are known at
        #: run time.
        self.hosts: list[Block] = []
        self.failures: list[Block] = []

    @abc.abstractmethod
    def units(self, region: Region) -> list[Unit]:
        """The modules of the program; the last one has the entry, if there is one."""

    @abc.abstractmethod
    def calls(self) -> dict[str, Any] | None:
        """The list of calls that the program is, as numbers; None if it has an entry."""

    @abc.abstractmethod
    def run(self, calls: Sequence[Call], tasks: int = 1, *, threads: bool = False) -> None:
        """Call functions for each of several tasks, one after the other or on all threads."""

    @abc.abstractmethod
    def call_host(self, block: Block, buffers: Sequence[Buffer]) -> None:
        """Call the Python function of a block."""

    @abc.abstractmethod
    def copy_unless_same(self, target: Buffer, source: Buffer) -> None:
        """Copy memory, if the addresses differ."""

    @abc.abstractmethod
    def check(
        self, condition: Buffer, region: Region, position: Buffer, shown: Buffer, failure: int
    ) -> None:
        """Leave the program with an error unless a condition holds; steps compute what it shows."""

    @abc.abstractmethod
    def branch(self, index: Buffer, regions: Sequence[Region]) -> None:
        """Run one of several regions."""

    @abc.abstractmethod
    def check_stop(self) -> None:
        """Leave the program if something went wrong or a signal came."""

    def failure(self, block: Block) -> int:
        """A number for the error of a block."""
        self.failures.append(block)
        return len(self.failures) - 1

    def steps(self, region: Region) -> None:
        """Run the steps of a region at this place."""
        for step in region.steps:
            self.step(step)

    def step(self, step: Step) -> None:
        """Run one step at this place."""
        if isinstance(step, Kernel):
            self.kernel(step)
        else:
            emit_block(self, step)

    def kernel(self, kernel: Kernel) -> None:
        """A kernel in a function of its own, and its call."""
        outer = kernel.loops if kernel.folds or kernel.turns is not None else kernel.order
        if any(v.size == 0 for v in outer):
            return
        body, buffers = self.function(
            kernel, Writer, lambda inner, task: inner.run(task if kernel.tasks > 1 else None)
        )
        self.run([kernel_call(body.name, buffers)], kernel.tasks, threads=kernel.tasks > 1)

    def function(
        self,
        kernel: Kernel,
        make: Callable[[Code, Kernel, Callable[[Buffer], str]], KernelWriter],
        write: Callable[[KernelWriter, Val], None],
    ) -> tuple[Body, list[Buffer]]:
        """The function of a kernel, and the buffers that it takes; `write` writes it for a task."""
        code = Code()
        code.outlined = True
        buffers: dict[Buffer, str] = {}

        def parameter(buffer: Buffer) -> str:
            return buffers.setdefault(buffer.find(), f"%b{len(buffers)}")

        inner = make(code, kernel, parameter)
        inner.runtime_slot = self.slots
        write(inner, Val(code, "%task", INT64, 1))
        code.ret()
        body = self._body(code, kernel.quick, kernel.level, list(buffers.values()))
        kernel.name = body.name
        return body, list(buffers)

    def _body(self, code: Code, quick: int, level: int, parameters: Sequence[str]) -> Body:
        """The function with this code: one that is there already, if its text is the same."""
        listed = ["ptr %frame", "i64 %task", *[f"ptr {name}" for name in parameters]]
        text = code.define("kernel", listed)
        found = self.bodies.get((text, quick, level))
        if found is None:
            name = f"k{len(self.bodies)}"
            named = text.replace("@kernel(", f"@{name}(", 1)
            found = Body(name, named, code, quick, level, len(parameters), cost(named, quick))
            self.bodies[text, quick, level] = found
            self.division.add(found)
        return found
