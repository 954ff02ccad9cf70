"""Machine code by its text: compiled once, kept on disk, loaded into the process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vires.engine.llvm import cache, loader, machine, symbols


def image_of(text: str, name: str, *, level: int) -> bytes:
    """The object code of a module, from the cache if it was made before."""
    key = cache.key(b"ir", str(level).encode(), text.encode())
    found = cache.read(key)
    if found is not None:
        return found[1]
    image = machine.compile_ir(text, level, name=name)
    cache.write(key, {}, image)
    return image


def load(image: bytes, name: str, symbol: str, names: Iterable[str] = ()) -> Any:
    """Load object code. `symbol` is its entry, `names` are the C functions of Vires and OpenBLAS that it calls."""
    addresses = symbols.addresses(names)
    try:
        return loader.load(image, addresses)
    except loader.NotUnderstood:
        return machine.link(image, name, addresses, [symbol])


def build(text: str, symbol: str, *, level: int, names: Iterable[str] = ()) -> Any:
    """Load the code of a module, compiled if need be."""
    return load(image_of(text, symbol, level=level), symbol, symbol, names)
