"""Staging: running a Python function on abstract values to record it as a jaxpr."""

# pyright: reportPrivateUsage=false
# `_trace` is private for users; interpreters look at whose tracer a value is.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# isinstance(x, np.ndarray) leaves the type parameters of NumPy's arrays unknown.

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires import _native
from vires._native import Array, Recorder
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.check import check_program
from vires.core.config import config
from vires.core.jaxpr import Atom, ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from vires.core.trace import Trace, Tracer, as_array, aval_of, leaked, set_trace, thread


class StagedTracer(Tracer):
    """A variable of the program that is being recorded."""

    __slots__ = ("variable",)  # not `var`, which is a method of arrays
    variable: Var

    def __init__(self, trace: StagingTrace, var: Var) -> None:
        self._trace = trace
        self.variable = var
        self.aval = var.aval

    def origin(self) -> str:
        trace = self._trace
        assert isinstance(trace, StagingTrace)
        return trace.origin(self.variable)


_native.set_thread(thread)
_native.set_program_types(ShapedArray, StagedTracer, Var, Literal, JaxprEqn, Jaxpr)


class StagingTrace(Recorder, Trace):
    """Records every operation as an equation; the native core does it."""

    def __init__(self, parent: Trace | None = None, name: str = "function") -> None:
        self.parent = parent if parent is not None else thread.trace
        self.name = name
        self.invars: list[Var] = []
        #: Of the arguments, or nothing: for messages.
        self.names: Sequence[str] = ()
        self.eqns: list[JaxprEqn] = []
        self.constvars: dict[int, Var] = {}  # by identity of the value
        self.consts: list[Any] = []
        self.repeated = {}

    def base(self) -> Trace:
        return self.parent.base() if self.passes_on else self

    def argument(self, aval: ShapedArray) -> StagedTracer:
        var = Var(aval)
        self.invars.append(var)
        return StagedTracer(self, var)

    def atom(self, x: Any) -> Atom:
        """The variable or literal of an operand."""
        if x.__class__ is StagedTracer:
            if x._trace is self:
                return x.variable
            if x._trace.finished:
                raise leaked(x)
        elif isinstance(x, Tracer):
            if x._trace.finished:
                raise leaked(x)
        elif x.__class__ is Array:
            if not x.shape and not dtypes.is_key(x.dtype):
                return Literal(x, x.aval)
        elif not isinstance(x, np.ndarray) or not x.shape:
            x = as_array(x)
            return Literal(x, x.aval)
        var = self.constvars.get(id(x))
        if var is None:
            var = self.constvars[id(x)] = Var(aval_of(x))
            # A NumPy array may change later: the program keeps a copy.
            self.consts.append((x, as_array(x) if isinstance(x, np.ndarray) else x))
        return var

    def process_custom_jvp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        return call.stage(self, operands)

    def process_custom_vjp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        return call.stage(self, operands)

    def close(self, outputs: Sequence[Any]) -> ClosedJaxpr:
        """The recorded program with these results. No operation can be recorded afterwards."""
        outvars = [self.atom(x) for x in outputs]
        self.finished = True
        jaxpr = Jaxpr(
            list(self.constvars.values()), self.invars, outvars, self.eqns, self.names or None
        )
        closed = ClosedJaxpr(jaxpr, [kept for _, kept in self.consts])
        if config.enable_checks:
            check_program(closed)
        return closed

    def origin(self, var: Var) -> str:
        for i, invar in enumerate(self.invars):
            if invar is var:
                name = self.names[i] if i < len(self.names) else ""
                return (
                    f"(argument {name} of {self.name})" if name else f"(an argument of {self.name})"
                )
        for eqn in self.eqns:
            if any(v is var for v in eqn.outvars):
                return f"(computed by {eqn.primitive.name} at {eqn.source} in {self.name})"
        return f"(in {self.name})"


def stage(
    function: Callable[..., Sequence[Any]],
    avals: Sequence[ShapedArray],
    *,
    name: str = "function",
    names: Sequence[str] = (),
) -> ClosedJaxpr:
    """Record a function of flat arguments, returning a flat sequence, as a closed jaxpr.

    Values that the function closes over, tracers of outer transformations included, become
    constants.
    """
    trace = StagingTrace(name=name)
    trace.names = names
    arguments = [trace.argument(aval) for aval in avals]
    before = set_trace(trace)
    try:
        outputs = function(*arguments)
        return trace.close(outputs)
    finally:
        trace.finished = True
        trace.repeated.clear()  # tracers, which hold the trace
        set_trace(before)


def close_over(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, list[Any]]:
    """Turn the constants into leading arguments: a program without constants, and their values."""
    jaxpr = closed.jaxpr
    if not jaxpr.constvars:
        return closed, []
    names = [""] * len(jaxpr.constvars) + list(jaxpr.names or [""] * len(jaxpr.invars))
    opened = Jaxpr([], jaxpr.constvars + jaxpr.invars, jaxpr.outvars, jaxpr.eqns, names)
    return ClosedJaxpr(opened, []), closed.consts


__all__ = ["StagedTracer", "StagingTrace", "close_over", "stage"]
