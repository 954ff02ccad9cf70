"""What users pass: pytrees of arguments, positions and names of special ones, leaves' types."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from types import FunctionType
from typing import Any, overload

import numpy as np

from vires._native import Array
from vires.core import tree
from vires.core.avals import ShapedArray
from vires.core.trace import Tracer, aval_of


def check_callable(function: Any, operation: str) -> None:
    if not callable(function):
        raise TypeError(f"{operation}: needs a function; got {type(function).__name__}")


def is_hashable(value: Any) -> bool:
    """Whether it can be a key: `isinstance(..., Hashable)` does not look inside tuples."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def as_positions(positions: int | Sequence[int] | None, operation: str) -> tuple[int, ...]:
    """Argument positions as a tuple."""
    if positions is None:
        return ()
    if isinstance(positions, (int, np.integer)):
        return (int(positions),)
    if not all(isinstance(i, (int, np.integer)) for i in positions):
        raise TypeError(
            f"{operation}: needs argument positions as int or a sequence of int; got {positions!r}"
        )
    return tuple(int(i) for i in positions)


def as_names(names: str | Iterable[str] | None, operation: str) -> tuple[str, ...]:
    """Argument names as a tuple."""
    if names is None:
        return ()
    found = (names,) if isinstance(names, str) else tuple(names)
    if not all(isinstance(name, str) for name in found):
        raise TypeError(
            f"{operation}: needs argument names as str or a sequence of str; got {names!r}"
        )
    return found


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """The signature, or None where there is none to see (some built-in functions)."""
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):
        return None


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def match_positions_and_names(
    function: Callable[..., Any], positions: tuple[int, ...], names: tuple[str, ...], operation: str
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Complete positions by names and names by positions, from the signature; they must exist."""
    signature = signature_of(function)
    if signature is None:
        return positions, names
    parameters = list(signature.parameters.values())
    positional = [p.name for p in parameters if p.kind in _POSITIONAL]
    variadic = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    any_name = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    label = getattr(function, "__name__", "function")
    for i in positions:
        if not variadic and not -len(positional) <= i < len(positional):
            raise ValueError(
                f"{operation}: needs positions of arguments of {label}{signature}; got {i}; "
                f"it takes {len(positional)} positional arguments"
            )
    for name in names:
        if not any_name and name not in signature.parameters:
            raise ValueError(
                f"{operation}: needs names of arguments of {label}{signature}; got {name!r}"
            )
    normal = tuple(i if i >= 0 or variadic else i + len(positional) for i in positions)
    all_positions = dict.fromkeys(normal)
    all_positions.update(
        dict.fromkeys(positional.index(name) for name in names if name in positional)
    )
    keyword_capable = [
        p.name if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD else None
        for p in parameters
        if p.kind in _POSITIONAL
    ]
    all_names = dict.fromkeys(names)
    for i in normal:
        if 0 <= i < len(keyword_capable) and (name := keyword_capable[i]) is not None:
            all_names[name] = None
    return tuple(all_positions), tuple(all_names)


_NUMBERS = (bool, int, float, complex, np.ndarray, np.generic)


def is_arraylike(x: Any) -> bool:
    """Whether x can be an operand: array, tracer, NumPy array or scalar, Python scalar."""
    return x.__class__ is Array or isinstance(x, (Tracer, *_NUMBERS)) or hasattr(x, "__jax_array__")


def leaf_avals(
    leaves: Sequence[Any], operation: str, where: Callable[[int], str]
) -> tuple[ShapedArray, ...]:
    """Types of the leaves; a leaf that is no array gives an error that names its place."""
    avals: list[ShapedArray] = []
    for i, x in enumerate(leaves):
        if not is_arraylike(x) or (isinstance(x, np.ndarray) and x.dtype.kind in "OSUMm"):
            kind = (
                f"ndarray of dtype {x.dtype}"
                if isinstance(x, np.ndarray)
                else f"{type(x).__name__} ({x!r:.40})"
            )
            raise TypeError(
                f"{operation}: needs arguments that are arrays, numbers or containers of them; got "
                f"{kind} at {where(i)}; try static_argnums or static_argnames for arguments that "
                "are not arrays"
            )
        avals.append(aval_of(x))
    return tuple(avals)


class ArgumentNames(Sequence[str]):
    """For each leaf of (args, kwargs) its name as the user knows it: `params['w'][0]`.

    Names are made when somebody wants to see one. They do not keep the function alive.
    """

    def __init__(
        self, function: Callable[..., Any], structure: tree.PyTreeDef, static: Collection[int] = ()
    ) -> None:
        """`static`: positions of arguments that are not among the args of the structure."""
        self._positional, self._rest = _positional_names(function)
        self._structure = structure
        self._static = static
        self._names: list[str] | None = None

    def __len__(self) -> int:
        return self._structure.num_leaves

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if self._names is None:
            self._names = self._make()
        return self._names[index]

    def _make(self) -> list[str]:
        paths = self._structure.paths()
        count = 1 + max((path[1] for path in paths if path[0] == 0), default=-1)
        count += len(self._static)
        dynamic = [i for i in range(count) if i not in self._static]
        return [
            (key if part else self._position(dynamic[key])) + tree.path_text(path)
            for part, key, *path in paths
        ]

    def _position(self, i: int) -> str:
        known = self._positional
        if i < len(known):
            return known[i]
        return f"{self._rest}[{i - len(known)}]" if self._rest else f"args[{i}]"


def _positional_names(function: Callable[..., Any]) -> tuple[Sequence[str], str]:
    """Names of positional parameters, and of the one that takes all others."""
    if function.__class__ is FunctionType and not function.__dict__:
        # What a signature would say, in a hundredth of the time.
        code = function.__code__
        names, count = code.co_varnames, code.co_argcount
        has_rest = code.co_flags & inspect.CO_VARARGS
        return names[:count], names[count + code.co_kwonlyargcount] if has_rest else ""
    signature = signature_of(function)
    parameters = signature.parameters.values() if signature is not None else ()
    rest = [p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL]
    return [p.name for p in parameters if p.kind in _POSITIONAL], rest[0] if rest else ""


def argument_names(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> ArgumentNames:
    """The names of the leaves of these arguments."""
    return ArgumentNames(function, tree.structure((tuple(args), kwargs)))


def name_of(function: Any) -> str:
    """A name for messages and programs."""
    while hasattr(function, "func") and not hasattr(function, "__name__"):  # functools.partial
        function = function.func
    return getattr(function, "__name__", type(function).__name__)
