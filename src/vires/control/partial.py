"""Calls that mix known values with tangents, as derivative rules of users make them.

While tangents are recorded, whatever touches none of them is to be computed at once. A call of a
program is one operation that may compute both kinds of results: the rules here take it apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vires.control.dce import choose
from vires.core import memo
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, evaluate
from vires.core.primitive import Primitive
from vires.core.staging import StagedTracer, stage
from vires.core.trace import Tracer, aval_of, current_trace, thread
from vires.transform.linearize import TangentTrace

Flags = Sequence[bool]
#: What a `partial` rule answers: the results that are known (None for the others), then operands,
#: parameters and result numbers of the operation that gives the others, in order.
Answer = tuple[list[Any], list[Any], dict[str, Any], list[int]]


@dataclass(frozen=True)
class Split:
    """A program taken apart.

    `known`: known arguments -> known results ++ residuals.
    `rest`: residuals ++ the other arguments -> the other results.
    """

    known: ClosedJaxpr
    rest: ClosedJaxpr
    out_known: tuple[bool, ...]


@memo.per_program
def split_known(closed: ClosedJaxpr, unknown: tuple[bool, ...]) -> Split:
    """Take a program apart into what follows from its known arguments, and the rest."""
    rest: Jaxpr | None = None
    fixed: list[Any] = []
    out_known: tuple[bool, ...] = ()

    def function(*known: Any) -> list[Any]:
        nonlocal rest, out_known, fixed
        trace = TangentTrace(thread.trace, "partial")
        given = iter(known)
        arguments = [
            trace.argument(aval) if flag else next(given)
            for aval, flag in zip(closed.in_avals, unknown, strict=True)
        ]
        with current_trace(trace):
            results = evaluate(closed.jaxpr, closed.consts, *arguments)
        flags = [not (x.__class__ is StagedTracer and x._trace is trace) for x in results]
        out_known = tuple(flags)
        program = trace.close([x for x, k in zip(results, flags, strict=True) if not k])
        jaxpr = program.jaxpr
        is_residual = [isinstance(c, Tracer) for c in program.consts]
        own = [not r for r in is_residual]
        invars = [*choose(jaxpr.constvars, is_residual), *jaxpr.invars]
        rest = Jaxpr(choose(jaxpr.constvars, own), invars, jaxpr.outvars, jaxpr.eqns)
        fixed = choose(program.consts, own)
        return [*choose(results, flags), *choose(program.consts, is_residual)]

    known = stage(
        function,
        [a for a, u in zip(closed.in_avals, unknown, strict=True) if not u],
        name="partial",
    )
    assert rest is not None
    return Split(known, ClosedJaxpr(rest, fixed), out_known)


def partial_call(primitive: Callable[[], Primitive]) -> Callable[..., Answer | None]:
    """The rule of an operation that calls one program, its parameter `jaxpr`."""

    def partial(unknown: Flags, operands: Sequence[Any], **params: Any) -> Answer | None:
        parts = split_known(params["jaxpr"], tuple(unknown))
        if not any(parts.out_known):
            return None
        known = [x for x, u in zip(operands, unknown, strict=True) if not u]
        out = primitive()(*known, **{**params, "jaxpr": parts.known})
        given = iter(out)
        results = [next(given) if k else None for k in parts.out_known]
        rest = [*given, *choose(operands, unknown)]
        count = len(results) - sum(parts.out_known)
        return results, rest, {**params, "jaxpr": parts.rest}, list(range(count))

    return partial


def partial_loop(primitive: Callable[[], Primitive]) -> Callable[..., Answer | None]:
    """The rule of loops and branches: known results come from an operation of their own.

    The other results come from the whole operation, which computes the known ones once more.
    """

    def partial(unknown: Flags, operands: Sequence[Any], **params: Any) -> Answer | None:
        operation = primitive()
        avals = [aval_of(x) for x in operands]
        outvars = [Var(a) for a in operation.infer(*avals, **params)]
        eqn = JaxprEqn([Var(a) for a in avals], outvars, operation, params)
        reached = reached_results(operation.name, params, unknown)
        if all(reached):
            return None
        assert operation.dce is not None
        smaller, used = operation.dce([not r for r in reached], eqn)
        if smaller is None or any(u and n for u, n in zip(unknown, used, strict=True)):
            return None
        out = dict(
            zip(smaller.outvars, operation(*choose(operands, used), **smaller.params), strict=True)
        )
        results = [None if r else out[v] for r, v in zip(reached, outvars, strict=True)]
        return results, list(operands), params, [i for i, r in enumerate(reached) if r]

    return partial


# --- which results depend on which arguments


@memo.per_program
def reached(closed: ClosedJaxpr, flags: tuple[bool, ...]) -> tuple[bool, ...]:
    """Which results of a program depend on its flagged arguments."""
    jaxpr = closed.jaxpr
    found: set[Var] = {v for v, flag in zip(jaxpr.invars, flags, strict=True) if flag}
    for eqn in jaxpr.eqns:
        marks = [isinstance(v, Var) and v in found for v in eqn.invars]
        if any(marks):
            out = reached_results(eqn.primitive.name, eqn.params, marks, len(eqn.outvars))
            found.update(choose(eqn.outvars, out))
    return tuple(v.__class__ is not Literal and v in found for v in jaxpr.outvars)


def reached_results(
    name: str, params: dict[str, Any], flags: Flags, count: int | None = None
) -> tuple[bool, ...]:
    """Which results of an operation depend on its flagged operands: all, or what programs say."""
    rule = _RULES.get(name)
    if rule is not None:
        return rule(params, tuple(flags))
    assert count is not None
    return (True,) * count


def _of_call(params: dict[str, Any], flags: tuple[bool, ...]) -> tuple[bool, ...]:
    return reached(params["jaxpr"], flags)


def _of_cond(params: dict[str, Any], flags: tuple[bool, ...]) -> tuple[bool, ...]:
    rows = [reached(branch, flags[1:]) for branch in params["branches"]]
    return tuple(flags[0] or any(column) for column in zip(*rows, strict=True))


def _of_scan(params: dict[str, Any], flags: tuple[bool, ...]) -> tuple[bool, ...]:
    start = params["num_consts"]
    stop = start + params["num_carry"]
    carry = flags[start:stop]
    while True:
        out = reached(params["jaxpr"], (*flags[:start], *carry, *flags[stop:]))
        more = tuple(a or b for a, b in zip(carry, out, strict=False))
        if more == carry:
            return (*carry, *out[len(carry) :])
        carry = more


def _of_while(params: dict[str, Any], flags: tuple[bool, ...]) -> tuple[bool, ...]:
    num_cond, num_body = params["cond_nconsts"], params["body_nconsts"]
    cond, body, carry = (
        flags[:num_cond],
        flags[num_cond : num_cond + num_body],
        flags[num_cond + num_body :],
    )
    while True:
        if any(reached(params["cond_jaxpr"], (*cond, *carry))):
            return (True,) * len(carry)
        out = reached(params["body_jaxpr"], (*body, *carry))
        more = tuple(a or b for a, b in zip(carry, out, strict=True))
        if more == carry:
            return carry
        carry = more


_RULES: dict[str, Callable[[dict[str, Any], tuple[bool, ...]], tuple[bool, ...]]] = {
    "jit": _of_call,
    "checkpoint": _of_call,
    "cond": _of_cond,
    "scan": _of_scan,
    "while": _of_while,
}
