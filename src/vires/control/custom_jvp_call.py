"""Calls of functions that bring a forward rule."""

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
    dense,
    is_still,
    mapped_function,
)
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import AxisData, Zero
from vires.core.trace import Trace, aval_of
from vires.transform.vmap import BatchTrace, batch_jaxpr


class CustomJVPCall(Call):
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
        return self.record(
            custom_jvp_call,
            trace,
            operands,
            jvp_jaxpr_fun=Rule(f"jvp of {self.name}", self.rule),
            symbolic_zeros=self.symbolic_zeros,
        )


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
        self.refuse_closure("custom_jvp", [t.__class__ is not Zero for t in tangents[:count]])
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


custom_jvp_call = CallPrimitive(
    "custom_jvp_call",
    "A program with its own forward derivative.",
    _StagedJVPCall,
    "process_custom_jvp",
)
