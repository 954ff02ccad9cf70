"""Gamma draws and what is made of them: beta, Dirichlet, F, Student's t, points of balls."""

from __future__ import annotations

import functools
from typing import Any

import numpy

import vires.numpy as np
from vires import lax
from vires.api.jit import jit
from vires.api.vectorize import vmap
from vires.control.custom_jvp import custom_jvp
from vires.core.dtypes import DType
from vires.ops.random_bits import random_split
from vires.random.arguments import (
    Shape,
    broadcast_shape,
    common_shape,
    fixed_shape,
    float_dtype,
    parameter,
)
from vires.random.continuous import draw_exponential
from vires.random.keys import consume
from vires.random.normals import draw_normal
from vires.random.uniforms import draw_signs, draw_unit, split_keys


def _gamma_one(key: Any, a: Any, log_space: bool) -> Any:
    """One gamma number by the method of Marsaglia and Tsang (2000).

    d v with d = a - 1/3, v = (1 + x / sqrt(9 d))**3 and x normal is accepted by a squeeze, mostly,
    or by the exact test. For a < 1 a number for a + 1 is multiplied by u**(1 / a).
    """
    dtype = a.dtype
    third = numpy.asarray(1 / 3, dtype)[()]
    large = a >= 1
    d = np.where(large, a, a + 1) - third
    c = third / np.sqrt(d)
    key, boost_key = split_keys(key, 2)

    # One loop instead of one inside another, so that numbers drawn together stay in registers:
    # each turn draws one x, for a new proposal unless the one before was no proposal yet (v <= 0).
    def rejected(state: Any) -> Any:
        _, _, _, unfinished, x_square, v, u = state
        squeeze = u >= 1 - 0.0331 * (x_square * x_square)
        exact = np.log(u) >= x_square * 0.5 + d * (1 - v + np.log(v))
        return unfinished | (squeeze & exact)

    def propose(state: Any) -> Any:
        new_keys = split_keys(state[0], 3)
        unfinished = state[3]
        key, x_key, u_key = (
            np.where(unfinished, old, new) for old, new in zip(state[:3], new_keys, strict=True)
        )
        x_key, own_key = split_keys(x_key, 2)
        x = draw_normal(own_key, (), dtype)
        root = 1 + x * c
        u = draw_unit(u_key, (), dtype)
        return key, x_key, u_key, root <= 0, x * x, root * root * root, u

    zero, one = numpy.zeros((), dtype), numpy.ones((), dtype)
    start = (key, key, key, numpy.zeros((), bool), zero, one, one + one)
    v = lax.while_loop(rejected, propose, start)[5]
    if log_space:
        log_u = np.log1p(-draw_unit(boost_key, (), dtype))
        boost = np.where(large | (log_u == 0), numpy.zeros((), dtype), log_u * (1 / a))
        return np.log(d) + np.log(v) + boost
    u = 1 - draw_unit(boost_key, (), dtype)
    return d * v * np.where(large, numpy.ones((), dtype), np.power(u, 1 / a))


@functools.partial(custom_jvp, nondiff_argnums=(2,))
def gamma_numbers(key: Any, a: Any, log_space: bool) -> Any:
    """Gamma numbers, or their logarithms, for an array a; each element has its own key."""
    keys = random_split(key, shape=(a.size,))
    draw = vmap(functools.partial(_gamma_one, log_space=log_space))
    return draw(keys, a.reshape(-1)).reshape(a.shape)


@gamma_numbers.defjvp
def _gamma_numbers_jvp(log_space: bool, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """Implicit differentiation: dx/da = -(dF/da) / (dF/dx) for the distribution function F."""
    key, a = primals
    result = gamma_numbers(key, a, log_space)
    if log_space:
        number = np.exp(result)
        return result, tangents[1] * (lax.random_gamma_grad(a, number) / number)
    return result, tangents[1] * lax.random_gamma_grad(a, result)


def draw_gamma(key: Any, shape: tuple[int, ...], dtype: DType, log_space: bool, a: Any) -> Any:
    a = np.broadcast_to(lax.convert_element_type(a, dtype), shape)
    return gamma_numbers(key, a, log_space)


def gamma(key: Any, a: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Gamma random numbers of rate 1, of density x**(a - 1) exp(-x) / Gamma(a) for x > 0.

    Differentiable with respect to a. For a << 1 the number may underflow: see `loggamma`.

    Args:
        key: a random key.
        a: shape parameter, positive.
        shape: of the result; by default that of a.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "gamma")
    dtype = float_dtype(dtype, "gamma")
    a = parameter(a, "gamma", "a")
    return _gamma(key, broadcast_shape("gamma", shape, ("a",), (a,)), dtype, False, a)


def loggamma(key: Any, a: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Logarithms of gamma random numbers, accurate where the numbers themselves underflow.

    Args:
        key: a random key.
        a: shape parameter, positive.
        shape: of the result; by default that of a.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "loggamma")
    dtype = float_dtype(dtype, "loggamma")
    a = parameter(a, "loggamma", "a")
    return _gamma(key, broadcast_shape("loggamma", shape, ("a",), (a,)), dtype, True, a)


def beta(key: Any, a: Any, b: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Beta random numbers, of density x**(a - 1) (1 - x)**(b - 1) / B(a, b) on (0, 1).

    Args:
        key: a random key.
        a: positive.
        b: positive.
        shape: of the result; by default that to which a and b broadcast.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "beta")
    dtype = float_dtype(dtype, "beta")
    a, b = parameter(a, "beta", "a"), parameter(b, "beta", "b")
    shape = broadcast_shape("beta", shape, ("a", "b"), (a, b))
    return _beta(key, shape, dtype, a, b)


def draw_beta(key: Any, shape: tuple[int, ...], dtype: DType, a: Any, b: Any) -> Any:
    """x / (x + y) of two gamma numbers, from their logarithms."""
    a_key, b_key = split_keys(key, 2)
    log_x = draw_gamma(a_key, shape, dtype, True, a)
    log_y = draw_gamma(b_key, shape, dtype, True, b)
    larger = np.maximum(log_x, log_y)
    x, y = np.exp(log_x - larger), np.exp(log_y - larger)
    return x / (x + y)


def dirichlet(key: Any, alpha: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Dirichlet random vectors: they sum to 1, with density prop. to prod x_i**(alpha_i - 1).

    Args:
        key: a random key.
        alpha: concentrations of shape (..., n), positive.
        shape: batch shape: the result has shape (*shape, n); by default alpha.shape[:-1].
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "dirichlet")
    dtype = float_dtype(dtype, "dirichlet")
    alpha = np.asarray(parameter(alpha, "dirichlet", "alpha"))
    if alpha.ndim < 1:
        raise ValueError(
            "dirichlet: needs alpha of at least one dimension; got shape (); try alpha=[1.0, 1.0]"
        )
    batch = common_shape("dirichlet", shape, ("a batch of alpha",), (alpha.shape[:-1],))
    return _dirichlet(key, batch, dtype, alpha)


def draw_dirichlet(key: Any, batch: tuple[int, ...], dtype: DType, alpha: Any) -> Any:
    """Gamma numbers divided by their sum, from their logarithms."""
    logs = draw_gamma(key, (*batch, alpha.shape[-1]), dtype, True, alpha)
    largest = lax.stop_gradient(np.max(logs, axis=-1, keepdims=True, initial=-numpy.inf))
    numbers = np.exp(logs - largest)
    return numbers / np.sum(numbers, axis=-1, keepdims=True)


def chisquare(key: Any, df: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Chi-square random numbers: sums of squares of df standard normal numbers.

    Args:
        key: a random key.
        df: degrees of freedom, positive.
        shape: of the result; by default that of df.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "chisquare")
    dtype = float_dtype(dtype, "chisquare")
    df = parameter(df, "chisquare", "df")
    shape = broadcast_shape("chisquare", shape, ("df",), (df,))
    return _chisquare(key, shape, dtype, df)


def draw_chisquare(key: Any, shape: tuple[int, ...], dtype: DType, df: Any) -> Any:
    half = lax.convert_element_type(df, dtype) / 2
    return np.exp(draw_gamma(key, shape, dtype, True, half)) * 2


def f(key: Any, dfnum: Any, dfden: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """F random numbers: the ratio of two chi-square numbers over their degrees of freedom.

    Args:
        key: a random key.
        dfnum: degrees of freedom of the numerator, positive.
        dfden: degrees of freedom of the denominator, positive.
        shape: of the result; by default that to which dfnum and dfden broadcast.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "f")
    dtype = float_dtype(dtype, "f")
    dfnum, dfden = parameter(dfnum, "f", "dfnum"), parameter(dfden, "f", "dfden")
    shape = broadcast_shape("f", shape, ("dfnum", "dfden"), (dfnum, dfden))
    return _f(key, shape, dtype, dfnum, dfden)


def draw_f(key: Any, shape: tuple[int, ...], dtype: DType, dfnum: Any, dfden: Any) -> Any:
    denominator_key, numerator_key = split_keys(key, 2)
    dfnum = lax.convert_element_type(dfnum, dtype)
    dfden = lax.convert_element_type(dfden, dtype)
    numerator = draw_chisquare(numerator_key, shape, dtype, dfnum) / dfnum
    return numerator / (draw_chisquare(denominator_key, shape, dtype, dfden) / dfden)


def t(key: Any, df: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Student's t random numbers: z / sqrt(c / df) for normal z and chi-square c.

    Args:
        key: a random key.
        df: degrees of freedom, positive.
        shape: of the result; by default that of df.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "t")
    dtype = float_dtype(dtype, "t")
    df = parameter(df, "t", "df")
    return _t(key, broadcast_shape("t", shape, ("df",), (df,)), dtype, df)


def draw_t(key: Any, shape: tuple[int, ...], dtype: DType, df: Any) -> Any:
    normal_key, gamma_key = split_keys(key, 2)
    half = lax.convert_element_type(df, dtype) / 2
    z = draw_normal(normal_key, shape, dtype)
    return z * np.sqrt(half / draw_gamma(gamma_key, shape, dtype, False, half))


def generalized_normal(key: Any, p: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Generalised normal random numbers, of density prop. to exp(-|x|**p).

    Args:
        key: a random key.
        p: exponent, positive.
        shape: of the result.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "generalized_normal")
    dtype = float_dtype(dtype, "generalized_normal")
    p = parameter(p, "generalized_normal", "p")
    shape = broadcast_shape("generalized_normal", shape, ("p",), (p,))
    return _generalized_normal(key, shape, dtype, p)


def draw_generalized_normal(key: Any, shape: tuple[int, ...], dtype: DType, p: Any) -> Any:
    """A gamma number of parameter 1/p, to the power 1/p, with a random sign."""
    gamma_key, sign_key = split_keys(key, 2)
    inverse = lax.convert_element_type(1 / p, dtype)
    size = draw_gamma(gamma_key, shape, dtype, False, inverse)
    return draw_signs(sign_key, shape, dtype) * np.power(size, inverse)


def ball(key: Any, d: int, p: Any = 2, shape: Shape = (), dtype: Any = None) -> Any:
    """Random points of the unit ball of the p-norm in d dimensions, uniform.

    Args:
        key: a random key.
        d: dimension.
        p: of the norm, positive.
        shape: batch shape: the result has shape (*shape, d).
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "ball")
    dtype = float_dtype(dtype, "ball")
    (dimension,) = fixed_shape((d,), "ball")
    return _ball(key, fixed_shape(shape, "ball"), dtype, dimension, parameter(p, "ball", "p"))


def draw_ball(key: Any, shape: tuple[int, ...], dtype: DType, d: int, p: Any) -> Any:
    """Generalised normal numbers divided by the p-norm of them and one exponential number."""
    direction_key, radius_key = split_keys(key, 2)
    x = draw_generalized_normal(direction_key, (*shape, d), dtype, p)
    e = draw_exponential(radius_key, shape, dtype)
    norm = np.sum(np.power(np.abs(x), lax.convert_element_type(p, dtype)), axis=-1) + e
    radius = np.power(norm, lax.convert_element_type(1 / p, dtype))
    return x / np.expand_dims(radius, -1)


_gamma = jit(draw_gamma, static_argnums=(1, 2, 3))
_beta = jit(draw_beta, static_argnums=(1, 2))
_dirichlet = jit(draw_dirichlet, static_argnums=(1, 2))
_chisquare = jit(draw_chisquare, static_argnums=(1, 2))
_f = jit(draw_f, static_argnums=(1, 2))
_t = jit(draw_t, static_argnums=(1, 2))
_generalized_normal = jit(draw_generalized_normal, static_argnums=(1, 2))
_ball = jit(draw_ball, static_argnums=(1, 2, 3))
