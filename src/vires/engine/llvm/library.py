"""llvmlite's shared library through ctypes, without llvmlite's Python modules.

Importing llvmlite takes tens of milliseconds, most of them for modules that are not needed here.
The library itself is loaded on a thread of its own while `import vires` runs (`preload`), so that
the first kernel finds it there.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from typing import Any

from vires import _native

_POINTER, _TEXT = ctypes.c_void_p, ctypes.c_char_p
_OUT = ctypes.POINTER(ctypes.c_void_p)
#: Name in the library, result, arguments.
_FUNCTIONS: dict[str, tuple[str, Any, tuple[Any, ...]]] = {
    "initialize_target": ("LLVMPY_InitializeNativeTarget", ctypes.c_int, ()),
    "initialize_printer": ("LLVMPY_InitializeNativeAsmPrinter", ctypes.c_int, ()),
    "get_triple": ("LLVMPY_GetProcessTriple", None, (_OUT,)),
    "get_cpu": ("LLVMPY_GetHostCPUName", None, (_OUT,)),
    "get_features": ("LLVMPY_GetHostCPUFeatures", ctypes.c_int, (_OUT,)),
    "find_target": ("LLVMPY_GetTargetFromTriple", _POINTER, (_TEXT, _OUT)),
    "create_machine": (
        "LLVMPY_CreateTargetMachine",
        _POINTER,
        (
            _POINTER,
            _TEXT,
            _TEXT,
            _TEXT,
            ctypes.c_int,
            _TEXT,
            _TEXT,
            ctypes.c_int,
            ctypes.c_int,
            _TEXT,
        ),
    ),
    "create_context": ("LLVMPY_ContextCreate", _POINTER, ()),
    "dispose_context": ("LLVMPY_ContextDispose", None, (_POINTER,)),
    "parse": ("LLVMPY_ParseAssembly", _POINTER, (_POINTER, _TEXT, _OUT)),
    "verify": ("LLVMPY_VerifyModule", ctypes.c_bool, (_POINTER, _OUT)),
    "emit": (
        "LLVMPY_TargetMachineEmitToMemory",
        _POINTER,
        (_POINTER, _POINTER, ctypes.c_int, _OUT),
    ),
    "buffer_start": ("LLVMPY_GetBufferStart", _POINTER, (_POINTER,)),
    "buffer_size": ("LLVMPY_GetBufferSize", ctypes.c_size_t, (_POINTER,)),
    "dispose_buffer": ("LLVMPY_DisposeMemoryBuffer", None, (_POINTER,)),
    "dispose_module": ("LLVMPY_DisposeModule", None, (_POINTER,)),
    "dispose_string": ("LLVMPY_DisposeString", None, (_POINTER,)),
}


def path() -> str:
    """Where llvmlite's library is; found without importing llvmlite.

    Raises:
        ImportError: llvmlite is not installed.
    """
    spec = importlib.util.find_spec("llvmlite")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for name in ("libllvmlite.so", "libllvmlite.dylib", "llvmlite.dll"):
            found = os.path.join(folder, "binding", name)
            if os.path.exists(found):
                return found
    raise ImportError(
        "vires: needs llvmlite with its library; got none; try `pip install llvmlite`"
    )


def preload() -> None:
    """Load the library on a thread of its own; not with VIRES_PRELOAD=0, nor where there is none.

    The thread also compiles `warm_up.ll`, a program as the engine writes them, so that the code
    generator's pages are in memory and its tables made when the first kernel comes.
    """
    if os.environ.get("VIRES_PRELOAD", "1") == "0":
        return
    try:
        found = path()
    except ImportError:
        return  # the first compilation says what is missing
    with open(os.path.join(os.path.dirname(__file__), "warm_up.ll"), encoding="ascii") as file:
        _native.preload_start(found, file.read())


class LLVM:
    """The functions of the library as attributes, and what needs more than one of them."""

    initialize_target: Any
    initialize_printer: Any
    get_triple: Any
    get_cpu: Any
    get_features: Any
    find_target: Any
    create_machine: Any
    create_context: Any
    dispose_context: Any
    parse: Any
    verify: Any
    emit: Any
    buffer_start: Any
    buffer_size: Any
    dispose_buffer: Any
    dispose_module: Any
    dispose_string: Any

    def __init__(self) -> None:
        _native.preload_wait()
        library = ctypes.CDLL(path())
        for name, (symbol, result, arguments) in _FUNCTIONS.items():
            function = getattr(library, symbol)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
        self.initialize_target()
        self.initialize_printer()

    def text(self, message: ctypes.c_void_p) -> str:
        """The text that LLVM allocated, which is freed."""
        if not message.value:
            return ""
        found = ctypes.string_at(message.value).decode(errors="replace")
        self.dispose_string(message)
        return found

    def _read(self, get: Any) -> str:
        out = ctypes.c_void_p()
        get(ctypes.byref(out))
        return self.text(out)

    def host(self) -> tuple[str, str, str]:
        """The processor's name, its features ("+avx2,-avx512f,..."), the triple of this process."""
        features = sorted(self._read(self.get_features).split(","), key=lambda f: f[1:])
        return self._read(self.get_cpu), ",".join(features), self._read(self.get_triple)

    def target_machine(self, level: int, host: Any) -> int:
        """A code generator for this processor; it lives as long as the process."""
        error = ctypes.c_void_p()
        triple = host.triple.encode()
        target = self.find_target(triple, ctypes.byref(error))
        machine = target and self.create_machine(
            target,
            triple,
            host.cpu.encode(),
            host.features.encode(),
            level,
            b"pic",
            b"small",
            0,
            0,
            b"",
        )
        if not machine:
            raise RuntimeError(
                f"LLVM: needs a target for {host.triple}; got none: {self.text(error)}"
            )
        return machine
