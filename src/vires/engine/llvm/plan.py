"""Where every buffer lives: inputs, constants and outputs in the caller's table, temporaries in one
arena a call.

A location is a slot of the frame, which is a table of pointers, and an offset in bytes from that
pointer. The
frame begins with the caller's table: inputs, constants, outputs, scratch memory. Programs with
loops extend it.
"""

from __future__ import annotations

from collections.abc import Iterable

from vires.engine.llvm.program import Block, Buffer, Kernel, Region

ALIGNMENT = 64


def reads(step: Kernel | Block) -> list[Buffer]:
    """The buffers that a step reads, regions inside it included."""
    if isinstance(step, Kernel):
        return list(step.loaded())
    found = [x.buffer for x in step.operands if x.buffer is not None]
    if "kernel" in step.params:
        found += reads(step.params["kernel"])
    if "epilogue" in step.params:
        found += reads(step.params["epilogue"].kernel)
    for region in step.regions:
        for inner in region.steps:
            found += reads(inner)
    return list(dict.fromkeys(found))


def writes(step: Kernel | Block) -> list[Buffer]:
    """The buffers that a step writes."""
    if isinstance(step, Kernel):
        found = [store.buffer for store in step.stores]
        for fold in step.folds:
            found += [b for b in fold.buffers if b is not None]
        if step.turns is not None:
            found += [buffer for buffer, _ in step.turns.targets]
        return found
    found = [x.buffer for x in step.results if x.buffer is not None]
    if "epilogue" in step.params:
        found += writes(step.params["epilogue"].kernel)
    for region in step.regions:
        for inner in region.steps:
            found += writes(inner)
    return found


def touch(buffers: Iterable[Buffer], time: int) -> None:
    """Note that buffers are in use at a time."""
    for buffer in buffers:
        root = buffer.find()
        if root.first < 0:
            root.first = time
        root.last = time


def arena(buffers: Iterable[Buffer]) -> int:
    """Give temporaries offsets in the arena, so that those alive at the same time do not overlap;
    its size.
    """
    wanted = sorted((b for b in buffers if b.nbytes), key=lambda b: (-b.nbytes, b.first))
    placed: list[Buffer] = []
    total = 0
    for buffer in wanted:
        clashes = sorted(
            (b for b in placed if b.first <= buffer.last and buffer.first <= b.last),
            key=lambda b: b.offset,
        )
        offset = 0
        for other in clashes:
            if other.offset - offset >= _rounded(buffer.nbytes):
                break
            offset = max(offset, other.offset + _rounded(other.nbytes))
        buffer.offset = offset
        placed.append(buffer)
        total = max(total, offset + _rounded(buffer.nbytes))
    return total


def _rounded(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def temporaries(region: Region) -> list[Buffer]:
    """The temporaries of a region and of those inside it, each once, with their time of life."""
    clock = _Clock()
    _walk(region, clock)
    return list(clock.found)


class _Clock:
    def __init__(self) -> None:
        self.time = 0
        self.found: dict[Buffer, None] = {}

    def touch(self, buffers: Iterable[Buffer]) -> None:
        for buffer in buffers:
            root = buffer.find()
            if root.kind == "temporary":
                self.found[root] = None
                touch((root,), self.time)


def _walk(region: Region, clock: _Clock) -> None:
    for step in region.steps:
        clock.time += 1
        used = (
            *reads(step),
            *writes(step),
            *(step.params.get("buffers", ()) if isinstance(step, Block) else ()),
        )
        clock.touch(used)
        if isinstance(step, Block) and step.regions:
            # What lives outside a loop is alive through all of it.
            for inner in step.regions:
                _walk(inner, clock)
            clock.time += 1
            clock.touch(x for x in used if x.find().first < clock.time)
