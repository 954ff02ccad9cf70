"""Blocks that write a part of an array: what they pull, and how they are divided.

Updates and indices are pulled into the loops that write them, so that neither goes to memory,
unless they read an array whose memory the result may get.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from vires.core import dtypes
from vires.engine.llvm.program import UPDATES, Block, Node

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder
    from vires.ops.slices import ScatterDimensionNumbers

#: Windows of up to so many elements are written without a loop.
UNROLLED = 8
#: Combining fewer updates than this is one task; so many tasks combine parts of more.
_FEW_UPDATES, _MOST_PARTS = 32_768, 32
#: Nodes that are looked at to find out whether updates read the operand.
_MOST_LOOKS = 400


def scatter(
    builder: Builder, operand: Node, indices: Node, updates: Node, **params: Any
) -> list[Node]:
    """The block of a scatter; what it can pull need not be in memory."""
    params = {**params, "operand": operand, "indices": indices, "updates": updates}
    params["parts"] = parts = _parts(operand, updates, params)
    stored, needs = ([], [operand]) if parts else ([builder.in_memory(operand)], [])
    known = _overwritten(operand)
    for name in ("indices", "updates"):
        x = params[name]
        if parts or not _reads(x, known):
            needs.append(x)
        else:
            x = params[name] = builder.in_memory(x)
            stored.append(x)
    block = Block("scatter", stored, {**params, "needs": tuple(needs)})
    return [builder.result("memory", block)]


def update_slice(builder: Builder, operand: Node, update: Node, *starts: Node) -> list[Node]:
    """The block of a slice written at run-time positions."""
    stored = [builder.in_memory(operand)]
    needs: list[Node] = []
    known = _overwritten(operand)
    moved: list[Node] = []
    for x in (update, *starts):
        if _reads(x, known):
            x = builder.in_memory(x)
            stored.append(x)
        else:
            needs.append(x)
        moved.append(x)
    params = {"operand": operand, "update": moved[0], "starts": moved[1:], "needs": tuple(needs)}
    return [builder.result("memory", Block("update_slice", stored, params))]


def _overwritten(operand: Node) -> set[Node]:
    """The values whose memory may become that of the operand."""
    found: set[Node] = set()
    node = operand
    while node not in found:
        found.add(node)
        definition = node.definition
        if node.kind == "pull" and node.same:
            node = node.operands[0]
        elif definition.__class__ is Block and definition.kind in UPDATES:
            node = definition.params.get("operand") or definition.operands[0]
    return found


def _reads(x: Node, known: set[Node]) -> bool:
    """Whether pulling a value reads one of some nodes, as far as that is easily seen."""
    seen: set[Node] = set()
    waiting = [x]
    while waiting:
        node = waiting.pop()
        if node in known or len(seen) > _MOST_LOOKS:
            return True
        if node.kind == "pull" and node not in seen:
            seen.add(node)
            waiting += node.operands
    return False


def _parts(operand: Node, updates: Node, params: dict[str, Any]) -> int:
    """How many tasks combine parts of the updates into arrays of their own; 0: none do."""
    numbers: ScatterDimensionNumbers = params["dimension_numbers"]
    shared = math.prod([operand.shape[d] for d in numbers.operand_batching_dims])
    window = [updates.shape[d] for d in numbers.update_window_dims]
    if (
        updates.size < _FEW_UPDATES
        or not operand.size
        or shared >= 4
        or (params["unique"] and updates.size // math.prod(window) >= 4)
        or identity(params["combine"], operand.dtype) is None
    ):
        return 0
    each = 4 if not window or window[-1] < UNROLLED else 8
    most = min(updates.size // (each * operand.size), _MOST_PARTS)
    return 1 << (most.bit_length() - 1) if most >= 2 else 0


def identity(combine: str | None, dtype: Any) -> Any:
    """The value that changes nothing when it is combined with another; None where there is none."""
    if combine is None or dtype.kind == "b" or dtypes.is_key(dtype):
        return None
    if dtype.kind in "iu" and dtype.itemsize > 0:
        info = np.iinfo(dtype)
        return {"add": 0, "mul": 1, "min": int(info.max), "max": int(info.min)}[combine]
    if dtype.kind == "c":
        return {"add": complex(-0.0, -0.0), "mul": None}.get(combine)
    if dtype.kind != "f" and dtype != dtypes.bfloat16:
        return None
    return {"add": -0.0, "mul": 1.0, "min": math.inf, "max": -math.inf}[combine]
