"""A canonical text of a program: equal texts compile to the same machine code."""

from __future__ import annotations

import enum
from typing import Any, cast

import numpy as np

from vires import _native
from vires.core import dtypes, memo
from vires.core.jaxpr import ClosedJaxpr, Jaxpr
from vires.core.trace import as_array


class NotCanonical(Exception):
    """The program holds something whose meaning has no text (a Python function, say)."""


@memo.per_program
def fingerprint(closed: ClosedJaxpr) -> bytes:
    """The text of a program with its scalar constants. Arrays are told apart by their types only.

    Raises:
        NotCanonical: there is no such text.
    """
    return _native.program_text(closed.jaxpr, closed.consts, text, as_array)


def text(value: Any) -> str:
    """The canonical text of a parameter."""
    kind = value.__class__
    if kind in (int, bool, str, float, complex) or value is None:
        return repr(value)
    if kind is tuple or kind is list:
        return f"({','.join([text(x) for x in value])})"
    if kind is ClosedJaxpr:
        return f"{{{fingerprint(value).decode()}}}"
    if isinstance(value, (np.dtype, dtypes.KeyDtype)):
        return dtypes.name(cast(Any, value))
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
        return f"{{{_native.program_text(value, None, text, as_array).decode()}}}"
    raise NotCanonical(f"{kind.__name__}")
