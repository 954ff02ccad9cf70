"""SciPy's functions on immutable arrays: traceable, differentiable, compiled.

The modules are imported when they are first used.
"""

from __future__ import annotations

import importlib
from types import ModuleType

_MODULES = (
    "cluster", "fft", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal",
    "sparse", "spatial", "special", "stats",
)  # fmt: skip


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        raise AttributeError(f"module 'vires.scipy' has no attribute {name!r}")
    return importlib.import_module(f"vires.scipy.{name}")


def __dir__() -> list[str]:
    return sorted((*globals(), *_MODULES))
