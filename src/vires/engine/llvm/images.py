"""Object code from IR text, in parallel, and a single object to memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from vires.engine.llvm import loader, machine


@lru_cache(maxsize=1)
def _pool() -> tuple[int, ThreadPoolExecutor]:
    """Threads that compile. A forked child makes its own."""
    return os.getpid(), ThreadPoolExecutor(min(os.cpu_count() or 1, 8), "vires-compile")


def images_of(units: Sequence[tuple[str, int]], name: str) -> list[bytes]:
    """The object code of several modules (text, level), compiled at the same time."""
    if len(units) == 1:
        return [machine.compile_ir(units[0][0], units[0][1], name=name)]
    made = [submit(text, level, name) for text, level in units]
    return [future.result() for future in made]


def submit(text: str, level: int, name: str) -> Future[bytes]:
    """Begin to compile a module to object code."""
    process, pool = _pool()
    if process != os.getpid():
        _pool.cache_clear()
        process, pool = _pool()
    return pool.submit(machine.compile_ir, text, level, name=name)


def load(image: bytes, name: str, exports: Sequence[str], addresses: dict[str, int]) -> Any:
    """Load object code that refers to some addresses by name."""
    try:
        return loader.load(image, addresses)
    except loader.NotUnderstood:
        return machine.link(image, name, addresses, list(exports))
