"""custom_jvp: functions that bring their own forward derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.custom import CustomDerivative, SymbolicZero, is_symbolic, pair_of
from vires.control.custom_jvp_call import CustomJVPCall
from vires.control.functions import FlatFunction, as_operands, convert, leaf_label, name_of
from vires.core import dtypes, tree
from vires.core.primitive import Zero
from vires.core.trace import EVAL, aval_of, thread
from vires.ops.elementwise import add


class custom_jvp(CustomDerivative):
    """Give a function its own forward derivative, from which the reverse one follows.

    `f.defjvp(rule)` sets the rule: `rule(primals, tangents) -> (result, tangent of the result)`,
    with tuples of one entry for each argument. Arguments in `nondiff_argnums` come first and have
    no tangent: `rule(n, primals, tangents)`.

    Raises:
      AttributeError: the function is called before it has a rule.
      TypeError: a rule whose results do not fit the function's.

    >>> import vires
    >>> import vires.numpy as np
    >>> @vires.custom_jvp
    ... def f(x):
    ...     return np.sin(x)
    >>> @f.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return f(x), 10.0 * dx
    >>> vires.grad(f)(np.float32(0))
    Array(10., dtype=float32)
    """

    operation = "custom_jvp"

    def __init__(
        self,
        fun: Callable[..., Any],
        nondiff_argnums: Sequence[int] = (),
        nondiff_argnames: Sequence[str] = (),
    ) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.jvp: Callable[..., Any] | None = None
        self.symbolic_zeros = False

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Set the rule; with `symbolic_zeros` tangents known to be zero come as `SymbolicZero`."""
        self.jvp = jvp
        self.symbolic_zeros = symbolic_zeros
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Set a rule for each argument: `rule(tangent, result, *primals)`, or None for zero.

        The tangent of the result is the sum of what the rules give.
        """
        if self.nondiff_argnums:
            raise TypeError(
                "custom_jvp: needs defjvp for a function with nondiff_argnums; got defjvps"
            )

        def jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            result = self(*primals)
            total: Any = None
            for rule, tangent in zip(jvps, tangents, strict=True):
                if rule is None:
                    continue
                term = rule(tangent, result, *primals)
                total = term if total is None else tree.map(_sum, total, term)
            return result, tree.map(
                SymbolicZero.from_primal_value, result
            ) if total is None else total

        self.defjvp(jvp)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.jvp is None:
            raise self._missing()
        if thread.trace is EVAL:
            return self.fun(*args, **kwargs)
        fixed, moving, positions = self._split(args, kwargs)
        leaves, in_tree = tree.flatten(tuple(moving))
        function = FlatFunction(self._partial(fixed, positions), in_tree, "custom_jvp")
        rule = _FlatJVP(self, fixed, in_tree, self.jvp)
        call = CustomJVPCall(self._name, function, rule, self.symbolic_zeros)
        results = thread.trace.process_custom_jvp(call, self._operands(leaves))
        return tree.unflatten(function.out_tree or rule.out_tree, results)


def _sum(x: Any, y: Any) -> Any:
    return add(x, y)


class _FlatJVP:
    """A user's rule as a function of flat values; it remembers the structure of the result."""

    def __init__(
        self, owner: custom_jvp, fixed: Sequence[Any], in_tree: Any, jvp: Callable[..., Any]
    ) -> None:
        self.owner, self.fixed, self.in_tree, self.jvp = owner, fixed, in_tree, jvp
        self.out_tree: Any = None

    def __call__(
        self, primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        given = [SymbolicZero(t.aval) if t.__class__ is Zero else t for t in tangents]
        x = tree.unflatten(self.in_tree, primals)
        dx = tree.unflatten(self.in_tree, given)
        rule = f"the rule {name_of(self.jvp)}"
        of = self.owner._name
        out, dot = pair_of(
            "custom_jvp", rule, of, self.jvp(*self.fixed, x, dx), "result, tangent of the result"
        )
        results, self.out_tree = tree.flatten(out)
        moved, dot_tree = tree.flatten(dot, is_leaf=is_symbolic)
        if dot_tree != self.out_tree:
            raise TypeError(
                f"custom_jvp: needs {rule} of {of} to return a result and a tangent of one "
                "structure; "
                f"got {self.out_tree} and {dot_tree}"
            )
        results = as_operands(results, "custom_jvp", f"the result of {rule} of {of}")
        paths = tree.paths(out)
        return results, [
            self._tangent(r, t, leaf_label("tangent", path))
            for r, t, path in zip(results, moved, paths, strict=True)
        ]

    def _tangent(self, result: Any, tangent: Any, label: str) -> Any:
        expected = aval_of(result).to_tangent_aval()
        if is_symbolic(tangent) or expected.dtype == dtypes.float0:
            return Zero(expected)
        (operand,) = as_operands([tangent], "custom_jvp", label)
        found = aval_of(operand)
        if found.shape != expected.shape or (found.dtype != expected.dtype and not found.weak_type):
            raise TypeError(
                f"custom_jvp: needs the rule {name_of(self.jvp)} of {self.owner._name} to give "
                "tangents of the types "
                f"of the results; got {label} {found.str_short()} for a result "
                f"{aval_of(result).str_short()}"
            )
        return operand if found.dtype == expected.dtype else convert(operand, expected)
