"""Lowering by composition: operations whose kernel is a short program of other operations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr
from vires.core.staging import stage
from vires.dialect.loops import Definition, LoopBuilder, Operand


@functools.lru_cache(maxsize=512)
def _program(
    function: Callable[..., Any], types: tuple[Any, ...], params: tuple[tuple[str, Any], ...]
) -> tuple[ClosedJaxpr, bool]:
    several = False

    def flat(*operands: Any) -> list[Any]:
        nonlocal several
        results = function(*operands, **dict(params))
        several = isinstance(results, (list, tuple))
        return list(results) if several else [results]

    closed = stage(flat, [ShapedArray(shape, dtype) for shape, dtype in types])
    for eqn in closed.eqns:
        eqn.source = None  # these equations belong to the line of the composed operation
    return closed, several


def composed(function: Callable[..., Any]) -> Callable[..., Definition | list[Definition]]:
    """A `loops` rule for an operation equal to `function(*operands, **params)`, written with
    others.
    """

    def loops(b: LoopBuilder, *operands: Operand, **params: Any) -> Definition | list[Definition]:
        types = tuple((x.shape, x.dtype) for x in operands)
        closed, several = _program(function, types, tuple(sorted(params.items())))
        results = b.block("call", operands, jaxpr=closed)
        return results if several else results[0]

    return loops
