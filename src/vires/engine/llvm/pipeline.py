"""From a staged program to machine code: the list of passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from vires import _native
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, subjaxprs
from vires.core.trace import as_array
from vires.engine.llvm import background, cache, codes, dump, machine
from vires.engine.llvm.blocks import failure_of, host_function
from vires.engine.llvm.builder import Builder
from vires.engine.llvm.call_list import write
from vires.engine.llvm.call_text import calls_text
from vires.engine.llvm.check import check_region
from vires.engine.llvm.check_memory import check_memory, check_nodes, check_order, check_stored
from vires.engine.llvm.control import own_outputs
from vires.engine.llvm.culprits import compile_error
from vires.engine.llvm.effort import settle
from vires.engine.llvm.emit_program import ProgramWriter
from vires.engine.llvm.epilogue import attach
from vires.engine.llvm.express import express
from vires.engine.llvm.fingerprint import NotCanonical, fingerprint
from vires.engine.llvm.fuse import fuse
from vires.engine.llvm.inplace import donations, drop_copies, share
from vires.engine.llvm.modules import Unit
from vires.engine.llvm.plan import arena, temporaries
from vires.engine.llvm.program import Block, Kernel, Node, Region
from vires.engine.llvm.roll import roll
from vires.engine.llvm.scatter import scatter_steps
from vires.engine.llvm.schedule import schedule, schedule_small
from vires.engine.llvm.sequential import try_kernel
from vires.engine.llvm.updates import update_slice_steps

_UPDATE_STEPS = {"update_slice": update_slice_steps, "scatter": scatter_steps}
#: Called with the name of a pass that is done.
Lap = Callable[[str], None]


class ProgramBuilder(Builder):
    """A builder that keeps the constant arrays of the program."""

    def __init__(self) -> None:
        super().__init__()
        self.constants: list[Any] = []
        #: The place of each among the program's `arrays`; -1 for what was made on the way.
        self.places: list[int] = []
        self._array_places: dict[int, int] = {}
        self.constant_nodes: dict[int, Node] = {}

    def know(self, closed: ClosedJaxpr) -> None:
        """Number the arrays of the program."""
        self._array_places = {id(value): place for place, value in enumerate(arrays(closed))}

    def captured(self, value: Any, aval: ShapedArray) -> Node:
        found = self.constant_nodes.get(id(value))
        if found is None:
            array = as_array(value)
            if aval.size == 1 and not dtypes.is_key(aval.dtype) and not aval.shape:
                found = self.literal(array, aval)
            else:
                found = self.input(aval, "constant")
                self.constants.append(array)
                self.places.append(self._array_places.get(id(value), -1))
                found.definition = len(self.constants) - 1
            self.constant_nodes[id(value)] = found
        return found

    def release(self) -> None:
        """Forget the program. Its graph refers to itself: it would live until Python looks for
        cycles, and that takes as long as to lower it.
        """
        regions = [self.region, *[region for block in self.blocks for region in block.regions]]
        for region in regions:
            for node in region.nodes:
                node.definition = None
        self.__dict__.clear()


def compile_program(closed: ClosedJaxpr, name: str, donate: Sequence[int] = ()) -> Any:
    """An executable of the native core for a staged program."""
    background.rest()
    dumped = bool(dump.begin())
    dump.show("jaxpr", name, lambda: repr(closed))
    closed = roll(closed)
    dump.show("roll", name, lambda: repr(closed))
    try:
        key = "" if dumped else key_of(closed, donate)
    except NotCanonical:
        key = ""
    code = codes.find(key, name) if key else None
    builder: ProgramBuilder | None = None
    if code is None:
        region: Region | None = None
        units: list[Unit] = []
        try:
            builder, region, results = lower(closed)
            arranged = arrange(builder, region, results, name, donate)
            _, units, notes = translate(arranged, name, hurried=not dumped)
            made = compiled(units, notes, name, hurried=not dumped)
        except MemoryError:
            raise
        except Exception as error:
            raise compile_error(error, name, region, units) from error
        code = codes.load(made, name)
        if key:
            codes.keep(key, code)
            cache.report()
        if not dumped and any(unit.is_improvable for unit in units):
            codes.improve(code, key, name, lambda: improved(units, made, name))
        elif key:
            background.run(lambda: codes.write(key, made))
    background.rest()
    made_executable = executable(closed, code, builder)
    code.attach(made_executable)
    if builder is not None:
        builder.release()
    return made_executable


def key_of(closed: ClosedJaxpr, donate: Sequence[int]) -> str:
    """The key of a program in the cache.

    Raises:
        NotCanonical: it holds something whose meaning has no text.
    """
    return cache.key(b"program", fingerprint(closed), repr(tuple(donate)).encode())


def lower(closed: ClosedJaxpr) -> tuple[ProgramBuilder, Region, list[Node]]:
    """A region with a node for each value that the program needs."""
    builder = ProgramBuilder()
    builder.know(closed)
    region = builder.region
    jaxpr = closed.jaxpr
    region.inputs = [builder.input(v.aval) for v in jaxpr.invars]
    environment: dict[Any, Node] = dict(zip(jaxpr.invars, region.inputs, strict=True))
    for var, value in zip(jaxpr.constvars, closed.consts, strict=True):
        environment[var] = builder.captured(value, var.aval)
    return builder, region, builder.lower(jaxpr, environment)


class Arranged(NamedTuple):
    """A program whose steps and memory are decided."""

    region: Region
    #: Slots of the caller's table and of the frame; bytes of the arena.
    slots: int
    extended: int
    scratch: int
    #: What an executable must know of its results and arguments.
    forward: list[list[Any]]
    donate: list[list[int]]
    donated: list[int]
    #: Where its constant arrays are found.
    constants: list[int]


def no_lap(name: str) -> None:
    """For a compilation that is not timed."""


def arrange(
    builder: ProgramBuilder,
    region: Region,
    results: list[Node],
    name: str,
    donate: Sequence[int],
    lap: Lap = no_lap,
) -> Arranged:
    """Decide the steps of a lowered program and where its values live; `lap` is told when a pass
    is done.
    """
    forward: dict[int, Any] = {}
    written: list[Node] = []
    positions: list[int] = []
    for number, node in enumerate(results):
        if node.kind == "memory" and node.buffer is not None and node.buffer.kind == "input":
            forward[number] = region.inputs.index(node)
        elif node.kind == "memory" and node.buffer is not None and node.buffer.kind == "constant":
            forward[number] = ["const", node.definition]
        else:
            written.append(node)
            positions.append(number)
    own_outputs(builder, region, written)
    dump.show("simplify", name, lambda: dump.nodes_text(region))
    check_nodes(region, "simplify")
    lower_region(builder, region, lap, name)
    settle(region)
    check_region(region, "schedule")
    check_order(region, "schedule")
    share(region)
    drop_copies(region)
    taken = donations(region, [j for j in donate if j not in forward.values()])
    slots = assign(builder, region)
    scratch, extended = place(region, slots)
    check_memory(region, "memory")
    lap("memory")
    return Arranged(
        region,
        slots + 1,
        extended,
        scratch,
        [[k, v] for k, v in forward.items()],
        [[positions[k], j] for k, j in taken.items()],
        list(donate),
        builder.places,
    )


class Translated(NamedTuple):
    """A program in LLVM's language."""

    writer: ProgramWriter
    units: list[Unit]
    #: For the executable.
    notes: dict[str, Any]


def translate(
    arranged: Arranged, name: str, writer: ProgramWriter | None = None, *, hurried: bool = False
) -> Translated:
    """The modules of an arranged program; `writer` writes them if it is given. If somebody waits
    for the program, some of them are being compiled by then.
    """
    region = arranged.region
    if writer is None:
        begin = partial(_begin, name) if hurried else None
        writer, units = write(region, arranged.slots, arranged.extended, begin)
    else:
        units = writer.units(region)
    dump.show("schedule", name, lambda: dump.region_text(region))
    dump.show("memory", name, lambda: memory_text(region, arranged.scratch))
    listed = writer.calls()
    if listed is not None:
        dump.show("calls", name, lambda: calls_text(listed))
    dump.show("llvm", name, lambda: "\n".join(unit.best()[0] for unit in units))
    dump.show("asm", name, lambda: "\n".join(machine.assembly(*unit.best()) for unit in units))
    notes = {
        "calls": listed,
        "exports": [unit.exports for unit in units],
        "scratch": arranged.scratch,
        "heavy": any(isinstance(s, Block) or s.work > 20_000 for s in region.steps),
        "forward": arranged.forward,
        "donate": arranged.donate,
        "donated": arranged.donated,
        "constants": arranged.constants,
        "symbols": list(writer.symbols),
        # Python objects are found again by the number of the block that they belong to.
        "hosts": [block.serial for block in writer.hosts],
        "failures": [block.serial for block in writer.failures],
    }
    return Translated(writer, units, notes)


def _begin(name: str, unit: Unit) -> machine.Job:
    """Begin to compile a module for which somebody waits."""
    text, level = unit.hurried()
    return machine.submit(text, level, name)


def compiled(
    units: Sequence[Unit], notes: dict[str, Any], name: str, *, hurried: bool = False
) -> codes.Made:
    """Object code of a program's modules: with the least effort, or with what they are worth."""
    texts = [unit.job or unit.hurried() if hurried else unit.best() for unit in units]
    images = machine.compile_all(texts, name)
    return _noted(images, notes, units if hurried else [u for u in units if not u.level])


def improved(units: Sequence[Unit], made: codes.Made, name: str) -> codes.Made:
    """Better object code than what was compiled in a hurry, made while other work goes on."""
    images = list(made[0])
    places = [place for place, unit in enumerate(units) if unit.is_improvable]
    while places:
        now = len(places) if background.give_way() else 1
        texts = [units[place].best() for place in places[:now]]
        made_now = machine.compile_all(texts, name, background=True)
        for place, image in zip(places[:now], made_now, strict=True):
            images[place] = image
        del places[:now]
    return _noted(images, made[1], [u for u in units if not u.is_improvable])


def _noted(images: list[bytes], notes: dict[str, Any], calling: Sequence[Unit]) -> codes.Made:
    """Object code with its notes, given the modules that call the library's functions."""
    shared = set[str]().union(*[unit.shared for unit in calling])
    return images, {
        **notes,
        "lengths": [len(image) for image in images],
        "names": [*notes["symbols"], *sorted(shared)],
    }


class _Lowered:
    """The blocks and constants of a program that may come from the cache: lowered when needed."""

    def __init__(self, closed: ClosedJaxpr, builder: ProgramBuilder | None) -> None:
        self._closed = closed
        self._builder = builder

    @property
    def builder(self) -> ProgramBuilder:
        if self._builder is None:
            self._builder = lower(self._closed)[0]
        return self._builder

    def constants(self, places: Sequence[int]) -> list[Any]:
        """The constant arrays, given their places among the program's."""
        if self._builder is not None or -1 in places:
            return self.builder.constants
        found = arrays(self._closed) if places else []
        return [as_array(found[place]) for place in places]

    def hosts(self, serials: Sequence[int]) -> list[Any]:
        """Python functions that the program calls."""
        return [host_function(self.builder.blocks[serial]) for serial in serials]

    def raiser(self, serials: Sequence[int]) -> Callable[[int, int, int], Exception]:
        """What the native core calls after a failed check."""

        if self._builder is not None:
            blocks = self._builder.blocks
            failures = [failure_of(blocks[serial]) for serial in serials]
            return lambda site, a, b: failures[site].error(a, b)

        def failed(site: int, a: int, b: int) -> Exception:
            error: Exception = failure_of(self.builder.blocks[serials[site]]).error(a, b)
            return error

        return failed


def executable(closed: ClosedJaxpr, code: codes.Code, builder: ProgramBuilder | None) -> Any:
    """The native executable of machine code for a program."""
    jaxpr, notes = closed.jaxpr, code.notes
    lowered = _Lowered(closed, builder)
    linked = code.linked  # better code may take its place at any time
    return _native.Executable(
        linked.entry,
        linked,
        lowered.constants(notes["constants"]),
        [(v.aval.shape, dtypes.CODE_OF[v.aval.dtype]) for v in jaxpr.invars],
        [
            (v.aval.shape, dtypes.CODE_OF[v.aval.dtype], bool(v.aval.weak_type))
            for v in jaxpr.outvars
        ],
        notes["scratch"],
        lowered.hosts(notes["hosts"]),
        lowered.raiser(notes["failures"]),
        notes["heavy"],
        dict(notes["donate"]),
        {k: v if isinstance(v, int) else ("const", v[1]) for k, v in notes["forward"]},
        notes["donated"],
    )


def arrays(closed: ClosedJaxpr) -> list[Any]:
    """The constants of a program and of those inside it, in a fixed order."""
    found = list(closed.consts)
    for eqn in closed.jaxpr.eqns:
        for inner in subjaxprs(eqn.params):
            if isinstance(inner, ClosedJaxpr):
                found += arrays(inner)
    return found


def lower_region(
    builder: Builder, region: Region, lap: Lap = no_lap, name: str = "function"
) -> None:
    """Fuse a region into steps; express and schedule its kernels, and those of the regions
    inside.
    """
    fuse(region)
    check_stored(region, "fuse")
    dump.show("fuse", name, lambda: dump.fused_text(region))
    lap("fuse")
    vector_bytes = machine.host().vector_bytes
    attach(builder, region, vector_bytes)
    for position, step in reversed(list(enumerate(region.steps))):
        if isinstance(step, Kernel):
            express(builder, step)
            if region.rare:
                schedule_small(step)
                continue
            region.steps[position + 1 : position + 1] = schedule(builder, step, vector_bytes)
        elif step.kind in _UPDATE_STEPS:
            made = _UPDATE_STEPS[step.kind](builder, step, vector_bytes)
            region.steps[position : position + 1] = made
    for step in region.steps:
        if not isinstance(step, Kernel):
            kernel = try_kernel(builder, step)
            if kernel is not None:
                schedule(builder, kernel, vector_bytes)
                kernel.nodes = [x for inner in step.regions for x in inner.nodes]
                step.params = {"kernel": kernel}
                step.regions = []
    lap("schedule")
    for step in region.steps:
        if not isinstance(step, Kernel):
            for inner in step.regions:
                lower_region(builder, inner, lap, f"{name}, inside {step!r}")


def assign(builder: ProgramBuilder, region: Region) -> int:
    """Give inputs, constants and outputs their slots in the caller's table; the number of them."""
    slot = 0
    for node in (*region.inputs, *builder.constant_nodes.values(), *region.outputs):
        if node.buffer is None:
            continue
        node.buffer.slot = slot
        if node.buffer.kind == "temporary":
            node.buffer.kind = "output"
        slot += 1
    return slot


def place(region: Region, slot: int) -> tuple[int, int]:
    """Place temporaries in the arena, whose address is in a slot, the runtime's in the next, and
    give moving pointers slots after it.

    Returns the size of the arena and the number of slots.
    """
    found = temporaries(region)
    for buffer in found:
        buffer.slot = slot
    loops = any(not isinstance(step, Kernel) or step.is_long() for step in region.steps)
    return arena(found), pointer_slots(region, slot + 2) if loops else slot + 1


def memory_text(region: Region, scratch: int) -> str:
    """Where temporaries lie in the arena."""
    lines = [f"{scratch} bytes"]
    for b in sorted(temporaries(region), key=lambda b: b.offset):
        lines.append(f"  {b.offset:>10} {b.nbytes:>10} bytes, steps {b.first} to {b.last}: {b!r}")
    return "\n".join(lines)


def pointer_slots(region: Region, slot: int) -> int:
    """Slots for the pointers of loops; gives the next free one."""
    for step in region.steps:
        if isinstance(step, Kernel):
            continue
        for node in moving_nodes(step):
            root = node.buffer.find() if node.buffer is not None else None
            if root is not None and root.kind == "pointer" and root.slot < 0:
                root.slot = slot
                slot += 1
        for inner in step.regions:
            slot = pointer_slots(inner, slot)
    return slot


def moving_nodes(block: Block) -> list[Node]:
    """The values of a loop whose address changes from turn to turn."""
    nodes = [x for pair in block.params.get("slices", ()) for x in pair[:1]]
    nodes += [x for pair in block.params.get("stacked", ()) for x in pair[:1]]
    for carry in block.params.get("carries", ()):
        nodes += (carry.inside, carry.following)
    return nodes
