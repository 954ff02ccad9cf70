"""sort and top_k: order along an axis. nan comes last; -0.0 equals 0.0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import LoopBuilder, Operand
from vires.ops.accept import (
    ANY,
    BOOL_OR_NUMBER,
    BOOL_OR_REAL,
    check_dtype,
    refuse,
    typed,
    typed_all,
)
from vires.ops.axes import check_axes
from vires.ops.compare import ne
from vires.ops.complex import complex as complex_
from vires.ops.complex import imag, real
from vires.ops.composed import composed
from vires.ops.convert import convert
from vires.ops.cumulative import take_along
from vires.ops.elementwise import add
from vires.ops.filled import iota
from vires.ops.linear import tangent_zero
from vires.ops.parts import rev
from vires.ops.parts import slice as slice_
from vires.ops.reduce import NUMPY_WIDE
from vires.ops.shape import align


def position_dtype(count: int) -> Any:
    """int32, or int64 where int32 cannot number that many elements."""
    return dtypes.int32 if count < 2**31 else dtypes.int64


# --- sort


def _sort_infer(
    *operands: ShapedArray, dimension: int, is_stable: bool, num_keys: int
) -> list[ShapedArray]:
    if not operands or any(x.shape != operands[0].shape for x in operands):
        raise refuse("sort", "operands of one shape", typed_all(operands) if operands else "none")
    check_axes("sort", operands[0], (dimension,))
    if not 1 <= num_keys <= len(operands):
        raise refuse("sort", f"num_keys from 1 to {len(operands)}", f"{num_keys}", "", ValueError)
    for key in operands[:num_keys]:
        check_dtype("sort", key, BOOL_OR_NUMBER)
    for x in operands[num_keys:]:
        check_dtype("sort", x, ANY)
    return list(operands)


def _comparable(x: np.ndarray) -> np.ndarray:
    wide = None if x.dtype == dtypes.float16 else NUMPY_WIDE.get(x.dtype)
    return x if wide is None else x.astype(wide)


def _sort_reference(
    *operands: np.ndarray, dimension: int, is_stable: bool, num_keys: int
) -> list[np.ndarray]:
    keys = [_comparable(x) for x in operands[:num_keys]]
    # Values that compare equal can differ only for floats (-0.0, nan), so that integers need no
    # stable sort.
    kind = "stable" if is_stable and (len(operands) > 1 or keys[0].dtype.kind in "fc") else None
    if len(operands) == 1:
        return [np.sort(keys[0], axis=dimension, kind=kind).astype(operands[0].dtype, copy=False)]
    if num_keys == 1:
        order = np.argsort(keys[0], axis=dimension, kind=kind)
    else:
        order = np.lexsort(keys[::-1], axis=dimension)
    return [np.take_along_axis(x, order, dimension) for x in operands]


def _sort_jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    moving = [k for k, t in enumerate(tangents) if t.__class__ is not Zero]
    axis = params["dimension"]
    aval = aval_of(primals[0])
    if not moving or not aval.size:
        out = sort(*primals, **params)
        return out, [
            tangents[k] if k in moving else tangent_zero(aval_of(y)) for k, y in enumerate(out)
        ]
    places = iota(dtype=position_dtype(aval.shape[axis]), shape=aval.shape, dimension=axis)
    *out, order = sort(*primals, places, **params)
    return out, [
        take_along(tangents[k], order, axis) if k in moving else tangent_zero(aval_of(y))
        for k, y in enumerate(out)
    ]


def _sort_batch(
    axis: AxisData,
    operands: Sequence[Any],
    dims: Sequence[int | None],
    *,
    dimension: int,
    **params: Any,
) -> tuple[Any, list[int]]:
    aligned, dim = align(axis, operands, dims)
    return sort(*aligned, dimension=dimension + (dimension >= dim), **params), [dim] * len(operands)


#: Dtypes whose nan has the bits of -0.0, or whose sign is not the first bit of a byte: the sort of
#: the dialect takes no such keys.
_WIDENED_KEYS = frozenset(
    d for d in dtypes.FLOAT8 if d.name.endswith("fnuz") or d.name == "float4_e2m1fn"
)


def _as_keys(x: Any) -> list[Any]:
    """An operand as keys that every engine orders, from which `_from_keys` makes it again.

    Complex numbers with nan in the imaginary part come after the others, then those with nan in the
    real part, then those with both.
    """
    dtype = aval_of(x).dtype
    if dtypes.kind(dtype) == "complex":
        parts = [real(x), imag(x)]
        first, second = (convert(ne(part, part), dtypes.int32) for part in parts)
        return [add(add(first, first), second), *parts]
    return [convert(x, dtypes.float32)] if dtype in _WIDENED_KEYS else [x]


def _from_keys(keys: Iterator[Any], dtype: DType) -> Any:
    if dtypes.kind(dtype) == "complex":
        next(keys)
        return complex_(next(keys), next(keys))
    return convert(next(keys), dtype)


@composed
def _sort_by_parts(*operands: Any, dimension: int, is_stable: bool, num_keys: int) -> list[Any]:
    parts = [_as_keys(x) for x in operands[:num_keys]]
    keys = [key for of_one in parts for key in of_one]
    ordered = iter(
        sort(
            *keys,
            *operands[num_keys:],
            dimension=dimension,
            is_stable=is_stable,
            num_keys=len(keys),
        )
    )
    found = [_from_keys(ordered, aval_of(x).dtype) for x in operands[:num_keys]]
    return [*found, *ordered]


def _sort_loops(
    b: LoopBuilder, *operands: Operand, dimension: int, is_stable: bool, num_keys: int
) -> Any:
    if any(
        dtypes.kind(x.dtype) == "complex" or x.dtype in _WIDENED_KEYS for x in operands[:num_keys]
    ):
        return _sort_by_parts(
            b, *operands, dimension=dimension, is_stable=is_stable, num_keys=num_keys
        )
    return b.block("sort", operands, axis=dimension, num_keys=num_keys, stable=is_stable)


sort = Primitive(
    "sort",
    """Operands reordered along an axis so that the first num_keys of them ascend, the first one
    first.

    nan comes last, -0.0 equals 0.0; complex numbers are ordered by real part, then imaginary part.
    """,
    infer=_sort_infer,
    reference=_sort_reference,
    jvp=_sort_jvp,
    transpose=Undefined("transpose: sort is not linear"),
    batch=_sort_batch,
    loops=_sort_loops,
    multiple_results=True,
)


# --- top_k


def _top_infer(x: ShapedArray, *, k: int, axis: int) -> list[ShapedArray]:
    check_dtype("top_k", x, BOOL_OR_REAL)
    check_axes("top_k", x, (axis,))
    if not 0 <= k <= x.shape[axis]:
        raise refuse(
            "top_k",
            f"k from 0 to {x.shape[axis]}, the size of the axis",
            f"{k} for {typed(x)}",
            "",
            ValueError,
        )
    shape = tuple(k if d == axis else n for d, n in enumerate(x.shape))
    return [
        ShapedArray(shape, x.dtype, x.weak_type),
        ShapedArray(shape, position_dtype(x.shape[axis])),
    ]


def _top_reference(x: np.ndarray, *, k: int, axis: int) -> list[np.ndarray]:
    count = x.shape[axis]
    # Stable ascending order of the flipped array, flipped: descending, equal elements in their own
    # order.
    order = np.argsort(_comparable(np.flip(x, axis)), axis=axis, kind="stable")
    order = np.flip(np.take(order, np.arange(count - k, count), axis), axis)
    positions = (count - 1 - order).astype(position_dtype(count))
    return [np.take_along_axis(x, positions, axis), positions]


def _top_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, k: int, axis: int
) -> tuple[Any, Any]:
    values, positions = top_k(primals[0], k=k, axis=axis)
    (dx,) = tangents
    none = tangent_zero(aval_of(positions))
    if dx.__class__ is Zero or not k or not aval_of(values).size:
        return [values, positions], [tangent_zero(aval_of(values)), none]
    return [values, positions], [take_along(dx, positions, axis), none]


def _top_batch(
    mapped: AxisData, operands: Sequence[Any], dims: Sequence[Any], *, k: int, axis: int
) -> tuple[Any, list[int]]:
    (dim,) = dims
    return top_k(operands[0], k=k, axis=axis + (axis >= dim)), [dim, dim]


@composed
def _top_loops(x: Any, *, k: int, axis: int) -> list[Any]:
    aval = aval_of(x)
    count = aval.shape[axis]
    places = iota(dtype=position_dtype(count), shape=aval.shape, dimension=axis)
    ordered = sort(
        rev(x, dimensions=(axis,)),
        rev(places, dimensions=(axis,)),
        dimension=axis,
        is_stable=True,
        num_keys=1,
    )
    start = tuple(count - k if d == axis else 0 for d in range(aval.ndim))
    return [
        rev(
            slice_(y, start_indices=start, limit_indices=aval.shape, strides=None),
            dimensions=(axis,),
        )
        for y in ordered
    ]


top_k = Primitive(
    "top_k",
    """The k greatest elements along an axis in descending order, and their positions; nan counts
    as greatest.

    Of equal elements the one with the smaller position comes first.
    """,
    infer=_top_infer,
    reference=_top_reference,
    jvp=_top_jvp,
    transpose=Undefined("transpose: top_k is not linear"),
    batch=_top_batch,
    loops=_top_loops,
    multiple_results=True,
)
