"""The reference engine: programs run on NumPy by the primitives' `reference` rules. Slow, and the
oracle.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires import _native
from vires.control.reference import run_reference
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr
from vires.core.primitive import Primitive
from vires.core.trace import Tracer, as_array, leaked


def storage(dtype: Any) -> np.dtype[Any]:
    """The NumPy dtype that holds elements: uint64 for random keys."""
    return np.dtype(np.uint64) if dtypes.is_key(dtype) else dtype


def to_array(value: Any, aval: ShapedArray) -> _native.Array:
    """A NumPy result as an array of the inferred type."""
    dtype = aval.dtype
    key = dtype if dtype is dtypes.KEY else None
    array = value if value.__class__ is np.ndarray else np.asarray(value)
    if array.dtype is not dtype and array.dtype != storage(dtype):
        array = array.astype(storage(dtype))
    if array.shape != aval.shape:
        array = array.reshape(aval.shape)
    return _native.from_numpy(array, aval.weak_type, key)


def view(address: int, aval: ShapedArray) -> np.ndarray:
    """The memory of a buffer as a NumPy array."""
    dtype = storage(aval.dtype)
    size = aval.size * dtype.itemsize
    raw = memoryview((ctypes.c_char * max(size, 1)).from_address(address))
    return np.frombuffer(raw, np.uint8, size).view(dtype).reshape(aval.shape)


def concrete(operands: Sequence[Any]) -> list[_native.Array]:
    """Operands as arrays; a tracer here has outlived its transformation."""
    for x in operands:
        if isinstance(x, Tracer):
            raise leaked(x)
    return [as_array(x) for x in operands]


def run(primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
    """One operation by its NumPy reference."""
    arrays = concrete(operands)
    out = primitive.infer(*[x.aval for x in arrays], **params)
    results = primitive.reference(*[x._numpy() for x in arrays], **params)
    if primitive.multiple_results:
        return [to_array(r, aval) for r, aval in zip(results, out, strict=True)]
    return to_array(results, out)


class ReferenceEngine:
    """NumPy as an engine."""

    name = "reference"

    def eager(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        return run(primitive, operands, params)

    def compile(
        self, closed: ClosedJaxpr, *, name: str = "program", donate: Sequence[int] = ()
    ) -> Any:
        in_avals, out_avals = closed.in_avals, closed.out_avals

        def host(*addresses: int) -> None:
            inputs = [view(a, aval) for a, aval in zip(addresses, in_avals, strict=False)]
            outputs = addresses[len(in_avals) : len(in_avals) + len(out_avals)]
            results = run_reference(closed, *inputs)
            for address, aval, result in zip(outputs, out_avals, results, strict=True):
                np.copyto(view(address, aval), result, casting="unsafe")

        return _native.Executable(
            entry=_native.symbols()["vires_host_entry"],
            keepalive=host,
            constants=[],
            inputs=[(a.shape, dtypes.CODE_OF[a.dtype]) for a in in_avals],
            outputs=[(a.shape, dtypes.CODE_OF[a.dtype], a.weak_type) for a in out_avals],
            scratch_bytes=0,
            host_functions=[(host, len(in_avals) + len(out_avals))],
            on_error=_no_error,
            heavy=False,
            donate={},
            forward={},
        )

    def resolve_elementwise(
        self, name: str, function: Callable[..., Any], descriptors: Sequence[Any]
    ) -> Any:
        return None

    def plan(self, closed: ClosedJaxpr, skeleton: Any = None) -> None:
        return None


def _no_error(site: int, a: int, b: int) -> Exception:
    return RuntimeError(f"reference engine: failed at site {site}")
