"""Discrete cosine transforms, with SciPy's functions and normalisations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy import fft as numpy_fft
from vires.numpy.float_parts import real
from vires.numpy.operands import axis_index, convert, operand, promote_inexact, shape_text
from vires.numpy.planned import planned
from vires.numpy.shaping import moveaxis
from vires.ops.filled import scalar
from vires.ops.join import concatenate, pad

__all__ = ["dct", "dctn", "idct", "idctn"]


def _check(function: str, type: int, norm: str | None) -> None:
    if type not in (1, 2, 3):
        raise NotImplementedError(f"{function}: needs type 1, 2 or 3; got {type!r}")
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(
            f"{function}: needs norm None, 'backward', 'ortho' or 'forward'; got {norm!r}"
        )


def _prepared(function: str, x: Any) -> Any:
    (value,) = promote_inexact(operand(x, function))
    if dtypes.kind(value.aval.dtype) == "complex":
        raise TypeError(f"{function}: needs a real dtype; got {shape_text(value)}; try x.real")
    return convert(value, dtypes.float32) if value.aval.dtype.itemsize < 4 else value


def _sized(x: Any, n: int | None) -> Any:
    """The last axis cut or padded with zeros to n elements."""
    own = x.aval.shape[-1]
    if n is None or n == own:
        return x
    if n < 1:
        raise ValueError(f"dct: needs n >= 1; got {n}")
    if n < own:
        return x[..., :n]
    config = tuple([(0, 0, 0)] * (x.aval.ndim - 1) + [(0, n - own, 0)])
    return pad(x, scalar(0, x.aval.dtype), padding_config=config)


def _turns(n: int, dtype: Any) -> np.ndarray:
    """exp(-i pi k / 2 n)."""
    angles = np.exp(-0.5j * np.pi * np.arange(n) / n)
    return angles.astype(dtypes.complex_of(dtype))


def _type_1(x: Any) -> Any:
    """x_0 + (-1)^k x_(n-1) + 2 sum x_j cos(pi j k / (n - 1)), from the even extension."""
    last = x.aval.ndim - 1
    extended = concatenate(x, x[..., -2:0:-1], dimension=last)
    return real(numpy_fft.rfft(extended))


def _type_2(x: Any) -> Any:
    """2 sum x_j cos(pi k (2 j + 1) / 2 n), by one real transform of n points, even ones first
    (Makhoul)."""
    n, last = x.aval.shape[-1], x.aval.ndim - 1
    ordered = concatenate(x[..., ::2], x[..., 1::2][..., ::-1], dimension=last)
    return 2 * real(numpy_fft.fft(ordered) * _turns(n, x.aval.dtype))


def _type_3(x: Any) -> Any:
    """x_0 + 2 sum x_j cos(pi j (2 k + 1) / 2 n): the inverse of type 2, times 2 n."""
    n, last = x.aval.shape[-1], x.aval.ndim - 1
    mirrored = concatenate(x[..., :1] * 0, x[..., :0:-1], dimension=last)
    spectrum = (x - 1j * mirrored) * _turns(n, x.aval.dtype).conj()
    ordered = real(numpy_fft.ifft(spectrum)) * n
    half = (n + 1) // 2
    place = np.empty(n, np.int32)
    place[::2], place[1::2] = np.arange(half), np.arange(n - 1, half - 1, -1)
    return ordered[..., place]


def _ortho_weights(n: int, type: int, forward: bool, dtype: Any) -> np.ndarray:
    """Factors of the elements before (types 1 and 3) or after (types 1 and 2) the transform."""
    weights = np.ones(n)
    if type == 1:
        weights[[0, -1]] = math.sqrt(2) if forward else math.sqrt(0.5)
    elif (type == 3) == forward:
        weights[0] = math.sqrt(2) if forward else math.sqrt(0.5)
    return weights.astype(dtype)


_TRANSFORMS = {1: _type_1, 2: _type_2, 3: _type_3}


def _last_axis(x: Any, type: int, norm: str | None, inverse: bool) -> Any:
    n = x.aval.shape[-1]
    if type == 1 and n < 2:
        raise ValueError(f"dct: needs at least 2 points for type 1; got {n}")
    total = 2 * (n - 1) if type == 1 else 2 * n
    kind = {1: 1, 2: 3, 3: 2}[type] if inverse else type
    dtype = x.aval.dtype
    if norm == "ortho":
        x = x * _ortho_weights(n, kind, True, dtype)
    y = _TRANSFORMS[kind](x)
    if norm == "ortho":
        return y * _ortho_weights(n, kind, False, dtype) * (1 / math.sqrt(total))
    scaled = (norm == "forward") != inverse
    return y * (1 / total) if scaled else y


def _along(
    x: Any, type: int, sizes: Sequence[int | None], axes: Sequence[int], norm: Any, inverse: bool
) -> Any:
    for axis, n in zip(axes, sizes, strict=True):
        moved = _sized(moveaxis(x, axis, -1), n)
        x = moveaxis(_last_axis(moved, type, norm, inverse), -1, axis)
    return x


def _one(function: str, x: Any, type: int, n: Any, axis: int, norm: Any, inverse: bool) -> Any:
    _check(function, type, norm)
    value = _prepared(function, x)
    place = axis_index(function, axis, value.aval.ndim)
    return _along(value, type, [n], [place], norm, inverse)


def _several(function: str, x: Any, type: int, s: Any, axes: Any, norm: Any, inverse: bool) -> Any:
    _check(function, type, norm)
    value = _prepared(function, x)
    ndim = value.aval.ndim
    if axes is None:
        axes = range(ndim) if s is None else range(ndim - len(s), ndim)
    places = [axis_index(function, axis, ndim) for axis in axes]
    sizes = [None] * len(places) if s is None else list(s)
    if len(sizes) != len(places):
        raise ValueError(f"{function}: needs a length for each of {len(places)} axes; got {s}")
    return _along(value, type, sizes, places, norm, inverse)


@planned("x")
def dct(
    x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None
) -> Any:
    """The discrete cosine transform of type 1, 2 or 3 along an axis, cut or padded with zeros to n
    points. Type 2: 2 sum_j x_j cos(pi k (2 j + 1) / 2 n)."""
    return _one("dct", x, type, n, axis, norm, False)


@planned("x")
def idct(
    x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None
) -> Any:
    """The inverse of `dct`."""
    return _one("idct", x, type, n, axis, norm, True)


@planned("x")
def dctn(x: Any, type: int = 2, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """`dct` along several axes (None: all, or the last ones of which s gives the sizes)."""
    return _several("dctn", x, type, s, axes, norm, False)


@planned("x")
def idctn(x: Any, type: int = 2, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """The inverse of `dctn`."""
    return _several("idctn", x, type, s, axes, norm, True)
