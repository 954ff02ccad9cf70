"""custom_linear_solve: the solution of A x = b, differentiated without looking into the solver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from vires.control.call import call_program
from vires.control.functions import TracedFunction, as_operands, check_callables, trace_function
from vires.control.lifting import ProgramPrimitive, with_lifted
from vires.control.programs import array_of, call_block, is_linear, run_reference, split
from vires.core import tree
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import AxisData, Zero
from vires.core.trace import aval_of
from vires.ops.elementwise import neg, sub
from vires.ops.shape import map_at
from vires.transform.jvp import jvp_jaxpr
from vires.transform.transpose import backward_jaxpr
from vires.transform.vmap import batch_jaxpr


class Programs(NamedTuple):
    """The four programs of a solve; each takes its constants and a vector (one or more arrays)."""

    matvec: ClosedJaxpr
    vecmat: ClosedJaxpr | None
    solve: ClosedJaxpr
    transpose_solve: ClosedJaxpr | None


class Counts(NamedTuple):
    """How many constants each program has."""

    matvec: int
    vecmat: int
    solve: int
    transpose_solve: int


def custom_linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    transpose_solve: Callable[[Callable[[Any], Any], Any], Any] | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """The solution x of A x = b, where `matvec` is x -> A x, found by `solve(matvec, b)`.

    Derivatives follow from A dx = db - dA x: forward mode calls `solve` again, reverse mode
    `transpose_solve(vecmat, ct)`; neither looks into the solvers.

    Args:
      matvec: a linear function of a pytree like `b`; derivatives flow to what it closes over.
      b: the right-hand side, a pytree.
      solve: from `matvec` and a right-hand side to the solution.
      transpose_solve: the same for the transposed system; needed for reverse mode unless
        `symmetric`.
      symmetric: whether A equals its transpose, so that `solve` serves both.
      has_aux: whether the solvers return (solution, anything), which is returned too and not
        differentiated.

    Raises:
      TypeError: solvers or a `matvec` whose results do not have the type of `b`, or reverse mode
        without `transpose_solve`.
    """
    check_callables("custom_linear_solve", matvec=matvec, solve=solve)
    if symmetric and transpose_solve is None:
        transpose_solve = solve
    leaves, b_tree = tree.flatten(b)
    operands = as_operands(leaves, "custom_linear_solve", "b")
    avals = [aval_of(x).strip_weak_type() for x in operands]
    in_tree = tree.structure((b,))

    def traced(function: Callable[..., Any], role: str, aux: bool) -> TracedFunction:
        found = trace_function(function, in_tree, avals, "custom_linear_solve")
        solution = found.out_tree.children()[0] if aux else found.out_tree
        types = found.out_avals[: len(avals)]
        if solution != b_tree or not all(a.same_type(t) for a, t in zip(avals, types, strict=True)):
            raise TypeError(
                f"custom_linear_solve: needs {role} to return a value of the type of b, {b_tree} "
                "of "
                f"({', '.join(a.str_short() for a in avals)}); got {solution} of "
                f"({', '.join(a.str_short() for a in types)})"
            )
        return found

    forward = traced(matvec, "matvec", False)
    solver = traced(lambda v: solve(matvec, v), "solve", has_aux)
    backward = forward if symmetric else None
    back_solver = None
    if transpose_solve is not None:
        if backward is None:
            program = backward_jaxpr(forward.closed, len(forward.consts))
            backward = TracedFunction("vecmat", program, forward.consts, b_tree)
        vecmat = _unflattened(backward, b_tree)
        chosen = transpose_solve
        back_solver = traced(lambda v: chosen(vecmat, v), "transpose_solve", has_aux)
    parts = [forward, backward, solver, back_solver]
    results = linear_solve(
        *(c for part in parts if part is not None for c in part.consts),
        *operands,
        const_lengths=Counts(*(len(p.consts) if p is not None else 0 for p in parts)),
        jaxprs=Programs._make(p.closed if p is not None else None for p in parts),
    )
    return tree.unflatten(solver.out_tree, results)


def _unflattened(traced: TracedFunction, b_tree: Any) -> Callable[[Any], Any]:
    def function(v: Any) -> Any:
        operands = as_operands(tree.leaves(v), "custom_linear_solve", "vectors")
        closed = traced.closed
        return tree.unflatten(
            b_tree, evaluate(closed.jaxpr, closed.consts, *traced.consts, *operands)
        )

    return function


def _groups(counts: Counts, items: Sequence[Any]) -> list[list[Any]]:
    """Constants of the four programs, and the right-hand side."""
    return list(split(items, *counts))


def _infer(*avals: ShapedArray, const_lengths: Counts, jaxprs: Programs) -> list[ShapedArray]:
    return jaxprs.solve.out_avals


def _reference(*arrays: np.ndarray, const_lengths: Counts, jaxprs: Programs) -> list[np.ndarray]:
    _, _, consts, _, b = _groups(const_lengths, arrays)
    return run_reference(jaxprs.solve, *consts, *b)


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
    counts, programs = params["const_lengths"], params["jaxprs"]
    results = linear_solve(*primals, **params)
    *consts, b = _groups(counts, primals)
    dots, _, _, _, db = _groups(counts, tangents)
    solution, aux = results[: len(b)], results[len(b) :]
    still = [Zero(aval_of(r).to_tangent_aval()) for r in aux]
    right = list(db)
    flags = tuple(t.__class__ is not Zero for t in dots)
    if any(flags):
        # A dx = db - dA x
        program, _ = jvp_jaxpr(programs.matvec, (*flags, *(False,) * len(b)), True)
        given = [t for t in dots if t.__class__ is not Zero]
        moved = call_program(*consts[0], *solution, *given, jaxpr=program, name="matvec")[len(b) :]
        right = [
            neg(m) if t.__class__ is Zero else sub(t, m) for t, m in zip(right, moved, strict=True)
        ]
    elif all(t.__class__ is Zero for t in right):
        return results, [*(Zero(aval_of(x).to_tangent_aval()) for x in solution), *still]
    known = [c for group in consts for c in group]
    dx = linear_solve(*known, *(array_of(t) for t in right), **params)[: len(b)]
    return results, [*dx, *still]


def _transpose(
    cts: Sequence[Any], *operands: Any, const_lengths: Counts, jaxprs: Programs
) -> list[Any]:
    if jaxprs.transpose_solve is None or jaxprs.vecmat is None:
        raise TypeError(
            "custom_linear_solve: needs transpose_solve (or symmetric=True) for reverse mode; got "
            "neither"
        )
    matvec, vecmat, solve, transpose_solve, b = _groups(const_lengths, operands)
    known = [*matvec, *vecmat, *solve, *transpose_solve]
    if any(map(is_linear, known)) or not all(map(is_linear, b)):
        raise TypeError(
            "custom_linear_solve: needs to be transposed in b alone; got an operator that depends "
            "on "
            "the linear values"
        )
    answers = linear_solve(
        *vecmat,
        *matvec,
        *transpose_solve,
        *solve,
        *(array_of(ct) for ct in cts[: len(b)]),
        const_lengths=Counts(
            const_lengths.vecmat,
            const_lengths.matvec,
            const_lengths.transpose_solve,
            const_lengths.solve,
        ),
        jaxprs=Programs(jaxprs.vecmat, jaxprs.matvec, jaxprs.transpose_solve, jaxprs.solve),
    )
    return [None] * len(known) + list(answers[: len(b)])


def _batch(
    axis: AxisData,
    operands: Sequence[Any],
    dims: Sequence[int | None],
    *,
    const_lengths: Counts,
    jaxprs: Programs,
) -> Any:
    *consts, b = _groups(const_lengths, operands)
    *const_dims, b_dims = _groups(const_lengths, dims)
    # Right-hand sides and solutions are all mapped at axis 0, for the system and its transpose
    # alike.
    inner = (0,) * len(b)
    programs = Programs._make(
        None if p is None else batch_jaxpr(p, axis, (*d, *inner), True)[0]
        for p, d in zip(jaxprs, const_dims, strict=True)
    )
    mapped = [map_at(x, d, axis.size, 0) for x, d in zip(b, b_dims, strict=True)]
    known = [c for group in consts for c in group]
    out = linear_solve(*known, *mapped, const_lengths=const_lengths, jaxprs=programs)
    return out, [0] * len(out)


def _loops(b: Any, *operands: Any, const_lengths: Counts, jaxprs: Programs) -> Any:
    _, _, consts, _, right = _groups(const_lengths, operands)
    return call_block(b, [*consts, *right], jaxprs.solve)


def _lift(
    values: Sequence[Any], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    *consts, b = _groups(params["const_lengths"], operands)
    programs = [None if p is None else with_lifted(p, values) for p in params["jaxprs"]]
    groups = [
        group if program is None else [*values, *group]
        for program, group in zip(programs, consts, strict=True)
    ]
    changed = {
        "const_lengths": Counts(*map(len, groups)),
        "jaxprs": Programs._make(programs),
    }
    return [*(c for group in groups for c in group), *b], changed


linear_solve = ProgramPrimitive(
    "custom_linear_solve",
    """The solution of a linear system, by a solver that comes as a program.""",
    programs=lambda params: params["jaxprs"],
    lift=_lift,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=_loops,
)
