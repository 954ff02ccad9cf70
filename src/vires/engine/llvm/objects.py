"""Machine code by its text: compiled once, kept on disk, loaded into the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vires.engine.llvm import machine


def build(text: str, symbol: str, *, level: int, symbols: Mapping[str, int] | None = None) -> Any:
    """Load the code of a module; `symbol` names its entry."""
    image = machine.compile_ir(text, level, name=symbol)
    return machine.link(image, symbol, symbols, [symbol])
