"""Interpreters and the values that they pass around.

One interpreter (a `Trace`) is current in a thread; `Primitive.bind` hands it each operation. A
transformation makes a new one whose parent is the current one, wraps the arguments in its tracers,
makes itself current while it runs the user's function, and hands to its parent the operations that
do not concern it.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# isinstance(x, np.ndarray) leaves the type parameters of NumPy's arrays unknown.

# pyright: reportPrivateUsage=false
# `_trace` is private for users; messages ask whether it has ended.

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.errors import (
    ConcretizationTypeError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    UnexpectedTracerError,
    describe,
)

if TYPE_CHECKING:
    from vires.core.primitive import Primitive
    from vires.core.source import SourceLine


class Trace:
    """An interpreter of primitives."""

    #: Takes over what does not concern this one; the bottom interpreter has none.
    parent: Trace
    #: Of one that records: results of operations on constants, by what they are.
    repeated: dict[Any, Any]
    #: Set when the transformation ends: its tracers must not be used afterwards.
    finished = False

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply a primitive to operands; results are values or this interpreter's tracers."""
        raise NotImplementedError

    def base(self) -> Trace:
        """The interpreter that has operations on constants: it runs or records them."""
        return self.parent.base()

    def process_custom_jvp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        """Apply a function that has its own forward derivative (`vires.control.custom`)."""
        raise NotImplementedError

    def process_custom_vjp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        """Apply a function that has its own reverse derivative (`vires.control.custom`)."""
        raise NotImplementedError


class EvalTrace(Trace):
    """The bottom interpreter: runs each operation at once, on the configured engine."""

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        return engine_slot.eager(primitive, operands, params)

    def base(self) -> Trace:
        return self

    def process_custom_jvp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        return call.function(*operands)

    def process_custom_vjp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        return call.function(*operands)


class EngineSlot:
    """Where `vires/__init__` plugs the engine in; the core knows none."""

    def eager(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        raise RuntimeError("vires: needs an engine; got none; try `import vires` before its parts")

    def compile(self, closed: Any, **options: Any) -> Any:
        raise RuntimeError("vires: needs an engine; got none; try `import vires` before its parts")

    def plan(self, closed: Any, skeleton: Any = None) -> Any:
        raise RuntimeError("vires: needs an engine; got none; try `import vires` before its parts")

    def resolve_elementwise(self, name: str, function: Any, descriptors: Any) -> Any:
        raise RuntimeError("vires: needs an engine; got none; try `import vires` before its parts")


engine_slot = EngineSlot()
EVAL = EvalTrace()


class _Thread(threading.local):
    """What is current in this thread."""

    def __init__(self) -> None:
        self.trace: Trace = EVAL
        #: Sizes of the named axes in scope (vmap's axis_name).
        self.axes: dict[Any, int] = {}
        #: The user's line that operations belong to while a transformation derives them.
        self.source: SourceLine | None = None


thread = _Thread()


def set_trace(trace: Trace) -> Trace:
    """Make an interpreter current and return the one before. Prefer `current_trace`."""
    before = thread.trace
    thread.trace = trace
    _native.set_tracing(trace is not EVAL)
    return before


@contextmanager
def current_trace(trace: Trace) -> Generator[None]:
    """Make an interpreter current inside a `with` block."""
    before = set_trace(trace)
    try:
        yield
    finally:
        set_trace(before)


class Tracer:
    """A value inside a transformation: it has a type, and an interpreter that owns it.

    The array's methods and operators are attached by `vires/__init__`, the same functions as for
    arrays.
    """

    __slots__ = ("__weakref__", "_trace", "aval")
    __array_priority__ = 1000
    _trace: Trace
    aval: ShapedArray

    if TYPE_CHECKING:

        def __getitem__(self, index: Any, /) -> Any: ...
        def __iter__(self) -> Iterator[Any]: ...

    def origin(self) -> str:
        """Where the value came from, for messages; empty when unknown."""
        return ""

    def concrete(self) -> Any:
        """The value when it is known while tracing (under grad without jit), else None."""
        return None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        return len(self.aval.shape)

    @property
    def size(self) -> int:
        return self.aval.size

    @property
    def weak_type(self) -> bool:
        return self.aval.weak_type

    @property
    def itemsize(self) -> int:
        return self.aval.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.aval.nbytes

    def __len__(self) -> int:
        if not self.aval.shape:
            raise TypeError("len: needs an array of at least one dimension; got a 0-d array")
        return self.aval.shape[0]

    def __bool__(self) -> bool:
        value = self.concrete()
        if value is None:
            raise unknown(self, TracerBoolConversionError(self))
        return bool(value)

    def __index__(self) -> int:
        value = self.concrete()
        if value is None:
            raise unknown(self, TracerIntegerConversionError(self))
        return value.__index__()

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def item(self, *index: int) -> Any:
        """The Python scalar, when the value is known."""
        return self._scalar("item").item(*index)

    def tolist(self) -> Any:
        return self._scalar("tolist").tolist()

    def _scalar(self, context: str) -> Any:
        value = self.concrete()
        if value is None:
            raise unknown(self, ConcretizationTypeError(self, context))
        return value

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        value = self.concrete()
        # What NumPy computes has no derivative: for a real or complex value a wrong one.
        if value is None or dtypes.is_inexact(self.aval.dtype):
            raise unknown(self, TracerArrayConversionError(self))
        return value.__array__(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}<{self.aval.str_short()}>"

    def __format__(self, spec: str) -> str:
        if spec:
            return format(self._scalar("format"), spec)
        value = self.concrete()
        return repr(self) if value is None else format(value)

    def __hash__(self) -> int:
        # Equality is elementwise, as that of arrays, which have no hash either.
        raise TypeError(
            f"unhashable type: 'vires.Array' (got {describe(self)}); try jit(..., "
            "static_argnums=...) for a key of a dictionary, or vires.lax.switch for a choice"
        )

    def __copy__(self) -> Tracer:
        return self

    def __deepcopy__(self, memo: Any) -> Tracer:
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "'vires.Array' object does not support item assignment: arrays are immutable; "
            "instead of x[i] = y, write x = x.at[i].set(y)"
        )


def leaked(tracer: Tracer) -> UnexpectedTracerError:
    """The error for a tracer used after its transformation has ended."""
    return UnexpectedTracerError(
        "tracer: needs to be used inside the function that was traced; got "
        f"{tracer.aval.str_short()} {tracer.origin()}, whose trace has ended; try to return the "
        "value from the function instead of storing it in a global, an attribute or a list"
    )


def unknown(tracer: Tracer, error: ConcretizationTypeError) -> Exception:
    """The error for a value that Python needs: that its trace has ended where that is why."""
    return leaked(tracer) if tracer._trace.finished else error


# --- operands

_SCALAR_AVALS: dict[tuple[type, Any], ShapedArray] = {}


def aval_of(x: Any) -> ShapedArray:
    """The abstract value of an array, tracer, NumPy array or scalar, or Python scalar."""
    cls = x.__class__
    if cls is Array or isinstance(x, Tracer):
        return x.aval
    if cls in _PYTHON_SCALARS:
        dtype = dtypes.python_scalar_dtype(cls)
        aval = _SCALAR_AVALS.get((cls, dtype))
        if aval is None:
            aval = _SCALAR_AVALS[cls, dtype] = ShapedArray((), dtype, cls is not bool)
        return aval
    if isinstance(x, (np.ndarray, np.generic)):
        return ShapedArray(x.shape, dtypes.canonical(x.dtype))
    aval = getattr(x, "aval", None)
    if isinstance(aval, ShapedArray):
        return aval
    raise TypeError(
        f"operand: needs an array or a number; got {type(x).__name__}; try vires.numpy.asarray"
    )


_PYTHON_SCALARS = frozenset((bool, int, float, complex))


def as_array(x: Any) -> Array:
    """A concrete value (NumPy array or scalar, Python scalar) as an array; tracers are refused."""
    cls = x.__class__
    if cls is Array:
        return x
    if cls in _PYTHON_SCALARS:
        dtype = dtypes.python_scalar_dtype(cls)
        if cls is int and not -(1 << 8 * dtype.itemsize - 1) <= x < 1 << 8 * dtype.itemsize - 1:
            raise OverflowError(
                f"array: needs an integer that fits {dtype.name}; got {x}; "
                "try numpy.uint64(...) or config.update('enable_x64', True)"
            )
        return _native.from_numpy(np.array(x, dtype), weak_type=cls is not bool)
    if isinstance(x, (np.ndarray, np.generic)):
        return _native.from_numpy(np.asarray(x, dtypes.canonical(x.dtype)))
    if isinstance(x, Tracer):
        value = x.concrete()
        if value is not None:
            return value
        raise unknown(x, ConcretizationTypeError(x, "array"))
    raise TypeError(
        f"operand: needs an array or a number; got {type(x).__name__}; try vires.numpy.asarray"
    )
