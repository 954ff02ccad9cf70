"""Products of arrays: dot_general and its simpler forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import dtypes
from vires.core.trace import aval_of
from vires.lax.arguments import array, axes
from vires.lax.precision import (
    DotAlgorithm,
    DotAlgorithmPreset,
    PrecisionLike,
    algorithm_of,
    canonical_precision,
    rounded,
)
from vires.ops import contract as ops
from vires.ops.accept import refuse, typed_all
from vires.ops.contract import DotDimensionNumbers, Precision
from vires.ops.convert import convert


def one_dtype(*xs: Any) -> list[Any]:
    """Operands converted to their common dtype."""
    arrays = [array(x) for x in xs]
    avals = [aval_of(x) for x in arrays]
    if all(a.dtype == avals[0].dtype for a in avals):
        return arrays
    dtype, _ = dtypes.promote(*((a.dtype, a.weak_type) for a in avals))
    return [convert(x, dtype) for x in arrays]


def dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: DotDimensionNumbers,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """The product of lhs and rhs summed over contracting axes, for each index of batch axes.

    `dimension_numbers` is ((lhs contracting, rhs contracting), (lhs batch, rhs batch)). The axes
    of the
    result are the batch axes, the free axes of lhs, the free axes of rhs. float16 and bfloat16 are
    accumulated in float32 and rounded once; integers wrap around in `preferred_element_type`.

    >>> import numpy as np
    >>> from vires import lax
    >>> x, y = np.ones((5, 2, 3), np.float32), np.ones((5, 3, 4), np.float32)
    >>> lax.dot_general(x, y, (((2,), (1,)), ((0,), (0,)))).shape
    (5, 2, 4)
    """
    x, y = one_dtype(lhs, rhs)
    preferred = None if preferred_element_type is None else dtypes.canonical(preferred_element_type)
    algorithm = algorithm_of(precision)
    if algorithm is not None:
        return _by_algorithm(x, y, dimension_numbers, algorithm, preferred)
    return _product(x, y, dimension_numbers, canonical_precision(precision), preferred)


def _product(x: Any, y: Any, dimension_numbers: Any, precision: Any, preferred: Any) -> Any:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    name = "dot_general"
    return ops.dot_general(
        x,
        y,
        dimension_numbers=(
            (axes(name, lhs_contract, x.ndim), axes(name, rhs_contract, y.ndim)),
            (axes(name, lhs_batch, x.ndim), axes(name, rhs_batch, y.ndim)),
        ),
        precision=precision,
        preferred_element_type=preferred,
    )


def _by_algorithm(
    x: Any, y: Any, numbers: Any, algorithm: tuple[Any, Any, Any], preferred: Any
) -> Any:
    """The product of rounded operands, summed in the type that the algorithm names."""
    left, right, sums = algorithm
    x, y = rounded(x, left, "dot_general"), rounded(y, right, "dot_general")
    dtype = aval_of(x).dtype
    if not dtypes.is_inexact(dtype) and sums is not None:
        raise refuse("dot_general", "real operands for an algorithm", typed_all((aval_of(x),)))
    if dtypes.kind(dtype) == "float" and sums is not None and sums.itemsize > dtype.itemsize:
        x, y = convert(x, sums), convert(y, sums)
    return convert(_product(x, y, numbers, None, None), preferred or dtype)


def dot(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: DotDimensionNumbers | None = None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """The product of vectors and matrices; with `dimension_numbers`, `dot_general`."""
    if dimension_numbers is None:
        m, n = aval_of(lhs).ndim, aval_of(rhs).ndim
        if m not in (1, 2) or n not in (1, 2) or aval_of(lhs).shape[-1] != aval_of(rhs).shape[0]:
            raise refuse(
                "dot",
                "vectors or matrices, the last axis of lhs as long as the first of rhs",
                typed_all((aval_of(lhs), aval_of(rhs))),
                "lax.dot_general",
            )
        dimension_numbers = (((m - 1,), (0,)), ((), ()))
    return dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type)


def batch_matmul(lhs: Any, rhs: Any, precision: PrecisionLike = None) -> Any:
    """The products of stacks of matrices whose leading axes are equal."""
    x, y = aval_of(lhs), aval_of(rhs)
    if x.ndim < 2 or x.ndim != y.ndim or x.shape[:-2] != y.shape[:-2] or x.shape[-1] != y.shape[-2]:
        raise refuse(
            "batch_matmul", "stacks of matrices with equal leading axes", typed_all((x, y))
        )
    stack: Sequence[int] = tuple(range(x.ndim - 2))
    return dot_general(lhs, rhs, (((x.ndim - 1,), (x.ndim - 2,)), (stack, stack)), precision)


__all__ = [
    "DotAlgorithm",
    "DotAlgorithmPreset",
    "DotDimensionNumbers",
    "Precision",
    "PrecisionLike",
    "batch_matmul",
    "dot",
    "dot_general",
]
