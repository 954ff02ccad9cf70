"""Sorting and the greatest elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires._native import Array
from vires.core.trace import Tracer
from vires.lax.arguments import array, axis
from vires.ops import sort as ops
from vires.ops.elementwise import neg


def sort(
    operand: Any | Sequence[Any], dimension: int = -1, is_stable: bool = True, num_keys: int = 1
) -> Any | tuple[Any, ...]:
    """Sort along an axis in ascending order; several operands are reordered together.

    The first `num_keys` operands decide, the first one first. nan comes last, -0.0 equals 0.0;
    complex
    numbers are ordered by real part, then imaginary part.

    >>> import numpy as np
    >>> from vires import lax
    >>> keys, values = lax.sort((np.array([3, 1, 2]), np.array([7, 8, 9])))
    >>> values.tolist()
    [8, 9, 7]
    """
    single = isinstance(operand, (Array, Tracer, np.ndarray))
    arrays = [array(operand)] if single else [array(x) for x in operand]
    d = axis("sort", dimension, arrays[0].ndim)
    results = ops.sort(*arrays, dimension=d, is_stable=bool(is_stable), num_keys=num_keys)
    return results[0] if single else tuple(results)


def sort_key_val(
    keys: Any, values: Any, dimension: int = -1, is_stable: bool = True
) -> tuple[Any, Any]:
    """Sort keys along an axis and reorder values with them."""
    first, second = sort((keys, values), dimension, is_stable, 1)
    return first, second


def top_k(operand: Any, k: int, *, axis: int = -1) -> tuple[Any, Any]:
    """The k greatest elements along an axis in descending order, and their indices.

    Of equal elements the first comes first; nan counts as greatest.

    >>> import numpy as np
    >>> from vires import lax
    >>> values, indices = lax.top_k(np.array([1, 5, 3]), 2)
    >>> values.tolist(), indices.tolist()
    ([5, 3], [1, 2])
    """
    x = array(operand)
    values, indices = ops.top_k(x, k=int(k), axis=_axis("top_k", axis, x.ndim))
    return values, indices


_axis = axis


def approx_max_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """The k greatest elements along an axis and their indices; exact here, whatever the recall
    target.
    """
    return top_k(operand, k, axis=reduction_dimension)


def approx_min_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """The k least elements along an axis and their indices; exact here, whatever the recall
    target.
    """
    values, indices = top_k(neg(array(operand)), k, axis=reduction_dimension)
    return neg(values), indices


__all__ = ["approx_max_k", "approx_min_k", "sort", "sort_key_val", "top_k"]
