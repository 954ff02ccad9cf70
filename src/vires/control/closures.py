"""Functions that close over traced values: closure_convert, custom_gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from vires.control.custom_vjp import custom_vjp
from vires.control.functions import FlatFunction, as_operands, check_callables, name_of
from vires.core import dtypes, tree
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.staging import stage
from vires.core.trace import Tracer, aval_of


def closure_convert(
    fun: Callable[..., Any], *example_args: Any
) -> tuple[Callable[..., Any], list[Any]]:
    """Turn the traced values that `fun` closes over into arguments.

    Returns the converted function, to be called as `converted(*args, *values)`, and the values.
    `fun` is traced with arguments of the types of `example_args`. Only values that derivatives can
    flow to are converted.

    >>> import vires
    >>> def power(x, y):
    ...     f, hoisted = vires.closure_convert(lambda x: x * y, x)
    ...     return f(x, *hoisted)
    >>> vires.grad(power, 1)(vires.numpy.float32(2), vires.numpy.float32(3))
    Array(2., dtype=float32)
    """
    check_callables("closure_convert", fun=fun)
    leaves, in_tree = tree.flatten(example_args)
    examples = as_operands(leaves, "closure_convert", "example_args")
    flat = FlatFunction(fun, in_tree, "closure_convert")
    closed = stage(flat, [aval_of(x) for x in examples], name=name_of(fun))
    out_tree = flat.out_tree
    hoisted = [isinstance(c, Tracer) and dtypes.is_inexact(c.dtype) for c in closed.consts]
    values = [c for c, flag in zip(closed.consts, hoisted, strict=True) if flag]

    @functools.wraps(fun, assigned=("__name__", "__qualname__"), updated=())
    def converted(*args: Any) -> Any:
        count = len(args) - len(values)
        given = iter(args[count:])
        arguments, found = tree.flatten(tuple(args[:count]))
        if found != in_tree:
            raise TypeError(
                f"closure_convert: needs arguments of the structure of example_args, {in_tree}; "
                f"got {found}"
            )
        consts = [
            next(given) if flag else c for c, flag in zip(closed.consts, hoisted, strict=True)
        ]
        operands = as_operands(arguments, "closure_convert", "arguments")
        return tree.unflatten(out_tree, evaluate(closed.jaxpr, consts, *operands))

    return converted, values


class _Pullback:
    """A staged function of cotangents: its constants are leaves, its program is structure."""

    def __init__(self, consts: Sequence[Any], program: ClosedJaxpr, answer_tree: Any) -> None:
        self.consts, self.program, self.answer_tree = list(consts), program, answer_tree


tree.register_node(
    _Pullback,
    lambda p: (p.consts, (p.program, p.answer_tree)),
    lambda auxiliary, consts: _Pullback(list(consts), *auxiliary),
)


def custom_gradient(fun: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function its own reverse derivative: `fun(*args)` returns (result, pullback).

    `pullback(ct)` gives the cotangents of the arguments: one value for one argument, else a tuple.
    Second derivatives go through both `fun` and the pullback.

    >>> import vires
    >>> @vires.custom_gradient
    ... def f(x):
    ...     return x * x, lambda ct: (10.0 * ct * x,)
    >>> vires.grad(f)(vires.numpy.float32(2))
    Array(20., dtype=float32)
    """
    check_callables("custom_gradient", fun=fun)

    @functools.wraps(fun)
    def result_of(*args: Any, **kwargs: Any) -> Any:
        return _result_and_pullback(fun, args, kwargs)[0]

    wrapped = custom_vjp(result_of)

    def forward(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        result, pullback = _result_and_pullback(fun, args, kwargs)
        leaves, out_tree = tree.flatten(result)
        avals = [
            aval_of(x).to_tangent_aval()
            for x in as_operands(leaves, "custom_gradient", "the result")
        ]
        flat = FlatFunction(
            pullback, tree.structure((tree.unflatten(out_tree, leaves),)), "custom_gradient"
        )
        closed = stage(flat, avals, name="pullback")
        return result, (args, _Pullback(closed.consts, ClosedJaxpr(closed.jaxpr), flat.out_tree))

    def backward(residuals: Any, ct: Any) -> Any:
        args, pullback = residuals
        flat = evaluate(pullback.program.jaxpr, pullback.consts, *tree.leaves(ct))
        answer = tree.unflatten(pullback.answer_tree, flat)
        return (
            answer if isinstance(answer, (tuple, list)) and len(args) == len(answer) else (answer,)
        )

    wrapped.defvjp(forward, backward)
    return wrapped


def _result_and_pullback(fun: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Any]:
    answer = fun(*args, **kwargs)
    if not (isinstance(answer, tuple) and len(answer) == 2 and callable(answer[1])):
        raise TypeError(
            f"custom_gradient: needs {name_of(fun)} to return (result, function of the cotangent); "
            f"got {answer!r:.80}"
        )
    return answer
