"""Dropping the equations of a program that nothing uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import memo
from vires.core.jaxpr import ClosedJaxpr, DropVar, Jaxpr, JaxprEqn, Var, subjaxprs


def has_effects(eqn: JaxprEqn) -> bool:
    """Whether an equation does something besides computing its results, such as printing."""
    if eqn.primitive.effectful:
        return True
    if not eqn.params:  # most equations
        return False
    return any(
        program_has_effects(p if isinstance(p, ClosedJaxpr) else ClosedJaxpr(p))
        for p in subjaxprs(eqn.params)
    )


@memo.per_program
def program_has_effects(closed: ClosedJaxpr) -> bool:
    """Whether any equation of a program has effects."""
    return any(has_effects(eqn) for eqn in closed.eqns)


def dce_equations(jaxpr: Jaxpr, used_results: Sequence[bool]) -> tuple[list[JaxprEqn], set[Var]]:
    """The equations that the used results (or effects) need, and the variables that these read."""
    live = {
        v
        for v, used in zip(jaxpr.outvars, used_results, strict=True)
        if used and isinstance(v, Var)
    }
    kept: list[JaxprEqn] = []
    for eqn in reversed(jaxpr.eqns):
        used = [v in live for v in eqn.outvars]
        if not any(used) and not has_effects(eqn):
            continue
        smaller = eqn
        if eqn.primitive.dce is not None and not all(used):
            smaller, _ = eqn.primitive.dce(used, eqn)
            if smaller is None:
                continue
        live.update(v for v in smaller.invars if isinstance(v, Var))
        kept.append(smaller)
    kept.reverse()
    return kept, live


@memo.per_program
def dce(
    closed: ClosedJaxpr, used_results: tuple[bool, ...]
) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    """The program of the used results, taking only the arguments it needs, and which these are."""
    jaxpr = closed.jaxpr
    eqns, live = dce_equations(jaxpr, used_results)
    used_inputs = tuple(v in live for v in jaxpr.invars)
    consts = [(v, c) for v, c in zip(jaxpr.constvars, closed.consts, strict=True) if v in live]
    smaller = Jaxpr(
        [v for v, _ in consts],
        [v for v, used in zip(jaxpr.invars, used_inputs, strict=True) if used],
        [v for v, used in zip(jaxpr.outvars, used_results, strict=True) if used],
        eqns,
    )
    return ClosedJaxpr(smaller, [c for _, c in consts]), used_inputs


def keep_inputs(closed: ClosedJaxpr, smaller: ClosedJaxpr, inputs: tuple[bool, ...]) -> ClosedJaxpr:
    """A program cut from `closed` that takes all flagged arguments, needed or not."""
    jaxpr = smaller.jaxpr
    invars = choose(closed.jaxpr.invars, inputs)
    return ClosedJaxpr(Jaxpr(jaxpr.constvars, invars, jaxpr.outvars, jaxpr.eqns), smaller.consts)


def dce_call(
    used: Sequence[bool], eqn: JaxprEqn, program: str = "jaxpr"
) -> tuple[JaxprEqn | None, list[bool]]:
    """The `dce` rule of an equation that calls one program."""
    smaller, used_inputs = dce(eqn.params[program], tuple(used))
    if not any(used) and not smaller.eqns:
        return None, [False] * len(eqn.invars)
    return (
        eqn.replace(
            invars=choose(eqn.invars, used_inputs),
            outvars=choose(eqn.outvars, used),
            params={**eqn.params, program: smaller},
        ),
        list(used_inputs),
    )


def choose(items: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The flagged items."""
    return [item for item, flag in zip(items, flags, strict=True) if flag]


def dropped(var: Var) -> DropVar:
    return DropVar(var.aval)
