"""Calls of functions that bring a reverse rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.custom_calls import (
    Call,
    CallPrimitive,
    Dims,
    Rule,
    check_results,
    counted,
    is_still,
    mapped_function,
)
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import AxisData, Zero
from vires.core.trace import Trace, aval_of
from vires.ops.linear import declared
from vires.transform.vmap import BatchTrace, batch, batch_jaxpr, bring_to


class CustomVJPCall(Call):
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
        return self.record(
            custom_vjp_call,
            trace,
            operands,
            fwd_jaxpr_thunk=Rule(f"forward of {self.name}", self.forward),
            bwd=Rule(f"backward of {self.name}", self.backward),
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
        self.refuse_closure("custom_vjp", nonzeros[: self.params["num_consts"]])

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


custom_vjp_call = CallPrimitive(
    "custom_vjp_call",
    "A program with its own reverse derivative.",
    _StagedVJPCall,
    "process_custom_vjp",
)
