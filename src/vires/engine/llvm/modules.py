"""The modules of a program: which functions are compiled together, and with how much effort."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vires.engine.llvm import machine, math_library
from vires.engine.llvm.code import Code
from vires.engine.llvm.ssa import helpers_of, with_helpers


class Unit(NamedTuple):
    """A module of the program, and the functions in it that others may call.

    It is compiled with little effort while somebody waits, its elementary functions being calls of
    the library's; and with the effort that it is worth, when nobody does, with these functions
    in their places. Both give the same bits.
    """

    functions: list[str]
    #: What the functions need, by name; and those of the library's functions that they call.
    helpers: dict[str, str]
    shared: set[str]
    #: The effort of the first kind, and of the second.
    quick: int
    level: int
    exports: list[str]
    #: It is being compiled as its first kind.
    job: machine.Job | None = None

    @property
    def is_improvable(self) -> bool:
        """Whether its second kind of code is better than the first."""
        return self.level > self.quick or (self.level > 0 and bool(self.shared))

    def hurried(self) -> tuple[str, int]:
        """The module and the effort when somebody waits."""
        return with_helpers(self.functions, self.helpers), self.quick

    def best(self) -> tuple[str, int]:
        """The module and the effort when nobody waits."""
        if not self.level:
            return self.hurried()
        written = math_library.definitions(self.shared)
        return with_helpers(self.functions, {**self.helpers, **written}), self.level


def unit(
    functions: list[str], codes: Sequence[Code], quick: int, level: int, exports: list[str]
) -> Unit:
    """A module of functions with these codes, which it does not keep."""
    shared = set[str]().union(*[code.shared for code in codes])
    return Unit(functions, helpers_of(codes), shared, quick, level, exports)


class Effort(NamedTuple):
    """Microseconds that the code generator takes at first, roughly."""

    module: float
    function: float
    line: float
    vector: float  # more for each vector type in a line


#: Measured for the kernels of the benchmarks; a second time everything takes half of it.
_EFFORTS = (Effort(350.0, 120.0, 5.5, 17.0), Effort(1100.0, 100.0, 55.0, 0.0))
#: Microseconds that a line takes to be written; another processor, to begin and to be heard of, and
#: for its first module, since LLVM's code is not in its caches.
_WRITE, _AWAY, _COLD = 4.5, 150.0, 550.0
#: Processors that compile a program, at most.
_MOST_PROCESSORS = 8


class Body(NamedTuple):
    """The function of a kernel: loops on buffers whose addresses are parameters.

    Kernels that differ in their buffers only share one.
    """

    name: str
    text: str
    code: Code
    #: The code generator's effort when somebody waits, and when nobody does.
    quick: int
    level: int
    parameters: int
    #: Microseconds to compile it at first.
    cost: float


def cost(text: str, effort: int) -> float:
    """Microseconds to compile a function."""
    lines, vectors, known = text.count("\n"), text.count("<"), _EFFORTS[effort]
    return known.function + known.line * lines + known.vector * vectors


def _total(bodies: Sequence[Body]) -> float:
    return sum([body.cost for body in bodies])


#: Begins to compile a module for which somebody waits.
Begin = Callable[[Unit], machine.Job]


class Division:
    """Shares the kernels of a program out among modules, while they are being written.

    Kernels are compiled on another processor as soon as one has nothing to do. Estimates tell when
    that is, so that a program is always divided in the same way. Those of one module get the same
    effort while somebody waits.
    """

    def __init__(self, begin: Begin | None) -> None:
        self._begin = begin
        self._units: list[Unit] = []
        #: The kernels that are not in the entry's module.
        self.apart: list[Body] = []
        self._waiting: dict[int, list[Body]] = {}
        #: The time by now, and when each of the other processors is done, in microseconds.
        self._clock = 0.0
        self._done = [0.0] * (min(machine.processors(), _MOST_PROCESSORS) - 1)

    def add(self, body: Body) -> None:
        """Another kernel is written."""
        self._clock += _WRITE * body.text.count("\n")
        idle = min(self._done, default=math.inf)
        # Not with this kernel: the processor that writes is to have something left. And none that
        # are worth more effort at once: their modules cost much, so they are divided at the end.
        group = self._waiting.get(0)
        enough = _EFFORTS[0].module + (0.0 if idle else _COLD)
        if idle <= self._clock and group and _total(group) > enough:
            time = _AWAY + enough + _total(group)
            self._done[self._done.index(idle)] = self._clock + time
            del self._waiting[0]
            self._close(group, begin=True)
        self._waiting.setdefault(body.quick, []).append(body)

    def finish(self, entry: float | None) -> tuple[list[Unit], list[Body]]:
        """All is written. The modules of kernels, and the kernels for the module of the entry,
        whose cost is given if there is one.
        """
        waiting = [body for group in self._waiting.values() for body in group]
        waiting.sort(key=lambda body: -body.cost)
        # The last processor is the one that wrote. Its time and its modules, by effort; kernels
        # that are compiled again, with more effort, stay out of the entry's.
        away = [max(x, self._clock) + _AWAY + (0.0 if x else _COLD) for x in self._done]
        times = [*away, self._clock]
        groups: list[dict[int, list[Body]]] = [{} for _ in times]
        own: list[Body] = []
        if entry is not None:
            times[-1] += _EFFORTS[0].module + entry

        for body in waiting:
            joins = entry is not None and body.quick == body.level == 0

            def after(place: int, body: Body = body, joins: bool = joins) -> float:
                is_there = body.quick in groups[place] or (joins and place == len(times) - 1)
                return times[place] + body.cost + (0.0 if is_there else _EFFORTS[body.quick].module)

            best = min(reversed(range(len(times))), key=after)
            times[best] = after(best)
            if joins and best == len(times) - 1:
                own.append(body)
            else:
                groups[best].setdefault(body.quick, []).append(body)
        for group in groups:
            for part in group.values():
                self._close(part, begin=False)
        return self._units, own

    def _close(self, group: list[Body], *, begin: bool) -> None:
        made = unit(
            [body.text for body in group],
            [body.code for body in group],
            group[0].quick,
            max([body.level for body in group]),
            [body.name for body in group],
        )
        if begin and self._begin is not None:
            made = made._replace(job=self._begin(made))
        self._units.append(made)
        self.apart += group
