"""Cumulative operations on several threads.

Rows of their own are divided among tasks. One long row whose elements are dear is cut: each task
writes the partial results of its piece; a small kernel combines what the pieces end with, and a
last one puts that before the elements of the following pieces. It reads and writes memory once
more, so cheap elements, for which one thread keeps up with memory, are not worth it.
"""

from __future__ import annotations

from vires.engine.llvm import costs
from vires.engine.llvm.builder import Builder
from vires.engine.llvm.expressions import Expr, Index, walk
from vires.engine.llvm.program import Buffer, Fold, Kernel, Store

#: The cost of a kernel from which on a row is cut, that of a piece, and how many there are.
_SERIAL, _PIECE, _MOST = 1_000_000.0, 200_000.0, 256
#: The cost of an element from which on that pays.
_DEAR = 16.0


def cut_row(builder: Builder, kernel: Kernel) -> list[Kernel]:
    """Cut the one row of a kernel into tasks; gives the kernels that complete the results."""
    if len(kernel.reduced) != 1 or kernel.loops or not all(map(_can_be_cut, kernel.folds)):
        return []
    (var,) = kernel.reduced
    if any(not store.offset.factor(var) for store in kernel.stores):
        return []
    weight = sum(costs.OPERATIONS.get(x.op, 1.0) for x in walk(_work(kernel)))
    work = weight * var.size
    pieces = min(int(work / _PIECE), _MOST, -(-var.size // kernel.lanes))
    if work < _SERIAL or weight < _DEAR or pieces < 3:
        return []
    step = kernel.lanes
    steps = -(-var.size // step)
    size = -(-steps // pieces) * step
    count = -(-var.size // size)
    if count < 3:
        return []
    kernel.task_var, kernel.task_size, kernel.tasks = var, size, count
    ends, rest = Kernel(kernel.domain, 0), Kernel(kernel.domain, 0)
    ends.reduced = [builder.variable(count - 1)]
    rest.loops = [builder.variable(var.size - size)]
    rest.part = builder.variable(count - 1)
    rest.task_var, rest.task_size, rest.tasks = rest.loops[0], size, count - 1
    rest.exact = True
    place = builder.as_index(ends.reduced[0])
    for fold in kernel.folds:
        (buffer,) = fold.buffers
        assert buffer is not None
        before = Buffer((count - 1,), buffer.dtype)
        last = _at(builder, fold, buffer, place * size + (size - 1))
        total = Fold([before], place, [builder.load(buffer, last, buffer.dtype)], fold.combine,
                     fold.identities)  # fmt: skip
        total.arguments, total.combined = fold.arguments, fold.combined
        total.prefix, total.offset = "forward", place
        ends.folds.append(total)
        own = _at(builder, fold, buffer, builder.as_index(rest.loops[0]) + size)
        first = builder.load(before, builder.as_index(rest.part), buffer.dtype)
        value = builder.load(buffer, own, buffer.dtype)
        rest.stores.append(Store(buffer, own, _combined(builder, fold, first, value)))
    return [ends, rest]


def _can_be_cut(fold: Fold) -> bool:
    """Whether a fold is of single values that are written as they are combined."""
    if not fold.prefix or len(fold.exprs) != 1 or fold.buffers[0] is None:
        return False
    return fold.dtype(0) == fold.buffers[0].dtype


def _work(kernel: Kernel) -> list[Expr]:
    return [*kernel.roots(), *[x for fold in kernel.folds for x in fold.combined]]


def _at(builder: Builder, fold: Fold, buffer: Buffer, position: Index) -> Index:
    """Where the result at a position of the row lies."""
    return position if fold.prefix == "forward" else position * -1 + (buffer.size - 1)


def _combined(builder: Builder, fold: Fold, x: Expr, y: Expr) -> Expr:
    if isinstance(fold.combine, str):
        return builder.op(fold.combine, x, y)
    (value,) = fold.combine((x,), (y,))
    return value
