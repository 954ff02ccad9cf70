"""Arrays, memory, threads and the call path of compiled functions; written in C++ (`native/`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, SupportsIndex, overload

import numpy as np

class Array:
    """An immutable, row-major array, 64-byte aligned unless it wraps an ndarray."""

    __array_priority__: float
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def itemsize(self) -> int: ...
    @property
    def weak_type(self) -> bool: ...
    @property
    def aval(self) -> Any:
        """What the registered factory made of (shape, dtype, weak_type)."""
    @property
    def _code(self) -> int: ...
    def _numpy(self) -> np.ndarray:
        """A read-only ndarray over the same memory; keys are seen as uint64."""
    def _view(
        self,
        shape: Sequence[int],
        byte_offset: int = 0,
        dtype: Any = None,
        weak: bool | None = None,
    ) -> Array:
        """An array over a part of the same memory."""
    def item(self, *index: SupportsIndex | tuple[SupportsIndex, ...]) -> Any: ...
    def tolist(self) -> Any: ...
    def delete(self) -> None:
        """Gives the memory back; later uses raise RuntimeError."""
    def is_deleted(self) -> bool: ...
    def block_until_ready(self) -> Array: ...
    def unsafe_buffer_pointer(self) -> int: ...
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __dlpack__(
        self,
        *,
        stream: None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __complex__(self) -> complex: ...
    def __index__(self) -> int: ...
    def __iter__(self) -> Iterator[Array]: ...
    def __getitem__(self, index: Any, /) -> Array: ...
    def __copy__(self) -> Array: ...
    def __deepcopy__(self, memo: Any, /) -> Array: ...
    def __add__(self, other: Any, /) -> Any: ...
    def __radd__(self, other: Any, /) -> Any: ...
    def __sub__(self, other: Any, /) -> Any: ...
    def __rsub__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...
    def __rmul__(self, other: Any, /) -> Any: ...
    def __truediv__(self, other: Any, /) -> Any: ...
    def __rtruediv__(self, other: Any, /) -> Any: ...
    def __floordiv__(self, other: Any, /) -> Any: ...
    def __rfloordiv__(self, other: Any, /) -> Any: ...
    def __mod__(self, other: Any, /) -> Any: ...
    def __rmod__(self, other: Any, /) -> Any: ...
    def __divmod__(self, other: Any, /) -> Any: ...
    def __rdivmod__(self, other: Any, /) -> Any: ...
    def __pow__(self, other: Any, /) -> Any: ...
    def __rpow__(self, other: Any, /) -> Any: ...
    def __matmul__(self, other: Any, /) -> Any: ...
    def __rmatmul__(self, other: Any, /) -> Any: ...
    def __lshift__(self, other: Any, /) -> Any: ...
    def __rlshift__(self, other: Any, /) -> Any: ...
    def __rshift__(self, other: Any, /) -> Any: ...
    def __rrshift__(self, other: Any, /) -> Any: ...
    def __and__(self, other: Any, /) -> Any: ...
    def __rand__(self, other: Any, /) -> Any: ...
    def __or__(self, other: Any, /) -> Any: ...
    def __ror__(self, other: Any, /) -> Any: ...
    def __xor__(self, other: Any, /) -> Any: ...
    def __rxor__(self, other: Any, /) -> Any: ...
    def __neg__(self) -> Any: ...
    def __pos__(self) -> Any: ...
    def __abs__(self) -> Any: ...
    def __invert__(self) -> Any: ...
    def __lt__(self, other: Any, /) -> Any: ...
    def __le__(self, other: Any, /) -> Any: ...
    def __gt__(self, other: Any, /) -> Any: ...
    def __ge__(self, other: Any, /) -> Any: ...
    # The methods that Python attaches: reductions, `at`, `T`, ...
    def __getattr__(self, name: str, /) -> Any: ...

class Executable:
    """Compiled code with its inputs' and outputs' types; native/runtime.h has the entry's ABI."""

    def __init__(
        self,
        entry: int | CallList,
        keepalive: Any,
        constants: Sequence[Array],
        inputs: Sequence[tuple[Sequence[int], int]],
        outputs: Sequence[tuple[Sequence[int], int, bool]],
        scratch_bytes: int = 0,
        host_functions: Sequence[tuple[Callable[..., Any], int]] = (),
        on_error: Callable[[int, int, int], BaseException] | None = None,
        heavy: bool = False,
        donate: Mapping[int, int] | None = None,
        forward: Mapping[int, int | tuple[str, int]] | None = None,
        donated: Sequence[int] | None = None,
    ) -> None:
        """Makes an executable.

        Args:
          host_functions: each with its number of buffers, which it receives as addresses.
          heavy: release the GIL during a call.
          donate: output -> input whose memory it takes where nobody else sees that memory.
          forward: output -> input that it is, or ("const", k): the constant that it is.
          donated: inputs that the user gave away; a call deletes them.
        """
    kept: list[int] | None
    def execute(self, arrays: Sequence[Array], /) -> list[Array]: ...
    def set_output_tree(
        self, skeleton: Any, unflatten: Callable[[list[Array]], Any] | None = None, /
    ) -> None:
        """How outputs form a call's result: along `skeleton` (tuples, lists, dicts, None with leaf
        numbers), or by `unflatten` where it holds anything else."""
    def __getattr__(self, name: str, /) -> Any: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...

class CompiledFunction:
    """A function that is compiled once for each signature of its arguments."""

    def __init__(
        self,
        miss: Callable[[tuple[Any, ...], dict[str, Any]], Any],
        trace_call: Callable[..., Any],
        static_argnums: Sequence[int] = (),
        static_argnames: Sequence[str] = (),
    ) -> None:
        """Makes a function without programs.

        Args:
          miss: called as miss(args, kwargs) for a new signature. Gives what serves it from now
            on: an Executable, a callable of the flat dynamic leaves, or None for `trace_call`.
            NotImplemented: `trace_call` serves this call, and the next one asks again.
          trace_call: called as the function itself while this thread stages a program, and for
            arguments that no signature describes.
        """
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    @overload
    def __get__(self, instance: None, owner: type, /) -> CompiledFunction: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> Callable[..., Any]: ...
    def _cache_size(self) -> int: ...
    def clear_cache(self) -> None: ...
    def __getattr__(self, name: str, /) -> Any: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...

class ElementwiseKernel:
    """Machine code `void kernel(void** pointers, int64_t n)` of an elementwise operation."""

    def __init__(
        self,
        outputs: Sequence[tuple[int, bool]],
        scalar_codes: Sequence[int | None],
        variant: Callable[[int], int],
        keepalive: Any = None,
    ) -> None:
        """Makes a kernel.

        Args:
          outputs: (dtype code, weak) of each.
          scalar_codes: for each input the dtype code that a Python number is written as, or None.
          variant: the address for a mask; bit i set: input i is one element, else contiguous.
        """

class EagerOp:
    """An elementwise function: native on arrays, ndarrays and numbers, else `fallback`."""

    def __init__(
        self,
        name: str,
        fallback: Callable[..., Any],
        resolve: Callable[[tuple[Any, ...]], ElementwiseKernel | None],
    ) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    @overload
    def __get__(self, instance: None, owner: type, /) -> EagerOp: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> Callable[..., Any]: ...
    def clear_cache(self) -> None: ...
    def __getattr__(self, name: str, /) -> Any: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...

class Step:
    """One resolved operation of an eager call, on arrays of fixed types."""

    def __init__(
        self,
        kind: str,
        input_count: int,
        outputs: Sequence[tuple[Sequence[int], int, bool]],
        numbers: Sequence[int],
        several: bool = False,
    ) -> None:
        """Makes a step of a kind with its results' types; `numbers` are its parameters."""
    def __call__(self, *arrays: Array) -> Any: ...

class Plan:
    """The resolved operations of an eager call: callables on places of a table of arrays."""

    def __init__(
        self,
        arguments: int,
        constants: Sequence[Array],
        places: int,
        operations: Sequence[tuple[Callable[..., Any], Sequence[int], Sequence[int], bool]],
        outputs: Sequence[int],
        skeleton: Any,
    ) -> None:
        """Makes a plan; its results form a call's result along `skeleton` (see Executable)."""
    def __call__(self, *arrays: Array) -> Any: ...

class Shortcut:
    """A function whose simple calls, on concrete arrays, the native core answers."""

    def __init__(self, name: str, fallback: Callable[..., Any]) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    @overload
    def __get__(self, instance: None, owner: type, /) -> Shortcut: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> Callable[..., Any]: ...
    def __getattr__(self, name: str, /) -> Any: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...

class Property:
    """A property whose values for concrete arrays the native core knows."""

    def __init__(self, name: str, fallback: Callable[[Any], Any]) -> None: ...
    def __get__(self, instance: Any, owner: type | None = None, /) -> Any: ...

class At:
    """Base of x.at."""

    array: Any
    def __new__(cls, array: Any) -> Self: ...
    def __getitem__(self, index: Any, /) -> Any: ...

class IndexUpdate:
    """Base of x.at[index]."""

    array: Any
    index: Any
    def __new__(cls, array: Any, index: Any) -> Self: ...

def set_update_types(at: type[At], update: type[IndexUpdate]) -> None:
    """Registers the classes of x.at and x.at[index]."""

def call_fortran(address: int, *args: Any) -> int:
    """Calls a routine and gives its info."""

def call_fortran_stack(infos: Any, address: int, *args: Any) -> None:
    """Calls a routine for each element of infos, with its part of each array in a tuple of one."""

class Job:
    """A module that is being compiled on another thread."""

    def done(self) -> bool: ...
    def result(self) -> bytes: ...
    def wait(self) -> bytes: ...

class Image:
    """Machine code in memory, for as long as this object lives."""

    def address(self, name: str) -> int: ...

MOST_OPERANDS: int
"""Operands of a function that a `CallList` calls, at most."""

class CallList:
    """A program as a list of calls, which the core performs without code; native/call_list.cpp
    tells how it is written in numbers."""

    def __init__(
        self,
        slots: int,
        keeps: bool,
        tables: Sequence[tuple[int, Sequence[int]]],
        words: Sequence[int],
        functions: Sequence[int],
    ) -> None:
        """Reads a list; ValueError for what is none.

        Args:
          slots: of the table of buffers that the program is called with.
          keeps: kernels look for the runtime in a slot after these.
          tables: integers in memory, with the bytes of each.
          words: the steps.
          functions: addresses of what they call.
        """

def register_dtype(code: int, dtype: Any, itemsize: int) -> None: ...
def dtype_code(dtype: Any) -> int:
    """The code of a registered dtype, or of what np.dtype() makes of the argument; TypeError."""

def from_numpy(values: Any, weak_type: bool = False, dtype: Any = None) -> Array:
    """A copy of an ndarray (or of what NumPy makes of the argument), converted to `dtype`."""

def wrap_numpy(values: Any, weak_type: bool = False, dtype: Any = None) -> Array:
    """An array over an ndarray's own memory, which nobody may write to any more."""

def from_scalar(value: complex, code: int, weak: bool = False) -> Array: ...
def empty(shape: Sequence[int], code: int, weak: bool = False) -> Array: ...
def reduce(array: Array, kind: int, axes: int, code: int = -1) -> Array | None: ...
def has_position(code: int) -> bool:
    """Whether steps find the position of an extremum in arrays of a dtype."""

def has_order(code: int) -> bool:
    """Whether steps sort arrays of a dtype."""

def writable(array: Array) -> int:
    """The address of the elements, for the engine that fills a fresh array."""

def set_aval_factory(
    factory: Callable[[tuple[int, ...], Any, bool], Any] | None,
) -> Callable[..., Any] | None: ...
def set_array_text(repr: Callable[[Array], str], str: Callable[[Array], str]) -> None: ...
def set_operators(
    callables: Mapping[str, Callable[..., Any] | None],
) -> dict[str, Callable[..., Any] | None]:
    """Registers operators by name (add, ..., eq, getitem, iter); gives those before."""

def register_operand_type(type: type) -> None: ...
def set_tracing(flag: bool) -> bool:
    """Sets whether this thread stages programs; gives the flag before."""

def tracing() -> bool: ...
def set_context(number: int, wide: bool = False, truncates: bool = False) -> tuple[int, bool, bool]:
    """Sets the configuration's number, part of every signature, and gives what was set before.

    wide: Python numbers are 64-bit. truncates: the converter makes NumPy's 64-bit values 32-bit.
    """

def set_source(line: type, scope: Any, prefix: str) -> None:
    """Tells the class of source lines, what has the current scope as its `name`, and how the names
    of the package's own files begin.
    """

def source_line() -> Any:
    """The innermost line of the calling stack that is outside the package, or None."""

def set_thread(thread: Any) -> None:
    """Tells what has the current `trace` and `source`."""

def set_program_types(
    aval: type, tracer: type, variable: type, literal: type, equation: type, program: type
) -> None:
    """Tells the classes of programs, whose slots the native core reads and writes."""

def program_text(
    program: Any,
    constants: list[Any] | None,
    text: Callable[[Any], str],
    as_array: Callable[[Any], Array],
) -> bytes:
    """A canonical text of a jaxpr and its scalar constants. `text` is asked for parameters that are
    no integers, booleans, None or tuples of such, `as_array` for scalars that are no arrays.
    """

class Operation:
    """What an operation needs to be bound, recorded and named: the base of primitives."""

    name: str
    infer: Callable[..., Any]
    partial: Callable[..., Any] | None
    multiple_results: bool
    def bind(self, *operands: Any, **params: Any) -> Any:
        """Apply the operation under the current interpreter."""
    def __call__(self, *operands: Any, **params: Any) -> Any: ...

class Recorder:
    """An interpreter that records operations as equations: the base of the staging one.

    It asks its `atom` for operands that are not its own. If it `passes_on`, operations on nothing
    that it owns go to the `parent` (by `process_in_parent`, if that records nothing itself), and
    those with a rule `partial` to `process_partly`.
    """

    eqns: list[Any]
    parent: Any
    passes_on: bool
    def process(self, primitive: Any, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record an operation, or hand it to the parent."""
    def record(self, primitive: Any, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record an operation, whatever it operates on."""

def set_converter(function: Callable[[Any], Array] | None) -> Callable[..., Any] | None: ...
def set_flattener(
    function: Callable[[Any], tuple[Sequence[Any], Any] | None] | None,
) -> Callable[..., Any] | None: ...
def memory_stats() -> dict[str, int]:
    """Bytes of the pool's blocks: `live`, `cached`, and the `peak` of live ones."""

def trim() -> None:
    """Gives the cached blocks back to the operating system."""

def read_file(path: str) -> bytes | None:
    """The bytes of a file; None if it cannot be read."""

def num_threads() -> int: ...
def set_num_threads(count: int) -> None: ...
def compiler_start(path: str, ir: str) -> None:
    """Begins to load LLVM's library on a thread of its own, which compiles `ir` to warm it up."""

def compiler_stop() -> None: ...
def compiler_host() -> tuple[str, str, str]:
    """Name, features and target triple of the processor; empty if LLVM cannot be loaded."""

def vector_bytes() -> int:
    """Bytes of the processor's vectors: 64 with AVX-512, 32 with AVX2, else 16; or fewer, if
    VIRES_VECTOR_BYTES says so."""

def compile(text: str, level: int, verify: bool = False, assembly: bool = False) -> bytes:
    """Object code (or assembly) of a module of IR; RuntimeError with LLVM's message."""

def submit(text: str, level: int, priority: int = 0) -> Job: ...
def write_file(folder: str, name: str, data: bytes) -> None:
    """Write a file of the cache on a thread: others see the whole file or none."""

def flush_files() -> None:
    """Wait until all files are written."""

def take_write_error() -> str:
    """Why files could not be written since the last time that somebody asked."""

def load_object(object: bytes, names: Mapping[str, int]) -> Image:
    """Object code placed in memory; RuntimeError if the loader does not understand it."""

def loads_objects() -> bool:
    """Whether there is a loader for this platform."""

def set_blas(addresses: list[int]) -> None:
    """Hands over OpenBLAS's potrf, trsm, gemm and herk of float32, float64, complex64 and
    complex128.
    """

def symbols() -> dict[str, int]:
    """Addresses of C functions that compiled code may call."""
