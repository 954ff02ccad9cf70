"""Operations that the native core runs at once, without Python: steps of eager plans."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from vires import _native
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.ops import matrix_routines
from vires.ops.contract import DotDimensionNumbers
from vires.ops.fft import native_transform
from vires.ops.host import Routine
from vires.ops.openblas import native_address

Avals = Sequence[ShapedArray]
Maker = Callable[[Avals, dict[str, Any], Avals], Any]

#: Reductions in the order of the native core's kinds.
_REDUCTIONS = tuple(f"reduce_{name}" for name in ("sum", "prod", "max", "min", "and", "or", "xor"))
#: Cumulative operations, in the order of its kinds.
_CUMULATIVE = ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
#: Native routines for stacks of matrices, by operation, or None where LAPACK is to do it.
_MATRICES: dict[str, Callable[..., Routine | None]] = {
    "lu": matrix_routines.lu,
    "solve": matrix_routines.solve,
    "cholesky": matrix_routines.cholesky,
    "triangular_solve": matrix_routines.triangular_solve,
    "fft": native_transform,
}
_COUNTS = tuple(
    dtypes.canonical(name) for name in ("int32", "int64", "uint32", "uint64", "float32", "float64")
)
_BLAS = (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128)


def native_step(name: str, avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    """The native step of an operation on operands of these types; None where there is none."""
    maker = _MAKERS.get(name)
    return None if maker is None else maker(avals, params, outs)


def _step(
    kind: str, avals: Avals, outs: Avals, numbers: Sequence[int], several: bool = False
) -> _native.Step:
    types = [(out.shape, dtypes.CODE_OF[out.dtype], out.weak_type) for out in outs]
    return _native.Step(kind, len(avals), types, list(numbers), several)


# --- parts: each axis of the result walks an axis of x, or none


def _view(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    return _step("view", avals, outs, ())


def _part(avals: Avals, outs: Avals, axes: Sequence[tuple[int, int, int]]) -> Any:
    """`axes`: for each axis of the result (axis of x or -1, start, step). Operands after the first
    are not looked at.
    """
    return _step("part", avals, outs, [0, *(n for axis in axes for n in axis)])


def _transpose(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    return _part(avals, outs, [(d, 0, 1) for d in params["permutation"]])


def _broadcast(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    own, shape = avals[0].shape, params["shape"]
    axes = [(-1, 0, 0)] * len(shape)
    for axis, d in enumerate(params["broadcast_dimensions"]):
        if own[axis] == shape[d]:
            axes[d] = (axis, 0, 1)
    return _part(avals, outs, axes)


def _slice(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    starts = params["start_indices"]
    steps = params["strides"] or (1,) * len(starts)
    return _part(
        avals, outs, [(d, i, k) for d, (i, k) in enumerate(zip(starts, steps, strict=True))]
    )


def _rev(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    turned = params["dimensions"]
    return _part(
        avals,
        outs,
        [(d, n - 1, -1) if d in turned else (d, 0, 1) for d, n in enumerate(avals[0].shape)],
    )


def split_parts(avals: Avals, params: dict[str, Any], outs: Avals) -> list[Any]:
    """The steps of a split, one for each part."""
    steps: list[Any] = []
    at = 0
    axis: int = params["axis"]
    for out in outs:
        axes = [(d, at if d == axis else 0, 1) for d in range(len(out.shape))]
        steps.append(_part(avals, [out], axes))
        at += out.shape[axis]
    return steps


def _split(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    parts = split_parts(avals, params, outs)
    operations = [(part, (0,), (k + 1,), False) for k, part in enumerate(parts)]
    places = list(range(1, len(parts) + 1))
    return _native.Plan(1, [], len(parts) + 1, operations, places, list(range(len(parts))))


def _iota(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    out = outs[0]
    d: int = params["dimension"]
    if out.dtype not in _COUNTS or out.shape[d] >= 1 << 24:  # beyond, float32 skips some
        return None
    return _step("iota", avals, outs, (out.shape[d], math.prod(out.shape[d + 1 :])))


# --- joining


def _concatenate(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    return _step("join", avals, outs, (params["dimension"],))


def _pad(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    config = params["padding_config"]
    if all(low <= 0 and high <= 0 and not between for low, high, between in config):
        return _part(avals, outs, [(d, -low, 1) for d, (low, _, _) in enumerate(config)])
    if any(low < 0 or high < 0 for low, high, _ in config):
        return None
    return _step("pad", avals, outs, [n for low, _, between in config for n in (low, between)])


# --- reductions


def _reduction(kind: int) -> Maker:
    def make(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
        code = dtypes.CODE_OF[avals[0].dtype]
        nothing = _native.empty((0,) * avals[0].ndim, code)
        axes = sum(1 << d for d in params["axes"])
        if _native.reduce(nothing, kind, axes) is None:
            return None  # it does not know the dtype
        return _step("reduce", avals, outs, (kind, axes))

    return make


def widened_sum(x: ShapedArray, axes: Sequence[int], out: ShapedArray) -> Any:
    """The step of a sum in a wider dtype than the operand's; None where there is none."""
    nothing = _native.empty((0,) * x.ndim, dtypes.CODE_OF[x.dtype])
    bits = sum(1 << d for d in axes)
    if _native.reduce(nothing, 0, bits, dtypes.CODE_OF[out.dtype]) is None:
        return None
    return _step("reduce", [x], [out], (0, bits))


def _position(largest: bool) -> Maker:
    def make(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
        axis: int = params["axes"][0]
        x, index = avals[0], params["index_dtype"]
        if not _native.has_position(dtypes.CODE_OF[x.dtype]) or index.name not in (
            "int32",
            "int64",
        ):
            return None
        return _step(
            "position", avals, outs, (largest, x.shape[axis], math.prod(x.shape[axis + 1 :]))
        )

    return make


def _around(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _cumulative(kind: int) -> Maker:
    def make(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
        x = avals[0]
        name = dtypes.kind(x.dtype)
        known = name in ("signed", "unsigned", "complex") or x.dtype in (
            dtypes.float16,
            dtypes.bfloat16,
            dtypes.float32,
            dtypes.float64,
        )
        if not known or x.dtype in dtypes.PACKED_BITS or (name == "complex" and kind > 1):
            return None
        if kind == 4 and name != "float":
            return None
        sizes = _around(x.shape, params["axis"])
        return _step("cumulate", avals, outs, (*sizes, kind, params["reverse"]))

    return make


def _sort(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    keys, axis = params["num_keys"], params["dimension"]
    if avals[0].shape[axis] >= 1 << 32 or not all(
        _native.has_order(dtypes.CODE_OF[x.dtype]) for x in avals[:keys]
    ):
        return None
    return _step("sort", avals, outs, (*_around(avals[0].shape, axis), keys), several=True)


# --- products and matrices


def _product(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    x, y = avals
    numbers: DotDimensionNumbers = params["dimension_numbers"]
    (x_axes, y_axes), (batch, _) = numbers
    preferred = params["preferred_element_type"]
    single = len(x_axes) == 1 and not batch and 1 <= x.ndim <= 2 and 1 <= y.ndim <= 2
    # Not `in (None, ...)`: to NumPy, None is a name of float64.
    as_it_is = preferred is None or preferred == x.dtype
    if not single or x.dtype not in _BLAS or not as_it_is:
        return None
    turned = x.ndim == 2 and x_axes == (0,), y.ndim == 2 and y_axes == (1,)
    length = x.shape[x_axes[0]]
    rows = 1 if x.ndim == 1 else x.shape[1 - x_axes[0]]
    columns = 1 if y.ndim == 1 else y.shape[1 - y_axes[0]]
    return _step("product", avals, outs, (rows, length, columns, *turned))


def _library(routine: Callable[..., Routine | None]) -> Maker:
    def make(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
        call = routine(*avals, **params)
        if call is None:
            return None
        name, numbers = call
        address = native_address(f"vires_{name}")
        return _step("library", avals, outs, (address, *numbers), several=len(outs) > 1)

    return make


# --- random bits


def _stream(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    """Words or keys: the stream of each key."""
    kind, shape = params.get("bit_width", 1), params["shape"]
    address = _native.symbols()["vires_random_bits"]
    numbers = (address, kind, math.prod(avals[0].shape), math.prod(shape))
    return _step("library", avals, outs, numbers)


def _fold_in(avals: Avals, params: dict[str, Any], outs: Avals) -> Any:
    address = _native.symbols()["vires_random_fold_in"]
    return _step("library", avals, outs, (address, math.prod(avals[0].shape)))


_MAKERS: dict[str, Maker] = {
    "random_bits": _stream,
    "random_split": _stream,
    "random_fold_in": _fold_in,
    "reshape": _view,
    "squeeze": _view,
    "expand_dims": _view,
    "transpose": _transpose,
    "broadcast_in_dim": _broadcast,
    "slice": _slice,
    "rev": _rev,
    "split": _split,
    "iota": _iota,
    "concatenate": _concatenate,
    "pad": _pad,
    "argmax": _position(True),
    "argmin": _position(False),
    "sort": _sort,
    "dot_general": _product,
    **{name: _reduction(kind) for kind, name in enumerate(_REDUCTIONS)},
    **{name: _cumulative(kind) for kind, name in enumerate(_CUMULATIVE)},
    **{name: _library(routine) for name, routine in _MATRICES.items()},
}
