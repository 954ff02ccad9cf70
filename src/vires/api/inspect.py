"""Looking at functions without running them: make_jaxpr, eval_shape, typeof."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from vires.api.arguments import ArgumentNames, as_positions, check_callable, is_arraylike, name_of
from vires.api.structs import ShapeDtypeStruct
from vires.core import dtypes, tree
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr
from vires.core.staging import stage
from vires.core.trace import Array, Tracer, as_array, aval_of


def _aval(x: Any, operation: str) -> ShapedArray:
    if is_arraylike(x):
        return aval_of(x)
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return ShapedArray(
            tuple(x.shape), dtypes.canonical(x.dtype), getattr(x, "weak_type", False)
        )
    raise TypeError(
        f"{operation}: needs arrays or types of arrays; got {type(x).__name__} ({x!r:.40})"
    )


def _staged(
    fun: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Any,
    static: tuple[int, ...],
    operation: str,
) -> Any:
    fixed = {i if i >= 0 else i + len(args) for i in static}
    dynamic = [None if i in fixed else x for i, x in enumerate(args)]
    leaves, in_tree = tree.flatten((dynamic, kwargs))
    out_tree: Any = None

    def flat(*xs: Any) -> list[Any]:
        nonlocal out_tree
        call_args, call_kwargs = tree.unflatten(in_tree, xs)
        call_args = [args[i] if i in fixed else x for i, x in enumerate(call_args)]
        results, out_tree = tree.flatten(fun(*call_args, **call_kwargs))
        return [x if isinstance(x, (Tracer, Array)) else as_array(x) for x in results]

    avals = [_aval(x, operation) for x in leaves]
    names = ArgumentNames(fun, in_tree)
    return stage(flat, avals, name=name_of(fun), names=names), out_tree


def make_jaxpr(
    fun: Callable[..., Any],
    static_argnums: int | Sequence[int] = (),
    axis_env: Any = None,
    return_shape: bool = False,
    abstracted_axes: Any = None,
) -> Callable[..., Any]:
    """Make a function that shows how `fun` is staged: it returns the closed jaxpr.

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.make_jaxpr(lambda x: np.sin(x) * 2.0)(1.0)
    { lambda ; a:f32[]. let
        b:f32[] = sin a
        c:f32[] = mul b 2.0:f32[]
      in (c,) }
    """
    check_callable(fun, "make_jaxpr")
    static = as_positions(static_argnums, "make_jaxpr")

    @functools.wraps(fun, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def jaxpr_maker(*args: Any, **kwargs: Any) -> ClosedJaxpr | tuple[ClosedJaxpr, Any]:
        closed, out_tree = _staged(fun, args, kwargs, static, "make_jaxpr")
        if not return_shape:
            return closed
        return closed, tree.unflatten(out_tree, [ShapeDtypeStruct.of(a) for a in closed.out_avals])

    return jaxpr_maker


def eval_shape(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The types of `fun`'s results, without computing them: a pytree of `ShapeDtypeStruct`.

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.eval_shape(np.dot, vires.ShapeDtypeStruct((2, 3), "float32"), np.ones(3))
    ShapeDtypeStruct(shape=(2,), dtype=float32)
    """
    check_callable(fun, "eval_shape")
    closed, out_tree = _staged(fun, args, kwargs, (), "eval_shape")
    return tree.unflatten(out_tree, [ShapeDtypeStruct.of(a) for a in closed.out_avals])


def typeof(x: Any) -> ShapedArray:
    """The abstract type of an array or number.

    >>> import vires
    >>> vires.typeof(1.0)
    ShapedArray(f32[], weak_type=True)
    """
    return aval_of(x)
