"""How a kernel runs: the order of its loops, the vector loop and its width, tasks for threads.

All of it depends on shapes alone, so that results are the same for any number of threads.
"""

from __future__ import annotations

import math

from vires.engine.llvm import costs
from vires.engine.llvm.builder import Builder
from vires.engine.llvm.expressions import Expr, LoopVar
from vires.engine.llvm.lane_choice import choose_lanes, is_rounded, strides, vector_loop
from vires.engine.llvm.prefixes import cut_row
from vires.engine.llvm.program import Buffer, Fold, Kernel

#: The cost of a task.
_TASK = 60_000.0
_MOST_TASKS = 512
#: Lanes of a scatter that are written one after the other, and the bytes of a window that a task
#: of its own is worth.
_LANES_ONE_BY_ONE, _NARROWEST = 8, 512
#: Lanes that are multiples of so many bytes apart push each other out of the first cache: addresses
#: that differ by its period share a few places. Turns along memory at a time.
_CONFLICT, _PERIOD, _WAYS, _WALK = 1024, 4096, 8, 32
#: A fold of rows reads so many of them at a time, if they are more than so many bytes in all; and
#: in how many parts threads do it. Whole rows come from memory as quickly as it gives them: three
#: times as quickly as one vector of each.
_BAND, _MANY_BYTES, _BANDED_PARTS = 8, 1 << 20, 16
#: A fold longer than this is cut into partial results, for accuracy and for threads.
_LONG_FOLD = 65_536
#: Beyond `_MOST_TASKS` tasks, a kernel writes no more partial results than that.
_MOST_PARTIAL = 1 << 20


def schedule(builder: Builder, kernel: Kernel, vector_bytes: int) -> list[Kernel]:
    """Schedule a kernel. If its fold is long it writes partial results; the kernels that combine
    them are returned.
    """
    _schedule(kernel, vector_bytes)
    if any(fold.prefix for fold in kernel.folds):
        following = cut_row(builder, kernel) if kernel.tasks == 1 else []
        for ends in following[:1]:
            schedule_small(ends)
        for rest in following[1:]:
            cut = rest.task_size, rest.tasks, rest.task_var
            _schedule(rest, vector_bytes)
            rest.task_size, rest.tasks, rest.task_var = cut
        return following
    second = _split_fold(builder, kernel)
    if second is not None:
        if second.loops or any(map(is_rounded, second.folds)):
            _schedule(second, vector_bytes, whole=True)
        else:
            schedule_small(second)  # few elements, in any order
    return [] if second is None else [second]


def schedule_small(kernel: Kernel) -> None:
    """Schedule a kernel whose speed is no matter: one element after the other."""
    kernel.order = [*kernel.loops, *kernel.reduced]
    kernel.lanes, kernel.vector = 1, None
    kernel.work = 1.0


def _schedule(kernel: Kernel, vector_bytes: int, *, whole: bool = False) -> None:
    """Schedule a kernel; its fold is not cut if it is to stay `whole`."""
    nodes = kernel.expressions()
    weight = (
        sum(costs.OPERATIONS.get(x.op, 1.0) for x in nodes)
        + 1.5 * len(kernel.stores)
        + len(kernel.folds)
    )
    kernel.vector = vector_loop(kernel, nodes)
    if kernel.turns is not None:
        weight += len(kernel.turns.targets)
        kernel.vector = kernel.loops[-1] if kernel.loops else None
    if kernel.scatters:
        kernel.vector = kernel.loops[-1] if kernel.loops else None
        kernel.one_by_one = kernel.vector is not None and not _is_distinct(kernel, kernel.vector)
    kernel.lanes = 1 if kernel.vector is None else choose_lanes(kernel, nodes, weight, vector_bytes)
    if kernel.one_by_one:
        kernel.lanes = _lanes_one_by_one(kernel)
    if kernel.lanes == 1:
        kernel.vector = None
    kernel.order = [*kernel.loops, *kernel.reduced]
    if kernel.vector is not None and kernel.vector in kernel.loops:
        kernel.order.remove(kernel.vector)
        kernel.order.insert(len(kernel.loops) - 1, kernel.vector)
    kernel.band = _band(kernel, nodes)
    along = _walk_along_memory(kernel, nodes)
    size = math.prod([v.size for v in kernel.order])
    if kernel.turns is not None and kernel.turns.test is not None:
        size = math.prod([100, *[v.size for v in kernel.loops]])  # nobody knows
    kernel.work = weight * size
    if kernel.scatters:
        _scatter_tasks(kernel)
    else:
        _tasks(kernel, size, weight, along, whole)


def _walk_along_memory(kernel: Kernel, nodes: list[Expr]) -> LoopVar | None:
    """Where the lanes read across rows that share a place in the cache, let the inner loop be the
    one that walks along them, with no more lanes than there is room for: what comes with an element
    is used before it is pushed out.
    """
    vector, order = kernel.vector, kernel.order
    if kernel.reduced or kernel.scatters or kernel.turns is not None or vector is None:
        return None
    for x in nodes:
        if x.op != "load":
            continue
        factor = x.offset.factor(vector)
        if not factor or factor * x.dtype.itemsize % _CONFLICT:
            continue
        along = next((v for v in kernel.loops if x.offset.factor(v) == 1), None)
        if along is not None and along.size >= 8:
            order.remove(along)
            order.append(along)
            same = _PERIOD // math.gcd(factor * x.dtype.itemsize, _PERIOD)
            kernel.lanes = min(kernel.lanes, _WAYS * same)
            return along
    return None


def _band(kernel: Kernel, nodes: list[Expr]) -> int:
    """How many rows a fold reads at a time whose lanes are neighbours in a row. What is folded
    meanwhile is kept where the results go.
    """
    vector = kernel.vector
    if not kernel.folds or vector not in kernel.loops or len(kernel.reduced) != 1:
        return 0
    (rows,) = kernel.reduced
    if kernel.scatters or rows.size < 4 * _BAND or vector.size <= kernel.lanes:
        return 0
    for fold in kernel.folds:
        if fold.prefix or strides([fold.offset], vector)[1] or not fold.offset.factor(vector):
            return 0
        if any(b is None or b.dtype != t for b, t in zip(fold.buffers, fold.dtypes, strict=True)):
            return 0
    for x in nodes:
        if x.op != "load" or x.offset.factor(vector) != 1:
            continue
        if abs(x.offset.factor(rows)) * x.dtype.itemsize * rows.size > _MANY_BYTES:
            return _BAND
    return 0


def _is_distinct(kernel: Kernel, var: LoopVar) -> bool:
    """Whether a loop of a scatter writes neighbours that are no other lane's."""
    for store in kernel.stores:
        hidden = any(a.op != "var" and a.vars & var.bit for a, _ in store.offset.terms)
        if hidden or store.offset.factor(var) != 1:
            return False
    return True


def _lanes_one_by_one(kernel: Kernel) -> int:
    """Lanes of a scatter that writes them one after the other: a matter of code size."""
    assert kernel.vector is not None
    lanes = _LANES_ONE_BY_ONE
    while lanes > 1 and (lanes > kernel.vector.size or lanes * len(kernel.stores) > 64):
        lanes //= 2
    return lanes


def _scatter_tasks(kernel: Kernel) -> None:
    """Divide the updates into as many parts as there are arrays for their results, or the turns of
    a loop that write different elements.
    """
    if kernel.part is not None:
        pieces = kernel.part.size
        longest = max(kernel.order, key=lambda v: v.size)
        var = next((v for v in kernel.order if v.size >= 4 * pieces), longest)
    else:
        wanted = min(max(int(kernel.work / _TASK), 1), _MOST_TASKS)
        if kernel.work < costs.SERIAL:
            return
        found = [v for v in kernel.apart if v is not kernel.vector and v.size >= 4]
        if found:
            var, pieces = found[0], min(wanted, found[0].size)
        elif kernel.vector is not None and kernel.vector in kernel.apart:
            # Each task looks at all indices of the loops around.
            var = kernel.vector
            size = max(store.buffer.dtype.itemsize for store in kernel.stores)
            alone = var is kernel.order[0]
            pieces = min(wanted, var.size if alone else var.size * size // _NARROWEST)
        else:
            return
    step = kernel.lanes if var is kernel.vector else 1
    kernel.task_size = -(-_pieces(kernel, var) // max(pieces, 1)) * step
    kernel.tasks = -(-var.size // kernel.task_size)
    kernel.task_var = var if kernel.tasks > 1 or kernel.part is not None else None


def _tasks(kernel: Kernel, size: int, weight: float, along: LoopVar | None, whole: bool) -> None:
    kernel.tasks, kernel.task_var = 1, None
    if not size:
        return
    if kernel.work < costs.SERIAL and not (
        kernel.reduced and math.prod([v.size for v in kernel.reduced]) > _LONG_FOLD
    ):
        return
    if not kernel.loops and kernel.turns is not None:
        return
    fewest = max(int(kernel.work / costs.LONG_TASK), 1)
    wanted = min(max(int(kernel.work / _TASK), 1), max(_MOST_TASKS, fewest))
    enough = min(wanted, max(16, fewest))
    var = next(
        (v for v in kernel.order if v in kernel.loops and _pieces(kernel, v) >= enough), None
    )
    if along is not None and along.size >= enough * _WALK:
        # Few rows at a time: the others do not get into the way of their pages and lines.
        var, wanted = along, -(-along.size // _WALK)
    if var is None and kernel.loops:
        var = max(kernel.loops, key=lambda v: _pieces(kernel, v))
        if _pieces(kernel, var) < 4:
            var = None
    if kernel.band and var in (None, kernel.vector) and not whole:
        var, wanted = None, min(wanted, _BANDED_PARTS)
    length = math.prod([v.size for v in kernel.reduced])
    whole = whole or not (kernel.folds and kernel.reduced) or any(f.prefix for f in kernel.folds)
    if not whole and (var is None or length > _LONG_FOLD):
        outer = kernel.reduced[0]
        # Tasks store elements of their own.
        apart = all(store.offset.factor(outer) for store in kernel.stores)
        if apart and _pieces(kernel, outer) >= 4:
            var = outer
    if var is None:
        return
    step = kernel.lanes if var is kernel.vector else 1
    pieces = min(wanted, _pieces(kernel, var))
    if var in kernel.reduced:
        kept = math.prod([v.size for v in kernel.loops])
        pieces = min(pieces, max(_MOST_TASKS, _MOST_PARTIAL // max(kept, 1)))
        pieces = max(pieces, min(-(-length // _LONG_FOLD), _MOST_TASKS, _pieces(kernel, var)))
    kernel.task_size = -(-_pieces(kernel, var) // pieces) * step
    kernel.tasks = -(-var.size // kernel.task_size)
    kernel.task_var = var if kernel.tasks > 1 else None
    if kernel.task_var is None:
        kernel.tasks = 1


def _pieces(kernel: Kernel, var: LoopVar) -> int:
    return -(-var.size // (kernel.lanes if var is kernel.vector else 1))


def _split_fold(builder: Builder, kernel: Kernel) -> Kernel | None:
    """When a reduced loop is cut into tasks: let each write partial results, and combine them in a
    second kernel.
    """
    if kernel.task_var is None or kernel.task_var not in kernel.reduced:
        return None
    count = kernel.tasks
    kept_size = math.prod([v.size for v in kernel.loops])
    part = builder.variable(count)
    second = Kernel(kernel.domain, 0)
    second.loops = [builder.variable(kept_size)] if kept_size > 1 else []
    second.reduced = [builder.variable(count)]
    whole = builder.as_index(second.reduced[0]) * kept_size
    kept = builder.as_index(second.loops[0]) if second.loops else builder.index(0, ())
    for fold in kernel.folds:
        partial = [Buffer((count, kept_size), dtype) for dtype in fold.dtypes]
        exprs = [builder.load(b, whole + kept, b.dtype) for b in partial]
        last = Fold(fold.buffers, kept, exprs, fold.combine, fold.identities)
        last.arguments, last.combined = fold.arguments, fold.combined
        second.folds.append(last)
        fold.buffers = partial
        fold.offset = fold.offset + builder.as_index(part) * kept_size
    kernel.part = part
    return second
