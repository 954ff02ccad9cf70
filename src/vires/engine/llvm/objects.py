"""Modules of IR text to object code, in parallel, and object code to memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from vires.engine.llvm import loader, machine, symbols


class Loaded:
    """Objects of one program in memory."""

    def __init__(self, parts: Sequence[Any], symbol: str) -> None:
        self._parts = parts
        self._address = parts[-1].address(symbol)

    def address(self, symbol: str) -> int:
        """The address of the entry."""
        return self._address


@lru_cache(maxsize=1)
def _pool() -> tuple[int, ThreadPoolExecutor]:
    """Threads that compile. A forked child makes its own."""
    return os.getpid(), ThreadPoolExecutor(min(os.cpu_count() or 1, 8), "vires-compile")


def images_of(units: Sequence[tuple[str, int]], name: str) -> list[bytes]:
    """The object code of several modules (text, level), compiled at the same time."""
    if len(units) == 1:
        return [machine.compile_ir(units[0][0], units[0][1], name=name)]
    process, pool = _pool()
    if process != os.getpid():
        _pool.cache_clear()
        process, pool = _pool()
    made = [pool.submit(machine.compile_ir, text, level, name=name) for text, level in units]
    return [future.result() for future in made]


def load(image: bytes, name: str, exports: Sequence[str], addresses: dict[str, int]) -> Any:
    """Load object code that refers to some addresses by name."""
    try:
        return loader.load(image, addresses)
    except loader.NotUnderstood:
        return machine.link(image, name, addresses, list(exports))


def load_all(
    images: Sequence[bytes], name: str, exports: Sequence[Sequence[str]], names: Iterable[str]
) -> Loaded:
    """Load the objects of a program; the last one may call the others, and C functions by their
    `names`.
    """
    addresses = symbols.addresses(names)
    parts: list[Any] = []
    for image, exported in zip(images, exports, strict=True):
        part = load(image, name, exported, addresses)
        parts.append(part)
        if part is not None and len(parts) < len(images):
            addresses = {**addresses, **{symbol: part.address(symbol) for symbol in exported}}
    return Loaded(parts, exports[-1][0])
