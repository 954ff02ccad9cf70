"""From a scheduled kernel to code: loops, addresses, and each expression at the outermost loop that allows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.engine.llvm import memory
from vires.engine.llvm.code import Code, ComplexVal, Val
from vires.engine.llvm.expressions import INT64, Expr, Index, LoopVar, Terms, walk
from vires.engine.llvm.kinds import INT64 as INT64_KIND
from vires.engine.llvm.program import Buffer, Fold, Kernel, Store, Turns

#: A loop in registers asks for signals after so many turns.
_TURNS_PER_POLL = 1 << 16
#: A buffer, and the terms of an offset in it that are known at some loop level.
Place = tuple[Buffer, Terms]


class Writer:
    """Writes the loops of one kernel into a `Code`.

    Level 0 is before all loops, level i inside loop i of `kernel.order`. A value is written at the level of the
    innermost loop that it depends on. Values that depend on the vector loop's variable have `lanes` lanes.
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
        # The product of a contraction is part of a fused multiply-add.
        self.products = {x for fold in kernel.folds if fold.contraction for x in fold.exprs if x.op == "mul"}
        as_values = {x for x in roots if x.__class__ is Index and not self._only_offset(x)}
        nodes = walk(roots)
        self.hoisted: set[Expr] = set()
        vector_bit = self.vector_bit
        for x in nodes:
            args = x.args
            if x.op == "load":
                args = args[1:]
            elif x.op == "index":
                continue
            for a in args:
                if a.__class__ is Index:
                    as_values.add(a)
            if x.vars & vector_bit:
                for a in args:
                    if not a.vars & vector_bit and a.op != "const":
                        self.hoisted.add(a)
        for x in nodes:
            if x.op == "const" or x.op == "var" or x.op == "argument" or (x.op == "index" and x not in as_values) or x in self.products:
                continue
            level = self.level(x.vars)
            if x.op == "load":
                self._plan_address(x.attr, x.args[0])  # type: ignore[arg-type]
            elif x.op == "index" and x.vars & vector_bit:
                for atom, _ in x.terms:  # type: ignore[attr-defined]
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

    def _plan_turns(self, turns: Turns) -> None:
        for buffer, offset in turns.targets:
            self._plan_address(buffer, offset)
        # The test comes first in each turn.
        level = len(self.order)
        needed = set(walk([turns.test])) if turns.test is not None else set()
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
        """The terms that are equal in all lanes, the lanes' stride, and other terms that differ among lanes."""
        uniform, stride, various = [], 0, []
        for term in offset.terms:
            atom = term[0]
            if atom.op == "var":
                if atom.size == 1:  # type: ignore[attr-defined]
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

    # --- loops

    def run(self, task: Val | None = None) -> None:
        """Write the whole kernel, or the part that a task does."""
        code, kernel = self.code, self.kernel
        if task is not None and kernel.task_var is not None:
            low = task * kernel.task_size
            size = code.index(kernel.task_var.size)
            high = low + kernel.task_size
            if kernel.task_var.size % kernel.task_size:
                high = code.call("llvm.smin.i64", INT64_KIND, 1, high, size)
            self.bounds = low, high
            if kernel.part is not None:
                self.values[kernel.part] = task
        self._loop(0)

    def _loop(self, position: int) -> None:
        """The loops from a position on, around stores and folds."""
        self._write_level(position)
        folds = self.kernel.folds
        kept = len(self.order) - len(self.kernel.reduced)
        if folds and position == kept:
            start = [self._identity(fold, i) for fold in folds for i in range(len(fold.exprs))]
            self._finish(self._reduce(position, start))
            return
        if self.kernel.turns is not None and position == kept:
            self._run_turns(self.kernel.turns, position)
            return
        if position == len(self.order):
            self._stores()
            return
        self._for(position, [], lambda carried: (self._loop(position + 1), [])[1])

    def _run_turns(self, turns: Turns, position: int) -> None:
        """The loop in registers, and the writing of its last values."""
        code = self.code
        carried = []
        for argument, init in zip(turns.arguments, turns.inits, strict=True):
            value = self.operand(init, self.is_vector(argument))
            carried.append(code.splat(value, self.lanes) if self.is_vector(argument) else value)

        def body(inner: list[Val]) -> list[Val]:
            self.values.update(zip(turns.arguments, inner, strict=True))
            self._write_level(position + 1)
            self._stores()
            after = []
            for argument, x in zip(turns.arguments, turns.exprs, strict=True):
                value = self.operand(x, self.is_vector(argument))
                after.append(code.splat(value, self.lanes) if self.is_vector(argument) else value)
            return after

        if turns.test is None:
            carried = self._for(position, carried, body)
        else:
            carried = self._while(position, turns, carried, body)
        for (buffer, offset), value in zip(turns.targets, carried, strict=True):
            self._put(buffer, offset, value, bool(offset.vars & self.vector_bit))

    def _while(
        self, position: int, turns: Turns, carried: list[Val], body: Callable[[list[Val]], list[Val]]
    ) -> list[Val]:
        """Turns as long as the test holds."""
        code, var = self.code, self.order[position]
        before, head = code.block, code.fresh_label("while")
        inside, done = code.fresh_label("turn"), code.fresh_label("done")
        code.br(head)
        code.label(head)
        counter = code.phi(INT64, 1, [(code.index(0), before)])
        inner = [code.phi(x.dtype, x.lanes, [(x, before)]) for x in carried]
        self.values[var] = counter
        self.values.update(zip(turns.arguments, inner, strict=True))
        self._write_items(self.tested, position + 1)
        assert turns.test is not None
        code.cond_br(self.operand(turns.test, False), inside, done)
        code.label(inside)
        after = body(list(inner))
        self._poll(counter)
        code.add_incoming(counter, counter + 1, code.block)
        for phi, x in zip(inner, after, strict=True):
            code.add_incoming(phi, x, code.block)
        code.br(head)
        code.label(done)
        return inner

    def _poll(self, counter: Val) -> None:
        """Once in a while, return if the call is to end."""
        code = self.code
        ask, out, on = (code.fresh_label(hint) for hint in ("ask", "leave", "on"))
        code.cond_br((counter & _TURNS_PER_POLL - 1).compare("eq", _TURNS_PER_POLL - 1), ask, on)
        code.label(ask)
        place, runtime, entry, function, answer, stop = (code.fresh() for _ in range(6))
        code.emit(f"{place} = getelementptr ptr, ptr %frame, i64 {self.runtime_slot}")
        code.emit(f"{runtime} = load ptr, ptr {place}")
        code.emit(f"{entry} = getelementptr ptr, ptr {runtime}, i64 1")
        code.emit(f"{function} = load ptr, ptr {entry}")
        code.emit(f"{answer} = call i32 {function}(ptr {runtime})")
        code.emit(f"{stop} = icmp ne i32 {answer}, 0")
        code.emit(f"br i1 {stop}, label %{out}, label %{on}")
        code.label(out)
        code.ret()
        code.label(on)

    def _reduce(self, position: int, carried: list[Val]) -> list[Val]:
        """The reduced loops from a position on; gives the accumulators after them."""
        if position == len(self.order):
            self._stores()
            return self._accumulate(carried)

        def body(inner: list[Val]) -> list[Val]:
            self._write_level(position + 1)
            return self._reduce(position + 1, inner)

        return self._for(position, carried, body)

    def _for(
        self, position: int, carried: list[Val], body: Callable[[list[Val]], list[Val]]
    ) -> list[Val]:
        """One loop; `body` gets the carried values and gives the next ones."""
        code, var = self.code, self.order[position]
        is_vector = bool(var.bit & self.vector_bit)
        step = self.lanes if is_vector else 1
        size = var.size
        if not size:
            return carried
        reduced = var in self.kernel.reduced
        masked = is_vector and (reduced or self.kernel.exact)
        if self.bounds is not None and var is self.kernel.task_var:
            low, high = self.bounds
            whole = self.kernel.task_size % step == 0 and size % step == 0
        else:
            low, high, whole = code.index(0), code.index(size), size % step == 0
            if size <= step and (whole or not masked):
                self.values[var] = low
                return body(carried)
        if masked and not whole:
            return self._masked_loop(var, low, high, carried, body)
        before, head, done = code.block, code.fresh_label("loop"), code.fresh_label("done")
        code.br(head)
        code.label(head)
        counter = code.phi(INT64, 1, [(low, before)])
        inner = [code.phi(x.dtype, x.lanes, [(x, before)]) for x in carried]
        at = counter
        if is_vector and not whole:
            last = high - step
            at = code.call("llvm.smin.i64", INT64_KIND, 1, counter, last)
        self.values[var] = at
        after = body(list(inner))
        if self.kernel.turns is not None and var in self.kernel.reduced and size > _TURNS_PER_POLL:
            self._poll(counter)
        following = counter + step
        code.cond_br(following.compare("slt", high), head, done)
        code.add_incoming(counter, following, code.block)
        for phi, x in zip(inner, after, strict=True):
            code.add_incoming(phi, x, code.block)
        code.label(done)
        return after

    def _masked_loop(
        self, var: LoopVar, low: Val, high: Val, carried: list[Val], body: Callable[[list[Val]], list[Val]]
    ) -> list[Val]:
        """A vector loop over whole vectors, and then one over the elements left."""
        code, step = self.code, self.lanes
        if var.size >= step:
            last = high - step
            before, head = code.block, code.fresh_label("loop")
            main, tail = code.fresh_label("main"), code.fresh_label("tail")
            code.br(head)
            code.label(head)
            counter = code.phi(INT64, 1, [(low, before)])
            inner = [code.phi(x.dtype, x.lanes, [(x, before)]) for x in carried]
            code.cond_br(counter.compare("sle", last), main, tail)
            code.label(main)
            self.values[var] = counter
            after = body(list(inner))
            code.add_incoming(counter, counter + step, code.block)
            for phi, x in zip(inner, after, strict=True):
                code.add_incoming(phi, x, code.block)
            code.br(head)
            code.label(tail)
        else:
            counter, inner = low, carried
        self.values[var] = counter
        self.active = code.tail_mask(high - counter, step)
        after = body(list(inner))
        self.active = None
        return after

    # --- the body

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
        if op == "index":
            return self._index(x)  # type: ignore[arg-type]
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
        total = scalar + code.iota(self.lanes) * stride if stride else scalar
        for atom, factor in various:
            total = total + self.values[atom] * factor
        return total

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
        uniform, stride, various = self._split(x.args[0])  # type: ignore[arg-type]
        base = self.addresses[buffer, uniform]
        const = x.args[0].const  # type: ignore[attr-defined]
        pointer = code.gep(base, buffer.dtype, const) if const else base
        vector = bool(x.vars & self.vector_bit)
        mask = self._mask(x, vector)
        if not vector or (not stride and not various and len(x.args) == 1):
            return code.load(pointer, x.dtype, 1, mask)
        lanes = self.lanes
        if not various and stride == 1:
            return code.load(pointer, x.dtype, lanes, mask)
        if not various and not stride:  # one address, a mask for each lane
            some = code.any_lane(mask) if mask is not None else None
            return code.splat(code.load(pointer, x.dtype, 1, some), lanes)
        if not various and stride == -1 and mask is None:
            start = code.gep(pointer, buffer.dtype, 1 - lanes)
            return reverse(code, code.load(start, x.dtype, lanes))
        index = code.iota(lanes) * stride if stride else None
        for atom, factor in various:
            term = self.values[atom] * factor
            index = term if index is None else index + term
        assert index is not None
        return code.gather(pointer, index, x.dtype, mask)

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
        if not vector or not stride and not various:
            if combine is not None:
                value = code.op(combine, code.load(pointer, buffer.dtype, 1, where), value)
            code.store(pointer, value, where)
            return
        value = code.splat(value, self.lanes)
        mask = self.active
        if where is not None:
            where = code.splat(where, self.lanes)
            mask = where if mask is None else mask & where
        if stride == 1 and not various:
            if combine is not None:
                value = code.op(combine, code.load(pointer, buffer.dtype, self.lanes, mask), value)
            code.store(pointer, value, mask)
            return
        if stride == -1 and not various and mask is None:
            code.store(code.gep(pointer, buffer.dtype, 1 - self.lanes), reverse(code, value))
            return
        index = code.iota(self.lanes) * stride
        for atom, factor in various:
            index = index + self.values[atom] * factor
        code.scatter(pointer, index, value, mask)

    # --- folds

    def _identity(self, fold: Fold, number: int) -> Val:
        lanes = self.lanes if self.vector_bit else 1
        return self.code.constant(fold.identities[number], fold.dtype(number), lanes)

    def _accumulate(self, carried: list[Val]) -> list[Val]:
        code, result, position = self.code, [], 0
        vector = bool(self.vector_bit)
        for fold in self.kernel.folds:
            count = len(fold.exprs)
            before = carried[position : position + count]
            values = []
            if fold.contraction and fold.exprs[0] in self.products:
                a, b = (self.operand(x, vector) for x in fold.exprs[0].args)
                if vector:
                    a, b = code.splat(a, self.lanes), code.splat(b, self.lanes)
                after = [code.op("fma", a, b, before[0])]
                if self.active is not None and self.kernel.vector in self.kernel.reduced:
                    after = [code.select(self.active, after[0], before[0])]
                result += after
                position += 1
                continue
            for number, x in enumerate(fold.exprs):
                value = code.convert(self.operand(x, vector), fold.dtype(number))
                if vector:
                    value = code.splat(value, self.lanes)
                values.append(value)
            if fold.prefix:
                result += self._prefix(fold, before, values)
                position += count
                continue
            after = combine(code, fold, before, values)
            if self.active is not None and self.kernel.vector in self.kernel.reduced:
                after = [code.select(self.active, a, b) for a, b in zip(after, before, strict=True)]
            result += after
            position += count
        return result

    def _prefix(self, fold: Fold, before: list[Val], values: list[Val]) -> list[Val]:
        """Write what has been combined up to each element; gives what has been combined by all of them."""
        code, kernel = self.code, self.kernel
        along = bool(self.vector_bit) and kernel.vector in kernel.reduced
        if along:
            if self.active is not None:
                neutral = [self._identity(fold, i) for i in range(len(values))]
                values = [code.select(self.active, x, n) for x, n in zip(values, neutral, strict=True)]
            step = 1
            while step < self.lanes:
                shifted = [shift(code, x, self._identity(fold, i), step) for i, x in enumerate(values)]
                values = combine(code, fold, shifted, values)
                step *= 2
        after = combine(code, fold, before, values)
        vector = bool(fold.offset.vars & self.vector_bit)
        for buffer, value in zip(fold.buffers, after, strict=True):
            if buffer is not None:
                self._put(buffer, fold.offset, code.convert(value, buffer.dtype), vector)
        if not along:
            return after
        return [code.splat(code.lane(x, self.lanes - 1), self.lanes) for x in after]

    def _finish(self, carried: list[Val]) -> None:
        """Combine the lanes, in a fixed order, and write the results."""
        position = 0
        for fold in self.kernel.folds:
            values = carried[position : position + len(fold.exprs)]
            position += len(fold.exprs)
            if fold.prefix:
                continue
            if self.vector_bit and self.kernel.vector in self.kernel.reduced:
                values = across(self.code, fold, values)
            for buffer, value in zip(fold.buffers, values, strict=True):
                if buffer is None:
                    continue
                vector = bool(fold.offset.vars & self.vector_bit)
                self._put(buffer, fold.offset, self.code.convert(value, buffer.dtype), vector)


def is_single(x: Expr) -> bool:
    """Whether a variable has only one value, 0 (its loop was merged into another)."""
    return x.op == "var" and x.size == 1  # type: ignore[attr-defined]


def reverse(code: Code, x: Val) -> Val:
    """The lanes in the opposite order."""
    if isinstance(x, ComplexVal):
        return ComplexVal(x.kind, reverse(code, x.re), reverse(code, x.im))
    order = ", ".join(f"i32 {lane}" for lane in range(x.lanes - 1, -1, -1))
    return code.value(f"shufflevector {x.typed}, {x.typed}, <{x.lanes} x i32> <{order}>", x.kind, x.lanes)


def shift(code: Code, x: Val, fill: Val, step: int) -> Val:
    """Lanes moved up by a number of places; the first ones come from `fill`."""
    if isinstance(x, ComplexVal) and isinstance(fill, ComplexVal):
        return ComplexVal(x.kind, shift(code, x.re, fill.re, step), shift(code, x.im, fill.im, step))
    order = ", ".join(f"i32 {x.lanes + lane - step if lane >= step else lane}" for lane in range(x.lanes))
    return code.value(f"shufflevector {fill.typed}, {x.typed}, <{x.lanes} x i32> <{order}>", x.kind, x.lanes)


def apply(code: Code, x: Expr, operands: Sequence[Val]) -> Val:
    """The value of an operation on values."""
    op = x.op
    if op == "convert":
        return code.convert(operands[0], x.dtype)
    if op == "bitcast":
        return code.bitcast(operands[0], x.dtype)
    if op == "floordiv":
        return floor_divide(code, operands[0], x.attr, x.args[0].range)
    return code.op(op, *operands)


def floor_divide(code: Code, x: Val, divisor: int, span: tuple[int, int] | None) -> Val:
    """x // divisor without a division where the range allows: (x * multiplier) >> shift."""
    if divisor & (divisor - 1) == 0:
        return x >> (divisor.bit_length() - 1)
    if span is not None and span[0] >= 0:
        shift = max(span[1].bit_length(), 1) + divisor.bit_length()
        multiplier = -(-(1 << shift) // divisor)
        if span[1] * multiplier < 1 << 63:
            return (x * multiplier) >> shift
        return x.binary("udiv", divisor)
    quotient = x.binary("sdiv", divisor)
    below = (quotient * divisor).compare("sgt", x)
    return code.select(below, quotient - 1, quotient)


def combine(code: Code, fold: Fold, a: Sequence[Val], b: Sequence[Val]) -> list[Val]:
    """Two tuples of accumulators as one."""
    if isinstance(fold.combine, str):
        return [code.op(fold.combine, x, y) for x, y in zip(a, b, strict=True)]
    values: dict[Expr, Val] = dict(zip(fold.arguments, (*a, *b), strict=True))
    for x in walk(fold.combined):
        if x not in values:
            if x.op == "const":
                values[x] = code.constant(x.attr, x.dtype)
            else:
                values[x] = apply(code, x, [values[y] for y in x.args])
    lanes = a[0].lanes
    return [code.splat(values[x], lanes) for x in fold.combined]


def across(code: Code, fold: Fold, values: Sequence[Val]) -> list[Val]:
    """All lanes as one, halving."""
    current = list(values)
    while current[0].lanes > 1:
        half = current[0].lanes // 2
        low = [memory.part(code, x, 0, half) for x in current]
        high = [memory.part(code, x, half, half) for x in current]
        current = combine(code, fold, low, high)
    return current
