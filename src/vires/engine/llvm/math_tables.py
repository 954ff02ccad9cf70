"""The elementary functions on float32 and float64, by name."""

from __future__ import annotations

from collections.abc import Callable

from vires.engine.llvm import math_trig
from vires.engine.llvm.ssa import Val

REAL_MATH: dict[str, Callable[..., Val]] = {
    "sin": math_trig.sin,
    "cos": math_trig.cos,
}
