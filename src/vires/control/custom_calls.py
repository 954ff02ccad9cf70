"""Calls of functions that bring their own derivatives, as interpreters see them.

`custom_jvp` and `custom_vjp` (in `custom.py`) flatten their arguments and hand one of the call
objects below to the
current interpreter: `thread.trace.process_custom_jvp(call, operands)` or `process_custom_vjp(call,
  operands)`. Staging
records an equation `custom_jvp_call` or `custom_vjp_call`; binding such an equation again makes
the call anew, so that every interpreter meets the same two methods, however deep the equation was
buried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.control.axes import axes_of_program
from vires.control.call import call_program
from vires.control.programs import call_block, run_reference, transposed_call
from vires.core import dtypes
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.staging import close_over, stage
from vires.core.trace import Trace, Tracer, aval_of, thread
from vires.ops.filled import zeros
from vires.ops.linear import declared
from vires.transform.vmap import BatchTrace, batch, batch_jaxpr, bring_to

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


class _Call:
    """What calls with a forward and with a reverse rule have in common."""

    name: str
    function: Callable[..., Sequence[Any]]

    def closes_over(self, trace: BatchTrace, operands: Sequence[Any]) -> bool:
        """Whether the function refers to the tracers or the axis of an interpreter itself."""
        closed = stage(self.function, [aval_of(x) for x in operands], name=self.name)
        if trace.axis.name is not None and trace.axis.name in axes_of_program(closed):
            return True
        own = (trace, *trace.stands_for)
        return any(isinstance(c, Tracer) and c._trace in own for c in closed.consts)

    def check_moving(self, nonzeros: Sequence[bool]) -> None:
        """Raise if derivatives are wanted of a value that the rules do not know of."""

    def _refuse_closure(self, operation: str, nonzeros: Sequence[bool]) -> None:
        if any(nonzeros):
            raise TypeError(
                f"{operation}: needs derivatives with respect to arguments only; got one with "
                "respect to a value that "
                f"{self.name} closes over, of which its rules know nothing; try to pass the value "
                "as an argument"
            )


# --- forward rules


class CustomJVPCall(_Call):
    """One call of a function with a forward rule.

    * `function(*operands) -> results` runs the function itself, all flat.
    * `jvp(primals, tangents) -> (results, tangents of the results)`: each tangent an array or
      `Zero`. The rule sees
      arrays of zeros in place of `Zero` unless it asked for symbolic zeros.
    * `batched(axis, dims) -> (call, out_dims)`: the call for all examples; `out_dims()` is known
      after it ran.
    * `stage(trace, operands)` records it as an equation.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Sequence[Any]],
        rule: Callable[[Sequence[Any], Sequence[Any]], tuple[list[Any], list[Any]]],
        symbolic_zeros: bool = False,
    ) -> None:
        self.name = name
        self.function = function
        self.rule = rule
        self.symbolic_zeros = symbolic_zeros

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        given = list(tangents) if self.symbolic_zeros else [dense(t) for t in tangents]
        return self.rule(primals, given)

    def batched(
        self, axis: AxisData, dims: Dims, trace: BatchTrace | None = None
    ) -> tuple[CustomJVPCall, Callable[[], list[int | None]]]:
        function = counted(mapped_function(self.function, axis, dims, trace))
        rule = counted(_mapped_jvp(self.jvp, axis, dims, trace))
        call = CustomJVPCall(self.name, function, rule, symbolic_zeros=True)
        return call, lambda: [0] * (function.count or rule.count)

    def stage(self, trace: Trace, operands: Sequence[Any]) -> list[Any]:
        closed, consts = close_over(
            stage(self.function, [aval_of(x) for x in operands], name=self.name)
        )
        return trace.process(
            custom_jvp_call,
            [*consts, *operands],
            {
                "name": self.name,
                "call_jaxpr": closed,
                "jvp_jaxpr_fun": Rule(f"jvp of {self.name}", self.rule),
                "num_consts": len(consts),
                "symbolic_zeros": self.symbolic_zeros,
            },
        )


class counted:
    """A function that remembers how many results it gave last."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.count = 0

    def __call__(self, *args: Any) -> Any:
        answer = self.function(*args)
        self.count = len(answer[0] if isinstance(answer, tuple) else answer)
        return answer


def _mapped_jvp(
    rule: Callable[..., tuple[Sequence[Any], Sequence[Any]]],
    axis: AxisData,
    dims: Dims,
    trace: BatchTrace | None,
) -> Callable[..., tuple[list[Any], list[Any]]]:
    """A forward rule for all examples; tangents that are zero stay out of the mapped function."""

    def mapped(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        still = [is_still(t) for t in tangents]
        moving = [t for t, s in zip(tangents, still, strict=True) if not s]
        moving_dims = [d for d, s in zip(dims, still, strict=True) if not s]
        out_still: list[bool] = []
        count = len(primals)

        def flat(*values: Any) -> list[Any]:
            given = iter(values[count:])
            full = [
                Zero(aval_of(x).to_tangent_aval()) if s else next(given)
                for x, s in zip(values[:count], still, strict=True)
            ]
            results, out = rule(values[:count], full)
            out_still[:] = [is_still(t) for t in out]
            return [*results, *(t for t in out if not is_still(t))]

        values = mapped_function(flat, axis, [*dims, *moving_dims], trace)(*primals, *moving)
        results, rest = values[: len(out_still)], iter(values[len(out_still) :])
        return results, [
            Zero(aval_of(r).to_tangent_aval()) if s else next(rest)
            for r, s in zip(results, out_still, strict=True)
        ]

    return mapped


class _StagedJVPCall(CustomJVPCall):
    """The call that an equation `custom_jvp_call` stands for."""

    def __init__(self, params: dict[str, Any]) -> None:
        closed: ClosedJaxpr = params["call_jaxpr"]
        super().__init__(
            params["name"],
            lambda *operands: evaluate(closed.jaxpr, closed.consts, *operands),
            params["jvp_jaxpr_fun"],
            params["symbolic_zeros"],
        )
        self.params = params

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        count = self.params["num_consts"]
        self._refuse_closure("custom_jvp", [t.__class__ is not Zero for t in tangents[:count]])
        results, out = super().jvp(primals[count:], tangents[count:])
        check_results("custom_jvp", self.name, "its jvp rule", results, self.params["call_jaxpr"])
        return results, out

    def batched(
        self, axis: AxisData, dims: Dims, trace: BatchTrace | None = None
    ) -> tuple[CustomJVPCall, Callable[[], list[int | None]]]:
        params = self.params
        program, _ = batch_jaxpr(params["call_jaxpr"], axis, tuple(dims), True)
        rule = _mapped_jvp(super().jvp, axis, dims[params["num_consts"] :], trace)
        call = _StagedJVPCall(
            {
                **params,
                "call_jaxpr": program,
                "jvp_jaxpr_fun": Rule(f"vmap of {self.rule}", rule),
                "symbolic_zeros": True,
            }
        )
        return call, lambda: [0] * len(program.out_avals)

    def stage(self, trace: Trace, operands: Sequence[Any]) -> list[Any]:
        return trace.process(custom_jvp_call, operands, self.params)


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


# --- reverse rules


class CustomVJPCall(_Call):
    """One call of a function with a reverse rule.

    * `function(*operands) -> results` runs the function itself, all flat.
    * `forward(*operands) -> (results, residuals)`, and later
      `backward(residuals, cts) -> cotangents of the operands`, each an array or `Zero`.
    * `batched(axis, dims) -> (call, out_dims)`: the call for all examples; `out_dims()` is known
      after it ran.
    * `stage(trace, operands)` records it as an equation.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Sequence[Any]],
        forward: Callable[..., tuple[list[Any], list[Any]]],
        backward: Callable[[Sequence[Any], Sequence[Any]], list[Any]],
    ) -> None:
        self.name = name
        self.function = function
        self.forward = forward
        self.backward = backward

    def batched(
        self, axis: AxisData, dims: Dims, trace: BatchTrace | None = None
    ) -> tuple[CustomVJPCall, Callable[[], list[int | None]]]:
        function = counted(mapped_function(self.function, axis, dims, trace))
        forward, backward = _mapped_vjp(self.forward, self.backward, axis, dims, trace)
        forward = counted(forward)
        return CustomVJPCall(
            self.name, function, forward, backward
        ), lambda: [0] * (function.count or forward.count)

    def stage(self, trace: Trace, operands: Sequence[Any]) -> list[Any]:
        closed, consts = close_over(
            stage(self.function, [aval_of(x) for x in operands], name=self.name)
        )
        return trace.process(
            custom_vjp_call,
            [*consts, *operands],
            {
                "name": self.name,
                "call_jaxpr": closed,
                "fwd_jaxpr_thunk": Rule(f"forward of {self.name}", self.forward),
                "bwd": Rule(f"backward of {self.name}", self.backward),
                "num_consts": len(consts),
            },
        )


def _mapped_vjp(
    forward: Callable[..., tuple[Sequence[Any], Sequence[Any]]],
    backward: Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]],
    axis: AxisData,
    dims: Dims,
    trace: BatchTrace | None,
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Forward and backward rules for all examples.

    Residuals that are the same for all examples stay unmapped.
    """
    residual_dims: list[int | None] = []

    def mapped_forward(*operands: Any) -> tuple[list[Any], list[Any]]:
        count = 0

        def flat(*values: Any) -> list[Any]:
            nonlocal count
            results, residuals = forward(*values)
            count = len(results)
            return [*results, *residuals]

        values, out_dims = batch(flat, axis, operands, dims, trace)
        residual_dims[:] = out_dims[count:]
        results = [
            bring_to(axis, r, d, 0) for r, d in zip(values[:count], out_dims[:count], strict=True)
        ]
        return results, values[count:]

    def mapped_backward(residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        still: list[Any] = []
        moving = [None if is_still(ct) else ct for ct in cts]
        present = [ct for ct in moving if ct is not None]
        count = len(residuals)

        def flat(*values: Any) -> list[Any]:
            given = iter(values[count:])
            full = [
                next(given) if ct is not None else Zero(dtypes_of_example(original))
                for ct, original in zip(moving, cts, strict=True)
            ]
            answers = backward(values[:count], full)
            still[:] = [a if is_still(a) else None for a in answers]
            return [a for a in answers if not is_still(a)]

        values, out_dims = batch(
            flat, axis, [*residuals, *present], [*residual_dims, *[0] * len(present)], trace
        )
        pairs = iter(zip(values, out_dims, strict=True))
        answers: list[Any] = []
        for zero, dim in zip(still, dims, strict=True):
            if zero is not None:
                answers.append(None)
                continue
            ct, ct_dim = next(pairs)
            mapped = bring_to(axis, ct, ct_dim, 0 if dim is None else dim)
            answers.append(declared("reduce_sum")(mapped, axes=(0,)) if dim is None else mapped)
        return answers

    return mapped_forward, mapped_backward


def dtypes_of_example(ct: Any) -> Any:
    """The type of one example's cotangent, given a zero one for all examples along axis 0."""
    aval = ct.aval if ct.__class__ is Zero else aval_of(ct)
    return aval.update(shape=aval.shape[1:])


class _StagedVJPCall(CustomVJPCall):
    """The call that an equation `custom_vjp_call` stands for."""

    def __init__(self, params: dict[str, Any]) -> None:
        closed: ClosedJaxpr = params["call_jaxpr"]
        count = params["num_consts"]

        def forward(*operands: Any) -> tuple[list[Any], list[Any]]:
            results, residuals = params["fwd_jaxpr_thunk"](*operands[count:])
            check_results("custom_vjp", params["name"], "its forward rule", results, closed)
            return results, residuals

        super().__init__(
            params["name"],
            lambda *operands: evaluate(closed.jaxpr, closed.consts, *operands),
            forward,
            lambda residuals, cts: [None] * count + list(params["bwd"](residuals, cts)),
        )
        self.params = params

    def check_moving(self, nonzeros: Sequence[bool]) -> None:
        self._refuse_closure("custom_vjp", nonzeros[: self.params["num_consts"]])

    def batched(
        self, axis: AxisData, dims: Dims, trace: BatchTrace | None = None
    ) -> tuple[CustomVJPCall, Callable[[], list[int | None]]]:
        params = self.params
        program, _ = batch_jaxpr(params["call_jaxpr"], axis, tuple(dims), True)
        own = dims[params["num_consts"] :]
        forward, backward = _mapped_vjp(params["fwd_jaxpr_thunk"], params["bwd"], axis, own, trace)
        changed = {
            "call_jaxpr": program,
            "fwd_jaxpr_thunk": Rule(f"vmap of {params['fwd_jaxpr_thunk']}", forward),
            "bwd": Rule(f"vmap of {params['bwd']}", backward),
        }
        return _StagedVJPCall({**params, **changed}), lambda: [0] * len(program.out_avals)

    def stage(self, trace: Trace, operands: Sequence[Any]) -> list[Any]:
        return trace.process(custom_vjp_call, operands, self.params)


# --- the equations


class _CallPrimitive(Primitive):
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


custom_jvp_call = _CallPrimitive(
    "custom_jvp_call",
    "A program with its own forward derivative.",
    _StagedJVPCall,
    "process_custom_jvp",
)
custom_vjp_call = _CallPrimitive(
    "custom_vjp_call",
    "A program with its own reverse derivative.",
    _StagedVJPCall,
    "process_custom_vjp",
)
