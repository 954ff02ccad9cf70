"""A canonical text of a program: equal texts compile to the same machine code."""

from __future__ import annotations

import enum
from typing import Any, cast

import numpy as np

from vires.core import dtypes, memo
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, Literal
from vires.core.trace import as_array


class NotCanonical(Exception):
    """The program holds something whose meaning has no text (a Python function, say)."""


@memo.per_program
def fingerprint(closed: ClosedJaxpr) -> str:
    """The text of a program with its scalar constants. Arrays are told apart by their types only.

    Raises:
        NotCanonical: there is no such text.
    """
    jaxpr = closed.jaxpr
    numbers: dict[Any, str] = {}
    parts: list[str] = []
    for var, value in zip(jaxpr.constvars, closed.consts, strict=True):
        numbers[var] = f"c{len(numbers)}"
        parts.append(var.aval.text if var.aval.shape else _scalar(value, var.aval))
    _jaxpr(jaxpr, numbers, parts)
    return ";".join(parts)


def _jaxpr(jaxpr: Jaxpr, numbers: dict[Any, str], parts: list[str]) -> None:
    for var in jaxpr.invars:
        numbers[var] = f"i{len(numbers)}"
        parts.append(var.aval.text)
    for eqn in jaxpr.eqns:
        operands = [
            _scalar(x.val, x.aval) if isinstance(x, Literal) else numbers[x] for x in eqn.invars
        ]
        params = [f"{k}={text(v)}" for k, v in eqn.params.items()] if eqn.params else ()
        for var in eqn.outvars:
            numbers[var] = f"v{len(numbers)}"
        outs = ",".join([v.aval.text for v in eqn.outvars])
        parts.append(f"{eqn.primitive.name}[{','.join(params)}]({','.join(operands)})->{outs}")
    for x in jaxpr.outvars:
        parts.append(_scalar(x.val, x.aval) if isinstance(x, Literal) else numbers[x])


def _scalar(value: Any, aval: Any) -> str:
    return f"{aval.text}:{as_array(value)._numpy().tobytes().hex()}"


def text(value: Any) -> str:
    """The canonical text of a parameter."""
    kind = value.__class__
    if kind in (int, bool, str, float, complex) or value is None:
        return repr(value)
    if kind is tuple or kind is list:
        return f"({','.join([text(x) for x in value])})"
    if kind is ClosedJaxpr:
        return f"{{{fingerprint(value)}}}"
    if isinstance(value, (np.dtype, dtypes.KeyDtype)):
        return dtypes.name(value)
    if isinstance(value, enum.Enum):
        return f"{kind.__name__}.{value.name}"
    if isinstance(value, tuple):
        return f"{kind.__name__}({','.join(map(text, cast(tuple[Any, ...], value)))})"
    if isinstance(value, frozenset):
        return f"{{{','.join(sorted(map(text, cast(frozenset[Any], value))))}}}"
    if isinstance(value, dict):
        items = cast(dict[Any, Any], value).items()
        return f"{{{','.join([f'{text(k)}:{text(v)}' for k, v in items])}}}"
    if issubclass(kind, np.generic):
        return f"{value.dtype.name}:{value.tobytes().hex()}"
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, Jaxpr):
        parts: list[str] = []
        _jaxpr(value, {}, parts)
        return f"{{{';'.join(parts)}}}"
    raise NotCanonical(f"{kind.__name__}")
