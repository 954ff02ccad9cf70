"""How each value of a kernel is written where `Placement` wants it: numbers, loads and stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.engine.llvm.code import Val
from vires.engine.llvm.expressions import Expr, Index, Terms
from vires.engine.llvm.lanes import apply, is_single, reverse
from vires.engine.llvm.memory import within_reach
from vires.engine.llvm.placement import Place, Placement
from vires.engine.llvm.program import Buffer, Store

INT32 = np.dtype(np.int32)


class Values(Placement):
    """Writes the expressions and addresses of a loop level, and the stores."""

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

    def _read(self, buffer: Buffer, offset: Index) -> Val:
        """What is in neighbouring places of memory that is written here, one for each lane."""
        uniform, _, _ = self._split(offset)
        pointer = self.addresses[buffer, uniform]
        if offset.const:
            pointer = self.code.gep(pointer, buffer.dtype, offset.const)
        return self.code.load(pointer, buffer.dtype, self.lanes, self.active)

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
