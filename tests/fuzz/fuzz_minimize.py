"""Smaller programs that fail in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fuzz_program import Program


def minimize(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Return fewer results, turn values into arguments and drop steps for as long as it fails."""
    best = program.without_dead_steps()
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(best):
            candidate = candidate.without_dead_steps()
            if _size(candidate) < _size(best) and fails(candidate):
                best, smaller = candidate, True
                break
    return best


def _size(program: Program) -> tuple[int, int, int]:
    return len(program.steps), len(program.result), len(program.arguments)


def _smaller(program: Program):
    """Candidates, the smallest first."""
    if len(program.result) > 1:
        for name in program.result:
            yield replace(program, result=[name])
        for name in program.result:
            yield replace(program, result=[x for x in program.result if x != name])
    for step in program.steps:  # what comes before it is cut off
        if step.name in program.seen:
            yield _cut(program, step.name)
    for step in reversed(program.steps):
        earlier = [s.name for s in program.steps if s.name in step.uses]
        if step.name in program.result and earlier:
            yield replace(program, result=[
                *[x for x in program.result if x != step.name],
                *[x for x in earlier if x not in program.result],
            ])  # fmt: skip


def _cut(program: Program, name: str) -> Program:
    """The program with a value as an argument instead of a result of a step."""
    return replace(
        program,
        arguments={**program.arguments, name: program.seen[name]},
        steps=[step for step in program.steps if step.name != name],
    )
