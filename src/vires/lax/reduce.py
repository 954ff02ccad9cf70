"""Reductions and cumulative operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from vires.core import dtypes, tree
from vires.core.trace import aval_of
from vires.lax.arguments import array, axes, axis, scalar_of
from vires.lax.monoids import apply_elementwise, is_identity, monoid, repeated
from vires.ops import cumulative
from vires.ops import reduce as ops
from vires.ops.accept import refuse, typed_all
from vires.ops.axes import without
from vires.ops.join import concatenate
from vires.ops.linear import declared
from vires.ops.parts import slice as slice_
from vires.ops.shape import reshape, transpose


def _reduction(primitive: Any, doc: str) -> Callable[[Any, Sequence[int]], Any]:
    def function(operand: Any, axes: Sequence[int]) -> Any:
        x = array(operand)
        return primitive(x, axes=_axes(primitive.name, axes, x.ndim))

    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = doc
    return function


_axes = axes

reduce_sum = _reduction(
    ops.reduce_sum,
    """The sum along axes. Half dtypes are accumulated in float32; integers wrap around.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.reduce_sum(np.ones((2, 3), np.float32), (1,)).tolist()
    [3.0, 3.0]
    """,
)
reduce_prod = _reduction(ops.reduce_prod, """The product along axes.""")
reduce_max = _reduction(
    ops.reduce_max,
    """The greatest element along axes; nan when there is one. Equal ones share the tangent.""",
)
reduce_min = _reduction(
    ops.reduce_min,
    """The least element along axes; nan when there is one. Equal ones share the tangent.""",
)
reduce_and = _reduction(ops.reduce_and, """Bitwise (for bool logical) and along axes.""")
reduce_or = _reduction(ops.reduce_or, """Bitwise (for bool logical) or along axes.""")
reduce_xor = _reduction(ops.reduce_xor, """Bitwise (for bool logical) exclusive or along axes.""")


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the greatest element along an axis: the first of equal ones; the first nan
    wins.
    """
    return _position(ops.argmax, operand, axis, index_dtype)


def argmin(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the least element along an axis: the first of equal ones; the first nan wins."""
    return _position(ops.argmin, operand, axis, index_dtype)


def _position(primitive: Any, operand: Any, number: int, index_dtype: Any) -> Any:
    x = array(operand)
    return primitive(
        x, axes=(axis(primitive.name, number, x.ndim),), index_dtype=dtypes.canonical(index_dtype)
    )


# --- any associative function


def reduce(
    operands: Any,
    init_values: Any,
    computation: Callable[[Any, Any], Any],
    dimensions: Sequence[int],
) -> Any:
    """Combine elements along axes with an associative function of two scalars.

    `operands` and `init_values` are trees of one structure; `computation(x, y)` takes and returns
    such
    trees. Its order of application is fixed but not specified; `init_values` is combined in once.
    Sums,
    products, extremes and logic run as such.

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.reduce(np.arange(5.0), 0.0, lax.add, (0,)).tolist()
    10.0
    """
    flat, structure = tree.flatten(operands)
    initial, initial_structure = tree.flatten(init_values)
    if not flat or structure != initial_structure:
        raise refuse(
            "reduce",
            "operands and init_values of one structure",
            f"{structure} and {initial_structure}",
        )
    arrays = [array(x) for x in flat]
    inits = [
        scalar_of(x, y.dtype) if not hasattr(x, "aval") else x
        for x, y in zip(initial, arrays, strict=True)
    ]
    if any(x.shape != arrays[0].shape for x in arrays) or any(
        aval_of(i).shape or aval_of(i).dtype != x.dtype for i, x in zip(inits, arrays, strict=True)
    ):
        raise refuse(
            "reduce",
            "operands of one shape and 0-d init_values of their dtypes",
            typed_all([aval_of(x) for x in (*arrays, *inits)]),
        )
    over = axes("reduce", dimensions, arrays[0].ndim)
    if len(arrays) == 1:
        (x,), (init,) = arrays, inits
        operation = monoid(lambda a, b: _one(computation, structure, a, b), x.dtype)
        if operation in ("add", "mul", "max", "min", "and", "or", "xor"):
            name = {"add": "reduce_sum", "mul": "reduce_prod"}.get(operation, f"reduce_{operation}")
            if x.dtype != dtypes.bool_ or operation not in ("add", "mul"):
                out = declared(name)(x, axes=over)
                if not is_identity(init, operation, x.dtype):
                    out = declared(operation)(repeated(init, out.shape), out)
                return structure.unflatten([out])

    def flat_computation(*scalars: Any) -> list[Any]:
        half = len(scalars) // 2
        first, second = structure.unflatten(scalars[:half]), structure.unflatten(scalars[half:])
        return tree.leaves(computation(first, second))

    return structure.unflatten(_fold(flat_computation, arrays, inits, over))


def _one(computation: Callable[[Any, Any], Any], structure: Any, x: Any, y: Any) -> Any:
    return tree.leaves(computation(structure.unflatten([x]), structure.unflatten([y])))[0]


def _fold(
    computation: Callable[..., Sequence[Any]],
    arrays: list[Any],
    inits: list[Any],
    over: tuple[int, ...],
) -> list[Any]:
    """Pairs of neighbours are combined until one element is left: few steps, in the elements'
    order.
    """
    shape = arrays[0].shape
    kept = without(range(len(shape)), over)
    outer = tuple(shape[d] for d in kept)
    count = math.prod(shape[d] for d in over)
    rows = [
        reshape(
            transpose(x, permutation=(*kept, *over)), new_sizes=(*outer, count), dimensions=None
        )
        for x in arrays
    ]
    starts = [repeated(init, outer) for init in inits]
    if count == 0 or math.prod(outer) == 0:
        return starts

    def part(x: Any, start: int, stop: int, step: int) -> Any:
        still = (0,) * len(outer)
        return slice_(
            x,
            start_indices=(*still, start),
            limit_indices=(*outer, stop),
            strides=(*(1 for _ in outer), step),
        )

    while count > 1:
        even = count - count % 2
        combined = apply_elementwise(
            computation, [part(x, 0, even, 2) for x in rows], [part(x, 1, even, 2) for x in rows]
        )
        if count % 2:
            last = [part(x, count - 1, count, 1) for x in rows]
            combined = [
                concatenate(x, y, dimension=len(outer)) for x, y in zip(combined, last, strict=True)
            ]
        rows, count = combined, (count + 1) // 2
    totals = [reshape(x, new_sizes=outer, dimensions=None) for x in rows]
    return apply_elementwise(computation, starts, totals)


# --- cumulative


def _cumulative(primitive: Any, doc: str) -> Callable[..., Any]:
    def function(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
        x = array(operand)
        return primitive(x, axis=_axis(primitive.name, axis, x.ndim), reverse=bool(reverse))

    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = doc
    return function


_axis = axis

cumsum = _cumulative(
    cumulative.cumsum, """The cumulative sum along an axis, from the end when `reverse`."""
)
cumprod = _cumulative(
    cumulative.cumprod, """The cumulative product along an axis, from the end when `reverse`."""
)
cummax = _cumulative(
    cumulative.cummax, """The cumulative maximum along an axis, from the end when `reverse`."""
)
cummin = _cumulative(
    cumulative.cummin, """The cumulative minimum along an axis, from the end when `reverse`."""
)
cumlogsumexp = _cumulative(
    cumulative.cumlogsumexp,
    """log of the cumulative sum of exponentials along an axis, from the end when `reverse`.""",
)

__all__ = [
    "argmax", "argmin", "cumlogsumexp", "cummax", "cummin", "cumprod", "cumsum", "reduce",
    "reduce_and", "reduce_max", "reduce_min", "reduce_or", "reduce_prod", "reduce_sum",
    "reduce_xor",
]  # fmt: skip
