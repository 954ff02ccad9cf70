"""Exchanges across a named axis of vmap: gathering, scattering, transposing and permuting
places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData
from vires.core.trace import aval_of
from vires.ops.accept import ANY, NUMBER, check_dtype, refuse, typed
from vires.ops.axes import insert, without
from vires.ops.collective import Collective, Name, linear_jvp, named_size, psum_batch
from vires.ops.gather import gather
from vires.ops.shape import map_at, move_axis, reshape
from vires.ops.slices import GatherDimensionNumbers, GatherScatterMode


def _split(x: Any, axis: int, count: int) -> Any:
    """The axis as two: (count, rest)."""
    shape = aval_of(x).shape
    return reshape(
        x,
        new_sizes=(*shape[:axis], count, shape[axis] // count, *shape[axis + 1 :]),
        dimensions=None,
    )


def _join(x: Any, axis: int) -> Any:
    """The axis and the one after it as one."""
    shape = aval_of(x).shape
    return reshape(
        x,
        new_sizes=(*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]),
        dimensions=None,
    )


def _check_axis(name: str, x: ShapedArray, axis: int, rank: int) -> None:
    if not 0 <= axis < rank:
        raise refuse(
            name, f"an axis from 0 to {rank - 1}", f"axis {axis} for {typed(x)}", "", ValueError
        )


def _check_divides(name: str, x: ShapedArray, axis: int, size: int, exact: bool) -> None:
    _check_axis(name, x, axis, x.ndim)
    n = x.shape[axis]
    if n % size or (exact and n != size):
        needs = f"an axis of size {size}" if exact else f"an axis whose size {size} divides"
        raise refuse(name, needs, f"axis {axis} of {typed(x)}", "", ValueError)


def _gather_infer(x: ShapedArray, *, axis_name: Name, axis: int, tiled: bool) -> ShapedArray:
    check_dtype("all_gather", x, ANY)
    size = named_size("all_gather", axis_name)
    _check_axis("all_gather", x, axis, x.ndim if tiled else x.ndim + 1)
    shape = (
        tuple(n * size if d == axis else n for d, n in enumerate(x.shape))
        if tiled
        else insert(x.shape, axis, size)
    )
    return ShapedArray(shape, x.dtype, x.weak_type)


def _gather_batch(
    mapped: AxisData,
    operands: Sequence[Any],
    dims: Sequence[int | None],
    *,
    axis_name: Name,
    axis: int,
    tiled: bool,
) -> tuple[Any, None]:
    x = map_at(operands[0], dims[0], mapped.size, axis)
    return _join(x, axis) if tiled else x, None


def _gather_other(
    mapped: AxisData,
    operands: Sequence[Any],
    dims: Sequence[Any],
    *,
    axis_name: Name,
    axis: int,
    tiled: bool,
) -> tuple[Any, int]:
    x = move_axis(operands[0], dims[0], 0)
    return all_gather(x, axis_name=axis_name, axis=axis + 1, tiled=tiled), 0


all_gather = Collective(
    "all_gather",
    """The values of all places along a named axis, stacked along a new axis or (tiled) joined
    along an axis.
    """,
    infer=_gather_infer,
    jvp=linear_jvp(lambda: all_gather),
    transpose=lambda ct, x, *, axis_name, axis, tiled: [
        reduce_scatter(ct, axis_name=axis_name, scatter_dimension=axis, tiled=tiled)
    ],
    batch=_gather_other,
    batch_collective=_gather_batch,
)


def _scatter_infer(
    x: ShapedArray, *, axis_name: Name, scatter_dimension: int, tiled: bool
) -> ShapedArray:
    check_dtype("psum_scatter", x, NUMBER)
    size = named_size("psum_scatter", axis_name)
    _check_divides("psum_scatter", x, scatter_dimension, size, not tiled)
    shape = (
        tuple(n // size if d == scatter_dimension else n for d, n in enumerate(x.shape))
        if tiled
        else without(x.shape, (scatter_dimension,))
    )
    return ShapedArray(shape, x.dtype, x.weak_type)


def _scatter_batch(
    mapped: AxisData,
    operands: Sequence[Any],
    dims: Sequence[int | None],
    *,
    axis_name: Name,
    scatter_dimension: int,
    tiled: bool,
) -> tuple[Any, int]:
    total, _ = psum_batch(mapped, operands, dims, axes=(axis_name,))
    return _split(total, scatter_dimension, mapped.size) if tiled else total, scatter_dimension


def _scatter_other(
    mapped: AxisData,
    operands: Sequence[Any],
    dims: Sequence[Any],
    *,
    axis_name: Name,
    scatter_dimension: int,
    tiled: bool,
) -> tuple[Any, int]:
    x = move_axis(operands[0], dims[0], 0)
    return reduce_scatter(
        x, axis_name=axis_name, scatter_dimension=scatter_dimension + 1, tiled=tiled
    ), 0


reduce_scatter = Collective(
    "reduce_scatter",
    """The sum across a named axis, of which each place along it keeps its part of an axis.""",
    infer=_scatter_infer,
    jvp=linear_jvp(lambda: reduce_scatter),
    transpose=lambda ct, x, *, axis_name, scatter_dimension, tiled: [
        all_gather(ct, axis_name=axis_name, axis=scatter_dimension, tiled=tiled)
    ],
    batch=_scatter_other,
    batch_collective=_scatter_batch,
)


# --- exchanges


def _exchange_infer(
    x: ShapedArray, *, axis_name: Name, split_axis: int, concat_axis: int, tiled: bool
) -> ShapedArray:
    check_dtype("all_to_all", x, ANY)
    size = named_size("all_to_all", axis_name)
    _check_divides("all_to_all", x, split_axis, size, not tiled)
    _check_axis("all_to_all", x, concat_axis, x.ndim)
    if tiled:
        sizes = list(x.shape)
        sizes[split_axis] //= size
        sizes[concat_axis] *= size
        return ShapedArray(tuple(sizes), x.dtype, x.weak_type)
    shape = insert(without(x.shape, (split_axis,)), concat_axis, size)
    return ShapedArray(shape, x.dtype, x.weak_type)


def _exchange_batch(
    mapped: AxisData,
    operands: Sequence[Any],
    dims: Sequence[int | None],
    *,
    axis_name: Name,
    split_axis: int,
    concat_axis: int,
    tiled: bool,
) -> tuple[Any, int]:
    x = map_at(operands[0], dims[0], mapped.size, 0)
    if not tiled:  # the split axis becomes the mapped one, the mapped one an axis of the result
        x = move_axis(x, split_axis + 1, 0)
        return move_axis(x, 1, concat_axis + 1), 0
    x = move_axis(_split(x, split_axis + 1, mapped.size), split_axis + 1, 0)
    x = move_axis(x, 1, concat_axis + 1)
    return _join(x, concat_axis + 1), 0


def _exchange_other(
    mapped: AxisData,
    operands: Sequence[Any],
    dims: Sequence[Any],
    *,
    axis_name: Name,
    split_axis: int,
    concat_axis: int,
    tiled: bool,
) -> tuple[Any, int]:
    x = move_axis(operands[0], dims[0], 0)
    return all_to_all(
        x, axis_name=axis_name, split_axis=split_axis + 1, concat_axis=concat_axis + 1, tiled=tiled
    ), 0


all_to_all = Collective(
    "all_to_all",
    """Each place along a named axis sends part i of an axis to place i; what it gets is stacked or
    joined.
    """,
    infer=_exchange_infer,
    jvp=linear_jvp(lambda: all_to_all),
    transpose=lambda ct, x, *, axis_name, split_axis, concat_axis, tiled: [
        all_to_all(
            ct, axis_name=axis_name, split_axis=concat_axis, concat_axis=split_axis, tiled=tiled
        )
    ],
    batch=_exchange_other,
    batch_collective=_exchange_batch,
)

Pairs = tuple[tuple[int, int], ...]


def _permute_infer(x: ShapedArray, *, axis_name: Name, perm: Pairs) -> ShapedArray:
    check_dtype("ppermute", x, NUMBER)
    size = named_size("ppermute", axis_name)
    for side in zip(*perm, strict=True):
        if len(set(side)) != len(side) or any(not 0 <= place < size for place in side):
            raise refuse(
                "ppermute",
                f"distinct sources and distinct destinations from 0 to {size - 1}",
                f"{perm}",
                "",
                ValueError,
            )
    return x


def _permute_batch(
    mapped: AxisData,
    operands: Sequence[Any],
    dims: Sequence[int | None],
    *,
    axis_name: Name,
    perm: Pairs,
) -> tuple[Any, int]:
    x = map_at(operands[0], dims[0], mapped.size, 0)
    aval = aval_of(x)
    source = {destination: start for start, destination in perm}
    # A place that nothing is sent to reads out of bounds: zeros.
    places = np.array([[source.get(place, mapped.size)] for place in range(mapped.size)], np.int32)
    rank = aval.ndim
    result = gather(
        x,
        places,
        dimension_numbers=GatherDimensionNumbers(tuple(range(1, rank)), (0,), (0,)),
        slice_sizes=(1, *aval.shape[1:]),
        indices_are_sorted=False,
        unique_indices=False,
        mode=GatherScatterMode.FILL_OR_DROP,
        fill_value=0,
    )
    return result, 0


ppermute = Collective(
    "ppermute",
    """Sends values along a named axis from place to place as `perm`'s (source, destination) pairs
    say.

    A place that nothing is sent to gets zeros.
    """,
    infer=_permute_infer,
    jvp=linear_jvp(lambda: ppermute),
    transpose=lambda ct, x, *, axis_name, perm: [
        ppermute(ct, axis_name=axis_name, perm=tuple((b, a) for a, b in perm))
    ],
    batch=lambda axis, operands, dims, **params: (ppermute(*operands, **params), dims[0]),
    batch_collective=_permute_batch,
)
