"""Index arithmetic and the simplifications of expressions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vires.engine.llvm.builder import Builder as Graph
from vires.engine.llvm.expressions import Index, LoopVar

INT64 = np.dtype(np.int64)
F32 = np.dtype(np.float32)


def evaluate(x, values):
    """The integer value of an index for values of its loop variables."""
    if isinstance(x, Index):
        return x.const + sum(f * evaluate(a, values) for a, f in x.terms)
    if isinstance(x, LoopVar):
        return values[x]
    assert x.op == "floordiv"
    return evaluate(x.args[0], values) // x.attr


@pytest.mark.parametrize("sizes", [(6, 4), (3, 5), (2, 12)])
def test_reshapes_of_reshapes_are_plain(sizes):
    graph = Graph()
    i, j = (graph.as_index(graph.variable(n)) for n in sizes)
    flat = i * sizes[1] + j
    back = (flat // sizes[1], flat % sizes[1])
    assert back == (i, j)
    # A split that does not fit comes back whole.
    other = (flat // 7, flat % 7)
    assert other[0] * 7 + other[1] is flat


@pytest.mark.parametrize("divisor", [1, 2, 3, 4, 6, 7, 12])
@pytest.mark.parametrize("shape", [(4, 3), (5, 7)])
def test_division_and_ranges(shape, divisor):
    graph = Graph()
    variables = [graph.variable(n) for n in shape]
    i, j = map(graph.as_index, variables)
    for build in (
        lambda: i * 6 + j,
        lambda: i * 3 - j + 20,
        lambda: i * 12 + j * 4 + 5,
        lambda: j * -2,
    ):
        x = build()
        for y in (x // divisor, x % divisor, (x // 2) // divisor):
            found = [
                evaluate(y, dict(zip(variables, at, strict=True)))
                for at in itertools.product(*map(range, shape))
            ]
            assert y.range[0] <= min(found) and max(found) <= y.range[1]
        for at in itertools.product(*map(range, shape)):
            values = dict(zip(variables, at, strict=True))
            assert evaluate(x // divisor, values) == evaluate(x, values) // divisor
            assert evaluate(x % divisor, values) == evaluate(x, values) % divisor


def test_equal_expressions_are_one_object():
    graph = Graph()
    i = graph.as_index(graph.variable(8))
    assert graph.op("add", i, graph.constant(1, INT64)) is i + 1
    assert (i + 1) - 1 is i
    assert i * 0 is graph.index(0, ())
    assert graph.constant(1, INT64) is graph.constant(np.int64(1), np.int64)


def test_comparisons_that_ranges_decide():
    graph = Graph()
    i, eight = graph.as_index(graph.variable(8)), graph.constant(8, INT64)
    assert graph.op("lt", i, eight).attr is True
    assert graph.op("ge", i, eight).attr is False
    assert graph.op("lt", i, i + 1).attr is True
    assert graph.op("eq", i, graph.constant(3, INT64)).op == "eq"
    as_int = graph.convert(i, np.int32)
    assert graph.convert(as_int, np.int64) is i
    assert graph.op("ge", as_int, graph.constant(0, np.int32)).attr is True


def test_simplifications_keep_every_bit():
    graph = Graph()
    x = graph.argument(F32)
    zero, minus_zero, one = (graph.constant(v, F32) for v in (0.0, -0.0, 1.0))
    assert zero is not minus_zero
    assert graph.op("add", x, zero).op == "add"  # -0.0 + 0.0 is 0.0
    assert graph.op("add", x, minus_zero) is x
    assert graph.op("sub", x, zero) is x
    assert graph.op("sub", x, minus_zero).op == "sub"
    assert graph.op("mul", x, one) is x and graph.op("div", x, one) is x
    assert graph.op("mul", x, zero).op == "mul"  # nan and infinity
    assert graph.op("div", x, graph.constant(4.0, F32)).op == "mul"
    assert graph.op("div", x, graph.constant(3.0, F32)).op == "div"
    assert graph.op("neg", graph.op("neg", x)) is x


def test_integers_do_not_overflow_in_simplification():
    graph = Graph()
    i8 = np.dtype(np.int8)
    i = graph.convert(graph.as_index(graph.variable(100)), i8)
    assert graph.op("add", i, graph.constant(1, i8)).op == "convert"
    assert graph.op("add", i, i).op == "add"  # may reach 198
    assert graph.constant(300, i8).attr == 44


def test_guards_reach_the_loads():
    graph = Graph()
    i = graph.as_index(graph.variable(8))
    condition = graph.op("lt", i, graph.constant(4, INT64))
    buffer = object()
    value = graph.guarded(condition, lambda: graph.load(buffer, i, F32), graph.constant(0.0, F32))
    assert value.op == "select" and value.args[1].args == (i, condition)
    always = graph.op("lt", i, graph.constant(8, INT64))
    assert graph.guarded(
        always, lambda: graph.load(buffer, i, F32), graph.constant(0.0, F32)
    ).args == (i,)
