"""The compiler behind the CPU engine: LLVM IR text to machine code in this process.

llvmlite guards every call with one global lock. Parsing and emitting are thread-safe in LLVM as
long as each thread has its own context and target machine, so they go through a ctypes handle of
our own on llvmlite's library (`library.py`), which gives up the GIL and takes no lock. What our
loader does not understand is linked through llvmlite, imported when that happens.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from vires.engine.llvm.library import LLVM

_lock = threading.Lock()
_thread = threading.local()
_names = itertools.count()

#: A context keeps every type and constant it has seen; a fresh one after so many modules bounds
#: that.
_MODULES_PER_CONTEXT = 256
#: What the target machine writes, as the library numbers it.
_ASSEMBLY, _OBJECT = 0, 1


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


@lru_cache(maxsize=1)
def host() -> Host:
    """The processor of this machine: 64-byte vectors with AVX-512, 32 with AVX2, 16 otherwise."""
    cpu, features, triple = _llvm().host()
    known = f",{features},"
    vector_bytes = 64 if ",+avx512f," in known else 32 if ",+avx2," in known else 16
    return Host(cpu, features, vector_bytes, triple)


def compile_ir(text: str, level: int = 0, *, name: str = "kernel", verify: bool = False) -> bytes:
    """Object code of a module given as IR text.

    `level` is the effort of the code generator: 0 (fast register allocation), 1 or 2. No IR pass
    runs; the text is expected to be good IR already. Any number of threads may call this at once.
    `verify` also runs LLVM's module verifier (for tests).

    Raises:
        CompileError: the text is not valid IR; names the kernel and carries LLVM's message.
    """
    if level not in (0, 1, 2):
        raise ValueError(f"compile_ir: needs a level of 0, 1 or 2; got {level!r}")
    return _compiler().compile(text, level, name, verify)


def assembly(text: str, level: int = 0, *, name: str = "kernel") -> str:
    """The assembly of a module given as IR text, as `compile_ir` would compile it.

    Raises:
        CompileError: the text is not valid IR.
    """
    return _compiler().compile(text, level, name, False, _ASSEMBLY).decode()


class Linked:
    """Machine code in memory. Its addresses are valid as long as this object lives."""

    def __init__(self, name: str, library: str, tracker: Any, found: dict[str, int]) -> None:
        self.name = name
        self._library = library
        self._tracker = tracker
        self._found = found
        self._lookups: list[Any] = []

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
    """Load an object into this process.

    `symbols` gives addresses to names that the object refers to; other names are looked up in the
    process (the C library and its mathematics among them). `exports` are names to resolve at once.

    Raises:
        CompileError: a name has no address.
    """
    binding = _binding()
    builder = binding.JITLibraryBuilder().add_object_img(image).add_current_process()
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


# --- llvmlite, at the first use


@lru_cache(maxsize=1)
def _llvm() -> LLVM:
    with _lock:
        return LLVM()


@lru_cache(maxsize=1)
def _binding() -> Any:
    """llvmlite's own module, for linking what the loader does not understand."""
    _llvm()
    with _lock:
        import llvmlite.binding as binding

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


def _compiler() -> _ParallelCompiler:
    compiler = getattr(_thread, "compiler", None)
    if compiler is None:
        compiler = _thread.compiler = _ParallelCompiler(_llvm())
    return compiler


class _ParallelCompiler:
    """One thread's context and target machines."""

    def __init__(self, llvm: LLVM) -> None:
        self._functions = llvm
        self._machines: dict[int, Any] = {}
        self._modules = 0
        self._renew_context()

    def _renew_context(self) -> None:
        self._context = self._functions.create_context()
        self._modules = 0
        release = weakref.finalize(self, self._functions.dispose_context, self._context)
        release.atexit = False
        self._release_context = release

    def _machine(self, level: int) -> Any:
        machine = self._machines.get(level)
        if machine is None:
            machine = self._machines[level] = self._functions.target_machine(level, host())
        return machine

    def compile(
        self, text: str, level: int, name: str, verify: bool, kind: int = _OBJECT
    ) -> bytes:
        call = self._functions
        machine = self._machine(level)
        if self._modules >= _MODULES_PER_CONTEXT:
            self._release_context()
            self._renew_context()
        self._modules += 1
        message = ctypes.c_void_p()
        error = ctypes.byref(message)
        module = call.parse(self._context, text.encode(), error)
        if not module or message.value:
            if module:
                call.dispose_module(module)
            raise CompileError(f"{name}: LLVM cannot parse the kernel: {self._take(message)}")
        try:
            if verify and call.verify(module, error):
                raise CompileError(f"{name}: the kernel is not valid IR: {self._take(message)}")
            buffer = call.emit(machine, module, kind, error)
            if not buffer:
                raise CompileError(f"{name}: LLVM cannot emit the kernel: {self._take(message)}")
            try:
                return ctypes.string_at(call.buffer_start(buffer), call.buffer_size(buffer))
            finally:
                call.dispose_buffer(buffer)
        finally:
            call.dispose_module(module)

    def _take(self, message: ctypes.c_void_p) -> str:
        """The text of a message that LLVM allocated, which is freed."""
        if not message.value:
            return "(no message)"
        text = ctypes.string_at(message.value).decode(errors="replace")
        self._functions.dispose_string(message)
        return text
