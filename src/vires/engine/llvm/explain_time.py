"""A variant of a program that measures its own steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.engine.llvm.emit_entry import EntryWriter
from vires.engine.llvm.explain_limits import Limits
from vires.engine.llvm.program import Kernel, Region, Step

_CLOCK = "vires_clock"
#: A program runs until so many seconds are over, but no fewer than so many times unless it is slow.
_BUDGET, _LEAST, _MOST = 0.4, 4, 60


def steps_of(region: Region) -> list[Step]:
    """The steps of a region and of those inside it, outer ones first."""
    found: list[Step] = []
    for step in region.steps:
        found.append(step)
        if not isinstance(step, Kernel):
            for inner in step.regions:
                found += steps_of(inner)
    return found


class TimedWriter(EntryWriter):
    """Writes a program that adds, for each step, the nanoseconds and runs that it took to a
    table.

    The entry runs on one thread, so that the table needs no care.
    """

    def __init__(self, slots: int, extended: int, region: Region) -> None:
        super().__init__(slots, extended)
        self.numbers = {id(step): i for i, step in enumerate(steps_of(region))}
        #: Nanoseconds and runs of each step. Its address is in the code: it must live as long.
        self.taken = np.zeros((max(len(self.numbers), 1), 2), np.int64)
        #: By step: tasks that were handed to threads, and C functions that are called.
        self.tasks: dict[int, int] = {}
        self.functions: dict[int, list[str]] = {}
        self._running: list[int] = []

    def step(self, step: Step) -> None:
        number = self.numbers[id(step)]
        before = super().call(_CLOCK, "i64")
        self._running.append(number)
        super().step(step)
        self._running.pop()
        after = super().call(_CLOCK, "i64")
        main, address = self.main, int(self.taken.ctypes.data) + 16 * number
        taken = main.fresh()
        main.emit(f"{taken} = sub i64 {after}, {before}")
        for offset, more in ((0, taken), (8, "1")):
            old, new = main.fresh(), main.fresh()
            place = f"inttoptr (i64 {address + offset} to ptr)"
            main.emit(f"{old} = load i64, ptr {place}")
            main.emit(f"{new} = add i64 {old}, {more}")
            main.emit(f"store i64 {new}, ptr {place}")

    def parallel(self, name: str, tasks: int) -> None:
        if self._running:
            step = self._running[-1]
            self.tasks[step] = max(self.tasks.get(step, 1), tasks)
        super().parallel(name, tasks)

    def call(self, name: str, result: str, *operands: str, code: Any = None) -> str:
        if self._running:
            called = self.functions.setdefault(self._running[-1], [])
            if name not in called:
                called.append(name)
        return super().call(name, result, *operands, code=code)


def repeat(run: Callable[[], Any]) -> float:
    """The least time of several runs, in seconds."""
    best, runs, start = float("inf"), 0, time.perf_counter()
    while True:
        before = time.perf_counter()
        run()
        after = time.perf_counter()
        best, runs, spent = min(best, after - before), runs + 1, after - start
        if (spent > _BUDGET and runs >= _LEAST) or runs >= _MOST or spent > 10 * _BUDGET:
            return best


def measure(
    executable: Any, writer: TimedWriter, operands: Callable[[], Sequence[Any]], bounds: Limits
) -> tuple[list[float], list[int], list[Any]]:
    """For each step the seconds of a call (the least of several) and how often it ran; the
    results.
    """
    table = writer.taken
    best = np.full(len(table), np.inf)
    results: list[Any] = []

    def run() -> None:
        nonlocal results
        inputs = operands()
        results = []  # their memory serves the next run
        table[:] = 0
        results = executable.execute(inputs)
        np.minimum(best, table[:, 0], out=best)

    repeat(run)
    runs = [int(n) for n in table[:, 1]]
    # A step's time holds one reading of the clock for each of its runs.
    seconds = [
        max(float(t) * 1e-9 - n * bounds.clock, 1e-9) if n else 0.0
        for t, n in zip(best, runs, strict=True)
    ]
    return seconds, runs, results
