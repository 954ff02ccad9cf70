"""Python's collector of cycles, held back while a program is built.

Tracing and compiling make many objects that live on. The collector would visit all that were ever
imported, for tens of milliseconds, once or several times in the first call of a program, and free
next to nothing.
"""

from __future__ import annotations

import gc
import threading
from types import TracebackType


class _Paused:
    """A context in which no collection starts by itself; any number may be open, in any threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._open:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._open += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._open -= 1
            if not self._open and self._was_enabled:
                gc.enable()


def settle() -> None:
    """Do the full collection that an import has made due.

    An import leaves tens of thousands of objects for good. The collector visits them all at some
    later moment, which would be the first call of a program.
    """
    if gc.isenabled():
        gc.collect()


paused = _Paused()
