"""OpenBLAS with LAPACK: the library inside the package scipy-openblas32, loaded when first needed.

The package itself is not imported, which would take longer than everything else; and the library
starts no threads of its own, since products are divided among the threads of Vires and two pools
would get into each other's way.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os

from vires import _native

_THREADS = "OPENBLAS_NUM_THREADS"


def _path() -> str:
    spec = importlib.util.find_spec("scipy_openblas32")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        directory = os.path.join(folder, "lib")
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
            stem, extension = os.path.splitext(name)
            if stem.endswith("scipy_openblas") and extension in (".so", ".dylib", ".dll"):
                return os.path.join(directory, name)
    raise ImportError(
        "linear algebra: needs the package scipy-openblas32; got none; "
        "try `pip install scipy-openblas32`"
    )


@functools.cache
def library() -> ctypes.CDLL:
    """The library; its functions are named `scipy_dgetrf_`, `scipy_cblas_sgemm`, ...

    Raises:
        ImportError: scipy-openblas32 is not installed.
    """
    path = _path()
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"  # read once, while the library is loaded
    try:
        return ctypes.CDLL(path)
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


@functools.cache
def routine(name: str) -> int:
    """The address of a function of the library, such as `dgetrf_` or `cblas_sgemm`."""
    return ctypes.cast(getattr(library(), f"scipy_{name}"), ctypes.c_void_p).value or 0


#: Native routines with names that begin so call OpenBLAS on tiles of matrices.
_TILED = "vires_tiled_"


@functools.cache
def _own() -> dict[str, int]:
    return _native.symbols()


@functools.cache
def _hand_over() -> None:
    """Give the native core the routines it calls."""
    letters = {"s": "syrk", "d": "syrk", "c": "herk", "z": "herk"}
    _native.set_blas(
        [
            routine(f"{letter}{name}_")
            for letter, square in letters.items()
            for name in ("potrf", "trsm", "gemm", square)
        ]
    )


def native_address(name: str) -> int:
    """The address of a routine of the native core, ready to be called."""
    if name.startswith(_TILED):
        _hand_over()
    return _own()[name]
