"""Continuous distributions that are a function of one uniform number."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy

import vires.numpy as np
from vires import lax
from vires.core.dtypes import DType
from vires.random.arguments import (
    Shape,
    broadcast_shape,
    fixed_shape,
    float_dtype,
    parameter,
)
from vires.random.keys import consume
from vires.random.samplers import sampler
from vires.random.uniforms import draw_uniform, draw_unit


def _tiny(dtype: DType) -> Any:
    """The smallest normal number: in place of zero where a logarithm follows."""
    return ml_dtypes.finfo(dtype).tiny


def _one(dtype: DType) -> Any:
    return numpy.ones((), dtype)


def exponential(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Exponential random numbers of rate 1, of density exp(-x) for x >= 0.

    Args:
        key: a random key.
        shape: of the result.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).

    >>> import vires
    >>> vires.random.exponential(vires.random.key(0), (2,))
    Array([2.950128 , 3.8434246], dtype=float32)
    """
    key = consume(key, "exponential")
    return _exponential(key, fixed_shape(shape, "exponential"), float_dtype(dtype, "exponential"))


def draw_exponential(key: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    return -np.log1p(-draw_unit(key, shape, dtype))


def gumbel(key: Any, shape: Shape = (), dtype: Any = None, mode: str | None = None) -> Any:
    """Gumbel random numbers, of density exp(-(x + exp(-x))).

    Args:
        key: a random key.
        shape: of the result.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
        mode: "low" (the default) draws one uniform number, "high" two, which reaches further into
            the tail.
    """
    key = consume(key, "gumbel")
    dtype = float_dtype(dtype, "gumbel")
    return _gumbel(key, fixed_shape(shape, "gumbel"), dtype, gumbel_mode(mode, "gumbel"))


def gumbel_mode(mode: str | None, name: str) -> str:
    if mode not in (None, "low", "high"):
        raise ValueError(f"{name}: needs mode 'low' or 'high'; got {mode!r}")
    return mode or "low"


def draw_gumbel(key: Any, shape: tuple[int, ...], dtype: DType, mode: str = "low") -> Any:
    if mode == "low":
        u = draw_uniform(key, shape, dtype, numpy.asarray(_tiny(dtype), dtype), _one(dtype))
        return -np.log(-np.log(u))
    coarse, fine = draw_unit(key, (2, *shape), dtype)
    # Below 1/2 the coarse number has spare precision, which the fine one fills.
    filled = coarse + ml_dtypes.finfo(dtype).eps * fine + _tiny(dtype)
    u = np.where(coarse >= 0.5, coarse, filled)
    return -np.log(-np.log1p(-u))


def laplace(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Laplace random numbers, of density exp(-|x|) / 2.

    Args:
        key: a random key.
        shape: of the result.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "laplace")
    return _laplace(key, fixed_shape(shape, "laplace"), float_dtype(dtype, "laplace"))


def draw_laplace(key: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    least = numpy.asarray(-1.0 + float(ml_dtypes.finfo(dtype).epsneg), dtype)
    u = draw_uniform(key, shape, dtype, least, _one(dtype))
    return np.sign(u) * np.log1p(-np.abs(u))


def logistic(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Logistic random numbers, of density exp(-x) / (1 + exp(-x))**2.

    Args:
        key: a random key.
        shape: of the result.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "logistic")
    return _logistic(key, fixed_shape(shape, "logistic"), float_dtype(dtype, "logistic"))


def draw_logistic(key: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    u = draw_uniform(key, shape, dtype, numpy.asarray(_tiny(dtype), dtype), _one(dtype))
    return np.log(u) - np.log1p(-u)


def cauchy(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Cauchy random numbers, of density 1 / (pi (1 + x**2)).

    Args:
        key: a random key.
        shape: of the result.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "cauchy")
    return _cauchy(key, fixed_shape(shape, "cauchy"), float_dtype(dtype, "cauchy"))


def draw_cauchy(key: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    least = numpy.asarray(ml_dtypes.finfo(dtype).eps, dtype)
    u = draw_uniform(key, shape, dtype, least, _one(dtype))
    return np.tan(math.pi * (u - 0.5))


def pareto(key: Any, b: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Pareto random numbers, of density b / x**(b + 1) for x >= 1.

    Args:
        key: a random key.
        b: shape parameter, positive.
        shape: of the result; by default that of b.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "pareto")
    dtype = float_dtype(dtype, "pareto")
    b = parameter(b, "pareto", "b")
    return _pareto(key, broadcast_shape("pareto", shape, ("b",), (b,)), dtype, b)


def draw_pareto(key: Any, shape: tuple[int, ...], dtype: DType, b: Any) -> Any:
    return np.exp(draw_exponential(key, shape, dtype) / lax.convert_element_type(b, dtype))


def rayleigh(key: Any, scale: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Rayleigh random numbers, of density x / scale**2 exp(-x**2 / (2 scale**2)) for x >= 0.

    Args:
        key: a random key.
        scale: positive.
        shape: of the result; by default that of scale.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "rayleigh")
    dtype = float_dtype(dtype, "rayleigh")
    scale = parameter(scale, "rayleigh", "scale")
    shape = broadcast_shape("rayleigh", shape, ("scale",), (scale,))
    return _rayleigh(key, shape, dtype, scale)


def draw_rayleigh(key: Any, shape: tuple[int, ...], dtype: DType, scale: Any) -> Any:
    u = draw_unit(key, shape, dtype)
    return lax.convert_element_type(scale, dtype) * np.sqrt(np.log(u) * -2)


def weibull_min(
    key: Any, scale: Any, concentration: Any, shape: Shape = (), dtype: Any = None
) -> Any:
    """Weibull random numbers: scale e**(1 / concentration) for exponential e.

    Args:
        key: a random key.
        scale: positive; broadcasts against `shape`.
        concentration: positive; broadcasts against `shape`.
        shape: of the result.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "weibull_min")
    dtype = float_dtype(dtype, "weibull_min")
    scale = parameter(scale, "weibull_min", "scale")
    concentration = parameter(concentration, "weibull_min", "concentration")
    shape = fixed_shape(shape, "weibull_min")
    return _weibull(key, shape, dtype, scale, concentration)


def draw_weibull(
    key: Any, shape: tuple[int, ...], dtype: DType, scale: Any, concentration: Any
) -> Any:
    power = lax.convert_element_type(1.0 / concentration, dtype)
    e = draw_exponential(key, shape, dtype)
    return np.power(e, power) * lax.convert_element_type(scale, dtype)


def triangular(
    key: Any, left: Any, mode: Any, right: Any, shape: Shape | None = None, dtype: Any = None
) -> Any:
    """Random numbers of [left, right] whose density rises linearly to `mode`, then falls linearly.

    Args:
        key: a random key.
        left: smallest value.
        mode: most probable value, left <= mode <= right.
        right: largest value.
        shape: of the result; by default that to which the parameters broadcast.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "triangular")
    dtype = float_dtype(dtype, "triangular")
    left = parameter(left, "triangular", "left")
    mode = parameter(mode, "triangular", "mode")
    right = parameter(right, "triangular", "right")
    names = ("left", "mode", "right")
    shape = broadcast_shape("triangular", shape, names, (left, mode, right))
    return _triangular(key, shape, dtype, left, mode, right)


def draw_triangular(
    key: Any, shape: tuple[int, ...], dtype: DType, left: Any, mode: Any, right: Any
) -> Any:
    """The inverse distribution function has a branch on either side of the mode."""
    left = lax.convert_element_type(left, dtype)
    mode = lax.convert_element_type(mode, dtype)
    right = lax.convert_element_type(right, dtype)
    u = draw_unit(key, shape, dtype)
    rising = left + np.sqrt(u * (right - left) * (mode - left))
    falling = right - np.sqrt((1 - u) * (right - left) * (right - mode))
    return np.where(u < (mode - left) / (right - left), rising, falling)


_exponential = sampler(draw_exponential, static_argnums=(1, 2))
_gumbel = sampler(draw_gumbel, static_argnums=(1, 2, 3))
_laplace = sampler(draw_laplace, static_argnums=(1, 2))
_logistic = sampler(draw_logistic, static_argnums=(1, 2))
_cauchy = sampler(draw_cauchy, static_argnums=(1, 2))
_pareto = sampler(draw_pareto, static_argnums=(1, 2))
_rayleigh = sampler(draw_rayleigh, static_argnums=(1, 2))
_weibull = sampler(draw_weibull, static_argnums=(1, 2))
_triangular = sampler(draw_triangular, static_argnums=(1, 2))
