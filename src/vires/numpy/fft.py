"""Discrete Fourier transforms, with NumPy's functions and normalisations."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy.creation import asarray
from vires.numpy.cumulative import along
from vires.numpy.float_parts import conj
from vires.numpy.operands import axis_index, convert, operand
from vires.numpy.planned import planned
from vires.numpy.shaping import moveaxis, roll
from vires.ops.fft import FftType
from vires.ops.fft import fft as fft_p
from vires.ops.filled import scalar
from vires.ops.join import pad

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift",
    "ihfft", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip


def _prepared(function: str, a: Any, kind: FftType) -> Any:
    """The operand in the dtype that the transform takes."""
    x = operand(a, function, "a")
    own = x.aval.dtype
    if kind is FftType.RFFT:
        if dtypes.kind(own) == "complex":
            raise ValueError(
                f"{function}: needs real input; got {own.name}; try {function.replace('r', '', 1)}"
            )
        return convert(
            x,
            dtypes.float64
            if own in (dtypes.float64, dtypes.int64, dtypes.uint64)
            else dtypes.float32,
        )
    wide = own in (dtypes.float64, dtypes.int64, dtypes.uint64, dtypes.complex128)
    return convert(x, dtypes.complex128 if wide else dtypes.complex64)


def _resized(x: Any, axis: int, size: int) -> Any:
    own = x.aval.shape[axis]
    if own > size:
        return along(x, axis, 0, size)
    if own < size:
        config = tuple((0, size - own if d == axis else 0, 0) for d in range(x.aval.ndim))
        return pad(x, scalar(0, x.aval.dtype), padding_config=config)
    return x


def _scale(x: Any, kind: FftType, lengths: Sequence[int], norm: str | None, function: str) -> Any:
    """The primitive scales inverse transforms by 1 / N; `norm` says where the factor goes."""
    inverse = kind in (FftType.IFFT, FftType.IRFFT)
    total = math.prod(lengths)
    if norm is None or norm == "backward":
        return x
    if norm == "ortho":
        return x * (math.sqrt(total) if inverse else 1 / math.sqrt(total))
    if norm == "forward":
        return x * (float(total) if inverse else 1 / total)
    raise ValueError(f"{function}: needs norm None, 'backward', 'ortho' or 'forward'; got {norm!r}")


def _transform(
    function: str,
    kind: FftType,
    a: Any,
    s: Sequence[int] | None,
    axes: Sequence[int] | None,
    norm: str | None,
) -> Any:
    x = _prepared(function, a, kind)
    if axes is None:
        given = (
            tuple(range(x.aval.ndim))
            if s is None
            else tuple(range(x.aval.ndim - len(s), x.aval.ndim))
        )
    else:
        given = tuple(axis_index(function, d, x.aval.ndim) for d in axes)
    if len(set(given)) != len(given):
        raise ValueError(f"{function}: needs distinct axes; got {axes}")
    if s is not None and len(s) != len(given):
        raise ValueError(
            f"{function}: needs a length for each of {len(given)} axes; got {tuple(s)}"
        )
    if not given:
        return x
    lengths = [x.aval.shape[d] for d in given]
    if s is not None:
        lengths = [n if m is None else operator.index(m) for m, n in zip(s, lengths, strict=True)]
    elif kind is FftType.IRFFT:
        lengths[-1] = max(0, 2 * (lengths[-1] - 1))
    if any(n < 1 for n in lengths):
        raise ValueError(f"{function}: needs at least 1 point along each axis; got {lengths}")
    for k, (d, n) in enumerate(zip(given, lengths, strict=True)):
        x = _resized(x, d, n // 2 + 1 if kind is FftType.IRFFT and k == len(given) - 1 else n)
    places = tuple(range(x.aval.ndim - len(given), x.aval.ndim))
    moved = moveaxis(x, given, places)
    # The primitive takes a few axes at a time; complex ones can be done one after the other.
    head, last = lengths[:-3], lengths[-3:]
    result = fft_p(moved, fft_type=kind, fft_lengths=tuple(last))
    rest = FftType.IFFT if kind in (FftType.IFFT, FftType.IRFFT) else FftType.FFT
    if head and kind is not FftType.IRFFT:
        result = _other_axes(result, rest, len(last), head)
    elif head:
        result = fft_p(
            _other_axes(moved, rest, len(last), head), fft_type=kind, fft_lengths=tuple(last)
        )
    result = moveaxis(result, places, given)
    return _scale(result, kind, lengths, norm, function)


def _other_axes(x: Any, kind: FftType, done: int, lengths: Sequence[int]) -> Any:
    for k, n in enumerate(reversed(lengths)):
        axis = x.aval.ndim - done - 1 - k
        x = moveaxis(fft_p(moveaxis(x, axis, -1), fft_type=kind, fft_lengths=(n,)), -1, axis)
    return x


def _one(function: str, kind: FftType, a: Any, n: int | None, axis: int, norm: str | None) -> Any:
    x = operand(a, function, "a")
    if not x.aval.ndim:
        raise ValueError(f"{function}: needs at least 1 axis; got a 0-d array")
    return _transform(function, kind, x, None if n is None else (n,), (axis,), norm)


@planned("a")
def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """sum_k a_k exp(-2 pi i j k / n) along an axis, cut or padded with zeros to n points."""
    return _one("fft", FftType.FFT, a, n, axis, norm)


@planned("a")
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `fft`: sum_k a_k exp(2 pi i j k / n) / n."""
    return _one("ifft", FftType.IFFT, a, n, axis, norm)


@planned("a")
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The first n // 2 + 1 numbers of the `fft` of real input; the others are their conjugates."""
    return _one("rfft", FftType.RFFT, a, n, axis, norm)


@planned("a")
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `rfft`: n real numbers (default: 2 (m - 1) for m given)."""
    return _one("irfft", FftType.IRFFT, a, n, axis, norm)


_SWAPPED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _swapped(function: str, norm: str | None) -> str:
    if norm not in _SWAPPED:
        raise ValueError(
            f"{function}: needs norm None, 'backward', 'ortho' or 'forward'; got {norm!r}"
        )
    return _SWAPPED[norm]


def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The real `fft` of input with Hermitian symmetry, given by its first n // 2 + 1 numbers."""
    return irfft(conj(operand(a, "hfft", "a")), n, axis, _swapped("hfft", norm))


def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `hfft`."""
    return conj(rfft(a, n, axis, _swapped("ihfft", norm)))


@planned("a")
def fft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """`fft` along two axes."""
    return _transform("fft2", FftType.FFT, a, s, axes, norm)


@planned("a")
def ifft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """`ifft` along two axes."""
    return _transform("ifft2", FftType.IFFT, a, s, axes, norm)


def rfft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """`rfft` along the last of two axes, `fft` along the other."""
    return _transform("rfft2", FftType.RFFT, a, s, axes, norm)


def irfft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """The inverse of `rfft2`."""
    return _transform("irfft2", FftType.IRFFT, a, s, axes, norm)


@planned("a")
def fftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Any:
    """`fft` along several axes (None: all)."""
    return _transform("fftn", FftType.FFT, a, s, axes, norm)


@planned("a")
def ifftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Any:
    """`ifft` along several axes (None: all)."""
    return _transform("ifftn", FftType.IFFT, a, s, axes, norm)


def rfftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Any:
    """`rfft` along the last of several axes (None: all), `fft` along the others."""
    return _transform("rfftn", FftType.RFFT, a, s, axes, norm)


def irfftn(
    a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Any:
    """The inverse of `rfftn`."""
    return _transform("irfftn", FftType.IRFFT, a, s, axes, norm)


def fftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """The frequencies of the numbers that `fft` gives, for n samples d apart: 0, 1, ..., -1 over n
    d."""
    return _frequencies("fftfreq", np.fft.fftfreq, n, d, dtype)


def rfftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """The frequencies of the numbers that `rfft` gives, for n samples d apart."""
    return _frequencies("rfftfreq", np.fft.rfftfreq, n, d, dtype)


def _frequencies(function: str, frequencies: Any, n: int, d: Any, dtype: Any) -> Any:
    n = operator.index(n)
    if n < 1:
        raise ValueError(f"{function}: needs n >= 1; got {n}")
    target = dtypes.default_float() if dtype is None else dtypes.canonical(dtype)
    if isinstance(d, (int, float)):
        return asarray(frequencies(n, d).astype(target))
    return asarray(frequencies(n).astype(target)) / convert(operand(d, function, "d"), target)


def _shift(function: str, x: Any, axes: Any, forward: bool) -> Any:
    x = operand(x, function)
    given = (
        tuple(range(x.aval.ndim))
        if axes is None
        else axes
        if isinstance(axes, (tuple, list))
        else (axes,)
    )
    shifts = []
    for axis in given:
        n = x.aval.shape[axis_index(function, axis, x.aval.ndim)]
        shifts.append(n // 2 if forward else -(n // 2))
    return roll(x, tuple(shifts), tuple(given)) if given else x


def fftshift(x: Any, axes: Any = None) -> Any:
    """The zero frequency moved to the middle along axes (None: all)."""
    return _shift("fftshift", x, axes, forward=True)


def ifftshift(x: Any, axes: Any = None) -> Any:
    """The inverse of `fftshift`."""
    return _shift("ifftshift", x, axes, forward=False)
