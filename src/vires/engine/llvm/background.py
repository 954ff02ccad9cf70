"""Work that nobody waits for: better code for programs that already run.

One thread does it, in order, some time after it was asked for: the first call of a program has the
processor to itself. What is left when the interpreter exits is done then, so that the next process
finds its programs in the cache.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from bisect import insort
from collections.abc import Callable

from vires import _native

#: Seconds from a request to the work; and of what no program has asked for yet.
_DELAY = 0.05
LATER = 0.3
#: Seconds for which work may be put off because somebody waits for other programs.
_PATIENCE = 1.0


class _Worker:
    """A thread with its tasks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        #: Tasks with the time from which on they may be done.
        self._tasks: list[tuple[float, Callable[[], None]]] = []
        self._errors: list[BaseException] = []
        self._is_busy = False
        self._waiting = 0
        self._has_thread = False
        #: No task begins before, unless it has waited for long.
        self.rest = 0.0

    def add(self, task: Callable[[], None], delay: float) -> None:
        """Do a task after so many seconds, and after those that were to be done before."""
        with self._changed:
            insort(self._tasks, (time.monotonic() + delay, task), key=lambda entry: entry[0])
            if not self._has_thread:
                self._has_thread = True
                # A daemon: `finish` waits for it when the interpreter exits, and hurries it.
                threading.Thread(target=self._work, name="vires-background", daemon=True).start()
            self._changed.notify_all()

    def finish(self) -> list[BaseException]:
        """Do all that there is at once, and wait for it; what was raised."""
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._tasks and not self._is_busy)
            self._waiting -= 1
            errors, self._errors = self._errors, []
            return errors

    def give_way(self) -> bool:
        """In a task, between its parts: wait while somebody waits for other programs. Whether
        somebody waits for the task.
        """
        with self._changed:
            end = time.monotonic() + _PATIENCE
            while not self._waiting:
                left = min(self.rest, end) - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def _work(self) -> None:
        while True:
            task = self._next()
            try:
                task()
            except BaseException as error:  # told by `finish`
                self._errors.append(error)
            finally:
                del task
                with self._changed:
                    self._is_busy = False
                    self._changed.notify_all()

    def _next(self) -> Callable[[], None]:
        """The next task, when its time has come."""
        with self._changed:
            while True:
                left = None
                if self._tasks:
                    due = self._tasks[0][0]
                    left = min(max(due, self.rest), due + _PATIENCE) - time.monotonic()
                if left is not None and (left <= 0 or self._waiting):
                    self._is_busy = True
                    return self._tasks.pop(0)[1]
                self._changed.wait(left)


_worker = _Worker()


def run(task: Callable[[], None], delay: float = _DELAY) -> None:
    """Do a task on the thread, after so many seconds."""
    _worker.add(task, delay)


def rest() -> None:
    """Begin nothing for a moment: somebody waits for a program."""
    _worker.rest = time.monotonic() + _DELAY


def give_way() -> bool:
    """In a task, between its parts: wait while somebody waits for other programs. Whether somebody
    waits for the task.
    """
    return _worker.give_way()


def finish() -> None:
    """Do and wait for all that was begun.

    Raises:
        Exception: what a task raised.
    """
    errors = _worker.finish()
    if errors:
        raise errors[0]


def _start_anew() -> None:
    """In a forked child: its parent does what was begun."""
    global _worker
    _worker = _Worker()


def _end() -> None:
    """At exit: finish, then let no thread run LLVM while its library destroys its objects."""
    try:
        finish()
    finally:
        _native.compiler_stop()


atexit.register(_end)
os.register_at_fork(after_in_child=_start_anew)
