"""Which residuals a linearised program has to hand out, and which are there already.

A residual that is an argument or a result of the program, or a constant, needs no further output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vires.core import memo
from vires.core.jaxpr import Atom, ClosedJaxpr, Jaxpr, Literal


@dataclass(frozen=True)
class ResidualPlan:
    """`program` gives results and computed residuals; `sources` says where each residual is."""

    program: ClosedJaxpr
    num_results: int
    #: one of ("input", number), ("result", number), ("computed", number), ("literal", value)
    sources: tuple[tuple[str, Any], ...]

    def gather(self, operands: Sequence[Any], outputs: Sequence[Any]) -> list[Any]:
        """The residuals, given the program's operands and outputs."""
        tables = {"input": operands, "result": outputs, "computed": outputs[self.num_results :]}
        return [
            number if kind == "literal" else tables[kind][number] for kind, number in self.sources
        ]


@memo.per_program
def plan_residuals(primal: ClosedJaxpr, num_residuals: int) -> ResidualPlan:
    """The plan for a program whose last results are residuals."""
    jaxpr = primal.jaxpr
    num_results = len(jaxpr.outvars) - num_residuals
    results, residuals = jaxpr.outvars[:num_results], jaxpr.outvars[num_results:]
    inputs = {v: i for i, v in enumerate(jaxpr.invars)}
    given = {v: i for i, v in enumerate(results) if v.__class__ is not Literal}
    computed: dict[Atom, int] = {}
    sources: list[tuple[str, Any]] = []
    for r in residuals:
        if isinstance(r, Literal):
            sources.append(("literal", r.val))
        elif r in inputs:
            sources.append(("input", inputs[r]))
        elif r in given:
            sources.append(("result", given[r]))
        else:
            sources.append(("computed", computed.setdefault(r, len(computed))))
    program = ClosedJaxpr(
        Jaxpr(jaxpr.constvars, jaxpr.invars, [*results, *computed], jaxpr.eqns), primal.consts
    )
    return ResidualPlan(program, num_results, tuple(sources))
