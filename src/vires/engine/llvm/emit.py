"""From a scheduled kernel to code: the loops, and what they carry."""

from __future__ import annotations

import math
from collections.abc import Callable

from vires.engine.llvm.code import Val
from vires.engine.llvm.costs import LONG_TASK
from vires.engine.llvm.expressions import INT64, LoopVar
from vires.engine.llvm.lane_stores import LaneStores
from vires.engine.llvm.lanes import across, combine, shift
from vires.engine.llvm.program import Fold, Turns

#: A loop in registers asks for signals after so many turns.
_TURNS_PER_POLL = 1 << 16
#: So does any loop of a long task, so often in the cost that makes it one.
_POLLS = 8


class Writer(LaneStores):
    """Writes the loops of one kernel into a `Code`."""

    def run(self, task: Val | None = None) -> None:
        """Write the whole kernel, or the part that a task does."""
        code, kernel = self.code, self.kernel
        if task is not None and kernel.task_var is not None:
            low = task * kernel.task_size
            size = code.index(kernel.task_var.size)
            high = low + kernel.task_size
            if kernel.task_var.size % kernel.task_size:
                high = code.smaller(high, size)
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
            self._finish(self._reduce(position, self._start()))
            return
        if self.kernel.band and position == kept - 1:
            self._bands(position)
            return
        if self.kernel.turns is not None and position == kept:
            self._run_turns(self.kernel.turns, position)
            return
        if position == len(self.order):
            self._stores()
            return

        def inside(carried: list[Val]) -> list[Val]:
            self._loop(position + 1)
            return carried

        self._for(position, [], inside)

    def _bands(self, position: int) -> None:
        """The vector loop and the rows that it folds, some of them at a time."""
        code, kernel, rows = self.code, self.kernel, self.order[position + 1]
        if self.bounds is not None and rows is kernel.task_var:
            low, high = self.bounds
        else:
            low, high = code.index(0), code.index(rows.size)
        before, head, done = code.block, code.fresh_label("rows"), code.fresh_label("done")
        code.br(head)
        code.label(head)
        counter = code.phi(INT64, 1, [(low, before)])
        following = counter + kernel.band
        self.rows = counter, code.smaller(following, high)
        self.first_rows = counter.compare("eq", low)

        def inside(carried: list[Val]) -> list[Val]:
            self._loop(position + 1)
            return carried

        self._for(position, [], inside)
        if kernel.is_long():
            self._poll(counter, 1)
        code.cond_br(following.compare("slt", high), head, done)
        code.add_incoming(counter, following, code.block)
        code.label(done)

    def _start(self) -> list[Val]:
        """What a fold begins with: nothing, or what the rows before gave."""
        start: list[Val] = []
        for fold in self.kernel.folds:
            for number, buffer in enumerate(fold.buffers):
                value = self._identity(fold, number)
                if self.first_rows is not None:
                    assert buffer is not None
                    known = self._read(buffer, fold.offset)
                    value = self.code.select(self.first_rows, value, known)
                start.append(value)
        return start

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
        masked = is_vector and (reduced or self.kernel.exact or self.kernel.band > 0)
        if self.rows is not None and reduced:
            (low, high), whole = self.rows, True
        elif self.bounds is not None and var is self.kernel.task_var:
            low, high = self.bounds
            whole = self.kernel.task_size % step == 0 and size % step == 0
        else:
            low, high, whole = code.index(0), code.index(size), size % step == 0
            if size <= step and (whole or not masked):
                self.values[var] = low
                return body(carried)
        every = self._steps_per_poll(position)
        if masked and not whole:
            return self._masked_loop(var, (low, high, every), carried, body)
        before, head, done = code.block, code.fresh_label("loop"), code.fresh_label("done")
        code.br(head)
        code.label(head)
        counter = code.phi(INT64, 1, [(low, before)])
        inner = [code.phi(x.dtype, x.lanes, [(x, before)]) for x in carried]
        at = counter
        if is_vector and not whole:
            last = high - step
            at = code.smaller(counter, last)
        self.values[var] = at
        after = body(list(inner))
        if every:
            self._poll(counter, every, step)
        following = counter + step
        code.cond_br(following.compare("slt", high), head, done)
        code.add_incoming(counter, following, code.block)
        for phi, x in zip(inner, after, strict=True):
            code.add_incoming(phi, x, code.block)
        code.label(done)
        return after

    def _steps_per_poll(self, position: int) -> int:
        """After how many steps a loop asks for signals; 0 for never."""
        kernel, var = self.kernel, self.order[position]
        if kernel.turns is not None:
            turns = var in kernel.reduced and var.size > _TURNS_PER_POLL
            return _TURNS_PER_POLL if turns else 0
        if not kernel.is_long() or kernel.band:
            return 0
        lengths = [
            kernel.task_size if v is kernel.task_var else v.size for v in self.order[: position + 1]
        ]
        each = kernel.work / kernel.tasks / math.prod(lengths)
        whole = each * lengths[-1]
        each *= self.lanes if var.bit & self.vector_bit else 1
        if each > LONG_TASK or whole < LONG_TASK:
            return 0  # left to a loop inside, or not worth it
        return 1 << max(int(LONG_TASK / _POLLS / each), 1).bit_length() - 1

    def _masked_loop(
        self,
        var: LoopVar,
        extent: tuple[Val, Val, int],
        carried: list[Val],
        body: Callable[[list[Val]], list[Val]],
    ) -> list[Val]:
        """A vector loop over whole vectors, and then one over the elements left.

        `extent`: first element, end, and steps between looks for signals.
        """
        code, step = self.code, self.lanes
        low, high, every = extent
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
            if every:
                self._poll(counter, every, step)
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

    # --- loops in registers

    def _run_turns(self, turns: Turns, position: int) -> None:
        """The loop in registers, and the writing of its last values."""
        code = self.code
        carried: list[Val] = []
        for argument, init in zip(turns.arguments, turns.inits, strict=True):
            value = self.operand(init, self.is_vector(argument))
            carried.append(code.splat(value, self.lanes) if self.is_vector(argument) else value)

        def body(inner: list[Val]) -> list[Val]:
            self.values.update(zip(turns.arguments, inner, strict=True))
            self._write_level(position + 1)
            self._stores()
            after: list[Val] = []
            for argument, x in zip(turns.arguments, turns.exprs, strict=True):
                value = self.operand(x, self.is_vector(argument))
                after.append(code.splat(value, self.lanes) if self.is_vector(argument) else value)
            return after

        if turns.test is None:
            carried = self._for(position, carried, body)
        else:
            carried = self._while(position, turns, carried, body)
        # What has no target comes first.
        last = carried[len(carried) - len(turns.targets) :]
        for (buffer, offset), value in zip(turns.targets, last, strict=True):
            self._put(buffer, offset, value, bool(offset.vars & self.vector_bit))

    def _while(
        self,
        position: int,
        turns: Turns,
        carried: list[Val],
        body: Callable[[list[Val]], list[Val]],
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
        test = self.operand(turns.test, self.is_vector(turns.test))
        code.cond_br(code.any_lane(test), inside, done)
        code.label(inside)
        after = body(list(inner))
        self._poll(counter, _TURNS_PER_POLL)
        code.add_incoming(counter, counter + 1, code.block)
        for phi, x in zip(inner, after, strict=True):
            code.add_incoming(phi, x, code.block)
        code.br(head)
        code.label(done)
        return inner

    def _poll(self, counter: Val, every: int, step: int = 1) -> None:
        """Once in `every` steps (a power of two) of a loop, return if the call is to end."""
        code = self.code
        ask, out, on = (code.fresh_label(hint) for hint in ("ask", "leave", "on"))
        code.cond_br((counter & every * step - 1).compare("slt", step), ask, on)
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

    # --- folds

    def _identity(self, fold: Fold, number: int) -> Val:
        lanes = self.lanes if self.vector_bit else 1
        return self.code.constant(fold.identities[number], fold.dtype(number), lanes)

    def _accumulate(self, carried: list[Val]) -> list[Val]:
        code, position = self.code, 0
        result: list[Val] = []
        vector = bool(self.vector_bit)
        for fold in self.kernel.folds:
            count = len(fold.exprs)
            before = carried[position : position + count]
            values: list[Val] = []
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
        """Write what has been combined up to each element; gives what has been combined by all of
        them.
        """
        code, kernel = self.code, self.kernel
        along = bool(self.vector_bit) and kernel.vector in kernel.reduced
        if along:
            if self.active is not None:
                neutral = [self._identity(fold, i) for i in range(len(values))]
                values = [
                    code.select(self.active, x, n) for x, n in zip(values, neutral, strict=True)
                ]
            step = 1
            while step < self.lanes:
                shifted = [
                    shift(code, x, self._identity(fold, i), step) for i, x in enumerate(values)
                ]
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
