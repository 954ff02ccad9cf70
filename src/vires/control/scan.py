"""scan: a program applied once for each slice of its inputs, handing a carry on.

Operands are constants, the initial carry, and arrays that are sliced along axis 0; results are the
final carry and the stacked results of all steps. Its derivatives are scans again: linearising
splits the body into its values, whose residuals are stacked, and a linear scan of tangents;
transposing runs the linear scan backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.control.lifting import ProgramPrimitive, with_lifted
from vires.control.partial import partial_loop
from vires.control.programs import (
    array_of,
    choose,
    moving,
    rearranged,
    run_reference,
    split,
    zero_tangents,
)
from vires.control.scan_linearize import linearize_scan
from vires.control.scan_parts import Dims, Params, bind_scan, live_body, parts_of
from vires.control.scan_transpose import transpose_scan
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, JaxprEqn
from vires.core.primitive import AxisData
from vires.ops.shape import map_at, move_axis
from vires.transform.jvp import jvp_jaxpr
from vires.transform.vmap import batch_jaxpr


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
    consts, carry, xs = parts_of(params, arrays)
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
    const_flags, carry_flags, xs_flags = parts_of(params, nonzeros)
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
    const_flags, _, xs_flags = parts_of(params, flags)
    consts, init, xs = parts_of(params, primals)
    const_dots, init_dots, xs_dots = parts_of(params, tangents)
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


# --- vmap


def _batch(axis: AxisData, operands: Sequence[Any], dims: Dims, **params: Any) -> Any:
    jaxpr: ClosedJaxpr = params["jaxpr"]
    num_carry = params["num_carry"]
    consts, init, xs = parts_of(params, operands)
    const_dims, init_dims, xs_dims = parts_of(params, dims)
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
    linear_carry = all(parts_of(params, params["linear"])[1])
    carry, ys = bind_scan(consts, init, xs, program, params, linear_carry=linear_carry)
    dims_out = [
        *(0 if m else None for m in mapped),
        *(None if d is None else 1 for d in out_dims[num_carry:]),
    ]
    return [*carry, *ys], dims_out


# --- dead code


def _dce(used: Sequence[bool], eqn: JaxprEqn) -> tuple[JaxprEqn | None, list[bool]]:
    params = eqn.params
    num_carry = params["num_carry"]
    used_carry, inputs, body = live_body(
        params["jaxpr"], params["num_consts"], num_carry, tuple(used)
    )
    if not any(used) and not body.eqns:
        return None, [False] * len(eqn.invars)
    consts, _, _ = parts_of(params, inputs)
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
    transpose=transpose_scan,
    batch=_batch,
    loops=_loops,
    linearize=linearize_scan,
    dce=_dce,
    partial=partial_loop(lambda: scan_call),
)
