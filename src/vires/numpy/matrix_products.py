"""Products of matrices: powers, chains, and those of `vires.numpy` under the names of the array API
standard."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from vires.numpy import contraction, triangles
from vires.numpy.operands import ShapeError, broadcast, integer, operand, shape_text
from vires.numpy.solutions import inv


def matrix_power(a: Any, n: int) -> Any:
    """The product of n copies of square matrices, of inverses for n < 0."""
    x = operand(a, "matrix_power", "a")
    if x.aval.ndim < 2 or x.aval.shape[-1] != x.aval.shape[-2]:
        raise ShapeError(f"matrix_power: needs square matrices; got {shape_text(x)}")
    n = integer("matrix_power", "n", n)
    if n < 0:
        x, n = inv(x), -n
    if n == 0:
        return broadcast(triangles.eye(x.aval.shape[-1], dtype=x.aval.dtype), x.aval.shape)
    result, factor = None, x
    while n:
        if n % 2:
            result = factor if result is None else contraction.matmul(result, factor)
        n //= 2
        if n:
            factor = contraction.matmul(factor, factor)
    return result


def multi_dot(arrays: Sequence[Any], *, precision: Any = None) -> Any:
    """The product of several matrices in the cheapest order; the first and last may be vectors."""
    xs = [operand(x, "multi_dot", "arrays") for x in arrays]
    if len(xs) < 2:
        raise ValueError(f"multi_dot: needs at least 2 arrays; got {len(xs)}")
    if (
        {x.aval.ndim for x in xs[1:-1]} - {2}
        or xs[0].aval.ndim not in (1, 2)
        or xs[-1].aval.ndim not in (1, 2)
    ):
        raise ShapeError(
            "multi_dot: needs matrices, and vectors at the ends only; got "
            + ", ".join(map(shape_text, xs))
        )
    left, right = xs[0].aval.ndim == 1, xs[-1].aval.ndim == 1
    sizes = [1 if left else xs[0].aval.shape[0],
        *(x.aval.shape[0 if x.aval.ndim == 1 and k == 0 else -1] if not (
        k == len(xs) - 1 and right) else 1 for k, x in enumerate(xs))]  # fmt: skip
    order = _cheapest(tuple(sizes))

    def product(i: int, j: int) -> Any:
        if i == j:
            return xs[i]
        k = order[i, j]
        return contraction.dot(product(i, k), product(k + 1, j), precision=precision)

    return product(0, len(xs) - 1)


@functools.lru_cache(maxsize=256)
def _cheapest(sizes: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """Where to split each chain of matrices, by dynamic programming on the number of
    multiplications."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = {
                k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            }
            split[i, j] = min(options, key=options.__getitem__)
            cost[i, j] = options[split[i, j]]
    return split


# --- the same functions under the names of the array API standard


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """The cross product of vectors of 3 components."""
    x, y = operand(x1, "cross", "x1"), operand(x2, "cross", "x2")
    if x.aval.shape[axis] != 3 or y.aval.shape[axis] != 3:
        raise ShapeError(
            f"cross: needs vectors of 3 components; got {shape_text(x)} and {shape_text(y)}"
        )
    return contraction.cross(x, y, axis=axis)


def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonals of the matrices in the last two axes."""
    return triangles.diagonal(x, offset, -2, -1)


def matmul(
    x1: Any, x2: Any, /, *, precision: Any = None, preferred_element_type: Any = None
) -> Any:
    """The matrix product over the last two axes."""
    return contraction.matmul(
        x1, x2, precision=precision, preferred_element_type=preferred_element_type
    )


def outer(x1: Any, x2: Any, /) -> Any:
    """The products of the elements of two 1-d arrays."""
    x, y = operand(x1, "outer", "x1"), operand(x2, "outer", "x2")
    if x.aval.ndim != 1 or y.aval.ndim != 1:
        raise ShapeError(f"outer: needs two 1-d arrays; got {shape_text(x)} and {shape_text(y)}")
    return contraction.outer(x, y)


def tensordot(
    x1: Any, x2: Any, /, *, axes: Any = 2, precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:  # fmt: skip
    """The sum of products over axes of both arrays."""
    return contraction.tensordot(
        x1, x2, axes, precision=precision, preferred_element_type=preferred_element_type
    )


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sums of the diagonals of the matrices in the last two axes."""
    return triangles.trace(x, offset, -2, -1, dtype)


def vecdot(
    x1: Any,
    x2: Any,
    /,
    *,
    axis: int = -1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The sum of conj(x1) x2 along an axis."""
    return contraction.vecdot(
        x1, x2, axis=axis, precision=precision, preferred_element_type=preferred_element_type
    )
