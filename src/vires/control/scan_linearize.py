"""Linearising a scan: its values with their residuals, and the linear scan of tangents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vires.control.call import call_program
from vires.control.programs import choose, rearranged, split
from vires.control.scan_parts import Params, bind_scan, parts_of
from vires.control.scan_residuals import plan_scan_residuals
from vires.core.jaxpr import ClosedJaxpr
from vires.ops.filled import zeros
from vires.transform.linearize import Linearized, linearize_jaxpr


def _linearize_body(
    jaxpr: ClosedJaxpr, params: Params, nonzeros: Sequence[bool]
) -> tuple[Linearized, list[bool]]:
    """The linearised body, and which carries move."""
    const_flags, carry_flags, xs_flags = parts_of(params, nonzeros)
    num_carry = params["num_carry"]
    num_ys = len(jaxpr.out_avals) - num_carry
    while True:
        forced = (*carry_flags, *(False,) * num_ys)
        linearized = linearize_jaxpr(jaxpr, (*const_flags, *carry_flags, *xs_flags), forced)
        out = linearized.out_nonzeros[:num_carry]
        if list(out) == carry_flags:
            return linearized, carry_flags
        carry_flags = [a or b for a, b in zip(carry_flags, out, strict=True)]


@dataclass(frozen=True)
class LinearScan:
    """The scan of tangents that belongs to a scan; `body` is linear in all but its residuals."""

    body: ClosedJaxpr
    params: Params
    #: which operands move
    const_flags: list[bool]
    init_flags: list[bool]
    #: which carries move on the way; those that do not start with a tangent start at zero
    carry_flags: list[bool]
    out_nonzeros: tuple[bool, ...]

    def apply(
        self, const_residuals: Sequence[Any], xs_residuals: Sequence[Any], tangents: Sequence[Any]
    ) -> list[Any]:
        """The tangents of the moving results."""
        if not any(self.out_nonzeros):
            return []
        consts, init, xs = split(tangents, sum(self.const_flags), sum(self.init_flags))
        given = iter(init)
        _, carry_avals, _ = parts_of(self.params, self.params["jaxpr"].in_avals)
        full = [
            next(given) if starts else zeros(aval.to_tangent_aval())
            for aval, starts, moves in zip(
                carry_avals, self.init_flags, self.carry_flags, strict=True
            )
            if moves
        ]
        carry, ys = bind_scan(
            [*const_residuals, *consts],
            full,
            [*xs_residuals, *xs],
            self.body,
            self.params,
            linear_carry=True,
        )
        return [*carry, *ys]


def linear_scan(
    nonzeros: Sequence[bool], operands: Sequence[Any], params: Params
) -> tuple[list[Any], list[Any], list[Any], LinearScan]:
    """Run a scan: results, residuals (constant and sliced ones), and the scan of tangents."""
    jaxpr: ClosedJaxpr = params["jaxpr"]
    num_consts, num_carry = params["num_consts"], params["num_carry"]
    linearized, carry_flags = _linearize_body(jaxpr, params, nonzeros)
    plan = plan_scan_residuals(linearized.primal, linearized.num_residuals, num_consts, num_carry)
    consts, init, xs = parts_of(params, operands)
    const_flags, init_flags, _ = parts_of(params, nonzeros)
    hoisted: Sequence[Any] = ()
    if plan.num_hoisted:
        hoisted = call_program(*consts, jaxpr=plan.hoisted, name="hoisted")
    carry, outputs = bind_scan([*consts, *hoisted], init, xs, plan.body, params)
    num_ys = len(jaxpr.out_avals) - num_carry
    tables = {
        "const": consts,
        "hoisted": hoisted,
        "xs": xs,
        "ys": outputs,
        "stacked": outputs[num_ys:],
    }
    values = [
        number if kind == "literal" else tables[kind][number] for kind, number in plan.sources
    ]
    fixed = [kind in ("const", "hoisted", "literal") for kind, _ in plan.sources]
    sliced = [not is_fixed for is_fixed in fixed]
    # The linear program takes residuals, then tangents: bring them into a scan's order.
    places = list(range(len(linearized.linear.in_avals)))
    residuals, const_dots, carry_dots, xs_dots = split(
        places, linearized.num_residuals, sum(const_flags), sum(carry_flags)
    )
    order = [
        *choose(residuals, fixed),
        *const_dots,
        *carry_dots,
        *choose(residuals, sliced),
        *xs_dots,
    ]
    tangents = LinearScan(
        rearranged(linearized.linear, tuple(order)),
        params,
        const_flags,
        init_flags,
        carry_flags,
        linearized.out_nonzeros,
    )
    return [*carry, *outputs[:num_ys]], choose(values, fixed), choose(values, sliced), tangents


def linearize_scan(nonzeros: Sequence[bool], operands: Sequence[Any], **params: Any) -> Any:
    results, const_residuals, xs_residuals, tangent_scan = linear_scan(nonzeros, operands, params)
    count = len(const_residuals)

    def tangent_function(residuals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        return tangent_scan.apply(residuals[:count], residuals[count:], tangents)

    return results, tangent_scan.out_nonzeros, [*const_residuals, *xs_residuals], tangent_function
