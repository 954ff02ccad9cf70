"""Work that nobody waits for begins when no program is compiled, but does not wait for ever.

The clock is a number that only waiting moves, so that the tests do not depend on the machine.
"""

from __future__ import annotations

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires.core.primitive import Primitive, Undefined
from vires.engine.llvm import background, codes, machine


class Clock:
    """Takes the places of the time and of the worker's condition."""

    def __init__(self):
        self.now = 100.0
        #: Seconds after which a program is compiled again, while the worker waits.
        self.every = None

    def monotonic(self):
        return self.now

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def notify_all(self):
        pass

    def wait(self, left):
        assert left > 0 and self.now < 120, "the task never begins"
        if self.every is None:
            self.now += left
        else:
            self.now += min(left, self.every)
            background.rest()


@pytest.fixture
def clock(monkeypatch):
    """A worker without a thread of its own."""
    made, worker = Clock(), background._Worker()
    worker._changed, worker._has_thread = made, True
    monkeypatch.setattr(background, "time", made)
    monkeypatch.setattr(background, "_worker", worker)
    return made


def begin(clock):
    """The seconds until the next task begins, and what it gives."""
    start = clock.now
    task = background._worker._next()
    return pytest.approx(clock.now - start, abs=1e-9), task()


def test_tasks_begin_after_their_delay_in_order(clock):
    background.run(lambda: "late", 0.3)
    background.run(lambda: "soon", 0.1)
    assert begin(clock) == (0.1, "soon")
    assert begin(clock) == (0.2, "late")


def test_a_program_puts_tasks_off(clock):
    background.run(lambda: 1, 0.01)
    background.rest()
    assert begin(clock) == (background._DELAY, 1)


def test_a_rest_that_ends_before_the_task_changes_nothing(clock):
    background.rest()
    background.run(lambda: 1, 0.3)
    assert begin(clock) == (0.3, 1)


def test_tasks_do_not_wait_longer_than_their_patience(clock):
    clock.every = background._DELAY / 4
    background.run(lambda: 1, 0.1)
    assert begin(clock) == (0.1 + background._PATIENCE, 1)


def test_who_finishes_does_not_wait(clock):
    background.run(lambda: 1, 10.0)
    background.rest()
    background._worker._waiting = 1
    assert begin(clock) == (0.0, 1)


def waited(clock):
    start = clock.now
    assert background.give_way() is (background._worker._waiting > 0)
    return pytest.approx(clock.now - start, abs=1e-9)


def test_a_task_gives_way_between_its_parts(clock):
    assert waited(clock) == 0
    background.rest()
    assert waited(clock) == background._DELAY
    clock.every = 0.01  # programs are compiled all the time
    background.rest()
    assert waited(clock) == background._PATIENCE
    background._worker._waiting = 1  # somebody waits for the task
    background.rest()
    assert waited(clock) == 0


def test_better_code_is_compiled_module_by_module(monkeypatch):
    given = []
    compile_all = machine.compile_all

    def watched(units, name, *, background=False):
        if background:
            given.append(len(units))
        return compile_all(units, name, background=background)

    monkeypatch.setattr(codes, "find", lambda key, name: None)
    monkeypatch.setattr(machine, "compile_all", watched)
    monkeypatch.setattr(background, "give_way", lambda: bool(given.append("way")))
    x = onp.ones((300, 700), "float32")
    f = lambda x: (np.exp(x).sum(0) / np.tanh(x).sum(1).mean(), np.sort(x, 0) * np.cosh(x))
    got = vires.jit(f)(x)
    background.finish()
    ways = given.count("way")
    assert ways and given == ["way", 1] * ways
    again = vires.jit(lambda x: f(x))(x)
    assert all((a == b).all() for a, b in zip(got, again, strict=True))


def test_tasks_rest_while_programs_are_compiled(monkeypatch):
    """From the start of a compilation on, and for a moment after its end."""
    rests = []
    compiling = []
    monkeypatch.setattr(background, "rest", lambda: rests.append(len(compiling)))

    def loops(b, x):
        compiling.append(1)
        return b.pull(lambda index: x.at(index))

    same = Primitive(
        "same",
        "Its operand.",
        infer=lambda x: x,
        reference=lambda x: x,
        jvp=Undefined("a test"),
        transpose=Undefined("a test"),
        batch=Undefined("a test"),
        loops=loops,
    )
    vires.jit(lambda x: same(x) + 1)(onp.ones(3, "float32"))
    assert len(compiling) == 1
    assert {0, 1} <= set(rests)
