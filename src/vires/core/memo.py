"""Memoising functions of programs for as long as the program lives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from vires.core.config import config

Result = TypeVar("Result")
_clearers: list[Callable[[], None]] = []


def on_clear(function: Callable[[], None]) -> None:
    """Call `function` when all caches are to be forgotten."""
    _clearers.append(function)


def clear() -> None:
    """Forget everything memoised."""
    for function in _clearers:
        function()


def per_program(function: Callable[..., Result]) -> Callable[..., Result]:
    """Remember results by the identity of the first argument (a closed jaxpr) and by the others."""
    results: WeakKeyDictionary[Any, dict[Hashable, Result]] = WeakKeyDictionary()
    on_clear(results.clear)

    @functools.wraps(function)
    def memoised(closed: Any, *args: Hashable) -> Result:
        of_program = results.get(closed)
        if of_program is None:
            of_program = results[closed] = {}
        key = (config.state, *args)
        if key not in of_program:
            of_program[key] = function(closed, *args)
        return of_program[key]

    return memoised
