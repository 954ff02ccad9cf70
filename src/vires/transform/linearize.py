"""Linearisation: run a function and record, as a program, how its results move with its arguments.

Primals go to the parent interpreter, so that they stay concrete where they are; the tangents'
operations, which are linear, are recorded. Values that the recorded program needs from the primals
(residuals) become its constants.
"""

# pyright: reportPrivateUsage=false
# `_trace` is private for users; interpreters look at whose tracer a value is.

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vires.core import memo
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, evaluate
from vires.core.primitive import Primitive, Zero
from vires.core.staging import StagedTracer, StagingTrace, stage
from vires.core.trace import Trace, Tracer, aval_of, set_trace, thread
from vires.transform.dual import DifferentiationTrace, DualTracer, instantiate, taken_apart


class TangentTrace(StagingTrace):
    """Records operations on tangents; whatever touches no tangent goes to the parent."""

    parent: Trace

    def __init__(self, parent: Trace, name: str = "linearize") -> None:
        super().__init__(parent, name)
        self.passes_on = True

    def _mine(self, operands: Sequence[Any]) -> bool:
        return any(x.__class__ is StagedTracer and x._trace is self for x in operands)

    def process_in_parent(
        self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        """An operation on nothing that is recorded here."""
        before = set_trace(self.parent)
        try:
            return self.parent.process(primitive, operands, params)
        finally:
            set_trace(before)

    def process_partly(
        self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        """An operation that holds programs: the parent computes what no tangent reaches."""
        unknown = [x.__class__ is StagedTracer and x._trace is self for x in operands]
        found = None
        if not all(unknown):
            before = set_trace(self.parent)
            try:
                found = primitive.partial(unknown, operands, **params)  # type: ignore[misc] - it has the rule
            finally:
                set_trace(before)
        if found is None:
            return self.record(primitive, operands, params)
        results, rest, rest_params, numbers = found
        recorded: Any = self.record(primitive, rest, rest_params) if numbers else []
        others = iter([recorded[i] for i in numbers])
        return [next(others) if r is None else r for r in results]

    def process_custom_jvp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        return self._custom("process_custom_jvp", call, operands)

    def process_custom_vjp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        return self._custom("process_custom_vjp", call, operands)

    def _custom(self, method: str, call: Any, operands: Sequence[Any]) -> list[Any]:
        if self._mine(operands):
            # Linear in the tangent: its own operations are recorded.
            return call.function(*operands)
        before = set_trace(self.parent)
        try:
            return getattr(self.parent, method)(call, operands)
        finally:
            set_trace(before)


class LinearizeTrace(DifferentiationTrace):
    """Runs primals in the parent and records tangents."""

    def __init__(self) -> None:
        self.parent = thread.trace
        self.tangents = TangentTrace(self.parent)
        self.rules = self.tangents

    def argument(self, primal: Any, moving: bool = True) -> Any:
        """An argument of the function; `moving` ones get a tangent variable."""
        aval = aval_of(primal).to_tangent_aval()
        return DualTracer(self, primal, self.tangents.argument(aval)) if moving else primal

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        if primitive.linearize is None:
            return super().process(primitive, operands, params)
        primals, tangents, moving = self._split(operands)
        before = set_trace(self.parent)
        try:
            if not moving:
                return self.parent.process(primitive, primals, params)
            nonzeros = tuple(t is not None for t in tangents)
            results, out_nonzeros, residuals, apply = primitive.linearize(
                nonzeros, primals, **params
            )
            set_trace(self.rules)
            out = iter(apply(residuals, [t for t in tangents if t is not None]))
        finally:
            set_trace(before)
        return [
            self._wrap(r, next(out)) if nz else r
            for r, nz in zip(results, out_nonzeros, strict=True)
        ]


def linearize(
    function: Callable[..., Sequence[Any]],
    primals: Sequence[Any],
    moving: Sequence[bool] | None = None,
    forced: bool | Sequence[bool] = False,
) -> tuple[list[Any], list[bool], ClosedJaxpr]:
    """Results of a function of flat arguments, which move, and the linear program of tangents.

    The program takes the tangents of the `moving` arguments (all by default) and gives those of the
    moving results; `forced` makes (some) results move even where their tangent is zero.
    """
    trace = LinearizeTrace()
    flags = [True] * len(primals) if moving is None else list(moving)
    arguments = [trace.argument(x, flag) for x, flag in zip(primals, flags, strict=True)]
    before = set_trace(trace)
    try:
        outputs = function(*arguments)
        results, tangents = taken_apart(trace, outputs)
        force = [forced] * len(results) if isinstance(forced, bool) else forced
        set_trace(trace.parent)
        nonzeros = [t.__class__ is not Zero or f for t, f in zip(tangents, force, strict=True)]
        program = trace.tangents.close(
            [instantiate(t) for t, nz in zip(tangents, nonzeros, strict=True) if nz]
        )
        return results, nonzeros, program
    finally:
        trace.finished = trace.tangents.finished = True
        set_trace(before)


@dataclass(frozen=True)
class Linearized:
    """A program split into its values and the linear map of its tangents.

    `primal`: ins -> outs ++ residuals. `linear`: residuals ++ moving tangents of the ins -> those
    of the outs.
    """

    primal: ClosedJaxpr
    linear: ClosedJaxpr
    out_nonzeros: tuple[bool, ...]
    num_residuals: int
    #: residual number -> input number, for residuals that are inputs
    residual_inputs: dict[int, int]


@memo.per_program
def linearize_jaxpr(
    closed: ClosedJaxpr, nonzeros: tuple[bool, ...], instantiated: bool | tuple[bool, ...] = False
) -> Linearized:
    """Linearise a program at unknown inputs; `nonzeros` says which inputs move."""
    linear: ClosedJaxpr | None = None
    out_nonzeros: tuple[bool, ...] = ()
    residual_inputs: dict[int, int] = {}
    kept: list[Any] = []

    def function(*args: Any) -> list[Any]:
        nonlocal linear, out_nonzeros
        results, flags, linear = linearize(
            lambda *xs: evaluate(closed.jaxpr, closed.consts, *xs), args, nonzeros, instantiated
        )
        out_nonzeros = tuple(flags)
        residuals: list[Any] = []
        positions = {id(x): i for i, x in enumerate(args)}
        for value in linear.consts:
            if isinstance(value, Tracer):
                if id(value) in positions:
                    residual_inputs[len(residuals)] = positions[id(value)]
                residuals.append(value)
        kept.append(len(residuals))
        return [*results, *residuals]

    primal = stage(function, closed.in_avals, name="linearize")
    assert linear is not None
    jaxpr = linear.jaxpr
    pairs = list(zip(jaxpr.constvars, linear.consts, strict=True))
    residual_vars = [v for v, value in pairs if isinstance(value, Tracer)]
    fixed = [(v, value) for v, value in pairs if not isinstance(value, Tracer)]
    opened = Jaxpr([v for v, _ in fixed], residual_vars + jaxpr.invars, jaxpr.outvars, jaxpr.eqns)
    return Linearized(
        primal,
        ClosedJaxpr(opened, [value for _, value in fixed]),
        out_nonzeros,
        kept[0],
        residual_inputs,
    )
