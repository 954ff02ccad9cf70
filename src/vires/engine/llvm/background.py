"""Work that nobody waits for: better code for programs that already run.

One thread does it, in order. What is left when the interpreter exits is done then, so that the next
process finds its programs in the cache.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache

_futures: set[Future[None]] = set()


@lru_cache(maxsize=1)
def _thread(process: int) -> ThreadPoolExecutor:
    """The thread of a process: a forked child makes its own."""
    return ThreadPoolExecutor(1, "vires-background")


def run(task: Callable[[], None]) -> None:
    """Do a task at once, on the thread."""
    future = _thread(os.getpid()).submit(task)
    _futures.add(future)
    future.add_done_callback(_forget)


def _forget(future: Future[None]) -> None:
    """Those that failed are kept, so that `finish` tells."""
    if future.exception() is None:
        _futures.discard(future)


def finish() -> None:
    """Do and wait for all that was begun.

    Raises:
        Exception: what a task raised.
    """
    left = set(_futures)
    wait(left)
    _futures.clear()
    for future in left:
        future.result()


def _start_anew() -> None:
    """In a forked child: its parent does what was begun."""
    _futures.clear()


atexit.register(finish)
os.register_at_fork(after_in_child=_start_anew)
