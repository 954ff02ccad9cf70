"""Values that carry a tangent, and what the two interpreters of derivatives have in common.

Forward mode (`jvp.py`) computes tangents at once, linearisation (`linearize.py`) records them. In
both, primals are handed to the parent interpreter, and the rules that make tangents run under one
that the interpreter chooses.
"""

# pyright: reportPrivateUsage=false
# `_trace` is private for users; interpreters look at whose tracer a value is.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core.primitive import Primitive, Zero
from vires.core.source import here
from vires.core.trace import Trace, Tracer, aval_of, leaked, set_trace, thread
from vires.ops.filled import zeros
from vires.transform.custom_tangent import custom_vjp_tangent


class DualTracer(Tracer):
    """A primal with its tangent: an array, or the variable of a recorded program."""

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


class DifferentiationTrace(Trace):
    """Sends primals to the parent, and tangents through the primitives' rules."""

    #: The interpreter under which the rules that make tangents run.
    rules: Trace

    def _split(self, operands: Sequence[Any]) -> tuple[list[Any], list[Any], bool]:
        """Primals, tangents (None where the operand is a constant), and whether there is any."""
        primals: list[Any] = []
        tangents: list[Any] = []
        moving = False
        for x in operands:
            if x.__class__ is DualTracer and x._trace is self:
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
        return result if tangent.__class__ is Zero else DualTracer(self, result, tangent)

    def _full(self, primals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """The tangents, with `Zero` for constants."""
        return [zero_tangent(x) if t is None else t for x, t in zip(primals, tangents, strict=True)]

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        primals, tangents, moving = self._split(operands)
        before = set_trace(self.rules if moving else self.parent)
        source = thread.source
        try:
            if not moving:
                return self.parent.process(primitive, primals, params)
            thread.source = source or here()
            result, tangent = primitive.jvp(primals, self._full(primals, tangents), **params)
        finally:
            thread.source = source
            set_trace(before)
        if primitive.multiple_results:
            return [self._wrap(r, t) for r, t in zip(result, tangent, strict=True)]
        return self._wrap(result, tangent)

    def process_custom_jvp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        primals, tangents, moving = self._split(operands)
        before = set_trace(self.rules if moving else self.parent)
        try:
            if not moving:
                return self.parent.process_custom_jvp(call, primals)
            results, out = call.jvp(primals, self._full(primals, tangents))
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
            results, residuals = call.forward(*primals)
            set_trace(self.rules)
            out = custom_vjp_tangent(call, results, residuals, self._full(primals, tangents))
        finally:
            set_trace(before)
        return [self._wrap(r, t) for r, t in zip(results, out, strict=True)]


def taken_apart(trace: Trace, outputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Primals and tangents of what a function returned under an interpreter."""
    primals: list[Any] = []
    tangents: list[Any] = []
    for y in outputs:
        mine = y.__class__ is DualTracer and y._trace is trace
        primals.append(y.primal if mine else y)
        tangents.append(y.tangent if mine else zero_tangent(y))
    return primals, tangents
