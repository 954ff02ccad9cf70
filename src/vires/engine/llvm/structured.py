"""Blocks that are reductions in disguise: windows, cumulative operations, checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vires.core.avals import ShapedArray
from vires.engine.llvm.expressions import BOOL, INT64, Expr
from vires.engine.llvm.program import Block, Node, Reduction, Region
from vires.ops.extremes import highest, lowest

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder


def window(
    builder: Builder,
    x: Node,
    *,
    combine: str,
    identity: Any,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> list[Node]:
    """A reduction over the places of a window, which are the last axes of the domain."""
    rank = len(x.shape)
    outer: list[int] = []
    for d in range(rank):
        spread = (x.shape[d] - 1) * base_dilation[d] + 1 if x.shape[d] else 0
        reach = (window[d] - 1) * window_dilation[d] + 1
        outer.append(max((spread + sum(padding[d]) - reach) // strides[d] + 1, 0))
    combine = {"max": "or", "min": "and"}.get(combine, combine) if x.dtype.kind == "b" else combine

    def element(index: Any) -> list[Expr]:
        inside: Expr | None = None
        source: list[Any] = []
        for d in range(rank):
            place = index[d] * strides[d] + index[rank + d] * window_dilation[d] - padding[d][0]
            last = (x.shape[d] - 1) * base_dilation[d]
            conditions = [
                builder.op("ge", place, builder.constant(0, INT64)),
                builder.op("le", place, builder.constant(last, INT64)),
            ]
            if base_dilation[d] > 1:
                whole = place // base_dilation[d]
                conditions.append(builder.op("eq", whole * base_dilation[d], place))
                place = whole
            for condition in conditions:
                inside = condition if inside is None else builder.op("and", inside, condition)
            source.append(place)
        value = builder.constant(identity, x.dtype)
        assert inside is not None or rank == 0
        if inside is None:
            return [x.at(source)]
        return [builder.guarded(inside, lambda: x.at(source), value)]

    shape = (*outer, *window)
    group = Reduction((), tuple(range(rank, 2 * rank)), combine, [identity], element, shape)
    group.elsewhere = True
    return [builder.result("reduce", group)]


def _log_add_exp(builder: Builder) -> Callable[..., Sequence[Expr]]:
    def combine(first: Sequence[Expr], second: Sequence[Expr]) -> Sequence[Expr]:
        (a,), (b,) = first, second
        high, low = builder.op("max", a, b), builder.op("min", a, b)
        difference = builder.op("sub", low, high)
        total = builder.op("add", high, builder.op("log1p", builder.op("exp", difference)))
        # Equal infinities have no difference.
        return [builder.select(builder.op("eq", a, b), _doubled(builder, a), total)]

    return combine


def _doubled(builder: Builder, a: Expr) -> Expr:
    return builder.op("add", a, builder.constant(np.log(2.0), a.dtype))


def cumulate(builder: Builder, x: Node, *, axis: int, reverse: bool, combine: str) -> list[Node]:
    """All partial results of a reduction over one axis."""
    last = x.shape[axis] - 1

    def element(index: Any) -> list[Expr]:
        place = list(index)
        if reverse:
            place[axis] = place[axis] * -1 + last
        return [x.at(place)]

    how: Any = _log_add_exp(builder) if combine == "logaddexp" else combine
    group = Reduction((), (axis,), how, [_neutral(combine, x.dtype)], element, x.shape)
    group.prefix = "reverse" if reverse else "forward"
    group.elsewhere = reverse
    return [builder.result("reduce", group)]


def _neutral(combine: str, dtype: Any) -> Any:
    if combine == "mul":
        return 1
    if combine == "add":
        # The first element may be a negative zero, and stays one.
        return {"c": complex(-0.0, -0.0)}.get(dtype.kind, 0 if dtype.kind in "biu" else -0.0)
    if dtype.kind == "c":
        return np.inf if combine == "min" else -np.inf
    return (highest if combine == "min" else lowest)(dtype)


def check(builder: Builder, x: Node, condition: Node, shown: Node, *, failure: Any) -> list[Node]:
    """Hands on `x`; a step of the program looks whether the condition holds everywhere."""
    axes = tuple(range(len(condition.shape)))
    group = Reduction((condition,), axes, "and", [True], None, condition.shape)
    good = builder.adopt(
        builder.result("reduce", group), ShapedArray((), BOOL), "all", (condition,)
    )
    before, region = builder.region, Region()
    builder.region, region.rare = region, True
    far = np.iinfo(np.int64).max

    def element(index: Any) -> list[Expr]:
        position = builder.offset(condition.shape, index)
        place = builder.select(condition.at(index), builder.constant(far, INT64), position)
        return [place, shown.at(index)]

    def first(a: Sequence[Expr], b: Sequence[Expr]) -> Sequence[Expr]:
        is_first = builder.op("le", a[0], b[0])
        return [builder.select(is_first, a[0], b[0]), builder.select(is_first, a[1], b[1])]

    search = Reduction((), axes, first, [far, 0], element, condition.shape)
    for _ in range(2):
        node = builder.adopt(
            builder.result("reduce", search), ShapedArray((), INT64), "first", (condition, shown)
        )
        region.outputs.append(node)
    builder.region = before
    block = Block("check", [good], {"failure": failure, "needs": (condition, shown)})
    block.regions = [region]
    block.effect = True
    builder.adopt(
        builder.result("memory", block), ShapedArray((0,), BOOL), "check", (good, condition, shown)
    )
    return [x]
