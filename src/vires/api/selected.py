"""The function and the values that are differentiated, and derivatives as users get them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.api.arguments import as_positions, is_arraylike, name_of
from vires.core import dtypes, tree
from vires.core.avals import ShapedArray
from vires.core.primitive import Zero
from vires.core.trace import Tracer, as_array, aval_of
from vires.ops.convert import convert_element_type
from vires.ops.filled import zeros


def values_of(leaves: Sequence[Any], operation: str) -> list[Any]:
    """Leaves as arrays or tracers."""
    for x in leaves:
        if not is_arraylike(x):
            raise TypeError(
                f"{operation}: needs arrays or numbers; got {type(x).__name__} ({x!r:.40})"
            )
    return [x if isinstance(x, Tracer) else as_array(x) for x in leaves]


class Selected:
    """A function seen as one of the arguments at some positions, with the others fixed."""

    def __init__(
        self,
        function: Callable[..., Any],
        argnums: int | Sequence[int],
        args: Sequence[Any],
        kwargs: Any,
        operation: str,
    ):
        self.positions = as_positions(argnums, operation)
        for i in self.positions:
            if not -len(args) <= i < len(args):
                raise TypeError(
                    f"{operation}: needs an argument at position {i} (argnums={argnums}); "
                    f"got {len(args)} positional arguments"
                )
        self.single = not isinstance(argnums, (tuple, list))
        self.function, self.args = function, list(args)
        self.kwargs, self.operation = kwargs, operation
        chosen = tuple(args[i] for i in self.positions)
        self.leaves, self.treedef = tree.flatten(chosen)
        self.out_tree: Any = None
        self.aux: Any = None

    def __call__(self, *leaves: Any, has_aux: bool = False) -> list[Any]:
        args = list(self.args)
        for i, value in zip(self.positions, tree.unflatten(self.treedef, leaves), strict=True):
            args[i] = value
        result = self.function(*args, **self.kwargs)
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError(
                    "has_aux: needs a function that returns a pair (result, aux); got "
                    f"{type(result).__name__}"
                )
            result, self.aux = result
        flat, self.out_tree = tree.flatten(result)
        for x in flat:
            if not is_arraylike(x):
                raise TypeError(
                    f"{self.operation}: needs a function whose results are arrays; got "
                    f"{type(x).__name__} from {name_of(self.function)}"
                )
        return flat

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        chosen = tree.unflatten(self.treedef, leaves)
        return chosen[0] if self.single else chosen


def float0_like(aval: Any) -> np.ndarray:
    return np.zeros(aval.shape, dtypes.float0)


def gradient_leaf(primal: Any, ct: Any) -> Any:
    aval = aval_of(primal)
    tangent = aval.to_tangent_aval()
    if tangent.dtype == dtypes.float0:
        return float0_like(aval)
    return zeros(aval) if ct.__class__ is Zero else ct


def weak_as(aval: ShapedArray, x: Any) -> Any:
    """The gradient of a Python scalar is as weakly typed as the scalar, as in JAX."""
    if not aval.weak_type or aval_of(x).weak_type:
        return x
    return convert_element_type(x, new_dtype=aval.dtype, weak_type=True)


def settle(aux: Any) -> Any:
    """Auxiliary results without the tracers of the differentiation that made them."""
    from_trace = [
        getattr(x, "primal", x) if isinstance(x, Tracer) and x._trace.finished else x
        for x in tree.leaves(aux)
    ]
    return tree.unflatten(tree.structure(aux), from_trace)


def tracked(flat: Sequence[Any]) -> list[Any]:
    """Results as arrays or tracers, so that Python numbers get a type."""
    return [x if isinstance(x, Tracer) else as_array(x) for x in flat]
