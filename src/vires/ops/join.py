"""Operations that put several arrays into one: concatenate and pad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, Index, LoopBuilder, Operand, Value
from vires.ops.accept import refuse, typed, typed_all
from vires.ops.families import declared, is_linear, tangent_zero
from vires.ops.filled import full, zeros
from vires.ops.parts import slice
from vires.ops.select import select_n
from vires.ops.shape import align, broadcast, map_at

Config = tuple[tuple[int, int, int], ...]


def _all_linear(
    primitive: Primitive, primals: Any, tangents: Any, **params: Any
) -> tuple[Any, Any]:
    """The derivative of an operation that is linear in its operands taken together."""
    out = primitive(*primals, **params)
    if all(t.__class__ is Zero for t in tangents):
        return out, tangent_zero(aval_of(out))
    return out, primitive(
        *(zeros(t.aval) if t.__class__ is Zero else t for t in tangents), **params
    )


# --- concatenate


def _concatenate_infer(*avals: ShapedArray, dimension: int) -> ShapedArray:
    if not avals:
        raise refuse("concatenate", "at least one operand", "none")
    first = avals[0]
    if not 0 <= dimension < first.ndim:
        raise refuse(
            "concatenate",
            f"a dimension from 0 to {first.ndim - 1}",
            f"{dimension} for {typed(first)}",
        )
    rest = first.shape[:dimension] + first.shape[dimension + 1 :]
    total, weak = 0, True
    for aval in avals:
        shape = aval.shape
        if aval.dtype != first.dtype:
            raise refuse("concatenate", "operands of one dtype", typed_all(avals), "x.astype(...)")
        if len(shape) != first.ndim or shape[:dimension] + shape[dimension + 1 :] != rest:
            raise refuse(
                "concatenate", f"shapes that are equal but for axis {dimension}", typed_all(avals)
            )
        total += shape[dimension]
        weak = weak and aval.weak_type
    return ShapedArray(
        (*first.shape[:dimension], total, *first.shape[dimension + 1 :]), first.dtype, weak
    )


def _concatenate_transpose(ct: Any, *operands: Any, dimension: int) -> list[Any]:
    cotangents: list[Any] = []
    start = 0
    for x in operands:
        size = aval_of(x).shape[dimension]
        if is_linear(x):
            begin = [0] * aval_of(ct).ndim
            limit = list(aval_of(ct).shape)
            begin[dimension], limit[dimension] = start, start + size
            cotangents.append(
                slice(ct, start_indices=tuple(begin), limit_indices=tuple(limit), strides=None)
            )
        else:
            cotangents.append(None)
        start += size
    return cotangents


def _concatenate_batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], *, dimension: int
) -> tuple[Any, int]:
    aligned, dim = align(axis, operands, dims)
    return concatenate(*aligned, dimension=dimension + (dimension >= dim)), dim


def _concatenate_loops(b: LoopBuilder, *operands: Operand, dimension: int) -> Definition:
    def element(index: Index) -> Value:
        at = index[dimension]
        ends = np.cumsum([x.shape[dimension] for x in operands])
        out = b.constant(0, operands[0].dtype)
        # From the last operand to the first: each takes over below its end.
        for x, end in zip(reversed(operands), reversed(ends), strict=True):
            start = int(end) - x.shape[dimension]
            inside = b.op("lt", at, b.constant(int(end), dtypes.int64))
            if start:
                inside = b.op("and", inside, b.op("ge", at, b.constant(start, dtypes.int64)))
            moved = (*index[:dimension], at - start, *index[dimension + 1 :])
            out = b.guarded(inside, lambda x=x, moved=moved: x.at(moved), out)
        return out

    return b.pull(element)


concatenate = Primitive(
    "concatenate",
    """Operands one after the other along an axis.""",
    infer=_concatenate_infer,
    reference=lambda *arrays, dimension: np.concatenate(arrays, dimension),
    jvp=lambda primals, tangents, *, dimension: _all_linear(
        concatenate, primals, tangents, dimension=dimension
    ),
    transpose=_concatenate_transpose,
    batch=_concatenate_batch,
    loops=_concatenate_loops,
)

# --- pad


def _padded(size: int, low: int, high: int, interior: int) -> int:
    return low + high + (size + (size - 1) * interior if size else 0)


def _pad_infer(x: ShapedArray, value: ShapedArray, *, padding_config: Config) -> ShapedArray:
    if x.dtype != value.dtype:
        raise refuse(
            "pad", "operands of one dtype", typed_all((x, value)), f"value.astype({x.dtype.name})"
        )
    if value.shape:
        raise refuse("pad", "a 0-d padding value", typed(value))
    if len(padding_config) != x.ndim or any(interior < 0 for _, _, interior in padding_config):
        raise refuse(
            "pad",
            "(low, high, interior >= 0) for each axis",
            f"{padding_config} for {typed(x)}",
            "",
            ValueError,
        )
    shape = tuple(_padded(n, *config) for n, config in zip(x.shape, padding_config, strict=True))
    if any(size < 0 for size in shape):
        raise refuse(
            "pad",
            "a result without negative sizes",
            f"{padding_config} for {typed(x)}",
            "",
            ValueError,
        )
    return ShapedArray(shape, x.dtype, x.weak_type and value.weak_type)


def _pad_reference(x: np.ndarray, value: np.ndarray, *, padding_config: Config) -> np.ndarray:
    shape = tuple(_padded(n, *config) for n, config in zip(x.shape, padding_config, strict=True))
    out = np.full(shape, value, x.dtype)
    source, target = [], []
    for size, total, (low, _, interior) in zip(x.shape, shape, padding_config, strict=True):
        step = interior + 1
        first = max(0, -(low // step))  # the first element whose place low + i step is not negative
        last = min(size, (total - low + interior) // step)  # one past the last that is inside
        source.append(np.s_[first : max(first, last)])
        count = max(0, last - first)
        begin = low + first * step
        target.append(np.s_[begin : begin + count * step : step] if count else np.s_[0:0])
    out[tuple(target)] = x[tuple(source)]
    return out


def _pad_transpose(ct: Any, x: Any, value: Any, *, padding_config: Config) -> list[Any]:
    ct_x = ct_value = None
    inner = aval_of(x).shape
    if is_linear(x):
        ct_x = _unpad(ct, inner, padding_config)
    if is_linear(value):
        total = declared("reduce_sum")(ct, axes=tuple(range(aval_of(ct).ndim)))
        part = ct_x if ct_x is not None else _unpad(ct, inner, padding_config)
        inside = declared("reduce_sum")(part, axes=tuple(range(len(inner))))
        ct_value = declared("sub")(total, inside)
    return [ct_x, ct_value]


def _unpad(ct: Any, shape: tuple[int, ...], padding_config: Config) -> Any:
    """The elements of a padded array that came from the operand; zero where they were cut off."""
    aval = aval_of(ct)
    zero = full((), 0, aval.dtype)
    outside = tuple((-low, -high, 0) for low, high, _ in padding_config)
    whole = pad(ct, zero, padding_config=outside)
    strides = tuple(interior + 1 for _, _, interior in padding_config)
    size = aval_of(whole).shape
    return slice(whole, start_indices=(0,) * len(shape), limit_indices=size, strides=strides)


def _pad_batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], *, padding_config: Config
) -> tuple[Any, int]:
    (x, value), (dim, value_dim) = operands, dims
    if value_dim is None:
        at = dim or 0
        return pad(
            x, value, padding_config=(*padding_config[:at], (0, 0, 0), *padding_config[at:])
        ), at
    # Each mapped element has a padding value of its own: pad with anything, then choose by a padded
    # mask.
    x = map_at(x, dim, axis.size, 0)
    config = ((0, 0, 0), *padding_config)
    padded = pad(x, full((), 0, aval_of(x).dtype), padding_config=config)
    mask = pad(
        full(aval_of(x).shape, True, dtypes.bool_),
        full((), False, dtypes.bool_),
        padding_config=config,
    )
    return select_n(mask, broadcast(value, aval_of(padded).shape, (0,)), padded), 0


def _pad_loops(b: LoopBuilder, x: Operand, value: Operand, *, padding_config: Config) -> Definition:
    def element(index: Index) -> Value:
        source: list[Any] = []
        condition: Value | None = None

        def require(test: Value) -> None:
            nonlocal condition
            condition = test if condition is None else b.op("and", condition, test)

        for i, size, (low, high, interior) in zip(index, x.shape, padding_config, strict=True):
            at = i - low if low else i
            if low > 0:
                require(b.op("ge", at, b.constant(0, dtypes.int64)))
            if interior:
                require(b.op("eq", at % (interior + 1), b.constant(0, dtypes.int64)))
                at = at // (interior + 1)
            if high > 0 or not size:
                require(b.op("lt", at, b.constant(size, dtypes.int64)))
            source.append(at)
        if condition is None:
            return x.at(source)
        return b.guarded(condition, lambda: x.at(source), value.at(()))

    return b.pull(element)


pad = Primitive(
    "pad",
    """x with a value around it and between its elements: (low, high, interior) for each axis;
    negative: cut.""",
    infer=_pad_infer,
    reference=_pad_reference,
    jvp=lambda primals, tangents, *, padding_config: _all_linear(
        pad, primals, tangents, padding_config=padding_config
    ),
    transpose=_pad_transpose,
    batch=_pad_batch,
    loops=_pad_loops,
)
