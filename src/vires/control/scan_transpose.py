"""Transposing a scan: the linear scan, run backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.control.programs import array_of, choose, is_linear, moving, rearranged, split
from vires.control.scan_linearize import linear_scan
from vires.control.scan_parts import Params, bind_scan, live_body, parts_of
from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import LinearOperand, Zero
from vires.core.staging import stage
from vires.core.trace import aval_of
from vires.ops.elementwise import add
from vires.ops.filled import zeros
from vires.transform.transpose import backward_jaxpr


def transpose_scan(cts: Sequence[Any], *operands: Any, **params: Any) -> list[Any]:
    consts, init, xs = parts_of(params, operands)
    _, linear_init, _ = parts_of(params, params["linear"])
    if not all(is_linear(x) or flag for x, flag in zip(init, linear_init, strict=True)):
        return _transpose_mixed(cts, operands, params)
    used_carry, used_inputs, body = live_body(
        params["jaxpr"], params["num_consts"], params["num_carry"], moving(cts)
    )
    used_consts, _, used_xs = parts_of(params, used_inputs)
    carry_cts, ys_cts = cts[: len(init)], cts[len(init) :]

    known_consts = [x for x, u in zip(consts, used_consts, strict=True) if u and not is_linear(x)]
    known_xs = [x for x, u in zip(xs, used_xs, strict=True) if u and not is_linear(x)]
    linear_consts = [is_linear(x) for x in choose(consts, used_consts)]
    linear_xs = [is_linear(x) for x in choose(xs, used_xs)]
    program = _transposed_body(body, tuple(linear_consts), sum(used_carry), tuple(linear_xs))
    const_avals = [x.aval for x, u in zip(consts, used_consts, strict=True) if u and is_linear(x)]
    carry, stacked = bind_scan(
        known_consts,
        [
            *(zeros(aval) for aval in const_avals),
            *(array_of(ct) for ct in choose(carry_cts, used_carry)),
        ],
        [*known_xs, *(ct for ct in ys_cts if ct.__class__ is not Zero)],
        program,
        params,
        reverse=not params["reverse"],
    )
    const_answers, carry_answers = iter(carry[: len(const_avals)]), iter(carry[len(const_avals) :])
    xs_answers = iter(stacked)
    return [
        *(
            next(const_answers) if u and is_linear(x) else None
            for x, u in zip(consts, used_consts, strict=True)
        ),
        *(next(carry_answers) if u else None for u in used_carry),
        *(
            next(xs_answers) if u and is_linear(x) else None
            for x, u in zip(xs, used_xs, strict=True)
        ),
    ]


@memo.per_program
def _transposed_body(
    body: ClosedJaxpr, linear_consts: tuple[bool, ...], num_carry: int, linear_xs: tuple[bool, ...]
) -> ClosedJaxpr:
    """One step backwards.

    Takes the known constants; the cotangents gathered so far for the linear constants and that of
    the carry; the known xs and the cotangents of the stacked results. Gives the gathered and the
    carry's cotangents, and those of the xs.
    """
    start = len(linear_consts)
    consts = range(start)
    xs = range(start + num_carry, start + num_carry + len(linear_xs))
    known_consts = [i for i, linear in zip(consts, linear_consts, strict=True) if not linear]
    known_xs = [i for i, linear in zip(xs, linear_xs, strict=True) if not linear]
    order = [
        *known_consts,
        *known_xs,
        *choose(list(consts), linear_consts),
        *range(start, start + num_carry),
        *choose(list(xs), linear_xs),
    ]
    backward = backward_jaxpr(rearranged(body, tuple(order)), len(known_consts) + len(known_xs))
    num_gathered = sum(linear_consts)
    avals = backward.in_avals
    known_const_avals, known_xs_avals, carry_avals, ys_avals = split(
        avals, len(known_consts), len(known_xs), num_carry
    )
    gathered_avals = [
        body.in_avals[i].strip_weak_type() for i in choose(list(consts), linear_consts)
    ]

    def function(*args: Any) -> list[Any]:
        fixed, gathered, carry, sliced, ys = split(
            args, len(known_const_avals), num_gathered, num_carry, len(known_xs_avals)
        )
        out = evaluate(backward.jaxpr, backward.consts, *fixed, *sliced, *carry, *ys)
        more, rest = out[:num_gathered], out[num_gathered:]
        return [*(add(a, b) for a, b in zip(gathered, more, strict=True)), *rest]

    return stage(
        function,
        [*known_const_avals, *gathered_avals, *carry_avals, *known_xs_avals, *ys_avals],
        name="transpose",
    )


def _transpose_mixed(cts: Sequence[Any], operands: Sequence[Any], params: Params) -> list[Any]:
    """With carries that no linear operand reaches: run these, keeping what the linear ones need.

    The scan is linear in some operands, so its tangents at any value of these, zero say, are the
    scan itself.
    """
    flags = [is_linear(x) for x in operands]
    values = [zeros(x.aval) if is_linear(x) else x for x in operands]
    _, const_residuals, xs_residuals, tangent_scan = linear_scan(flags, values, params)
    consts, init, xs = parts_of(params, operands)
    linear_consts = [x for x in consts if is_linear(x)]
    linear_xs = [x for x in xs if is_linear(x)]
    carries = [LinearOperand(aval_of_operand(x)) for x in choose(init, tangent_scan.carry_flags)]
    answers = transpose_scan(
        [ct for ct, nz in zip(cts, tangent_scan.out_nonzeros, strict=True) if nz],
        *const_residuals,
        *linear_consts,
        *carries,
        *xs_residuals,
        *linear_xs,
        **{
            **params,
            "jaxpr": tangent_scan.body,
            "num_consts": len(const_residuals) + len(linear_consts),
            "num_carry": len(carries),
            "linear": (False,) * len(tangent_scan.body.in_avals),
        },
    )
    _, const_cts, carry_cts, _, xs_cts = split(
        answers, len(const_residuals), len(linear_consts), len(carries), len(xs_residuals)
    )
    # Carries that become linear only on the way have no operand to give their cotangent to.
    started = choose(carry_cts, choose(tangent_scan.init_flags, tangent_scan.carry_flags))
    found = iter([*const_cts, *started, *xs_cts])
    return [next(found) if flag else None for flag in flags]


def aval_of_operand(x: Any) -> ShapedArray:
    return x.aval if is_linear(x) else aval_of(x)
