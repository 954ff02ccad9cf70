"""Memoising functions of programs for as long as the program lives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeVar, cast
from weakref import ref

from vires.core.config import config
from vires.core.jaxpr import ClosedJaxpr

Result = TypeVar("Result")
Item = TypeVar("Item")
_clearers: list[Callable[[], None]] = []


def on_clear(function: Callable[[], None]) -> None:
    """Call `function` when all caches are to be forgotten."""
    _clearers.append(function)


def clear() -> None:
    """Forget everything memoised."""
    for function in _clearers:
        function()


class Living(Generic[Item]):
    """A collection that holds what is alive for other reasons.

    Python's weak collections run a callback when something dies; a KeyboardInterrupt that arrives
    in one is printed and lost. Here dead entries are swept away as others are added.
    """

    def __init__(self) -> None:
        self._items: list[ref[Item]] = []
        self._sweep_at = 64

    def add(self, item: Item) -> None:
        """Add what is not in the collection yet."""
        self._items.append(ref(item))
        if len(self._items) >= self._sweep_at:
            self._items = [entry for entry in self._items if entry() is not None]
            self._sweep_at = max(64, 2 * len(self._items))

    def __iter__(self) -> Iterator[Item]:
        for entry in list(self._items):
            item = entry()
            if item is not None:
                yield item


_programs: Living[ClosedJaxpr] = Living()


def _forget_derived() -> None:
    for program in _programs:
        if program.derived is not None:
            program.derived.clear()


on_clear(_forget_derived)


_ITSELF: Any = object()


def per_program(function: Callable[..., Result]) -> Callable[..., Result]:
    """Remember results by the identity of the first argument (a closed jaxpr) and by the others.

    The program itself holds them, so that they go when it does, cycles included.
    """

    @functools.wraps(function)
    def memoised(closed: ClosedJaxpr, *args: Hashable) -> Result:
        derived = closed.derived
        if derived is None:
            derived = closed.derived = {}
            _programs.add(closed)
        key = (function, config.state, *args)
        found: Any = derived.get(key, derived)
        if found is derived:
            found = function(closed, *args)
            # A program that held itself would live until Python looks for cycles.
            derived[key] = _ITSELF if found is closed else found
        return cast(Result, closed) if found is _ITSELF else found

    return memoised
