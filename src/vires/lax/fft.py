"""Discrete Fourier transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import dtypes
from vires.lax.arguments import array, sizes
from vires.ops import fft as ops
from vires.ops.convert import convert
from vires.ops.fft import FftType


def fft(x: Any, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Any:
    """The discrete Fourier transform over the last len(fft_lengths) axes.

    `fft_type` is FftType.FFT, IFFT, RFFT or IRFFT, or its name: complex to complex, its inverse,
    real to
    the nonnegative frequencies, and back. Inverses divide by the number of elements. The axes must
    have
    the sizes that `fft_lengths` says (n // 2 + 1 for the last one of IRFFT).

    >>> import numpy as np
    >>> from vires import lax
    >>> lax.fft(np.ones(4, np.float32), "RFFT", (4,)).tolist()
    [(4+0j), 0j, 0j]
    """
    if isinstance(fft_type, str):
        try:
            fft_type = FftType[fft_type.upper()]
        except KeyError as error:
            names = ", ".join(kind.name for kind in FftType)
            raise ValueError(f"fft: needs one of {names}; got {fft_type!r}") from error
    y = array(x)
    if fft_type is not FftType.RFFT and dtypes.kind(y.dtype) != "complex":
        y = convert(y, dtypes.complex_of(y.dtype))
    return ops.fft(y, fft_type=FftType(fft_type), fft_lengths=sizes("fft", fft_lengths))


__all__ = ["FftType", "fft"]
