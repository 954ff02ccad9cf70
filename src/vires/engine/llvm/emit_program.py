"""The text of a whole program: a function for each kernel, and the entry that runs the steps in
order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from vires.engine.llvm import machine, math_library
from vires.engine.llvm.blocks import emit_block
from vires.engine.llvm.code import Code
from vires.engine.llvm.emit import Writer
from vires.engine.llvm.kinds import INT64
from vires.engine.llvm.program import Block, Buffer, Kernel, Region, Step
from vires.engine.llvm.ssa import Val, helpers_of, with_helpers

KernelWriter = TypeVar("KernelWriter", bound=Writer)
#: Byte offset of `stop` in the runtime's structure, after five function pointers.
_STOP = 40


class Unit(NamedTuple):
    """A module of the program, and the functions in it that others may call.

    It is compiled with little effort while somebody waits, its elementary functions being calls of
    the library's; and with the effort that it is worth, when nobody does, with these functions
    in their places. Both give the same bits.
    """

    functions: list[str]
    #: What the functions need, by name; and those of the library's functions that they call.
    helpers: dict[str, str]
    shared: set[str]
    #: The effort of the first kind, and of the second.
    quick: int
    level: int
    exports: list[str]

    @property
    def is_improvable(self) -> bool:
        """Whether its second kind of code is better than the first."""
        return self.level > self.quick or (self.level > 0 and bool(self.shared))

    def hurried(self) -> tuple[str, int]:
        """The module and the effort when somebody waits."""
        return with_helpers(self.functions, self.helpers), self.quick

    def best(self) -> tuple[str, int]:
        """The module and the effort when nobody waits."""
        if not self.level:
            return self.hurried()
        written = math_library.definitions(self.shared)
        return with_helpers(self.functions, {**self.helpers, **written}), self.level


def unit(
    functions: list[str], codes: Sequence[Code], quick: int, level: int, exports: list[str]
) -> Unit:
    """A module of functions with these codes, which it does not keep."""
    shared = set[str]().union(*[code.shared for code in codes])
    return Unit(functions, helpers_of(codes), shared, quick, level, exports)


#: Microseconds that the code generator takes, roughly: for a module, a line of text, and a vector
#: type in it; and how much longer with more effort.
_MODULE, _LINE, _VECTOR, _EFFORT = 250.0, 3.5, 10.0, 4.0
#: Processors that compile a program, at most.
_MOST_MODULES = 8


class Body(NamedTuple):
    """The function of a kernel: loops on buffers whose addresses are parameters.

    Kernels that differ in their buffers only share one.
    """

    name: str
    text: str
    code: Code
    #: The code generator's effort when somebody waits, and when nobody does.
    quick: int
    level: int
    parameters: int
    #: Microseconds to compile it at first.
    cost: float

    def operands(self, task: str, pointers: Sequence[str]) -> str:
        """The operands of a call."""
        return ", ".join(["ptr %frame", f"i64 {task}", *[f"ptr {pointer}" for pointer in pointers]])


def cost(text: str, effort: int) -> float:
    """Microseconds to compile a function."""
    lines, vectors = text.count("\n"), text.count("<")
    return (_LINE * lines + _VECTOR * vectors) * (_EFFORT if effort else 1.0)


def divide(bodies: Sequence[Body], entry: float) -> list[list[Body]]:
    """Kernels that are compiled apart from the entry, whose cost is given: those that are worth
    more effort in the end, and so many of the others that all processors have about as much to do.
    """
    processors = min(machine.processors(), _MOST_MODULES)
    share = (entry + sum([body.cost for body in bodies])) / processors
    share = max(share + _MODULE, 2 * _MODULE)
    parts: list[list[Body]] = []
    for quick, level in sorted({(body.quick, body.level) for body in bodies}):
        group = [body for body in bodies if (body.quick, body.level) == (quick, level)]
        group.sort(key=lambda body: -body.cost)
        bins: list[list[Body]] = [[]]
        # The first module of the lowest effort is that of the entry.
        costs = [0.0 if level else entry]
        for body in group:
            place = next((i for i, x in enumerate(costs) if x + body.cost <= share), len(costs))
            if place == len(costs) and body.cost < _MODULE:
                place = costs.index(min(costs))
            if place == len(costs):
                bins.append([])
                costs.append(0.0)
            bins[place].append(body)
            costs[place] += body.cost
        parts += [part for part in bins[0 if level else 1 :] if part]
    return parts


class ProgramWriter:
    """Writes the functions of one program."""

    def __init__(self, slots: int, extended: int) -> None:
        #: The functions of kernels, by their text and the effort of the compiler.
        self.bodies: dict[tuple[str, int, int], Body] = {}
        #: Functions of tasks in the entry's module.
        self.local: list[tuple[str, Code]] = []
        #: Slots of the caller's table, and those of the frame: one more for the runtime, and those
        #: of moving
        #: pointers, when the program has loops.
        self.slots = slots
        self.extended = extended
        #: C functions that the program calls, with their declarations.
        self.symbols: dict[str, str] = {}
        self.main = Code()
        self.names = 0
        #: Blocks that call a Python function, and blocks that can fail: their numbers are known at
        #: run time.
        self.hosts: list[Block] = []
        self.failures: list[Block] = []
        #: Where the entry returns early, by what it returns.
        self.exits: dict[str, str] = {}
        #: Stack memory of the entry, taken once at its start.
        self.entry_allocas: list[str] = []

    def units(self, region: Region, name: str) -> list[Unit]:
        """The modules of the program; the last one has the entry and calls the others."""
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
        entry = code.define(name, ["ptr %buffers", "ptr %rt"], "i32")
        bodies = list(self.bodies.values())
        texts = [*[text for text, _ in self.local], entry]
        parts = divide(bodies, sum([cost(text, 0) for text in texts]))
        units = [
            unit(
                [body.text for body in part],
                [body.code for body in part],
                part[0].quick,
                part[0].level,
                [body.name for body in part],
            )
            for part in parts
        ]
        far = [body for part in parts for body in part]
        apart = {body.name for body in far}
        own = [body for body in bodies if body.name not in apart]
        functions = [
            *self.symbols.values(),
            *[f"declare void @{b.name}(ptr, i64{', ptr' * b.parameters})" for b in far],
            *[body.text.replace("define", "define internal", 1) for body in own],
            *texts,
        ]
        codes = [*[body.code for body in own], *[c for _, c in self.local], code]
        return [*units, unit(functions, codes, 0, 0, [name])]

    def steps(self, region: Region) -> None:
        """Run the steps of a region at this place of the entry."""
        for step in region.steps:
            self.step(step)

    def step(self, step: Step) -> None:
        """Run one step at this place of the entry."""
        if isinstance(step, Kernel):
            self.kernel(step)
        else:
            emit_block(self, step)

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

    def local_function(self, code: Code) -> str:
        """A function of a task in the entry's module; gives its name."""
        self.names += 1
        name = f"t{self.names}"
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

    def table(self, code: Code, dtype: Any, value: complex) -> str:
        """The name of a constant of the module that holds a complex number."""
        kind = "float" if dtype.itemsize == 8 else "double"
        name = f"vires_{kind}_{int(value.real)}"
        code.helpers[name] = (
            f"@{name} = private constant [2 x {kind}] [{kind} {value.real:.1f}, {kind} 0.0]"
        )
        return f"@{name}"

    def integers(self, kind: str, values: Sequence[int]) -> str:
        """The name of a constant table of the module."""
        name = f"vires_table_{len(self.main.helpers)}"
        listed = ", ".join(f"{kind} {value}" for value in values)
        self.main.helpers[name] = f"@{name} = private constant [{len(values)} x {kind}] [{listed}]"
        return f"@{name}"

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

    def copy(self, target: str, source: str, nbytes: int) -> None:
        """Copy memory in the entry."""
        if nbytes:
            self.main.emit(
                f"call void @llvm.memmove.p0.p0.i64(ptr {target}, ptr {source}, "
                f"i64 {nbytes}, i1 false)"
            )

    def copy_unless_same(self, target: str, source: str, nbytes: int) -> None:
        """Copy memory in the entry, if the addresses differ."""
        main = self.main
        same = main.fresh()
        move, done = main.fresh_label("move"), main.fresh_label("moved")
        main.emit(f"{same} = icmp eq ptr {source}, {target}")
        main.emit(f"br i1 {same}, label %{done}, label %{move}")
        main.label(move)
        self.copy(target, source, nbytes)
        main.br(done)
        main.label(done)

    def kernel(self, kernel: Kernel) -> None:
        """A kernel in a function of its own, and its call."""
        outer = kernel.loops if kernel.folds or kernel.turns is not None else kernel.order
        if any(v.size == 0 for v in outer):
            return
        body, buffers = self.function(
            kernel, Writer, lambda inner, task: inner.run(task if kernel.tasks > 1 else None)
        )
        main = self.main
        if kernel.tasks == 1:
            pointers = [self.main_pointer(buffer) for buffer in buffers]
            main.emit(f"call void @{body.name}({body.operands('0', pointers)})")
            return
        task = Code()
        find = self.pointer(task)
        pointers = [find(buffer) for buffer in buffers]
        task.emit(f"call void @{body.name}({body.operands('%task', pointers)})")
        task.ret()
        self.parallel(self.local_function(task), kernel.tasks)

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
        body = self.body(code, kernel.quick, kernel.level, list(buffers.values()))
        kernel.name = body.name
        return body, list(buffers)

    def body(self, code: Code, quick: int, level: int, parameters: Sequence[str]) -> Body:
        """The function with this code: one that is there already, if its text is the same."""
        listed = ["ptr %frame", "i64 %task", *[f"ptr {name}" for name in parameters]]
        text = code.define("kernel", listed)
        found = self.bodies.get((text, quick, level))
        if found is None:
            name = f"k{len(self.bodies)}"
            named = text.replace("@kernel(", f"@{name}(", 1)
            found = Body(name, named, code, quick, level, len(parameters), cost(named, quick))
            self.bodies[text, quick, level] = found
        return found

    def check_stop(self) -> None:
        """Leave the program if something went wrong or a signal came."""
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
