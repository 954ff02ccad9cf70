"""Where packed products write: a result that only a transpose uses is written transposed at once.

The distances of the result's axes in the transposed value decide. If its rows are neighbours there
instead of its columns, the operands change places: every element is the same sum in the same order.
Few rows remain rows, since few columns leave vectors empty.
"""

from __future__ import annotations

import math
from collections import Counter

from vires.engine.llvm.gemm import Layout, View, merged, product
from vires.engine.llvm.gemm_kernel import tile_of
from vires.engine.llvm.program import Block, Node, Reduction, Region, leader


def fold_transposes(region: Region) -> None:
    """Let the packed products of a region write what transposes make of their results."""
    nodes = region.nodes
    if not any(x.view is not None and _is_packed(x.operands[0]) for x in nodes):
        return
    uses = _uses(region)
    gone: set[Node] = set()
    for x in nodes:
        if x.view is None:
            continue
        source = x.operands[0]
        if _is_packed(source) and uses[source] == 1 and _write_as(source, x):
            gone.add(source)
    if gone:
        region.nodes = [x for x in nodes if x not in gone]


def _is_packed(x: Node) -> bool:
    return x.definition.__class__ is Block and "views" in x.definition.params


def _uses(region: Region) -> Counter[Node]:
    """How often each value is used, by others and as a result of the region."""
    uses: Counter[Node] = Counter(region.outputs)
    for x in region.nodes:
        definition = x.definition
        if definition.__class__ is Block:
            if leader(definition) is x:
                uses.update((*definition.operands, *definition.params.get("needs", ())))
            continue
        uses.update(x.operands)
        if definition.__class__ is Reduction:
            uses.update(definition.sources)
    return uses


def _write_as(source: Node, target: Node) -> bool:
    """Let the block of a product give its transpose instead, if rows or columns are neighbours
    there.
    """
    block: Block = source.definition
    permutation = target.view
    assert permutation is not None
    strides = [0] * len(permutation)
    for position, axis in enumerate(permutation):
        strides[axis] = math.prod(target.shape[position + 1 :])
    axes = list(zip(source.shape, strides, strict=True))
    groups: list[list[tuple[int, int]]] = []
    for count in block.params["ranks"]:
        groups.append(axes[:count])
        axes = axes[count:]
    batch, rows, columns = (merged(group) for group in groups)
    if len(rows) != 1 or len(columns) != 1:
        return False
    views: tuple[View, View] = block.params["views"]
    count, height, width, length = block.params["sizes"]
    if columns[0][1] == 1:
        leading = rows[0][1]
    elif (
        views[0].bounds is None
        and rows[0][1] == 1
        and (height >= tile_of(target.dtype).lanes or height >= width)
    ):
        leading = columns[0][1]
        views, height, width = (views[1], views[0]), width, height
        block.operands = block.operands[::-1]
    else:
        return False
    product(block, views, (count, height, width, length), target.dtype, Layout(batch, leading))
    block.results = [target]
    target.kind, target.definition = "memory", block
    target.operands, target.view, target.pointwise = source.operands, None, False
    target.name, target.weight = source.name, source.weight
    return True
