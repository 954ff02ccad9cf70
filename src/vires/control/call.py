"""The call of a program: what a jitted function becomes inside another program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.control.dce import dce_call
from vires.control.lifting import ProgramPrimitive, leading
from vires.control.partial import partial_call
from vires.control.programs import (
    array_of,
    call_block,
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


def _infer(
    *avals: ShapedArray, name: str, jaxpr: ClosedJaxpr, inline: bool = False
) -> list[ShapedArray]:
    check_arguments(name, avals, jaxpr.in_avals)
    return jaxpr.out_avals


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: ClosedJaxpr, **params: Any
) -> Any:
    program, out_nonzeros = jvp_jaxpr(jaxpr, moving(tangents))
    given = [array_of(t) for t, nz in zip(tangents, moving(tangents), strict=True) if nz]
    out = jit_call(*primals, *given, jaxpr=program, **params)
    results = out[: len(out_nonzeros)]
    return results, zero_tangents(results, out[len(out_nonzeros) :], out_nonzeros)


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


def _transpose(cts: Sequence[Any], *operands: Any, jaxpr: ClosedJaxpr, **params: Any) -> list[Any]:
    def bind(*values: Any, jaxpr: ClosedJaxpr) -> Sequence[Any]:
        return jit_call(*values, jaxpr=jaxpr, **params)

    return transposed_call(cts, operands, jaxpr, bind)


def _batch(
    axis: AxisData, operands: Sequence[Any], dims: Dims, *, jaxpr: ClosedJaxpr, **params: Any
) -> Any:
    program, out_dims = batch_jaxpr(jaxpr, axis, tuple(dims))
    return jit_call(*operands, jaxpr=program, **params), out_dims


jit_call = ProgramPrimitive(
    "jit",
    """The results of a program on the operands.""",
    programs=lambda params: (params["jaxpr"],),
    lift=leading("jaxpr"),
    infer=_infer,
    reference=lambda *arrays, jaxpr, **params: run_reference(jaxpr, *arrays),
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=lambda b, *operands, jaxpr, **params: call_block(b, operands, jaxpr),
    linearize=_linearize,
    dce=dce_call,
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
