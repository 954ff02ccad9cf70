"""The objects of a program in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vires import _native
from vires.engine.llvm import machine, symbols


class Loaded:
    """Objects of one program in memory."""

    def __init__(self, parts: Sequence[Any], entry: Any) -> None:
        self._parts = parts
        #: The address of the entry, or the list of calls that the program is.
        self.entry = entry


def load_all(
    images: Sequence[bytes],
    name: str,
    exports: Sequence[Sequence[str]],
    names: Iterable[str],
    calls: Mapping[str, Any] | None = None,
) -> Loaded:
    """Load the objects of a program, which call C functions by their `names`. They are called as a
    list says; without one the last has the entry, and may call the others.
    """
    addresses = symbols.addresses(names)
    parts: list[Any] = []
    for image, exported in zip(images, exports, strict=True):
        part = machine.load(image, name, exported, addresses)
        parts.append(part)
        addresses = {**addresses, **{symbol: part.address(symbol) for symbol in exported}}
    if calls is None:
        return Loaded(parts, addresses[exports[-1][0]])
    functions = [addresses[function] for function in calls["functions"]]
    made = _native.CallList(
        calls["slots"], calls["keeps"], calls["tables"], calls["words"], functions
    )
    return Loaded(parts, made)
