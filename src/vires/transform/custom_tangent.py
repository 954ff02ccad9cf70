"""The tangent of a function that has only a reverse rule: an operation known by its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import dtypes
from vires.core.primitive import LinearOperand, Primitive, Undefined, Zero
from vires.core.trace import aval_of

_FORWARD = (
    "custom_vjp: needs reverse mode (grad, vjp); got forward mode (jvp, jacfwd, linearize "
    "evaluated forward); try custom_jvp, which serves both modes"
)


def _infer(
    *avals: Any, call: Any, num_residuals: int, moving: Sequence[bool], result_avals: Sequence[Any]
) -> list[Any]:
    return [aval for aval in result_avals if dtypes.is_inexact(aval.dtype)]


def _transpose(
    cts: Sequence[Any],
    *operands: Any,
    call: Any,
    num_residuals: int,
    moving: Sequence[bool],
    result_avals: Sequence[Any],
) -> list[Any]:
    given = iter(cts)
    full = [
        next(given) if dtypes.is_inexact(a.dtype) else Zero(a.to_tangent_aval())
        for a in result_avals
    ]
    answers = call.backward(operands[:num_residuals], full)
    wanted = [ct for ct, moves in zip(answers, moving, strict=True) if moves]
    return [None] * num_residuals + [
        ct if x.__class__ is LinearOperand else None
        for x, ct in zip(operands[num_residuals:], wanted, strict=True)
    ]


def _batch(axis: Any, operands: Sequence[Any], dims: Sequence[Any], **params: Any) -> Any:
    raise TypeError(
        "custom_vjp: needs vmap outside of linearize; got vmap of a linearised custom_vjp "
        "function; try linearize(vmap(f), ...)"
    )


_custom_vjp_tangent = Primitive(
    "custom_lin",
    "Tangent of a custom_vjp function; linear, evaluated only through its transpose.",
    infer=_infer,
    reference=Undefined(_FORWARD),
    jvp=Undefined(_FORWARD),
    transpose=_transpose,
    batch=_batch,
    loops=Undefined(_FORWARD),
    multiple_results=True,
)


def custom_vjp_tangent(
    call: Any, results: Sequence[Any], residuals: Sequence[Any], tangents: Sequence[Any]
) -> list[Any]:
    """Bind the tangent operation of one call.

    `tangents` are arrays, tracers or `Zero`, one for each operand; so are the answers, one for each
    result.
    """
    moving = tuple(t.__class__ is not Zero for t in tangents)
    result_avals = tuple(aval_of(r) for r in results)
    out = iter(
        _custom_vjp_tangent(
            *residuals,
            *(t for t in tangents if t.__class__ is not Zero),
            call=call,
            num_residuals=len(residuals),
            moving=moving,
            result_avals=result_avals,
        )
    )
    return [
        next(out) if dtypes.is_inexact(a.dtype) else Zero(a.to_tangent_aval()) for a in result_avals
    ]
