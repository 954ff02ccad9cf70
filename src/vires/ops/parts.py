"""Parts of arrays: rev, slice, split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, LoopBuilder, Operand
from vires.ops.accept import refuse, typed
from vires.ops.axes import check_axes, inserted, past
from vires.ops.filled import scalar, zeros
from vires.ops.linear import Linear, declared
from vires.ops.shape import Shape


def _rev_infer(x: ShapedArray, *, dimensions: Shape) -> ShapedArray:
    check_axes("rev", x, dimensions)
    return x


def _rev_loops(b: LoopBuilder, x: Operand, *, dimensions: Shape) -> Definition:
    return b.pull(
        lambda index: x.at(
            [i * -1 + (x.shape[d] - 1) if d in dimensions else i for d, i in enumerate(index)]
        )
    )


rev = Linear(
    "rev",
    """Reverse the order of elements along axes.""",
    infer=_rev_infer,
    reference=lambda x, *, dimensions: np.flip(x, dimensions),
    transpose=lambda ct, x, *, dimensions: rev(ct, dimensions=dimensions),
    batch=lambda axis, x, dim, *, dimensions: (rev(x, dimensions=past(dimensions, dim)), dim),
    loops=_rev_loops,
)


def _bounds(start: Shape, limit: Shape, strides: Shape | None) -> str:
    return f"start_indices {start}, limit_indices {limit}, strides {strides}"


def _slice_infer(
    x: ShapedArray, *, start_indices: Shape, limit_indices: Shape, strides: Shape | None
) -> ShapedArray:
    steps = strides or (1,) * x.ndim
    if not len(start_indices) == len(limit_indices) == len(steps) == x.ndim:
        raise refuse(
            "slice",
            f"{x.ndim} start and limit indices and strides",
            f"{_bounds(start_indices, limit_indices, strides)} for {typed(x)}",
        )
    sizes = []
    for size, start, limit, step in zip(x.shape, start_indices, limit_indices, steps, strict=True):
        if not (0 <= start <= limit <= size and step > 0):
            raise refuse(
                "slice",
                "0 <= start <= limit <= size and stride > 0 for each axis",
                f"{_bounds(start_indices, limit_indices, strides)} for {typed(x)}",
            )
        sizes.append((limit - start + step - 1) // step)
    return ShapedArray(tuple(sizes), x.dtype, x.weak_type)


def _slice_reference(
    x: np.ndarray, *, start_indices: Shape, limit_indices: Shape, strides: Shape | None
) -> np.ndarray:
    steps = strides or (1,) * x.ndim
    return x[tuple(map(builtin_slice, start_indices, limit_indices, steps))]


def _slice_transpose(
    ct: Any, x: Any, *, start_indices: Shape, limit_indices: Shape, strides: Shape | None
) -> Any:
    aval = aval_of(x)
    steps = strides or (1,) * aval.ndim
    config = []
    for size, n, start, step in zip(aval.shape, ct.aval.shape, start_indices, steps, strict=True):
        covered = start + (1 + (n - 1) * step if n else 0)
        config.append((start, size - covered, step - 1))
    return declared("pad")(ct, scalar(0, ct.aval.dtype), padding_config=tuple(config))


def _slice_batch(
    axis: AxisData,
    x: Any,
    dim: int,
    *,
    start_indices: Shape,
    limit_indices: Shape,
    strides: Shape | None,
) -> Any:
    result = slice(
        x,
        start_indices=inserted(start_indices, dim, 0),
        limit_indices=inserted(limit_indices, dim, axis.size),
        strides=None if strides is None else inserted(strides, dim, 1),
    )
    return result, dim


def _slice_loops(
    b: LoopBuilder, x: Operand, *, start_indices: Shape, limit_indices: Shape, strides: Shape | None
) -> Definition:
    steps = strides or (1,) * len(x.shape)
    return b.pull(
        lambda index: x.at(
            [i * step + start for i, step, start in zip(index, steps, start_indices, strict=True)]
        )
    )


builtin_slice = slice


slice = Linear(
    "slice",
    """Elements from start to limit, every stride-th, along each axis.""",
    infer=_slice_infer,
    reference=_slice_reference,
    transpose=_slice_transpose,
    batch=_slice_batch,
    loops=_slice_loops,
)


def _split_infer(x: ShapedArray, *, sizes: Shape, axis: int) -> list[ShapedArray]:
    check_axes("split", x, (axis,))
    if sum(sizes) != x.shape[axis] or any(size < 0 for size in sizes):
        raise refuse(
            "split", f"sizes that add up to {x.shape[axis]}", f"{tuple(sizes)} for {typed(x)}"
        )
    return [
        ShapedArray((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype, x.weak_type)
        for size in sizes
    ]


def _split_transpose(cts: Sequence[Any], x: Any, *, sizes: Shape, axis: int) -> Any:
    parts = [zeros(ct.aval) if ct.__class__ is Zero else ct for ct in cts]
    return declared("concatenate")(*parts, dimension=axis)


def _split_batch(mapped: AxisData, x: Any, dim: int, /, *, sizes: Shape, axis: int) -> Any:
    results = split(x, sizes=sizes, axis=axis + (axis >= dim))
    return results, [dim] * len(results)


def _split_loops(b: LoopBuilder, x: Operand, *, sizes: Shape, axis: int) -> list[Definition]:
    def part(start: int) -> Definition:
        return b.pull(
            lambda index: x.at([i + start if d == axis else i for d, i in enumerate(index)])
        )

    return [part(sum(sizes[:k])) for k in range(len(sizes))]


split = Linear(
    "split",
    """Cut along an axis into consecutive parts of the given sizes.""",
    infer=_split_infer,
    reference=lambda x, *, sizes, axis: np.split(x, np.cumsum(sizes)[:-1], axis),
    transpose=_split_transpose,
    batch=_split_batch,
    loops=_split_loops,
    multiple_results=True,
)
