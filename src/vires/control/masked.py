"""Programs whose run-time checks (of indices) can be switched off.

Where vmap runs both branches of a cond, or a loop's body after an example's loop has ended,
operations see values that the user's program would never have computed with; their checks must not
raise.
"""

from __future__ import annotations

from typing import Any

from vires.core import dtypes, memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, JaxprEqn, Literal, Var, subjaxprs
from vires.core.staging import stage
from vires.core.trace import aval_of
from vires.ops.bits import not_, or_
from vires.ops.check import check
from vires.ops.shape import broadcast


@memo.per_program
def has_checks(closed: ClosedJaxpr) -> bool:
    """Whether running the program may raise by a check."""
    return any(
        eqn.primitive is check
        or any(
            has_checks(p if isinstance(p, ClosedJaxpr) else ClosedJaxpr(p))
            for p in subjaxprs(eqn.params)
        )
        for eqn in closed.eqns
    )


@memo.per_program
def masked(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The same program with a leading 0-d bool argument: where it is false, checks do not raise."""
    jaxpr = closed.jaxpr

    def function(active: Any, *args: Any) -> list[Any]:
        values: dict[Var, Any] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
        values.update(zip(jaxpr.invars, args, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if atom.__class__ is Literal else values[atom]

        for eqn in jaxpr.eqns:
            results = _bind_masked(active, eqn, [read(v) for v in eqn.invars])
            values.update(
                zip(
                    eqn.outvars,
                    results if eqn.primitive.multiple_results else [results],
                    strict=True,
                )
            )
        return [read(v) for v in jaxpr.outvars]

    return stage(function, [ShapedArray((), dtypes.bool_), *closed.in_avals], name="masked")


def _bind_masked(active: Any, eqn: JaxprEqn, operands: list[Any]) -> Any:
    primitive, params = eqn.primitive, eqn.params
    if primitive is check:
        x, condition, shown = operands
        excused = broadcast(not_(active), aval_of(condition).shape, ())
        return check(x, or_(condition, excused), shown, **params)
    programs = [
        key for key, value in params.items() if isinstance(value, ClosedJaxpr) and has_checks(value)
    ]
    if primitive.name == "cond" and any(has_checks(b) for b in params["branches"]):
        branches = tuple(masked(b) for b in params["branches"])
        return primitive(operands[0], active, *operands[1:], branches=branches)
    if not programs:
        return primitive(*operands, **params)
    changed = {**params, **{key: masked(params[key]) for key in programs}}
    if primitive.name == "scan":
        changed["num_consts"] += 1
        changed["linear"] = (False, *params["linear"])
    elif primitive.name == "while":
        return _while_masked(active, primitive, operands, params)
    elif primitive.name in ("custom_jvp_call", "custom_vjp_call"):
        changed["num_consts"] += 1
    return primitive(active, *operands, **changed)


def _while_masked(active: Any, primitive: Any, operands: list[Any], params: dict[str, Any]) -> Any:
    """Both programs of a while get the argument."""
    count = params["cond_nconsts"]
    changed = {
        **params,
        "cond_jaxpr": masked(params["cond_jaxpr"]),
        "body_jaxpr": masked(params["body_jaxpr"]),
        "cond_nconsts": count + 1,
        "body_nconsts": params["body_nconsts"] + 1,
    }
    return primitive(active, *operands[:count], active, *operands[count:], **changed)
