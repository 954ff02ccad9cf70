"""Recognises the sums, products and extremes among the functions that users reduce with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData
from vires.core.staging import stage
from vires.core.trace import Tracer, as_array, aval_of
from vires.ops.extremes import highest, lowest
from vires.ops.shape import broadcast, reshape
from vires.transform.vmap import batch, bring_to

#: The primitives that have a neutral element.
NEUTRAL = frozenset(("and", "add", "mul", "or", "xor", "max", "min"))


def monoid(computation: Callable[[Any, Any], Any], dtype: DType) -> str | None:
    """The name of the primitive that `computation(x, y)` is, when it is just one."""
    scalar = ShapedArray((), dtype)
    closed = stage(lambda x, y: [computation(x, y)], [scalar, scalar])
    jaxpr = closed.jaxpr
    if len(jaxpr.eqns) != 1 or jaxpr.constvars:
        return None
    (eqn,) = jaxpr.eqns
    if eqn.outvars != jaxpr.outvars or sorted(map(id, eqn.invars)) != sorted(map(id, jaxpr.invars)):
        return None
    return eqn.primitive.name


def identity(operation: str, dtype: DType) -> Any:
    """The neutral element of an operation that has one."""
    if operation == "and":
        if dtype == dtypes.bool_:
            return True
        return -1 if dtypes.kind(dtype) == "signed" else highest(dtype)
    return {"add": 0, "mul": 1, "or": 0, "xor": 0, "max": lowest(dtype), "min": highest(dtype)}[
        operation
    ]


def is_identity(value: Any, operation: str, dtype: DType) -> bool:
    """Whether a value is known to be the neutral element."""
    if isinstance(value, Tracer):
        return False
    return bool(np.asarray(as_array(value)) == np.asarray(identity(operation, dtype)).astype(dtype))


def apply_elementwise(
    computation: Callable[..., Sequence[Any]], first: Sequence[Any], second: Sequence[Any]
) -> list[Any]:
    """`computation(*first, *second)`, a function of scalars, on all elements of arrays of one
    shape.
    """
    shape = aval_of(first[0]).shape
    size = int(np.prod(shape, dtype=np.int64))
    axis = AxisData(None, size)
    flat = [reshape(x, new_sizes=(size,), dimensions=None) for x in (*first, *second)]
    results, dims = batch(computation, axis, flat, [0] * len(flat))
    return [
        reshape(bring_to(axis, y, d, 0), new_sizes=shape, dimensions=None)
        for y, d in zip(results, dims, strict=True)
    ]


def repeated(x: Any, shape: tuple[int, ...]) -> Any:
    """A 0-d value repeated to a shape."""
    return broadcast(x, shape, ())
