"""Where the residuals of a linearised loop body come from.

Residuals that are constants of the loop, or follow from these alone, are computed once before the
loop; those that are slices of its inputs or results are there already; the others become stacked
results of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vires.control.dce import dce_equations, dropped, has_effects
from vires.core import memo
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, Literal, Var


@dataclass(frozen=True)
class ScanResidualPlan:
    """Programs before the loop and in it.

    `hoisted`: constants -> values that follow from them.
    `body`: constants ++ hoisted, carry, xs -> carry, ys ++ stacked.
    """

    hoisted: ClosedJaxpr
    num_hoisted: int
    body: ClosedJaxpr
    #: for each residual one of ("literal", value) and ("const" | "hoisted" | "xs" | "ys" |
    #: "stacked", number)
    sources: tuple[tuple[str, Any], ...]


@memo.per_program
def plan_scan_residuals(
    primal: ClosedJaxpr, num_residuals: int, num_consts: int, num_carry: int
) -> ScanResidualPlan:
    """The plan for a body whose last results are residuals."""
    jaxpr = primal.jaxpr
    count = len(jaxpr.outvars) - num_residuals
    consts = {v: i for i, v in enumerate(jaxpr.invars[:num_consts])}
    xs = {v: i for i, v in enumerate(jaxpr.invars[num_consts + num_carry :])}
    ys = {v: i for i, v in enumerate(jaxpr.outvars[num_carry:count]) if v.__class__ is not Literal}
    fixed = _fixed_variables(jaxpr, num_consts)
    hoisted: dict[Var, int] = {}
    stacked: dict[Var, int] = {}
    sources: list[tuple[str, Any]] = []
    for r in jaxpr.outvars[count:]:
        if isinstance(r, Literal):
            sources.append(("literal", r.val))
        elif r in consts:
            sources.append(("const", consts[r]))
        elif r in fixed:
            sources.append(("hoisted", hoisted.setdefault(r, len(hoisted))))
        elif r in xs:
            sources.append(("xs", xs[r]))
        elif r in ys:
            sources.append(("ys", ys[r]))
        else:
            sources.append(("stacked", stacked.setdefault(r, len(stacked))))
    return ScanResidualPlan(
        _before_the_loop(primal, num_consts, list(hoisted)),
        len(hoisted),
        _body(primal, num_consts, list(hoisted), [*jaxpr.outvars[:count], *stacked]),
        tuple(sources),
    )


def _fixed_variables(jaxpr: Jaxpr, num_consts: int) -> set[Var]:
    """Variables that have the same value in every step."""
    fixed: set[Var] = {*jaxpr.constvars, *jaxpr.invars[:num_consts]}
    for eqn in jaxpr.eqns:
        if all(v.__class__ is Literal or v in fixed for v in eqn.invars) and not has_effects(eqn):
            fixed.update(eqn.outvars)
    return fixed


def _before_the_loop(primal: ClosedJaxpr, num_consts: int, hoisted: list[Var]) -> ClosedJaxpr:
    jaxpr = primal.jaxpr
    fixed = _fixed_variables(jaxpr, num_consts)
    eqns = [eqn for eqn in jaxpr.eqns if all(v in fixed for v in eqn.outvars) and eqn.outvars]
    whole = Jaxpr(jaxpr.constvars, jaxpr.invars[:num_consts], list(hoisted), eqns)
    kept, _ = dce_equations(whole, [True] * len(hoisted))
    return ClosedJaxpr(Jaxpr(jaxpr.constvars, whole.invars, whole.outvars, kept), primal.consts)


def _body(
    primal: ClosedJaxpr, num_consts: int, hoisted: list[Var], outvars: list[Any]
) -> ClosedJaxpr:
    """The body that takes the hoisted values instead of computing them."""
    jaxpr = primal.jaxpr
    given = set(hoisted)
    eqns = [
        eqn.replace(outvars=[dropped(v) if v in given else v for v in eqn.outvars])
        if given
        else eqn
        for eqn in jaxpr.eqns
    ]
    arguments = [*jaxpr.invars[:num_consts], *hoisted, *jaxpr.invars[num_consts:]]
    whole = Jaxpr(jaxpr.constvars, arguments, outvars, eqns)
    kept, _ = dce_equations(whole, [True] * len(outvars))
    return ClosedJaxpr(Jaxpr(jaxpr.constvars, arguments, outvars, kept), primal.consts)
