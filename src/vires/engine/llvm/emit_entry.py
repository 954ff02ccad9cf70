"""Programs with an entry in machine code: it runs the steps, and the loops around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.engine.llvm.blocks import CODE_EMITTERS, written_as
from vires.engine.llvm.calls import Addresses, Call, Known, Operand, Table
from vires.engine.llvm.code import Code
from vires.engine.llvm.codes import ENTRY
from vires.engine.llvm.emit_program import ProgramWriter
from vires.engine.llvm.expressions import BOOL
from vires.engine.llvm.kinds import INT64
from vires.engine.llvm.modules import Begin, Unit, cost, unit
from vires.engine.llvm.program import Block, Buffer, Kernel, Region, Step
from vires.engine.llvm.ssa import Val

#: Byte offset of `stop` in the runtime's structure, after five function pointers; and the places
#: of some of these.
_STOP, _POLL, _FAIL, _HOST = 40, 1, 2, 3


def _has_table(call: Call) -> bool:
    return any(isinstance(x, Addresses) for x in call.operands)


class EntryWriter(ProgramWriter):
    """Writes the entry of a program besides the functions of its kernels."""

    def __init__(self, slots: int, extended: int, begin: Begin | None = None) -> None:
        super().__init__(slots, extended, begin)
        #: Functions of tasks in the entry's module.
        self.local: list[tuple[str, Code]] = []
        self.main = Code()
        self._names = 0
        self._tables: dict[Table, str] = {}
        #: Where the entry returns early, by what it returns.
        self.exits: dict[str, str] = {}
        #: Stack memory of the entry, taken once at its start.
        self.entry_allocas: list[str] = []

    def units(self, region: Region) -> list[Unit]:
        code = self.main
        if self.extended > self.slots:
            self.entry_allocas.append(f"  %frame = alloca ptr, i64 {self.extended}")
            code.emit(
                "call void @llvm.memcpy.p0.p0.i64(ptr %frame, ptr %buffers, "
                f"i64 {8 * self.slots}, i1 false)"
            )
            place = code.value(f"getelementptr ptr, ptr %frame, i64 {self.slots}", INT64, 1).name
            code.emit(f"store ptr %rt, ptr {place}")
        else:
            code.emit("%frame = getelementptr ptr, ptr %buffers, i64 0")
        self.steps(region)
        code.emit("ret i32 0")
        for result, label in self.exits.items():
            code.label(label)
            code.emit(f"ret i32 {result}")
        code.lines[:0] = self.entry_allocas
        entry = code.define(ENTRY, ["ptr %buffers", "ptr %rt"], "i32")
        texts = [*[text for text, _ in self.local], entry]
        units, own = self.division.finish(sum([cost(text, 0) for text in texts]))
        functions = [
            *self.symbols.values(),
            *[
                f"declare void @{b.name}(ptr, i64{', ptr' * b.parameters})"
                for b in self.division.apart
            ],
            *[body.text.replace("define", "define internal", 1) for body in own],
            *texts,
        ]
        codes = [*[body.code for body in own], *[c for _, c in self.local], code]
        return [*units, unit(functions, codes, 0, 0, [ENTRY])]

    def calls(self) -> dict[str, Any] | None:
        return None

    def step(self, step: Step) -> None:
        emitter = None if isinstance(step, Kernel) else CODE_EMITTERS.get(written_as(step))
        if emitter is None or isinstance(step, Kernel):
            super().step(step)
        else:
            emitter(self, step)

    # --- calls

    def run(self, calls: Sequence[Call], tasks: int = 1, *, threads: bool = False) -> None:
        if not threads:
            self.loop(tasks, lambda task: self._perform(self.main, calls, task, self.main_pointer))
            return
        # Tables on the stack and the ways out are the entry's own.
        assert all(x.failure < 0 and not _has_table(x) for x in calls)
        code = Code()
        self._perform(code, calls, Val(code, "%task", INT64, 1), self.pointer(code))
        code.ret()
        self.parallel(self.local_function(code), tasks)

    def _perform(
        self, code: Code, calls: Sequence[Call], task: Val, find: Callable[[Buffer], str]
    ) -> None:
        for call in calls:
            operands = [self._operand(x, task, find) for x in call.operands]
            if call.is_kernel:
                code.emit(f"call void @{call.function}({', '.join(operands)})")
            elif call.failure < 0:
                self.call(call.function, "void", *operands, code=code)
            else:
                failed = self.call(call.function, "i32", *operands, code=code)
                self._fail_if(f"icmp ne i32 {failed}, 0", call.failure)
                self.check_stop()

    def _operand(self, operand: Operand, task: Val, find: Callable[[Buffer], str]) -> str:
        match operand:
            case int():
                return f"i64 {operand}"
            case Table():
                return f"ptr {self._table(operand)}"
            case Addresses():
                return f"ptr {self.pointer_table(operand.buffers)}"
            case Buffer():
                return f"ptr {find(operand)}"
            case Known.TASK:
                return task.typed
            case Known.FRAME:
                return "ptr %frame"
            case Known.RUNTIME:
                return "ptr %rt"
            case Known.NULL:
                return "ptr null"

    def call(self, name: str, result: str, *operands: str, code: Code | None = None) -> str:
        """Call a C function, in the entry if not said otherwise; operands are written with their
        types. Gives the result's name.
        """
        types = ", ".join(operand.split(" ", 1)[0] for operand in operands)
        self.symbols[name] = f"declare {result} @{name}({types})"
        text = f"call {result} @{name}({', '.join(operands)})"
        code = self.main if code is None else code
        if result == "void":
            code.emit(text)
            return ""
        return code.impure(text, INT64, 1).name

    def call_host(self, block: Block, buffers: Sequence[Buffer]) -> None:
        number = len(self.hosts)
        self.hosts.append(block)
        table = self.pointer_table(buffers)
        failed = self.main.fresh()
        function = self._offered(_HOST)
        self.main.emit(f"{failed} = call i32 {function}(ptr %rt, i64 {number}, ptr {table})")
        self.leave_if(f"icmp ne i32 {failed}, 0", "-1")

    def _offered(self, place: int) -> str:
        """A function of the runtime."""
        main = self.main
        field, function = main.fresh(), main.fresh()
        main.emit(f"{field} = getelementptr ptr, ptr %rt, i64 {place}")
        main.emit(f"{function} = load ptr, ptr {field}")
        return function

    def local_function(self, code: Code) -> str:
        """A function of a task in the entry's module; gives its name."""
        self._names += 1
        name = f"t{self._names}"
        text = code.define(name, ["ptr %frame", "i64 %task"]).replace(
            "define", "define internal", 1
        )
        self.local.append((text, code))
        return name

    def parallel(self, name: str, tasks: int) -> None:
        """Run the tasks of a function on all threads."""
        main = self.main
        function = main.impure("load ptr, ptr %rt", INT64, 1).name
        main.emit(f"call void {function}(ptr %rt, ptr @{name}, ptr %frame, i64 {tasks})")
        self.check_stop()

    # --- memory

    def pointer(self, code: Code) -> Callable[[Buffer], str]:
        """How a function finds its buffers."""

        def pointer(buffer: Buffer) -> str:
            root = buffer.find()
            place = code.value(f"getelementptr ptr, ptr %frame, i64 {root.slot}", INT64, 1).name
            base = code.value(f"load ptr, ptr {place}", INT64, 1).name
            if not root.offset:
                return base
            return code.value(f"getelementptr i8, ptr {base}, i64 {root.offset}", INT64, 1).name

        return pointer

    def main_pointer(self, buffer: Buffer) -> str:
        """The address of a buffer, in the entry."""
        root, main = buffer.find(), self.main
        place = main.value(f"getelementptr ptr, ptr %frame, i64 {root.slot}", INT64, 1).name
        read = main.impure if root.kind == "pointer" else main.value
        base = read(f"load ptr, ptr {place}", INT64, 1).name
        if not root.offset:
            return base
        return main.value(f"getelementptr i8, ptr {base}, i64 {root.offset}", INT64, 1).name

    def set_pointer(self, buffer: Buffer, address: str) -> None:
        """Let the frame's slot of a buffer hold an address."""
        main = self.main
        place = main.value(f"getelementptr ptr, ptr %frame, i64 {buffer.slot}", INT64, 1).name
        main.emit(f"store ptr {address}, ptr {place}")

    def number(self, code: Code, dtype: Any, value: complex) -> str:
        """The name of a constant of the module that holds a complex number."""
        kind = "float" if dtype.itemsize == 8 else "double"
        name = f"vires_{kind}_{int(value.real)}"
        code.helpers[name] = (
            f"@{name} = private constant [2 x {kind}] [{kind} {value.real:.1f}, {kind} 0.0]"
        )
        return f"@{name}"

    def _table(self, table: Table) -> str:
        """The name of a constant table of the module."""
        name = self._tables.get(table)
        if name is None:
            kind, count = f"i{8 * table.itemsize}", len(table.values)
            name = self._tables[table] = f"@vires_table_{len(self._tables)}"
            listed = ", ".join(f"{kind} {value}" for value in table.values)
            text = f"{name} = private constant [{count} x {kind}] [{listed}]"
            self.main.helpers[name[1:]] = text
        return name

    def pointer_table(self, buffers: Sequence[Buffer]) -> str:
        """The name of a table on the stack with the addresses of buffers."""
        main = self.main
        table = main.fresh()
        self.entry_allocas.append(f"  {table} = alloca ptr, i64 {max(len(buffers), 1)}")
        for position, buffer in enumerate(buffers):
            place = main.fresh()
            main.emit(f"{place} = getelementptr ptr, ptr {table}, i64 {position}")
            main.emit(f"store ptr {self.main_pointer(buffer)}, ptr {place}")
        return table

    def copy(self, target: str, source: str, nbytes: int) -> None:
        """Copy memory in the entry."""
        if nbytes:
            self.main.emit(
                f"call void @llvm.memmove.p0.p0.i64(ptr {target}, ptr {source}, "
                f"i64 {nbytes}, i1 false)"
            )

    def copy_unless_same(self, target: Buffer, source: Buffer) -> None:
        main = self.main
        into, from_ = self.main_pointer(target), self.main_pointer(source)
        same = main.fresh()
        move, done = main.fresh_label("move"), main.fresh_label("moved")
        main.emit(f"{same} = icmp eq ptr {from_}, {into}")
        main.emit(f"br i1 {same}, label %{done}, label %{move}")
        main.label(move)
        self.copy(into, from_, target.nbytes)
        main.br(done)
        main.label(done)

    # --- control

    def loop(self, count: int, body: Callable[[Val], None]) -> None:
        """A loop of the entry."""
        main = self.main
        if count == 1:
            body(main.index(0))
            return
        before, head, done = main.block, main.fresh_label("times"), main.fresh_label("end")
        main.br(head)
        main.label(head)
        counter = main.phi(np.int64, 1, [(main.index(0), before)])
        body(counter)
        following = counter + 1
        main.add_incoming(counter, following, main.block)
        main.cond_br(following.compare("slt", count), head, done)
        main.label(done)

    def branch(self, index: Buffer, regions: Sequence[Region]) -> None:
        main = self.main
        value = main.convert(main.load(self.main_pointer(index), index.dtype), "int64")
        labels = [main.fresh_label("case") for _ in regions]
        join = main.fresh_label("join")
        for number, label in enumerate(labels[:-1]):
            after = main.fresh_label("case")
            main.cond_br(value.compare("sle", number), label, after)
            main.label(after)
        main.br(labels[-1])
        for label, region in zip(labels, regions, strict=True):
            main.label(label)
            self.steps(region)
            main.br(join)
        main.label(join)

    def check(
        self, condition: Buffer, region: Region, position: Buffer, shown: Buffer, failure: int
    ) -> None:
        main = self.main
        good = main.load(self.main_pointer(condition), BOOL)
        failed, on = main.fresh_label("failed"), main.fresh_label("on")
        main.cond_br(good, on, failed)
        main.label(failed)
        self.steps(region)
        told = [main.load(self.main_pointer(x), INT64).typed for x in (position, shown)]
        self._fail(failure, *told)
        main.label(on)

    def _fail_if(self, condition: str, failure: int) -> None:
        main = self.main
        bad, out, on = main.fresh(), main.fresh_label("failed"), main.fresh_label("on")
        main.emit(f"{bad} = {condition}")
        main.emit(f"br i1 {bad}, label %{out}, label %{on}")
        main.label(out)
        self._fail(failure, "i64 0", "i64 0")
        main.label(on)

    def _fail(self, failure: int, position: str, shown: str) -> None:
        function = self._offered(_FAIL)
        self.main.emit(f"call void {function}(ptr %rt, i64 {failure}, {position}, {shown})")
        self.main.emit("ret i32 1")

    def poll(self) -> None:
        """Leave the program if a signal came."""
        function, answer = self._offered(_POLL), self.main.fresh()
        self.main.emit(f"{answer} = call i32 {function}(ptr %rt)")
        self.leave_if(f"icmp ne i32 {answer}, 0", "-1")

    def check_stop(self) -> None:
        main = self.main
        place = main.value(f"getelementptr i8, ptr %rt, i64 {_STOP}", INT64, 1).name
        stop = main.impure(f"load volatile i32, ptr {place}", INT64, 1).name
        self.leave_if(f"icmp ne i32 {stop}, 0", "1")

    def leave_if(self, condition: str, result: str) -> None:
        """Return from the program where a condition holds."""
        main = self.main
        name = main.fresh()
        out = self.exits.setdefault(result, f"leave{len(self.exits)}")
        on = main.fresh_label("on")
        main.emit(f"{name} = {condition}")
        main.emit(f"br i1 {name}, label %{out}, label %{on}")
        main.label(on)
