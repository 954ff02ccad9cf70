"""Pytrees of arrays as vectors (as `jax.flatten_util`)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from vires.core import dtypes, tree
from vires.core.trace import aval_of
from vires.lax.arguments import array
from vires.lax.shape import concatenate, full, reshape, slice_in_dim
from vires.numpy.operands import shape_text
from vires.ops.convert import convert

__all__ = ["ravel_pytree"]


def ravel_pytree(pytree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """All elements of a tree as one vector, and the function that makes such a vector a tree again.

    The vector has the dtype that the leaves are promoted to; the tree's leaves get theirs back.

    >>> import vires.numpy as np
    >>> flat, unravel = ravel_pytree({"a": np.ones(2), "b": np.zeros((1, 1))})
    >>> flat.tolist(), unravel(2 * flat)["b"].shape
    ([1.0, 1.0, 0.0], (1, 1))
    """
    leaves, structure = tree.flatten(pytree)
    values = [array(x) for x in leaves]
    avals = [aval_of(x) for x in values]
    if avals:
        wide, _ = dtypes.promote(*((a.dtype, a.weak_type) for a in avals))
    else:
        wide = dtypes.default_float()
    ends = list(itertools.accumulate((a.size for a in avals), initial=0))
    parts = [reshape(convert(x, wide), (a.size,)) for x, a in zip(values, avals, strict=True)]
    flat = concatenate(parts, 0) if parts else full((0,), 0, wide)

    def unravel(vector: Any) -> Any:
        x = array(vector)
        found = aval_of(x)
        if found.shape != (ends[-1],) or found.dtype != wide:
            raise (ValueError if found.dtype == wide else TypeError)(
                f"unravel: needs a vector {wide.name}({ends[-1]},); got {shape_text(x)}"
            )
        pieces = [
            convert(reshape(slice_in_dim(x, start, end), a.shape), a.dtype)
            for a, start, end in zip(avals, ends[:-1], ends[1:], strict=True)
        ]
        return tree.unflatten(structure, pieces)

    return flat, unravel
