"""Which line of the user's code an equation came from."""

from __future__ import annotations

import os
import sys
from types import CodeType
from typing import NamedTuple

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_internal: dict[CodeType, bool] = {}


class SourceLine(NamedTuple):
    """A position in the user's code. Cheap to take: the text is made only when printed."""

    code: CodeType
    instruction: int

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
        return f"{self.filename}:{self.line} ({self.code.co_name})"


def here() -> SourceLine | None:
    """The innermost line of the calling stack that is not inside this package."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] - public in all but name
    while frame is not None:
        code = frame.f_code
        internal = _internal.get(code)
        if internal is None:
            internal = _internal[code] = code.co_filename.startswith(_PACKAGE)
        if not internal:
            return SourceLine(code, frame.f_lasti)
        frame = frame.f_back
    return None
