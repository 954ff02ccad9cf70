"""Convolutions as contractions: the windows of the image are an index map, which the contraction
packs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vires.core.avals import ShapedArray
from vires.engine.llvm.contract import contract
from vires.engine.llvm.expressions import INT64, Expr
from vires.engine.llvm.program import Node

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder


def convolve(
    builder: Builder,
    lhs: Node,
    rhs: Node,
    *,
    dtype: Any,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    dimension_numbers: Any,
    feature_group_count: int,
    batch_group_count: int,
    **params: Any,
) -> list[Node]:
    """The product of windows [group, image, position, place in the window and feature] with
    kernels.
    """
    image, filters = dimension_numbers.lhs_spec, dimension_numbers.rhs_spec
    groups = feature_group_count * batch_group_count
    out_features, features = rhs.shape[filters[0]], rhs.shape[filters[1]]
    images = lhs.shape[image[0]] // batch_group_count
    size = [rhs.shape[d] for d in filters[2:]]
    sizes = [lhs.shape[d] for d in image[2:]]
    rank = len(size)
    space: list[int] = []
    for d in range(rank):
        spread = (sizes[d] - 1) * lhs_dilation[d] + 1 if sizes[d] else 0
        reach = (size[d] - 1) * rhs_dilation[d] + 1
        space.append(max((spread + sum(padding[d]) - reach) // window_strides[d] + 1, 0))
    columns = out_features // groups

    def window(index: Any) -> Expr:
        group, number, position = index[0], index[1], index[2 : 2 + rank]
        place, feature = index[2 + rank : 2 + 2 * rank], index[-1]
        source: list[Any] = [None] * len(lhs.shape)
        if batch_group_count > 1:
            source[image[0]], source[image[1]] = group * images + number, feature
        else:
            source[image[0]], source[image[1]] = number, group * features + feature
        inside: Expr | None = None
        for d in range(rank):
            at = position[d] * window_strides[d] + place[d] * rhs_dilation[d] - padding[d][0]
            conditions = [
                builder.op("ge", at, builder.constant(0, INT64)),
                builder.op("le", at, builder.constant((sizes[d] - 1) * lhs_dilation[d], INT64)),
            ]
            if lhs_dilation[d] > 1:
                whole = at // lhs_dilation[d]
                conditions.append(builder.op("eq", whole * lhs_dilation[d], at))
                at = whole
            for condition in conditions:
                inside = condition if inside is None else builder.op("and", inside, condition)
            source[image[2 + d]] = at
        load = lambda: lhs.at(source)  # noqa: E731
        return (
            load()
            if inside is None
            else builder.guarded(inside, load, builder.constant(0, lhs.dtype))
        )

    def kernel(index: Any) -> Expr:
        group, place, feature, out = index[0], index[1 : 1 + rank], index[1 + rank], index[2 + rank]
        source: list[Any] = [None] * len(rhs.shape)
        source[filters[0]], source[filters[1]] = group * columns + out, feature
        for d in range(rank):
            source[filters[2 + d]] = place[d]
        return rhs.at(source)

    windows = builder.derived(
        "windows", lhs, (groups, images, *space, *size, features), lhs.dtype, window
    )
    kernels = builder.derived("kernels", rhs, (groups, *size, features, columns), rhs.dtype, kernel)
    windows.pointwise = kernels.pointwise = False
    summed = rank + 1
    contracting = (
        tuple(range(2 + rank, 2 + rank + summed)),
        tuple(range(1, 1 + summed)),
    )
    product = contract(builder, windows, kernels, contracting, ((0,), (0,)), dtype)[0]
    shape = (groups, images, *space, columns)
    product = builder.adopt(product, ShapedArray(shape, dtype), "convolve", (windows, kernels))
    product.pointwise = False
    out = dimension_numbers.out_spec

    def result(index: Any) -> Expr:
        feature = index[out[1]]
        at = [feature // columns, index[out[0]], *[index[d] for d in out[2:]], feature % columns]
        return product.at(at)

    final = builder.pull(result)
    final.operands = (product,)
    natural = groups == 1 and tuple(out) == (0, rank + 1, *range(1, rank + 1))
    if natural:
        final.same = True
    return [final]
