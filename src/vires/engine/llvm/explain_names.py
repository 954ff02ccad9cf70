"""Names of buffers as the user knows them: arguments, results, and numbered temporaries."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from vires.core.jaxpr import ClosedJaxpr
from vires.engine.llvm.plan import reads, writes
from vires.engine.llvm.program import Block, Buffer, Node, Region


def name_buffers(
    closed: ClosedJaxpr, builder: Any, region: Region, count: int, forwarded: Collection[int]
) -> dict[Buffer, str]:
    """A name for each buffer that owns memory in an arranged program of `count` results, some of
    which are arguments handed on.
    """
    names: dict[Buffer, str] = {}

    def give(node: Node, name: str) -> None:
        if node.buffer is not None:
            names.setdefault(node.buffer.find(), name)

    given = closed.jaxpr.names or []
    for i, node in enumerate(region.inputs):
        give(node, given[i] if i < len(given) and given[i] else f"argument {i}")
    for i, node in enumerate(builder.constant_nodes.values()):
        give(node, f"constant {i}")
    written = [k for k in range(count) if k not in forwarded]
    for k, node in zip(written, region.outputs, strict=True):
        give(node, "result" if count == 1 else f"result {k}")
    _name_region(region, names)
    return names


def _name_region(region: Region, names: dict[Buffer, str]) -> None:
    for step in region.steps:
        if isinstance(step, Block):
            _name_moving(step, names)
            for inner in step.regions:
                _name_region(inner, names)
        for buffer in (*writes(step), *reads(step)):
            root = buffer.find()
            if root not in names:
                temporaries = sum(name.startswith("temporary") for name in names.values())
                names[root] = f"temporary {temporaries + 1}"


def _name_moving(block: Block, names: dict[Buffer, str]) -> None:
    """Slices and results of a loop by what they are parts of; carried values by their number."""
    if "kernel" in block.params:
        return
    for inner, outer in (*block.params.get("slices", ()), *block.params.get("stacked", ())):
        assert outer.buffer is not None
        whole = names.get(outer.buffer.find(), "stacked")
        if inner.buffer is not None:
            names.setdefault(inner.buffer.find(), f"{whole}[turn]")
    for number, carry in enumerate(block.params.get("carries", ())):
        for node in (carry.inside, carry.following):
            if node.buffer is not None:
                names.setdefault(node.buffer.find(), f"carry {number}")
