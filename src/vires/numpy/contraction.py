"""Products of arrays: `matmul`, `dot`, `tensordot`, `outer`, `kron`, `cross`, ..."""

from __future__ import annotations

import operator
from typing import Any

from vires.core import config, dtypes
from vires.numpy.creation import flat
from vires.numpy.float_parts import conj
from vires.numpy.operands import (
    ShapeError,
    axis_index,
    broadcast,
    broadcast_all,
    common_shape,
    convert,
    no_out,
    operand,
    promote,
    shape_text,
)
from vires.numpy.planned import planned
from vires.numpy.shaping import moveaxis
from vires.ops.contract import dot_general
from vires.ops.elementwise import mul, sub
from vires.ops.join import concatenate
from vires.ops.shape import broadcast_in_dim, expand_dims, reshape, squeeze, transpose

Axes = tuple[int, ...]


def contract(
    x: Any, y: Any, contracting: tuple[Axes, Axes], batch: tuple[Axes, Axes] = ((), ()),
    precision: Any = None,
    preferred: Any = None,
) -> Any:  # fmt: skip
    """The sum of products over contracting axes, for each index of the batch axes; operands of one
    dtype."""
    if precision is None:
        precision = config.config._options["default_matmul_precision"].value
    return dot_general(
        x,
        y,
        dimension_numbers=(contracting, batch),
        precision=precision,
        preferred_element_type=None if preferred is None else dtypes.canonical(preferred),
    )


def _pair(function: str, a: Any, b: Any, names: tuple[str, str] = ("a", "b")) -> tuple[Any, Any]:
    x, y = promote(operand(a, function, names[0]), operand(b, function, names[1]))
    return x, y


def _sizes_differ(function: str, x: Any, y: Any, i: int, j: int) -> ShapeError:
    return ShapeError(
        f"{function}: needs equal sizes of the axes that are summed over; got {shape_text(x)} and "
        f"{shape_text(y)}, "
        f"axis {i} of size {x.aval.shape[i]} and axis {j} of size {y.aval.shape[j]}; try "
        "transposing one of them"
    )


@planned("a", "b")
def matmul(
    a: Any,
    b: Any,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """The matrix product over the last two axes; leading axes broadcast; 1-d operands are a row and
    a column.

    >>> from vires import numpy as np
    >>> np.matmul(np.ones((2, 3)), np.arange(3.))
    Array([3., 3.], dtype=float32)
    """
    x, y = _pair("matmul", a, b)
    if not x.aval.ndim or not y.aval.ndim:
        raise ShapeError(
            f"matmul: needs operands of at least 1 axis; got {shape_text(x)} and {shape_text(y)}; "
            "try numpy.multiply"
        )
    m, n = x.aval.ndim, y.aval.ndim
    inner = max(n - 2, 0)
    if x.aval.shape[-1] != y.aval.shape[inner]:
        raise _sizes_differ("matmul", x, y, m - 1, inner)
    if m == 1 or n <= 2:  # batch axes of one side only are free axes
        return contract(x, y, ((m - 1,), (inner,)), ((), ()), precision, preferred_element_type)
    left, right = x.aval.shape[:-2], y.aval.shape[:-2]
    if left != right:
        return _matmul_broadcast(
            x, y, common_shape("matmul", left, right), precision, preferred_element_type
        )
    dims = tuple(range(len(left)))
    return contract(x, y, ((m - 1,), (n - 2,)), (dims, dims), precision, preferred_element_type)


def _matmul_broadcast(x: Any, y: Any, batch: Axes, precision: Any, preferred: Any) -> Any:
    """Batch axes that one side lacks, or has with size 1, are free axes of the other side: nothing
    is repeated."""
    rank = len(batch)
    left = (1,) * (rank + 2 - x.aval.ndim) + x.aval.shape
    right = (1,) * (rank + 2 - y.aval.ndim) + y.aval.shape
    both = [d for d in range(rank) if left[d] == right[d]]
    only_left = [d for d in range(rank) if d not in both and right[d] == 1]
    only_right = [d for d in range(rank) if d not in both and right[d] != 1]
    x = reshape(
        x,
        new_sizes=tuple(left[d] for d in range(rank) if d not in only_right) + left[-2:],
        dimensions=None,
    )
    y = reshape(
        y,
        new_sizes=tuple(right[d] for d in range(rank) if d not in only_left) + right[-2:],
        dimensions=None,
    )
    left_dims = [d for d in range(rank) if d not in only_right]
    right_dims = [d for d in range(rank) if d not in only_left]
    result = contract(
        x,
        y,
        ((len(left_dims) + 1,), (len(right_dims),)),
        (tuple(left_dims.index(d) for d in both), tuple(right_dims.index(d) for d in both)),
        precision,
        preferred,
    )
    # The result has axes: both, only_left, row, only_right, column.
    order = [*both, *only_left, "row", *only_right, "column"]
    wanted = [*range(rank), "row", "column"]
    permutation = tuple(order.index(name) for name in wanted)
    return (
        result
        if permutation == tuple(range(len(order)))
        else transpose(result, permutation=permutation)
    )


@planned("a", "b")
def dot(
    a: Any,
    b: Any,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """The sum of products over the last axis of `a` and the second to last (or only) axis of
    `b`."""
    x, y = _pair("dot", a, b)
    if not x.aval.ndim or not y.aval.ndim:
        product = mul(*broadcast_all("dot", x, y))
        return (
            product
            if preferred_element_type is None
            else convert(product, dtypes.canonical(preferred_element_type))
        )
    i, j = x.aval.ndim - 1, max(y.aval.ndim - 2, 0)
    if x.aval.shape[i] != y.aval.shape[j]:
        raise _sizes_differ("dot", x, y, i, j)
    return contract(x, y, ((i,), (j,)), ((), ()), precision, preferred_element_type)


@planned("a", "b")
def vdot(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Any:
    """The sum of conj(a) b over all elements."""
    return dot(conj(flat(operand(a, "vdot", "a"))), flat(operand(b, "vdot", "b")),
        precision=precision,
               preferred_element_type=preferred_element_type)  # fmt: skip


@planned("a", "b")
def inner(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Any:
    """The sum of products over the last axes."""
    x, y = _pair("inner", a, b)
    if not x.aval.ndim or not y.aval.ndim:
        return dot(x, y, precision=precision, preferred_element_type=preferred_element_type)
    i, j = x.aval.ndim - 1, y.aval.ndim - 1
    if x.aval.shape[i] != y.aval.shape[j]:
        raise _sizes_differ("inner", x, y, i, j)
    return contract(x, y, ((i,), (j,)), ((), ()), precision, preferred_element_type)


@planned("a", "b")
def outer(a: Any, b: Any, out: None = None) -> Any:
    """The products a_i b_j of all elements."""
    no_out("outer", out)
    x, y = _pair("outer", a, b)
    x, y = flat(x), flat(y)
    shape = (x.aval.size, y.aval.size)
    return mul(
        broadcast_in_dim(x, shape=shape, broadcast_dimensions=(0,)),
        broadcast_in_dim(y, shape=shape, broadcast_dimensions=(1,)),
    )


def _axis_list(function: str, axes: Any, x: Any) -> Axes:
    given = axes if isinstance(axes, (tuple, list)) else (axes,)
    return tuple(axis_index(function, d, x.aval.ndim) for d in given)


@planned("a", "b")
def tensordot(
    a: Any, b: Any, axes: Any = 2, *, precision: Any = None, preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:  # fmt: skip
    """The sum of products over the last `axes` axes of `a` and the first of `b`, or over two lists
    of axes."""
    x, y = _pair("tensordot", a, b)
    if isinstance(axes, (tuple, list)):
        if len(axes) != 2:
            raise ValueError(f"tensordot: needs an integer or a pair of axes; got {axes}")
        left, right = _axis_list("tensordot", axes[0], x), _axis_list("tensordot", axes[1], y)
    else:
        n = operator.index(axes)
        if n < 0 or n > min(x.aval.ndim, y.aval.ndim):
            raise ValueError(
                f"tensordot: needs axes from 0 to {min(x.aval.ndim, y.aval.ndim)}; got {n} for "
                "shapes "
                f"{x.aval.shape} and {y.aval.shape}"
            )
        left, right = tuple(range(x.aval.ndim - n, x.aval.ndim)), tuple(range(n))
    if len(left) != len(right):
        raise ValueError(f"tensordot: needs as many axes of a as of b; got {left} and {right}")
    for i, j in zip(left, right, strict=True):
        if x.aval.shape[i] != y.aval.shape[j]:
            raise _sizes_differ("tensordot", x, y, i, j)
    return contract(x, y, (left, right), ((), ()), precision, preferred_element_type)


def vecdot(
    x1: Any,
    x2: Any,
    /,
    *,
    axis: int = -1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The sum of conj(x1) x2 along an axis; other axes broadcast."""
    x, y = _pair("vecdot", x1, x2, ("x1", "x2"))
    if not x.aval.ndim or not y.aval.ndim:
        raise ShapeError(
            f"vecdot: needs operands of at least 1 axis; got {shape_text(x)} and {shape_text(y)}"
        )
    x, y = moveaxis(x, axis, -1), moveaxis(y, axis, -1)
    if x.aval.shape[-1] != y.aval.shape[-1]:
        raise _sizes_differ("vecdot", x, y, x.aval.ndim - 1, y.aval.ndim - 1)
    batch = common_shape("vecdot", x.aval.shape[:-1], y.aval.shape[:-1])
    x, y = (broadcast(z, (*batch, z.aval.shape[-1])) for z in (conj(x), y))
    dims, last = tuple(range(len(batch))), len(batch)
    return contract(x, y, ((last,), (last,)), (dims, dims), precision, preferred_element_type)


def matvec(x1: Any, x2: Any, /) -> Any:
    """The product of matrices and vectors; leading axes broadcast."""
    x, y = operand(x1, "matvec", "x1"), operand(x2, "matvec", "x2")
    return squeeze(
        matmul(x, expand_dims(y, (y.aval.ndim,))),
        dimensions=(max(x.aval.ndim, y.aval.ndim + 1) - 1,),
    )


def vecmat(x1: Any, x2: Any, /) -> Any:
    """The product of conjugated vectors and matrices; leading axes broadcast."""
    x, y = conj(operand(x1, "vecmat", "x1")), operand(x2, "vecmat", "x2")
    rank = max(x.aval.ndim + 1, y.aval.ndim)
    return squeeze(matmul(expand_dims(x, (x.aval.ndim - 1,)), y), dimensions=(rank - 2,))


@planned("a", "b")
def kron(a: Any, b: Any) -> Any:
    """The Kronecker product: blocks of `b` scaled by the elements of `a`."""
    x, y = _pair("kron", a, b)
    rank = max(x.aval.ndim, y.aval.ndim)
    left = (1,) * (rank - x.aval.ndim) + x.aval.shape
    right = (1,) * (rank - y.aval.ndim) + y.aval.shape
    pairs = tuple(n for pair in zip(left, right, strict=True) for n in pair)
    x = broadcast_in_dim(reshape(x, new_sizes=left, dimensions=None), shape=pairs,
                         broadcast_dimensions=tuple(range(0, 2 * rank, 2)))  # fmt: skip
    y = broadcast_in_dim(reshape(y, new_sizes=right, dimensions=None), shape=pairs,
                         broadcast_dimensions=tuple(range(1, 2 * rank, 2)))  # fmt: skip
    return reshape(
        mul(x, y), new_sizes=tuple(n * m for n, m in zip(left, right, strict=True)), dimensions=None
    )


@planned("a", "b")
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """The cross product of vectors of 3 components, or 2 (the third is 0; the result of two such is
    its third)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = _pair("cross", a, b)
    x, y = moveaxis(x, axisa, -1), moveaxis(y, axisb, -1)
    m, n = x.aval.shape[-1], y.aval.shape[-1]
    if m not in (2, 3) or n not in (2, 3):
        raise ShapeError(f"cross: needs vectors of 2 or 3 components; got {m} and {n}")
    batch = common_shape("cross", x.aval.shape[:-1], y.aval.shape[:-1])

    def component(z: Any, k: int) -> Any:
        return broadcast(z[..., k] if k < z.aval.shape[-1] else z[..., 0] * 0, batch)

    def minor(i: int, j: int) -> Any:
        return sub(mul(component(x, i), component(y, j)), mul(component(x, j), component(y, i)))

    if m == n == 2:
        return minor(0, 1)
    last = len(batch)
    parts = [expand_dims(minor(*pair), (last,)) for pair in ((1, 2), (2, 0), (0, 1))]
    return moveaxis(concatenate(*parts, dimension=last), -1, axisc)


__all__ = [
    "cross", "dot", "inner", "kron", "matmul", "matvec", "outer", "tensordot", "vdot", "vecdot",
    "vecmat",
]  # fmt: skip
