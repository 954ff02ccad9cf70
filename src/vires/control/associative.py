"""associative_scan: all partial combinations in logarithmic depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.functions import as_operands, check_callables
from vires.core import tree
from vires.core.trace import aval_of
from vires.ops.join import concatenate
from vires.ops.parts import rev
from vires.ops.parts import slice as slice_
from vires.ops.shape import expand_dims, reshape


def associative_scan(
    fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All partial combinations r[i] = fn(... fn(x[0], x[1]) ..., x[i]) of an associative `fn`.

    Takes about log2(n) rounds of `fn` on whole slices, so `fn` has to work along `axis` for many
    elements at once.

    Args:
      fn: an associative function of two pytrees like `elems`, elementwise along `axis`.
      elems: a pytree of arrays of one size n along `axis`.
      reverse: combine from the end: r[i] = fn(... fn(x[n-1], x[n-2]) ..., x[i]).
      axis: which axis to combine along.

    >>> import vires.numpy as np
    >>> from vires import lax
    >>> lax.associative_scan(lambda a, b: a * b, np.array([1, 2, 3, 4]))
    Array([ 1,  2,  6, 24], dtype=int32)
    """
    check_callables("associative_scan", fn=fn)
    leaves, treedef = tree.flatten(elems)
    values = as_operands(leaves, "associative_scan", "elems")
    if not values:
        return elems
    axes = []
    for x in values:
        rank = len(aval_of(x).shape)
        if not -rank <= axis < rank:
            raise ValueError(
                f"associative_scan: needs axis of the arrays; got axis {axis} for "
                f"{aval_of(x).str_short()}"
            )
        axes.append(axis % rank)
    sizes = {aval_of(x).shape[d] for x, d in zip(values, axes, strict=True)}
    if len(sizes) > 1:
        shapes = ", ".join(aval_of(x).str_short() for x in values)
        raise ValueError(
            f"associative_scan: needs arrays of one size along axis {axis}; got {shapes}"
        )

    def combine(xs: Sequence[Any], ys: Sequence[Any]) -> list[Any]:
        return tree.leaves(fn(tree.unflatten(treedef, xs), tree.unflatten(treedef, ys)))

    def turned(xs: Sequence[Any]) -> list[Any]:
        return (
            [rev(x, dimensions=(d,)) for x, d in zip(xs, axes, strict=True)]
            if reverse
            else list(xs)
        )

    return tree.unflatten(treedef, turned(_partials(combine, turned(values), axes)))


def _partials(
    combine: Callable[..., list[Any]], xs: Sequence[Any], axes: Sequence[int]
) -> list[Any]:
    """Combine neighbours, solve the problem of half the size, and fill in the elements between."""
    n = aval_of(xs[0]).shape[axes[0]]
    if n < 2:
        return list(xs)

    def cut(values: Sequence[Any], start: int, stop: int, step: int = 1) -> list[Any]:
        return [_slice(x, d, start, stop, step) for x, d in zip(values, axes, strict=True)]

    odd = _partials(combine, combine(cut(xs, 0, n - 1, 2), cut(xs, 1, n, 2)), axes)
    half = n // 2
    rest = cut(xs, 2, n, 2)
    between = combine(cut(odd, 0, (n - 1) // 2), rest) if n > 2 else rest
    even = [
        concatenate(x, y, dimension=d) for x, y, d in zip(cut(xs, 0, 1), between, axes, strict=True)
    ]
    return [_interleave(x, y, d, half, n) for x, y, d in zip(even, odd, axes, strict=True)]


def _slice(x: Any, axis: int, start: int, stop: int, step: int = 1) -> Any:
    shape = aval_of(x).shape
    starts = [0] * len(shape)
    limits = list(shape)
    steps = [1] * len(shape)
    starts[axis], limits[axis], steps[axis] = start, stop, step
    return slice_(x, start_indices=tuple(starts), limit_indices=tuple(limits), strides=tuple(steps))


def _interleave(even: Any, odd: Any, axis: int, half: int, n: int) -> Any:
    """even[0], odd[0], even[1], odd[1], ...; `even` may have one element more."""
    shape = aval_of(odd).shape
    pairs = concatenate(
        expand_dims(_slice(even, axis, 0, half), (axis + 1,)),
        expand_dims(odd, (axis + 1,)),
        dimension=axis + 1,
    )
    merged = reshape(
        pairs, new_sizes=(*shape[:axis], 2 * half, *shape[axis + 1 :]), dimensions=None
    )
    if n == 2 * half:
        return merged
    return concatenate(merged, _slice(even, axis, half, half + 1), dimension=axis)
