"""while_loop and fori_loop, as users call them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.carries import settle_carry
from vires.control.functions import (
    TracedFunction,
    as_operands,
    check_callables,
    convert,
    trace_function,
)
from vires.control.scan import scan_call
from vires.control.while_call import bind_while
from vires.core import dtypes, memo, tree
from vires.core.avals import ShapedArray
from vires.core.config import config
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.staging import stage
from vires.core.trace import Tracer, aval_of
from vires.ops.compare import lt
from vires.ops.elementwise import add
from vires.ops.filled import full_like

# --- while_loop


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any
) -> Any:
    """Apply `val = body_fun(val)` as long as `cond_fun(val)` holds.

    Differentiable in forward mode only, since the number of steps is not known beforehand. Under
    vmap the loop runs until it has ended for all examples; each keeps the value it ended with.

    Args:
      cond_fun: from the value to a 0-d bool.
      body_fun: from the value to a value of the same structure, shapes and dtypes.
      init_val: the first value, a pytree.

    Raises:
      TypeError: a value that changes its structure or type, or a condition that is no 0-d bool.
      ValueError: reverse mode through the loop.

    >>> from vires import lax
    >>> lax.while_loop(lambda x: x < 100, lambda x: 3 * x, 1)
    Array(243, dtype=int32, weak_type=True)
    """
    check_callables("while_loop", cond_fun=cond_fun, body_fun=body_fun)
    leaves, init_tree = tree.flatten(init_val)
    init = as_operands(leaves, "while_loop", "init_val")
    if config.disable_jit and not any(isinstance(x, Tracer) for x in init):
        value = tree.unflatten(init_tree, init)
        while cond_fun(value):
            value = body_fun(value)
        return value
    in_tree = tree.structure((init_val,))

    def trace(avals: Sequence[ShapedArray]) -> tuple[TracedFunction, Any]:
        traced = trace_function(body_fun, in_tree, avals, "while_loop")
        return traced, traced.out_tree

    start, body = settle_carry("while_loop", init, init_tree, trace)
    condition = trace_function(cond_fun, in_tree, [aval_of(x) for x in start], "while_loop")
    found = condition.out_avals
    if (
        len(found) != 1
        or found[0].shape
        or found[0].dtype != dtypes.bool_
        or condition.out_tree != tree.leaf_structure()
    ):
        got = ", ".join(aval.str_short() for aval in found)
        raise TypeError(
            f"while_loop: needs cond_fun to return a 0-d bool; got ({got}) from {condition.name}; "
            "try a comparison, or .any() or .all() for arrays"
        )
    out = bind_while(condition.consts, body.consts, start, condition.closed, body.closed)
    return tree.unflatten(init_tree, out)


# --- fori_loop


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable[[Any, Any], Any],
    init_val: Any,
    *,
    unroll: int | bool | None = None,
) -> Any:
    """Apply `val = body_fun(i, val)` for i = lower, ..., upper - 1.

    With bounds that are known while tracing the loop is a `scan` and differentiable in both modes;
    otherwise it is a `while_loop`.

    Args:
      lower, upper: 0-d integers. No step is made when `upper <= lower`.
      body_fun: from the index and the value to a value of the same structure, shapes and dtypes.
      init_val: the first value, a pytree.
      unroll: how many steps to write out in the loop's body (known bounds only).

    Raises:
      TypeError: bounds that are no integers, or a value that changes its structure or type.

    >>> from vires import lax
    >>> lax.fori_loop(0, 5, lambda i, total: total + i, 0)
    Array(10, dtype=int32, weak_type=True)
    """
    check_callables("fori_loop", body_fun=body_fun)
    bounds = as_operands([lower, upper], "fori_loop", "bounds")
    for bound in bounds:
        aval = aval_of(bound)
        if aval.shape or not dtypes.is_integer(aval.dtype):
            raise TypeError(
                f"fori_loop: needs bounds that are 0-d integers; got {aval.str_short()}"
            )
    pairs = [(aval_of(b).dtype, aval_of(b).weak_type) for b in bounds]
    dtype, _ = dtypes.promote(*pairs)
    # The index is weakly typed, so that it adapts to the arrays that it meets.
    index_aval = ShapedArray((), dtype, True)
    first, last = (convert(b, index_aval) for b in bounds)
    known = [_known(b) for b in bounds]
    leaves, init_tree = tree.flatten(init_val)
    init = as_operands(leaves, "fori_loop", "init_val")
    if config.disable_jit and None not in known:
        return _unrolled_fori(known, body_fun, tree.unflatten(init_tree, init))
    in_tree = tree.structure((0, init_val))

    def trace(avals: Sequence[ShapedArray]) -> tuple[TracedFunction, Any]:
        traced = trace_function(body_fun, in_tree, [index_aval, *avals], "fori_loop")
        return traced, traced.out_tree

    start, body = settle_carry("fori_loop", init, init_tree, trace)
    program = _counting(body.closed, len(body.consts))
    if known[0] is not None and known[1] is not None:
        steps = max(known[1] - known[0], 0)
        count = 1 if unroll is None or unroll is False else steps if unroll is True else int(unroll)
        out = scan_call(
            *body.consts,
            first,
            *start,
            jaxpr=program,
            length=steps,
            reverse=False,
            num_consts=len(body.consts),
            num_carry=len(start) + 1,
            linear=(False,) * len(program.in_avals),
            unroll=max(count, 1),
            _split_transpose=False,
        )
    else:
        if unroll is not None and unroll is not False:
            raise ValueError(
                "fori_loop: needs bounds known while tracing for unroll; got traced ones"
            )
        out = bind_while(
            [last], body.consts, [first, *start], _below(program, len(body.consts)), program
        )
    return tree.unflatten(init_tree, out[1:])


def _known(bound: Any) -> int | None:
    value = bound.concrete() if isinstance(bound, Tracer) else bound
    return None if value is None else int(value)


def _unrolled_fori(bounds: Sequence[Any], body_fun: Callable[..., Any], value: Any) -> Any:
    for i in range(*bounds):
        value = body_fun(i, value)
    return value


@memo.per_program
def _counting(body: ClosedJaxpr, num_consts: int) -> ClosedJaxpr:
    """consts, i, values -> i + 1, values."""

    def function(*args: Any) -> list[Any]:
        i = args[num_consts]
        return [add(i, full_like(i, 1)), *evaluate(body.jaxpr, body.consts, *args)]

    return stage(function, body.in_avals, name="fori_loop")


@memo.per_program
def _below(body: ClosedJaxpr, num_consts: int) -> ClosedJaxpr:
    """upper, i, values -> whether i < upper."""
    carry = body.in_avals[num_consts:]
    return stage(lambda upper, i, *values: [lt(i, upper)], [carry[0], *carry], name="fori_loop")
