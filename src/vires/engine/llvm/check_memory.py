"""A checker of where values live, run after the passes under ``config.enable_checks``: each value
is made before it is read, at the place where it is read, in memory that is nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterable

from vires.core.config import config
from vires.engine.llvm.check import need
from vires.engine.llvm.plan import reads, temporaries, writes
from vires.engine.llvm.program import Block, Buffer, Kernel, Node, Region


def check_nodes(region: Region, passed: str) -> None:
    """Operands come before the values that are made of them, and outputs are values of the
    region.
    """
    if not config.enable_checks:
        return
    known = set(region.nodes)
    before: set[Node] = set()
    for node in region.nodes:
        for x in node.operands:
            need(x in before or x not in known, passed, f"{node!r} needs {x!r}, which comes later")
        before.add(node)
    for node in region.outputs:
        need(hasattr(node, "shape"), passed, f"the output {node!r} has no type")


def check_stored(region: Region, passed: str) -> None:
    """What is to be in memory has got a buffer, and a step that writes it."""
    if not config.enable_checks:
        return
    written = {b.find() for step in region.steps for b in _made(step)}
    for node in region.nodes:
        if node.kind != "pull" or not node.store or not node.used:
            continue
        need(node.buffer is not None, passed, f"{node!r} is to be stored, but nothing does it")
        if not node.alias and node.buffer is not None:
            need(node.buffer.find() in written, passed, f"no step writes {node!r}")


def _made(step: Kernel | Block) -> list[Buffer]:
    nodes = step.nodes if isinstance(step, Kernel) else step.results
    return [x.buffer for x in nodes if x.buffer is not None]


def check_order(region: Region, passed: str) -> None:
    """Steps read what was written before them, before any memory is shared."""
    if config.enable_checks:
        _check_order(region, set(), passed)


def _check_order(region: Region, known: set[Buffer], passed: str) -> None:
    for node in region.inputs:
        if node.buffer is not None:
            known.add(node.buffer.find())
    for step in region.steps:
        if isinstance(step, Kernel):
            _check_places(step, passed)
        inside = {b.find() for b in writes(step)}
        for buffer in reads(step) if isinstance(step, Kernel) else _operands(step):
            root = buffer.find()
            need(
                root in known or root in inside or root.kind in ("input", "constant", "pointer"),
                passed,
                f"{step!r} reads {buffer!r}, which nothing has written",
            )
        known |= inside
        if isinstance(step, Block):
            for inner in step.regions:
                _check_order(inner, set(known) | set(_moving(step)), passed)


def _operands(block: Block) -> list[Buffer]:
    return [x.buffer for x in block.operands if x.buffer is not None]


def _moving(block: Block) -> Iterable[Buffer]:
    """What a loop hands to its body."""
    for inner, _ in block.params.get("slices", ()):
        if inner.buffer is not None:
            yield inner.buffer.find()
    for carry in block.params.get("carries", ()):
        if carry.inside.buffer is not None:
            yield carry.inside.buffer.find()


def _check_places(kernel: Kernel, passed: str) -> None:
    """A kernel that reads what it writes reads it where it has just been written."""
    places = {store.buffer.find(): store.offset for store in kernel.stores if store.combine is None}
    folded = {b.find() for fold in kernel.folds for b in fold.buffers if b is not None}
    if kernel.scatters:
        return
    for x in kernel.expressions():
        if x.op != "load":
            continue
        root = x.attr.find()
        need(root not in folded, passed, f"a kernel reads its own sum {x.attr!r}")
        if root in places:
            need(
                x.offset is places[root],
                passed,
                f"a kernel writes {x.attr!r} at {places[root]!r} and reads it at {x.offset!r}",
            )


def check_memory(region: Region, passed: str) -> None:
    """Arguments and constants are not written, and temporaries that are alive together do not
    overlap.
    """
    if not config.enable_checks:
        return
    for node in region.inputs:
        buffer = node.buffer
        need(
            buffer is None or buffer.find() is buffer,
            passed,
            f"the argument {node!r} shares memory with {buffer and buffer.find()!r}",
        )
    for node in region.outputs:
        root = None if node.buffer is None else node.buffer.find()
        need(
            root is None or root.kind not in ("input", "constant"),
            passed,
            f"the output {node!r} lies in the {root and root.kind} {root!r}",
        )
    alive: list[Buffer] = []
    for buffer in sorted((b for b in temporaries(region) if b.nbytes), key=lambda b: b.offset):
        alive = [b for b in alive if b.offset + b.nbytes > buffer.offset]
        for other in alive:
            need(
                other.last < buffer.first or buffer.last < other.first,
                passed,
                f"{buffer!r} and {other!r} overlap while both are needed",
            )
        alive.append(buffer)
