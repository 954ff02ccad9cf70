"""Machine code of programs: in this process, on disk, and made better while it runs.

A program that nobody has compiled yet is compiled in a hurry: its elementary functions are calls of
the library's, most kernels have the code generator's least effort. If that leaves something to
gain, its modules are compiled again by threads that leave the processor to others; the executables
run the better code from their next call on, and the cache keeps it. Both give the same bits.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from vires.engine.llvm import background, cache, objects

#: The name of a program's entry in its object code.
ENTRY = "vires_entry"
_MOST_CODES = 1024
_codes: dict[str, Code] = {}

#: Object code, and what an executable needs to know of it.
Made = tuple[list[bytes], dict[str, Any]]


class Code:
    """Machine code of a program and what an executable needs to know of it."""

    def __init__(self, linked: Any, notes: dict[str, Any]) -> None:
        self.linked = linked
        self.notes = notes
        self._executables: list[weakref.ref[Any]] = []

    def attach(self, executable: Any) -> None:
        """Tell an executable when there is better code."""
        self._executables = [known for known in self._executables if known() is not None]
        self._executables.append(weakref.ref(executable))

    def executables(self) -> list[Any]:
        """The executables that run this code."""
        return [x for x in (known() for known in self._executables) if x is not None]

    def replace(self, linked: Any) -> None:
        """Run other code of the same program from the next call on."""
        self.linked = linked
        for executable in self.executables():
            executable.replace(linked.entry, linked)


def load(made: Made, name: str) -> Code:
    """Object code, placed in memory."""
    images, notes = made
    calls = notes["calls"]
    return Code(objects.load_all(images, name, notes["exports"], notes["names"], calls), notes)


def find(key: str, name: str) -> Code | None:
    """Code that is in this process or on disk."""
    code = _codes.get(key)
    if code is None:
        code = from_disk(key, name)
        if code is not None:
            keep(key, code)
    return code


def keep(key: str, code: Code) -> None:
    """Remember code, and forget the oldest."""
    _codes[key] = code
    while len(_codes) > _MOST_CODES:
        del _codes[next(iter(_codes))]


def from_disk(key: str, name: str) -> Code | None:
    """Code that is in the cache, loaded."""
    found = cache.read(key)
    if found is None:
        return None
    notes, data = found
    images: list[bytes] = []
    start = 0
    for length in notes["lengths"]:
        images.append(data[start : start + length])
        start += length
    return load((images, notes), name)


def write(key: str, made: Made) -> None:
    """Keep code on disk."""
    cache.write(key, made[1], b"".join(made[0]))


def improve(code: Code, key: str, name: str, make: Callable[[], Made]) -> None:
    """Replace code by what `make` gives, some time later."""

    def task() -> None:
        made = make()
        if key:
            write(key, made)
        code.replace(load(made, name).linked)

    background.run(task)
