"""What programs remember: for as long as they live, without callbacks that could lose a signal."""

from __future__ import annotations

import gc
import weakref

import vires
import vires.numpy as np
from vires.core import memo
from vires.core.jaxpr import ClosedJaxpr


def program() -> ClosedJaxpr:
    return vires.make_jaxpr(np.sin)(1.0)


calls: list[str] = []


@memo.per_program
def described(closed: ClosedJaxpr, text: str) -> str:
    calls.append(text)
    return f"{text}: {closed}"


def test_results_are_remembered_by_all_arguments_and_options():
    closed = program()
    calls.clear()
    assert described(closed, "a") is described(closed, "a")
    described(closed, "b")
    with vires.enable_x64(True):
        described(closed, "b")
    assert calls == ["a", "b", "b"]
    memo.clear()
    described(closed, "a")
    assert calls == ["a", "b", "b", "a"]


def test_what_a_program_remembers_of_itself_goes_with_it():
    itself = memo.per_program(lambda closed: [closed])
    closed = program()
    itself(closed)
    watch = weakref.ref(closed)
    del closed
    gc.collect()
    assert watch() is None


def test_no_weak_reference_has_a_callback():
    closed = program()
    described(closed, "a")
    assert all(r.__callback__ is None for r in weakref.getweakrefs(closed))


def test_a_living_collection_forgets_the_dead():
    class Thing:
        pass

    kept = [Thing() for _ in range(3)]
    living: memo.Living[Thing] = memo.Living()
    for thing in kept:
        living.add(thing)
    for _ in range(500):
        living.add(Thing())
    assert [x for x in living if x in kept] == kept
    assert len(living._items) < 100
