"""Calls of functions that bring their own derivatives, as interpreters see them.

`custom_jvp` and `custom_vjp` flatten their arguments and hand a call object (`custom_jvp_call.py`,
`custom_vjp_call.py`) to the current interpreter: `thread.trace.process_custom_jvp(call, operands)`
or `process_custom_vjp(call, operands)`. Staging records an equation `custom_jvp_call` or
`custom_vjp_call`; binding such an equation again makes the call anew, so that every interpreter
meets the same two methods, however deep the equation was buried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.control.axes import axes_of_program
from vires.control.call import call_program
from vires.control.programs import call_block, run_reference, transposed_call
from vires.core import dtypes
from vires.core.jaxpr import ClosedJaxpr
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.staging import close_over, stage
from vires.core.trace import Trace, Tracer, aval_of, thread
from vires.ops.filled import zeros
from vires.transform.vmap import BatchTrace, batch, bring_to

Dims = Sequence[int | None]


def dense(tangent: Any) -> Any:
    """A tangent as an array: zeros for `Zero`, of NumPy's void type for a float0 one."""
    if tangent.__class__ is not Zero:
        return tangent
    if tangent.aval.dtype == dtypes.float0:
        return np.zeros(tangent.aval.shape, dtypes.float0)
    return zeros(tangent.aval)


def is_still(tangent: Any) -> bool:
    """Whether a tangent or cotangent is known to be zero: `Zero`, None, or of dtype float0."""
    return (
        tangent is None
        or tangent.__class__ is Zero
        or getattr(tangent, "dtype", None) == dtypes.float0
    )


class Rule:
    """A derivative rule as an equation's parameter; it prints the same in every process."""

    __slots__ = ("function", "name")

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def __repr__(self) -> str:
        return self.name


def mapped_function(
    function: Callable[..., Sequence[Any]], axis: AxisData, dims: Dims, trace: BatchTrace | None
) -> Callable[..., list[Any]]:
    """A flat function for all examples at once, with each result mapped along its axis 0.

    `trace` is the interpreter whose tracers the function may close over.
    """

    def mapped(*operands: Any) -> list[Any]:
        results, out_dims = batch(function, axis, operands, dims, trace)
        return [bring_to(axis, r, d, 0) for r, d in zip(results, out_dims, strict=True)]

    return mapped


class Call:
    """What calls with a forward and with a reverse rule have in common."""

    name: str
    function: Callable[..., Sequence[Any]]

    def record(
        self, primitive: Primitive, trace: Trace, operands: Sequence[Any], **rules: Any
    ) -> list[Any]:
        """Record it as an equation that has these rules."""
        closed, consts = close_over(
            stage(self.function, [aval_of(x) for x in operands], name=self.name)
        )
        params = {"name": self.name, "call_jaxpr": closed, **rules, "num_consts": len(consts)}
        return trace.process(primitive, [*consts, *operands], params)

    def closes_over(self, trace: BatchTrace, operands: Sequence[Any]) -> bool:
        """Whether the function refers to the tracers or the axis of an interpreter itself."""
        closed = stage(self.function, [aval_of(x) for x in operands], name=self.name)
        if trace.axis.name is not None and trace.axis.name in axes_of_program(closed):
            return True
        own = (trace, *trace.stands_for)
        return any(isinstance(c, Tracer) and c._trace in own for c in closed.consts)

    def check_moving(self, nonzeros: Sequence[bool]) -> None:
        """Raise if derivatives are wanted of a value that the rules do not know of."""

    def refuse_closure(self, operation: str, nonzeros: Sequence[bool]) -> None:
        if any(nonzeros):
            raise TypeError(
                f"{operation}: needs derivatives with respect to arguments only; got one with "
                "respect to a value that "
                f"{self.name} closes over, of which its rules know nothing; try to pass the value "
                "as an argument"
            )


# --- forward rules


class counted:
    """A function that remembers how many results it gave last."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.count = 0

    def __call__(self, *args: Any) -> Any:
        answer = self.function(*args)
        self.count = len(answer[0] if isinstance(answer, tuple) else answer)
        return answer


def check_results(
    operation: str, name: str, what: str, results: Sequence[Any], program: ClosedJaxpr
) -> None:
    """Raise unless a rule's results have the types of the function's."""
    found = [aval_of(r) for r in results]
    expected = program.out_avals
    if len(found) != len(expected) or not all(
        a.same_type(b) for a, b in zip(found, expected, strict=True)
    ):
        raise TypeError(
            f"{operation}: needs {what} to give results of the types that {name} gives, "
            f"({', '.join(a.str_short() for a in expected)}); got "
            f"({', '.join(a.str_short() for a in found)})"
        )


# --- the equations


class CallPrimitive(Primitive):
    """A staged call: binding it makes the call again."""

    def __init__(
        self, name: str, doc: str, call: Callable[[dict[str, Any]], Any], method: str
    ) -> None:
        def batch_rule(axis: AxisData, operands: Sequence[Any], dims: Dims, **params: Any) -> Any:
            batched, out_dims = call(params).batched(axis, tuple(dims))
            results = getattr(thread.trace, method)(batched, operands)
            return results, out_dims()

        super().__init__(
            name,
            doc,
            infer=lambda *avals, call_jaxpr, **params: call_jaxpr.out_avals,
            reference=lambda *arrays, call_jaxpr, **params: run_reference(call_jaxpr, *arrays),
            jvp=Undefined(f"{name}: needs to be bound; got its jvp rule asked for directly"),
            transpose=lambda cts, *operands, call_jaxpr, **params: transposed_call(
                cts, operands, call_jaxpr, call_program
            ),
            batch=batch_rule,
            loops=lambda b, *operands, call_jaxpr, **params: call_block(b, operands, call_jaxpr),
            multiple_results=True,
        )
        self._call = call
        self._method = method

    def bind(self, *operands: Any, **params: Any) -> Any:
        return getattr(thread.trace, self._method)(self._call(params), operands)

    __call__ = bind
