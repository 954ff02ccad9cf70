"""Staged programs: typed, printable, with JAX's names, since libraries walk them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from vires.core.avals import ShapedArray
from vires.core.source import SourceLine
from vires.core.trace import thread

if TYPE_CHECKING:
    from vires.core.primitive import Primitive


class Var:
    """A variable of a jaxpr; equal only to itself."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval

    def __repr__(self) -> str:
        return f"Var({self.aval.str_short()})"


class DropVar(Var):
    """A result that nothing uses."""

    __slots__ = ()


class Literal:
    """A scalar constant inside an equation."""

    __slots__ = ("aval", "val")

    def __init__(self, val: Any, aval: ShapedArray) -> None:
        self.val = val
        self.aval = aval

    def __repr__(self) -> str:
        return f"{np.asarray(self.val).item()!r}:{self.aval.str_short()}"


Atom = Var | Literal


class JaxprEqn:
    """One equation: `outvars = primitive[params] invars`."""

    __slots__ = ("invars", "outvars", "params", "primitive", "source")
    effects: frozenset[Any] = frozenset()

    def __init__(
        self,
        invars: list[Atom],
        outvars: list[Var],
        primitive: Primitive,
        params: dict[str, Any],
        source: SourceLine | None = None,
    ) -> None:
        self.invars = invars
        self.outvars = outvars
        self.primitive = primitive
        self.params = params
        self.source = source

    def replace(
        self,
        invars: list[Atom] | None = None,
        outvars: list[Var] | None = None,
        params: dict[str, Any] | None = None,
    ) -> JaxprEqn:
        return JaxprEqn(
            self.invars if invars is None else invars,
            self.outvars if outvars is None else outvars,
            self.primitive,
            self.params if params is None else params,
            self.source,
        )

    def __repr__(self) -> str:
        return "\n".join(_equation_lines(self, _Names(), 0))


class Jaxpr:
    """A program: `constvars` and `invars` in, equations in order, `outvars` out."""

    __slots__ = ("constvars", "eqns", "invars", "names", "outvars")
    effects: frozenset[Any] = frozenset()

    def __init__(
        self,
        constvars: list[Var],
        invars: list[Var],
        outvars: list[Atom],
        eqns: list[JaxprEqn],
        names: Sequence[str] | None = None,
    ) -> None:
        self.constvars = constvars
        self.invars = invars
        self.outvars = outvars
        self.eqns = eqns
        self.names = names  # of the arguments, for messages

    def __repr__(self) -> str:
        return "\n".join(_jaxpr_lines(self, _Names(), 0))

    @property
    def in_avals(self) -> list[ShapedArray]:
        return [v.aval for v in self.invars]

    @property
    def out_avals(self) -> list[ShapedArray]:
        return [v.aval for v in self.outvars]


class ClosedJaxpr:
    """A jaxpr with the values of its `constvars`."""

    __slots__ = ("__weakref__", "consts", "derived", "jaxpr")
    #: What `vires.core.memo` remembers of the program.
    derived: dict[Any, Any] | None

    def __init__(self, jaxpr: Jaxpr, consts: Sequence[Any] = ()) -> None:
        self.jaxpr = jaxpr
        self.consts = list(consts)
        self.derived = None

    @property
    def eqns(self) -> list[JaxprEqn]:
        return self.jaxpr.eqns

    @property
    def in_avals(self) -> list[ShapedArray]:
        return self.jaxpr.in_avals

    @property
    def out_avals(self) -> list[ShapedArray]:
        return self.jaxpr.out_avals

    @property
    def effects(self) -> frozenset[Any]:
        return self.jaxpr.effects

    def __repr__(self) -> str:
        return repr(self.jaxpr)


def subjaxprs(params: dict[str, Any]) -> Iterator[ClosedJaxpr | Jaxpr]:
    """The programs among an equation's parameters."""
    for value in params.values():
        if isinstance(value, (ClosedJaxpr, Jaxpr)):
            yield value
        elif isinstance(value, (tuple, list)):
            for item in cast("Sequence[Any]", value):
                if isinstance(item, (ClosedJaxpr, Jaxpr)):
                    yield item


def evaluate(jaxpr: Jaxpr, consts: Iterable[Any], *args: Any) -> list[Any]:
    """Run a jaxpr's equations by binding its primitives to values or tracers."""
    environment: dict[Var, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    environment.update(zip(jaxpr.invars, args, strict=True))
    read: Callable[[Atom], Any] = lambda atom: (  # noqa: E731 - hot
        atom.val if isinstance(atom, Literal) else environment[atom]
    )
    before = thread.source
    try:
        for eqn in jaxpr.eqns:
            thread.source = eqn.source
            results = eqn.primitive(*map(read, eqn.invars), **eqn.params)
            if eqn.primitive.multiple_results:
                environment.update(zip(eqn.outvars, results, strict=True))
            else:
                environment[eqn.outvars[0]] = results
    finally:
        thread.source = before
    return [read(v) for v in jaxpr.outvars]


def jaxpr_as_fun(closed: ClosedJaxpr) -> Callable[..., list[Any]]:
    """A function of flat arguments that evaluates the program."""
    return lambda *args: evaluate(closed.jaxpr, closed.consts, *args)


# --- printing


class _Names:
    """Letters for variables in order of appearance: a, b, ..., z, ba, bb, ..."""

    def __init__(self) -> None:
        self.names: dict[Var, str] = {}

    def __getitem__(self, atom: Atom) -> str:
        if isinstance(atom, Literal):
            return repr(atom)
        if isinstance(atom, DropVar):
            return "_"
        name = self.names.get(atom)
        if name is None:
            number, name = len(self.names), ""
            while not name or number:
                number, digit = divmod(number, 26)
                name = chr(ord("a") + digit) + name
            self.names[atom] = name
        return name

    def typed(self, atom: Atom) -> str:
        return f"{self[atom]}:{atom.aval.str_short()}"


def _jaxpr_lines(jaxpr: Jaxpr, names: _Names, indent: int) -> list[str]:
    pad = " " * indent
    constvars = " ".join(names.typed(v) for v in jaxpr.constvars)
    invars = " ".join(names.typed(v) for v in jaxpr.invars)
    lines = [f"{{ lambda {constvars}; {invars}. let"]
    for eqn in jaxpr.eqns:
        lines.extend(f"{pad}    {line}" for line in _equation_lines(eqn, names, indent))
    outvars = ", ".join(names[v] for v in jaxpr.outvars)
    lines.append(f"{pad}  in ({outvars}{',' if len(jaxpr.outvars) == 1 else ''}) }}")
    return lines


def _equation_lines(eqn: JaxprEqn, names: _Names, indent: int) -> list[str]:
    operands = " ".join(names[v] for v in eqn.invars)
    results = " ".join(names.typed(v) for v in eqn.outvars)
    flat = {k: v for k, v in eqn.params.items() if not _holds_jaxpr(v)}
    if len(flat) == len(eqn.params) and sum(len(str(v)) for v in flat.values()) < 60:
        inside = " ".join(f"{k}={_show(v)}" for k, v in sorted(flat.items()))
        return [
            f"{results} = {eqn.primitive.name}{f'[{inside}]' if inside else ''} {operands}".rstrip()
        ]
    lines = [f"{results} = {eqn.primitive.name}["]
    for key, value in sorted(eqn.params.items()):
        shown = _show_lines(value)
        lines.append(f"  {key}={shown[0]}")
        lines.extend(f"  {line}" for line in shown[1:])
    lines.append(f"] {operands}".rstrip())
    return lines


def _holds_jaxpr(value: Any) -> bool:
    return any(True for _ in subjaxprs({"": value}))


def _show(value: Any) -> str:
    if isinstance(value, np.dtype):
        return value.name
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    return str(value)


def _show_lines(value: Any) -> list[str]:
    if isinstance(value, ClosedJaxpr):
        value = value.jaxpr
    if isinstance(value, Jaxpr):
        return _jaxpr_lines(value, _Names(), 0)
    if _holds_jaxpr(value):
        lines = ["("]
        for item in value:
            lines.extend(f"  {line}" for line in _show_lines(item))
        return [*lines, ")"]
    return [_show(value)]
