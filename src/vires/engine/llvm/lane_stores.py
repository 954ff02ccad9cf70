"""Stores of a kernel whose lanes may meet: one lane after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vires.engine.llvm.code import Val
from vires.engine.llvm.expressions import Index
from vires.engine.llvm.kinds import BOOL
from vires.engine.llvm.program import Buffer, Store
from vires.engine.llvm.values import Values


class LaneStores(Values):
    """Writes the stores of scatters lane by lane, all stores of a lane before the next lane's.

    Positions and values are computed for all lanes at once, and then taken out of their vectors.
    """

    def _stores(self) -> None:
        if self.lanes == 1 or not self.kernel.one_by_one:
            super()._stores()
            return
        stores = self.kernel.stores
        places = [
            self._lane_address(store.buffer, store.offset, self._mask_of(store)) for store in stores
        ]
        active = self._active_lane()
        if active is None and self._is_row(stores):
            for lane in range(self.lanes):
                self._store_row(stores, places[0](lane), lane)
            return
        for lane in range(self.lanes):
            where = None if active is None else active(lane)
            for store, place in zip(stores, places, strict=True):
                self._store_lane(store, place(lane), lane, where)

    def _store_lane(self, store: Store, pointer: str, lane: int, where: Val | None) -> None:
        code, x = self.code, store.expr
        if x in self.single:
            value = code.load(self._lane_address(x.attr, x.offset)(lane), x.dtype, 1, where)
        else:
            value = code.lane(self.operand(x, False), lane)
        if store.combine is not None:
            value = code.op(store.combine, code.load(pointer, x.dtype, 1, where), value)
        code.store(pointer, value, where)

    def _store_row(self, stores: Sequence[Store], pointer: str, lane: int) -> None:
        """Write neighbours at once, for one lane."""
        code, first, count = self.code, stores[0], len(stores)
        x = first.expr
        if x in self.single:
            value = code.load(self._lane_address(x.attr, x.offset)(lane), x.dtype, count)
        else:
            value = code.splat(self.operand(x, False), count)
        if first.combine is not None:
            value = code.op(first.combine, code.load(pointer, x.dtype, count), value)
        code.store(pointer, value)

    def _is_row(self, stores: Sequence[Store]) -> bool:
        """Whether stores write neighbours, all of them what is read from neighbours, or all the
        same.
        """
        first, *others = stores
        x = first.expr
        if not others or (x not in self.single and self.is_vector(x)):
            return False
        for number, store in enumerate(others, 1):
            y = store.expr
            if not _follows(first.offset, store.offset, number) or store.mask is not first.mask:
                return False
            if y is not x and not (
                x in self.single
                and y in self.single
                and y.attr is x.attr
                and _follows(x.offset, y.offset, number)
            ):
                return False
        return x not in self.single or others[0].expr is not x

    def _mask_of(self, store: Store) -> Val | None:
        if store.mask is None:
            return None
        return self.code.splat(self.operand(store.mask, True), self.lanes)

    def _lane_address(
        self, buffer: Buffer, offset: Index, mask: Val | None = None
    ) -> Callable[[int], str]:
        """The address at each lane; where the mask does not hold, of memory that nobody reads."""
        code = self.code
        uniform, stride, various = self._split(offset)
        pointer = self.addresses[buffer, uniform]
        if not various and mask is None:
            return lambda lane: code.gep(pointer, buffer.dtype, stride * lane + offset.const)
        index = code.iota(self.lanes, step=stride)
        for atom, factor in various:
            term = self.values[atom] * factor if factor != 1 else self.values[atom]
            index = index + term if stride or atom is not various[0][0] else term
        # Whole addresses, since x86 processors may take two addresses for one that have the same
        # registers in their text, and are slow when they find that they are not.
        if mask is not None:
            if offset.const:
                pointer = code.gep(pointer, buffer.dtype, offset.const)
            return code.addresses(pointer, buffer.dtype, index, mask)
        each = code.addresses(pointer, buffer.dtype, index)
        if not offset.const:
            return each
        return lambda lane: code.gep(each(lane), buffer.dtype, offset.const)

    def _active_lane(self) -> Callable[[int], Val] | None:
        """Whether each lane counts; None: they all do."""
        code, lanes, active = self.code, self.lanes, self.active
        if active is None:
            return None
        bits = code.value(f"bitcast {active.typed} to i{lanes}", BOOL, 1).name

        def counts(lane: int) -> Val:
            bit = code.value(f"and i{lanes} {bits}, {1 << lane}", BOOL, 1).name
            return code.value(f"icmp ne i{lanes} {bit}, 0", BOOL, 1)

        return counts


def _follows(first: Index, other: Index, places: int) -> bool:
    """Whether an offset is so many places after another."""
    return first.terms == other.terms and other.const == first.const + places
