"""Products of arrays: dot_general and its simpler forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import dtypes
from vires.core.trace import aval_of
from vires.lax.arguments import array, axes
from vires.ops import contract as ops
from vires.ops.accept import refuse, typed_all
from vires.ops.contract import DotDimensionNumbers, Precision
from vires.ops.convert import convert

PrecisionLike = Any

_PRECISIONS = {
    "default": Precision.DEFAULT,
    "fastest": Precision.DEFAULT,
    "bfloat16": Precision.DEFAULT,
    "high": Precision.HIGH,
    "tensorfloat32": Precision.HIGH,
    "bfloat16_3x": Precision.HIGH,
    "highest": Precision.HIGHEST,
    "float32": Precision.HIGHEST,
}


def canonical_precision(precision: PrecisionLike) -> Precision | tuple[Precision, Precision] | None:
    """None, a `Precision`, or a pair of them, from those, from names, or from a pair of names."""
    if precision is None or isinstance(precision, Precision):
        return precision
    if isinstance(precision, str) and precision in _PRECISIONS:
        return _PRECISIONS[precision]
    if isinstance(precision, (tuple, list)) and len(precision) == 2:
        first, second = (canonical_precision(p) or Precision.DEFAULT for p in precision)
        if isinstance(first, Precision) and isinstance(second, Precision):
            return first, second
    names = ", ".join(map(repr, _PRECISIONS))
    raise ValueError(
        f"precision: needs None, a lax.Precision, one of {names}, or a pair; got {precision!r}"
    )


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
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    name = "dot_general"
    return ops.dot_general(
        x,
        y,
        dimension_numbers=(
            (axes(name, lhs_contract, x.ndim), axes(name, rhs_contract, y.ndim)),
            (axes(name, lhs_batch, x.ndim), axes(name, rhs_batch, y.ndim)),
        ),
        precision=canonical_precision(precision),
        preferred_element_type=None
        if preferred_element_type is None
        else dtypes.canonical(preferred_element_type),
    )


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
    "DotDimensionNumbers",
    "Precision",
    "PrecisionLike",
    "batch_matmul",
    "dot",
    "dot_general",
]
