"""Programs made from programs: reordered, cut, transposed; what calls have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vires.control.dce import choose, dce
from vires.control.reference import run_reference
from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, Var
from vires.core.primitive import LinearOperand, Zero
from vires.core.trace import aval_of
from vires.ops.filled import zeros
from vires.transform.transpose import backward_jaxpr


def split(items: Sequence[Any], *counts: int) -> Iterator[list[Any]]:
    """Cut a sequence into runs of the given lengths, and the rest."""
    start = 0
    for count in counts:
        yield list(items[start : start + count])
        start += count
    yield list(items[start:])


@memo.per_program
def rearranged(
    closed: ClosedJaxpr, inputs: tuple[int, ...], outputs: tuple[int, ...] | None = None
) -> ClosedJaxpr:
    """The same program with its arguments, and some of its results, in another order."""
    jaxpr = closed.jaxpr
    outvars = jaxpr.outvars if outputs is None else [jaxpr.outvars[i] for i in outputs]
    return ClosedJaxpr(
        Jaxpr(jaxpr.constvars, [jaxpr.invars[i] for i in inputs], outvars, jaxpr.eqns),
        closed.consts,
    )


@memo.per_program
def with_ignored(closed: ClosedJaxpr, avals: tuple[ShapedArray, ...]) -> ClosedJaxpr:
    """The same program with further arguments at the end, which it ignores."""
    jaxpr = closed.jaxpr
    invars = [*jaxpr.invars, *(Var(aval) for aval in avals)]
    return ClosedJaxpr(Jaxpr(jaxpr.constvars, invars, jaxpr.outvars, jaxpr.eqns), closed.consts)


def is_linear(operand: Any) -> bool:
    return operand.__class__ is LinearOperand


def array_of(tangent: Any) -> Any:
    """A tangent as an array: zeros for `Zero`."""
    return zeros(tangent.aval) if tangent.__class__ is Zero else tangent


def moving(tangents: Sequence[Any]) -> tuple[bool, ...]:
    """Which tangents or cotangents are not known to be zero."""
    return tuple(t.__class__ is not Zero for t in tangents)


def zero_tangents(
    results: Sequence[Any], tangents: Sequence[Any], nonzeros: Sequence[bool]
) -> list[Any]:
    """One tangent for each result: the given ones where `nonzeros` says so."""
    given = iter(tangents)
    return [
        next(given) if nz else Zero(aval_of(r).to_tangent_aval())
        for r, nz in zip(results, nonzeros, strict=True)
    ]


def transposed_call(
    cts: Sequence[Any],
    operands: Sequence[Any],
    program: ClosedJaxpr,
    bind: Callable[..., Sequence[Any]],
) -> list[Any]:
    """Cotangents of a call's linear operands; `bind(*operands, jaxpr=...)` calls its transpose."""
    smaller, used = dce(program, moving(cts))
    linear = [is_linear(x) for x in operands]
    kept_linear = choose(linear, used)
    order = [i for i, flag in enumerate(kept_linear) if not flag]
    count = len(order)
    order += [i for i, flag in enumerate(kept_linear) if flag]
    known = [x for x, u, flag in zip(operands, used, linear, strict=True) if u and not flag]
    backward = backward_jaxpr(rearranged(smaller, tuple(order)), count)
    given = [ct for ct in cts if ct.__class__ is not Zero]
    answers = iter(bind(*known, *given, jaxpr=backward))
    return [next(answers) if u and flag else None for u, flag in zip(used, linear, strict=True)]


def call_block(b: Any, operands: Sequence[Any], program: ClosedJaxpr) -> Any:
    return b.block("call", operands, jaxpr=program)


__all__ = [
    "array_of",
    "call_block",
    "choose",
    "is_linear",
    "moving",
    "rearranged",
    "run_reference",
    "split",
    "transposed_call",
    "with_ignored",
    "zero_tangents",
]
