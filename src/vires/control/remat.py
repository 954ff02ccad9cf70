"""checkpoint (remat): reverse mode computes values anew instead of keeping them.

Linearising a checkpointed call keeps its operands and whatever the policy saves; the tangent
program is one equation that computes the residuals from these and applies the linear map, and its
transpose does the same backwards.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vires.control.call import CallPrimitive, inlined
from vires.control.dce import dce
from vires.control.functions import as_operands, check_callables, name_of, trace_function
from vires.control.identities import checkpoint_name, saved_value
from vires.control.partial import partial_loop
from vires.control.programs import choose, split
from vires.core import memo, tree
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, Literal, Var, evaluate
from vires.core.primitive import Primitive
from vires.core.staging import stage
from vires.core.trace import aval_of
from vires.ops.identity import optimization_barrier
from vires.transform.linearize import linearize_jaxpr

Policy = Callable[..., bool]


def _linearize(
    nonzeros: Sequence[bool],
    operands: Sequence[Any],
    *,
    jaxpr: ClosedJaxpr,
    policy: Policy | None,
    prevent_cse: bool,
    differentiated: bool,
) -> Any:
    plan = _plan(jaxpr, tuple(nonzeros), policy, prevent_cse)
    outputs = checkpoint_call(
        *operands,
        jaxpr=plan.forward,
        policy=policy,
        prevent_cse=prevent_cse,
        differentiated=differentiated,
    )
    results = outputs[: plan.num_results]
    known = choose([*operands, *outputs[plan.num_results :]], plan.kept)

    def tangent_function(residuals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        if not any(plan.out_nonzeros):
            return []
        return checkpoint_call(
            *residuals,
            *tangents,
            jaxpr=plan.tangent,
            policy=policy,
            prevent_cse=prevent_cse,
            differentiated=True,
        )

    return results, plan.out_nonzeros, known, tangent_function


@dataclass(frozen=True)
class _RematPlan:
    """`forward`: operands -> results ++ saved. `tangent`: what is kept, tangents -> tangents."""

    forward: ClosedJaxpr
    num_results: int
    tangent: ClosedJaxpr
    kept: tuple[bool, ...]
    out_nonzeros: tuple[bool, ...]


@memo.per_program
def _plan(
    closed: ClosedJaxpr, nonzeros: tuple[bool, ...], policy: Policy | None, prevent_cse: bool
) -> _RematPlan:
    # Policies speak of single operations: look into called programs.
    program = closed if policy is None else inlined(closed)
    jaxpr = program.jaxpr
    saved = [] if policy is None else _saved_variables(jaxpr, policy)
    again = _with_saved(program, saved)
    linearized = linearize_jaxpr(again, (*nonzeros, *(False,) * len(saved)))
    residual_flags = (*(False,) * len(jaxpr.outvars), *(True,) * linearized.num_residuals)
    recompute, used = dce(_without_replaced(linearized.primal), residual_flags)
    tangent_avals = [a.to_tangent_aval() for a in choose(program.in_avals, nonzeros)]

    def tangent(*args: Any) -> list[Any]:
        known, tangents = args[: sum(used)], args[sum(used) :]
        # The barrier makes the operands new values, so that no pass finds the first computation of
        # the residuals again.
        fresh = optimization_barrier(*known) if prevent_cse and known else known
        residuals = evaluate(recompute.jaxpr, recompute.consts, *fresh)
        return evaluate(linearized.linear.jaxpr, linearized.linear.consts, *residuals, *tangents)

    known_avals = choose(again.in_avals, used)
    kept_inputs, kept_saved = split(used, len(jaxpr.invars))
    needed = choose(saved, kept_saved)
    forward = ClosedJaxpr(
        Jaxpr(jaxpr.constvars, jaxpr.invars, [*jaxpr.outvars, *needed], jaxpr.eqns), program.consts
    )
    return _RematPlan(
        forward,
        len(jaxpr.outvars),
        stage(tangent, [*known_avals, *tangent_avals], name="checkpoint"),
        (*kept_inputs, *(True,) * len(needed)),
        linearized.out_nonzeros,
    )


def _saved_variables(jaxpr: Jaxpr, policy: Policy) -> list[Var]:
    return [
        v
        for eqn in jaxpr.eqns
        if policy(eqn.primitive, *(atom.aval for atom in eqn.invars), **eqn.params)
        for v in eqn.outvars
    ]


def _with_saved(program: ClosedJaxpr, saved: Sequence[Var]) -> ClosedJaxpr:
    """The program that takes saved values too, and goes on with them instead of its own."""
    if not saved:
        return program
    jaxpr = program.jaxpr
    kept = set(saved)

    def function(*args: Any) -> list[Any]:
        inputs, values = split(args, len(jaxpr.invars))
        given = dict(zip(saved, values, strict=True))
        environment: dict[Var, Any] = dict(zip(jaxpr.constvars, program.consts, strict=True))
        environment.update(zip(jaxpr.invars, inputs, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if atom.__class__ is Literal else environment[atom]

        for eqn in jaxpr.eqns:
            out = eqn.primitive.bind(*map(read, eqn.invars), **eqn.params)
            for v, value in zip(
                eqn.outvars, out if eqn.primitive.multiple_results else [out], strict=True
            ):
                environment[v] = saved_value(value, given[v]) if v in kept else value
        return [read(v) for v in jaxpr.outvars]

    return stage(function, [*program.in_avals, *(v.aval for v in saved)], name="checkpoint")


def _without_replaced(program: ClosedJaxpr) -> ClosedJaxpr:
    """The program reading saved values directly, so that what they replace is dead code."""
    jaxpr = program.jaxpr
    names: dict[Var, Any] = {}

    def read(atom: Any) -> Any:
        return atom if atom.__class__ is Literal else names.get(atom, atom)

    eqns = []
    for eqn in jaxpr.eqns:
        operands = [read(v) for v in eqn.invars]
        if eqn.primitive is saved_value:
            names[eqn.outvars[0]] = operands[1]
        else:
            eqns.append(eqn.replace(invars=operands))
    return ClosedJaxpr(
        Jaxpr(jaxpr.constvars, jaxpr.invars, [read(v) for v in jaxpr.outvars], eqns), program.consts
    )


checkpoint_call = CallPrimitive(
    "checkpoint",
    """The results of a program whose values are computed anew for derivatives.""",
    linearize=_linearize,
    partial=partial_loop(lambda: checkpoint_call),
)


# --- what users call


class _Named:
    """A policy with a readable name."""

    def __init__(self, name: str, saves: Policy) -> None:
        self.name = name
        self.saves = saves

    def __call__(self, primitive: Primitive, *avals: ShapedArray, **params: Any) -> bool:
        return self.saves(primitive, *avals, **params)

    def __repr__(self) -> str:
        return self.name


_PRODUCTS = frozenset(("dot_general", "conv_general_dilated"))


def _dots_without_batch(primitive: Primitive, *avals: ShapedArray, **params: Any) -> bool:
    return primitive.name == "dot_general" and not params["dimension_numbers"][1][0]


class checkpoint_policies:
    """What a checkpointed function may keep: `policy=` of `checkpoint`.

    A policy is a function `policy(primitive, *avals, **params) -> bool` that says whether the
    results of an operation are kept; these are ready-made ones.
    """

    everything_saveable = _Named("everything_saveable", lambda *args, **params: True)
    nothing_saveable = _Named("nothing_saveable", lambda *args, **params: False)
    dots_saveable = _Named(
        "dots_saveable", lambda primitive, *args, **params: primitive.name in _PRODUCTS
    )
    checkpoint_dots = dots_saveable
    dots_with_no_batch_dims_saveable = _Named(
        "dots_with_no_batch_dims_saveable", _dots_without_batch
    )
    checkpoint_dots_with_no_batch_dims = dots_with_no_batch_dims_saveable

    @staticmethod
    def save_only_these_names(*names: str) -> Policy:
        """Keep what `checkpoint_name` gave one of these names, and nothing else."""
        wanted = frozenset(names)
        return _Named(
            f"save_only_these_names{names}",
            lambda primitive, *args, **params: (
                primitive.name == "name" and params["name"] in wanted
            ),
        )

    @staticmethod
    def save_any_names_but_these(*names: str) -> Policy:
        """Keep what `checkpoint_name` gave any other name, and nothing else."""
        refused = frozenset(names)
        return _Named(
            f"save_any_names_but_these{names}",
            lambda primitive, *args, **params: (
                primitive.name == "name" and params["name"] not in refused
            ),
        )

    @staticmethod
    def save_from_both_policies(first: Policy, second: Policy) -> Policy:
        """Keep what either policy keeps."""
        return _Named(
            f"save_from_both_policies({first}, {second})",
            lambda *args, **params: first(*args, **params) or second(*args, **params),
        )


def checkpoint(
    fun: Callable[..., Any] | None = None,
    *,
    prevent_cse: bool = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
    concrete: bool = False,
) -> Any:
    """Make `fun` keep nothing but its arguments for reverse mode: the rest is computed anew.

    Trades time for memory; values and derivatives stay the same.

    Args:
      fun: the function; without it, a decorator is returned.
      prevent_cse: keep the compiler from merging the second computation with the first. Inside
        `scan` it can be False.
      policy: what to keep nevertheless, see `checkpoint_policies`.
      static_argnums: positions of arguments that are no arrays.
      concrete: only False is supported, since `fun` is traced.

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.grad(vires.checkpoint(lambda x: np.sin(np.sin(x))))(np.float32(0))
    Array(1., dtype=float32)
    """
    if fun is None:
        return functools.partial(
            checkpoint,
            prevent_cse=prevent_cse,
            policy=policy,
            static_argnums=static_argnums,
            concrete=concrete,
        )
    check_callables("checkpoint", fun=fun)
    if concrete:
        raise NotImplementedError(
            "checkpoint: needs concrete=False, since the function is traced; got True; try "
            "static_argnums"
        )
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    functions: dict[Any, Callable[..., Any]] = {}

    @functools.wraps(fun)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        static = {
            n if n >= 0 else n + len(args): args[n] for n in numbers if -len(args) <= n < len(args)
        }
        dynamic = tuple(None if i in static else x for i, x in enumerate(args))
        leaves, in_tree = tree.flatten((dynamic, kwargs))
        operands = as_operands(leaves, "checkpoint", f"arguments of {name_of(fun)}")
        key = tuple(static.items())
        if key not in functions:
            # One function object for each choice, so that its program is found again.
            functions[key] = _of_dynamic(fun, static)
        traced = trace_function(
            functions[key], in_tree, [aval_of(x) for x in operands], "checkpoint"
        )
        results = checkpoint_call(
            *traced.consts,
            *operands,
            jaxpr=traced.closed,
            prevent_cse=prevent_cse,
            policy=policy,
            differentiated=False,
        )
        return tree.unflatten(traced.out_tree, results)

    return checkpointed


def _of_dynamic(fun: Callable[..., Any], static: dict[int, Any]) -> Callable[..., Any]:
    """The function of (positional arguments, keyword arguments) with the static ones filled in."""

    def of_dynamic(args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return fun(*(static.get(i, x) for i, x in enumerate(args)), **kwargs)

    of_dynamic.__name__ = name_of(fun)
    return of_dynamic


remat = checkpoint

__all__ = ["checkpoint", "checkpoint_call", "checkpoint_name", "checkpoint_policies", "remat"]
