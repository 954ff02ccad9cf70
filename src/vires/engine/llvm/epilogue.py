"""Elementwise kernels that run inside of the product whose result they read.

A kernel over the result of a product, of values that are there before it (a bias, an activation, a
residual, an update of weights), is a part of the product's tasks: each task applies it to its block
of the result as soon as that is complete, while it is in the cache of the processor that made it.
The operations and their order are those of the kernel alone, so that results are the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vires.engine.llvm.builder import Builder
from vires.engine.llvm.code import Val
from vires.engine.llvm.emit import Writer
from vires.engine.llvm.express import express_groups
from vires.engine.llvm.expressions import LoopVar
from vires.engine.llvm.gemm import Product
from vires.engine.llvm.program import Block, Buffer, Kernel, Node, Region
from vires.engine.llvm.schedule import schedule

if TYPE_CHECKING:
    from vires.engine.llvm.emit_program import ProgramWriter
    from vires.engine.llvm.modules import Body

#: Operations of a kernel for one of its product, up to which it is done by the product's tasks.
_LIGHT = 0.5
#: Lanes that are worth a vector.
_FEWEST_LANES = 8
#: Bytes that the caches hold.
_CACHED = 12 << 20


def attach(builder: Builder, region: Region, vector_bytes: int) -> None:
    """Make kernels that only follow a product parts of it."""
    for block in [x for x in region.steps if isinstance(x, Block) and "product" in x.params]:
        work: Product = block.params["product"]
        kernel = _follower(region, block)
        if kernel is None or not work.plain or _is_cached(_result(block)):
            continue
        groups = _groups(kernel.domain, (work.field("columns"), work.field("rows"), work.batch))
        loops = None if groups is None else express_groups(builder, kernel, groups)
        if loops is None or not _is_in_place(_result(block).memory, kernel):
            continue
        schedule(builder, kernel, vector_bytes)
        kernel.tasks, kernel.task_var = work.tasks, None
        if kernel.work <= _LIGHT * work.flops:
            kernel.exact = True
            _fit_lanes(kernel, loops, work)
            block.params["epilogue"] = Epilogue(kernel, loops)
            region.steps.remove(kernel)


def _fit_lanes(kernel: Kernel, loops: Sequence[LoopVar | None], work: Product) -> None:
    """Fewer lanes, where these divide the blocks: then no code is needed for what is left over."""
    var = kernel.vector
    if var is None:
        return
    chunks = (1, work.field("row_chunk"), work.field("column_chunk"))
    chunk = chunks[list(loops).index(var)]
    lanes = kernel.lanes
    while lanes > _FEWEST_LANES and (chunk % lanes or var.size % lanes):
        lanes //= 2
    if not chunk % lanes and not var.size % lanes:
        kernel.lanes = lanes


def _is_cached(result: Node) -> bool:
    """Whether the result of a convolution stays in the caches. Its rows are short: what follows is
    faster in one long loop of its own, as long as that does not read memory.
    """
    return result.name == "convolve" and result.memory.nbytes < _CACHED


def _is_in_place(buffer: Buffer, kernel: Kernel) -> bool:
    """Whether a kernel reads a buffer only where it writes."""
    places = {store.offset for store in kernel.stores}
    loads = [x for x in kernel.expressions() if x.op == "load" and x.attr is buffer]
    return len(places) == 1 and all(x.offset in places for x in loads)


def _result(block: Block) -> Node:
    return next(x for x in block.results if x.number >= 0)


def _follower(region: Region, block: Block) -> Kernel | None:
    """The first kernel that reads the result where it is, and nothing made after it."""
    result = _result(block)
    size = tuple([n for n in result.shape if n != 1])
    bit = 1 << result.number
    late = 0
    position = region.steps.index(block)
    for step in region.steps[position + 1 :]:
        made = 0
        if isinstance(step, Kernel):
            for node in step.nodes:
                made |= 1 << node.number
            needs = far = 0
            for node in step.nodes:
                needs |= node.near | node.far
                far |= node.far
            if step.domain == size and needs & bit and all(x.kind == "pull" for x in step.nodes):
                return None if far & bit or needs & ~made & late else step
        else:
            for node in step.results:
                if node.number >= 0:
                    made |= 1 << node.number
        late = _with_aliases(region, late | made)
    return None


def _with_aliases(region: Region, bits: int) -> int:
    """The values with those that share their memory."""
    for node in region.nodes:
        if node.alias and bits >> node.operands[0].number & 1:
            bits |= 1 << node.number
    return bits


def _groups(domain: Sequence[int], sizes: tuple[int, int, int]) -> list[int] | None:
    """How many axes of the domain are batch, rows and columns; None if these are no whole axes."""
    groups: list[int] = []
    end = len(domain)
    for size in sizes:
        start, product = end, 1
        while product < size and start:
            start -= 1
            product *= domain[start]
        if product != size:
            return None
        groups.append(end - start)
        end = start
    return None if end else groups[::-1]


class Epilogue:
    """A kernel that is part of a product, with its loops over batch, rows and columns."""

    def __init__(self, kernel: Kernel, loops: Sequence[LoopVar | None]) -> None:
        self.kernel = kernel
        self._loops = loops

    def function(self, writer: ProgramWriter, work: Product) -> tuple[Body, list[Buffer]]:
        """The function that does the block of a task, and the buffers that it takes."""

        def write(inner: _BlockWriter, task: Val) -> None:
            inner.run_block(work, self._loops, task)

        return writer.function(self.kernel, _BlockWriter, write)


class _BlockWriter(Writer):
    """Writes the kernel for the block of one task."""

    _ranges: dict[LoopVar, tuple[Val, Val, int]]

    def run_block(self, work: Product, loops: Sequence[LoopVar | None], task: Val) -> None:
        """Write the loops over the block of a task, which the product cuts in the same way."""
        code = self.code
        across, down = work.field("column_chunks"), work.field("row_chunks")
        rest = task.binary("udiv", across)
        number = rest.binary("udiv", down)
        column, row = task - rest * across, rest - number * down
        chunks = (1, work.field("row_chunk"), work.field("column_chunk"))
        self._ranges = {}
        for var, place, chunk in zip(loops, (number, row, column), chunks, strict=True):
            if var is not None:
                low = place * chunk
                high = code.smaller(low + chunk, code.index(var.size))
                self._ranges[var] = low, high, chunk
        self.run()

    def _for(
        self, position: int, carried: list[Val], body: Callable[[list[Val]], list[Val]]
    ) -> list[Val]:
        var = self.order[position]
        low, high, chunk = self._ranges[var]
        if chunk == 1:
            self.values[var] = low
            return body(carried)
        self.bounds, self.kernel.task_var, self.kernel.task_size = (low, high), var, chunk
        return super()._for(position, carried, body)
