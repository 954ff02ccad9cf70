"""custom_root: the root of a function, differentiated by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.custom_jvp_call import CustomJVPCall
from vires.control.functions import (
    FlatFunction,
    TracedFunction,
    as_operands,
    check_callables,
    trace_function,
)
from vires.control.programs import array_of, split
from vires.core import tree
from vires.core.jaxpr import evaluate
from vires.core.primitive import Zero
from vires.core.trace import aval_of, thread
from vires.ops.elementwise import neg
from vires.transform.jvp import push_forward
from vires.transform.linearize import linearize


def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    tangent_solve: Callable[[Callable[[Any], Any], Any], Any],
    has_aux: bool = False,
) -> Any:
    """A root x of f(x) = 0, found by `solve(f, initial_guess)`.

    Derivatives with respect to what `f` closes over follow from df + (df/dx) dx = 0, so `solve`
    may use while loops and is not differentiated.

    Args:
      f: a function from a pytree to one of the same type.
      initial_guess: where to start; a pytree.
      solve: from a function and a start to its root.
      tangent_solve: from a linear function g and y to the solution of g(x) = y. It must be
        differentiable in y;
        `lambda g, y: y / g(1.0)` serves for scalars.
      has_aux: whether `solve` returns (root, anything), which is returned too and not
        differentiated.

    >>> import vires
    >>> import vires.numpy as np
    >>> from vires import lax
    >>> def square_root(a):
    ...     newton = lambda f, x: lax.fori_loop(0, 20, lambda _, x: x - (x * x - a) / (2 * x), x)
    ...     return lax.custom_root(lambda x: x * x - a, a, newton, lambda g, y: y / g(1.0))
    >>> vires.grad(square_root)(np.float32(4))
    Array(0.25, dtype=float32)
    """
    check_callables("custom_root", f=f, solve=solve, tangent_solve=tangent_solve)
    leaves, guess_tree = tree.flatten(initial_guess)
    guess = as_operands(leaves, "custom_root", "initial_guess")
    avals = [aval_of(x) for x in guess]
    in_tree = tree.structure((initial_guess,))

    def traced(function: Callable[..., Any], role: str, aux: bool = False) -> TracedFunction:
        found = trace_function(function, in_tree, avals, "custom_root")
        value = found.out_tree.children()[0] if aux else found.out_tree
        types = found.out_avals[: len(avals)]
        if value != guess_tree or not all(
            a.same_type(t) for a, t in zip(avals, types, strict=True)
        ):
            raise TypeError(
                f"custom_root: needs {role} to return a value of the type of initial_guess, "
                f"{guess_tree} of "
                f"({', '.join(a.str_short() for a in avals)}); got {value} of "
                f"({', '.join(a.str_short() for a in types)})"
            )
        return found

    function = traced(f, "f")
    solver = traced(lambda x: solve(f, x), "solve", has_aux)
    num_consts = len(function.consts)

    def f_flat(consts: Sequence[Any], x: Sequence[Any]) -> list[Any]:
        return evaluate(function.closed.jaxpr, function.closed.consts, *consts, *x)

    def linear_and_solve(consts: Sequence[Any], x: Sequence[Any], y: Sequence[Any]) -> list[Any]:
        _, _, program = linearize(lambda *z: f_flat(consts, z), x, None, True)

        def g(v: Any) -> Any:
            operands = as_operands(tree.leaves(v), "custom_root", "vectors")
            return tree.unflatten(guess_tree, evaluate(program.jaxpr, program.consts, *operands))

        flat = FlatFunction(lambda v: tangent_solve(g, v), in_tree, "custom_root")
        return flat(*y)

    def root(*operands: Any) -> list[Any]:
        return evaluate(solver.closed.jaxpr, solver.closed.consts, *operands[num_consts:])

    def rule(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        results = call(primals)
        count = len(avals)
        x, aux = results[:count], results[count:]
        consts, _ = split(primals, num_consts)
        still = [Zero(aval_of(r).to_tangent_aval()) for r in results]
        if all(t.__class__ is Zero for t in tangents[:num_consts]):
            return results, still
        _, moved = push_forward(lambda *cs: f_flat(cs, x), consts, tangents[:num_consts])
        if all(m.__class__ is Zero for m in moved):
            return results, still
        y = [array_of(m) for m in moved]
        dx = linear_and_solve(consts, x, y)
        return results, [*(neg(d) for d in dx), *still[count : count + len(aux)]]

    def call(operands: Sequence[Any]) -> list[Any]:
        return thread.trace.process_custom_jvp(
            CustomJVPCall("custom_root", root, rule, True), operands
        )

    results = call([*function.consts, *solver.consts, *guess])
    return tree.unflatten(solver.out_tree, results)
