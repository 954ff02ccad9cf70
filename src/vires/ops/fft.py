"""fft: discrete Fourier transforms over the last axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, LoopBuilder, Operand
from vires.ops.accept import DtypeSet, check_dtype, refuse, typed
from vires.ops.axes import Axes
from vires.ops.complex import conj, real
from vires.ops.elementwise import mul
from vires.ops.filled import scalar
from vires.ops.host import native_or_host
from vires.ops.join import pad
from vires.ops.linear import tangent_zero
from vires.ops.shape import broadcast_in_dim, move_axis


class FftType(IntEnum):
    """Which transform: complex to complex, its inverse, real to complex, complex to real."""

    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


_REAL = DtypeSet("float32 or float64", "x.astype(float32)", (dtypes.float32, dtypes.float64))
_COMPLEX = DtypeSet(
    "complex64 or complex128", "x.astype(complex64)", (dtypes.complex64, dtypes.complex128)
)
_FUNCTIONS = {
    FftType.FFT: np.fft.fftn,
    FftType.IFFT: np.fft.ifftn,
    FftType.RFFT: np.fft.rfftn,
    FftType.IRFFT: np.fft.irfftn,
}


def _infer(x: ShapedArray, *, fft_type: FftType, fft_lengths: Axes) -> ShapedArray:
    name = fft_type.name.lower()
    check_dtype(name, x, _REAL if fft_type is FftType.RFFT else _COMPLEX)
    rank = len(fft_lengths)
    if not 1 <= rank <= x.ndim or any(n < 1 for n in fft_lengths):
        raise refuse(
            name,
            f"from 1 to {x.ndim} positive fft_lengths",
            f"{fft_lengths} for {typed(x)}",
            "",
            ValueError,
        )
    expected = fft_lengths
    if fft_type is FftType.IRFFT:
        expected = (*fft_lengths[:-1], fft_lengths[-1] // 2 + 1)
    if x.shape[x.ndim - rank :] != expected:
        raise refuse(
            name,
            f"last axes of sizes {expected}",
            f"{typed(x)} for fft_lengths {fft_lengths}",
            "vires.numpy.fft, whose functions pad and cut",
            ValueError,
        )
    outer = x.shape[: x.ndim - rank]
    if fft_type is FftType.RFFT:
        return ShapedArray(
            (*outer, *fft_lengths[:-1], fft_lengths[-1] // 2 + 1), dtypes.complex_of(x.dtype)
        )
    if fft_type is FftType.IRFFT:
        return ShapedArray((*outer, *fft_lengths), dtypes.real_of(x.dtype))
    return ShapedArray(x.shape, x.dtype)


#: Elements that are transformed at a time: in between, a signal is seen.
_AT_ONCE = 1 << 22


def _reference(x: np.ndarray, *, fft_type: FftType, fft_lengths: Axes) -> np.ndarray:
    rank = len(fft_lengths)
    out = _infer(ShapedArray(x.shape, x.dtype), fft_type=fft_type, fft_lengths=fft_lengths)
    axes = tuple(range(-rank, 0))
    stack = x.reshape(-1, *x.shape[x.ndim - rank :])
    step = max(1, _AT_ONCE * len(stack) // max(x.size, 1))
    if len(stack) <= step:
        return _FUNCTIONS[fft_type](x, fft_lengths, axes).astype(out.dtype, copy=False)
    result = np.empty((len(stack), *out.shape[x.ndim - rank :]), out.dtype)
    for start in range(0, len(stack), step):
        part = slice(start, start + step)
        result[part] = _FUNCTIONS[fft_type](stack[part], fft_lengths, axes)
    return result.reshape(out.shape)


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    out = fft(*primals, **params)
    if tangents[0].__class__ is Zero:
        return out, tangent_zero(aval_of(out))
    return out, fft(tangents[0], **params)


def _transpose(ct: Any, x: Any, *, fft_type: FftType, fft_lengths: Axes) -> list[Any]:
    count = math.prod(fft_lengths)
    if fft_type is FftType.FFT:  # the matrix of the transform is symmetric
        return [fft(ct, fft_type=FftType.FFT, fft_lengths=fft_lengths)]
    if fft_type is FftType.IFFT:
        return [fft(ct, fft_type=FftType.IFFT, fft_lengths=fft_lengths)]
    if fft_type is FftType.RFFT:
        return [_rfft_transpose(ct, fft_lengths)]
    return [_irfft_transpose(ct, fft_lengths, count)]


def _rfft_transpose(ct: Any, lengths: Axes) -> Any:
    """Re FFT(ct padded with zeros to the full length): rfft is the first half of the full
    transform.
    """
    aval = aval_of(ct)
    missing = lengths[-1] - aval.shape[-1]
    config = ((0, 0, 0),) * (aval.ndim - 1) + ((0, missing, 0),)
    full_ct = pad(ct, scalar(0, aval.dtype), padding_config=config)
    return real(fft(full_ct, fft_type=FftType.FFT, fft_lengths=lengths))


def _irfft_transpose(ct: Any, lengths: Axes, count: int) -> Any:
    """conj(rfft(ct)) / count, doubled for the frequencies that stand for their mirror images
    too.
    """
    spectrum = fft(ct, fft_type=FftType.RFFT, fft_lengths=lengths)
    aval = aval_of(spectrum)
    n, half = lengths[-1], aval.shape[-1]
    weights = np.full(half, 2.0 / count)
    weights[0] /= 2
    if n % 2 == 0:
        weights[-1] /= 2
    row = weights.astype(aval.dtype)
    return mul(
        conj(spectrum),
        broadcast_in_dim(row, shape=aval.shape, broadcast_dimensions=(aval.ndim - 1,)),
    )


def _batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[Any], **params: Any
) -> tuple[Any, int]:
    return fft(move_axis(operands[0], dims[0], 0), **params), 0


#: The largest prime factor, and the longest axis, of the native transforms.
_LARGEST_FACTOR, _LONGEST = 13, 1 << 14
#: Lines along an axis from which vectors of lines are worth it, but for short ones.
_LINES, _SHORT = 4, 256


def _smooth(n: int) -> bool:
    for factor in range(2, _LARGEST_FACTOR + 1):
        while n % factor == 0:
            n //= factor
    return n == 1


def native_transform(
    x: Operand, *, fft_type: FftType, fft_lengths: Axes
) -> tuple[str, list[int]] | None:
    """The native routine, where all lengths have small factors and there are enough lines."""
    rank = len(fft_lengths)
    batch = math.prod(x.shape[: len(x.shape) - rank])
    total = batch * math.prod(fft_lengths)
    for n in fft_lengths:
        if n > _LONGEST or not _smooth(n) or (n > _SHORT and total // n < _LINES):
            return None
    size = x.dtype.itemsize if fft_type is FftType.RFFT else x.dtype.itemsize // 2
    return "fft", [size, int(fft_type), batch, rank, *fft_lengths]


#: What the native routine calls the complex transform of real numbers.
_WHOLE_OF_REAL = 4
_of_operand = native_or_host("fft", native_transform, "pocketfft of NumPy")


def _loops(
    b: LoopBuilder, x: Operand, *, fft_type: FftType, fft_lengths: Axes
) -> Definition | list[Definition]:
    """A transform of numbers that are known to be real is half the work."""
    real_parts = b.real_parts(x) if fft_type is FftType.FFT else None
    call = native_transform(x, fft_type=fft_type, fft_lengths=fft_lengths)
    if real_parts is None or call is None:
        return _of_operand(b, x, fft_type=fft_type, fft_lengths=fft_lengths)
    name, (size, _, *rest) = call
    return b.block("library", [real_parts], name=name, args=[size, _WHOLE_OF_REAL, *rest])


fft = Primitive(
    "fft",
    """The discrete Fourier transform over the last len(fft_lengths) axes; inverses divide by their
    number.

    fft_type says which: FFT, IFFT (complex to complex), RFFT (real to the nonnegative
    frequencies), IRFFT.
    """,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=_loops,
)
