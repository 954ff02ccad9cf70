"""Users' functions of pytrees as programs of flat arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any
from weakref import ref

import numpy as np

from vires._native import Array
from vires.core import dtypes, memo, tree
from vires.core.avals import ShapedArray
from vires.core.config import config
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.staging import close_over, stage
from vires.core.trace import Tracer, as_array, aval_of, thread
from vires.ops.convert import convert_element_type


def name_of(function: Any) -> str:
    """A name for messages and programs."""
    while hasattr(function, "func") and not hasattr(function, "__name__"):  # functools.partial
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def check_callables(operation: str, **functions: Any) -> None:
    for role, function in functions.items():
        if not callable(function):
            raise TypeError(
                f"{operation}: needs a function as {role}; got {type(function).__name__}"
            )


def is_operand(x: Any) -> bool:
    return x.__class__ is Array or isinstance(
        x, (Tracer, np.ndarray, np.generic, bool, int, float, complex)
    )


def as_operands(leaves: Sequence[Any], operation: str, what: str) -> list[Any]:
    """Leaves as arrays or tracers; `what` names them in the error for a leaf that is no array."""
    operands: list[Any] = []
    for x in leaves:
        if not is_operand(x) and hasattr(x, "__jax_array__"):
            x = x.__jax_array__()
        if not is_operand(x):
            raise TypeError(
                f"{operation}: needs {what} made of arrays and numbers; got {type(x).__name__} "
                f"({x!r:.40})"
            )
        operands.append(x if isinstance(x, (Array, Tracer)) else as_array(x))
    return operands


class FlatFunction:
    """A function of pytrees as one of leaves; it remembers the structure of its last result."""

    __slots__ = ("function", "in_tree", "operation", "out_tree")

    def __init__(self, function: Callable[..., Any], in_tree: Any, operation: str) -> None:
        self.function = function
        self.in_tree = in_tree
        self.operation = operation
        self.out_tree: Any = None

    def __call__(self, *leaves: Any) -> list[Any]:
        result = self.function(*tree.unflatten(self.in_tree, leaves))
        flat, self.out_tree = tree.flatten(result)
        return as_operands(flat, self.operation, f"the result of {name_of(self.function)}")


@dataclass(frozen=True)
class TracedFunction:
    """A staged function: a program without constants, their values, the structure of the result."""

    name: str
    closed: ClosedJaxpr
    consts: list[Any]
    out_tree: Any

    @property
    def out_avals(self) -> list[ShapedArray]:
        return self.closed.out_avals

    @property
    def own_avals(self) -> list[ShapedArray]:
        """Types of the arguments without those for the constants."""
        return self.closed.in_avals[len(self.consts) :]


_ATTRIBUTE = "_vires_traced"
_MOST_KEPT = 64


def trace_function(
    function: Callable[..., Any], in_tree: Any, avals: Sequence[ShapedArray], operation: str
) -> TracedFunction:
    """Stage a function of the arguments with these leaves.

    A plain Python function is staged once for its types, as long as the variables that it closes
    over stay the same objects and no traced value is among them.
    """
    if function.__class__ is not FunctionType:
        return _trace(function, in_tree, avals, operation)
    kept = function.__dict__.get(_ATTRIBUTE)
    captured = _captured(function)
    # functools.wraps copies the dictionary of a function to its wrapper: check whose entry it is.
    if (
        kept is None
        or kept[0]() is not function
        or not _same(kept[1], captured)
        or len(kept[2]) > _MOST_KEPT
    ):
        kept = function.__dict__[_ATTRIBUTE] = (ref(function), captured, {})
    key = (in_tree, tuple(avals), config.state, tuple(thread.axes.items()))
    traced = kept[2].get(key)
    if traced is None:
        traced = _trace(function, in_tree, avals, operation)
        if not any(isinstance(c, Tracer) for c in traced.consts):
            kept[2][key] = traced
    return traced


def _trace(
    function: Callable[..., Any], in_tree: Any, avals: Sequence[ShapedArray], operation: str
) -> TracedFunction:
    flat = FlatFunction(function, in_tree, operation)
    name = name_of(function)
    closed, consts = close_over(stage(flat, avals, name=name))
    return TracedFunction(name, closed, consts, flat.out_tree)


def _captured(function: FunctionType, depth: int = 4) -> list[Any]:
    """What a function refers to besides its arguments: closure, globals, defaults."""
    found: list[Any] = [function.__code__, *(function.__defaults__ or ())]
    names = function.__globals__
    found += [names[name] for name in function.__code__.co_names if name in names]
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            found.append(None)
    inner = [x for x in found if x.__class__ is FunctionType and x is not function] if depth else []
    for x in inner:
        found += _captured(x, depth - 1)
    return found


def _same(before: Sequence[Any], now: Sequence[Any]) -> bool:
    return len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


# --- types that meet: carries, branches


def joined_aval(a: ShapedArray, b: ShapedArray) -> ShapedArray | None:
    """The type for values of two types, when one is reached from the other by a weak type only."""
    if a.shape != b.shape:
        return None
    if a.dtype == b.dtype:
        return a if not a.weak_type else b
    if not a.weak_type and not b.weak_type:
        return None
    try:
        dtype, weak = dtypes.promote((a.dtype, a.weak_type), (b.dtype, b.weak_type))
    except TypeError:
        return None
    strong = [x for x in (a, b) if not x.weak_type]
    if strong and dtype != strong[0].dtype:
        return None
    return ShapedArray(a.shape, dtype, weak)


def convert(x: Any, aval: ShapedArray) -> Any:
    """A value with the dtype of a type."""
    found = aval_of(x)
    if found.dtype == aval.dtype and found.weak_type == aval.weak_type:
        return x
    return convert_element_type(x, new_dtype=aval.dtype, weak_type=aval.weak_type)


@memo.per_program
def with_result_types(closed: ClosedJaxpr, avals: tuple[ShapedArray, ...]) -> ClosedJaxpr:
    """The same program with its results converted to these types (shapes must agree)."""
    if all(a == b for a, b in zip(closed.out_avals, avals, strict=True)):
        return ClosedJaxpr(closed.jaxpr, closed.consts)

    def function(*args: Any) -> list[Any]:
        results = evaluate(closed.jaxpr, closed.consts, *args)
        return [convert(r, a) for r, a in zip(results, avals, strict=True)]

    return stage(function, closed.in_avals, name="converted")


def leaf_label(base: str, path: Sequence[Any]) -> str:
    """How messages name a leaf: `carry['w'][0]`."""
    return base + tree.path_text(path)
