"""How the kernels of a program are shared out among modules."""

from __future__ import annotations

import itertools

import pytest

from vires.engine.llvm import machine, modules
from vires.engine.llvm.code import Code
from vires.engine.llvm.modules import Body, Division


def body(number: int, cost: float, quick: int = 0, level: int = 0, lines: int = 40) -> Body:
    return Body(f"k{number}", "line\n" * lines, Code(), quick, level, 1, cost)


def divided(monkeypatch, bodies, entry, processors=2, begin=True):
    """Units, the kernels of the entry's module, and which modules were begun after how many
    kernels were written.
    """
    monkeypatch.setattr(machine, "processors", lambda: processors)
    begun: list[tuple[int, list[str]]] = []
    division = Division((lambda unit: begun.append((count, unit.exports))) if begin else None)
    for count, one in enumerate(bodies, 1):  # noqa: B007 - the closure reads it
        division.add(one)
    units, own = division.finish(entry)
    assert {x.name for x in division.apart} == {x for unit in units for x in unit.exports}
    return units, own, begun


MANY = [body(i, cost, quick, level) for i, (cost, quick, level) in enumerate(
    itertools.product([30.0, 400.0, 3000.0, 90.0], [0, 1], [0, 1])) if level >= quick]  # fmt: skip


@pytest.mark.parametrize("processors", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("entry", [None, 0.0, 500.0, 1e5])
@pytest.mark.parametrize("bodies", [[], MANY[:1], MANY[:3], MANY, MANY[::-1]])
def test_each_kernel_is_in_one_module(monkeypatch, bodies, entry, processors):
    units, own, begun = divided(monkeypatch, bodies, entry, processors)
    there = [name for unit in units for name in unit.exports] + [x.name for x in own]
    assert sorted(there) == sorted(x.name for x in bodies)
    by_name = {x.name: x for x in bodies}
    for unit in units:
        inside = [by_name[name] for name in unit.exports]
        assert inside and {x.quick for x in inside} == {unit.quick}
        assert unit.level == max(x.level for x in inside)
    assert entry is not None or not own
    assert all(x.quick == x.level == 0 for x in own)
    assert len({id(unit) for unit in units}) == len(units) <= len(bodies)
    assert all(names in [unit.exports for unit in units] for _, names in begun)


def test_a_program_is_always_divided_in_the_same_way(monkeypatch):
    first, second, alone = (
        [unit.exports for unit in divided(monkeypatch, MANY, 200.0, begin=begin)[0]]
        for begin in (True, True, False)
    )
    assert first == second == alone


@pytest.mark.parametrize("entry", [None, 100.0])
def test_one_kernel_is_not_sent_away(monkeypatch, entry):
    units, _, begun = divided(monkeypatch, [body(0, 5000.0)], entry)
    assert not begun and len(units) <= 1


def test_two_small_kernels_are_not_worth_another_processor(monkeypatch):
    units, _, begun = divided(monkeypatch, [body(0, 300.0, 0, 0), body(1, 400.0, 0, 1)], None)
    assert not begun and len(units) == 1


def test_small_kernels_stay_together(monkeypatch):
    units, _, begun = divided(monkeypatch, [body(i, 20.0) for i in range(4)], None)
    assert not begun and len(units) == 1


def test_small_kernels_join_the_entry(monkeypatch):
    units, own, _ = divided(monkeypatch, [body(i, 20.0) for i in range(4)], 50.0)
    assert not units and len(own) == 4


def test_an_idle_processor_gets_work_while_more_is_being_written(monkeypatch):
    """And no more until it is done with that."""
    _, _, begun = divided(monkeypatch, [body(i, 1000.0, lines=60) for i in range(60)], None)
    counts = [count for count, _ in begun]
    assert counts[0] == 2 and begun[0][1] == ["k0"]
    # 60 lines take 270 us to write: several of them while one kernel is compiled
    assert all(later - earlier >= 4 for earlier, later in itertools.pairwise(counts))
    assert len(begun) >= 2


def test_one_processor_begins_nothing(monkeypatch):
    units, _, begun = divided(monkeypatch, MANY, None, processors=1)
    assert not begun and len(units) == 2  # one for each effort


def test_processors_have_about_as_much_to_do(monkeypatch):
    bodies = [body(i, 300.0 + 50 * i, lines=1) for i in range(24)]
    units, _, _ = divided(monkeypatch, bodies, None, processors=4)
    costs = {x.name: x.cost for x in bodies}
    totals = [sum(costs[name] for name in unit.exports) for unit in units]
    assert len(units) >= 4 and max(totals) <= 0.4 * sum(totals)


def test_the_estimate_grows_with_what_is_written():
    one = "%v = fadd float %a, %b\n"
    assert modules.cost(one, 0) < modules.cost(2 * one, 0)
    assert modules.cost(50 * one, 0) < modules.cost(50 * one, 1)
    assert modules.cost("%v = fadd <4 x float> %a, %b\n", 0) > modules.cost(one, 0)
