"""custom_vjp: functions that bring their own reverse derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.custom import CustomDerivative, SymbolicZero, is_symbolic, pair_of
from vires.control.custom_calls import dense, is_still
from vires.control.custom_vjp_call import CustomVJPCall
from vires.control.functions import FlatFunction, as_operands, convert, leaf_label, name_of
from vires.core import dtypes, tree
from vires.core.avals import ShapedArray
from vires.core.primitive import Zero
from vires.core.trace import EVAL, aval_of, thread


class CustomVJPPrimal:
    """An argument as a forward rule with symbolic zeros sees it."""

    __slots__ = ("perturbed", "value")

    def __init__(self, value: Any, perturbed: bool) -> None:
        self.value = value
        self.perturbed = perturbed


class custom_vjp(CustomDerivative):
    """Give a function its own reverse derivative.

    `f.defvjp(forward, backward)` sets the rules: `forward(*args) -> (result, residuals)` has the
    arguments of `f`, and `backward(residuals, cotangent of the result) -> cotangents` gives a
    tuple of one entry for each argument (None for zero). Arguments in `nondiff_argnums` come first
    in `backward`: `backward(n, residuals, ct)`.

    Forward mode through such a function raises; `custom_jvp` serves both modes.

    Raises:
      AttributeError: the function is called before it has rules.
      TypeError: rules whose results do not fit the function's.

    >>> import vires
    >>> import vires.numpy as np
    >>> @vires.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, ct: (np.clip(ct, -1.0, 1.0),))
    >>> vires.grad(lambda x: 5.0 * clip_gradient(x))(np.float32(1))
    Array(1., dtype=float32)
    """

    operation = "custom_vjp"

    def __init__(
        self,
        fun: Callable[..., Any],
        nondiff_argnums: Sequence[int] = (),
        nondiff_argnames: Sequence[str] = (),
    ) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None
        self.symbolic_zeros = False

    def defvjp(
        self,
        fwd: Callable[..., Any],
        bwd: Callable[..., Any],
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Set the rules.

        With `symbolic_zeros` the forward rule gets `CustomVJPPrimal` leaves, and cotangents known
        to be zero come as `SymbolicZero`.
        """
        self.fwd, self.bwd, self.symbolic_zeros = fwd, bwd, symbolic_zeros

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.fwd is None or self.bwd is None:
            raise self._missing()
        if thread.trace is EVAL:
            return self.fun(*args, **kwargs)
        fixed, moving, positions = self._split(args, kwargs)
        leaves, in_tree = tree.flatten(tuple(moving))
        operands = self._operands(leaves)
        function = FlatFunction(self._partial(fixed, positions), in_tree, "custom_vjp")
        rules = _FlatVJP(self, fixed, positions, in_tree, moving)
        call = CustomVJPCall(self._name, function, rules.forward, rules.backward)
        results = thread.trace.process_custom_vjp(call, operands)
        return tree.unflatten(function.out_tree or rules.out_tree, results)


class _FlatVJP:
    """A user's two rules as functions of flat values; they remember structures."""

    def __init__(
        self,
        owner: custom_vjp,
        fixed: Sequence[Any],
        positions: Sequence[int],
        in_tree: Any,
        arguments: Sequence[Any],
    ) -> None:
        self.owner, self.fixed, self.positions, self.in_tree = (
            owner,
            list(fixed),
            positions,
            in_tree,
        )
        self.fwd: Any = owner.fwd
        self.bwd: Any = owner.bwd
        self.symbolic_zeros = owner.symbolic_zeros
        self.paths = tree.paths(tuple(arguments))
        self.out_tree: Any = None
        self.residual_tree: Any = None

    def forward(self, *operands: Any) -> tuple[list[Any], list[Any]]:
        self.avals = [aval_of(x) for x in operands]
        given = [CustomVJPPrimal(x, True) for x in operands] if self.symbolic_zeros else operands
        moving = tree.unflatten(self.in_tree, given)
        count = len(self.fixed) + len(moving)
        full: list[Any] = [None] * count
        rest = iter(self.fixed)
        of_position = dict(zip(self.positions, moving, strict=True))
        for i in range(count):
            full[i] = of_position[i] if i in of_position else next(rest)
        rule = f"the forward rule {name_of(self.fwd)}"
        of = self.owner._name
        out, residuals = pair_of("custom_vjp", rule, of, self.fwd(*full), "result, residuals")
        results, self.out_tree = tree.flatten(out)
        kept, self.residual_tree = tree.flatten(residuals)
        return (
            as_operands(results, "custom_vjp", f"the result of {rule} of {of}"),
            as_operands(kept, "custom_vjp", f"the residuals of {rule} of {of}"),
        )

    def backward(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        cts = [
            ct
            if ct.__class__ is not Zero
            else SymbolicZero(ct.aval)
            if self.symbolic_zeros
            else dense(ct)
            for ct in cts
        ]
        known = tree.unflatten(self.residual_tree, residuals)
        ct = tree.unflatten(self.out_tree, cts)
        answer = self.bwd(*self.fixed, known, ct)
        rule = f"the backward rule {name_of(self.bwd)} of {self.owner._name}"
        if not isinstance(answer, (tuple, list)) or len(answer) != len(self.in_tree.children()):
            raise TypeError(
                f"custom_vjp: needs {rule} to return a tuple of {len(self.in_tree.children())} "
                "cotangents, one for "
                f"each argument; got {answer!r:.80}"
            )
        flat = _flatten_up_to(self.in_tree, tuple(answer), rule)
        return [
            self._cotangent(x, aval, leaf_label("arguments", path), rule)
            for x, aval, path in zip(flat, self.avals, self.paths, strict=True)
        ]

    def _cotangent(self, ct: Any, aval: ShapedArray, label: str, rule: str) -> Any:
        expected = aval.to_tangent_aval()
        if ct is None or is_symbolic(ct) or expected.dtype == dtypes.float0 or is_still(ct):
            return Zero(expected)
        (operand,) = as_operands([ct], "custom_vjp", f"cotangents of {rule}")
        found = aval_of(operand)
        if found.shape != expected.shape or (found.dtype != expected.dtype and not found.weak_type):
            raise ValueError(
                f"custom_vjp: needs {rule} to give cotangents of the types of the arguments; got "
                f"{found.str_short()} "
                f"for {label}, {aval.str_short()}"
            )
        return operand if found.dtype == expected.dtype else convert(operand, expected)


def _flatten_up_to(treedef: Any, value: Any, rule: str) -> list[Any]:
    """The leaves of a value at the leaves of a structure; None stands for a subtree of zeros."""
    if treedef == tree.leaf_structure():
        return [value]
    if value is None or is_symbolic(value):
        return [None] * treedef.num_leaves
    if not treedef.num_leaves:
        return []
    try:
        parts = treedef.one_level().flatten_up_to(value)
    except (ValueError, TypeError) as error:
        raise TypeError(
            f"custom_vjp: needs {rule} to give cotangents of the structure of the arguments, "
            f"{treedef}; "
            f"got {tree.structure(value)}"
        ) from error
    flat: list[Any] = []
    for child, part in zip(treedef.children(), parts, strict=True):
        flat += _flatten_up_to(child, part, rule)
    return flat
