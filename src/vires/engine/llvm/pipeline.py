"""From a staged program to machine code: the list of passes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from vires import _native
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr
from vires.core.trace import as_array
from vires.engine.llvm import machine, objects
from vires.engine.llvm.builder import Builder, Operand
from vires.engine.llvm.emit_program import ProgramWriter
from vires.engine.llvm.express import express
from vires.engine.llvm.fuse import fuse
from vires.engine.llvm.plan import arena, temporaries
from vires.engine.llvm.program import Kernel, Node, Region
from vires.engine.llvm.schedule import schedule

_counter = itertools.count()


class ProgramBuilder(Builder):
    """A builder that keeps the constant arrays of the program."""

    def __init__(self) -> None:
        super().__init__()
        self.constants: list[Any] = []
        self.constant_nodes: dict[int, Operand] = {}

    def captured(self, value: Any, aval: ShapedArray) -> Node:
        found = self.constant_nodes.get(id(value))
        if found is None:
            array = as_array(value)
            if aval.size == 1 and not dtypes.is_key(aval.dtype) and not aval.shape:
                found = self.literal(array, aval)
            else:
                found = self.input(aval, "constant")
                self.constants.append(array)
                found.definition = len(self.constants) - 1
            self.constant_nodes[id(value)] = found
        return found


def own_outputs(builder: Builder, region: Region, results: Sequence[Node]) -> None:
    """Make every result a node of its own that the region writes to memory."""
    seen: set[int] = set()
    for node in results:
        if node.kind == "literal" or node.number in seen or (node.kind == "memory" and node.definition is None):
            node = copy_of(builder, region, node)
        seen.add(node.number)
        region.outputs.append(node)


def copy_of(builder: Builder, region: Region, source: Node) -> Node:
    """A node with the elements of another one, in memory of its own."""
    node = builder.pull(lambda index: builder.element(source, index)).typed(source.aval)
    node.name, node.operands, node.pointwise, node.weight = "copy", (source,), True, 0.0
    node.number = builder.number = builder.number + 1
    region.nodes.append(node)
    return node


def compile_program(closed: ClosedJaxpr, name: str, donate: Sequence[int] = ()) -> Any:
    """An executable of the native core for a staged program."""
    builder = ProgramBuilder()
    region = builder.region
    jaxpr = closed.jaxpr
    region.inputs = [builder.input(v.aval) for v in jaxpr.invars]
    for number, node in enumerate(region.inputs):
        node.definition = None
    environment: dict[Any, Node] = dict(zip(jaxpr.invars, region.inputs, strict=True))
    for var, value in zip(jaxpr.constvars, closed.consts, strict=True):
        environment[var] = builder.captured(value, var.aval)
    results = builder.lower(jaxpr, environment)
    forward: dict[int, Any] = {}
    written: list[Node] = []
    positions: list[int] = []
    for number, node in enumerate(results):
        if node.kind == "memory" and node.buffer is not None and node.buffer.kind == "input":
            forward[number] = region.inputs.index(node)
        elif node.kind == "memory" and node.buffer is not None and node.buffer.kind == "constant":
            forward[number] = ("const", node.definition)
        else:
            written.append(node)
            positions.append(number)
    own_outputs(builder, region, written)
    fuse(region)
    lower_kernels(builder, region)
    slots = assign(builder, region)
    writer = ProgramWriter(slots + 1, slots + 1)
    scratch = arena_of(region, slots)
    symbol = f"entry_{next(_counter)}"
    text = writer.text(region, symbol)
    linked = objects.build(text, symbol, level=0, names=writer.symbols)
    outputs = [(v.aval.shape, dtypes.CODE_OF[v.aval.dtype], bool(v.aval.weak_type)) for v in jaxpr.outvars]
    heavy = any(isinstance(s, Kernel) and s.work > 20_000 for s in region.steps)
    return _native.Executable(
        linked.address(symbol),
        linked,
        builder.constants,
        [(v.aval.shape, dtypes.CODE_OF[v.aval.dtype]) for v in jaxpr.invars],
        outputs,
        scratch,
        writer.host_functions,
        _no_error,
        heavy,
        {},
        forward,
    )


def _no_error(site: int, a: int, b: int) -> Exception:
    return RuntimeError(f"program: failed at site {site} ({a}, {b})")


def lower_kernels(builder: Builder, region: Region) -> None:
    """Express and schedule the kernels of a region."""
    vector_bytes = machine.host().vector_bytes
    for position, step in reversed(list(enumerate(region.steps))):
        if isinstance(step, Kernel):
            express(builder, step)
            second = schedule(builder, step, vector_bytes)
            if second is not None:
                region.steps.insert(position + 1, second)


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


def arena_of(region: Region, slot: int) -> int:
    """Place the temporaries; the size of the arena."""
    found = temporaries(region)
    for buffer in found:
        buffer.slot = slot
    return arena(found)
