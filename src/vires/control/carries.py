"""The carry of a loop: its types, settled before the loop runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.functions import (
    TracedFunction,
    convert,
    joined_aval,
    leaf_label,
    with_result_types,
)
from vires.core import tree
from vires.core.avals import ShapedArray
from vires.core.trace import aval_of


def _check_structure(operation: str, what: str, function: str, before: Any, after: Any) -> None:
    if before != after:
        raise TypeError(
            f"{operation}: needs a {what} of one structure from step to step; got {before} going "
            f"in and {after} "
            f"coming out of {function}"
        )


def settle_carry(
    operation: str,
    init: Sequence[Any],
    init_tree: Any,
    trace: Callable[[Sequence[ShapedArray]], tuple[TracedFunction, Any]],
) -> tuple[list[Any], TracedFunction]:
    """Trace a body until its carry's types agree; Python numbers take the dtype that comes out.

    `trace` gives the traced body, whose first results are the carry, and the structure of that
    carry.
    """
    paths = tree.paths(tree.unflatten(init_tree, range(init_tree.num_leaves)))
    avals = [aval_of(x) for x in init]
    while True:
        traced, out_tree = trace(avals)
        _check_structure(operation, "carry", traced.name, init_tree, out_tree)
        settled: list[ShapedArray] = []
        for path, before, after in zip(paths, avals, traced.out_avals, strict=False):
            joined = joined_aval(before, after)
            if joined is None or (not before.weak_type and joined.dtype != before.dtype):
                raise TypeError(
                    f"{operation}: needs a carry of one type from step to step; got "
                    f"{leaf_label('carry', path)} "
                    f"{before.str_short()} going in and {after.str_short()} coming out of "
                    f"{traced.name}"
                    + ("; try x.astype(...) in the function" if before.shape == after.shape else "")
                )
            settled.append(joined if before.weak_type else before)
        if settled == avals:
            break
        avals = settled
    results = traced.out_avals
    wanted = [
        before if before.dtype != after.dtype else after
        for before, after in zip(avals, results, strict=False)
    ]
    closed = with_result_types(traced.closed, (*wanted, *results[len(wanted) :]))
    settled_init = [convert(x, aval) for x, aval in zip(init, avals, strict=True)]
    return settled_init, TracedFunction(traced.name, closed, traced.consts, traced.out_tree)
