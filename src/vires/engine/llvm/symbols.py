"""Addresses of the C functions that compiled code calls: the native core's, OpenBLAS, and
packed products."""

from __future__ import annotations

from collections.abc import Iterable

from vires.engine.llvm import gemm_code, math_library
from vires.ops.openblas import native_address, routine


def addresses(names: Iterable[str]) -> dict[str, int]:
    """The address for each name. KeyError for one that nobody offers."""
    found: dict[str, int] = {}
    for name in names:
        if name.startswith("cblas_"):
            found[name] = routine(name)
        elif name.startswith(gemm_code.PREFIX):
            found[name] = gemm_code.address(name)
        elif name.startswith(math_library.PREFIX):
            found[name] = math_library.address(name)
        else:
            found[name] = native_address(name)
    return found
