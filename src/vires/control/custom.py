"""What functions that bring their own derivatives have in common."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vires.control.functions import as_operands, name_of
from vires.core.avals import ShapedArray
from vires.core.primitive import Zero
from vires.core.trace import aval_of


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


class CustomDerivative:
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
        if not callable(fun):
            raise TypeError(f"{self.operation}: needs a function; got {type(fun).__name__}")
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


def pair_of(operation: str, rule: str, of: str, result: Any, what: str) -> tuple[Any, Any]:
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        raise TypeError(
            f"{operation}: needs {rule} of {of} to return a pair ({what}); got {result!r:.80}"
        )
    return result[0], result[1]


def is_symbolic(x: Any) -> bool:
    return x.__class__ is SymbolicZero or x.__class__ is Zero
