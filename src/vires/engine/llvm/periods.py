"""Finds stretches of operations that repeat with a period, and what one turn hands to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from vires.core.jaxpr import JaxprEqn
from vires.engine.llvm.numbering import Numbering

#: Operations that a run must save, turns that it must have, and operations of a turn.
LEAST, _TURNS, _LONGEST = 128, 4, 1000
#: Turns that a value may be handed on, and values that may be.
_DEPTH, _CARRIED = 3, 24
#: Operations by which earlier ones like them are found.
_CONTEXT = 12
#: Operations that are tried as the first of a turn.
_PHASES = 8


class Run:
    """Operations that repeat: `turns` times `period` of them from `start`."""

    def __init__(self, start: int, period: int, turns: int, stride: int) -> None:
        self.start = start
        self.period = period
        self.turns = turns
        #: Values that one turn computes: from turn to turn numbers grow by so many.
        self.stride = stride
        #: Values handed on: which one of a turn, and for how many turns.
        self.carries: list[tuple[int, int]] = []
        #: What stands for the values of the turns -1, -2, ... before the first: their numbers.
        self.inits: dict[tuple[int, int], int] = {}
        #: A turn that reads only values of the run's turns, besides what is known before.
        self.template = 0

    @property
    def end(self) -> int:
        return self.start + self.period * self.turns


class _Search:
    """Where operations are like those a period earlier: (position, period) for each position
    before which the last few are.
    """

    def __init__(self, codes: Sequence[int]) -> None:
        self._codes = codes
        #: The position that is looked at next; who has found a run sets it behind the run.
        self.position = _CONTEXT
        #: Where the last stretch of each period ended: what lies in it is known.
        self.ends: dict[int, int] = {}

    def __iter__(self) -> Iterator[tuple[int, int]]:
        codes, ends = self._codes, self.ends
        seen: dict[tuple[int, ...], int] = {}
        while self.position <= len(codes):
            position = self.position
            self.position += 1
            context = tuple(codes[position - _CONTEXT : position])
            before = seen.get(context)
            seen[context] = position
            if before is None:
                continue
            period = position - before
            if period <= _LONGEST and ends.get(period, 0) < position:
                yield position, period


def _saves_enough(saved: int, period: int) -> bool:
    """Whether a loop is worth it that saves so many operations."""
    return saved >= LEAST and saved >= (_TURNS - 1) * period


def may_have_runs(eqns: Sequence[JaxprEqn]) -> bool:
    """Whether a closer look at a program is worth its time: primitives repeat with a period, and
    what one turn computes is read by a later one.
    """
    names = [id(eqn.primitive) for eqn in eqns]
    search = _Search(names)
    for position, period in search:
        high = position
        while high < len(names) and names[high] == names[high - period]:
            high += 1
        search.ends[period] = high
        saved = high - position + _CONTEXT
        if _saves_enough(saved, period) and _is_linked(eqns, high, period):
            return True
    return False


def _is_linked(eqns: Sequence[JaxprEqn], end: int, period: int) -> bool:
    """Whether the last turn before a place reads a value of the turns before."""
    last = end - period
    before = eqns[max(last - _DEPTH * period, 0) : last]
    made = {variable for eqn in before for variable in eqn.outvars}
    return any(not made.isdisjoint(eqn.invars) for eqn in eqns[last:end])


def find_runs(numbering: Numbering) -> list[Run]:
    """Runs that can become loops, in order."""
    search = _Search([x.code for x in numbering.operations])
    runs: list[Run] = []
    uses: list[int] | None = None
    free = 0
    for position, period in search:
        before = position - period
        if before <= free or not _alike(numbering, before - 1, period):
            continue
        stretch = _Stretch(numbering, free, before, period)
        search.ends[period] = stretch.high
        if stretch.is_long():
            uses = uses or _last_uses(numbering)
            run = stretch.run(uses)
            if run is not None:
                runs.append(run)
                free = run.end
                search.position = max(search.position, free + 1)
    return runs


def _last_uses(numbering: Numbering) -> list[int]:
    """The place of the last operation that reads each value; the number of operations for
    results.
    """
    last = [-1] * len(numbering.variables)
    for place, operation in enumerate(numbering.operations):
        for number in operation.operands:
            if number >= 0:
                last[number] = place
    for number in numbering.results:
        if number >= 0:
            last[number] = len(numbering.operations)
    return last


def _alike(numbering: Numbering, place: int, period: int) -> bool:
    """Whether an operation and that a period later may be one in successive turns of a loop."""
    a, b = numbering.operations[place], numbering.operations[place + period]
    if a.code != b.code or a.code < 0:
        return False
    stride = b.number - a.number
    for x, y in zip(a.operands, b.operands, strict=True):
        if x < 0 or y < 0:
            if not numbering.same_kind(x, y):
                return False
        elif x != y and y - x != stride:
            return False
    return True


class _Stretch:
    """Operations from `low` to `high` of which each is like the one a period later."""

    def __init__(self, numbering: Numbering, free: int, before: int, period: int) -> None:
        self.numbering = numbering
        self.operations = numbering.operations
        self.free = free
        self.period = period
        low = high = before
        last = len(self.operations) - period
        while high < last and _alike(numbering, high, period):
            high += 1
        while low > free and _alike(numbering, low - 1, period):
            low -= 1
        self.low, self.high = low, high + period
        self.stride = self.operations[low + period].number - self.operations[low].number

    def is_long(self) -> bool:
        """Whether a loop would save enough."""
        return _saves_enough(self.high - self.low - self.period, self.period)

    # --- where turns begin

    def phases(self) -> list[int]:
        """The first operations of a turn for which the least is handed on, in order."""
        period, stride = self.period, self.stride
        base = self.low + _DEPTH * period
        origin = self.operations[base].number
        owner: list[int] = []
        for t in range(period):
            owner += [t] * len(self.operations[base + t].eqn.outvars)
        last = list(owner)  # where each value is read last
        for t in range(period):
            a, b = self.operations[base + t], self.operations[base + t - period]
            for x, y in zip(a.operands, b.operands, strict=True):
                if x >= 0 and x - y == stride:
                    turns, produced = divmod(x - origin, stride)
                    last[produced] = max(last[produced], t - turns * period)
        change = [0] * (period + 1)
        for begin, end in zip(owner, last, strict=True):
            # The boundaries before the operations begin + 1 ... end, in a circle.
            rounds, rest = divmod(end - begin, period)
            change[0] += rounds
            begin = (begin + 1) % period
            if begin + rest <= period:
                change[begin] += 1
                change[begin + rest] -= 1
            else:
                change[begin] += 1
                change[0] += 1
                change[begin + rest - period] -= 1
        counts = list(accumulate(change[:period]))
        least = min(counts)
        return [self.low + phase for phase, count in enumerate(counts) if count == least]

    def run(self, uses: Sequence[int]) -> Run | None:
        """The loop that begins first among those that hand on the least."""
        starts = [self._first_turn(start) for start in self.phases()[:_PHASES]]
        start = min([x for x in starts if x is not None], default=None)
        if start is None:
            return None
        run = Run(start, self.period, (self.high - start) // self.period, self.stride)
        return run if self._is_valid(run) and self._is_closed(run, uses) else None

    def _first_turn(self, start: int) -> int | None:
        """Where the loop begins if one of its turns begins at an operation; None if none can. The
        first turn reads other values than the rest.
        """
        for begin in (start - self.period, start):
            turns = (self.high - begin) // self.period
            if begin >= self.free and turns >= _TURNS:
                few = Run(begin, self.period, min(turns, _DEPTH + 1), self.stride)
                if self._is_valid(few):
                    return begin
        return None

    def _is_valid(self, run: Run) -> bool:
        return _Turns(self.numbering, run).check()

    def _is_closed(self, run: Run, uses: Sequence[int]) -> bool:
        """Whether only what the last turn hands on is used later. A last turn of which more is used
        stays outside.
        """
        first = self.operations[run.start].number
        handed = set(run.carries)
        for _ in range(2):
            outside = [
                divmod(number, run.stride)
                for number in range(run.turns * run.stride)
                if uses[first + number] >= run.end
            ]
            if all((produced, run.turns - turn) in handed for turn, produced in outside):
                return True
            run.turns -= 1
        return False


class _Turns:
    """Checks that the turns of a loop are alike, and finds what they hand on."""

    def __init__(self, numbering: Numbering, run: Run) -> None:
        self.numbering = numbering
        self.operations = numbering.operations
        self.same_kind = numbering.same_kind
        self.run = run

    def check(self) -> bool:
        """Whether they are; then the run knows its carries."""
        numbering, operations, run = self.numbering, self.operations, self.run
        first = operations[run.start].number
        run.template = template = min(_DEPTH, run.turns - 1)
        origin = first + template * run.stride
        inits: dict[tuple[int, int], int] = {}
        depths: dict[int, int] = {}
        shapes: set[tuple[int, ...]] = set()
        for t in range(run.period):
            place = run.start + t
            pattern = operations[place + template * run.period]
            shapes.update([x.aval.shape for x in pattern.eqn.outvars])
            same_turns = operations[place : run.end : run.period]
            for turn, operation in enumerate(same_turns):
                if operation.code != pattern.code or (
                    operation.number - pattern.number != (turn - template) * run.stride
                ):
                    return False
            for position, number in enumerate(pattern.operands):
                numbers = [x.operands[position] for x in same_turns]
                if number < 0:
                    if not all(self.same_kind(x, number) for x in numbers):
                        return False
                elif number < first:
                    if any(x != number for x in numbers):
                        return False
                else:
                    turns, produced = divmod(number - origin, run.stride)
                    start = number - template * run.stride
                    for turn in range(-turns):
                        found = numbers[turn]
                        if (
                            found >= first
                            or inits.setdefault((produced, turn + turns), found) != found
                            # Comparisons, conversions and the like have one code for all types
                            # that they take.
                            or not numbering.same_type(found, number)
                        ):
                            return False
                    for turn in range(-turns, run.turns):
                        if numbers[turn] != start + turn * run.stride:
                            return False
                    if turns:
                        depths[produced] = max(depths.get(produced, 0), -turns)
        run.inits = inits
        run.carries = [
            (produced, depth) for produced, most in depths.items() for depth in range(1, most + 1)
        ]
        return len(run.carries) <= _CARRIED and len(shapes - {()}) <= 1
