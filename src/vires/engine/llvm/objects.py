"""The objects of a program in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vires.engine.llvm import machine, symbols


class Loaded:
    """Objects of one program in memory."""

    def __init__(self, parts: Sequence[Any], symbol: str) -> None:
        self._parts = parts
        self._address = parts[-1].address(symbol)

    def address(self, symbol: str) -> int:
        """The address of the entry."""
        return self._address


def load_all(
    images: Sequence[bytes], name: str, exports: Sequence[Sequence[str]], names: Iterable[str]
) -> Loaded:
    """Load the objects of a program; the last one may call the others, and C functions by their
    `names`.
    """
    addresses = symbols.addresses(names)
    parts: list[Any] = []
    for image, exported in zip(images, exports, strict=True):
        part = machine.load(image, name, exported, addresses)
        parts.append(part)
        if part is not None and len(parts) < len(images):
            addresses = {**addresses, **{symbol: part.address(symbol) for symbol in exported}}
    return Loaded(parts, exports[-1][0])
