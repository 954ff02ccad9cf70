"""Faddeeva's function and spherical harmonics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vires.control.custom_jvp import custom_jvp
from vires.core import dtypes
from vires.lax.control import fori_loop
from vires.numpy.arithmetic import maximum, sqrt
from vires.numpy.choosing import where
from vires.numpy.float_parts import conj
from vires.numpy.operands import broadcast_all, convert, operand, promote_inexact, value_or_operand
from vires.numpy.planned import planned
from vires.numpy.transcendental import cos, exp, sin
from vires.numpy.ufunc import elementwise
from vires.ops.complex import complex as complex_of
from vires.scipy.special.series import polynomial

__all__ = ["sph_harm_y", "wofz"]

_TERMS = 64


def _weideman(terms: int) -> tuple[float, tuple[float, ...]]:
    """The scale and coefficients of Weideman's rational approximation, by a Fourier transform."""
    scale = math.sqrt(terms / math.sqrt(2))
    points = 4 * terms
    k = np.arange(-points + 1, points)
    t = scale * np.tan(0.5 * k * np.pi / points)
    f = np.concatenate([[0.0], np.exp(-t * t) * (scale * scale + t * t)])
    a = np.real(np.fft.fft(np.fft.fftshift(f))) / (2 * points)
    return scale, tuple(a[1 : terms + 1].tolist())


_SCALE, _COEFFICIENTS = _weideman(_TERMS)


def _upper(z: Any) -> Any:
    """w(z) for Im z >= 0."""
    distance = _SCALE - 1j * z
    ratio = (_SCALE + 1j * z) / distance
    return (
        2 * polynomial(ratio, _COEFFICIENTS) / (distance * distance)
        + (1 / math.sqrt(math.pi)) / distance
    )


@custom_jvp
def _wofz(z: Any) -> Any:
    lower = z.imag < 0
    value = _upper(where(lower, -z, z))
    return where(lower, 2 * exp(-z * z) - value, value)


_wofz.defjvps(lambda dz, out, z: dz * (-2 * z * out + 2j / math.sqrt(math.pi)))


def _complex(*xs: Any) -> list[Any]:
    (x,) = promote_inexact(*xs)
    return [convert(x, dtypes.complex_of(dtypes.real_of(x.aval.dtype)), x.aval.weak_type)]


@elementwise(_complex)
def wofz(z):
    """Faddeeva's function e^(-z z) erfc(-i z), complex; absolute accuracy about 1e-15 for
    Im z >= 0."""
    return _wofz(z)


# --- spherical harmonics


def sph_harm_y(
    n: Any, m: Any, theta: Any, phi: Any, diff_n: int | None = None, n_max: int | None = None
) -> Any:
    """The spherical harmonic Y_n^m(theta, phi), complex, orthonormal on the sphere.

    Args:
      n: degrees, integers >= 0.
      m: orders, integers from -n to n.
      theta: polar angles from 0 to pi, in radians.
      phi: azimuths, in radians.
      diff_n: has to be None; `vires.grad` differentiates.
      n_max: the largest degree; needed where n is traced.
    """
    if diff_n is not None:
        raise NotImplementedError(f"sph_harm_y: needs diff_n=None; got {diff_n!r}; try vires.jvp")
    degrees = operand(n, "sph_harm_y", "n")
    if n_max is None:
        n_max = int(degrees.max(initial=0))
    return _sph_harm_y(degrees, m, theta, phi, int(n_max))


@planned("n", "m", "theta", "phi")
def _sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, n_max: int) -> Any:
    angles = promote_inexact(
        value_or_operand(theta, "sph_harm_y"), value_or_operand(phi, "sph_harm_y")
    )
    orders = [operand(x, "sph_harm_y") for x in (n, m)]
    degree, order, polar, azimuth = broadcast_all("sph_harm_y", *orders, *angles)
    dtype = polar.aval.dtype
    degree, order = convert(degree, dtype), convert(order, dtype)
    size = abs(order)
    cosine, sine = cos(polar), sin(polar)

    def step(k: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        before, value = state
        level = convert(operand(k + 1, "sph_harm_y"), dtype)
        diagonal = level <= size
        on_diagonal = -sqrt((2 * level + 1) / (2 * level)) * sine * value
        above = where(diagonal, 1, level * level - size * size)
        factor = sqrt((4 * level * level - 1) / above)
        last = level - 1
        rest = maximum(where(diagonal, 0, last * last - size * size), 0)
        share = sqrt(where(rest > 0, rest, 1) / maximum(4 * last * last - 1, 1))
        off_diagonal = factor * (cosine * value - where(rest > 0, share, 0) * before)
        new = where(diagonal, on_diagonal, off_diagonal)
        going = level <= degree
        return (
            where(going, where(diagonal, 0, value), before),
            where(going, new, value),
        )

    start = (cosine * 0, cosine * 0 + math.sqrt(0.25 / math.pi))
    value = fori_loop(0, n_max, step, start)[1]
    value = where(size > degree, 0, value)
    turned = complex_of(value * cos(size * azimuth), value * sin(size * azimuth))
    odd = convert(size - 2 * (size * 0.5).astype("int32").astype(dtype), dtype) != 0
    mirrored = conj(turned)
    return where(order < 0, where(odd, -mirrored, mirrored), turned)
