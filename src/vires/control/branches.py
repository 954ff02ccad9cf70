"""cond and switch, as users call them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.cond import cond_call
from vires.control.functions import (
    TracedFunction,
    as_operands,
    check_callables,
    convert,
    is_operand,
    joined_aval,
    leaf_label,
    trace_function,
    with_result_types,
)
from vires.core import dtypes, memo, tree
from vires.core.avals import ShapedArray
from vires.core.config import config
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, Var
from vires.core.trace import Tracer, aval_of
from vires.ops.compare import ne
from vires.ops.elementwise import max as maximum
from vires.ops.elementwise import min as minimum
from vires.ops.filled import full_like

_MISSING: Any = object()


def _scalar(value: Any, operation: str, what: str) -> Any:
    if not is_operand(value) and not hasattr(value, "__jax_array__"):
        raise TypeError(
            f"{operation}: needs a 0-d {what}; got {type(value).__name__} ({value!r:.40})"
        )
    (operand,) = as_operands([value], operation, f"the {what}")
    aval = aval_of(operand)
    if aval.shape:
        raise TypeError(
            f"{operation}: needs a 0-d {what}; got {aval.str_short()}; try vires.numpy.where, or "
            "vmap over the elements"
        )
    return operand


def cond(
    pred: Any,
    true_fun: Callable[..., Any],
    false_fun: Callable[..., Any],
    *operands: Any,
    operand: Any = _MISSING,
    linear: Any = None,
) -> Any:
    """`true_fun(*operands)` if `pred` holds, else `false_fun(*operands)`; only one of them runs.

    Both are traced, so both must give results of one structure, with equal shapes and dtypes (a
    Python number takes the dtype of its counterpart). Under vmap with a mapped `pred` both run,
    and results are selected.

    Args:
      pred: a 0-d bool, or a number, which counts as true when it is not zero.
      true_fun, false_fun: functions of the operands.
      operands: pytrees. The older forms `cond(pred, true_operand, true_fun, false_operand,
        false_fun)` and
        `operand=x` are understood as well.

    Raises:
      TypeError: a `pred` that is no scalar, or branches whose results differ in structure or type.

    >>> from vires import lax
    >>> lax.cond(3 > 2, lambda x: x + 1.0, lambda x: x - 1.0, 5.0)
    Array(6., dtype=float32, weak_type=True)
    """
    if operand is not _MISSING:
        if operands:
            raise TypeError(
                f"cond: needs operands or operand=; got {len(operands)} operands and operand="
            )
        operands = (operand,)
    if (
        len(operands) == 2
        and callable(false_fun)
        and callable(operands[1])
        and not callable(true_fun)
    ):
        return _cond_of_two_operands(pred, true_fun, false_fun, *operands)
    check_callables("cond", true_fun=true_fun, false_fun=false_fun)
    predicate = _scalar(pred, "cond", "predicate")
    if config.disable_jit and not isinstance(predicate, Tracer):
        return (true_fun if predicate else false_fun)(*operands)
    if aval_of(predicate).dtype != dtypes.bool_:
        predicate = ne(predicate, full_like(predicate, 0))
    index = convert(predicate, ShapedArray((), dtypes.int32))
    return _choose("cond", index, [false_fun, true_fun], ["false_fun", "true_fun"], operands)


def _cond_of_two_operands(
    pred: Any,
    true_operand: Any,
    true_fun: Callable[..., Any],
    false_operand: Any,
    false_fun: Callable[..., Any],
) -> Any:
    """The form in which each branch has an operand of its own."""
    return cond(
        pred,
        lambda both: true_fun(both[0]),
        lambda both: false_fun(both[1]),
        (true_operand, false_operand),
    )


def switch(
    index: Any, branches: Sequence[Callable[..., Any]], *operands: Any, operand: Any = _MISSING
) -> Any:
    """`branches[index](*operands)`, with `index` clamped to the branches there are; only one runs.

    Args:
      index: a 0-d integer.
      branches: functions of the operands with results of one structure and type.
      operands: pytrees.

    Raises:
      TypeError: an `index` that is no integer scalar, or branches whose results differ in
      structure or type. ValueError: no branches.

    >>> from vires import lax
    >>> lax.switch(1, [lambda x: x, lambda x: 2.0 * x, lambda x: 3.0 * x], 5.0)
    Array(10., dtype=float32, weak_type=True)
    """
    if operand is not _MISSING:
        operands = (*operands, operand)
    branches = list(branches)
    if not branches:
        raise ValueError("switch: needs at least one branch; got none")
    names = [f"branches[{i}]" for i in range(len(branches))]
    check_callables("switch", **dict(zip(names, branches, strict=True)))
    number = _scalar(index, "switch", "integer index")
    if not dtypes.is_integer(aval_of(number).dtype):
        raise TypeError(
            f"switch: needs a 0-d integer index; got {aval_of(number).str_short()}; try "
            ".astype(int)"
        )
    if len(branches) == 1:
        return branches[0](*operands)
    if config.disable_jit and not isinstance(number, Tracer):
        return branches[min(max(int(number), 0), len(branches) - 1)](*operands)
    # Clamp before narrowing, so that a wide index keeps its meaning.
    number = minimum(maximum(number, full_like(number, 0)), full_like(number, len(branches) - 1))
    return _choose(
        "switch", convert(number, ShapedArray((), dtypes.int32)), branches, names, operands
    )


def _choose(
    operation: str,
    index: Any,
    branches: Sequence[Callable[..., Any]],
    names: Sequence[str],
    operands: Sequence[Any],
) -> Any:
    """Bind the chosen branch of several functions of the same operands."""
    leaves, in_tree = tree.flatten(tuple(operands))
    values = as_operands(leaves, operation, "operands")
    avals = [aval_of(x) for x in values]
    traced = [trace_function(branch, in_tree, avals, operation) for branch in branches]
    types = _joined_results(operation, names, traced)
    programs = [with_result_types(t.closed, types) for t in traced]
    consts: dict[int, Any] = {}
    for t in traced:
        consts.update((id(c), c) for c in t.consts)
    places = {key: i for i, key in enumerate(consts)}
    const_avals = tuple(aval_of(c) for c in consts.values())
    shared = tuple(
        _with_shared_constants(program, tuple(places[id(c)] for c in t.consts), const_avals)
        for program, t in zip(programs, traced, strict=True)
    )
    results = cond_call(index, *consts.values(), *values, branches=shared)
    return tree.unflatten(traced[0].out_tree, results)


@memo.per_program
def _with_shared_constants(
    closed: ClosedJaxpr, places: tuple[int, ...], avals: tuple[ShapedArray, ...]
) -> ClosedJaxpr:
    """A program that takes the constants of all branches, in place of its own leading arguments."""
    jaxpr = closed.jaxpr
    own = dict(zip(places, jaxpr.invars, strict=False))
    consts = [own[i] if i in own else Var(aval) for i, aval in enumerate(avals)]
    invars = [*consts, *jaxpr.invars[len(places) :]]
    return ClosedJaxpr(Jaxpr(jaxpr.constvars, invars, jaxpr.outvars, jaxpr.eqns), closed.consts)


def _joined_results(
    operation: str, names: Sequence[str], traced: Sequence[TracedFunction]
) -> tuple[ShapedArray, ...]:
    """The common types of the branches' results."""
    first = traced[0]
    for name, other in zip(names[1:], traced[1:], strict=True):
        if other.out_tree != first.out_tree:
            raise TypeError(
                f"{operation}: needs branches with results of one structure; got {first.out_tree} "
                f"from {names[0]} "
                f"({first.name}) and {other.out_tree} from {name} ({other.name})"
            )
    paths = tree.paths(tree.unflatten(first.out_tree, range(first.out_tree.num_leaves)))
    types = list(first.out_avals)
    for name, other in zip(names[1:], traced[1:], strict=True):
        for k, (a, b) in enumerate(zip(types, other.out_avals, strict=True)):
            joined = joined_aval(a, b)
            if joined is None:
                raise TypeError(
                    f"{operation}: needs branches with results of the same types; got "
                    f"{leaf_label('result', paths[k])} {a.str_short()} from {names[0]} "
                    f"({first.name}) and "
                    f"{b.str_short()} from {name} ({other.name})"
                    + ("; try x.astype(...) in one of them" if a.shape == b.shape else "")
                )
            types[k] = joined
    return tuple(types)
