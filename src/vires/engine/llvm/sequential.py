"""Loops in registers: a scan or while whose carried values are tiny, or are used element by
element.

Such a loop is one kernel. Values of a few elements become that many scalars. Values of the loop's
domain (all of one
shape, each element made of elements at the same index) are carried one vector at a
time: each vector runs all
turns before the next one begins, so that nothing goes to memory in between.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from vires.engine.llvm.builder import Builder, NotInRegisters
from vires.engine.llvm.control import Carry
from vires.engine.llvm.expressions import Expr, Index
from vires.engine.llvm.program import (
    Block,
    Kernel,
    Node,
    Reduction,
    Region,
    Shape,
    Store,
    Turns,
    leader,
)

#: Elements of a value that may live in registers, and operations of a body.
_TINY, _CARRIED, _OPERATIONS = 16, 48, 3000


def try_kernel(builder: Builder, block: Block) -> Kernel | None:
    """The kernel of a loop that fits in registers, or None."""
    if block.kind not in ("scan", "while") or block.effect or not block.params["carries"]:
        return None
    domain = _domain(block)
    if domain is None or any(_has_blocks(region) for region in block.regions):
        return None
    try:
        return _Sequential(builder, block, domain).kernel()
    except NotInRegisters:
        return None
    finally:
        builder.registers.clear()


def _has_blocks(region: Region) -> bool:
    return any(node.definition.__class__ is Block for node in region.nodes)


def _domain(block: Block) -> Shape | None:
    """The shape of the values that are carried element by element; () when all are tiny."""
    params = block.params
    values = [c.inside for c in params["carries"]]
    values += [inner for inner, _ in params.get("slices", ())]
    values += [inner for inner, _ in params.get("stacked", ())]
    shapes = {x.shape for x in values if x.size > _TINY}
    if len(shapes) > 1:
        return None
    if not shapes:
        return () if sum(x.size for x in values) <= _CARRIED else None
    if sum(x.size for x in values if x.size <= _TINY) > _CARRIED:
        return None
    (domain,) = shapes
    if block.kind == "while" and _any_of(block, domain) is None:
        return None
    return domain


def _any_of(block: Block, domain: Shape) -> Node | None:
    """The value of the domain that a loop goes on for as long as it holds anywhere."""
    test: Node = block.params["test"]
    group = test.definition
    if (
        not isinstance(group, Reduction)
        or group.combine != "or"
        or group.element is not None
        or group.shape != domain
        or len(group.axes) != len(domain)
    ):
        return None
    return group.sources[0]


class _Sequential:
    """Builds the kernel of one loop."""

    def __init__(self, builder: Builder, block: Block, domain: Shape) -> None:
        self.builder = builder
        self.block = block
        self.domain = domain

    def kernel(self) -> Kernel:
        builder, block = self.builder, self.block
        params = block.params
        builder.restart_variables()
        builder.memo.clear()
        kernel = Kernel(self.domain, 0)
        variables = [builder.variable(n) for n in self.domain]
        kernel.loops = [v for v in variables if v.size != 1]
        zero = builder.index(0, ())
        self.index = tuple([builder.as_index(v) if v.size != 1 else zero for v in variables])
        builder.identity, builder.identity_shape, builder.identity_offset = (
            self.index,
            self.domain,
            None,
        )
        length = params.get("length", 1 << 40)
        turn = builder.variable(length)
        kernel.reduced = [turn]
        self.turn = turn
        self.bits = turn.bit
        for v in kernel.loops:
            self.bits |= v.bit
        turns = kernel.turns = Turns()
        carries: list[Carry] = params["carries"]
        for carry in carries:
            self._place(carry.inside, turns.arguments)
            turns.inits += self._at(carry.init)
        position = builder.as_index(turn)
        if params.get("reverse"):
            position = builder.index(length - 1, ()) - position
        for inner, outer in params.get("slices", ()):
            self._place_slice(inner, outer, position)
        if block.kind == "while":
            going = _any_of(block, self.domain) if self.domain else None
            self._evaluate(block.regions[0], None if going is None else params["test"])
            turns.test = self._at(params["test"] if going is None else going)[0]
        self._evaluate(block.regions[-1])
        for carry in carries:
            turns.exprs += self._at(carry.following)
            buffer = carry.result.buffer
            assert buffer is not None
            turns.targets += [(buffer, offset) for offset in self._offsets(carry.result.shape)]
        if turns.test is not None and self.domain:
            self._stop_apart(turns, carries)
        self._drop_unused(turns, carries)
        for inner, outer in params.get("stacked", ()):
            assert outer.buffer is not None
            start = position * inner.size
            for offset, x in zip(self._offsets(inner.shape), self._at(inner), strict=True):
                kernel.stores.append(Store(outer.buffer, start + offset, x))
        if len(kernel.expressions()) > _OPERATIONS:
            raise NotInRegisters
        return kernel

    def _stop_apart(self, turns: Turns, carries: Sequence[Carry]) -> None:
        """Let each vector stop when none of its own lanes goes on. That gives the same values if
        further turns change nothing where the test fails, and if nobody asks for the small values
        that all elements share.
        """
        small: list[int] = []
        large: list[int] = []
        first = leader(self.block)  # counts the use of the block
        for carry in carries:
            used = carry.result.used - (carry.result is first)
            count = len(self._indices(carry.inside.shape))
            begin = len(small) + len(large)
            found = range(begin, begin + count)
            if self._is_tiny(carry.inside.shape):
                if used or any(turns.exprs[i].vars & ~self.turn.bit for i in found):
                    raise NotInRegisters
                small += found
            else:
                if not all(_stays(turns.exprs[i], turns.arguments[i], turns.test) for i in found):
                    raise NotInRegisters
                large += found
        order = [*small, *large]
        turns.targets = [turns.targets[i] for i in large]
        turns.arguments = [turns.arguments[i] for i in order]
        turns.inits = [turns.inits[i] for i in order]
        turns.exprs = [turns.exprs[i] for i in order]

    def _drop_unused(self, turns: Turns, carries: Sequence[Carry]) -> None:
        """Write no last values that nobody reads. What has no target comes first."""
        first = leader(self.block)
        unread: set[int] = set()
        for carry in carries:
            if carry.result.used - (carry.result is first) == 0:
                unread.add(id(carry.result.buffer))
        without = len(turns.arguments) - len(turns.targets)
        dropped = [id(buffer) in unread for buffer, _ in turns.targets]
        turns.targets = [x for x, drop in zip(turns.targets, dropped, strict=True) if not drop]
        places = [without + i for drop in (True, False) for i, d in enumerate(dropped) if d is drop]
        order = [*range(without), *places]
        turns.arguments = [turns.arguments[i] for i in order]
        turns.inits = [turns.inits[i] for i in order]
        turns.exprs = [turns.exprs[i] for i in order]

    def _is_tiny(self, shape: Shape) -> bool:
        return math.prod(shape) <= _TINY and (shape != self.domain or not shape)

    def _indices(self, shape: Shape) -> list[tuple[Index, ...]]:
        """The indices at which a value of the loop is known."""
        if not self._is_tiny(shape):
            if shape != self.domain:
                raise NotInRegisters
            return [self.index]
        constant = self.builder.index
        return [
            tuple([constant(i, ()) for i in place])
            for place in itertools.product(*map(range, shape))
        ]

    def _offsets(self, shape: Shape) -> list[Index]:
        return [self.builder.offset(shape, index) for index in self._indices(shape)]

    def _at(self, node: Node) -> list[Expr]:
        return [self.builder.element(node, index) for index in self._indices(node.shape)]

    def _place(self, node: Node, arguments: list[Expr]) -> None:
        """Make a carried value one of registers."""
        bits = self.turn.bit if self._is_tiny(node.shape) else self.bits
        known: dict[Any, Expr] = {}
        for index in self._indices(node.shape):
            argument = self.builder.argument(node.dtype)
            argument.vars = bits
            known[index] = argument
            arguments.append(argument)
        self.builder.registers[node] = known

    def _place_slice(self, inner: Node, outer: Node, position: Index) -> None:
        """Make the elements of a slice loads from the whole."""
        assert outer.buffer is not None
        start = position * inner.size
        self.builder.registers[inner] = {
            index: self.builder.load(
                outer.buffer, start + self.builder.offset(inner.shape, index), inner.dtype
            )
            for index in self._indices(inner.shape)
        }

    def _evaluate(self, region: Region, besides: Node | None = None) -> None:
        """Every value of the body, in order, at the indices where it is known."""
        builder = self.builder
        done: set[int] = set()
        for node in region.nodes:
            group = node.definition
            if node is besides:
                continue
            if group.__class__ is Reduction:
                if id(group) not in done:
                    done.add(id(group))
                    self._reduce(group)
                continue
            if node.size > 4 * _TINY and node.shape != self.domain:
                continue  # pulled where needed
            if self._is_tiny(node.shape) or node.shape == self.domain:
                builder.registers[node] = {i: node.element(i) for i in self._indices(node.shape)}
            if builder.count - self._start() > 20 * _OPERATIONS:
                raise NotInRegisters

    def _start(self) -> int:
        if not hasattr(self, "first"):
            self.first = self.builder.count
        return self.first

    def _reduce(self, group: Reduction) -> None:
        """A reduction over few elements, one after the other."""
        builder = self.builder
        if (
            group.prefix
            or math.prod(group.shape) > 16 * _TINY
            or not self._is_tiny(leader(group).shape)
        ):
            raise NotInRegisters
        kept = [d for d in range(len(group.shape)) if d not in group.axes]
        results: list[dict[Any, Expr]] = [{} for _ in group.results]
        for place in self._indices(tuple([group.shape[d] for d in kept])):
            total: Sequence[Expr] | None = None
            for inner in itertools.product(*[range(group.shape[d]) for d in group.axes]):
                index: list[Any] = [None] * len(group.shape)
                for d, i in zip(kept, place, strict=True):
                    index[d] = i
                for d, i in zip(group.axes, inner, strict=True):
                    index[d] = builder.index(i, ())
                at = tuple(index)
                values = (
                    [builder.element(x, at) for x in group.sources]
                    if group.element is None
                    else list(group.element(at))
                )
                total = values if total is None else self._combined(group, total, values)
            if total is None:
                total = [
                    builder.constant(value, x.dtype)
                    for value, x in zip(group.identities, group.results, strict=True)
                ]
            for known, value, node in zip(results, total, group.results, strict=True):
                known[place] = builder.convert(value, node.dtype) if node.number >= 0 else value
        for node, known in zip(group.results, results, strict=True):
            builder.registers[node] = known

    def _combined(self, group: Reduction, a: Sequence[Expr], b: Sequence[Expr]) -> Sequence[Expr]:
        if not isinstance(group.combine, str):
            return group.combine(tuple(a), tuple(b))
        return [self.builder.op(group.combine, x, y) for x, y in zip(a, b, strict=True)]


def _stays(x: Expr, before: Expr, test: Expr | None) -> bool:
    """Whether a carried value, or the test itself, stays as it is where the test does not hold."""
    if x is before:
        return True
    if x.op == "select":
        return x.args[0] is test and _stays(x.args[2], before, test)
    return before is test and x.op == "and" and test in x.args
