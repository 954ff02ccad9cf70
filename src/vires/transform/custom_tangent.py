"""The tangent of a function that has only a reverse rule: a linear operation known by its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core.primitive import LinearOperand, Primitive, Undefined, Zero
from vires.core.trace import aval_of
from vires.ops.shape import zeros

_FORWARD = (
    "custom_vjp: needs reverse mode (grad, vjp); got forward mode (jvp, jacfwd, linearize evaluated forward); "
    "try custom_jvp, which serves both modes"
)


def _infer(*avals: Any, call: Any, num_residuals: int, out_avals: Sequence[Any]) -> list[Any]:
    return list(out_avals)


def _transpose(cts: Sequence[Any], *operands: Any, call: Any, num_residuals: int, out_avals: Sequence[Any]) -> list[Any]:
    residuals = operands[:num_residuals]
    dense = [zeros(ct.aval) if ct.__class__ is Zero else ct for ct in cts]
    given = call.backward(residuals, dense)
    tangents = operands[num_residuals:]
    return [None] * num_residuals + [
        ct if x.__class__ is LinearOperand else None for x, ct in zip(tangents, given, strict=True)
    ]


def _batch(axis: Any, operands: Sequence[Any], dims: Sequence[Any], **params: Any) -> Any:
    raise TypeError(
        "custom_vjp: needs vmap outside of linearize; got vmap of a linearised custom_vjp function; "
        "try linearize(vmap(f), ...)"
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


def custom_vjp_tangent(call: Any, results: Sequence[Any], residuals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """Bind the tangent operation of one call: `tangents` are arrays or tracers, one for each operand."""
    moving = [aval_of(r).to_tangent_aval() for r in results]
    return _custom_vjp_tangent(
        *residuals, *tangents, call=call, num_residuals=len(residuals), out_avals=tuple(moving)
    )
