"""custom_vmap: functions that bring their own rule for many examples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from vires.control.call import check_arguments
from vires.control.custom_calls import Rule
from vires.control.functions import as_operands, check_callables, name_of, trace_function
from vires.control.lifting import ProgramPrimitive, leading
from vires.control.map_loop import map as map_one_by_one
from vires.control.programs import (
    array_of,
    call_block,
    choose,
    is_linear,
    moving,
    rearranged,
    run_reference,
    zero_tangents,
)
from vires.core import tree
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr
from vires.core.primitive import AxisData, Zero
from vires.core.staging import stage
from vires.core.trace import EVAL, aval_of, thread
from vires.ops.shape import move_axis
from vires.transform.jvp import jvp_jaxpr, push_forward
from vires.transform.transpose import backward, backward_jaxpr
from vires.transform.vmap import bring_to

FlatRule = Callable[[int, Sequence[bool], Sequence[Any]], tuple[list[Any], list[bool]]]


class custom_vmap:
    """Give a function its own rule for vmap.

    `f.def_vmap(rule)` sets it: `rule(axis_size, in_batched, *args) -> (result, out_batched)`.
    Mapped arguments have the examples along axis 0; `in_batched` is a list with a pytree of bool
    for each argument; `out_batched` is one for the result. Derivatives of f and the rule follow.

    >>> import vires
    >>> import vires.numpy as np
    >>> from vires.control.custom_vmap import custom_vmap
    >>> @custom_vmap
    ... def f(x):
    ...     return x + 1.0
    >>> @f.def_vmap
    ... def rule(axis_size, in_batched, x):
    ...     return x + 100.0, True
    >>> vires.vmap(f)(np.zeros(2))
    Array([100., 100.], dtype=float32)
    """

    def __init__(self, fun: Callable[..., Any]) -> None:
        check_callables("custom_vmap", fun=fun)
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.vmap_rule: Callable[..., Any] | None = None

    def def_vmap(self, vmap_rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule."""
        self.vmap_rule = vmap_rule
        return vmap_rule

    def __call__(self, *args: Any) -> Any:
        if thread.trace is EVAL:
            return self.fun(*args)
        name = name_of(self.fun)
        if self.vmap_rule is None:
            raise AttributeError(
                f"custom_vmap: needs a rule before {name} is called; got none; try {name}.def_vmap"
            )
        leaves, in_tree = tree.flatten(args)
        operands = as_operands(leaves, "custom_vmap", f"arguments of {name}")
        traced = trace_function(self.fun, in_tree, [aval_of(x) for x in operands], "custom_vmap")
        rule = _flat_rule(name, self.vmap_rule, in_tree, traced.out_tree)
        results = custom_vmap_call(
            *traced.consts,
            *operands,
            call=traced.closed,
            rule=Rule(f"vmap of {name}", rule),
            num_consts=len(traced.consts),
        )
        return tree.unflatten(traced.out_tree, results)


def _flat_rule(name: str, rule: Callable[..., Any], in_tree: Any, out_tree: Any) -> FlatRule:
    """A user's rule on flat operands."""

    def flat(size: int, mapped: Sequence[bool], operands: Sequence[Any]) -> Any:
        args = tree.unflatten(in_tree, operands)
        in_batched = list(tree.unflatten(in_tree, mapped))
        answer = rule(size, in_batched, *args)
        if not (isinstance(answer, tuple) and len(answer) == 2):
            raise TypeError(
                f"custom_vmap: needs the rule of {name} to return a pair (result, out_batched); "
                f"got {answer!r:.80}"
            )
        results, found = tree.flatten(answer[0])
        if found != out_tree:
            raise TypeError(
                f"custom_vmap: needs the rule of {name} to return a result of the structure "
                f"{out_tree}; got {found}"
            )
        flags = [bool(f) for f in tree.broadcast_prefix(answer[1], answer[0])]
        return as_operands(results, "custom_vmap", f"the result of the rule of {name}"), flags

    return flat


def _infer(*avals: ShapedArray, call: ClosedJaxpr, **params: Any) -> list[ShapedArray]:
    check_arguments("custom_vmap", avals, call.in_avals)
    return call.out_avals


def _jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    call: ClosedJaxpr,
    rule: Rule,
    num_consts: int,
) -> Any:
    flags = moving(tangents)
    program, out_nonzeros = jvp_jaxpr(call, flags)
    count = len(primals) - num_consts
    own = flags[num_consts:]
    if any(flags[:num_consts]):
        raise TypeError(
            "custom_vmap: needs derivatives with respect to arguments only; got one with respect "
            "to a value that the function closes over; try to pass it as an argument"
        )

    def rule_of_both(size: int, mapped: Sequence[bool], operands: Sequence[Any]) -> Any:
        """The rule of the jvp: the jvp of the rule."""
        axis = AxisData(None, size)
        tangents_given = iter(zip(operands[count:], mapped[count:], strict=True))
        values: list[Any] = []
        full: list[Any] = []
        both: list[bool] = []
        for x, m, moves in zip(operands[:count], mapped[:count], own, strict=True):
            if moves:
                # An argument is mapped if its value or its tangent is.
                t, t_mapped = next(tangents_given)
                wide = m or t_mapped
                values.append(bring_to(axis, x, 0 if m else None, 0) if wide else x)
                full.append(bring_to(axis, t, 0 if t_mapped else None, 0) if wide else t)
                both.append(wide)
            else:
                values.append(x)
                full.append(Zero(aval_of(x).to_tangent_aval()))
                both.append(m)
        out_flags: list[bool] = []

        def run(*xs: Any) -> list[Any]:
            results, found = rule(size, both, xs)
            out_flags[:] = found
            return results

        results, moved = push_forward(run, values, full)
        kept = [array_of(t) for t, nz in zip(moved, out_nonzeros, strict=True) if nz]
        marks = [m for m, nz in zip(out_flags, out_nonzeros, strict=True) if nz]
        return [*results, *kept], [*out_flags, *marks]

    given = [t for t in tangents if t.__class__ is not Zero]
    out = custom_vmap_call(
        *primals,
        *given,
        call=program,
        rule=Rule(f"jvp of {rule}", rule_of_both),
        num_consts=num_consts,
    )
    results = out[: len(out_nonzeros)]
    return results, zero_tangents(results, out[len(out_nonzeros) :], out_nonzeros)


def _linearize(nonzeros: Sequence[bool], operands: Sequence[Any], **params: Any) -> Any:
    """Call the program; its tangents are one operation, which has a rule for many examples."""
    results = custom_vmap_call(*operands, **params)
    out_nonzeros = jvp_jaxpr(params["call"], tuple(nonzeros))[1]

    def tangent_function(residuals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        if not any(out_nonzeros):
            return []
        _, out = _jvp(residuals, zero_tangents(residuals, tangents, nonzeros), **params)
        return choose(out, out_nonzeros)

    return results, out_nonzeros, list(operands), tangent_function


def _batch(
    axis: AxisData,
    operands: Sequence[Any],
    dims: Sequence[int | None],
    *,
    call: ClosedJaxpr,
    rule: Rule,
    num_consts: int,
) -> Any:
    if any(d is not None for d in dims[:num_consts]):
        raise TypeError(
            "custom_vmap: needs mapped values as arguments, since its rule knows of no others; got "
            "one that the function closes over; try to pass it as an argument"
        )
    own, own_dims = operands[num_consts:], dims[num_consts:]
    leading = [x if d is None else move_axis(x, d, 0) for x, d in zip(own, own_dims, strict=True)]
    results, flags = rule(axis.size, [d is not None for d in own_dims], leading)
    return results, [0 if flag else None for flag in flags]


def _transpose(
    cts: Sequence[Any], *operands: Any, call: ClosedJaxpr, rule: Rule, num_consts: int
) -> list[Any]:
    """The transposed program, whose rule for many examples is the transposed rule."""
    linear = [is_linear(x) for x in operands]
    if any(linear[:num_consts]):
        raise TypeError(
            "custom_vmap: needs derivatives with respect to arguments only; got one with respect "
            "to a value that the function closes over; try to pass it as an argument"
        )
    flags = moving(cts)
    order = sorted(range(len(operands)), key=linear.__getitem__)
    num_known = len(operands) - sum(linear)
    backward_program = backward_jaxpr(rearranged(call, tuple(order)), num_known, flags)
    own_linear = linear[num_consts:]
    linear_avals = [x.aval for x in operands if is_linear(x)]

    def transposed_rule(size: int, mapped: Sequence[bool], values: Sequence[Any]) -> Any:
        count = num_known - num_consts
        known_flags, given = iter(mapped[:count]), values[count:]
        is_mapped = [linear_here or next(known_flags) for linear_here in own_linear]
        axis = AxisData(None, size)
        cts_of_all = [
            bring_to(axis, ct, 0 if m else None, 0)
            for ct, m in zip(given, mapped[count:], strict=True)
        ]

        def linear_part(*xs: Any) -> list[Any]:
            known, moved = iter(values[:count]), iter(xs)
            full = [next(moved) if here else next(known) for here in own_linear]
            results, found = rule(size, is_mapped, full)
            wide = [
                bring_to(axis, r, 0 if m else None, 0) for r, m in zip(results, found, strict=True)
            ]
            return choose(wide, flags)

        avals = [a.update(shape=(size, *a.shape)) for a in linear_avals]
        program = stage(linear_part, avals, name="vmap")
        answers = backward(program.jaxpr, program.consts, [], cts_of_all)
        return [array_of(x) for x in answers], [True] * len(answers)

    known = [x for x in operands if not is_linear(x)]
    answers = iter(
        custom_vmap_call(
            *known,
            *choose(cts, flags),
            call=backward_program,
            rule=Rule(f"transpose of {rule}", transposed_rule),
            num_consts=num_consts,
        )
    )
    return [next(answers) if here else None for here in linear]


custom_vmap_call = ProgramPrimitive(
    "custom_vmap_call",
    """A program with its own rule for many examples.""",
    programs=lambda params: (params["call"],),
    lift=leading("call", "num_consts"),
    infer=_infer,
    reference=lambda *arrays, call, **params: run_reference(call, *arrays),
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=lambda b, *operands, call, **params: call_block(b, operands, call),
    linearize=_linearize,
)


def sequential_vmap(f: Callable[..., Any]) -> custom_vmap:
    """Make `f` run one example after the other under vmap, as `lax.map` does.

    >>> import vires
    >>> import vires.numpy as np
    >>> from vires.control.custom_vmap import sequential_vmap
    >>> vires.vmap(sequential_vmap(lambda x: 2.0 * x))(np.ones(2))
    Array([2., 2.], dtype=float32)
    """
    wrapped = custom_vmap(f)

    def rule(axis_size: int, in_batched: Sequence[Any], *args: Any) -> Any:
        leaves, in_tree = tree.flatten(args)
        flags = tree.leaves(tuple(in_batched))
        mapped = [x for x, flag in zip(leaves, flags, strict=True) if flag]

        def one(rows: Sequence[Any]) -> Any:
            rest = iter(rows)
            full = [next(rest) if flag else x for x, flag in zip(leaves, flags, strict=True)]
            return f(*tree.unflatten(in_tree, full))

        out = map_one_by_one(one, mapped)
        return out, tree.map(lambda _: True, out)

    wrapped.def_vmap(rule)
    return wrapped
