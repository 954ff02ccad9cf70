"""Operations across the named axes of `vmap(..., axis_name=...)`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from vires.core import dtypes, tree
from vires.lax.arguments import array
from vires.lax.arguments import axis as axis_number
from vires.ops import collective as ops
from vires.ops import exchange
from vires.ops.accept import refuse
from vires.ops.compare import eq
from vires.ops.convert import convert
from vires.ops.elementwise import add, div, mul
from vires.ops.filled import full, scalar, zeros
from vires.ops.select import select_n

AxisName = Any


def _names(axis_name: AxisName) -> tuple[AxisName, ...]:
    return tuple(axis_name) if isinstance(axis_name, (tuple, list)) else (axis_name,)


def _single(name: str, axis_name: AxisName) -> AxisName:
    names = _names(axis_name)
    if len(names) != 1:
        raise refuse(name, "one axis name", f"{axis_name!r}", "", ValueError)
    return names[0]


def no_groups(name: str, groups: Any) -> None:
    if groups is not None:
        raise NotImplementedError(f"{name}: needs axis_index_groups=None; got {groups!r}")


def axis_size(axis_name: AxisName) -> int:
    """The size of a named axis, or the product of several."""
    return _size("axis_size", axis_name)


def _size(operation: str, axis_name: AxisName) -> int:
    return math.prod(ops.named_size(operation, name) for name in _names(axis_name))


def axis_index(axis_name: AxisName) -> Any:
    """The place along a named axis, from 0; along several axes, the last one running fastest."""
    total = None
    for name in _names(axis_name):
        place = ops.axis_index(axis_name=name)
        if total is None:
            total = place
        else:
            total = add(mul(total, scalar(axis_size(name), dtypes.int32)), place)
    return total


def psum(
    x: Any, axis_name: AxisName, *, axis_index_groups: Sequence[Sequence[int]] | None = None
) -> Any:
    """The sum of each leaf of `x` across named axes. Python numbers are multiplied by the axis
    size.

    >>> import numpy as np
    >>> import vires
    >>> share = vires.vmap(lambda x: x / vires.lax.psum(x, "i"), axis_name="i")
    >>> share(np.array([1.0, 3.0])).tolist()
    [0.25, 0.75]
    """
    no_groups("psum", axis_index_groups)
    names = _names(axis_name)

    def leaf(value: Any) -> Any:
        if isinstance(value, (int, float, complex)):
            return value * _size("psum", names)
        y = array(value)
        return ops.psum(convert(y, dtypes.int32) if y.dtype == dtypes.bool_ else y, axes=names)

    return tree.map(leaf, x)


def pmean(
    x: Any, axis_name: AxisName, *, axis_index_groups: Sequence[Sequence[int]] | None = None
) -> Any:
    """The mean of each leaf of `x` across named axes."""
    no_groups("pmean", axis_index_groups)
    size = _size("pmean", axis_name)

    def leaf(value: Any) -> Any:
        y = array(value)
        if not dtypes.is_inexact(y.dtype):
            y = convert(y, dtypes.default_float())
        total = psum(y, axis_name)
        return div(total, full(total.shape, size, total.dtype))

    return tree.map(leaf, x)


def _extreme(primitive: Any, doc: str) -> Callable[..., Any]:
    def function(
        x: Any, axis_name: AxisName, *, axis_index_groups: Sequence[Sequence[int]] | None = None
    ) -> Any:
        no_groups(primitive.name, axis_index_groups)
        names = _names(axis_name)
        return tree.map(lambda value: primitive(array(value), axes=names), x)

    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = doc
    return function


pmax = _extreme(ops.pmax, """The greatest element of each leaf of `x` across named axes.""")
pmin = _extreme(ops.pmin, """The least element of each leaf of `x` across named axes.""")


def all_gather(
    x: Any,
    axis_name: AxisName,
    *,
    axis_index_groups: Sequence[Sequence[int]] | None = None,
    axis: int = 0,
    tiled: bool = False,
) -> Any:
    """The values of all places along a named axis, stacked along a new axis, or joined when
    `tiled`.
    """
    no_groups("all_gather", axis_index_groups)
    name = _single("all_gather", axis_name)

    def leaf(value: Any) -> Any:
        y = array(value)
        d = axis_number("all_gather", axis, y.ndim if tiled else y.ndim + 1)
        return exchange.all_gather(y, axis_name=name, axis=d, tiled=bool(tiled))

    return tree.map(leaf, x)


def psum_scatter(
    x: Any,
    axis_name: AxisName,
    *,
    scatter_dimension: int = 0,
    axis_index_groups: Sequence[Sequence[int]] | None = None,
    tiled: bool = False,
) -> Any:
    """The sum across a named axis, of which place i keeps element i (`tiled`: part i) of an
    axis.
    """
    no_groups("psum_scatter", axis_index_groups)
    name = _single("psum_scatter", axis_name)

    def leaf(value: Any) -> Any:
        y = array(value)
        d = axis_number("psum_scatter", scatter_dimension, y.ndim)
        return exchange.reduce_scatter(y, axis_name=name, scatter_dimension=d, tiled=bool(tiled))

    return tree.map(leaf, x)


def all_to_all(
    x: Any,
    axis_name: AxisName,
    split_axis: int,
    concat_axis: int,
    *,
    axis_index_groups: Sequence[Sequence[int]] | None = None,
    tiled: bool = False,
) -> Any:
    """Each place sends element i (`tiled`: part i) of `split_axis` to place i of a named axis.

    What a place gets is stacked along a new axis `concat_axis`, or joined along it when `tiled`.
    """
    no_groups("all_to_all", axis_index_groups)
    name = _single("all_to_all", axis_name)

    def leaf(value: Any) -> Any:
        y = array(value)
        split, joined = (axis_number("all_to_all", d, y.ndim) for d in (split_axis, concat_axis))
        return exchange.all_to_all(
            y, axis_name=name, split_axis=split, concat_axis=joined, tiled=bool(tiled)
        )

    return tree.map(leaf, x)


def ppermute(x: Any, axis_name: AxisName, perm: Sequence[tuple[int, int]]) -> Any:
    """Send values along a named axis as (source, destination) pairs say; zeros where nothing is
    sent to.
    """
    name = _single("ppermute", axis_name)
    pairs = tuple((int(source), int(destination)) for source, destination in perm)
    return tree.map(lambda value: exchange.ppermute(array(value), axis_name=name, perm=pairs), x)


def pshuffle(x: Any, axis_name: AxisName, perm: Sequence[int]) -> Any:
    """Place i of a named axis gets the value of place perm[i]."""
    if sorted(perm) != list(range(_size("pshuffle", axis_name))):
        raise refuse(
            "pshuffle", "a permutation of the places along the axis", f"{perm}", "", ValueError
        )
    return ppermute(x, axis_name, [(source, place) for place, source in enumerate(perm)])


def pswapaxes(
    x: Any,
    axis_name: AxisName,
    axis: int,
    *,
    axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> Any:
    """Exchange a named axis with an axis of the array, which must have its size."""
    return all_to_all(x, axis_name, axis, axis, axis_index_groups=axis_index_groups)


def pbroadcast(x: Any, axis_name: AxisName, source: int) -> Any:
    """The value of one place along a named axis, at all places."""
    _size("pbroadcast", axis_name)
    here = eq(axis_index(axis_name), scalar(source, dtypes.int32))

    def leaf(value: Any) -> Any:
        y = array(value)
        return ops.psum(select_n(here, zeros(y.aval), y), axes=_names(axis_name))

    return tree.map(leaf, x)


__all__ = [
    "all_gather", "all_to_all", "axis_index", "axis_size", "pbroadcast", "pmax", "pmean", "pmin",
    "ppermute", "pshuffle", "psum", "psum_scatter", "pswapaxes",
]  # fmt: skip
