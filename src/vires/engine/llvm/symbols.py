"""Addresses of the C functions that compiled code calls: the native core's, OpenBLAS, and
packed products."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

from vires import _native
from vires.engine.llvm import gemm_code, math_library
from vires.ops.openblas import library


def addresses(names: Iterable[str]) -> dict[str, int]:
    """The address for each name. KeyError for one that nobody offers."""
    own = _native.symbols()
    found: dict[str, int] = {}
    for name in names:
        if name.startswith("cblas_"):
            function = getattr(library(), f"scipy_{name}")
            address = ctypes.cast(function, ctypes.c_void_p).value
            assert address is not None
            found[name] = address
        elif name.startswith(gemm_code.PREFIX):
            found[name] = gemm_code.address(name)
        elif name.startswith(math_library.PREFIX):
            found[name] = math_library.address(name)
        else:
            found[name] = own[name]
    return found
