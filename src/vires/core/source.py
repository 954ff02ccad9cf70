"""Which line of the user's code an equation came from."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import CodeType
from typing import NamedTuple

from vires import _native

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


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


#: The innermost line of the calling stack that is not inside this package, or None.
here: Callable[[], SourceLine | None] = _native.source_line
_native.set_source(SourceLine, _scope, _PACKAGE)
