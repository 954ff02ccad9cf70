"""The decorator of eager functions whose work is mostly Python: their calls are planned.

`sum(x, axis=0)` normalises the axis, chooses an accumulator, binds operations and finds out how the
engine runs each:
microseconds of Python for nanoseconds of arithmetic. From the second call with the same types and
static arguments on, a
plan made of the recorded operations runs instead. While tracing, the function itself runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from vires import _native
from vires.api.jit import Jitted
from vires.core import dtypes, tree
from vires.core.config import config
from vires.core.trace import aval_of, engine_slot

_MOST_SEEN = 1024


_WIDE = frozenset((dtypes.float64, dtypes.complex128))


def _needs_all_digits(leaves: list[Any], static_values: Any) -> bool:
    """Whether a Python float meets a 64-bit dtype: a plan would take it as float32."""
    if not any(x.__class__ in (float, complex) for x in leaves):
        return False
    named = [x for x in tree.leaves(static_values) if isinstance(x, (str, type, np.dtype))]
    for x in named:
        try:
            if dtypes.canonical(x) in _WIDE:
                return True
        except TypeError:  # a name of something else than a dtype
            continue
    return any(aval_of(x).dtype in _WIDE for x in leaves)


def _is_builtin(skeleton: Any) -> bool:
    """Whether the native core can build a result along this tree."""
    if skeleton.__class__ in (tuple, list):
        return all(map(_is_builtin, skeleton))
    return skeleton is None or skeleton.__class__ is int


def planned(*arrays: str) -> Callable[[FunctionType], Any]:
    """Plan the eager calls of a function; `arrays` names its array arguments, the others are
    static.

    The shape of the result must follow from the types of the arrays and the static arguments.
    """

    def decorate(function: FunctionType) -> Any:
        # What inspect.signature says costs an import ten times as much.
        code = function.__code__
        named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        names = tuple(name for name in named if name not in arrays)
        positions = tuple(i for i in range(code.co_argcount) if named[i] not in arrays)
        jitted = Jitted(function, positions, names, (), (), False, True)
        seen: set[Any] = set()

        def miss(args: Any, kwargs: Any) -> Any:
            if config.debug_nans or config.debug_infs:
                return None
            static_values, dynamic = jitted.split(args, kwargs)
            leaves, treedef = tree.flatten(dynamic)
            if _needs_all_digits(leaves, static_values):
                return None
            key = (static_values, treedef, tuple(map(aval_of, leaves)), config.state)
            if key not in seen:
                if len(seen) >= _MOST_SEEN:
                    seen.clear()
                seen.add(key)
                return NotImplemented
            program = jitted.staged(args, kwargs)
            out_tree = program.out_tree
            skeleton = tree.unflatten(out_tree, range(out_tree.num_leaves))
            if _is_builtin(skeleton):
                return engine_slot.plan(program.closed, skeleton)
            plan = engine_slot.plan(program.closed)
            return None if plan is None else lambda *xs: tree.unflatten(out_tree, plan(*xs))

        op = _native.CompiledFunction(miss, function, positions, names)
        return functools.update_wrapper(op, function)

    return decorate


def shortcut(name: str, *, property: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Let the native core answer the simple calls of a function, those on concrete arrays with
    plain arguments; other calls run the function. `name` is the core's word for what it does.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        made: Any = (_native.Property if property else _native.Shortcut)(name, function)
        return functools.update_wrapper(made, function)

    return decorate
