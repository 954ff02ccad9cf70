"""Which loop of a kernel runs in vectors, and how many lanes they have.

It depends on shapes and dtypes alone, so that results are the same for any number of threads.
"""

from __future__ import annotations

import math

from vires.engine.llvm import costs
from vires.engine.llvm.expressions import Expr, Index, LoopVar, walk
from vires.engine.llvm.program import Fold, Kernel

#: Elements of 64 bits decide the lanes of a kernel if they are at least one part in so many of its
#: work.
_FAIR_PART = 8
#: Loops in registers: operations of this cost may be calls; what several vectors that run together
#: cost in all, and how many registers they keep; how many of such groups there are at least.
_LIBRARY, _LIGHT_TURN, _IN_REGISTERS, _FEWEST_VECTORS = 20.0, 160.0, 24.0, 16
#: Operations that give one of their operands, or what was given.
_CHOICES = frozenset(("min", "max", "and", "or", "select", "argument", "const"))


def _offsets(kernel: Kernel, nodes: list[Expr]) -> list[Index]:
    return [x.offset for x in nodes if x.op == "load"]


def strides(offsets: list[Index], var: LoopVar) -> tuple[int, int]:
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


def vector_loop(kernel: Kernel, nodes: list[Expr]) -> LoopVar | None:
    """The loop that runs in vectors."""
    kept = kernel.loops[-1] if kernel.loops else None
    reduced = kernel.reduced[-1] if kernel.reduced else None
    if reduced is None or not kernel.folds:
        return kept
    offsets = _offsets(kernel, nodes)
    if kept is None:
        # The last axis of a fold may be too short for vectors.
        outer = kernel.reduced[-2] if len(kernel.reduced) > 1 and reduced.size < 8 else reduced
        return outer if outer.size > reduced.size and not strides(offsets, outer)[1] else reduced
    bad_kept, bad_reduced = strides(offsets, kept)[1], strides(offsets, reduced)[1]
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
    if var in kernel.reduced and any(map(is_rounded, kernel.folds)):
        return widest  # lanes decide in what order is added up: a matter of dtypes alone
    rare = widest == 8 and costs_by_size[8] * _FAIR_PART < sum(costs_by_size.values())
    return 4 if rare and 4 in costs_by_size else widest


def _is_gathered(x: Expr, var: LoopVar) -> bool:
    """Whether a load reads the elements of a vector one by one."""
    if x.op != "load" or not x.vars & var.bit:
        return False
    return strides([x.offset], var)[1] > 0


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
    if weight * elements * math.prod([v.size for v in kernel.reduced]) > costs.SERIAL:
        most = min(most, elements / (_FEWEST_VECTORS * lanes))  # something for every thread
    return 4 if most >= 4 else 2 if most >= 2 else 1


def is_rounded(fold: Fold) -> bool:
    """Whether the order in which values are combined may matter."""
    if all(dtype.kind in "biu" for dtype in fold.dtypes):
        return False
    if isinstance(fold.combine, str):
        return fold.combine not in _CHOICES
    return any(x.op not in _CHOICES and x.dtype.kind not in "biu" for x in walk(fold.combined))
