"""Arrays that count: `arange`, `linspace`, `meshgrid`, `mgrid`, `indices`, ..."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import EVAL, Tracer, thread
from vires.numpy.arithmetic import add, multiply, power
from vires.numpy.creation import array, asarray, convert_to, dtype_or, from_host
from vires.numpy.operands import (
    Shape,
    axis_index,
    broadcast,
    broadcast_all,
    convert,
    inexact_of,
    operand,
    promote,
    promote_dtypes,
    shape_tuple,
)
from vires.numpy.planned import planned
from vires.numpy.transcendental import exp, log
from vires.ops.filled import full_like, iota
from vires.ops.join import concatenate
from vires.ops.shape import broadcast_in_dim, expand_dims, transpose


def _static(function: str, x: Any, argument: str) -> Any:
    """A number that decides a shape: it must be known while tracing."""
    if isinstance(x, Tracer):
        value = x.concrete()
        if value is None:
            raise ConcretizationTypeError(x, f"{function} ({argument} decides the shape)")
        return value.item()
    if x is None or isinstance(x, (int, float, complex)):
        return x
    values = np.asarray(x)
    if values.ndim:
        raise TypeError(
            f"{function}: needs a number for {argument}; got an array of shape {values.shape}"
        )
    return values.item() if values.dtype.kind in "biufc" else values.astype(float).item()


def _check_fit(arguments: Sequence[Any]) -> None:
    """Refuse Python integers that the default dtype does not hold."""
    most = np.iinfo(dtypes.default_int())
    for x in arguments:
        if x.__class__ is int and not most.min <= x <= most.max:
            raise OverflowError(
                f"arange: needs start, stop and step that fit {most.dtype.name}; got {x}; try "
                "dtype=numpy.int64"
            )


@planned()
def arange(
    start: Any,
    stop: Any = None,
    step: Any = None,
    dtype: Any = None,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """start, start + step, ... below stop; with one argument 0, 1, ... below it.

    >>> from vires import numpy as np
    >>> np.arange(2, 10, 3)
    Array([2, 5, 8], dtype=int32)
    """
    if dtype is None:
        arguments = [x for x in (start, stop, step) if x is not None]
        _check_fit(arguments)
        given = [operand(x, "arange", "start, stop and step") for x in arguments]
        dtype = promote_dtypes(*given)[0]
    dtype = dtypes.canonical(dtype)
    start = _static("arange", start, "start")
    stop = _static("arange", stop, "stop")
    step = _static("arange", step, "step")
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    if step == 0:
        raise ValueError("arange: needs a step other than 0; got 0")
    if (
        thread.trace is not EVAL
        and all(isinstance(x, int) for x in (start, stop, step))
        and dtype != dtypes.bool_
    ):
        size = max(0, -(-(stop - start) // step))
        counts = iota(dtype=dtype, shape=(size,), dimension=0)
        if step != 1:
            counts = multiply(counts, full_like(counts, step))
        return add(counts, full_like(counts, start)) if start else counts
    if dtype.kind == "V":  # ml_dtypes count in float32
        return from_host(np.arange(start, stop, step, dtype=np.float32).astype(dtype))
    return from_host(np.arange(start, stop, step).astype(dtype))


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None,
    axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    """`num` evenly spaced numbers from start to stop, which is included when `endpoint`; (numbers,
    step) when
    `retstep`."""
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"linspace: needs num >= 0; got {num}")
    start, stop = operand(start, "linspace", "start"), operand(stop, "linspace", "stop")
    if dtype is None:
        dtype = inexact_of(promote_dtypes(start, stop)[0])
    dtype = dtypes.canonical(dtype)
    intervals = num - 1 if endpoint else num
    if not isinstance(start, Tracer) and not isinstance(stop, Tracer) and dtype.kind != "V":
        low, high = start._numpy(), stop._numpy()
        if low.dtype.kind != "V" and high.dtype.kind != "V":
            # Computed in float64 and rounded once.
            values = np.linspace(low, high, num, endpoint, axis=axis)
            if dtypes.is_integer(dtype):
                values = np.floor(values)
            step = from_host(
                np.asarray((high - low) / max(intervals, 1) if intervals > 0 else np.nan).astype(
                    dtype
                )
            )
            return (
                (from_host(values.astype(dtype)), step)
                if retstep
                else from_host(values.astype(dtype))
            )
    computing = inexact_of(dtype)
    low, high = broadcast_all("linspace", convert(start, computing), convert(stop, computing))
    weights = iota(dtype=computing, shape=(num,), dimension=0)
    weights = weights / full_like(weights, max(intervals, 1))
    tail = (1,) * low.aval.ndim
    weights = broadcast_in_dim(weights, shape=(num, *tail), broadcast_dimensions=(0,))
    low, high = expand_dims(low, (0,)), expand_dims(high, (0,))
    result = low * (1 - weights) + high * weights
    if endpoint and num > 1:  # both ends are exact
        result = concatenate(result[:-1], high, dimension=0)
    if dtypes.is_integer(dtype):
        result = _floor(result)
    place = axis_index("linspace", axis, result.aval.ndim)
    order = [d for d in range(result.aval.ndim) if d != 0]
    order.insert(place, 0)
    result = convert_to(transpose(result, permutation=tuple(order)) if place else result, dtype)
    if not retstep:
        return result
    step = (high[0] - low[0]) / max(intervals, 1) if intervals > 0 else full_like(low[0], math.nan)
    return result, step


def _floor(x: Any) -> Any:
    from_below = convert(
        convert(x, dtypes.int64 if x.aval.dtype == dtypes.float64 else dtypes.int32), x.aval.dtype
    )
    return from_below - convert(from_below > x, x.aval.dtype)


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """base^x for `num` evenly spaced x from start to stop."""
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    result = power(asarray(base), exponents)
    return result if dtype is None else convert_to(result, dtypes.canonical(dtype))


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """`num` numbers from start to stop whose ratios are equal; start and stop have one sign or are
    complex."""
    low, high = promote(operand(start, "geomspace", "start"), operand(stop, "geomspace", "stop"))
    computing = inexact_of(low.aval.dtype)
    low, high = broadcast_all("geomspace", convert(low, computing), convert(high, computing))
    sign: Any = 1
    if dtypes.kind(computing) == "float":
        sign = (low > 0) * 2 - 1
        sign = convert(sign, computing)
        low, high = multiply(low, sign), multiply(high, sign)
    exponents = linspace(log(low), log(high), num, endpoint, axis=0)
    result = multiply(exp(exponents), sign)
    if num > 0:
        first = expand_dims(multiply(low, sign), (0,))
        parts = [first, result[1:]]
        if endpoint and num > 1:
            parts = [first, result[1:-1], expand_dims(multiply(high, sign), (0,))]
        result = concatenate(*parts, dimension=0)
    place = axis_index("geomspace", axis, result.aval.ndim)
    if place:
        order = [*range(1, result.aval.ndim)]
        order.insert(place, 0)
        result = transpose(result, permutation=tuple(order))
    return result if dtype is None else convert_to(result, dtypes.canonical(dtype))


# --- grids


def counts(dtype: Any, shape: Shape, dimension: int) -> Any:
    """The index along one axis, of each element of a shape."""
    return iota(dtype=dtype, shape=shape, dimension=dimension)


def indices(dimensions: Sequence[int], dtype: Any = None, sparse: bool = False) -> Any:
    """The indices of each element of a shape, stacked along a first axis; a tuple of open grids
    when `sparse`."""
    shape = shape_tuple("indices", dimensions)
    dtype = dtype_or(dtype, dtypes.default_int())
    if sparse:
        return tuple(
            counts(dtype, tuple(size if d == axis else 1 for d in range(len(shape))), axis)
            for axis, size in enumerate(shape)
        )
    if not shape:
        return asarray(np.zeros((0,), dtype))
    return concatenate(
        *(expand_dims(counts(dtype, shape, d), (0,)) for d in range(len(shape))), dimension=0
    )


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> list[Any]:
    """Coordinate arrays of the grid spanned by 1-d arrays; "xy" swaps the first two axes, "ij" does
    not."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: needs indexing 'xy' or 'ij'; got {indexing!r}")
    axes = [operand(x, "meshgrid", f"xi[{i}]") for i, x in enumerate(xi)]
    for x in axes:
        if x.aval.ndim > 1:
            raise ValueError(f"meshgrid: needs 1-d arrays; got shape {x.aval.shape}; try ravel")
    order = list(range(len(axes)))
    if indexing == "xy" and len(axes) > 1:
        order[:2] = [1, 0]
    shape = [1] * len(axes)
    for i, x in enumerate(axes):
        shape[order[i]] = x.aval.size
    grids = []
    for i, x in enumerate(axes):
        own = tuple(x.aval.size if d == order[i] else 1 for d in range(len(axes)))
        flat = x if x.aval.ndim else expand_dims(x, (0,))
        placed = broadcast_in_dim(flat, shape=own, broadcast_dimensions=(order[i],))
        grids.append(placed if sparse else broadcast(placed, tuple(shape)))
    return grids


def _slice_values(s: Any) -> Any:
    """The numbers of a slice of `mgrid`: a complex step counts points, with both ends."""
    start = 0 if s.start is None else s.start
    step = 1 if s.step is None else s.step
    if isinstance(step, complex):
        return linspace(start, s.stop, int(abs(step)))
    return arange(start, s.stop, step)


class _Grid:
    """`mgrid[0:3, 0:4]`: dense coordinate arrays; `ogrid`: open ones."""

    def __init__(self, sparse: bool) -> None:
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return _slice_values(key)
        axes = promote(*(_slice_values(s) for s in key)) if key else []
        grids = meshgrid(*axes, sparse=self.sparse, indexing="ij")
        if self.sparse:
            return grids
        return (
            concatenate(*(expand_dims(grid, (0,)) for grid in grids), dimension=0)
            if grids
            else array([])
        )


mgrid, ogrid = _Grid(sparse=False), _Grid(sparse=True)


class _Concatenator:
    """`r_[1:4, 0, x]` joins slices, numbers and arrays along an axis; `c_` as columns."""

    def __init__(self, axis: int, ndmin: int, place: int) -> None:
        self.directives = (axis, ndmin, place)

    def __getitem__(self, key: Any) -> Any:
        items = key if isinstance(key, tuple) else (key,)
        axis, ndmin, place = self.directives
        if items and isinstance(items[0], str):
            numbers = [int(part) for part in items[0].split(",")]
            axis, ndmin, place = [*numbers, *(0, 1, -1)[len(numbers) :]][:3]
            items = items[1:]
        parts = []
        for item in items:
            x = _slice_values(item) if isinstance(item, slice) else asarray(item)
            missing = ndmin - x.aval.ndim
            if missing > 0:
                before = place % ndmin if place >= 0 else missing + place + 1
                before = min(max(before, 0), missing)
                own = tuple(d for d in range(ndmin) if before <= d < before + x.aval.ndim)
                x = expand_dims(x, tuple(d for d in range(ndmin) if d not in own))
            parts.append(x)
        parts = promote(*parts)
        return concatenate(*parts, dimension=axis_index("r_", axis, parts[0].aval.ndim))


r_ = _Concatenator(0, 1, -1)
c_ = _Concatenator(-1, 2, 0)
s_ = np.s_
index_exp = np.index_exp


# --- windows


def _window(name: str, doc: str) -> Any:
    def window(M: int) -> Any:
        return asarray(getattr(np, name)(operator.index(M)).astype(dtypes.default_float()))

    window.__name__ = window.__qualname__ = name
    window.__doc__ = doc
    return window


hamming = _window(
    "hamming", """0.54 - 0.46 cos(2 pi n / (M - 1)): M samples of the Hamming window."""
)
hanning = _window("hanning", """0.5 - 0.5 cos(2 pi n / (M - 1)): M samples of the Hann window.""")
bartlett = _window("bartlett", """M samples of the triangular window that is 0 at both ends.""")
blackman = _window(
    "blackman", """0.42 - 0.5 cos(a) + 0.08 cos(2 a), a = 2 pi n / (M - 1): the Blackman window."""
)


def kaiser(M: int, beta: Any) -> Any:
    """M samples of the Kaiser window of shape parameter beta."""
    return asarray(np.kaiser(operator.index(M), float(beta)).astype(dtypes.default_float()))


__all__ = [
    "arange", "bartlett", "blackman", "c_", "geomspace", "hamming", "hanning", "index_exp",
    "indices", "kaiser", "linspace", "logspace", "meshgrid", "mgrid", "ogrid", "r_", "s_",
]  # fmt: skip
