"""Conversions: of values to another dtype, of bits to another dtype, to fewer digits."""

from __future__ import annotations

from typing import Any, ClassVar

import ml_dtypes
import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, Index, LoopBuilder, Operand, Value
from vires.ops.accept import ANY, BOOL_OR_NUMBER, FLOAT, DtypeSet, refuse, typed
from vires.ops.families import SAME, Elementwise
from vires.ops.linear import NOT_LINEAR, tangent_zero
from vires.ops.shape import move_axis

# --- convert_element_type


class _Convert(Elementwise):
    """Linear between inexact dtypes; the derivative is zero where an integer is involved."""

    def _jvp(self, primals: Any, tangents: Any, **params: Any) -> tuple[Any, Any]:
        out = self(*primals, **params)
        (tangent,) = tangents
        if tangent.__class__ is Zero or not dtypes.is_inexact(params["new_dtype"]):
            return out, tangent_zero(aval_of(out))
        return out, self(tangent, **params)

    def _loops(self, b: LoopBuilder, *operands: Operand, **params: Any) -> Definition:
        (x,) = operands
        new = params["new_dtype"]
        to_complex = x.dtype.kind == "f" and new.kind == "c" and x.dtype == dtypes.real_of(new)
        return b.pull(
            lambda index: self.element(b, x.at(index), **params), real=x if to_complex else None
        )


def _convert_infer(x: ShapedArray, *, new_dtype: DType, weak_type: bool = False) -> ShapedArray:
    if x.dtype == new_dtype and x.weak_type == weak_type:
        return x
    accepts = ANY if x.dtype == new_dtype else BOOL_OR_NUMBER
    if x.dtype not in accepts or new_dtype not in accepts:
        raise refuse(
            "convert_element_type",
            "numbers",
            f"{typed(x)} to {new_dtype.name}",
            "vires.random.key_data or vires.random.wrap_key_data",
        )
    return ShapedArray(x.shape, new_dtype, weak_type)


def _to_integer(x: np.ndarray, dtype: DType) -> np.ndarray:
    """Towards zero, saturating; nan gives 0."""
    info = ml_dtypes.iinfo(dtype)
    wide = x.astype(np.float64)
    low, high = float(info.min), float(info.max)
    inside = np.where((wide > low) & (wide < high), wide, 0)
    result = np.trunc(inside).astype(np.uint64 if info.min == 0 else np.int64)
    result = np.where(wide >= high, np.asarray(info.max, result.dtype), result)
    return np.where(wide <= low, np.asarray(info.min, result.dtype), result).astype(dtype)


def convert_numpy(x: np.ndarray, dtype: DType) -> np.ndarray:
    """A NumPy array's values in another dtype, by the rules of `convert_element_type`."""
    if dtypes.kind(dtype) == "bool":
        x = x.astype(np.float32) if x.dtype in dtypes.FLOAT8 else x  # not all of them have a zero
        return x != np.zeros((), x.dtype)
    if dtypes.kind(x.dtype) == "complex" and dtypes.kind(dtype) != "complex":
        x = np.real(x)
    if dtypes.is_integer(dtype) and dtypes.kind(x.dtype) == "float":
        return _to_integer(x, dtype)
    if x.dtype.kind == "V" and dtypes.is_integer(x.dtype):
        x = x.astype(np.int8)  # these convert to each other by way of a wider type only
    if x.dtype in dtypes.FLOAT8 and dtype in dtypes.FLOAT8:
        x = x.astype(np.float32)  # exactly; NumPy does not know every pair
    return x.astype(dtype)


def _convert_element(
    b: LoopBuilder, x: Value, *, new_dtype: DType, weak_type: bool = False
) -> Value:
    if x.dtype == new_dtype or dtypes.is_key(new_dtype):
        return x
    if dtypes.kind(x.dtype) == "complex" and dtypes.kind(new_dtype) != "complex":
        if dtypes.kind(new_dtype) == "bool":
            return b.op("ne", x, b.constant(0, x.dtype))
        x = b.op("real", x)
    return b.convert(x, new_dtype)


convert_element_type = _Convert(
    "convert_element_type",
    ANY,
    """x in another dtype. Float to integer drops the fraction and saturates, nan gives 0; to bool
    is x != 0;
    complex to real drops the imaginary part.""",
    infer=_convert_infer,
    reference=lambda x, *, new_dtype, weak_type=False: (
        x if dtypes.is_key(new_dtype) else convert_numpy(x, new_dtype)
    ),
    jvp=SAME,
    transpose=lambda ct, x, **params: [
        convert_element_type(ct, new_dtype=x.aval.dtype, weak_type=x.aval.weak_type)
    ],
    loops=_convert_element,
    widen=False,
)


def convert(x: Any, dtype: DType) -> Any:
    """`convert_element_type`, left out when it changes nothing."""
    if aval_of(x).dtype == dtype:
        return x
    return convert_element_type(x, new_dtype=dtype, weak_type=False)


# --- bitcast_convert_type

_BITS = DtypeSet(
    "a real dtype of whole bytes",
    "x.real and x.imag",
    [
        d
        for d in BOOL_OR_NUMBER
        if d not in dtypes.PACKED_BITS
        and d.name not in ("bool", "float4_e2m1fn", "complex64", "complex128")
    ],
)


def _bitcast_infer(x: ShapedArray, *, new_dtype: DType) -> ShapedArray:
    if x.dtype not in _BITS or new_dtype not in _BITS:
        raise refuse(
            "bitcast_convert_type", _BITS.needs, f"{typed(x)} to {new_dtype.name}", _BITS.advice
        )
    old, new = x.dtype.itemsize, new_dtype.itemsize
    if old == new:
        return ShapedArray(x.shape, new_dtype)
    if old > new:
        return ShapedArray((*x.shape, old // new), new_dtype)
    if not x.shape or x.shape[-1] != new // old:
        raise refuse(
            "bitcast_convert_type",
            f"a last axis of size {new // old}",
            f"{typed(x)} to {new_dtype.name}",
        )
    return ShapedArray(x.shape[:-1], new_dtype)


def _bitcast_reference(x: np.ndarray, *, new_dtype: DType) -> np.ndarray:
    old, new = x.dtype.itemsize, new_dtype.itemsize
    contiguous = np.ascontiguousarray(x).reshape(x.shape)
    if old > new:
        return contiguous[..., None].view(new_dtype)
    result = contiguous.view(new_dtype)
    return result[..., 0] if old < new else result


def _bitcast_batch(
    axis: AxisData, operands: Any, dims: Any, *, new_dtype: DType
) -> tuple[Any, int]:
    # The last axis may appear or vanish, so the mapped one goes to the front.
    (x,), (dim,) = operands, dims
    return bitcast_convert_type(move_axis(x, dim, 0), new_dtype=new_dtype), 0


def _bitcast_loops(b: LoopBuilder, x: Operand, *, new_dtype: DType) -> Definition:
    old, new = x.dtype.itemsize, new_dtype.itemsize
    if old == new:
        return b.pull(lambda index: b.bitcast(x.at(index), new_dtype))
    unsigned = [np.dtype(f"u{size}") for size in (old, new)]

    def narrower(index: Index) -> Value:
        shift = b.convert(index[-1] * (8 * new), unsigned[0])
        moved = b.op("shift_right_logical", b.bitcast(x.at(index[:-1]), unsigned[0]), shift)
        return b.bitcast(b.convert(moved, unsigned[1]), new_dtype)

    def wider(index: Index) -> Value:
        total = None
        for k in range(new // old):
            part = b.convert(b.bitcast(x.at((*index, k)), unsigned[0]), unsigned[1])
            moved = b.op("shift_left", part, b.constant(8 * old * k, unsigned[1])) if k else part
            total = moved if total is None else b.op("or", total, moved)
        assert total is not None
        return b.bitcast(total, new_dtype)

    return b.pull(narrower if old > new else wider)


def _bitcast_jvp(primals: Any, tangents: Any, *, new_dtype: DType) -> tuple[Any, Any]:
    out = bitcast_convert_type(*primals, new_dtype=new_dtype)
    return out, tangent_zero(aval_of(out))


bitcast_convert_type = Primitive(
    "bitcast_convert_type",
    """The same bits as another dtype. A narrower one adds a last axis (low bits first), a wider one
    takes it.""",
    infer=_bitcast_infer,
    reference=_bitcast_reference,
    jvp=_bitcast_jvp,
    transpose=NOT_LINEAR,
    batch=_bitcast_batch,
    loops=_bitcast_loops,
)

# --- reduce_precision


def _layout(dtype: DType) -> tuple[int, int]:
    """Bits of the exponent and of the mantissa."""
    info = ml_dtypes.finfo(dtype)
    return info.nexp, info.nmant


def _round_bits(bits: Any, b: Any, dtype: DType, exponent_bits: int, mantissa_bits: int) -> Any:
    """Round the bit pattern of a finite float; `b` does arithmetic on unsigned integers of its
    width."""
    exponent, mantissa = _layout(dtype)
    unsigned = np.dtype(f"u{dtype.itemsize}")
    sign_mask = 1 << (exponent + mantissa)
    magnitude = b.op("and", bits, b.constant(sign_mask - 1, unsigned))
    sign = b.op("and", bits, b.constant(sign_mask, unsigned))
    dropped = mantissa - mantissa_bits
    if dropped > 0:
        last = b.op(
            "and",
            b.op("shift_right_logical", magnitude, b.constant(dropped, unsigned)),
            b.constant(1, unsigned),
        )
        half = b.constant((1 << (dropped - 1)) - 1, unsigned)
        magnitude = b.op("add", magnitude, b.op("add", half, last))
        magnitude = b.op("and", magnitude, b.constant(sign_mask - (1 << dropped), unsigned))
    if exponent_bits < exponent:
        bias = (1 << (exponent - 1)) - 1
        reach = (1 << (exponent_bits - 1)) - 1
        largest = b.constant(((bias + reach + 1) << mantissa) - 1, unsigned)
        smallest = b.constant((bias - reach + 1) << mantissa, unsigned)
        infinity = b.constant(((1 << exponent) - 1) << mantissa, unsigned)
        magnitude = b.select(b.op("gt", magnitude, largest), infinity, magnitude)
        magnitude = b.select(b.op("lt", magnitude, smallest), b.constant(0, unsigned), magnitude)
    return b.op("or", magnitude, sign)


def _reduce_element(b: LoopBuilder, x: Value, *, exponent_bits: int, mantissa_bits: int) -> Value:
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    rounded = _round_bits(b.bitcast(x, unsigned), b, x.dtype, exponent_bits, mantissa_bits)
    return b.select(b.op("is_nan", x), x, b.bitcast(rounded, x.dtype))


class _NumpyBits:
    """The few words of the loop dialect that `_round_bits` uses, on NumPy arrays."""

    words: ClassVar[dict[str, Any]] = {
        "and": np.bitwise_and,
        "or": np.bitwise_or,
        "add": np.add,
        "gt": np.greater,
        "lt": np.less,
        "shift_right_logical": np.right_shift,
    }

    def op(self, name: str, x: Any, y: Any) -> Any:
        return self.words[name](x, y)

    def constant(self, value: int, dtype: DType) -> Any:
        return dtype.type(value)

    def select(self, condition: Any, x: Any, y: Any) -> Any:
        return np.where(condition, x, y)


def _reduce_reference(x: np.ndarray, *, exponent_bits: int, mantissa_bits: int) -> np.ndarray:
    bits = x.view(f"u{x.dtype.itemsize}")
    rounded = np.asarray(_round_bits(bits, _NumpyBits(), x.dtype, exponent_bits, mantissa_bits))
    return np.where(np.isnan(x), x, rounded.view(x.dtype))


def _reduce_infer(x: ShapedArray, *, exponent_bits: int, mantissa_bits: int) -> ShapedArray:
    if x.dtype not in IEEE:
        raise refuse("reduce_precision", IEEE.needs, typed(x), IEEE.advice)
    if exponent_bits < 1 or mantissa_bits < 0:
        raise refuse(
            "reduce_precision",
            "exponent_bits >= 1 and mantissa_bits >= 0",
            f"{exponent_bits} and {mantissa_bits}",
            error=ValueError,
        )
    return x


IEEE = DtypeSet(
    "float16, bfloat16, float32 or float64",
    "x.astype(float32)",
    [d for d in FLOAT if d.itemsize > 1],
)

reduce_precision = Elementwise(
    "reduce_precision",
    IEEE,
    """x rounded to the even nearest number of a float format with these bits; too large gives inf,
    too small 0.""",
    infer=_reduce_infer,
    reference=_reduce_reference,
    jvp=SAME,
    transpose=lambda ct, x, **params: [reduce_precision(ct, **params)],
    loops=_reduce_element,
    widen=False,
)
