"""scaled_dot: products of elements that share scales along the contracted axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import dtypes
from vires.core.trace import aval_of
from vires.lax.arguments import array
from vires.lax.contract import dot_general
from vires.ops.accept import refuse, typed, typed_all
from vires.ops.convert import convert
from vires.ops.elementwise import mul
from vires.ops.shape import broadcast, reshape


def widened(x: Any) -> Any:
    """An operand as float32 (wider ones as they are)."""
    value = array(x)
    dtype = aval_of(value).dtype
    if dtypes.kind(dtype) != "float" or dtype.itemsize < 4:
        return convert(value, dtypes.float32)
    return value


def dequantised(name: str, x: Any, scale: Any, axis: int) -> Any:
    """x times its scales, of which each serves a run of elements along an axis."""
    aval, found = aval_of(x), aval_of(scale)
    count = found.shape[axis] if found.ndim == aval.ndim else 0
    others = [d for d in range(aval.ndim) if d != axis]
    fits = count and aval.shape[axis] % count == 0
    if not fits or any(aval.shape[d] != found.shape[d] for d in others):
        raise refuse(
            name,
            f"scales with the operand's axes, axis {axis} a divisor of its size",
            f"{typed(aval)} with scales {typed(found)}",
            "",
            ValueError,
        )
    run = aval.shape[axis] // count
    split = (*aval.shape[:axis], count, run, *aval.shape[axis + 1 :])
    places = tuple(d for d in range(aval.ndim + 1) if d != axis + 1)
    spread = reshape(broadcast(scale, split, places), new_sizes=aval.shape, dimensions=None)
    return mul(x, convert(spread, aval.dtype))


def scaled_dot(
    lhs: Any,
    rhs: Any,
    *,
    lhs_scale: Any = None,
    rhs_scale: Any = None,
    dimension_numbers: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """(lhs lhs_scale) @ (rhs rhs_scale), each scale serving a run of elements of the contracted
    axis.

    Computed in float32 and rounded to `preferred_element_type`, bfloat16 by default. Scales have
    the operand's axes; only the contracted one is shorter, by a whole factor. Operands of 2 axes
    are matrices, those of 3 stacks of matrices, unless `dimension_numbers` say otherwise.

    >>> import numpy as np
    >>> from vires import lax
    >>> x, s = np.ones((1, 4), np.float32), np.array([[1, 10]], np.float32)
    >>> lax.scaled_dot(x, x.T, lhs_scale=s).item()
    22.0
    """
    name = "scaled_dot"
    x, y = widened(lhs), widened(rhs)
    if dimension_numbers is None:
        rank = aval_of(x).ndim
        if rank not in (2, 3) or aval_of(y).ndim != rank:
            raise refuse(
                name,
                "two matrices, two stacks of matrices, or dimension_numbers",
                typed_all((aval_of(x), aval_of(y))),
            )
        stack: Sequence[int] = (0,) if rank == 3 else ()
        dimension_numbers = (((rank - 1,), (rank - 2,)), (stack, stack))
    (lhs_contract, rhs_contract), _ = dimension_numbers
    if len(lhs_contract) != 1 or len(rhs_contract) != 1:
        raise refuse(name, "one contracted axis", f"{dimension_numbers}", "", ValueError)
    if lhs_scale is not None:
        x = dequantised(name, x, widened(lhs_scale), lhs_contract[0] % aval_of(x).ndim)
    if rhs_scale is not None:
        y = dequantised(name, y, widened(rhs_scale), rhs_contract[0] % aval_of(y).ndim)
    wanted = dtypes.bfloat16 if preferred_element_type is None else preferred_element_type
    return convert(dot_general(x, y, dimension_numbers), dtypes.canonical(wanted))


__all__ = ["scaled_dot"]
