"""Loops and branches over programs: their regions, and which memory their carried values live in.

A carried value has a buffer that the body reads and one that it writes. They are one when nothing
reads the old
value after the new one is written; otherwise they change places after each turn. Values that the
body hands on
unchanged are no carried values but constants of the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr
from vires.engine.llvm.loop_products import Plan, plan_products
from vires.engine.llvm.program import Block, Buffer, Node, Region

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder


class Carry:
    """One carried value: its place in the body (`inside`), what the body makes of it, and the
    block's result.
    """

    __slots__ = ("aval", "following", "init", "inside", "result", "spare")

    def __init__(self, aval: ShapedArray, init: Node, inside: Node) -> None:
        self.aval = aval
        self.init = init
        self.inside = inside
        self.following: Node = inside
        self.result: Node = inside
        #: The second buffer, when old and new value change places.
        self.spare: Buffer | None = None


def _lower(builder: Builder, closed: ClosedJaxpr, inputs: Sequence[Node]) -> Region:
    """A region with the program's equations, on the given nodes."""
    before, region = builder.region, Region()
    builder.region = region
    try:
        results = builder.inline(closed, inputs)
        own_outputs(builder, region, results)
    finally:
        builder.region = before
    return region


def own_outputs(builder: Builder, region: Region, results: Sequence[Node]) -> None:
    """Make every result a node of its own that the region writes to memory."""
    inside = {node.number for node in region.nodes}
    seen: set[int] = set()
    for node in results:
        if node.kind == "literal" or node.number in seen or node.number not in inside:
            node = builder.derived(
                "copy", node, node.shape, node.dtype, lambda index, x=node: x.at(index)
            )
        seen.add(node.number)
        region.outputs.append(node)


def _input(builder: Builder, aval: ShapedArray) -> Node:
    return builder.input(aval, "pointer")


def _is_invariant(closed: ClosedJaxpr, position: int, out: int) -> bool:
    """Whether the program hands an argument on unchanged."""
    return closed.jaxpr.outvars[out] is closed.jaxpr.invars[position]


def _handed_on(inits: Sequence[Node], carries: Sequence[Carry | None]) -> list[Node]:
    """The first values of carries that the body hands on unchanged."""
    return [x for x, carry in zip(inits, carries, strict=True) if carry is None]


def _in_memory(operands: Sequence[Node]) -> list[Node]:
    return [x for x in operands if x.kind != "literal"]


def scan(
    builder: Builder,
    operands: Sequence[Node],
    *,
    body: ClosedJaxpr,
    length: int,
    reverse: bool,
    num_consts: int,
    num_carry: int,
    unroll: Any = 1,
) -> tuple[Block, list[Node]]:
    """The block, and nodes for the last carried values and the stacked results."""
    plan = plan_products(body, length, num_consts, num_carry)
    if plan is not None:
        block, results = _around(builder, operands, plan, length, reverse, num_consts, num_carry)
        return block, results[: len(body.jaxpr.outvars)]
    consts = list(operands[:num_consts])
    inits, xs = operands[num_consts : num_consts + num_carry], operands[num_consts + num_carry :]
    carries: list[Carry | None] = []
    inputs: list[Node] = list(consts)
    for i, init in enumerate(inits):
        if _is_invariant(body, num_consts + i, i):
            carries.append(None)
            inputs.append(init)
        else:
            inside = _input(builder, body.jaxpr.invars[num_consts + i].aval)
            carries.append(Carry(inside.aval, builder.in_memory(init), inside))
            inputs.append(inside)
    slices = [_input(builder, v.aval) for v in body.jaxpr.invars[num_consts + num_carry :]]
    sources = [builder.in_memory(x) for x in xs]
    region = _lower(builder, body, [*inputs, *slices])
    moving = [c for c in carries if c is not None]
    block = Block(
        "scan",
        [*_in_memory([*consts, *_handed_on(inits, carries)]), *[c.init for c in moving], *sources],
        {
            "carries": moving,
            "slices": list(zip(slices, sources, strict=True)),
            "length": length,
            "reverse": reverse,
        },
    )
    block.regions = [region]
    results: list[Node] = []
    for i, carry in enumerate(carries):
        if carry is None:
            results.append(inits[i])
            continue
        carry.following = region.outputs[i]
        carry.result = builder.result("memory", block)
        results.append(carry.result)
    stacked: list[tuple[Node, Node]] = []
    for inner in region.outputs[num_carry:]:
        y = builder.result("memory", block)
        stacked.append((inner, y))
        results.append(y)
    block.params["stacked"] = stacked
    return block, results


def _around(
    builder: Builder,
    operands: Sequence[Node],
    plan: Plan,
    length: int,
    reverse: bool,
    num_consts: int,
    num_carry: int,
) -> tuple[Block, list[Node]]:
    """A scan without the products that are done before and after it; what only these need comes
    last.
    """
    inits, xs = operands[num_consts : num_consts + num_carry], operands[num_consts + num_carry :]
    before = [
        builder.inline(each.program, [operands[i] for i in each.operands])[0]
        for each in plan.hoisted
    ]
    inside = [*operands[:num_consts], *[inits[i] for i in plan.kept], *xs, *before]
    kept = len(plan.kept)
    block, found = scan(
        builder,
        inside,
        body=plan.body,
        length=length,
        reverse=reverse,
        num_consts=num_consts,
        num_carry=kept,
    )
    for position, (node, aval) in enumerate(zip(found, plan.body.out_avals, strict=True)):
        if node.number < 0:
            shape = aval.shape if position < kept else (length, *aval.shape)
            builder.adopt(node, ShapedArray(shape, aval.dtype), "scan", ())
    carries = dict(zip(plan.kept, found[:kept], strict=True))
    places = {"xs": xs, "ys": found[kept:]}
    for each in plan.sunk:
        stacked = [places[kind][number] for kind, number in each.sources]
        (carries[each.carry],) = builder.inline(each.program, [inits[each.carry], *stacked])
    return block, [*[carries[i] for i in range(num_carry)], *found[kept:]]


def while_loop(
    builder: Builder,
    operands: Sequence[Node],
    *,
    cond: ClosedJaxpr,
    body: ClosedJaxpr,
    cond_consts: int,
    body_consts: int,
) -> tuple[Block, list[Node]]:
    """The block, and nodes for the last carried values."""
    of_cond = list(operands[:cond_consts])
    of_body = list(operands[cond_consts : cond_consts + body_consts])
    inits = operands[cond_consts + body_consts :]
    carries: list[Carry | None] = []
    inputs: list[Node] = []
    for i, init in enumerate(inits):
        if _is_invariant(body, body_consts + i, i):
            carries.append(None)
            inputs.append(init)
        else:
            inside = _input(builder, body.jaxpr.invars[body_consts + i].aval)
            carries.append(Carry(inside.aval, builder.in_memory(init), inside))
            inputs.append(inside)
    test = _lower(builder, cond, [*of_cond, *inputs])
    region = _lower(builder, body, [*of_body, *inputs])
    moving = [c for c in carries if c is not None]
    block = Block(
        "while",
        [
            *_in_memory([*of_cond, *of_body, *_handed_on(inits, carries)]),
            *[c.init for c in moving],
        ],
        {"carries": moving, "test": test.outputs[0]},
    )
    block.regions = [test, region]
    results: list[Node] = []
    for i, carry in enumerate(carries):
        if carry is None:
            results.append(inits[i])
            continue
        carry.following = region.outputs[i]
        carry.result = builder.result("memory", block)
        results.append(carry.result)
    return block, results


def branch(
    builder: Builder, operands: Sequence[Node], *, branches: Sequence[ClosedJaxpr]
) -> tuple[Block | None, list[Node]]:
    """The block, and nodes for the results of the chosen program; no block where the choice is
    known.
    """
    index, *arguments = operands
    if index.kind == "literal":
        chosen = min(max(int(index.definition.attr), 0), len(branches) - 1)
        return None, builder.inline(branches[chosen], arguments)
    regions = [_lower(builder, closed, arguments) for closed in branches]
    block = Block("branch", [index, *_in_memory(arguments)], {})
    block.regions = regions
    return block, [builder.result("memory", block) for _ in branches[0].jaxpr.outvars]
