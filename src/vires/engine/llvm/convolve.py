"""Convolutions as contractions: the windows of the image are an index map, which the contraction
packs.

Large float ones read the windows from the image where it lies: at every place of a window, an
element is some strides away, or outside of the image's bounds. A copy with its padding is made
where that is packed faster, and of images with holes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vires.core.avals import ShapedArray
from vires.engine.llvm.contract import (
    contract,
    converted,
    is_packed,
    packed_product,
    strides_of,
    working_dtype,
)
from vires.engine.llvm.expressions import INT64, Expr
from vires.engine.llvm.gemm import View, merged, merged_pairs, takes_bounds
from vires.engine.llvm.gemm_near import EXTENT, FIELD, RANK, Bounds, limits
from vires.engine.llvm.program import Node

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder
    from vires.ops.convolve import ConvDimensionNumbers


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
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    **params: Any,
) -> list[Node]:
    """The product of the windows of an image with kernels."""
    spec = dimension_numbers
    case = _Case(
        builder, lhs, rhs, dtype, tuple(window_strides), tuple(padding), tuple(lhs_dilation),
        tuple(rhs_dilation), spec, feature_group_count, batch_group_count,
    )  # fmt: skip
    return case.packed() if case.is_packed() else case.general()


class _Case:
    """One convolution: its sizes, and the ways to do it."""

    def __init__(
        self,
        builder: Builder,
        lhs: Node,
        rhs: Node,
        dtype: Any,
        strides: tuple[int, ...],
        padding: tuple[tuple[int, int], ...],
        lhs_dilation: tuple[int, ...],
        rhs_dilation: tuple[int, ...],
        spec: ConvDimensionNumbers,
        feature_groups: int,
        batch_groups: int,
    ) -> None:
        self.builder, self.lhs, self.rhs, self.dtype = builder, lhs, rhs, dtype
        self.strides, self.padding = strides, padding
        self.lhs_dilation, self.rhs_dilation = lhs_dilation, rhs_dilation
        self.image, self.filters, self.out = spec.lhs_spec, spec.rhs_spec, spec.out_spec
        self.batch_groups = batch_groups
        self.groups = feature_groups * batch_groups
        self.features = rhs.shape[self.filters[1]]
        self.images = lhs.shape[self.image[0]] // batch_groups
        self.size = [rhs.shape[d] for d in self.filters[2:]]
        self.sizes = [lhs.shape[d] for d in self.image[2:]]
        self.rank = len(self.size)
        self.columns = rhs.shape[self.filters[0]] // self.groups
        #: Places of the image with holes and padding, and of the result.
        self.extent: list[int] = []
        self.space: list[int] = []
        for d in range(self.rank):
            spread = (self.sizes[d] - 1) * lhs_dilation[d] + 1 if self.sizes[d] else 0
            reach = (self.size[d] - 1) * rhs_dilation[d] + 1
            self.extent.append(spread + sum(padding[d]))
            self.space.append(max((self.extent[d] - reach) // strides[d] + 1, 0))

    # --- packed

    def is_packed(self) -> bool:
        """Whether the packed product does it."""
        rows, length = self.images * math.prod(self.space), math.prod(self.size) * self.features
        return is_packed(self.dtype, self.groups, rows, self.columns, length)

    def packed(self) -> list[Node]:
        """The product of windows and kernels by strides alone."""
        builder, rank, wide = self.builder, self.rank, working_dtype(self.dtype)
        kernel, steps = strides_of(converted(builder, self.rhs, wide))
        steps = [steps[d] for d in self.filters]
        # Rows in the order that the result wants.
        order = [self.out.index(d) for d in range(rank + 2)]
        rows = [max(position - 1, 0) for position in order if position != 1]
        source, strides = strides_of(converted(builder, self.lhs, wide))
        strides = [strides[d] for d in self.image]
        left = self._windows(source, strides, rows, bounded=True)
        if left is None or not (left.bounds is None or takes_bounds(left, self.columns, wide)):
            source, strides = self._image(wide)
            left = self._windows(source, strides, rows, bounded=False)
            assert left is not None
        terms = self._terms(strides)
        right = View(
            kernel,
            merged([(self.groups, self.columns * steps[0])]),
            merged([(self.columns, steps[0])]),
            merged([(self._term(d)[0], steps[1 + d]) for d in terms]),
        )
        sizes = [self.images, *self.space]
        shape = (
            (self.groups,),
            tuple([sizes[d] for d in rows]),
            (self.columns,),
            tuple([self._term(d)[0] for d in terms]),
        )
        (product,) = packed_product(
            builder, (left, right), (source, kernel), shape, self.dtype, wide
        )
        return self._result(product, (source, kernel), rows)

    def _term(self, d: int) -> tuple[int, int]:
        """Size and step of a term of the sum: the features, then the axes of the window."""
        return (self.size[d - 1], self.rhs_dilation[d - 1]) if d else (self.features, 1)

    def _terms(self, strides: Sequence[int]) -> list[int]:
        """The terms of the sum in the order of memory."""
        return sorted(
            [*range(1, self.rank + 1), 0], key=lambda d: -self._term(d)[1] * strides[1 + d]
        )

    def _windows(
        self, source: Node, strides: Sequence[int], rows: Sequence[int], *, bounded: bool
    ) -> View | None:
        """The windows of an image with strides of (image, feature, places...): of one that has its
        padding, or with bounds instead; None if bounds cannot say it.
        """
        padded = [d for d in range(self.rank) if bounded and self.padding[d] != (0, 0)]
        if bounded and any(n != 1 for n in self.lhs_dilation):
            return None
        if len(padded) > RANK or any(
            max(self.extent[d], self.sizes[d], *map(abs, self.padding[d])) >= EXTENT for d in padded
        ):
            return None
        unit = [1 << FIELD * padded.index(d) if d in padded else 0 for d in range(self.rank)]
        moves = [(self.images, strides[0], 0)]
        for d in range(self.rank):
            step = self.strides[d]
            moves.append((self.space[d], step * strides[2 + d], step * unit[d]))
        sums: list[tuple[int, int, int]] = []
        for d in self._terms(strides):
            size, step = self._term(d)
            sums.append((size, step * strides[1 + d], step * unit[d - 1] if d else 0))
        group = self.images * strides[0] if self.batch_groups > 1 else self.features * strides[1]
        parts = [[(self.groups, group, 0)], [moves[d] for d in rows], sums]
        if not padded:
            batch, lanes, terms = (merged([axis[:2] for axis in axes]) for axes in parts)
            return View(source, batch, lanes, terms)
        batch, lanes, terms = (merged_pairs(axes) for axes in parts)
        low = [-self.padding[d][0] for d in padded]
        shift = sum(n * strides[2 + d] for n, d in zip(low, padded, strict=True))
        ends = limits([self.sizes[d] for d in padded], low)
        bounds = Bounds(batch[1], lanes[1], terms[1], shift, *ends)
        return View(source, batch[0], lanes[0], terms[0], bounds)

    def _image(self, wide: Any) -> tuple[Node, list[int]]:
        """The image in memory, with its padding, and strides of (image, feature, places...)."""
        builder, lhs, rank = self.builder, self.lhs, self.rank
        if all(n == 1 for n in self.lhs_dilation) and all(p == (0, 0) for p in self.padding):
            source, strides = strides_of(converted(builder, lhs, wide))
            return source, [strides[d] for d in self.image]
        images, features = lhs.shape[self.image[0]], lhs.shape[self.image[1]]

        def element(index: Any) -> Expr:
            place = [index[1 + d] - self.padding[d][0] for d in range(rank)]
            return builder.convert(self._at(index[0], index[-1], place), wide)

        shape = (images, *self.extent, features)
        copy = builder.derived("windows", lhs, shape, wide, element)
        copy.pointwise = False
        strides = [1] * len(shape)
        for d in range(len(shape) - 2, -1, -1):
            strides[d] = strides[d + 1] * shape[d + 1]
        return copy, [strides[0], strides[-1], *strides[1:-1]]

    def _at(self, number: Any, feature: Any, place: Sequence[Any]) -> Expr:
        """An element of the image with holes and without padding; 0 outside and in holes."""
        builder, lhs = self.builder, self.lhs
        source: list[Any] = [None] * len(lhs.shape)
        source[self.image[0]], source[self.image[1]] = number, feature
        inside: Expr | None = None
        for d, at in enumerate(place):
            last = (self.sizes[d] - 1) * self.lhs_dilation[d]
            conditions = [
                builder.op("ge", at, builder.constant(0, INT64)),
                builder.op("le", at, builder.constant(last, INT64)),
            ]
            if self.lhs_dilation[d] > 1:
                whole = at // self.lhs_dilation[d]
                conditions.append(builder.op("eq", whole * self.lhs_dilation[d], at))
                at = whole
            for condition in conditions:
                inside = condition if inside is None else builder.op("and", inside, condition)
            source[self.image[2 + d]] = at
        if inside is None:
            return lhs.at(source)
        return builder.guarded(inside, lambda: lhs.at(source), builder.constant(0, lhs.dtype))

    # --- any dtype

    def general(self) -> list[Node]:
        """The contraction of [group, image, place, place in the window, feature] with kernels."""
        builder, rank, groups = self.builder, self.rank, self.groups

        def window(index: Any) -> Expr:
            group, number, position = index[0], index[1], index[2 : 2 + rank]
            place, feature = index[2 + rank : 2 + 2 * rank], index[-1]
            if self.batch_groups > 1:
                number = group * self.images + number
            else:
                feature = group * self.features + feature
            at = [
                position[d] * self.strides[d] + place[d] * self.rhs_dilation[d] - self.padding[d][0]
                for d in range(rank)
            ]
            return self._at(number, feature, at)

        def kernel(index: Any) -> Expr:
            group, place, feature = index[0], index[1 : 1 + rank], index[1 + rank]
            source: list[Any] = [None] * len(self.rhs.shape)
            source[self.filters[0]] = group * self.columns + index[2 + rank]
            source[self.filters[1]] = feature
            for d in range(rank):
                source[self.filters[2 + d]] = place[d]
            return self.rhs.at(source)

        shape = (groups, self.images, *self.space, *self.size, self.features)
        windows = builder.derived("windows", self.lhs, shape, self.lhs.dtype, window)
        shape = (groups, *self.size, self.features, self.columns)
        kernels = builder.derived("kernels", self.rhs, shape, self.rhs.dtype, kernel)
        windows.pointwise = kernels.pointwise = False
        summed = rank + 1
        contracting = (tuple(range(2 + rank, 2 + rank + summed)), tuple(range(1, 1 + summed)))
        product = contract(builder, windows, kernels, contracting, ((0,), (0,)), self.dtype)[0]
        return self._result(product, (windows, kernels), range(rank + 1))

    def _result(
        self, product: Node, operands: tuple[Node, Node], rows: Sequence[int]
    ) -> list[Node]:
        """The result from a product [group, rows, column]; `rows` are 0 for images and, from 1 on,
        axes of places.
        """
        sizes = [self.images, *self.space]
        shape = (self.groups, *[sizes[d] for d in rows], self.columns)
        product = self.builder.adopt(product, ShapedArray(shape, self.dtype), "convolve", operands)
        product.pointwise = False
        out, columns = self.out, self.columns
        # With several groups of images, a group is a part of the features all the same.
        axes = [out[0], *out[2:]]

        def result(index: Any) -> Expr:
            feature = index[out[1]]
            places = [index[axes[d]] for d in rows]
            return product.at([feature // columns, *places, feature % columns])

        final = self.builder.pull(result)
        final.operands = (product,)
        in_order = [axes[d] for d in rows]
        if self.groups == 1 and out[1] == self.rank + 1 and in_order == sorted(in_order):
            final.same = True
        return [final]
