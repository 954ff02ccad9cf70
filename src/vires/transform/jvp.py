"""Forward-mode differentiation: values carry their tangents along.

Each operation is handed to the parent interpreter on primals, and its jvp rule gives the tangent of
the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.core import memo
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import Zero
from vires.core.staging import stage
from vires.core.trace import set_trace, thread
from vires.transform.dual import DifferentiationTrace, DualTracer, instantiate, taken_apart


class JVPTrace(DifferentiationTrace):
    """Pushes tangents forward."""

    def __init__(self) -> None:
        self.parent = self.rules = thread.trace


def push_forward(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Results and their tangents (some may be `Zero`) of a function of flat arguments."""
    trace = JVPTrace()
    arguments = [
        x if t.__class__ is Zero else DualTracer(trace, x, t)
        for x, t in zip(primals, tangents, strict=True)
    ]
    before = set_trace(trace)
    try:
        outputs = function(*arguments)
    finally:
        set_trace(before)
        trace.finished = True
    return taken_apart(trace, outputs)


@memo.per_program
def jvp_jaxpr(
    closed: ClosedJaxpr, nonzeros: tuple[bool, ...], instantiated: bool | tuple[bool, ...] = False
) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    """The program of a program's values and tangents.

    Takes all primals, then the tangents flagged in `nonzeros`; gives all results, then the tangents
    flagged in the second answer. `instantiated` forces (some of) the resulting tangents to be
    there.
    """
    in_avals = closed.in_avals
    count = len(in_avals)
    tangent_avals = [
        a.to_tangent_aval() for a, moving in zip(in_avals, nonzeros, strict=True) if moving
    ]
    out_nonzeros: tuple[bool, ...] = ()

    def function(*args: Any) -> list[Any]:
        nonlocal out_nonzeros
        moving = iter(args[count:])
        tangents = [
            next(moving) if nz else Zero(a.to_tangent_aval())
            for a, nz in zip(in_avals, nonzeros, strict=True)
        ]
        results, out = push_forward(
            lambda *xs: evaluate(closed.jaxpr, closed.consts, *xs), args[:count], tangents
        )
        force = (instantiated,) * len(out) if isinstance(instantiated, bool) else instantiated
        out_nonzeros = tuple(t.__class__ is not Zero or f for t, f in zip(out, force, strict=True))
        return [*results, *(instantiate(t) for t, nz in zip(out, out_nonzeros, strict=True) if nz)]

    program = stage(function, [*in_avals, *tangent_avals], name="jvp")
    return program, out_nonzeros
