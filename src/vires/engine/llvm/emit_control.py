"""Loops around steps, in the entry of a program."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vires.engine.llvm.control import Carry
from vires.engine.llvm.program import Block, Buffer, Kernel, Node, Region

if TYPE_CHECKING:
    from vires.engine.llvm.emit_entry import EntryWriter
    from vires.engine.llvm.ssa import Val

#: A loop asks for signals about every so much work.
_POLL_WORK = 1_000_000.0


def emit_scan(writer: EntryWriter, block: Block) -> None:
    """Run the body for each slice; slices and results are pointers that move."""
    params, region = block.params, block.regions[0]
    length, reverse = params["length"], params["reverse"]
    _begin(writer, params["carries"])
    moving = [(inner, outer) for inner, outer in params["slices"]]
    moving += [(inner, outer) for inner, outer in params["stacked"]]
    bases = [writer.main_pointer(_buffer(outer)) for _, outer in moving]
    if length == 0:
        return

    def turn(counter: Val) -> None:
        position = length - 1 - counter if reverse else counter
        for (inner, _), base in zip(moving, bases, strict=True):
            buffer = _buffer(inner).find()
            if buffer.slot < 0:
                continue
            step = math.prod(inner.shape)
            address = writer.main.gep(base, buffer.dtype, position * step)
            writer.set_pointer(buffer, address)
        writer.steps(region)
        _swap(writer, params["carries"])
        _poll(writer, region, counter)

    writer.loop(length, turn)
    _end(writer, params["carries"])


def emit_while(writer: EntryWriter, block: Block) -> None:
    """Run the body as long as the condition holds."""
    main, params = writer.main, block.params
    test, body = block.regions
    _begin(writer, params["carries"])
    before, head = main.block, main.fresh_label("while")
    inside, done = main.fresh_label("body"), main.fresh_label("done")
    main.br(head)
    main.label(head)
    counter = main.phi("int64", 1, [(main.index(0), before)])
    writer.steps(test)
    holds = main.load(writer.main_pointer(_buffer(params["test"])), "bool")
    main.cond_br(holds, inside, done)
    main.label(inside)
    writer.steps(body)
    _swap(writer, params["carries"])
    _poll(writer, body, counter)
    main.add_incoming(counter, counter + 1, main.block)
    main.br(head)
    main.label(done)
    _end(writer, params["carries"])


def _buffer(node: Node) -> Buffer:
    assert node.buffer is not None
    return node.buffer


def _begin(writer: EntryWriter, carries: list[Carry]) -> None:
    """Bring the first values to the memory of the results, and set the pointers."""
    for carry in carries:
        source, result = _buffer(carry.init), _buffer(carry.result)
        target = writer.main_pointer(result)
        if source.find() is not result.find():
            writer.copy(target, writer.main_pointer(source), result.nbytes)
        if carry.spare is not None:
            writer.set_pointer(_buffer(carry.inside), target)
            writer.set_pointer(_buffer(carry.following).find(), writer.main_pointer(carry.spare))


def _swap(writer: EntryWriter, carries: list[Carry]) -> None:
    for carry in carries:
        if carry.spare is not None:
            old, new = _buffer(carry.inside), _buffer(carry.following).find()
            first, second = writer.main_pointer(old), writer.main_pointer(new)
            writer.set_pointer(old, second)
            writer.set_pointer(new, first)


def _end(writer: EntryWriter, carries: list[Carry]) -> None:
    """Bring the last values to the memory of the results, where they are not there already."""
    for carry in carries:
        if carry.spare is not None:
            writer.copy_unless_same(_buffer(carry.result), _buffer(carry.inside))


def work(region: Region) -> float:
    """The cost of a region, in additions."""
    total = 0.0
    for step in region.steps:
        if isinstance(step, Kernel):
            total += step.work + 20
        else:
            total += 1000 + sum(work(r) for r in step.regions) * step.params.get("length", 10)
    return total


def _poll(writer: EntryWriter, region: Region, counter: Val) -> None:
    """Now and then, stop if a signal came."""
    main = writer.main
    turns = max(int(_POLL_WORK / max(work(region), 1.0)), 1)
    turns = 1 << (turns.bit_length() - 1)
    ask, on = main.fresh_label("ask"), main.fresh_label("on")
    if turns > 1:
        due = (counter & (turns - 1)).compare("eq", turns - 1)
        main.cond_br(due, ask, on)
    else:
        main.br(ask)
    main.label(ask)
    writer.poll()
    main.br(on)
    main.label(on)
