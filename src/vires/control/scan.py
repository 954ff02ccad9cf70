"""scan: a program applied once for each slice of its inputs, handing a carry on.

Operands are constants, the initial carry, and arrays that are sliced along axis 0; results are the
final carry and the stacked results of all steps. Its derivatives are scans again: linearising
splits the body into its values, whose residuals are stacked, and a linear scan of tangents;
transposing runs the linear scan backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vires.control.call import call_program
from vires.control.dce import dce, keep_inputs
from vires.control.lifting import ProgramPrimitive, with_lifted
from vires.control.partial import partial_loop
from vires.control.programs import (
    array_of,
    choose,
    is_linear,
    moving,
    rearranged,
    run_reference,
    split,
    zero_tangents,
)
from vires.control.scan_residuals import plan_scan_residuals
from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, JaxprEqn, evaluate
from vires.core.primitive import AxisData, LinearOperand, Zero
from vires.core.staging import stage
from vires.core.trace import aval_of
from vires.ops.elementwise import add
from vires.ops.filled import zeros
from vires.ops.shape import map_at, move_axis
from vires.transform.jvp import jvp_jaxpr
from vires.transform.linearize import Linearized, linearize_jaxpr
from vires.transform.transpose import backward_jaxpr
from vires.transform.vmap import batch_jaxpr

Dims = Sequence[int | None]
Params = dict[str, Any]


def bind_scan(
    consts: Sequence[Any],
    init: Sequence[Any],
    xs: Sequence[Any],
    jaxpr: ClosedJaxpr,
    params: Params,
    reverse: bool | None = None,
    linear_carry: bool = False,
) -> tuple[list[Any], list[Any]]:
    """Bind a scan like another one (`params`): the final carry and the stacked results.

    `linear_carry` says that the body is linear in the carry, so that a carry which starts from a
    known value starts
    from zero: transposing need not ask where the carry comes from.
    """
    out = scan_call(
        *consts,
        *init,
        *xs,
        jaxpr=jaxpr,
        length=params["length"],
        reverse=params["reverse"] if reverse is None else reverse,
        num_consts=len(consts),
        num_carry=len(init),
        linear=(*(False,) * len(consts), *(linear_carry,) * len(init), *(False,) * len(xs)),
        unroll=params["unroll"],
        _split_transpose=params["_split_transpose"],
    )
    return out[: len(init)], out[len(init) :]


def _parts(params: Params, items: Sequence[Any]) -> list[list[Any]]:
    """Constants, carry, xs."""
    return list(split(items, params["num_consts"], params["num_carry"]))


def _stacked(aval: ShapedArray, length: int) -> ShapedArray:
    return ShapedArray((length, *aval.shape), aval.dtype, aval.weak_type)


def _infer(*avals: ShapedArray, **params: Any) -> list[ShapedArray]:
    jaxpr: ClosedJaxpr = params["jaxpr"]
    length, num_carry = params["length"], params["num_carry"]
    expected = jaxpr.in_avals
    start = params["num_consts"] + num_carry
    for position, (found, inner) in enumerate(zip(avals, expected, strict=True)):
        wanted = inner if position < start else _stacked(inner, length)
        if not found.same_type(wanted):
            raise TypeError(
                f"scan: needs operands of the types of its body; got {found.str_short()} where the "
                "body takes "
                f"{inner.str_short()}, for {length} steps"
            )
    carry = expected[params["num_consts"] : start]
    return [*carry, *(_stacked(aval, length) for aval in jaxpr.out_avals[num_carry:])]


def _reference(*arrays: np.ndarray, **params: Any) -> list[np.ndarray]:
    jaxpr: ClosedJaxpr = params["jaxpr"]
    num_carry, length = params["num_carry"], params["length"]
    consts, carry, xs = _parts(params, arrays)
    steps: list[list[np.ndarray]] = [[]] * length
    for i in reversed(range(length)) if params["reverse"] else range(length):
        out = run_reference(jaxpr, *consts, *carry, *(x[i] for x in xs))
        carry, steps[i] = out[:num_carry], out[num_carry:]
    if not length:
        from_types = [_empty(aval) for aval in jaxpr.out_avals[num_carry:]]
        return [*carry, *from_types]
    return [*carry, *(np.stack(column) for column in zip(*steps, strict=True))]


def _empty(aval: ShapedArray) -> np.ndarray:
    dtype = aval.dtype if isinstance(aval.dtype, np.dtype) else np.uint64
    return np.zeros((0, *aval.shape), dtype)


# --- forward mode


def _jvp_body(
    jaxpr: ClosedJaxpr, params: Params, nonzeros: Sequence[bool]
) -> tuple[ClosedJaxpr, list[bool], list[bool]]:
    """The jvp of the body, which carries move, and which stacked results do."""
    const_flags, carry_flags, xs_flags = _parts(params, nonzeros)
    num_carry = params["num_carry"]
    num_ys = len(jaxpr.out_avals) - num_carry
    while True:
        forced = (*carry_flags, *(False,) * num_ys)
        program, out = jvp_jaxpr(jaxpr, (*const_flags, *carry_flags, *xs_flags), forced)
        if list(out[:num_carry]) == carry_flags:
            return program, carry_flags, list(out[num_carry:])
        carry_flags = [a or b for a, b in zip(carry_flags, out, strict=False)]


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
    jaxpr: ClosedJaxpr = params["jaxpr"]
    num_carry = params["num_carry"]
    flags = moving(tangents)
    program, carry_flags, ys_flags = _jvp_body(jaxpr, params, flags)
    const_flags, _, xs_flags = _parts(params, flags)
    consts, init, xs = _parts(params, primals)
    const_dots, init_dots, xs_dots = _parts(params, tangents)
    # The program takes all primals, then all tangents: give each group its tangents.
    counts = [len(consts), len(init), len(xs), sum(const_flags), sum(carry_flags), sum(xs_flags)]
    groups = list(split(range(sum(counts)), *counts))
    inputs = [i for g in (0, 3, 1, 4, 2, 5) for i in groups[g]]
    num_ys = len(ys_flags)
    out_groups = list(
        split(
            range(num_carry + num_ys + sum(carry_flags) + sum(ys_flags)),
            num_carry,
            num_ys,
            sum(carry_flags),
        )
    )
    outputs = [i for g in (0, 2, 1, 3) for i in out_groups[g]]
    carry, ys = bind_scan(
        [*consts, *choose(const_dots, const_flags)],
        [*init, *(array_of(t) for t in choose(init_dots, carry_flags))],
        [*xs, *choose(xs_dots, xs_flags)],
        rearranged(program, tuple(inputs), tuple(outputs)),
        params,
    )
    results = [*carry[:num_carry], *ys[:num_ys]]
    moved = [*carry[num_carry:], *ys[num_ys:]]
    return results, zero_tangents(results, moved, [*carry_flags, *ys_flags])


# --- linearisation


def _linearize_body(
    jaxpr: ClosedJaxpr, params: Params, nonzeros: Sequence[bool]
) -> tuple[Linearized, list[bool]]:
    """The linearised body, and which carries move."""
    const_flags, carry_flags, xs_flags = _parts(params, nonzeros)
    num_carry = params["num_carry"]
    num_ys = len(jaxpr.out_avals) - num_carry
    while True:
        forced = (*carry_flags, *(False,) * num_ys)
        linearized = linearize_jaxpr(jaxpr, (*const_flags, *carry_flags, *xs_flags), forced)
        out = linearized.out_nonzeros[:num_carry]
        if list(out) == carry_flags:
            return linearized, carry_flags
        carry_flags = [a or b for a, b in zip(carry_flags, out, strict=True)]


@dataclass(frozen=True)
class LinearScan:
    """The scan of tangents that belongs to a scan; `body` is linear in all but its residuals."""

    body: ClosedJaxpr
    params: Params
    #: which operands move
    const_flags: list[bool]
    init_flags: list[bool]
    #: which carries move on the way; those that do not start with a tangent start at zero
    carry_flags: list[bool]
    out_nonzeros: tuple[bool, ...]

    def apply(
        self, const_residuals: Sequence[Any], xs_residuals: Sequence[Any], tangents: Sequence[Any]
    ) -> list[Any]:
        """The tangents of the moving results."""
        if not any(self.out_nonzeros):
            return []
        consts, init, xs = split(tangents, sum(self.const_flags), sum(self.init_flags))
        given = iter(init)
        _, carry_avals, _ = _parts(self.params, self.params["jaxpr"].in_avals)
        full = [
            next(given) if starts else zeros(aval.to_tangent_aval())
            for aval, starts, moves in zip(
                carry_avals, self.init_flags, self.carry_flags, strict=True
            )
            if moves
        ]
        carry, ys = bind_scan(
            [*const_residuals, *consts],
            full,
            [*xs_residuals, *xs],
            self.body,
            self.params,
            linear_carry=True,
        )
        return [*carry, *ys]


def linear_scan(
    nonzeros: Sequence[bool], operands: Sequence[Any], params: Params
) -> tuple[list[Any], list[Any], list[Any], LinearScan]:
    """Run a scan: results, residuals (constant and sliced ones), and the scan of tangents."""
    jaxpr: ClosedJaxpr = params["jaxpr"]
    num_consts, num_carry = params["num_consts"], params["num_carry"]
    linearized, carry_flags = _linearize_body(jaxpr, params, nonzeros)
    plan = plan_scan_residuals(linearized.primal, linearized.num_residuals, num_consts, num_carry)
    consts, init, xs = _parts(params, operands)
    const_flags, init_flags, _ = _parts(params, nonzeros)
    hoisted: Sequence[Any] = ()
    if plan.num_hoisted:
        hoisted = call_program(*consts, jaxpr=plan.hoisted, name="hoisted")
    carry, outputs = bind_scan([*consts, *hoisted], init, xs, plan.body, params)
    num_ys = len(jaxpr.out_avals) - num_carry
    tables = {
        "const": consts,
        "hoisted": hoisted,
        "xs": xs,
        "ys": outputs,
        "stacked": outputs[num_ys:],
    }
    values = [
        number if kind == "literal" else tables[kind][number] for kind, number in plan.sources
    ]
    fixed = [kind in ("const", "hoisted", "literal") for kind, _ in plan.sources]
    sliced = [not is_fixed for is_fixed in fixed]
    # The linear program takes residuals, then tangents: bring them into a scan's order.
    places = list(range(len(linearized.linear.in_avals)))
    residuals, const_dots, carry_dots, xs_dots = split(
        places, linearized.num_residuals, sum(const_flags), sum(carry_flags)
    )
    order = [
        *choose(residuals, fixed),
        *const_dots,
        *carry_dots,
        *choose(residuals, sliced),
        *xs_dots,
    ]
    tangents = LinearScan(
        rearranged(linearized.linear, tuple(order)),
        params,
        const_flags,
        init_flags,
        carry_flags,
        linearized.out_nonzeros,
    )
    return [*carry, *outputs[:num_ys]], choose(values, fixed), choose(values, sliced), tangents


def _linearize(nonzeros: Sequence[bool], operands: Sequence[Any], **params: Any) -> Any:
    results, const_residuals, xs_residuals, tangent_scan = linear_scan(nonzeros, operands, params)
    count = len(const_residuals)

    def tangent_function(residuals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        return tangent_scan.apply(residuals[:count], residuals[count:], tangents)

    return results, tangent_scan.out_nonzeros, [*const_residuals, *xs_residuals], tangent_function


# --- transposition


def _transpose(cts: Sequence[Any], *operands: Any, **params: Any) -> list[Any]:
    consts, init, xs = _parts(params, operands)
    _, linear_init, _ = _parts(params, params["linear"])
    if not all(is_linear(x) or flag for x, flag in zip(init, linear_init, strict=True)):
        return _transpose_mixed(cts, operands, params)
    used_carry, used_inputs, body = _live(
        params["jaxpr"], params["num_consts"], params["num_carry"], moving(cts)
    )
    used_consts, _, used_xs = _parts(params, used_inputs)
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
    consts, init, xs = _parts(params, operands)
    linear_consts = [x for x in consts if is_linear(x)]
    linear_xs = [x for x in xs if is_linear(x)]
    carries = [LinearOperand(aval_of_operand(x)) for x in choose(init, tangent_scan.carry_flags)]
    answers = _transpose(
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


# --- vmap


def _batch(axis: AxisData, operands: Sequence[Any], dims: Dims, **params: Any) -> Any:
    jaxpr: ClosedJaxpr = params["jaxpr"]
    num_carry = params["num_carry"]
    consts, init, xs = _parts(params, operands)
    const_dims, init_dims, xs_dims = _parts(params, dims)
    # The scanned axis comes first: a mapped axis that is in its place steps behind it.
    xs = [move_axis(x, 0, 1) if d == 0 else x for x, d in zip(xs, xs_dims, strict=True)]
    inner_xs = [None if d is None else max(d - 1, 0) for d in xs_dims]
    mapped = [d is not None for d in init_dims]
    num_ys = len(jaxpr.out_avals) - num_carry
    while True:
        inner = (*const_dims, *(0 if m else None for m in mapped), *inner_xs)
        program, out_dims = batch_jaxpr(jaxpr, axis, inner, (*mapped, *(False,) * num_ys))
        found = [d is not None for d in out_dims[:num_carry]]
        if found == mapped:
            break
        mapped = found
    init = [
        map_at(x, d, axis.size, 0) if m else x
        for x, d, m in zip(init, init_dims, mapped, strict=True)
    ]
    linear_carry = all(_parts(params, params["linear"])[1])
    carry, ys = bind_scan(consts, init, xs, program, params, linear_carry=linear_carry)
    dims_out = [
        *(0 if m else None for m in mapped),
        *(None if d is None else 1 for d in out_dims[num_carry:]),
    ]
    return [*carry, *ys], dims_out


# --- dead code


@memo.per_program
def _live(
    jaxpr: ClosedJaxpr, num_consts: int, num_carry: int, used: tuple[bool, ...]
) -> tuple[list[bool], list[bool], ClosedJaxpr]:
    """Which carries and arguments of the body the used results need, and the body of these."""
    used_carry, used_ys = list(used[:num_carry]), used[num_carry:]
    while True:
        body, inputs = dce(jaxpr, (*used_carry, *used_ys))
        needed = inputs[num_consts : num_consts + num_carry]
        if all(u or not n for u, n in zip(used_carry, needed, strict=True)):
            break
        used_carry = [a or b for a, b in zip(used_carry, needed, strict=True)]
    # A carry that is used stays an argument even if the body overwrites it.
    full = [*inputs[:num_consts], *used_carry, *inputs[num_consts + num_carry :]]
    return used_carry, full, keep_inputs(jaxpr, body, tuple(full))


def _dce(used: Sequence[bool], eqn: JaxprEqn) -> tuple[JaxprEqn | None, list[bool]]:
    params = eqn.params
    num_carry = params["num_carry"]
    used_carry, inputs, body = _live(params["jaxpr"], params["num_consts"], num_carry, tuple(used))
    if not any(used) and not body.eqns:
        return None, [False] * len(eqn.invars)
    consts, _, _ = _parts(params, inputs)
    changed = {
        **params,
        "jaxpr": body,
        "num_consts": sum(consts),
        "num_carry": sum(used_carry),
        "linear": tuple(choose(params["linear"], inputs)),
    }
    outvars = choose(eqn.outvars, [*used_carry, *used[num_carry:]])
    return eqn.replace(invars=choose(eqn.invars, inputs), outvars=outvars, params=changed), inputs


def _loops(b: Any, *operands: Any, jaxpr: ClosedJaxpr, **params: Any) -> Any:
    kept = ("length", "reverse", "num_consts", "num_carry", "unroll")
    return b.block("scan", operands, body=jaxpr, **{key: params[key] for key in kept})


def _lift(
    values: Sequence[Any], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    changed = {
        **params,
        "jaxpr": with_lifted(params["jaxpr"], values),
        "num_consts": params["num_consts"] + len(values),
        "linear": (*(False for _ in values), *params["linear"]),
    }
    return [*values, *operands], changed


scan_call = ProgramPrimitive(
    "scan",
    """carry, y = body(consts, carry, x) for each slice x: the last carry, all y stacked.""",
    programs=lambda params: (params["jaxpr"],),
    lift=_lift,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=_loops,
    linearize=_linearize,
    dce=_dce,
    partial=partial_loop(lambda: scan_call),
)
