"""Where each value of a kernel is written: at the outermost loop that allows it, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.engine.llvm.code import Code, Val
from vires.engine.llvm.expressions import INT64, Expr, Index, LoopVar, Terms, walk
from vires.engine.llvm.lanes import apply, is_single, reverse
from vires.engine.llvm.memory import within_reach
from vires.engine.llvm.program import Buffer, Kernel, Store, Turns

#: Comparisons, and the integers with which they are as good where indices are small.
_COMPARISONS = frozenset(("lt", "le", "gt", "ge", "eq", "ne"))
_SMALL = 1 << 30
_MANY_LANES = 8
INT32 = np.dtype(np.int32)
#: A buffer, and the terms of an offset in it that are known at some loop level.
Place = tuple[Buffer, Terms]


class Placement:
    """Which expression and address of a kernel is written at which loop, and how.

    Level 0 is before all loops, level i inside loop i of `kernel.order`. A value is written at the
    level of the
    innermost loop that it depends on. Values that depend on the vector loop's variable have `lanes`
    lanes.
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

    # --- values

    def _write_level(self, level: int) -> None:
        self._write_items(self.buckets[level], level)

    def _write_items(self, items: Sequence[Any], level: int) -> None:
        for item in items:
            if item.__class__ is tuple:
                self._write_address(item, level)
            else:
                value = self.values[item] = self._write(item)
                if item in self.hoisted and not self.is_vector(item):
                    self.splats[item] = self.code.splat(value, self.lanes)

    def _write_address(self, place: Place, level: int) -> None:
        buffer, terms = place
        code = self.code
        outer = terms
        while outer and self.level(outer[-1][0].vars) == level:
            outer = outer[:-1]
        if not terms or (not outer and level == 0):
            base = self.pointer(buffer)
        else:
            base = self.addresses[buffer, outer] if outer or level else self.pointer(buffer)
        own = terms[len(outer) :]
        self.addresses[place] = code.gep(base, buffer.dtype, self._sum(own, 0)) if own else base

    def _sum(self, terms: Terms, const: int) -> Val:
        """The scalar value of a sum of uniform terms."""
        total: Val | None = self.code.index(const) if const or not terms else None
        for atom, factor in terms:
            value = self.values[atom] if factor == 1 else self.values[atom] * factor
            total = value if total is None else total + value
        assert total is not None
        return total

    def operand(self, x: Expr, vector: bool) -> Val:
        """The value of an expression written before, in all lanes when `vector`."""
        if x.op == "const":
            return self.code.constant(x.attr, x.dtype)
        if vector:
            found = self.splats.get(x)
            if found is not None:
                return found
        return self.values[x]

    def _write(self, x: Expr) -> Val:
        code, op = self.code, x.op
        vector = bool(x.vars & self.vector_bit)
        if op == "load":
            return self._load(x)
        if isinstance(x, Index):
            return self._index(x)
        if x in self.narrow:
            return apply(code, x, [self._narrow_index(a) for a in x.args])
        operands = [self.operand(a, vector) for a in x.args]
        if vector and all(v.lanes == 1 for v in operands):
            operands[0] = code.splat(operands[0], self.lanes)
        return apply(code, x, operands)

    def _index(self, x: Index) -> Val:
        """An index as a number; in every lane its own when it depends on the vector loop."""
        code = self.code
        if not self.is_vector(x):
            return self._sum(tuple([t for t in x.terms if not is_single(t[0])]), x.const)
        uniform, stride, various = self._split(x)
        scalar = code.splat(self._sum(uniform, x.const), self.lanes)
        total = scalar + code.iota(self.lanes, step=stride) if stride else scalar
        for atom, factor in various:
            total = total + self.values[atom] * factor
        return total

    def _narrow_index(self, x: Expr) -> Val:
        """A small index in every lane, in 32 bits."""
        code = self.code
        if not isinstance(x, Index):
            return code.constant(x.attr, INT32, self.lanes)
        uniform, stride, _ = self._split(x)
        scalar = code.splat(code.convert(self._sum(uniform, x.const), INT32), self.lanes)
        return scalar + code.iota(self.lanes, INT32, stride) if stride else scalar

    def _mask(self, x: Expr, vector: bool) -> Val | None:
        mask = self.operand(x.args[1], vector) if len(x.args) > 1 else None
        if not vector:
            return mask
        if mask is not None:
            mask = self.code.splat(mask, self.lanes)
        if self.active is None:
            return mask
        return self.active if mask is None else mask & self.active

    def _load(self, x: Expr) -> Val:
        code, buffer = self.code, x.attr
        offset = x.offset
        uniform, stride, various = self._split(offset)
        base = self.addresses[buffer, uniform]
        const = offset.const
        pointer = code.gep(base, buffer.dtype, const) if const else base
        vector = bool(x.vars & self.vector_bit)
        mask = self._mask(x, vector)
        if not vector or (not stride and not various and len(x.args) == 1):
            return code.load(pointer, x.dtype, 1, mask)
        lanes = self.lanes
        if not various and stride == 1:
            if len(x.args) > 1:
                guard = self.operand(x.args[1], bool(x.args[1].vars & self.vector_bit))
                pointer = self._reachable(pointer, guard)
            return code.load(pointer, x.dtype, lanes, mask)
        if not various and not stride:  # one address, a mask for each lane
            some = code.any_lane(mask) if mask is not None else None
            return code.splat(code.load(pointer, x.dtype, 1, some), lanes)
        if not various and stride == -1 and mask is None:
            start = code.gep(pointer, buffer.dtype, 1 - lanes)
            return reverse(code, code.load(start, x.dtype, lanes))
        index = code.iota(lanes, step=stride) if stride else None
        for atom, factor in various:
            term = self.values[atom] * factor
            index = term if index is None else index + term
        assert index is not None
        return code.gather(pointer, index, x.dtype, mask)

    def _reachable(self, pointer: str, guard: Val) -> str:
        """The address of a vector under a condition, one for all lanes or one for each."""
        some = guard if guard.lanes == 1 else self.code.any_lane(guard)
        return within_reach(self.code, pointer, some)

    # --- stores

    def _stores(self) -> None:
        for store in self.kernel.stores:
            self._store(store)

    def _store(self, store: Store) -> None:
        vector = bool((store.expr.vars | store.offset.vars) & self.vector_bit)
        value = self.operand(store.expr, vector)
        mask = None if store.mask is None else self.operand(store.mask, vector)
        self._put(store.buffer, store.offset, value, vector, mask, store.combine)

    def _put(
        self,
        buffer: Buffer,
        offset: Index,
        value: Val,
        vector: bool,
        where: Val | None = None,
        combine: str | None = None,
    ) -> None:
        code = self.code
        uniform, stride, various = self._split(offset)
        pointer = self.addresses[buffer, uniform]
        if offset.const:
            pointer = code.gep(pointer, buffer.dtype, offset.const)
        if not vector or (not stride and not various):
            if combine is not None:
                value = code.op(combine, code.load(pointer, buffer.dtype, 1, where), value)
            code.store(pointer, value, where)
            return
        value = code.splat(value, self.lanes)
        mask = self.active
        guard = where
        if where is not None:
            where = code.splat(where, self.lanes)
            mask = where if mask is None else mask & where
        if stride == 1 and not various:
            if guard is not None:
                pointer = self._reachable(pointer, guard)
            if combine is not None:
                value = code.op(combine, code.load(pointer, buffer.dtype, self.lanes, mask), value)
            code.store(pointer, value, mask)
            return
        if stride == -1 and not various and mask is None:
            code.store(code.gep(pointer, buffer.dtype, 1 - self.lanes), reverse(code, value))
            return
        index = code.iota(self.lanes, step=stride)
        for atom, factor in various:
            index = index + self.values[atom] * factor
        code.scatter(pointer, index, value, mask)
