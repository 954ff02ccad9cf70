"""Expressions: what a kernel computes for one element, as a graph without order or place.

A `Graph` builds them (see `graph.py`): the same expression twice is the same object, so that common
subexpressions vanish and identity is equality.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vires.core import dtypes

if TYPE_CHECKING:
    from vires.engine.llvm.graph import Graph

BOOL, INT64 = np.dtype(np.bool_), np.dtype(np.int64)
Range = tuple[int, int]


class Expr:
    """One value of an element: an operation on other expressions. Equal only to itself.

    `vars` has a bit for each loop variable that the value depends on. `range` holds the least and
    the
    largest value of an integer, where something is known.
    """

    __slots__ = ("args", "attr", "dtype", "graph", "number", "op", "range", "vars")

    def __init__(
        self,
        graph: Graph,
        op: str,
        args: tuple[Expr, ...],
        dtype: Any,
        attr: Any = None,
        span: Range | None = None,
    ) -> None:
        self.graph = graph
        self.op = op
        self.args = args
        self.dtype = dtype
        self.attr = attr
        self.range = span
        self.number = graph.count = graph.count + 1
        bits = 0
        for x in args:
            bits |= x.vars
        self.vars = bits

    def __repr__(self) -> str:
        return f"{self.op}#{self.number}"

    @property
    def offset(self) -> Index:
        """Where a load reads in its buffer."""
        place = self.args[0]
        assert isinstance(place, Index)
        return place

    # Arithmetic on int64 values that serve as indices.
    def __add__(self, other: Expr | int) -> Index:
        return self.graph.index_sum(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other: Expr | int) -> Index:
        return self.graph.index_sum(self, other, -1)

    def __rsub__(self, other: int) -> Index:
        return self.graph.index_sum(self.graph.as_index(other), self, -1)

    def __mul__(self, other: Expr | int) -> Index:
        return self.graph.index_product(self, other)

    __rmul__ = __mul__

    def __neg__(self) -> Index:
        return self.graph.index_product(self, -1)

    def __floordiv__(self, other: int) -> Index:
        return self.graph.floor_divide(self.graph.as_index(self), other)

    def __mod__(self, other: int) -> Index:
        x = self.graph.as_index(self)
        return x - self.graph.floor_divide(x, other) * other


class LoopVar(Expr):
    """A loop variable from 0 to `size` - 1."""

    __slots__ = ("bit", "size")

    def __init__(self, graph: Graph, size: int, position: int) -> None:
        super().__init__(graph, "var", (), INT64, None, (0, max(size - 1, 0)))
        self.size = size
        self.bit = 1 << position
        self.vars = self.bit


Terms = tuple[tuple[Expr, int], ...]


class Index(Expr):
    """`const` plus the sum of `factor * atom` over `terms`, in the order of the atoms' numbers."""

    __slots__ = ("const", "terms")

    def __init__(self, graph: Graph, const: int, terms: Terms) -> None:
        super().__init__(graph, "index", tuple([atom for atom, _ in terms]), INT64)
        self.const = const
        self.terms = terms
        self.range = graph.index_range(const, terms)

    def factor(self, atom: Expr) -> int:
        """The multiple of an atom in the sum."""
        for found, factor in self.terms:
            if found is atom:
                return factor
        return 0


_CANONICAL: dict[Any, Any] = {}


def canonical(dtype: Any) -> Any:
    """The dtype object itself for anything that names it; keys are held as uint64."""
    found = _CANONICAL.get(dtype)
    if found is None:
        found = np.dtype(np.uint64) if dtypes.is_key(dtype) else np.dtype(dtype)
        _CANONICAL[dtype] = found
    return found


def walk(roots: Sequence[Expr]) -> list[Expr]:
    """All expressions below some roots, operands before what uses them."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[Expr | None] = list(reversed(roots))
    path: list[Expr] = []
    while stack:
        x = stack.pop()
        if x is None:
            order.append(path.pop())
            continue
        if x in seen:
            continue
        seen.add(x)
        if not x.args:
            order.append(x)
            continue
        path.append(x)
        stack.append(None)
        stack.extend(x.args)
    return order
