"""Transposition of linear programs: from cotangents of the results to cotangents of the inputs.

If a program computes y = A x, its transpose computes A^T ct. Equations are visited in reverse; each
primitive's transpose rule says what a cotangent of its result means for its linear operands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.core import memo
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from vires.core.primitive import LinearOperand, Zero
from vires.core.staging import stage
from vires.core.trace import thread
from vires.ops.elementwise import add
from vires.ops.filled import zeros


def backward(
    jaxpr: Jaxpr, consts: Sequence[Any], known: Sequence[Any], cotangents: Sequence[Any]
) -> list[Any]:
    """Cotangents of the linear inputs of a program.

    The leading `len(known)` invars are known values (residuals); the program is linear in the
    others. `cotangents` (arrays or `Zero`) belong to the results. Answers one array or `Zero` for
    each linear input.
    """
    values: dict[Var, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, known, strict=False))  # the linear inputs have no value
    linear_inputs = jaxpr.invars[len(known) :]
    linear_equations = _evaluate_known(jaxpr, values, set(linear_inputs))

    gathered: dict[Var, Any] = {}

    def accumulate(atom: Any, ct: Any) -> None:
        if ct is None or ct.__class__ is Zero or atom.__class__ is Literal or atom in values:
            return
        before = gathered.get(atom)
        gathered[atom] = ct if before is None else add(before, ct)

    for atom, ct in zip(jaxpr.outvars, cotangents, strict=True):
        accumulate(atom, ct)
    before = thread.source
    try:
        _pull(linear_equations, values, gathered, accumulate)
    finally:
        thread.source = before
    return [gathered[v] if v in gathered else Zero(v.aval) for v in linear_inputs]


def _pull(
    equations: Sequence[JaxprEqn],
    values: dict[Var, Any],
    gathered: dict[Var, Any],
    accumulate: Callable[[Any, Any], None],
) -> None:
    """Visit equations in reverse, turning the cotangents of results into those of operands."""
    for eqn in reversed(equations):
        if not any(v in gathered for v in eqn.outvars):
            continue
        thread.source = eqn.source
        found = [gathered.pop(v, None) for v in eqn.outvars]
        cts = [Zero(v.aval) if ct is None else ct for v, ct in zip(eqn.outvars, found, strict=True)]
        operands = [
            atom.val
            if isinstance(atom, Literal)
            else values[atom]
            if atom in values
            else LinearOperand(atom.aval)
            for atom in eqn.invars
        ]
        primitive = eqn.primitive
        answers = primitive.transpose(
            cts if primitive.multiple_results else cts[0], *operands, **eqn.params
        )
        for atom, ct in zip(eqn.invars, answers, strict=True):
            accumulate(atom, ct)


def _evaluate_known(jaxpr: Jaxpr, values: dict[Var, Any], linear: set[Var]) -> list[JaxprEqn]:
    """Run the equations that no linear input reaches; return the others."""
    rest: list[JaxprEqn] = []
    for eqn in jaxpr.eqns:
        if any(isinstance(atom, Var) and atom in linear for atom in eqn.invars):
            linear.update(eqn.outvars)
            rest.append(eqn)
            continue
        operands = [atom.val if isinstance(atom, Literal) else values[atom] for atom in eqn.invars]
        results = eqn.primitive(*operands, **eqn.params)
        values.update(
            zip(eqn.outvars, results if eqn.primitive.multiple_results else [results], strict=True)
        )
    return rest


@memo.per_program
def backward_jaxpr(
    linear: ClosedJaxpr, num_known: int, nonzero_cts: tuple[bool, ...] | None = None
) -> ClosedJaxpr:
    """The transposed program: known values ++ the results' cotangents -> all linear inputs'.

    `nonzero_cts` says which cotangents are passed (all by default); the others are zero.
    """
    jaxpr = linear.jaxpr
    flags = nonzero_cts if nonzero_cts is not None else (True,) * len(jaxpr.outvars)
    ct_avals = [v.aval.strip_weak_type() for v, nz in zip(jaxpr.outvars, flags, strict=True) if nz]

    def function(*args: Any) -> list[Any]:
        given = iter(args[num_known:])
        cts = [
            next(given) if nz else Zero(v.aval) for v, nz in zip(jaxpr.outvars, flags, strict=True)
        ]
        out = backward(jaxpr, linear.consts, args[:num_known], cts)
        return [zeros(ct.aval) if ct.__class__ is Zero else ct for ct in out]

    return stage(
        function, [*(v.aval for v in jaxpr.invars[:num_known]), *ct_avals], name="transpose"
    )
