"""Forward-mode differentiation: values carry their tangents along.

Each operation is handed to the parent interpreter on primals, and its jvp rule gives the tangent of
the result.
"""

# pyright: reportPrivateUsage=false
# `_trace` is private for users; interpreters look at whose tracer a value is.

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import Primitive, Zero
from vires.core.source import here
from vires.core.staging import leaked, stage
from vires.core.trace import Trace, Tracer, aval_of, set_trace, thread
from vires.ops.shape import zeros
from vires.transform.custom_tangent import custom_vjp_tangent


class JVPTracer(Tracer):
    """A primal with its tangent (an array or `Zero`)."""

    __slots__ = ("primal", "tangent")
    primal: Any
    tangent: Any

    def __init__(self, trace: Trace, primal: Any, tangent: Any) -> None:
        self._trace = trace
        self.primal = primal
        self.tangent = tangent
        self.aval = aval_of(primal)

    def concrete(self) -> Any:
        primal = self.primal
        return primal.concrete() if isinstance(primal, Tracer) else primal

    def origin(self) -> str:
        primal = self.primal
        return primal.origin() if isinstance(primal, Tracer) else "(under differentiation)"


def instantiate(tangent: Any) -> Any:
    """The tangent as an array: zeros for `Zero`."""
    return zeros(tangent.aval) if tangent.__class__ is Zero else tangent


def zero_tangent(primal: Any) -> Zero:
    return Zero(aval_of(primal).to_tangent_aval())


class JVPTrace(Trace):
    """Pushes tangents forward."""

    def __init__(self) -> None:
        self.parent = thread.trace

    def _split(self, operands: Sequence[Any]) -> tuple[list[Any], list[Any], bool]:
        """Primals, tangents (None where the operand is a constant), and whether there is any."""
        primals: list[Any] = []
        tangents: list[Any] = []
        moving = False
        for x in operands:
            if x.__class__ is JVPTracer and x._trace is self:
                primals.append(x.primal)
                tangents.append(x.tangent)
                moving = True
            else:
                if isinstance(x, Tracer) and x._trace.finished:
                    raise leaked(x)
                primals.append(x)
                tangents.append(None)
        return primals, tangents, moving

    def _wrap(self, result: Any, tangent: Any) -> Any:
        return result if tangent.__class__ is Zero else JVPTracer(self, result, tangent)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        primals, tangents, moving = self._split(operands)
        before = set_trace(self.parent)
        source = thread.source
        try:
            if not moving:
                return self.parent.process(primitive, primals, params)
            thread.source = source or here()
            tangents = [
                zero_tangent(x) if t is None else t for x, t in zip(primals, tangents, strict=True)
            ]
            result, tangent = primitive.jvp(primals, tangents, **params)
        finally:
            thread.source = source
            set_trace(before)
        if primitive.multiple_results:
            return [self._wrap(r, t) for r, t in zip(result, tangent, strict=True)]
        return self._wrap(result, tangent)

    def process_custom_jvp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        primals, tangents, moving = self._split(operands)
        before = set_trace(self.parent)
        try:
            if not moving:
                return self.parent.process_custom_jvp(call, primals)
            tangents = [
                zero_tangent(x) if t is None else t for x, t in zip(primals, tangents, strict=True)
            ]
            results, out = call.jvp(primals, tangents)
        finally:
            set_trace(before)
        return [self._wrap(r, t) for r, t in zip(results, out, strict=True)]

    def process_custom_vjp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        primals, tangents, moving = self._split(operands)
        before = set_trace(self.parent)
        try:
            if not moving:
                return self.parent.process_custom_vjp(call, primals)
            call.check_moving([t is not None for t in tangents])
            tangents = [
                zero_tangent(x) if t is None else t for x, t in zip(primals, tangents, strict=True)
            ]
            results, residuals = call.forward(*primals)
            out = custom_vjp_tangent(call, results, residuals, tangents)
        finally:
            set_trace(before)
        return [self._wrap(r, t) for r, t in zip(results, out, strict=True)]


def push_forward(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Results and their tangents (some may be `Zero`) of a function of flat arguments."""
    trace = JVPTrace()
    arguments = [
        x if t.__class__ is Zero else JVPTracer(trace, x, t)
        for x, t in zip(primals, tangents, strict=True)
    ]
    before = set_trace(trace)
    try:
        outputs = function(*arguments)
    finally:
        set_trace(before)
        trace.finished = True
    results: list[Any] = []
    out_tangents: list[Any] = []
    for y in outputs:
        if y.__class__ is JVPTracer and y._trace is trace:
            results.append(y.primal)
            out_tangents.append(y.tangent)
        else:
            results.append(y)
            out_tangents.append(zero_tangent(y))
    return results, out_tangents


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


def tangent_avals(avals: Sequence[ShapedArray]) -> list[ShapedArray]:
    return [a.to_tangent_aval() for a in avals]
