"""custom_jvp and custom_vjp: functions that bring their own derivatives."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vires.control.custom_calls import CustomJVPCall, CustomVJPCall, dense, is_still
from vires.control.functions import FlatFunction, as_operands, convert, leaf_label, name_of
from vires.core import dtypes, tree
from vires.core.avals import ShapedArray
from vires.core.primitive import Zero
from vires.core.trace import EVAL, aval_of, thread
from vires.ops.elementwise import add


class SymbolicZero:
    """A tangent or cotangent known to be zero, as rules that asked for symbolic zeros see it."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        return len(self.aval.shape)

    @staticmethod
    def from_primal_value(value: Any) -> SymbolicZero:
        return SymbolicZero(aval_of(value).to_tangent_aval())

    def __repr__(self) -> str:
        return f"SymbolicZero({self.aval.str_short()})"


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class _CustomDerivative:
    """A function with some arguments that are not differentiated, and an attached rule."""

    operation: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def __init__(
        self,
        fun: Callable[..., Any],
        nondiff_argnums: Sequence[int] = (),
        nondiff_argnames: Sequence[str] = (),
    ) -> None:
        functools.update_wrapper(self, fun)
        self.fun = fun
        try:
            self._signature: inspect.Signature | None = inspect.signature(fun)
        except (ValueError, TypeError):  # some built-in functions do not tell theirs
            self._signature = None
        self.nondiff_argnums = self._positions(nondiff_argnums, nondiff_argnames)
        self._name = name_of(fun)
        parameters = self._signature.parameters.values() if self._signature else ()
        positional = all(p.kind in _POSITIONAL for p in parameters)
        #: How many arguments a call without keywords and defaults has.
        self._count = len(parameters) if positional and self._signature else -1

    def _positions(
        self, numbers: int | Sequence[int], names: str | Iterable[str]
    ) -> tuple[int, ...]:
        given = (numbers,) if isinstance(numbers, int) else tuple(numbers)
        labels = (names,) if isinstance(names, str) else tuple(names)
        parameters = list(self._signature.parameters) if self._signature else []
        for label in labels:
            if label not in parameters:
                raise ValueError(
                    f"{self.operation}: needs nondiff_argnames among the arguments of "
                    f"{name_of(self.fun)}; got {label!r}"
                )
        found = {n if n >= 0 else n + len(parameters) for n in given}
        return tuple(sorted(found | {parameters.index(label) for label in labels}))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def _arguments(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments by position, defaults included."""
        if not kwargs and len(args) == self._count:
            return tuple(args)
        signature = self._signature
        if signature is None:
            if kwargs:
                raise TypeError(
                    f"{self.operation}: needs positional arguments for {self._name}; got "
                    f"{sorted(kwargs)}"
                )
            return tuple(args)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(
                f"{self.operation}: needs arguments that can be given by position, since its rules "
                "take them so; "
                f"got keyword-only {', '.join(bound.kwargs)} of {self._name}"
            )
        return bound.args

    def _split(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Any], list[Any], list[int]]:
        """Arguments that are not differentiated, the others, and the positions of these."""
        full = self._arguments(args, kwargs)
        fixed = [full[i] for i in self.nondiff_argnums if i < len(full)]
        positions = [i for i in range(len(full)) if i not in self.nondiff_argnums]
        return fixed, [full[i] for i in positions], positions

    def _partial(self, fixed: Sequence[Any], positions: Sequence[int]) -> Callable[..., Any]:
        """The function of the differentiated arguments."""
        if not fixed:
            return self.fun
        count = len(fixed) + len(positions)
        fixed_positions = [i for i in range(count) if i not in positions]

        def function(*moving: Any) -> Any:
            full: list[Any] = [None] * count
            for i, x in (
                *zip(fixed_positions, fixed, strict=True),
                *zip(positions, moving, strict=True),
            ):
                full[i] = x
            return self.fun(*full)

        return functools.wraps(self.fun, assigned=("__name__", "__qualname__"), updated=())(
            function
        )

    def _operands(self, leaves: Sequence[Any]) -> list[Any]:
        return as_operands(
            leaves, self.operation, f"arguments of {self._name} (others belong in nondiff_argnums)"
        )

    def _missing(self) -> AttributeError:
        method = {"custom_jvp": "defjvp", "custom_vjp": "defvjp"}[self.operation]
        return AttributeError(
            f"{self.operation}: needs a derivative rule before {self._name} is called; got none; "
            f"try {self._name}.{method}(...)"
        )


def _pair(operation: str, rule: str, of: str, result: Any, what: str) -> tuple[Any, Any]:
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        raise TypeError(
            f"{operation}: needs {rule} of {of} to return a pair ({what}); got {result!r:.80}"
        )
    return result[0], result[1]


def _is_symbolic(x: Any) -> bool:
    return x.__class__ is SymbolicZero or x.__class__ is Zero


class custom_jvp(_CustomDerivative):
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
        out, dot = _pair(
            "custom_jvp", rule, of, self.jvp(*self.fixed, x, dx), "result, tangent of the result"
        )
        results, self.out_tree = tree.flatten(out)
        moved, dot_tree = tree.flatten(dot, is_leaf=_is_symbolic)
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
        if _is_symbolic(tangent) or expected.dtype == dtypes.float0:
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


class CustomVJPPrimal:
    """An argument as a forward rule with symbolic zeros sees it."""

    __slots__ = ("perturbed", "value")

    def __init__(self, value: Any, perturbed: bool) -> None:
        self.value = value
        self.perturbed = perturbed


class custom_vjp(_CustomDerivative):
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
        out, residuals = _pair("custom_vjp", rule, of, self.fwd(*full), "result, residuals")
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
        if ct is None or _is_symbolic(ct) or expected.dtype == dtypes.float0 or is_still(ct):
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
    if value is None or _is_symbolic(value):
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
