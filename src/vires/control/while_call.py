"""while: a program applied as long as another program says so.

Operands are the constants of the condition, the constants of the body, and the initial carry;
results are the last carry. It differentiates forward; how often the body runs is not known
beforehand, so there is nowhere to keep the values that reverse mode would need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.control.dce import choose, dce, keep_inputs, program_has_effects
from vires.control.lifting import ProgramPrimitive, with_lifted
from vires.control.masked import has_checks, masked
from vires.control.partial import partial_loop
from vires.control.programs import (
    array_of,
    moving,
    rearranged,
    run_reference,
    split,
    with_ignored,
    zero_tangents,
)
from vires.core import dtypes, memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, JaxprEqn, evaluate
from vires.core.primitive import AxisData
from vires.core.staging import stage
from vires.ops.bits import and_
from vires.ops.reduce import reduce_or
from vires.ops.select import select_n
from vires.ops.shape import broadcast, broadcast_in_dim, map_at
from vires.transform.jvp import jvp_jaxpr
from vires.transform.vmap import batch_jaxpr

Dims = Sequence[int | None]
Params = dict[str, Any]


def bind_while(
    cond_consts: Sequence[Any],
    body_consts: Sequence[Any],
    init: Sequence[Any],
    cond: ClosedJaxpr,
    body: ClosedJaxpr,
) -> list[Any]:
    """Bind a loop."""
    return while_call(
        *cond_consts,
        *body_consts,
        *init,
        cond_nconsts=len(cond_consts),
        cond_jaxpr=cond,
        body_nconsts=len(body_consts),
        body_jaxpr=body,
    )


def _parts(params: Params, items: Sequence[Any]) -> list[list[Any]]:
    """Constants of the condition, constants of the body, carry."""
    return list(split(items, params["cond_nconsts"], params["body_nconsts"]))


def _infer(*avals: ShapedArray, **params: Any) -> list[ShapedArray]:
    cond: ClosedJaxpr = params["cond_jaxpr"]
    body: ClosedJaxpr = params["body_jaxpr"]
    cond_consts, body_consts, carry = _parts(params, avals)
    for program, given in ((cond, [*cond_consts, *carry]), (body, [*body_consts, *carry])):
        expected = program.in_avals
        if len(given) != len(expected) or not all(
            a.same_type(b) for a, b in zip(given, expected, strict=True)
        ):
            raise TypeError(
                f"while: needs operands of types ({', '.join(a.str_short() for a in expected)}); "
                f"got ({', '.join(a.str_short() for a in given)})"
            )
    return body.in_avals[params["body_nconsts"] :]


def _reference(*arrays: np.ndarray, **params: Any) -> list[np.ndarray]:
    cond_consts, body_consts, carry = _parts(params, arrays)
    while run_reference(params["cond_jaxpr"], *cond_consts, *carry)[0]:
        carry = run_reference(params["body_jaxpr"], *body_consts, *carry)
    return carry


# --- derivatives


def _jvp_body(params: Params, nonzeros: Sequence[bool]) -> tuple[ClosedJaxpr, list[bool]]:
    """The jvp of the body, and which carries move."""
    body: ClosedJaxpr = params["body_jaxpr"]
    _, const_flags, carry_flags = _parts(params, nonzeros)
    while True:
        program, out = jvp_jaxpr(body, (*const_flags, *carry_flags), tuple(carry_flags))
        if list(out) == carry_flags:
            return program, carry_flags
        carry_flags = [a or b for a, b in zip(carry_flags, out, strict=True)]


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
    flags = moving(tangents)
    program, carry_flags = _jvp_body(params, flags)
    _, const_flags, _ = _parts(params, flags)
    cond_consts, body_consts, init = _parts(params, primals)
    _, const_dots, init_dots = _parts(params, tangents)
    consts, carry, moved_consts, moved_carry = split(
        range(len(program.in_avals)), len(body_consts), len(init), sum(const_flags)
    )
    dots = [array_of(t) for t in choose(init_dots, carry_flags)]
    carry_avals = params["body_jaxpr"].in_avals[len(body_consts) :]
    dot_avals = tuple(a.to_tangent_aval() for a in choose(carry_avals, carry_flags))
    out = bind_while(
        cond_consts,
        [*body_consts, *choose(const_dots, const_flags)],
        [*init, *dots],
        with_ignored(params["cond_jaxpr"], dot_avals),
        rearranged(program, (*consts, *moved_consts, *carry, *moved_carry)),
    )
    results = out[: len(init)]
    return results, zero_tangents(results, out[len(init) :], carry_flags)


def _linearize(nonzeros: Sequence[bool], operands: Sequence[Any], **params: Any) -> Any:
    """Run the loop; its tangents run it once more, now with them."""
    results = while_call(*operands, **params)
    _, carry_flags = _jvp_body(params, nonzeros)

    def tangent_function(residuals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        if not any(carry_flags):
            return []
        given = zero_tangents(residuals, tangents, nonzeros)
        _, out = _jvp(residuals, given, **params)
        return choose(out, carry_flags)

    return results, tuple(carry_flags), list(operands), tangent_function


def _transpose(cts: Sequence[Any], *operands: Any, **params: Any) -> list[Any]:
    carry = ", ".join(
        a.str_short() for a in params["body_jaxpr"].in_avals[params["body_nconsts"] :]
    )
    raise ValueError(
        "while_loop: needs forward mode (jvp, jacfwd), since the number of steps is not known "
        "beforehand; got reverse "
        f"mode (grad, vjp) through a loop with the carry ({carry}); try scan, or fori_loop with "
        "bounds that are "
        "Python integers, or custom_vjp or custom_root for the function that the loop computes"
    )


# --- vmap


def _batch(axis: AxisData, operands: Sequence[Any], dims: Dims, **params: Any) -> Any:
    cond: ClosedJaxpr = params["cond_jaxpr"]
    body: ClosedJaxpr = params["body_jaxpr"]
    cond_consts, body_consts, init = _parts(params, operands)
    cond_dims, body_dims, init_dims = _parts(params, dims)
    mapped = [d is not None for d in init_dims]
    while True:
        carry_dims = [0 if m else None for m in mapped]
        _, predicate_dims = batch_jaxpr(cond, axis, (*cond_dims, *carry_dims))
        if predicate_dims[0] is not None and not all(mapped):
            mapped = [True] * len(mapped)
            continue
        program, out_dims = batch_jaxpr(body, axis, (*body_dims, *carry_dims), tuple(mapped))
        found = [d is not None for d in out_dims]
        if found == mapped:
            break
        mapped = found
    init = [
        map_at(x, d, axis.size, 0) if m else x
        for x, d, m in zip(init, init_dims, mapped, strict=True)
    ]
    if predicate_dims[0] is None:
        predicate, _ = batch_jaxpr(cond, axis, (*cond_dims, *carry_dims))
        out = bind_while(cond_consts, body_consts, init, predicate, program)
        return out, carry_dims
    if not cond_consts and _stops_apart(cond, body, len(body_consts)):
        any_left, step = _further(body, axis, tuple(body_dims))
        return bind_while([], body_consts, init, any_left, step), carry_dims
    step_dims = (*cond_dims, *body_dims)
    predicate, any_left, step = _selecting(cond, body, axis, step_dims, len(cond_dims))
    first = evaluate(predicate.jaxpr, predicate.consts, *cond_consts, *init)
    out = bind_while([], [*cond_consts, *body_consts], [*first, *init], any_left, step)
    return out[1:], carry_dims


@memo.per_program
def _selecting(
    cond: ClosedJaxpr, body: ClosedJaxpr, axis: AxisData, dims: Dims, num_cond_consts: int
) -> tuple[ClosedJaxpr, ClosedJaxpr, ClosedJaxpr]:
    """A loop that goes on while any example does, and changes only the carries of those that do.

    Gives the batched condition; the new condition and body, whose carry starts with each example's
    condition.
    """
    cond_dims, body_dims = dims[:num_cond_consts], dims[num_cond_consts:]
    num_carry = len(body.out_avals)
    carry_dims = (0,) * num_carry
    predicate, _ = batch_jaxpr(cond, axis, (*cond_dims, *carry_dims), True)
    checked = has_checks(body)
    program, _ = batch_jaxpr(
        masked(body) if checked else body,
        axis,
        (*((0,) if checked else ()), *body_dims, *carry_dims),
        True,
    )
    flag = ShapedArray((axis.size,), dtypes.bool_)

    def any_left(going: Any, *carry: Any) -> list[Any]:
        return [reduce_or(going, axes=(0,))]

    def step(*args: Any) -> list[Any]:
        cond_consts, body_consts, (going, *carry) = split(args, num_cond_consts, len(body_dims))
        active = [going] if checked else []
        moved = evaluate(program.jaxpr, program.consts, *active, *body_consts, *carry)
        kept = [
            select_n(broadcast(going, new.aval.shape, (0,)), old, new)
            for old, new in zip(carry, moved, strict=True)
        ]
        (following,) = evaluate(predicate.jaxpr, predicate.consts, *cond_consts, *kept)
        return [and_(going, following), *kept]

    carry_avals = program.in_avals[len(body_dims) + checked :]
    const_avals = [
        *predicate.in_avals[:num_cond_consts],
        *program.in_avals[checked : checked + len(body_dims)],
    ]
    return (
        predicate,
        stage(any_left, [flag, *carry_avals], name="vmap"),
        stage(step, [*const_avals, flag, *carry_avals], name="vmap"),
    )


def _stops_apart(cond: ClosedJaxpr, body: ClosedJaxpr, num_body_consts: int) -> bool:
    """Whether a loop is one that `_selecting` makes: it goes on while any of its flags holds, and
    changes nothing where none does. A check in it might see what an example never does.
    """
    test, carry = cond.jaxpr, body.jaxpr.invars[num_body_consts:]
    if len(test.eqns) != 1 or test.eqns[0].primitive is not reduce_or:
        return False
    (eqn,) = test.eqns
    flags = test.invars[0]
    if eqn.invars[0] is not flags or len(eqn.params["axes"]) != flags.aval.ndim or has_checks(body):
        return False
    made = {eqn.outvars[0]: eqn for eqn in body.jaxpr.eqns}

    def is_going(x: Any) -> bool:
        eqn = made.get(x)
        if eqn is None or eqn.primitive is not broadcast_in_dim:
            return x is carry[0]
        leading = tuple(range(flags.aval.ndim))
        return eqn.invars[0] is carry[0] and eqn.params["broadcast_dimensions"] == leading

    def stays(out: Any, before: Any) -> bool:
        eqn = made.get(out)
        if eqn is None:
            return out is before
        if before is carry[0]:
            return eqn.primitive is and_ and before in eqn.invars
        chosen = eqn.primitive is select_n and len(eqn.invars) == 3
        return chosen and is_going(eqn.invars[0]) and eqn.invars[1] is before

    return all(map(stays, body.jaxpr.outvars, carry))


@memo.per_program
def _further(body: ClosedJaxpr, axis: AxisData, body_dims: Dims) -> tuple[ClosedJaxpr, ClosedJaxpr]:
    """The condition and body of a loop that stops apart, over one more axis: further turns do no
    harm to the examples that are done, so that one set of flags is enough.
    """
    num_carry = len(body.out_avals)
    program, _ = batch_jaxpr(body, axis, (*body_dims, *(0,) * num_carry), True)
    carry_avals = program.in_avals[len(body_dims) :]

    def any_left(going: Any, *carry: Any) -> list[Any]:
        return [reduce_or(going, axes=tuple(range(going.aval.ndim)))]

    return stage(any_left, carry_avals, name="vmap"), program


# --- dead code


def _dce(used: Sequence[bool], eqn: JaxprEqn) -> tuple[JaxprEqn | None, list[bool]]:
    params = eqn.params
    cond: ClosedJaxpr = params["cond_jaxpr"]
    body: ClosedJaxpr = params["body_jaxpr"]
    num_cond_consts, num_body_consts = params["cond_nconsts"], params["body_nconsts"]
    condition, cond_inputs = dce(cond, (True,))
    needed = [a or b for a, b in zip(used, cond_inputs[num_cond_consts:], strict=True)]
    while True:
        step, inputs = dce(body, tuple(needed))
        more = [a or b for a, b in zip(needed, inputs[num_body_consts:], strict=True)]
        if more == needed:
            break
        needed = more
    if not any(used) and not program_has_effects(body) and not program_has_effects(cond):
        return None, [False] * len(eqn.invars)
    cond_full = (*cond_inputs[:num_cond_consts], *needed)
    body_full = (*inputs[:num_body_consts], *needed)
    flags = [*cond_full[:num_cond_consts], *body_full[:num_body_consts], *needed]
    changed = {
        "cond_nconsts": sum(cond_full[:num_cond_consts]),
        "cond_jaxpr": keep_inputs(cond, condition, cond_full),
        "body_nconsts": sum(body_full[:num_body_consts]),
        "body_jaxpr": keep_inputs(body, step, body_full),
    }
    smaller = eqn.replace(
        invars=choose(eqn.invars, flags), outvars=choose(eqn.outvars, needed), params=changed
    )
    return smaller, flags


def _lift(
    values: Sequence[Any], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    count = params["cond_nconsts"]
    changed = {
        "cond_jaxpr": with_lifted(params["cond_jaxpr"], values),
        "body_jaxpr": with_lifted(params["body_jaxpr"], values),
        "cond_nconsts": count + len(values),
        "body_nconsts": params["body_nconsts"] + len(values),
    }
    return [*values, *operands[:count], *values, *operands[count:]], changed


while_call = ProgramPrimitive(
    "while",
    """carry = body(body_consts, carry) as long as cond(cond_consts, carry) holds.""",
    programs=lambda params: (params["cond_jaxpr"], params["body_jaxpr"]),
    lift=_lift,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=lambda b, *operands, cond_jaxpr, body_jaxpr, cond_nconsts, body_nconsts: b.block(
        "while",
        operands,
        cond=cond_jaxpr,
        body=body_jaxpr,
        cond_consts=cond_nconsts,
        body_consts=body_nconsts,
    ),
    linearize=_linearize,
    dce=_dce,
    partial=partial_loop(lambda: while_call),
)
