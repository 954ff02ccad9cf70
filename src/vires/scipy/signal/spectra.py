"""Spectra of signals cut into overlapping windows."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy import fft as numpy_fft
from vires.numpy.choosing import where
from vires.numpy.creation import asarray, zeros
from vires.numpy.float_parts import conj, real
from vires.numpy.operands import (
    ShapeError,
    axis_index,
    convert,
    operand,
    promote_inexact,
    shape_text,
)
from vires.numpy.padding import pad
from vires.numpy.quantiles import median
from vires.numpy.shaping import moveaxis
from vires.numpy.statistics import mean
from vires.scipy.signal.trends import detrend as detrend_function

__all__ = ["csd", "istft", "stft", "welch"]

_PADDINGS = {"even": "reflect", "odd": "odd", "constant": "edge", "zeros": "constant"}


#: Windows that are sums of cosines.
_COSINES = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
}


def _window(function: str, window: Any, size: int, dtype: Any) -> Any:
    """The weights of a window: an array, or a name or tuple that SciPy knows."""
    if isinstance(window, str) and window in _COSINES:
        angles = 2 * np.pi * np.arange(size) / size
        terms = [(-1) ** j * a * np.cos(j * angles) for j, a in enumerate(_COSINES[window])]
        # One weight alone is 1.
        return np.asarray(sum(terms) if size > 1 else [1.0]).astype(dtype)
    if isinstance(window, (str, tuple)):
        from scipy.signal import get_window

        return np.asarray(get_window(window, size)).astype(dtype)
    (weights,) = promote_inexact(operand(window, function, "window"))
    if weights.aval.shape != (size,):
        raise ShapeError(f"{function}: needs a window of {size} weights; got {shape_text(weights)}")
    return weights


def _sizes(
    function: str, window: Any, length: int, nperseg: Any, noverlap: Any, nfft: Any
) -> tuple[int, int, int]:
    """The length of a window, the overlap of two, and the length of the transform."""
    if nperseg is not None:
        size = operator.index(nperseg)
    elif isinstance(window, (str, tuple)):
        size = 256
    else:
        size = operand(window, function, "window").shape[0]
    if size < 1:
        raise ValueError(f"{function}: needs nperseg >= 1; got {size}")
    if isinstance(window, (str, tuple)):
        size = min(size, length)
    overlap = size // 2 if noverlap is None else operator.index(noverlap)
    if not 0 <= overlap < size:
        raise ValueError(f"{function}: needs noverlap from 0 to {size - 1}; got {overlap}")
    points = size if nfft is None else operator.index(nfft)
    if points < size:
        raise ValueError(f"{function}: needs nfft >= nperseg = {size}; got {points}")
    return size, overlap, points


def _trend_remover(function: str, detrend: Any) -> Callable[[Any], Any]:
    if not detrend:
        return lambda x: x
    if callable(detrend):
        return detrend
    return lambda x: detrend_function(x, -1, detrend)


def _frames(x: Any, size: int, step: int) -> Any:
    """Windows along the last axis, as a new axis before it."""
    count = (x.aval.shape[-1] - size) // step + 1
    places = step * np.arange(count)[:, None] + np.arange(size)[None, :]
    return x[..., places.astype(np.int32)]


def _extended(x: Any, boundary: str | None, size: int, function: str) -> Any:
    """The signal with half a window more at both ends."""
    if boundary is None:
        return x
    if boundary not in _PADDINGS:
        known = ", ".join(map(repr, _PADDINGS))
        raise ValueError(f"{function}: needs a boundary among {known} or None; got {boundary!r}")
    half = size // 2
    widths = [(0, 0)] * (x.aval.ndim - 1) + [(half, half)]
    if boundary == "odd":
        return pad(x, widths, mode="reflect", reflect_type="odd")
    return pad(x, widths, mode=_PADDINGS[boundary])


def _spectra(
    x: Any, weights: Any, size: int, step: int, points: int, remove: Any, half: bool
) -> Any:
    """The transforms of the windows: one more axis, of frequencies, at the end."""
    frames = remove(_frames(x, size, step)) * weights
    return (numpy_fft.rfft if half else numpy_fft.fft)(frames, n=points)


def _frequencies(points: int, fs: Any, half: bool, dtype: Any) -> Any:
    values = (np.fft.rfftfreq if half else np.fft.fftfreq)(points)
    return asarray(values.astype(dtypes.real_of(dtype))) * fs


def stft(
    x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int = 256, noverlap: int | None = None,
    nfft: int | None = None, detrend: Any = False, return_onesided: bool = True,
    boundary: str | None = "zeros", padded: bool = True, axis: int = -1,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """(frequencies, times, spectra of windows), the last scaled so that a window's sum is 1.

    The axis of the signal becomes that of the frequencies; that of the times is the last one.

    Args:
      x: the signal.
      fs: samples per unit of time.
      window: its weights, or a name that SciPy knows.
      nperseg, noverlap, nfft: the length of windows, their overlap (default: half), points of the
        transform (default: nperseg).
      detrend: what to take away from each window: False, "constant", "linear" or a function.
      return_onesided: only frequencies >= 0, for a real signal.
      boundary: how the signal goes on for half a window at both ends: "zeros", "even", "odd",
        "constant", or None (not at all).
      padded: whether zeros make the signal long enough for a last window.
    """
    value, place, dtype = _signal("stft", x, axis)
    size, overlap, points = _sizes("stft", window, value.shape[-1], nperseg, noverlap, nfft)
    step = size - overlap
    weights = _window("stft", window, size, dtypes.real_of(dtype))
    value = _extended(value, boundary, size, "stft")
    if padded:
        missing = -(value.shape[-1] - size) % step % size
        value = pad(value, [(0, 0)] * (value.ndim - 1) + [(0, missing)])
    half = return_onesided and dtypes.kind(dtype) != "complex"
    remove = _trend_remover("stft", detrend)
    spectra = _spectra(value, weights, size, step, points, remove, half)
    spectra = spectra / weights.sum()
    count = spectra.shape[-2]
    start = 0 if boundary is not None else size / 2
    times = asarray((start + step * np.arange(count)).astype(dtypes.real_of(dtype))) / fs
    # Frequencies take the place of the signal's axis, times come last.
    result = moveaxis(moveaxis(spectra, -2, -1), -2, place)
    return _frequencies(points, fs, half, dtype), times, result


def _signal(function: str, x: Any, axis: int) -> tuple[Any, int, Any]:
    (value,) = promote_inexact(operand(x, function))
    if not value.aval.ndim:
        raise ShapeError(f"{function}: needs at least 1 axis; got {shape_text(value)}")
    place = axis_index(function, axis, value.aval.ndim)
    if value.aval.dtype.itemsize < 4:
        value = convert(value, dtypes.float32)
    return moveaxis(value, place, -1), place, value.aval.dtype


def csd(
    x: Any, y: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None,
    noverlap: int | None = None, nfft: int | None = None, detrend: Any = "constant",
    return_onesided: bool = True, scaling: str = "density", axis: int = -1, average: str = "mean",
) -> tuple[Any, Any]:  # fmt: skip
    """(frequencies, cross spectral density of two signals), by Welch's method: the products
    conj(X) Y of the spectra of overlapping windows, averaged.

    Args:
      scaling: "density" (per unit of frequency) or "spectrum".
      average: "mean" or "median" over windows.
      The others are those of `stft`.
    """
    if scaling not in ("density", "spectrum"):
        raise ValueError(f"csd: needs scaling 'density' or 'spectrum'; got {scaling!r}")
    if average not in ("mean", "median"):
        raise ValueError(f"csd: needs average 'mean' or 'median'; got {average!r}")
    first, place, _ = _signal("csd", x, axis)
    same = y is None or y is x
    second = first
    if not same:
        second, _, _ = _signal("csd", y, axis)
        first, second = promote_inexact(first, second)
        length = max(first.shape[-1], second.shape[-1])
        first, second = (
            pad(z, [(0, 0)] * (z.ndim - 1) + [(0, length - z.shape[-1])]) for z in (first, second)
        )
    dtype = first.dtype
    size, overlap, points = _sizes("csd", window, first.shape[-1], nperseg, noverlap, nfft)
    step = size - overlap
    weights = _window("csd", window, size, dtypes.real_of(dtype))
    half = return_onesided and dtypes.kind(dtype) != "complex"
    remove = _trend_remover("csd", detrend)
    spectra = _spectra(first, weights, size, step, points, remove, half)
    other = spectra if same else _spectra(second, weights, size, step, points, remove, half)
    products = conj(spectra) * other
    if scaling == "density":
        products = products / (fs * (weights * weights).sum())
    else:
        products = products / weights.sum() ** 2
    if half:
        # The frequencies below 0 count too; 0 and, for even lengths, the last one stand alone.
        factors = np.full(products.shape[-1], 2.0)
        factors[0] = 1
        if points % 2 == 0:
            factors[-1] = 1
        products = products * factors.astype(dtypes.real_of(dtype))
    if average == "mean":
        result = mean(products, -2)
    else:
        count = products.shape[-2]
        bias = 1 + sum(1 / (k + 1) - 1 / k for k in range(2, count, 2))
        imaginary = median((products * -1j).real, -2)
        result = (median(real(products), -2) + 1j * imaginary) / bias
    if same:
        result = real(result)
    return _frequencies(points, fs, half, dtype), moveaxis(result, -1, place)


def welch(
    x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None,
    noverlap: int | None = None, nfft: int | None = None, detrend: Any = "constant",
    return_onesided: bool = True, scaling: str = "density", axis: int = -1, average: str = "mean",
) -> tuple[Any, Any]:  # fmt: skip
    """(frequencies, power spectral density) by Welch's method; the arguments are those of `csd`."""
    return csd(
        x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis,
        average,
    )  # fmt: skip


def istft(
    Zxx: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None,
    noverlap: int | None = None, nfft: int | None = None, input_onesided: bool = True,
    boundary: bool = True, time_axis: int = -1, freq_axis: int = -2,
) -> tuple[Any, Any]:  # fmt: skip
    """(times, signal) of which `stft` gives the spectra, by least squares.

    The arguments are those of `stft`; `boundary` says whether the signal went on at both ends.
    """
    z = operand(Zxx, "istft", "Zxx")
    if z.aval.ndim < 2:
        raise ShapeError(f"istft: needs at least 2 axes; got {shape_text(z)}")
    times = axis_index("istft", time_axis, z.aval.ndim)
    frequencies = axis_index("istft", freq_axis, z.aval.ndim)
    if times == frequencies:
        raise ValueError(f"istft: needs different axes of times and frequencies; got {times} twice")
    z = moveaxis(z, (times, frequencies), (-2, -1))
    bins, count = z.aval.shape[-1], z.aval.shape[-2]
    natural = 2 * (bins - 1) if input_onesided else bins
    size = natural if nperseg is None else operator.index(nperseg)
    if nfft is not None:
        points = operator.index(nfft)
    else:
        points = size if input_onesided and size == natural + 1 else natural
    overlap = size // 2 if noverlap is None else operator.index(noverlap)
    if not 0 <= overlap < size or points < size:
        raise ValueError(
            f"istft: needs noverlap < nperseg <= nfft; got {overlap}, {size} and {points}"
        )
    step = size - overlap
    dtype = dtypes.real_of(z.aval.dtype) if dtypes.is_inexact(z.aval.dtype) else dtypes.float32
    weights = asarray(_window("istft", window, size, dtype))
    frames = (numpy_fft.irfft if input_onesided else numpy_fft.ifft)(z, n=points)[..., :size]
    frames = frames * (weights * weights.sum())
    length = size + (count - 1) * step
    places = (step * np.arange(count)[:, None] + np.arange(size)[None, :]).astype(np.int32)
    batch = frames.shape[:-2]
    signal = zeros((*batch, length), frames.dtype).at[..., places].add(frames)
    norm = (
        zeros((length,), weights.dtype)
        .at[places]
        .add((weights * weights)[None, :] + zeros((count, 1), weights.dtype))
    )
    signal = signal / where(norm > 1e-10, norm, 1)
    if boundary:
        signal = signal[..., size // 2 : length - size // 2]
    # The signal's axis takes the place of the times, without that of the frequencies.
    target = times - (frequencies < times)
    instants = asarray(np.arange(signal.shape[-1]).astype(dtype)) / fs
    return instants, moveaxis(signal, -1, target)
