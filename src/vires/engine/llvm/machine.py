"""The compiler behind the CPU engine: LLVM IR text to machine code in this process.

The native core calls llvmlite's library itself (`native/compiler.cpp`), without llvmlite's Python
modules and their global lock, and places objects in memory (`native/loader.cpp`). What that loader
does not understand (other processors, other relocations) is linked through llvmlite, imported when
that happens.
"""

from __future__ import annotations

import enum
import importlib.util
import itertools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from vires import _native

_lock = threading.Lock()
_names = itertools.count()


class CompileError(RuntimeError):
    """LLVM refused a kernel: an error of the compiler, not of the user's program."""


class Host(NamedTuple):
    """The processor that code is compiled for."""

    cpu: str
    features: str  # as LLVM takes them: "+avx2,-avx512f,..."
    vector_bytes: int
    triple: str

    def has(self, feature: str) -> bool:
        """Whether the processor has an LLVM feature such as ``"avx2"`` or ``"f16c"``."""
        return f",+{feature}," in f",{self.features},"


def library_path() -> str:
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


@lru_cache(maxsize=1)
def start() -> None:
    """Begin to load LLVM on a thread of its own.

    The thread also compiles `warm_up.ll`, programs as the engine writes them, so that the code
    generator's pages are in memory and its tables made when the first kernel comes.

    Raises:
        ImportError: llvmlite is not installed.
        ValueError: VIRES_VECTOR_BYTES is no size of a vector.
    """
    wanted = os.environ.get("VIRES_VECTOR_BYTES", "64")
    if wanted not in ("64", "32", "16"):
        raise ValueError(f"VIRES_VECTOR_BYTES: needs 64, 32 or 16; got {wanted!r}")
    with open(os.path.join(os.path.dirname(__file__), "warm_up.ll"), encoding="ascii") as file:
        _native.compiler_start(library_path(), file.read())


def preload() -> None:
    """Start early, unless VIRES_PRELOAD=0; the first compilation says what is missing."""
    if os.environ.get("VIRES_PRELOAD", "1") != "0":
        try:
            start()
        except ImportError:
            return


@lru_cache(maxsize=1)
def host() -> Host:
    """The processor of this machine: 64-byte vectors with AVX-512, 32 with AVX2, 16 otherwise; none
    wider than VIRES_VECTOR_BYTES.

    Raises:
        CompileError: LLVM cannot be loaded.
    """
    start()
    cpu, features, triple = _native.compiler_host()
    if not triple:
        raise CompileError(f"LLVM: needs its library; got none from {library_path()}")
    features = ",".join(sorted(features.split(","), key=lambda f: f[1:]))
    return Host(cpu, features, _native.vector_bytes(), triple)


@lru_cache
def processors() -> int:
    """How many modules this process may compile at the same time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_level(level: int) -> None:
    if level not in (0, 1, 2):
        raise ValueError(f"compile_ir: needs a level of 0, 1 or 2; got {level!r}")


def compile_ir(text: str, level: int = 0, *, name: str = "kernel", verify: bool = False) -> bytes:
    """Object code of a module given as IR text.

    `level` is the effort of the code generator: 0 (fast register allocation), 1 or 2. No IR pass
    runs but the one that puts functions marked `alwaysinline` in the places of their calls; the
    text is expected to be good IR already. Any number of threads may call this at once.
    `verify` also runs LLVM's module verifier (for tests).

    Raises:
        CompileError: the text is not valid IR; names the kernel and carries LLVM's message.
    """
    _check_level(level)
    start()
    try:
        return _native.compile(text, level, verify)
    except RuntimeError as error:
        raise CompileError(f"{name}: {error}") from None


class Priority(enum.IntEnum):
    """Who waits for a module: somebody; somebody soon, perhaps; nobody. The last have threads that
    leave the processor to others.
    """

    URGENT = 0
    SOON = 1
    BACKGROUND = 2


class Job:
    """A module that is being compiled on another thread."""

    def __init__(self, text: str, level: int, name: str, priority: Priority) -> None:
        _check_level(level)
        start()
        self._name = name
        self._job = _native.submit(text, level, priority)

    def done(self) -> bool:
        """Whether `result` answers at once."""
        return self._job.done()

    def result(self) -> bytes:
        """The object code. Waits; a job that nobody has begun is done by the caller.

        Raises:
            CompileError: the text is not valid IR.
        """
        return self._get(self._job.result)

    def wait(self) -> bytes:
        """The object code, as `result` gives it, but made by the workers only.

        Raises:
            CompileError: the text is not valid IR.
        """
        return self._get(self._job.wait)

    def _get(self, get: Callable[[], bytes]) -> bytes:
        try:
            return get()
        except RuntimeError as error:
            raise CompileError(f"{self._name}: {error}") from None


def submit(text: str, level: int, name: str, *, priority: Priority = Priority.URGENT) -> Job:
    """Begin to compile a module to object code."""
    return Job(text, level, name, priority)


def compile_all(
    units: Sequence[tuple[str, int] | Job], name: str, *, background: bool = False
) -> list[bytes]:
    """The object code of several modules (text, level), compiled at the same time, and of those
    that are being compiled already; `background`: by threads that leave the processor to others.
    """
    priority = Priority.BACKGROUND if background else Priority.URGENT
    own = None if background or not units or isinstance(units[-1], Job) else units[-1]
    jobs = [
        unit if isinstance(unit, Job) else submit(unit[0], unit[1], name, priority=priority)
        for unit in (units if own is None else units[:-1])
    ]
    last = [] if own is None else [compile_ir(own[0], own[1], name=name)]
    if background:
        return [job.wait() for job in jobs]
    # From the end: what nobody has begun yet is done here, instead of waiting for what is begun.
    return [job.result() for job in reversed(jobs)][::-1] + last


def assembly(text: str, level: int = 0, *, name: str = "kernel") -> str:
    """The assembly of a module given as IR text, as `compile_ir` would compile it.

    Raises:
        CompileError: the text is not valid IR.
    """
    start()
    try:
        return _native.compile(text, level, False, True).decode()
    except RuntimeError as error:
        raise CompileError(f"{name}: {error}") from None


def load(image: bytes, name: str, exports: Sequence[str], addresses: Mapping[str, int]) -> Any:
    """Place object code in memory; `addresses` gives what the process does not know by itself.

    Raises:
        CompileError: a name has no address.
    """
    try:
        return _native.load_object(image, dict(addresses))
    except RuntimeError:  # not understood
        return link(image, name, addresses, exports)


class Linked:
    """Machine code in memory. Its addresses are valid as long as this object lives."""

    def __init__(self, name: str, library: str, tracker: Any, found: dict[str, int]) -> None:
        self.name = name
        self._library = library
        self._tracker = tracker
        self._found = found

    def address(self, symbol: str) -> int:
        """The address of a function or global of the object."""
        found = self._found.get(symbol)
        if found is None:
            try:
                lookup = _jit().lookup(self._library, symbol)
            except RuntimeError as error:
                raise CompileError(f"{self.name}: no symbol {symbol!r}: {error}") from error
            # A lookup comes with a tracker of the whole library: dropping it would unload the code.
            lookup.detach()
            found = self._found[symbol] = lookup[symbol]
        return found


def link(
    image: bytes,
    name: str,
    symbols: Mapping[str, int] | None = None,
    exports: Sequence[str] = (),
) -> Linked:
    """Load an object into this process by LLVM's own linker.

    `symbols` gives addresses to names that the object refers to; other names are looked up in the
    process (the C library and its mathematics among them). `exports` are names to resolve at once.

    Raises:
        CompileError: a name has no address.
    """
    builder = _binding().JITLibraryBuilder().add_object_img(image).add_current_process()
    for symbol, address in (symbols or {}).items():
        builder.import_symbol(symbol, address)
    for symbol in exports:
        builder.export_symbol(symbol)
    library = f"vires.{next(_names)}.{name}"
    try:
        tracker = builder.link(_jit(), library)
    except RuntimeError as error:
        raise CompileError(f"{name}: linking failed: {error}") from error
    return Linked(name, library, tracker, {symbol: tracker[symbol] for symbol in exports})


@lru_cache(maxsize=1)
def _binding() -> Any:
    """llvmlite's own module."""
    host()
    with _lock:
        import llvmlite.binding as binding  # pyright: ignore[reportMissingTypeStubs] - has no types

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        return binding


@lru_cache(maxsize=1)
def _jit() -> Any:
    binding = _binding()
    target = binding.Target.from_triple(host().triple)
    made = target.create_target_machine(
        cpu=host().cpu, features=host().features, opt=1, reloc="pic", codemodel="small"
    )
    return binding.create_lljit_compiler(made, use_jit_link=True)
