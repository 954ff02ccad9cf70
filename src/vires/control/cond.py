"""cond: one of several programs, chosen by an index at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.control.dce import choose, dce, keep_inputs
from vires.control.lifting import ProgramPrimitive, with_lifted
from vires.control.masked import has_checks, masked
from vires.control.partial import partial_loop
from vires.control.programs import (
    array_of,
    is_linear,
    moving,
    rearranged,
    run_reference,
    zero_tangents,
)
from vires.core import dtypes, memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import Atom, ClosedJaxpr, Jaxpr, JaxprEqn, Var, evaluate
from vires.core.primitive import AxisData, Zero
from vires.core.staging import stage
from vires.core.trace import aval_of
from vires.ops.compare import eq
from vires.ops.filled import full, full_like, zeros
from vires.ops.random_bits import random_wrap
from vires.ops.select import select_n
from vires.ops.shape import broadcast
from vires.transform.jvp import jvp_jaxpr
from vires.transform.linearize import Linearized, linearize_jaxpr
from vires.transform.transpose import backward_jaxpr
from vires.transform.vmap import batch_jaxpr

Branches = tuple[ClosedJaxpr, ...]
Dims = Sequence[int | None]


def union(rows: Sequence[Sequence[bool]]) -> tuple[bool, ...]:
    """For each column, whether any row has it."""
    return tuple(any(column) for column in zip(*rows, strict=True))


def _infer(index: ShapedArray, *avals: ShapedArray, branches: Branches) -> list[ShapedArray]:
    if index.shape or index.dtype != dtypes.int32:
        raise TypeError(f"cond: needs a 0-d int32 index; got {index.str_short()}")
    for branch in branches:
        found = branch.in_avals
        if len(found) != len(avals) or not all(
            a.same_type(b) for a, b in zip(avals, found, strict=True)
        ):
            raise TypeError(
                "cond: needs operands of the branches' types "
                f"({', '.join(a.str_short() for a in found)}); "
                f"got ({', '.join(a.str_short() for a in avals)})"
            )
    columns = zip(*(branch.out_avals for branch in branches), strict=True)
    return [next((a for a in column if not a.weak_type), column[0]) for column in columns]


def _reference(index: np.ndarray, *arrays: np.ndarray, branches: Branches) -> list[np.ndarray]:
    return run_reference(branches[min(max(int(index), 0), len(branches) - 1)], *arrays)


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], *, branches: Branches) -> Any:
    index, *operands = primals
    nonzeros = moving(tangents[1:])
    out_nonzeros = union([jvp_jaxpr(branch, nonzeros)[1] for branch in branches])
    programs = tuple(jvp_jaxpr(branch, nonzeros, out_nonzeros)[0] for branch in branches)
    given = [array_of(t) for t, nz in zip(tangents[1:], nonzeros, strict=True) if nz]
    out = cond_call(index, *operands, *given, branches=programs)
    results = out[: len(out_nonzeros)]
    return results, zero_tangents(results, out[len(out_nonzeros) :], out_nonzeros)


def _linearize(nonzeros: Sequence[bool], operands: Sequence[Any], *, branches: Branches) -> Any:
    index, *rest = operands
    flags = tuple(nonzeros[1:])
    joined = _joined(branches[0], _Others(branches), flags)
    out_nonzeros = joined.out_nonzeros
    outputs = cond_call(index, *rest, branches=joined.primals)
    count = len(out_nonzeros)
    residuals = [index, *(rest[i] for i in joined.inputs), *outputs[count:]]

    def tangent_function(known: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        if not any(out_nonzeros):
            return []
        return cond_call(*known, *tangents, branches=joined.linears)

    return outputs[:count], out_nonzeros, residuals, tangent_function


def filler(aval: ShapedArray) -> Any:
    """Any value of a type, for a place that is not looked at."""
    if dtypes.is_key(aval.dtype):
        return random_wrap(full((*aval.shape, 2), 0, dtypes.uint32))
    return zeros(aval)


class _Joined:
    """Branches whose residuals have been given common places.

    `inputs` are the arguments that some branch needs again; computed residuals of one type share a
    slot, which branches without such a residual fill with zeros.
    """

    def __init__(self, parts: Sequence[Linearized], out_nonzeros: tuple[bool, ...]) -> None:
        self.out_nonzeros = out_nonzeros
        self.inputs = sorted({i for part in parts for i in part.residual_inputs.values()})
        slots: list[ShapedArray] = []
        places: list[dict[int, int]] = []  # for each branch: residual number -> slot
        for part in parts:
            taken: dict[int, int] = {}
            results = part.primal.out_avals
            start = len(results) - part.num_residuals
            for number in range(part.num_residuals):
                if number in part.residual_inputs:
                    continue
                aval = results[start + number].strip_weak_type()
                free = [
                    k for k, slot in enumerate(slots) if slot == aval and k not in taken.values()
                ]
                if not free:
                    free = [len(slots)]
                    slots.append(aval)
                taken[number] = free[0]
            places.append(taken)
        self.primals = tuple(self._primal(p, t, slots) for p, t in zip(parts, places, strict=True))
        self.linears = tuple(self._linear(p, t, slots) for p, t in zip(parts, places, strict=True))

    def _primal(
        self, part: Linearized, taken: dict[int, int], slots: Sequence[ShapedArray]
    ) -> ClosedJaxpr:
        """The branch with its results followed by all slots."""
        program = part.primal
        count = len(program.out_avals) - part.num_residuals
        sources = {slot: count + number for number, slot in taken.items()}

        def function(*args: Any) -> list[Any]:
            out = evaluate(program.jaxpr, program.consts, *args)
            filled = [
                out[sources[k]] if k in sources else filler(aval) for k, aval in enumerate(slots)
            ]
            return [*out[:count], *filled]

        return stage(function, program.in_avals, name="branch")

    def _linear(
        self, part: Linearized, taken: dict[int, int], slots: Sequence[ShapedArray]
    ) -> ClosedJaxpr:
        """The linear program taking the common arguments, all slots and the tangents."""
        jaxpr = part.linear.jaxpr
        residuals, tangents = jaxpr.invars[: part.num_residuals], jaxpr.invars[part.num_residuals :]
        by_slot = {slot: residuals[number] for number, slot in taken.items()}
        by_input: dict[int, Var] = {}
        alias: dict[Var, Var] = {}
        for number, i in part.residual_inputs.items():
            alias[residuals[number]] = by_input.setdefault(i, residuals[number])
        primal_inputs = part.primal.in_avals
        shared = [by_input[i] if i in by_input else Var(primal_inputs[i]) for i in self.inputs]
        filled = [by_slot[k] if k in by_slot else Var(aval) for k, aval in enumerate(slots)]

        def renamed(atoms: Sequence[Atom]) -> list[Atom]:
            return [alias.get(v, v) if isinstance(v, Var) else v for v in atoms]

        eqns = [eqn.replace(invars=renamed(eqn.invars)) for eqn in jaxpr.eqns]
        opened = Jaxpr(jaxpr.constvars, [*shared, *filled, *tangents], renamed(jaxpr.outvars), eqns)
        return ClosedJaxpr(opened, part.linear.consts)


class _Others:
    """The branches after the first, compared by identity; None stands for the first (not held)."""

    def __init__(self, branches: Branches) -> None:
        self.branches = tuple(None if branch is branches[0] else branch for branch in branches[1:])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Others)
            and len(self.branches) == len(other.branches)
            and all(a is b for a, b in zip(self.branches, other.branches, strict=True))
        )

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.branches)))


@memo.per_program
def _joined(first: ClosedJaxpr, others: _Others, nonzeros: tuple[bool, ...]) -> _Joined:
    branches = [first, *(first if branch is None else branch for branch in others.branches)]
    out_nonzeros = union([linearize_jaxpr(branch, nonzeros).out_nonzeros for branch in branches])
    return _Joined(
        [linearize_jaxpr(branch, nonzeros, out_nonzeros) for branch in branches], out_nonzeros
    )


def _transpose(cts: Sequence[Any], index: Any, *operands: Any, branches: Branches) -> list[Any]:
    used = moving(cts)
    needed = union([dce(branch, used)[1] for branch in branches])
    linear = [is_linear(x) for x in operands]
    kept = choose(linear, needed)
    order = tuple(sorted(range(len(kept)), key=kept.__getitem__))
    known = [x for x, flag, n in zip(operands, linear, needed, strict=True) if n and not flag]
    programs = tuple(
        backward_jaxpr(
            rearranged(keep_inputs(branch, dce(branch, used)[0], needed), order), len(known)
        )
        for branch in branches
    )
    given = [ct for ct in cts if ct.__class__ is not Zero]
    answers = iter(cond_call(index, *known, *given, branches=programs))
    return [
        None,
        *(next(answers) if flag and n else None for flag, n in zip(linear, needed, strict=True)),
    ]


def _batch(axis: AxisData, operands: Sequence[Any], dims: Dims, *, branches: Branches) -> Any:
    index, *rest = operands
    inner = tuple(dims[1:])
    if dims[0] is not None:
        return _batch_selected(axis, index, rest, inner, branches)
    forced = union(
        [[d is not None for d in batch_jaxpr(branch, axis, inner)[1]] for branch in branches]
    )
    programs = tuple(batch_jaxpr(branch, axis, inner, forced)[0] for branch in branches)
    return cond_call(index, *rest, branches=programs), [0 if f else None for f in forced]


def _batch_selected(
    axis: AxisData, index: Any, operands: Sequence[Any], dims: Dims, branches: Branches
) -> Any:
    """An index for each example: run all branches, select for each example."""
    columns: list[list[Any]] = []
    last = len(branches) - 1
    for number, branch in enumerate(branches):
        if has_checks(branch):
            chosen = (
                eq(index, full_like(index, number))
                if last
                else full(aval_of(index).shape, True, dtypes.bool_)
            )
            program, _ = batch_jaxpr(masked(branch), axis, (0, *dims), True)
            columns.append(evaluate(program.jaxpr, program.consts, chosen, *operands))
        else:
            program, _ = batch_jaxpr(branch, axis, tuple(dims), True)
            columns.append(evaluate(program.jaxpr, program.consts, *operands))
    results = [
        select_n(broadcast(index, aval_of(cases[0]).shape, (0,)), *cases)
        for cases in zip(*columns, strict=True)
    ]
    return results, [0] * len(results)


def _dce(used: Sequence[bool], eqn: JaxprEqn) -> tuple[JaxprEqn | None, list[bool]]:
    branches: Branches = eqn.params["branches"]
    flags = tuple(used)
    needed = union([dce(branch, flags)[1] for branch in branches])
    programs = tuple(keep_inputs(branch, dce(branch, flags)[0], needed) for branch in branches)
    if not any(used) and not any(program.eqns for program in programs):
        return None, [False] * len(eqn.invars)
    smaller = eqn.replace(
        invars=[eqn.invars[0], *choose(eqn.invars[1:], needed)],
        outvars=choose(eqn.outvars, used),
        params={"branches": programs},
    )
    return smaller, [True, *needed]


def _lift(
    values: Sequence[Any], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    index, *rest = operands
    branches = tuple(with_lifted(branch, values) for branch in params["branches"])
    return [index, *values, *rest], {"branches": branches}


cond_call = ProgramPrimitive(
    "cond",
    """The results of branches[index]; an index outside takes the nearest branch.""",
    programs=lambda params: params["branches"],
    lift=_lift,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=lambda b, index, *operands, branches: b.block(
        "branch", [index, *operands], branches=branches
    ),
    linearize=_linearize,
    dce=_dce,
    partial=partial_loop(lambda: cond_call),
)
