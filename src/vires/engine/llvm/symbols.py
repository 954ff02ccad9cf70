"""Addresses of the C functions that compiled code calls: the native core's, and OpenBLAS."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from vires import _native


@lru_cache(maxsize=1)
def _openblas() -> Any:
    import scipy_openblas32

    path = os.path.join(scipy_openblas32.get_lib_dir(), scipy_openblas32.get_library(fullname=True))
    library = ctypes.CDLL(path)
    # Products are divided among the threads of Vires: two pools of threads get into each other's
    # way.
    library.scipy_openblas_set_num_threads(1)
    return library


def addresses(names: Iterable[str]) -> dict[str, int]:
    """The address for each name. KeyError for one that nobody offers."""
    own = _native.symbols()
    found: dict[str, int] = {}
    for name in names:
        if name.startswith("cblas_"):
            function = getattr(_openblas(), f"scipy_{name}")
            address = ctypes.cast(function, ctypes.c_void_p).value
            assert address is not None
            found[name] = address
        else:
            found[name] = own[name]
    return found
