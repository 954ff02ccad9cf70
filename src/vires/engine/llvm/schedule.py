"""How a kernel runs: the order of its loops, the vector loop and its width, tasks for threads.

All of it depends on shapes alone, so that results are the same for any number of threads.
"""

from __future__ import annotations

import math

from vires.engine.llvm import costs
from vires.engine.llvm.builder import Builder
from vires.engine.llvm.expressions import Expr, Index, LoopVar, walk
from vires.engine.llvm.prefixes import cut_row
from vires.engine.llvm.program import Buffer, Fold, Kernel

#: A kernel below this cost is one task; above it, tasks of about that cost.
_SERIAL, _TASK = 150_000.0, 60_000.0
_MOST_TASKS = 512
#: Lanes of a scatter that are written one after the other, and the bytes of a window that a task
#: of its own is worth.
_LANES_ONE_BY_ONE, _NARROWEST = 8, 512
#: Lanes that are multiples of so many bytes apart push each other out of the first cache: addresses
#: that differ by its period share a few places. Turns along memory at a time.
_CONFLICT, _PERIOD, _WAYS, _WALK = 1024, 4096, 8, 32
#: Elements of 64 bits decide the lanes of a kernel if they are at least one part in so many of its
#: work.
_FAIR_PART = 8
#: A fold longer than this is cut into partial results, for accuracy and for threads.
_LONG_FOLD = 65_536
#: Loops in registers: operations of this cost may be calls; what several vectors that run together
#: cost in all, and how many registers they keep; how many of such groups there are at least.
_LIBRARY, _LIGHT_TURN, _IN_REGISTERS, _FEWEST_VECTORS = 20.0, 160.0, 24.0, 16
#: Operations that give one of their operands, or what was given.
_CHOICES = frozenset(("min", "max", "and", "or", "select", "argument", "const"))
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
        if second.loops or any(map(_is_rounded, second.folds)):
            _schedule(second, vector_bytes)
        else:
            schedule_small(second)  # few elements, in any order
    return [] if second is None else [second]


def schedule_small(kernel: Kernel) -> None:
    """Schedule a kernel whose speed is no matter: one element after the other."""
    kernel.order = [*kernel.loops, *kernel.reduced]
    kernel.lanes, kernel.vector = 1, None
    kernel.work = 1.0


def _schedule(kernel: Kernel, vector_bytes: int) -> None:
    nodes = kernel.expressions()
    weight = (
        sum(costs.OPERATIONS.get(x.op, 1.0) for x in nodes)
        + 1.5 * len(kernel.stores)
        + len(kernel.folds)
    )
    kernel.vector = _vector_loop(kernel, nodes)
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
    along = _walk_along_memory(kernel, nodes)
    size = math.prod([v.size for v in kernel.order])
    if kernel.turns is not None and kernel.turns.test is not None:
        size = math.prod([100, *[v.size for v in kernel.loops]])  # nobody knows
    kernel.work = weight * size
    if kernel.scatters:
        _scatter_tasks(kernel)
    else:
        _tasks(kernel, size, weight, along)


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
        if kernel.work < _SERIAL:
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


def _offsets(kernel: Kernel, nodes: list[Expr]) -> list[Index]:
    return [x.offset for x in nodes if x.op == "load"]


def _strides(offsets: list[Index], var: LoopVar) -> tuple[int, int]:
    """How many loads are consecutive or constant along a loop, and how many are neither."""
    good = bad = 0
    for x in offsets:
        factor = x.factor(var)
        hidden = any(a.op != "var" and a.vars & var.bit for a, _ in x.terms)
        if hidden or factor not in (0, 1):
            bad += 1
        else:
            good += 1
    return good, bad


def _vector_loop(kernel: Kernel, nodes: list[Expr]) -> LoopVar | None:
    kept = kernel.loops[-1] if kernel.loops else None
    reduced = kernel.reduced[-1] if kernel.reduced else None
    if reduced is None or not kernel.folds:
        return kept
    offsets = _offsets(kernel, nodes)
    if kept is None:
        # The last axis of a fold may be too short for vectors.
        outer = kernel.reduced[-2] if len(kernel.reduced) > 1 and reduced.size < 8 else reduced
        return outer if outer.size > reduced.size and not _strides(offsets, outer)[1] else reduced
    bad_kept, bad_reduced = _strides(offsets, kept)[1], _strides(offsets, reduced)[1]
    if bad_kept != bad_reduced:
        # A short loop along memory loses against a long one across it.
        if (bad_reduced < bad_kept and reduced.size >= 8) or kept.size < 4:
            return reduced
        return kept
    return kept if (kept.size >= 8 and bad_kept == 0) or reduced.size < 8 else reduced


def choose_lanes(kernel: Kernel, nodes: list[Expr], weight: float, vector_bytes: int) -> int:
    """Lanes of the vector loop: a register of the widest dtype (see `_widest`), more for light
    bodies, fewer for short loops.
    """
    var = kernel.vector
    assert var is not None
    widest = _widest(kernel, nodes, var)
    lanes = max(vector_bytes // widest, 1)
    # Light bodies do several registers at once, which hides latency and the loop's own cost.
    if weight <= 8 and lanes <= 32 and not any(_is_gathered(x, var) for x in nodes):
        lanes *= 4 if kernel.folds else 2
    if kernel.turns is not None:
        lanes = max(vector_bytes // widest, 1)
        lanes *= _vectors_at_once(kernel, nodes, weight, lanes)
    while lanes > 1 and lanes > var.size:
        lanes //= 2
    if (
        kernel.folds
        and var in kernel.reduced
        and var.size % lanes
        and lanes > 8
        and var.size < 4 * lanes
    ):
        while lanes > 8 and var.size % lanes:
            lanes //= 2
    return lanes


def _widest(kernel: Kernel, nodes: list[Expr], var: LoopVar) -> int:
    """Bytes of the elements that fill the registers of a vector loop.

    Those of 64 bits take two registers each where nearly all of the work is on 32 bits: random keys
    that are taken apart would leave half of each register empty for the rounds of Threefry.
    """
    costs_by_size: dict[int, float] = {}
    for x in nodes:
        if (
            x.vars & var.bit
            and x.op not in ("index", "var", "floordiv")
            and not (x.op == "convert" and x.args[0].__class__ is Index)
        ):
            size = x.dtype.itemsize // 2 if x.dtype.kind == "c" else x.dtype.itemsize
            cost = costs.OPERATIONS.get(x.op, 1.0)
            costs_by_size[size] = costs_by_size.get(size, 0.0) + cost
    for store in kernel.stores:
        size = min(store.buffer.dtype.itemsize, 8)
        costs_by_size[size] = costs_by_size.get(size, 0.0) + 1.5
    for fold in kernel.folds:
        for dtype in fold.dtypes:
            size = min(dtype.itemsize, 8)
            costs_by_size[size] = costs_by_size.get(size, 0.0) + 1.0
    widest = max(costs_by_size, default=1)
    if var in kernel.reduced and any(map(_is_rounded, kernel.folds)):
        return widest  # lanes decide in what order is added up: a matter of dtypes alone
    rare = widest == 8 and costs_by_size[8] * _FAIR_PART < sum(costs_by_size.values())
    return 4 if rare and 4 in costs_by_size else widest


def _is_gathered(x: Expr, var: LoopVar) -> bool:
    """Whether a load reads the elements of a vector one by one."""
    if x.op != "load" or not x.vars & var.bit:
        return False
    return _strides([x.offset], var)[1] > 0


def _vectors_at_once(kernel: Kernel, nodes: list[Expr], weight: float, lanes: int) -> int:
    """How many vectors a loop in registers runs through its turns together. The operations of one
    vector wait for each other, from turn to turn; those of another one fill the time.
    """
    turns, var = kernel.turns, kernel.vector
    assert turns is not None and var is not None
    if any(costs.OPERATIONS.get(x.op, 1.0) >= _LIBRARY for x in nodes):
        return 1
    turning = sum(v.bit for v in kernel.reduced)
    carried = sum(1 for x in turns.arguments if x.vars & var.bit)
    body = walk(turns.exprs)
    fixed = sum(1 for x in body if x.op == "load" and x.vars & var.bit and not x.vars & turning)
    # With a test, every vector waits for the last one of them.
    most = 4.0 if turns.test is None else 2.0
    most = min(most, _LIGHT_TURN / max(weight, 1.0), _IN_REGISTERS / max(carried + fixed, 1))
    elements = math.prod([v.size for v in kernel.loops])
    if weight * elements * math.prod([v.size for v in kernel.reduced]) > _SERIAL:
        most = min(most, elements / (_FEWEST_VECTORS * lanes))  # something for every thread
    return 4 if most >= 4 else 2 if most >= 2 else 1


def _tasks(kernel: Kernel, size: int, weight: float, along: LoopVar | None) -> None:
    kernel.tasks, kernel.task_var = 1, None
    if kernel.work < _SERIAL and not (
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
    length = math.prod([v.size for v in kernel.reduced])
    in_turn = any(fold.prefix for fold in kernel.folds)
    if kernel.reduced and (var is None or length > _LONG_FOLD) and kernel.folds and not in_turn:
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


def _is_rounded(fold: Fold) -> bool:
    """Whether the order in which values are combined may matter."""
    if all(dtype.kind in "biu" for dtype in fold.dtypes):
        return False
    if isinstance(fold.combine, str):
        return fold.combine not in _CHOICES
    return any(x.op not in _CHOICES and x.dtype.kind not in "biu" for x in walk(fold.combined))


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
