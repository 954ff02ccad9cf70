"""Gradients of functions with a scalar result: grad, value_and_grad."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from vires.api.arguments import check_callable, name_of
from vires.api.selected import Selected, float0_like, gradient_leaf, settle, values_of, weak_as
from vires.core import dtypes, tree
from vires.core.primitive import Zero
from vires.core.trace import aval_of
from vires.ops.filled import full
from vires.transform.linearize import linearize as linearize_flat
from vires.transform.transpose import backward


def check_differentiable(
    leaves: Sequence[Any],
    operation: str,
    holomorphic: bool,
    allow_int: bool,
    real: bool = False,
) -> None:
    """Refuse inputs of other types; `real`: forward mode, one tangent for each element."""
    for x in leaves:
        dtype = aval_of(x).dtype
        kind = dtypes.kind(dtype)
        if holomorphic and kind != "complex":
            raise TypeError(
                f"{operation}: with holomorphic=True needs complex inputs; got {dtype.name}"
            )
        if real and kind == "complex" and not holomorphic:
            raise TypeError(
                f"{operation}: needs real inputs; got {dtype.name}; try holomorphic=True for a "
                "holomorphic function, or jacrev for one with real results"
            )
        if kind not in ("float", "complex") and not allow_int:
            raise TypeError(
                f"{operation}: needs real- or complex-valued inputs; got {dtype.name}; "
                "try x.astype(float), or allow_int=True for a float0 gradient"
            )


def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """Make a function that gives the value of `fun` and its gradient.

    `fun` maps arrays or pytrees to a scalar. The gradient has the structure of the argument (a
    tuple of them when `argnums` is a tuple), by reverse mode: one forward and one backward pass,
    whatever the number of inputs. For a complex input z = x + iy the gradient of a real value f is
    df/dx - i df/dy: its conjugate is the direction of steepest ascent.

    Args:
      fun: the function; it returns a scalar, or (scalar, aux) with `has_aux`.
      argnums: which positional argument(s) to differentiate with respect to.
      has_aux: also return auxiliary data: ((value, aux), gradient).
      holomorphic: differentiate a holomorphic complex function.
      allow_int: allow integer inputs, whose gradient is of dtype float0.

    Raises:
      TypeError: inputs that are not real (or complex), or an output that is not a scalar.

    >>> import vires
    >>> vires.value_and_grad(lambda x: x ** 2)(3.0)
    (Array(9., dtype=float32, weak_type=True), Array(6., dtype=float32, weak_type=True))
    """
    check_callable(fun, "value_and_grad")
    return _value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, "value_and_grad")


def _value_and_grad(
    fun: Callable[..., Any],
    argnums: Any,
    has_aux: bool,
    holomorphic: bool,
    allow_int: bool,
    operation: str,
) -> Callable[..., Any]:
    @functools.wraps(fun, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def with_gradient(*args: Any, **kwargs: Any) -> Any:
        selected = Selected(fun, argnums, args, kwargs, operation)
        primals = values_of(selected.leaves, operation)
        check_differentiable(primals, operation, holomorphic, allow_int)
        moving = [dtypes.is_inexact(aval_of(x).dtype) for x in primals]
        results, nonzeros, program = linearize_flat(
            lambda *xs: selected(*xs, has_aux=has_aux), primals, moving
        )
        _check_scalar(results, selected.out_tree, fun, holomorphic, operation)
        value = results[0]
        if nonzeros[0]:
            aval = aval_of(value)
            one = weak_as(aval, full((), 1, aval.dtype))
            cts = iter(backward(program.jaxpr, program.consts, [], [one]))
        else:
            cts = iter([Zero(aval_of(x)) for x, m in zip(primals, moving, strict=True) if m])
        gradient = [
            weak_as(aval_of(x), gradient_leaf(x, next(cts))) if m else float0_like(aval_of(x))
            for x, m in zip(primals, moving, strict=True)
        ]
        answer = selected.unflatten(gradient)
        value = tree.unflatten(selected.out_tree, [value])
        return ((value, settle(selected.aux)) if has_aux else value), answer

    return with_gradient


def _check_scalar(
    results: Sequence[Any], out_tree: Any, fun: Any, holomorphic: bool, operation: str
) -> None:
    if len(results) != 1:
        raise TypeError(
            f"{operation}: needs a function with a scalar result; got {name_of(fun)} with a "
            f"result of structure {out_tree}; try has_aux=True for auxiliary results, or "
            "jacrev for several results"
        )
    aval = aval_of(results[0])
    if aval.shape != ():
        raise TypeError(
            f"{operation}: needs a function with a scalar result; got {aval.str_short()} from "
            f"{name_of(fun)}; try to sum it, or jacrev / jacfwd / vmap(grad(f)) for derivatives of "
            "an array"
        )
    kind = dtypes.kind(aval.dtype)
    if kind == "complex" and not holomorphic:
        raise TypeError(
            f"{operation}: needs a real result; got {aval.dtype.name} from {name_of(fun)}; "
            "try holomorphic=True, or vjp for a general complex function"
        )
    if kind not in ("float", "complex"):
        raise TypeError(
            f"{operation}: needs a real result; got {aval.dtype.name} from {name_of(fun)}; try "
            "astype(float)"
        )


def grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """Make a function that gives the gradient of `fun`, a function with a scalar result.

    See `value_and_grad` for the arguments. With `has_aux` the new function returns (gradient, aux).

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.grad(np.sin)(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    check_callable(fun, "grad")
    both = _value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, "grad")

    @functools.wraps(fun, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, answer = both(*args, **kwargs)
        return (answer, value[1]) if has_aux else answer

    return gradient
