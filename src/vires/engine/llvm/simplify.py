"""Simplifications of expressions that keep every bit, negative zeros and nan included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vires.engine.llvm.expressions import BOOL, Expr, Index, Range
from vires.engine.llvm.graph import Graph, Rule, holds


def _lifted(x: Expr) -> Expr | None:
    """The index behind an integer: an index, a constant, or either of them converted."""
    if x.__class__ is Index or (x.op == "const" and x.range is not None):
        return x
    if x.op == "convert" and x.args[0].__class__ is Index and x.range is not None:
        return x.args[0]
    return None


def _arithmetic(name: str, combine: Callable[[Graph, Expr, Expr], Index], neutral: Any) -> Rule:
    """Rule for add, sub, mul: index arithmetic where it cannot overflow, and the neutral
    element.
    """

    def rule(graph: Graph, x: Expr, y: Expr) -> Expr | None:
        if y.op == "const":
            value = y.attr
            # x + 0.0 is not x for -0.0; x + -0.0, x - 0.0 and x * 1.0 are.
            if value == neutral and (
                name == "mul" or y.dtype.kind in "iu" or _sign(value) == (name == "add")
            ):
                return x
        exact = name == "mul" or x.dtype.kind in "iu" or (x.op == "const" and _sign(x.attr))
        if x.op == "const" and name != "sub" and x.attr == neutral and exact:
            return y
        if x.range is None or y.range is None:
            return None
        a, b = _lifted(x), _lifted(y)
        if a is None or b is None or (name == "mul" and a.op != "const" and b.op != "const"):
            return None
        result = combine(graph, a, b)
        if result.range is None or not holds(x.dtype, result.range):
            return None
        if not result.terms:
            return graph.constant(result.const, x.dtype)
        return graph.convert(result, x.dtype)

    return rule


def _sign(value: Any) -> bool:
    return value.__class__ is float and str(value) == "-0.0"


def _comparison(decide: Callable[[Range, Range], bool | None]) -> Rule:
    """Rule for comparisons of integers whose ranges decide."""

    def rule(graph: Graph, x: Expr, y: Expr) -> Expr | None:
        if x.range is None or y.range is None:
            return None
        if x.__class__ is Index and y.__class__ is Index:
            difference = graph.index_sum(x, y, -1)
            answer = None if difference.range is None else decide(difference.range, (0, 0))
        else:
            answer = decide(x.range, y.range)
        return None if answer is None else graph.constant(answer, BOOL)

    return rule


def _decide_lt(a: Range, b: Range) -> bool | None:
    return True if a[1] < b[0] else False if a[0] >= b[1] else None


def _decide_le(a: Range, b: Range) -> bool | None:
    return True if a[1] <= b[0] else False if a[0] > b[1] else None


def _decide_eq(a: Range, b: Range) -> bool | None:
    if a[1] < b[0] or b[1] < a[0]:
        return False
    return True if a[0] == a[1] == b[0] == b[1] else None


def _negated(
    decide: Callable[[Range, Range], bool | None],
) -> Callable[[Range, Range], bool | None]:
    def negated(a: Range, b: Range) -> bool | None:
        answer = decide(a, b)
        return None if answer is None else not answer

    return negated


def _extremum(largest: bool) -> Rule:
    """Rule for `max` (the largest) and `min` of integers: their ranges decide or bound it."""
    name, pick = ("max", max) if largest else ("min", min)

    def rule(graph: Graph, x: Expr, y: Expr) -> Expr | None:
        if x.range is None or y.range is None:
            return None
        if x.range[0] >= y.range[1]:
            return x if largest else y
        if y.range[0] >= x.range[1]:
            return y if largest else x
        span = pick(x.range[0], y.range[0]), pick(x.range[1], y.range[1])
        return graph.node(name, (x, y), x.dtype, None, span)

    return rule


def _logic(absorbing: bool) -> Rule:
    """Rule for `and` (absorbing False) and `or` (absorbing True) of bools."""

    def rule(graph: Graph, x: Expr, y: Expr) -> Expr | None:
        if x is y:
            return x
        if x.dtype is not BOOL:
            return None
        for a, b in ((x, y), (y, x)):
            if a.op == "const":
                return a if bool(a.attr) is absorbing else b
        return None

    return rule


def _not(graph: Graph, x: Expr) -> Expr | None:
    if x.op == "not":
        return x.args[0]
    return graph.constant(not x.attr, BOOL) if x.op == "const" and x.dtype is BOOL else None


def _neg(graph: Graph, x: Expr) -> Expr | None:
    if x.op == "neg":
        return x.args[0]
    return graph.index_product(x, -1) if x.__class__ is Index else None


def _div(graph: Graph, x: Expr, y: Expr) -> Expr | None:
    """Division by a power of two is a product with its reciprocal, which is exact."""
    if y.op != "const" or y.attr.__class__ is not float or not y.attr:
        return None
    if y.attr == 1:
        return x
    mantissa, exponent = np.frexp(y.attr)
    if abs(mantissa) == 0.5 and -60 < exponent < 60 and y.dtype.itemsize >= 4:
        return graph.op("mul", x, graph.constant(1 / y.attr, y.dtype))
    return None


#: The rule of each operation that has one: it gives the simpler expression, or None.
RULES: dict[str, Rule] = {
    "add": _arithmetic("add", lambda graph, a, b: graph.index_sum(a, b, 1), 0),
    "sub": _arithmetic("sub", lambda graph, a, b: graph.index_sum(a, b, -1), 0),
    "mul": _arithmetic("mul", lambda graph, a, b: graph.index_product(a, b), 1),
    "lt": _comparison(_decide_lt),
    "le": _comparison(_decide_le),
    "ge": _comparison(_negated(_decide_lt)),
    "gt": _comparison(_negated(_decide_le)),
    "eq": _comparison(_decide_eq),
    "ne": _comparison(_negated(_decide_eq)),
    "max": _extremum(largest=True),
    "min": _extremum(largest=False),
    "and": _logic(False),
    "or": _logic(True),
    "not": _not,
    "neg": _neg,
    "div": _div,
}
