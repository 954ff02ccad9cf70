"""Machine code by its text: compiled once, kept on disk, loaded into the process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vires.engine.llvm import machine, symbols


def build(text: str, symbol: str, *, level: int, names: Iterable[str] = ()) -> Any:
    """Load the code of a module; `symbol` names its entry, `names` the C functions that
    it calls."""
    image = machine.compile_ir(text, level, name=symbol)
    return machine.link(image, symbol, symbols.addresses(names), [symbol])
