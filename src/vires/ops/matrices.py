"""Stacks of matrices: the family of operations on their last two axes, and what rules need of
matrices.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Undefined, flat_results
from vires.core.trace import aval_of
from vires.ops.accept import DtypeSet, check_dtype, refuse, typed
from vires.ops.compare import eq, ge
from vires.ops.complex import conj
from vires.ops.contract import dot_general
from vires.ops.convert import convert
from vires.ops.elementwise import add, div, mul
from vires.ops.filled import full, iota, zeros
from vires.ops.host import Routine, native_or_host, on_host
from vires.ops.lapack import stacked
from vires.ops.reduce import reduce_sum
from vires.ops.select import select_n
from vires.ops.shape import broadcast, broadcast_in_dim, map_at, transpose

LAPACK_DTYPES = DtypeSet(
    "float32, float64, complex64 or complex128",
    "x.astype(float32)",
    (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128),
)


class MatrixOperation(Primitive):
    """An operation on each matrix of a stack, computed by LAPACK.

    `function(*matrices, **params)` works on single matrices (vectors where `ranks` says 1);
    `small` says which native routine takes stacks of small ones; `many` works on a whole stack at
    once, and answers None where it cannot.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        *,
        infer: Callable[..., Any],
        function: Callable[..., Any],
        jvp: Callable[..., Any] | Undefined,
        transpose: Callable[..., Any] | Undefined,
        ranks: tuple[int, ...] = (2,),
        multiple_results: bool = False,
        small: Callable[..., Routine | None] | None = None,
        many: Callable[..., tuple[np.ndarray, ...] | None] | None = None,
    ) -> None:
        self.function = function
        self.many = many
        self.ranks = ranks
        super().__init__(
            name,
            doc,
            infer=infer,
            reference=self._reference,
            jvp=jvp,
            transpose=transpose,
            batch=self._batch,
            loops=(
                on_host(name, "LAPACK") if small is None else native_or_host(name, small, "LAPACK")
            ),
            multiple_results=multiple_results,
        )

    def on_one(self, avals: Sequence[ShapedArray]) -> bool:
        """Whether operands of these types are no stacks, so that `function` is all there is."""
        return all(aval.ndim == rank for aval, rank in zip(avals, self.ranks, strict=True))

    def _reference(self, *arrays: np.ndarray, **params: Any) -> Any:
        avals = self.infer(*(ShapedArray(x.shape, x.dtype) for x in arrays), **params)
        types = [(aval.shape, aval.dtype) for aval in flat_results(self, avals)]
        if self.many is not None and arrays[0].ndim > self.ranks[0]:
            found = self.many(*arrays, **params)
            if found is not None:
                return list(found) if self.multiple_results else found[0]
        results = stacked(functools.partial(self.function, **params), arrays, self.ranks, types)
        return results if self.multiple_results else results[0]

    def _batch(
        self, axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        moved = [map_at(x, d, axis.size, 0) for x, d in zip(operands, dims, strict=True)]
        results = self(*moved, **params)
        return results, [0] * len(results) if self.multiple_results else 0


def check_matrices(name: str, a: ShapedArray, square: bool = False) -> tuple[int, int]:
    """Rows and columns; raise unless the operand is a stack of (square) matrices LAPACK can
    take.
    """
    check_dtype(name, a, LAPACK_DTYPES)
    if a.ndim < 2 or (square and a.shape[-1] != a.shape[-2]):
        raise refuse(
            name, "a stack of square matrices" if square else "a stack of matrices", typed(a)
        )
    return a.shape[-2], a.shape[-1]


# --- algebra on stacks


def matmul(a: Any, b: Any) -> Any:
    """The products of two stacks of matrices."""
    rank = aval_of(a).ndim
    stack = tuple(range(rank - 2))
    return dot_general(
        a,
        b,
        dimension_numbers=(((rank - 1,), (rank - 2,)), (stack, stack)),
        precision=None,
        preferred_element_type=None,
    )


def swapped(a: Any) -> Any:
    """The transposed matrices."""
    rank = aval_of(a).ndim
    return transpose(a, permutation=(*range(rank - 2), rank - 1, rank - 2))


def adjoint(a: Any) -> Any:
    """The transposed matrices, conjugated."""
    moved = swapped(a)
    return conj(moved) if dtypes.kind(aval_of(a).dtype) == "complex" else moved


def _mask(shape: tuple[int, ...], compare: Callable[[Any, Any], Any], offset: int) -> Any:
    """Where compare(row + offset, column) holds, for each matrix of the stack."""
    inner = shape[-2:]
    rows, columns = (iota(dtype=dtypes.int32, shape=inner, dimension=d) for d in (0, 1))
    rows = add(rows, full(inner, offset, dtypes.int32)) if offset else rows
    return broadcast(compare(rows, columns), shape, (len(shape) - 2, len(shape) - 1))


def tril(a: Any, offset: int = 0) -> Any:
    """The elements on and below the diagonal (or the one `offset` above it), zeros elsewhere."""
    aval = aval_of(a)
    return select_n(_mask(aval.shape, ge, offset), zeros(aval), a)


def triu(a: Any) -> Any:
    """The elements on and above the diagonal, zeros elsewhere."""
    aval = aval_of(a)
    return select_n(_mask(aval.shape, ge, -1), a, zeros(aval))


def on_diagonal(a: Any, value: Any) -> Any:
    """The matrices with their diagonal taken from `value`, matrices of the same shape."""
    return select_n(_mask(aval_of(a).shape, eq, 0), a, value)


def eye_like(a: Any) -> Any:
    """Identity matrices of the shape and dtype of `a`."""
    aval = aval_of(a)
    return convert(_mask(aval.shape, eq, 0), aval.dtype)


def diagonal(a: Any) -> Any:
    """The diagonals as vectors."""
    aval = aval_of(a)
    kept = select_n(_mask(aval.shape, eq, 0), zeros(aval), a)
    longer = aval.ndim - 1 if aval.shape[-1] >= aval.shape[-2] else aval.ndim - 2
    return reduce_sum(kept, axes=(longer,))


def halved_diagonal_tril(a: Any) -> Any:
    """The lower triangle with its diagonal halved: L + L^H of it is a Hermitian matrix again."""
    lower = tril(a)
    half = mul(lower, full(aval_of(a).shape, 0.5, aval_of(a).dtype))
    return on_diagonal(lower, half)


def hermitian_of(a: Any, lower: bool = True) -> Any:
    """The Hermitian matrices of which `a` holds one triangle."""
    half = halved_diagonal_tril(a if lower else adjoint(a))
    return add(half, adjoint(half))


def rows_of(v: Any, like: ShapedArray) -> Any:
    """A vector of each stack as rows of matrices of a type: element j in column j."""
    dims = (*range(like.ndim - 2), like.ndim - 1)
    return broadcast_in_dim(v, shape=like.shape, broadcast_dimensions=dims)


def columns_of(v: Any, like: ShapedArray) -> Any:
    """A vector of each stack as columns of matrices of a type: element i in row i."""
    return broadcast_in_dim(v, shape=like.shape, broadcast_dimensions=tuple(range(like.ndim - 1)))


def inverse_or_zero(x: Any) -> Any:
    """1 / x, and 0 for x = 0."""
    aval = aval_of(x)
    one, none = full(aval.shape, 1, aval.dtype), zeros(aval)
    at_zero = eq(x, none)
    return select_n(at_zero, div(one, select_n(at_zero, x, one)), none)
