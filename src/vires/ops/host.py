"""Lowering to routines: those of the native core, and the NumPy or LAPACK reference on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vires.core.avals import ShapedArray
from vires.core.primitive import flat_results
from vires.dialect.loops import Definition, LoopBuilder, Operand
from vires.ops.linear import declared

#: Name and static integers of a call of the native core.
Routine = tuple[str, list[int]]


def on_host(name: str, reason: str) -> Callable[..., Definition | list[Definition]]:
    """A `loops` rule that calls the reference of the primitive of that name; `reason` says why."""

    def loops(b: LoopBuilder, *operands: Operand, **params: Any) -> Definition | list[Definition]:
        primitive = declared(name)
        out = primitive.infer(*(ShapedArray(x.shape, x.dtype) for x in operands), **params)

        def function(*arrays: np.ndarray) -> list[np.ndarray]:
            return list(flat_results(primitive, primitive.reference(*arrays, **params)))

        outs = list(flat_results(primitive, out))
        results = b.block("host", operands, function=function, outs=outs, reason=reason)
        return results if primitive.multiple_results else results[0]

    return loops


def native_or_host(
    name: str, routine: Callable[..., Routine | None], reason: str
) -> Callable[..., Definition | list[Definition]]:
    """A `loops` rule: the native routine where there is one for the operands, else the host."""
    host = on_host(name, reason)

    def loops(b: LoopBuilder, *operands: Operand, **params: Any) -> Definition | list[Definition]:
        call = routine(*operands, **params)
        if call is None:
            return host(b, *operands, **params)
        return b.block("library", operands, name=call[0], args=call[1])

    return loops
