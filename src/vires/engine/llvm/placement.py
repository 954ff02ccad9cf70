"""Where each value of a kernel is written: at the outermost loop that allows it, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vires.engine.llvm.code import Code, Val
from vires.engine.llvm.expressions import INT64, Expr, Index, LoopVar, Terms, walk
from vires.engine.llvm.program import Buffer, Kernel, Turns

#: Comparisons, and the integers with which they are as good where indices are small.
_COMPARISONS = frozenset(("lt", "le", "gt", "ge", "eq", "ne"))
_SMALL = 1 << 30
_MANY_LANES = 8
#: A buffer, and the terms of an offset in it that are known at some loop level.
Place = tuple[Buffer, Terms]


class Placement:
    """Which expression and address of a kernel is written at which loop (`Values` writes them).

    Level 0 is before all loops, level i inside loop i of `kernel.order`. A value is written at the
    level of the innermost loop that it depends on. Values that depend on the vector loop's variable
    have `lanes` lanes.
    """

    def __init__(self, code: Code, kernel: Kernel, pointer: Callable[[Buffer], str]) -> None:
        self.code = code
        self.kernel = kernel
        self.pointer = pointer
        self.order = kernel.order
        self.lanes = kernel.lanes
        self.vector_bit = kernel.vector.bit if kernel.vector is not None and kernel.lanes > 1 else 0
        self.values: dict[Expr, Val] = {}
        self.splats: dict[Expr, Val] = {}
        self.addresses: dict[Place, str] = {}
        #: Which lanes count in the last, incomplete vector.
        self.active: Val | None = None
        #: The frame's slot of the runtime.
        self.runtime_slot = 0
        self.tested: list[Any] = []
        #: Start and end of the task's part of `kernel.task_var`.
        self.bounds: tuple[Val, Val] | None = None
        #: Start and end of the band of rows that a fold reads now, if it reads them in bands, and
        #: whether it is the first.
        self.rows: tuple[Val, Val] | None = None
        self.first_rows: Val | None = None
        #: Loads that are stored lane by lane, and only that.
        self.single: set[Expr] = set()
        #: Comparisons of indices that have no need of 64 bits.
        self.narrow: set[Expr] = set()
        self._levels: dict[int, int] = {0: 0}
        self._plan()

    # --- what is written where

    def level(self, bits: int) -> int:
        """The innermost loop among some variables."""
        found = self._levels.get(bits)
        if found is None:
            found = 0
            for position, var in enumerate(self.order):
                if bits & var.bit:
                    found = position + 1
            self._levels[bits] = found
        return found

    def is_vector(self, x: Expr) -> bool:
        return bool(x.vars & self.vector_bit)

    def _plan(self) -> None:
        kernel = self.kernel
        roots = kernel.roots()
        self.buckets: list[list[Any]] = [[] for _ in range(len(self.order) + 1)]
        # The product of a contraction is part of a fused multiply-add, unless others need it too.
        self.products = {
            x for fold in kernel.folds if fold.contraction for x in fold.exprs if x.op == "mul"
        }
        if self.products:
            self.products.difference_update(store.expr for store in kernel.stores)
            self.products.difference_update(a for x in kernel.expressions() for a in x.args)
            for fold in kernel.folds:
                if not fold.contraction:
                    self.products.difference_update(fold.exprs)
        as_values = {x for x in roots if x.__class__ is Index and not self._only_offset(x)}
        nodes = kernel.expressions()
        if kernel.one_by_one:
            used = {a for x in nodes for a in x.args}
            self.single = {s.expr for s in kernel.stores if self._is_strided(s.expr)} - used
        self.hoisted: set[Expr] = set()
        vector_bit = self.vector_bit
        for x in nodes:
            args = x.args
            if x.op == "load":
                args = args[1:]
            elif x.op == "index":
                continue
            elif self._is_narrow(x):
                self.narrow.add(x)
                continue
            for a in args:
                if a.__class__ is Index:
                    as_values.add(a)
            if x.vars & vector_bit:
                for a in args:
                    if not a.vars & vector_bit and a.op != "const":
                        self.hoisted.add(a)
        for x in nodes:
            if (
                x.op == "const"
                or x.op == "var"
                or x.op == "argument"
                or (x.op == "index" and x not in as_values)
                or x in self.products
            ):
                continue
            level = self.level(x.vars)
            if x.op == "load":
                self._plan_address(x.attr, x.offset)
                if x in self.single:
                    continue
            elif isinstance(x, Index) and x.vars & vector_bit:
                for atom, _ in x.terms:
                    if not atom.vars & vector_bit and atom.op != "var":
                        self.hoisted.add(atom)
            self.buckets[level].append(x)
        for store in kernel.stores:
            self._plan_address(store.buffer, store.offset)
        for fold in kernel.folds:
            for buffer in fold.buffers:
                if buffer is not None:
                    self._plan_address(buffer, fold.offset)
        if kernel.turns is not None:
            self._plan_turns(kernel.turns)

    def _is_narrow(self, x: Expr) -> bool:
        """Whether a vector of indices is compared that 32 bits can hold, in fewer registers."""
        if x.op not in _COMPARISONS or not x.vars & self.vector_bit or self.lanes < _MANY_LANES:
            return False
        for a in x.args:
            if isinstance(a, Index):
                if self._split(a)[2]:
                    return False
            elif a.op != "const":
                return False
            if a.dtype is not INT64 or a.range is None:
                return False
            if a.range[0] < -_SMALL or a.range[1] > _SMALL:
                return False
        return True

    def _is_strided(self, x: Expr) -> bool:
        """Whether a load reads one lane's element apart from another's, without a condition."""
        if x.op != "load" or len(x.args) > 1 or not x.vars & self.vector_bit:
            return False
        _, stride, various = self._split(x.offset)
        return not various and stride not in (0, 1)

    def _plan_turns(self, turns: Turns) -> None:
        for buffer, offset in turns.targets:
            self._plan_address(buffer, offset)
        # The test comes first in each turn.
        level = len(self.order)
        needed: set[Expr] = set() if turns.test is None else set(walk([turns.test]))
        rest: list[Any] = []
        later: set[Any] = set()
        for item in self.buckets[level]:
            if item.__class__ is tuple:  # an address: as early as what it is made of
                early = not any(atom in later for atom, _ in item[1])
            else:
                early = item in needed
            if needed and early:
                self.tested.append(item)
            else:
                rest.append(item)
                later.add(item)
        self.buckets[level] = rest

    def _only_offset(self, x: Expr) -> bool:
        kernel = self.kernel
        if any(store.expr is x or store.mask is x for store in kernel.stores):
            return False
        turns = kernel.turns
        if turns is not None and any(e is x for e in (*turns.inits, *turns.exprs, turns.test)):
            return False
        return not any(e is x for fold in kernel.folds for e in fold.exprs)

    def _split(self, offset: Index) -> tuple[Terms, int, Terms]:
        """The terms that are equal in all lanes, the lanes' stride, and other terms that differ
        among lanes.
        """
        uniform: list[tuple[Expr, int]] = []
        various: list[tuple[Expr, int]] = []
        stride = 0
        for term in offset.terms:
            atom = term[0]
            if isinstance(atom, LoopVar):
                if atom.size == 1:
                    continue
                if atom.vars & self.vector_bit:
                    stride = term[1]
                uniform.append(term)
            elif atom.vars & self.vector_bit:
                various.append(term)
            else:
                uniform.append(term)
        uniform.sort(key=lambda term: self.level(term[0].vars))
        return tuple(uniform), stride, tuple(various)

    def _plan_address(self, buffer: Buffer, offset: Index) -> None:
        """Have the part of an address that each loop level adds computed at that level."""
        uniform = self._split(offset)[0]
        known = self.addresses
        for stop in range(len(uniform) + 1):
            level = 0 if stop == 0 else self.level(uniform[stop - 1][0].vars)
            if stop < len(uniform) and self.level(uniform[stop][0].vars) == level:
                continue
            place = (buffer, uniform[:stop])
            if place not in known:
                known[place] = ""
                self.buckets[level].append(place)
