"""The family of operations that are linear in their one operand: those that move elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.core.avals import ShapedArray
from vires.core.primitive import PRIMITIVES, Primitive, Undefined, Zero

NOT_LINEAR = Undefined("transpose: needs an operation that is linear in the operand")


def declared(name: str) -> Primitive:
    """A primitive of a file that imports this one: rules look it up when they run."""
    return PRIMITIVES[name]


def tangent_zero(aval: ShapedArray) -> Zero:
    """The zero tangent of a value of type `aval`."""
    return Zero(aval.to_tangent_aval())


class Linear(Primitive):
    """An operation y = A x: its derivative is itself, and `transpose(ct, x, **params)` is A^T ct.

    `transpose` returns the one cotangent. With several results `ct` is a list of arrays and `Zero`.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        *,
        infer: Callable[..., Any],
        reference: Callable[..., Any],
        transpose: Callable[..., Any],
        batch: Callable[..., Any],
        loops: Callable[..., Any],
        multiple_results: bool = False,
    ) -> None:
        super().__init__(
            name,
            doc,
            infer=infer,
            reference=reference,
            jvp=self._jvp,
            transpose=lambda ct, x, **params: [transpose(ct, x, **params)],
            batch=lambda mapped, operands, dims, /, **params: batch(
                mapped, operands[0], dims[0], **params
            ),
            loops=loops,
            multiple_results=multiple_results,
        )

    def _jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
        (tangent,) = tangents
        result = self(*primals, **params)
        if tangent.__class__ is not Zero:
            return result, self(tangent, **params)
        if self.multiple_results:
            return result, [tangent_zero(r.aval) for r in result]
        return result, tangent_zero(result.aval)
