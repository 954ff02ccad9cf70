"""The call of a program: what a jitted function becomes inside another program."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from vires.control.dce import dce_call
from vires.control.lifting import ProgramPrimitive, leading
from vires.control.partial import partial_call
from vires.control.programs import (
    array_of,
    call_block,
    choose,
    moving,
    run_reference,
    transposed_call,
    zero_tangents,
)
from vires.control.residuals import plan_residuals
from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from vires.core.primitive import AxisData
from vires.transform.jvp import jvp_jaxpr
from vires.transform.linearize import linearize_jaxpr
from vires.transform.vmap import batch_jaxpr

Dims = Sequence[int | None]


def check_arguments(
    name: str, avals: Sequence[ShapedArray], expected: Sequence[ShapedArray]
) -> None:
    """Raise unless operands have the types of a program's arguments."""
    if len(avals) != len(expected) or not all(
        a.same_type(b) for a, b in zip(avals, expected, strict=True)
    ):
        raise TypeError(
            f"{name}: needs operands of types ({', '.join(a.str_short() for a in expected)}); "
            f"got ({', '.join(a.str_short() for a in avals)})"
        )


class CallPrimitive(ProgramPrimitive):
    """An operation whose results are those of its one program, `jaxpr`, on the operands. Its rules
    apply it to other programs with the same further parameters; `linearize` and `partial` are its
    own.
    """

    def __init__(self, name: str, doc: str, *, linearize: Any, partial: Any) -> None:
        super().__init__(
            name,
            doc,
            programs=lambda params: (params["jaxpr"],),
            lift=leading("jaxpr"),
            infer=self._infer,
            reference=lambda *arrays, jaxpr, **params: run_reference(jaxpr, *arrays),
            jvp=self._jvp,
            transpose=self._transpose,
            batch=self._batch,
            loops=lambda b, *operands, jaxpr, **params: call_block(b, operands, jaxpr),
            linearize=linearize,
            dce=dce_call,
            partial=partial,
        )

    def _infer(self, *avals: ShapedArray, jaxpr: ClosedJaxpr, **params: Any) -> list[ShapedArray]:
        check_arguments(params.get("name", self.name), avals, jaxpr.in_avals)
        return jaxpr.out_avals

    def _jvp(
        self,
        primals: Sequence[Any],
        tangents: Sequence[Any],
        *,
        jaxpr: ClosedJaxpr,
        **params: Any,
    ) -> Any:
        flags = moving(tangents)
        program, out_nonzeros = jvp_jaxpr(jaxpr, flags)
        given = [array_of(t) for t in choose(tangents, flags)]
        out = self(*primals, *given, jaxpr=program, **params)
        results = out[: len(out_nonzeros)]
        return results, zero_tangents(results, out[len(out_nonzeros) :], out_nonzeros)

    def _transpose(
        self, cts: Sequence[Any], *operands: Any, jaxpr: ClosedJaxpr, **params: Any
    ) -> list[Any]:
        return transposed_call(cts, operands, jaxpr, functools.partial(self, **params))

    def _batch(
        self,
        axis: AxisData,
        operands: Sequence[Any],
        dims: Dims,
        *,
        jaxpr: ClosedJaxpr,
        **params: Any,
    ) -> Any:
        program, out_dims = batch_jaxpr(jaxpr, axis, tuple(dims))
        return self(*operands, jaxpr=program, **params), out_dims


def _linearize(
    nonzeros: Sequence[bool], operands: Sequence[Any], *, jaxpr: ClosedJaxpr, **params: Any
) -> Any:
    linearized = linearize_jaxpr(jaxpr, tuple(nonzeros))
    plan = plan_residuals(linearized.primal, linearized.num_residuals)
    outputs = jit_call(*operands, jaxpr=plan.program, **params)

    def tangent_function(residuals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        if not any(linearized.out_nonzeros):
            return []
        return jit_call(*residuals, *tangents, jaxpr=linearized.linear, **params)

    residuals = plan.gather(operands, outputs)
    return outputs[: plan.num_results], linearized.out_nonzeros, residuals, tangent_function


jit_call = CallPrimitive(
    "jit",
    """The results of a program on the operands.""",
    linearize=_linearize,
    partial=partial_call(lambda: jit_call),
)


def call_program(*operands: Any, jaxpr: ClosedJaxpr, name: str = "call") -> list[Any]:
    """The results of a program: one equation where operations are recorded."""
    return jit_call(*operands, name=name, jaxpr=jaxpr, inline=False)


@memo.per_program
def inlined(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The same program with the equations of called programs in place of the calls."""
    jaxpr = closed.jaxpr
    consts = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    eqns: list[JaxprEqn] = []
    names: dict[Var, Any] = {}

    def read(atom: Any) -> Any:
        return atom if atom.__class__ is Literal else names.get(atom, atom)

    for eqn in jaxpr.eqns:
        if eqn.primitive is not jit_call:
            eqns.append(eqn.replace(invars=[read(v) for v in eqn.invars]))
            continue
        body = inlined(eqn.params["jaxpr"])
        copies = _fresh(body, [read(v) for v in eqn.invars], consts)
        eqns.extend(copies[0])
        names.update(zip(eqn.outvars, copies[1], strict=True))
    outvars = [read(v) for v in jaxpr.outvars]
    return ClosedJaxpr(Jaxpr(list(consts), jaxpr.invars, outvars, eqns), list(consts.values()))


def _fresh(
    body: ClosedJaxpr, operands: Sequence[Any], consts: dict[Var, Any]
) -> tuple[list[JaxprEqn], list[Any]]:
    """The equations of one call with variables of their own, and the atoms of its results."""
    names: dict[Var, Any] = dict(zip(body.jaxpr.invars, operands, strict=True))
    for var, value in zip(body.jaxpr.constvars, body.consts, strict=True):
        names[var] = Var(var.aval)
        consts[names[var]] = value

    def read(atom: Any) -> Any:
        return atom if atom.__class__ is Literal else names[atom]

    eqns = []
    for eqn in body.eqns:
        invars = [read(v) for v in eqn.invars]
        names.update((v, Var(v.aval)) for v in eqn.outvars)
        eqns.append(eqn.replace(invars=invars, outvars=[names[v] for v in eqn.outvars]))
    return eqns, [read(v) for v in body.jaxpr.outvars]
