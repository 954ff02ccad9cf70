"""Matrices with a pattern: `eye`, `tri`, `tril`, `diag`, `vander`, and the indices of such
patterns."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import EVAL, Tracer, thread
from vires.numpy.arithmetic import power
from vires.numpy.creation import asarray, dtype_or, flat, from_host
from vires.numpy.operands import (
    ShapeError,
    axis_index,
    broadcast,
    check_sizes,
    convert,
    integer,
    operand,
    promote_dtypes,
)
from vires.numpy.planned import planned
from vires.ops import compare
from vires.ops import elementwise as ops
from vires.ops.filled import full_like, iota, scalar
from vires.ops.join import pad
from vires.ops.parts import slice as slice_p
from vires.ops.select import select_n
from vires.ops.shape import broadcast_in_dim, expand_dims, reshape, transpose


def _diagonal_mask(n: int, m: int, k: Any, comparison: Any) -> Any:
    """For each element of an n x m matrix, how column - row compares with k."""
    rows = iota(dtype=dtypes.int32, shape=(n, m), dimension=0)
    columns = iota(dtype=dtypes.int32, shape=(n, m), dimension=1)
    if isinstance(k, Tracer):
        return comparison(columns, ops.add(rows, broadcast(convert(k, dtypes.int32), (n, m))))
    return comparison(columns, ops.add(rows, full_like(rows, k)) if k else rows)


def _offset(k: Any) -> Any:
    return k if isinstance(k, Tracer) else operator.index(k)


@planned()
def eye(N: int, M: int | None = None, k: Any = 0, dtype: Any = None, *, device: Any = None) -> Any:
    """An N x M matrix with ones on the k-th diagonal (above the main one for k > 0) and zeros
    elsewhere."""
    n, m = check_sizes("eye", (integer("eye", "N", N), integer("eye", "M", N if M is None else M)))
    dtype = dtype_or(dtype, dtypes.default_float())
    k = _offset(k)
    if thread.trace is EVAL:
        return from_host(
            np.eye(n, m, k, np.int8 if dtype.kind == "V" else dtype).astype(dtype, copy=False)
        )
    return convert(_diagonal_mask(n, m, k, compare.eq), dtype)


@planned()
def identity(n: int, dtype: Any = None) -> Any:
    """The n x n identity matrix."""
    return eye(n, dtype=dtype)


@planned()
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """An N x M matrix with ones at and below the k-th diagonal."""
    n, m = check_sizes("tri", (integer("tri", "N", N), integer("tri", "M", N if M is None else M)))
    mask = _diagonal_mask(n, m, _offset(k), compare.le)
    return convert(mask, dtype_or(dtype, dtypes.default_float()))


def _triangle(function: str, m: Any, k: Any, lower: bool) -> Any:
    x = operand(m, function, "m")
    if x.aval.ndim < 2:
        raise ValueError(
            f"{function}: needs at least 2 axes; got shape {x.aval.shape}; try numpy.diag or "
            "x[None, :]"
        )
    shape = x.aval.shape
    comparison = compare.le if lower else compare.ge
    mask = broadcast(_diagonal_mask(shape[-2], shape[-1], _offset(k), comparison), shape)
    return select_n(mask, full_like(x, 0), x)


@planned("m")
def tril(m: Any, k: int = 0) -> Any:
    """The matrix with zeros above the k-th diagonal; leading axes are batch axes."""
    return _triangle("tril", m, k, lower=True)


@planned("m")
def triu(m: Any, k: int = 0) -> Any:
    """The matrix with zeros below the k-th diagonal; leading axes are batch axes."""
    return _triangle("triu", m, k, lower=False)


# --- diagonals


@planned("a")
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements [..., i, ..., i + offset, ...] of two axes, as a new last axis."""
    x = operand(a, "diagonal", "a")
    ndim = x.aval.ndim
    if ndim < 2:
        raise ValueError(f"diagonal: needs at least 2 axes; got shape {x.aval.shape}")
    first, second = axis_index("diagonal", axis1, ndim), axis_index("diagonal", axis2, ndim)
    if first == second:
        raise ValueError(f"diagonal: needs two different axes; got {axis1} and {axis2}")
    offset = operator.index(offset)
    rest = [d for d in range(ndim) if d not in (first, second)]
    order = (*rest, first, second)
    if order != tuple(range(ndim)):
        x = transpose(x, permutation=order)
    *batch, n, m = x.aval.shape
    length = max(0, min(n + min(offset, 0), m - max(offset, 0)))
    if not length:
        return broadcast(scalar_zero(x), (*batch, 0))
    row, column = max(0, -offset), max(0, offset)
    square = slice_p(
        x,
        start_indices=(*[0] * len(batch), row, column),
        limit_indices=(*batch, row + length, column + length),
        strides=None,
    )
    # In row-major order the diagonal of a square is every (length + 1)-th element.
    flattened = reshape(square, new_sizes=(*batch, length * length), dimensions=None)
    return slice_p(
        flattened,
        start_indices=(0,) * (len(batch) + 1),
        limit_indices=(*batch, length * length),
        strides=(*[1] * len(batch), length + 1),
    )


def scalar_zero(x: Any) -> Any:
    return scalar(0, x.aval.dtype)


@planned("a")
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Any:
    """The sum of the diagonal of two axes."""
    return diagonal(a, offset, axis1, axis2).sum(axis=-1, dtype=dtype, out=out)


@planned("v")
def diag(v: Any, k: int = 0) -> Any:
    """The matrix with a 1-d array on its k-th diagonal, or the k-th diagonal of a matrix."""
    x = operand(v, "diag", "v")
    if x.aval.ndim == 2:
        return diagonal(x, k)
    if x.aval.ndim != 1:
        raise ValueError(
            f"diag: needs 1 or 2 axes; got shape {x.aval.shape}; try numpy.diagonal or "
            "numpy.diagflat"
        )
    k = operator.index(k)
    size = x.aval.size
    n = size + abs(k)
    # Each element is followed by n zeros: those rows of n + 1, cut to n x n, have it on the
    # diagonal.
    spread = pad(x, scalar_zero(x), padding_config=((0, n, n),) if size else ((0, 0, 0),))
    start = k if k > 0 else -k * n
    whole = pad(
        spread, scalar_zero(x), padding_config=((start, n * n - start - spread.aval.size, 0),)
    )
    return reshape(whole, new_sizes=(n, n), dimensions=None)


def diagflat(v: Any, k: int = 0) -> Any:
    """The matrix with all elements of `v` on its k-th diagonal."""
    return diag(flat(operand(v, "diagflat", "v")), k)


def fill_diagonal(a: Any, val: Any, wrap: bool = False, *, inplace: bool = True) -> Any:
    """`a` with `val` on its main diagonal; needs inplace=False, since arrays are immutable."""
    if inplace:
        raise ValueError(
            "fill_diagonal: needs inplace=False, since arrays are immutable; got True; "
            "try x = fill_diagonal(x, ..., inplace=False)"
        )
    x = operand(a, "fill_diagonal", "a")
    if x.aval.ndim < 2:
        raise ValueError(f"fill_diagonal: needs at least 2 axes; got shape {x.aval.shape}")
    value = flat(operand(val, "fill_diagonal", "val"))
    shape = x.aval.shape
    if x.aval.ndim == 2:
        n, m = shape
        rows = np.arange(n) if wrap and n > m else np.arange(min(n, m))
        if wrap and n > m:
            positions = np.arange(0, n * m, m + 1)
            rows, columns = positions // m, positions % m
        else:
            columns = rows
        where: tuple[Any, ...] = (rows, columns)
    else:
        if len(set(shape)) != 1:
            raise ValueError(
                f"fill_diagonal: needs equal sizes for more than 2 axes; got shape {shape}"
            )
        where = (np.arange(shape[0]),) * len(shape)
    count = len(where[0])
    repeats = -(-count // max(value.aval.size, 1))
    spread = flat(broadcast(value, (repeats, value.aval.size)))[:count]
    return x.at[where].set(spread)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The matrix of powers x^(N-1), ..., x, 1 of a 1-d array; 1, x, ... when `increasing`."""
    x = operand(x, "vander")
    if x.aval.ndim != 1:
        raise ValueError(f"vander: needs a 1-d array; got shape {x.aval.shape}")
    columns = x.aval.size if N is None else operator.index(N)
    if columns < 0:
        raise ValueError(f"vander: needs N >= 0; got {N}")
    exponents = np.arange(columns, dtype=np.int32)
    exponents = exponents if increasing else exponents[::-1]
    base = expand_dims(x, (1,))
    dtype = (
        promote_dtypes(x, asarray(exponents))[0]
        if not dtypes.is_inexact(x.aval.dtype)
        else x.aval.dtype
    )
    return power(convert(base, dtype), asarray(exponents.astype(dtype)))


# --- indices of patterns


def _static_size(function: str, n: Any) -> int:
    if isinstance(n, Tracer) and n.concrete() is None:
        raise ConcretizationTypeError(n, f"{function} (the size decides the shape)")
    return operator.index(n)


def _host_indices(arrays: Any) -> tuple[Any, ...]:
    return tuple(asarray(np.asarray(index, dtypes.default_int())) for index in arrays)


def diag_indices(n: int, ndim: int = 2) -> tuple[Any, ...]:
    """The indices of the main diagonal of an array with `ndim` axes of size n."""
    return _host_indices((np.arange(_static_size("diag_indices", n)),) * ndim)


def diag_indices_from(arr: Any) -> tuple[Any, ...]:
    """The indices of the main diagonal of an array with equal sizes."""
    shape = operand(arr, "diag_indices_from", "arr").aval.shape
    if len(shape) < 2 or len(set(shape)) != 1:
        raise ShapeError(f"diag_indices_from: needs at least 2 axes of one size; got shape {shape}")
    return diag_indices(shape[0], len(shape))


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Any, Any]:
    """The row and column indices of the elements at and below the k-th diagonal of an n x m
    matrix."""
    return _host_indices(np.tril_indices(_static_size("tril_indices", n), k, m))


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Any, Any]:
    """The row and column indices of the elements at and above the k-th diagonal of an n x m
    matrix."""
    return _host_indices(np.triu_indices(_static_size("triu_indices", n), k, m))


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Any, Any]:
    """`tril_indices` for the shape of a matrix."""
    return tril_indices(*_matrix_shape("tril_indices_from", arr, k))


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Any, Any]:
    """`triu_indices` for the shape of a matrix."""
    return triu_indices(*_matrix_shape("triu_indices_from", arr, k))


def _matrix_shape(function: str, arr: Any, k: int) -> tuple[int, int, int]:
    shape = tuple(arr.shape)
    if len(shape) != 2:
        raise ShapeError(f"{function}: needs a matrix; got shape {shape}")
    return shape[0], k, shape[1]


def mask_indices(n: int, mask_func: Any, k: int = 0, *, size: int | None = None) -> tuple[Any, Any]:
    """The indices where `mask_func(ones((n, n)), k)` is not zero."""
    return mask_func(broadcast_in_dim(scalar(1, dtypes.default_float()), shape=(n, n),
        broadcast_dimensions=()),
                     k).nonzero(size=size)  # fmt: skip


__all__ = [
    "diag", "diag_indices", "diag_indices_from", "diagflat", "diagonal", "eye", "fill_diagonal",
    "identity", "mask_indices", "trace", "tri", "tril", "tril_indices", "tril_indices_from",
    "triu", "triu_indices", "triu_indices_from", "vander",
]  # fmt: skip
