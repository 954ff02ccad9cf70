"""Which line of the user's code an equation came from."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import CodeType
from typing import NamedTuple

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: By file, whether it is one of this package's. Not by code: Python computes the hash of a code
#: object anew each time, from all of its instructions.
_internal: dict[str, bool] = {}


class SourceLine(NamedTuple):
    """A position in the user's code. Cheap to take: the text is made only when printed."""

    code: CodeType
    instruction: int
    #: Names of the parts of the program that it is in, outer ones first: `encoder/attention`.
    scope: str = ""

    @property
    def filename(self) -> str:
        return self.code.co_filename

    @property
    def line(self) -> int:
        position = 0
        for start, end, line in self.code.co_lines():
            if start <= self.instruction < end and line is not None:
                position = line
        return position

    @property
    def function(self) -> str:
        return self.code.co_qualname

    def __str__(self) -> str:
        scope = f", {self.scope}" if self.scope else ""
        return f"{self.filename}:{self.line} ({self.code.co_name}{scope})"


class _Scope(threading.local):
    """The part of a program that this thread is in."""

    name = ""


_scope = _Scope()


@contextmanager
def scope(name: str) -> Generator[None]:
    """Lines inside a `with` block belong to the part `name` of the one that is current."""
    before = _scope.name
    _scope.name = f"{before}/{name}" if before else name
    try:
        yield
    finally:
        _scope.name = before


def here() -> SourceLine | None:
    """The innermost line of the calling stack that is not inside this package."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] - public in all but name
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        internal = _internal.get(name)
        if internal is None:
            internal = _internal[name] = name.startswith(_PACKAGE)
        if not internal:
            return SourceLine(code, frame.f_lasti, _scope.name)
        frame = frame.f_back
    return None
