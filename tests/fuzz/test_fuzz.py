"""A few of the programs that `make fuzz` makes, always the same ones."""

from __future__ import annotations

import pytest
from fuzz import one, prepare
from fuzz_sizes import lower

import vires

#: Seeds in a test.
_CHUNK = 10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("start", range(0, 200, _CHUNK))
def test_random_programs(start):
    prepare()
    reports = [report for seed in range(start, start + _CHUNK) if (report := one(seed))]
    assert not reports, "\n\n".join(reports)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("start", range(0, 50, _CHUNK))
def test_random_programs_as_for_large_arrays(start, monkeypatch):
    prepare()
    lower(monkeypatch.setattr)
    vires.clear_caches()
    try:
        reports = [report for seed in range(start, start + _CHUNK) if (report := one(seed))]
    finally:
        vires.clear_caches()
    assert not reports, "\n\n".join(reports)


def test_a_failure_is_told_with_the_smallest_program(monkeypatch):
    """An engine that gives cos for sin is found, and the report is a script of one step."""
    import fuzz_laws
    from fuzz_minimize import minimize
    from fuzz_program import Program, Step

    def wrong(program):
        return "sin is wrong" if any("np.sin" in step.text for step in program.steps) else None

    monkeypatch.setitem(fuzz_laws.LAWS, "engines agree", wrong)
    x = fuzz_laws.onp.ones(3, "float32")
    steps = [
        Step("v2", "v2 = v1 * 2"),
        Step("v3", "v3 = np.sin(v2)"),
        Step("v4", "v4 = v3 + v2"),
    ]
    program = Program({"v1": x}, steps, ["v4", "v2"], 7, {"v2": x, "v3": x, "v4": x})
    least = minimize(program, lambda p: fuzz_laws.check(p, ["engines agree"]) is not None)
    assert [step.text for step in least.steps] == ["v3 = np.sin(v2)"]
    script = least.script("sin is wrong")
    assert "seed 7" in script and "v2 = onp.array([1.0, 1.0, 1.0]" in script
    compile(script, "script", "exec")
