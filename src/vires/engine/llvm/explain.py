"""What became of a program: its steps with what they do, cost and take; compiler passes; memory."""

from __future__ import annotations

import linecache
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vires.core.jaxpr import ClosedJaxpr
from vires.engine.llvm import codes, dump, machine, pipeline
from vires.engine.llvm.blocks import written_as
from vires.engine.llvm.emit_program import ProgramWriter
from vires.engine.llvm.explain_costs import (
    Access,
    block_reads,
    block_writes,
    copied,
    equation_operations,
    has_unknown_length,
    kernel_operations,
    kernel_reads,
    kernel_writes,
)
from vires.engine.llvm.explain_limits import Limits, limits
from vires.engine.llvm.explain_names import name_buffers
from vires.engine.llvm.explain_time import TimedWriter, measure, repeat, steps_of
from vires.engine.llvm.fingerprint import NotCanonical
from vires.engine.llvm.modules import unit
from vires.engine.llvm.program import Block, Buffer, Kernel, Node, Reduction, Region, Step, leader
from vires.engine.llvm.roll import roll

_NO_PRIMITIVE = frozenset(("", "constant", "effect"))


class Source(NamedTuple):
    """A line of the user's program."""

    filename: str
    line: int
    text: str
    #: The named scope that it is in.
    scope: str = ""


class Array(NamedTuple):
    """A value that a step reads or writes, and how many of its bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int


@dataclass(eq=False)
class StepReport:
    """One step of the program."""

    #: Its place: "2", or "2.1" inside step 2.
    place: str
    #: Of the function in the machine code, or the algorithm.
    name: str
    primitives: dict[str, int]
    sources: list[Source]
    reads: list[Array]
    writes: list[Array]
    #: Operations of one run, in additions; None where nobody counted.
    operations: float | None
    tasks: int
    lanes: int
    #: Effort of the code generator; None for code that is not made for this program.
    level: int | None
    #: Runs in a call of the program, and seconds of all of them.
    runs: int
    seconds: float
    #: The least seconds that the machine could need.
    limit: float | None
    compile_seconds: float | None
    note: str
    #: The loops and expressions.
    text: str
    inner: list[StepReport] = field(default_factory=lambda: [])

    @property
    def nbytes(self) -> int:
        """Bytes read and written by one run."""
        return sum(x.nbytes for x in (*self.reads, *self.writes))

    @property
    def reached(self) -> float | None:
        """The fraction of the machine's limit that was reached."""
        return self.limit / self.seconds if self.limit and self.seconds else None


class Report(NamedTuple):
    """All that is known of a compiled program."""

    name: str
    steps: list[StepReport]
    #: Seconds of each pass, in order.
    passes: dict[str, float]
    #: Seconds to load the program from the disk cache; None: it is not there.
    cached: float | None
    #: Bytes of the arguments, constants, results, and of scratch memory.
    memory: dict[str, int]
    code_bytes: int
    #: Seconds of a call.
    call: float
    limits: Limits


class _Watch:
    """Adds up the time between laps under the name of the later one."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.times[name] = self.times.get(name, 0.0) + now - self._last
        self._last = now


def explain_program(
    closed: ClosedJaxpr,
    name: str,
    donate: Sequence[int],
    operands: Callable[[], Sequence[Any]],
    staging: float,
) -> tuple[Report, list[Any]]:
    """Compile a program, run it several times, and tell what was seen; also its results.

    `operands` gives the arguments of one run: new ones each time where some are donated.
    """
    bounds = limits()
    dump.begin()
    closed = roll(closed)
    cached = _load_time(closed, name, donate)
    watch = _Watch()
    builder, region, results = pipeline.lower(closed)
    watch.lap("simplify")
    arranged = pipeline.arrange(builder, region, results, name, donate, watch.lap)
    written = pipeline.translate(arranged, name)
    watch.lap("emit")
    made = pipeline.compiled(written.units, written.notes, name)
    watch.lap("LLVM")
    plain = _executable(closed, made, name, builder)
    watch.lap("link")
    compiled = _compile_times(written.writer, name)
    timed = TimedWriter(arranged.slots, arranged.extended, region)
    measured = pipeline.translate(arranged, name, timed)
    measuring = pipeline.compiled(measured.units, measured.notes, name)
    instrumented = _executable(closed, measuring, name, builder)
    call = repeat(lambda: plain.execute(operands()))
    seconds, runs, values = measure(instrumented, timed, operands, bounds)
    taken = {id(step): (seconds[i], runs[i]) for i, step in enumerate(steps_of(region))}
    names = name_buffers(closed, builder, region, len(results), [k for k, _ in arranged.forward])
    donors = {_root(results[k]): _root(region.inputs[j]) for k, j in arranged.donate}
    describe = _Describer(names, taken, timed, compiled, bounds, donors)
    avals = closed.jaxpr
    report = Report(
        name,
        describe.steps(region, ""),
        {"staging": staging, **watch.times},
        cached,
        {
            "arguments": sum(v.aval.nbytes for v in avals.invars),
            "constants": sum(x.nbytes for x in builder.constants),
            "results": sum(v.aval.nbytes for v in avals.outvars),
            "scratch": arranged.scratch,
        },
        sum(map(len, made[0])),
        call,
        bounds,
    )
    return report, values


def _root(node: Node) -> Buffer:
    assert node.buffer is not None
    return node.buffer.find()


def _load_time(closed: ClosedJaxpr, name: str, donate: Sequence[int]) -> float | None:
    """Seconds to load the program from the disk cache; None where it is not in there."""
    start = time.perf_counter()
    try:
        key = pipeline.key_of(closed, donate)
    except NotCanonical:
        return None
    found = codes.from_disk(key, name)
    return None if found is None else time.perf_counter() - start


def _executable(closed: ClosedJaxpr, made: codes.Made, name: str, builder: Any) -> Any:
    return pipeline.executable(closed, codes.load(made, name), builder)


def _compile_times(writer: ProgramWriter, name: str) -> dict[str, float]:
    """Seconds that LLVM takes for each kernel alone."""
    found: dict[str, float] = {}
    for body in writer.bodies.values():
        start = time.perf_counter()
        text, level = unit([body.text], [body.code], body.quick, body.level, [body.name]).best()
        machine.compile_ir(text, level, name=name)
        found[body.name] = time.perf_counter() - start
    return found


def fused(nodes: Sequence[Node]) -> list[Node]:
    """The values that are computed on the way to some others, without those in memory."""
    found: dict[Node, None] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node in found:
            continue
        found[node] = None
        inputs = list(node.operands)
        if node.definition.__class__ is Reduction:
            inputs += [*node.definition.sources, *leader(node.definition).operands]
        stack += [x for x in inputs if x.kind == "pull" and x.buffer is None]
    return sorted(found, key=lambda node: node.number)


class _Describer:
    """Makes reports of steps."""

    def __init__(
        self,
        names: dict[Buffer, str],
        taken: dict[int, tuple[float, int]],
        timed: TimedWriter,
        compiled: dict[str, float],
        bounds: Limits,
        donors: dict[Buffer, Buffer],
    ) -> None:
        self.names = names
        self.donors = donors
        self.taken = taken
        self.timed = timed
        self.compiled = compiled
        self.bounds = bounds

    def steps(self, region: Region, prefix: str) -> list[StepReport]:
        """The steps of a region, in order."""
        found: list[StepReport] = []
        before: Kernel | None = None
        for number, step in enumerate(region.steps, 1):
            place = f"{prefix}{number}"
            if isinstance(step, Kernel):
                found.append(self._kernel(step, place, before))
                before = step
            else:
                found.append(self._block(step, place))
        return found

    def _kernel(self, kernel: Kernel, place: str, before: Kernel | None) -> StepReport:
        if kernel.nodes or before is None:
            return self._report(kernel, kernel, fused(kernel.nodes), place, "")
        note = f"combines the partial results of {before.name}"
        return self._report(kernel, kernel, fused(before.nodes), place, note)

    def _block(self, block: Block, place: str) -> StepReport:
        kernel: Kernel | None = block.params.get("kernel")
        values = [x for x in block.results if x.number >= 0]
        note = ""
        if kernel is not None and kernel.turns is not None:
            values += kernel.nodes
            note = f"{block.kind} in registers"
        elif written_as(block) == "host":
            reason = dump.host_reason(block)
            note = f"on the host{f': {reason}' if reason else ''}"
        elif called := self.timed.functions.get(self.timed.numbers[id(block)]):
            note = f"calls {', '.join(called)}"
        if "epilogue" in block.params:
            values += block.params["epilogue"].kernel.nodes
        report = self._report(block, kernel, values, place, note)
        if block.regions:
            inside = [self.steps(region, f"{place}.") for region in block.regions]
            report.inner = [x for steps in inside for x in steps]
            for count, step in enumerate(report.inner, 1):
                step.place = f"{place}.{count}"
            # Readings of the clock inside count for nothing.
            overhead = self.bounds.clock * sum(_runs(x) for x in report.inner)
            report.seconds = max(report.seconds - overhead, 1e-9 if report.runs else 0.0)
        return report

    def _report(
        self, step: Step, kernel: Kernel | None, values: Sequence[Node], place: str, note: str
    ) -> StepReport:
        number = self.timed.numbers[id(step)]
        seconds, runs = self.taken[id(step)]
        tasks = self.timed.tasks.get(number, 1)
        if isinstance(step, Block):
            equation = step.equation or next((x.origin for x in values if x.origin), None)
            reads, writes = block_reads(step), block_writes(step)
            operations = equation_operations(equation)
            if "epilogue" in step.params:
                after: Kernel = step.params["epilogue"].kernel
                made = [x.buffer for x in step.results]
                reads += [x for x in kernel_reads(after) if x.buffer not in made]
                writes += kernel_writes(after)
                operations = (operations or 0.0) + (kernel_operations(after) or 0.0)
        else:
            reads, writes, operations = [], [], None
        if kernel is not None:
            reads, writes = kernel_reads(kernel), kernel_writes(kernel)
            operations = kernel_operations(kernel)
            tasks = max(tasks, kernel.tasks)
            if isinstance(step, Block) and kernel.turns is None:
                more = copied(step, self.donors)
                reads, writes = [*more[:1], *reads], more[1:] or writes
        has_steps = isinstance(step, Block) and any(region.steps for region in step.regions)
        counted = not has_steps and not (kernel is not None and has_unknown_length(kernel))
        if not counted:
            operations = None
        arrays_read, arrays_written = (self._arrays(x) for x in (reads, writes))
        wide = any(x.buffer.dtype.name in ("float64", "complex128") for x in (*reads, *writes))
        limit = None
        if counted and not note.startswith("on the host"):
            nbytes = sum(x.nbytes for x in (*reads, *writes))
            limit = runs * self.bounds.seconds(nbytes, operations or 0.0, wide)
        name = step.kind if isinstance(step, Block) else kernel.name if kernel else ""
        return StepReport(
            place,
            name,
            primitives_of(values),
            sources_of(values),
            arrays_read,
            arrays_written,
            operations,
            tasks,
            1 if kernel is None else kernel.lanes,
            None if kernel is None else kernel.level,
            runs,
            seconds,
            limit,
            None if kernel is None else self.compiled.get(kernel.name),
            note,
            repr(step) if kernel is None else dump.kernel_text(kernel),
        )

    def _arrays(self, accesses: Sequence[Access]) -> list[Array]:
        return [
            Array(self.names.get(b.find(), "?"), b.dtype.name, b.shape, nbytes)
            for b, nbytes in accesses
        ]


def _runs(step: StepReport) -> int:
    """Readings of the clock (each takes two) in a step and those inside it."""
    return 2 * step.runs + sum(_runs(x) for x in step.inner)


def primitives_of(values: Sequence[Node]) -> dict[str, int]:
    """How often each primitive occurs among some values."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    for node in values:
        if node.definition is not None:  # one operation may have several results
            if id(node.definition) in seen:
                continue
            seen.add(id(node.definition))
        if node.name not in _NO_PRIMITIVE:
            found[node.name] = found.get(node.name, 0) + 1
    return found


def sources_of(values: Sequence[Node]) -> list[Source]:
    """The lines of the user's program that some values come from, each once."""
    found: dict[Source, None] = {}
    for node in values:
        if node.origin is not None:
            origin = node.origin.source
            text = linecache.getline(origin.filename, origin.line).strip()
            found[Source(origin.filename, origin.line, text, origin.scope)] = None
    return sorted(found)
