"""Normal draws and what is made of them: truncated, multivariate, orthogonal, Maxwell, ..."""

from __future__ import annotations

import math
from typing import Any

import numpy

import vires.numpy as np
from vires import lax
from vires.api.jit import jit
from vires.core import dtypes
from vires.core.dtypes import DType
from vires.random.arguments import (
    Shape,
    broadcast_shape,
    common_shape,
    fixed_shape,
    float_dtype,
    inexact_dtype,
    parameter,
    promoted_float,
)
from vires.random.keys import consume
from vires.random.samplers import sampler
from vires.random.uniforms import draw_signs, draw_uniform, draw_unit, split_keys


def draw_normal(key: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    """Standard normal numbers: sqrt(2) erf_inv(u) for u uniform in (-1, 1)."""
    if dtypes.kind(dtype) == "complex":
        real = dtypes.real_of(dtype)
        real_key, imaginary_key = split_keys(key, 2)
        re = draw_normal(real_key, shape, real)
        im = draw_normal(imaginary_key, shape, real)
        root = numpy.asarray(math.sqrt(2), real)[()]
        return lax.complex(re / root, im / root)
    least = numpy.nextafter(numpy.asarray(-1, dtype), numpy.asarray(0, dtype), dtype=dtype)
    u = draw_uniform(key, shape, dtype, least, numpy.asarray(1, dtype))
    return numpy.asarray(math.sqrt(2), dtype)[()] * lax.erf_inv(u)


def normal(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Standard normal random numbers, of density exp(-x**2 / 2) / sqrt(2 pi).

    Complex ones have real and imaginary parts of variance 1/2 each.

    Args:
        key: a random key.
        shape: of the result.
        dtype: a float or complex dtype; float32 by default (float64 in 64-bit mode).

    >>> import vires
    >>> vires.random.normal(vires.random.key(0), (3,))
    Array([ 1.6226422 ,  2.0252647 , -0.43359444], dtype=float32)
    """
    key = consume(key, "normal")
    return _normal(key, fixed_shape(shape, "normal"), inexact_dtype(dtype, "normal"))


def truncated_normal(
    key: Any, lower: Any, upper: Any, shape: Shape | None = None, dtype: Any = None
) -> Any:
    """Normal random numbers given that they lie in (lower, upper).

    Args:
        key: a random key.
        lower: bound below, may be -inf.
        upper: bound above, may be inf.
        shape: of the result; by default that to which the bounds broadcast.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "truncated_normal")
    dtype = float_dtype(dtype, "truncated_normal")
    lower = parameter(lower, "truncated_normal", "lower")
    upper = parameter(upper, "truncated_normal", "upper")
    shape = broadcast_shape("truncated_normal", shape, ("lower", "upper"), (lower, upper))
    return _truncated(key, shape, dtype, lower, upper)


def draw_truncated(key: Any, shape: tuple[int, ...], dtype: DType, lower: Any, upper: Any) -> Any:
    """The inverse distribution function of a uniform number between its values at the bounds."""
    root = numpy.asarray(math.sqrt(2), dtype)[()]
    lower = lax.convert_element_type(lower, dtype)
    upper = lax.convert_element_type(upper, dtype)
    u = draw_uniform(key, shape, dtype, lax.erf(lower / root), lax.erf(upper / root))
    x = root * lax.erf_inv(u)
    # Rounding must not leave the open interval.
    least = np.nextafter(lax.stop_gradient(lower), numpy.asarray(numpy.inf, dtype))
    most = np.nextafter(lax.stop_gradient(upper), numpy.asarray(-numpy.inf, dtype))
    return np.minimum(np.maximum(x, least), most)


def lognormal(key: Any, sigma: Any = 1.0, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Log-normal random numbers: exp(sigma z) for standard normal z.

    Args:
        key: a random key.
        sigma: standard deviation of the logarithm.
        shape: of the result; by default that of sigma.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "lognormal")
    dtype = float_dtype(dtype, "lognormal")
    sigma = parameter(sigma, "lognormal", "sigma")
    shape = broadcast_shape("lognormal", shape, ("sigma",), (sigma,))
    return _lognormal(key, shape, dtype, sigma)


def draw_lognormal(key: Any, shape: tuple[int, ...], dtype: DType, sigma: Any) -> Any:
    return np.exp(draw_normal(key, shape, dtype) * lax.convert_element_type(sigma, dtype))


def multivariate_normal(
    key: Any,
    mean: Any,
    cov: Any,
    shape: Shape | None = None,
    dtype: Any = None,
    method: str = "cholesky",
) -> Any:
    """Normal random vectors of a given mean and covariance: mean + A z with A A^T = cov.

    Args:
        key: a random key.
        mean: shape (..., n).
        cov: shape (..., n, n), symmetric and positive definite (semi-definite for "svd" and
            "eigh").
        shape: batch shape of the result, which has shape (*shape, n); by default that of mean and
            cov.
        dtype: a float dtype; by default that of mean and cov.
        method: how A is found: "cholesky", "eigh" or "svd".
    """
    key = consume(key, "multivariate_normal")
    if method not in ("cholesky", "eigh", "svd"):
        raise ValueError(
            f"multivariate_normal: needs method 'cholesky', 'eigh' or 'svd'; got {method!r}"
        )
    mean = np.asarray(parameter(mean, "multivariate_normal", "mean"))
    cov = np.asarray(parameter(cov, "multivariate_normal", "cov"))
    if dtype is None:
        dtype = promoted_float(mean, cov)
    dtype = float_dtype(dtype, "multivariate_normal")
    if mean.ndim < 1 or cov.ndim < 2 or cov.shape[-2:] != (mean.shape[-1],) * 2:
        raise ValueError(
            "multivariate_normal: needs mean of shape (..., n) and cov of shape (..., n, n); "
            f"got {tuple(mean.shape)} and {tuple(cov.shape)}"
        )
    batch = common_shape(
        "multivariate_normal",
        shape,
        ("a batch of means", "a batch of covariances"),
        (mean.shape[:-1], cov.shape[:-2]),
    )
    return _multivariate(key, batch, dtype, method, mean, cov)


def draw_multivariate(
    key: Any, batch: tuple[int, ...], dtype: DType, method: str, mean: Any, cov: Any
) -> Any:
    """mean + A z, A the Cholesky factor or eigenvectors scaled by roots of eigenvalues."""
    mean, cov = mean.astype(dtype), cov.astype(dtype)
    if method == "cholesky":
        factor = np.linalg.cholesky(cov)
    elif method == "eigh":
        values, vectors = np.linalg.eigh(cov)
        factor = vectors * np.sqrt(values[..., None, :])
    else:
        vectors, values, _ = np.linalg.svd(cov)
        factor = vectors * np.sqrt(values[..., None, :])
    z = draw_normal(key, (*batch, mean.shape[-1]), dtype)
    return mean + np.einsum("...ij,...j->...i", factor, z)


def orthogonal(key: Any, n: int, shape: Shape = (), dtype: Any = None, m: int | None = None) -> Any:
    """Random orthogonal (or unitary) matrices, uniform by the Haar measure.

    With m, matrices of shape (n, m) with orthonormal columns (n >= m) or rows (n < m).

    Args:
        key: a random key.
        n: number of rows.
        shape: batch shape: the result has shape (*shape, n, m).
        dtype: a float or complex dtype; float32 by default (float64 in 64-bit mode).
        m: number of columns, n by default.
    """
    key = consume(key, "orthogonal")
    dtype = inexact_dtype(dtype, "orthogonal")
    rows, columns = fixed_shape((n, n if m is None else m), "orthogonal")
    return _orthogonal(key, fixed_shape(shape, "orthogonal"), dtype, rows, columns)


def draw_orthogonal(key: Any, shape: tuple[int, ...], dtype: DType, rows: int, columns: int) -> Any:
    """The Q of a QR decomposition of a normal matrix, signed to make R's diagonal positive."""
    z = draw_normal(key, (*shape, max(rows, columns), min(rows, columns)), dtype)
    q, r = np.linalg.qr(z)
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)
    if dtypes.kind(dtype) == "complex":
        q = q * (diagonal / lax.convert_element_type(np.abs(diagonal), dtype))[..., None, :]
    else:
        q = q * np.sign(diagonal)[..., None, :]
    return np.swapaxes(q, -1, -2) if rows < columns else q


def maxwell(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Maxwell random numbers: the length of a standard normal vector of three components.

    The density is sqrt(2 / pi) x**2 exp(-x**2 / 2) for x >= 0.

    Args:
        key: a random key.
        shape: of the result.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "maxwell")
    return _maxwell(key, fixed_shape(shape, "maxwell"), float_dtype(dtype, "maxwell"))


def draw_maxwell(key: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    z = draw_normal(key, (*shape, 3), dtype)
    return np.sqrt(np.sum(z * z, axis=-1))


def double_sided_maxwell(
    key: Any, loc: Any, scale: Any, shape: Shape = (), dtype: Any = None
) -> Any:
    """Maxwell random numbers with a random sign, scaled and shifted: loc + scale s |z|.

    Args:
        key: a random key.
        loc: shift.
        scale: factor.
        shape: the result has this shape followed by that to which loc and scale broadcast.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "double_sided_maxwell")
    dtype = float_dtype(dtype, "double_sided_maxwell")
    loc = parameter(loc, "double_sided_maxwell", "loc")
    scale = parameter(scale, "double_sided_maxwell", "scale")
    own = broadcast_shape("double_sided_maxwell", None, ("loc", "scale"), (loc, scale))
    full = (*fixed_shape(shape, "double_sided_maxwell"), *own)
    return _double_sided(key, full, dtype, loc, scale)


def draw_double_sided(key: Any, shape: tuple[int, ...], dtype: DType, loc: Any, scale: Any) -> Any:
    size_key, sign_key = split_keys(key, 2)
    signed = draw_signs(sign_key, shape, dtype) * draw_maxwell(size_key, shape, dtype)
    return signed * lax.convert_element_type(scale, dtype) + lax.convert_element_type(loc, dtype)


def wald(key: Any, mean: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Wald (inverse Gaussian) random numbers of scale 1.

    The density is sqrt(1 / (2 pi x**3)) exp(-(x - mean)**2 / (2 mean**2 x)) for x > 0.

    Args:
        key: a random key.
        mean: of the distribution, positive.
        shape: of the result; by default that of mean.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "wald")
    dtype = float_dtype(dtype, "wald")
    mean = parameter(mean, "wald", "mean")
    shape = broadcast_shape("wald", shape, ("mean",), (mean,))
    return _wald(key, shape, dtype, mean)


def draw_wald(key: Any, shape: tuple[int, ...], dtype: DType, mean: Any) -> Any:
    """The smaller root of a quadratic in a chi-square number, or its mirror mean**2 / root."""
    normal_key, uniform_key = split_keys(key, 2)
    mean = np.broadcast_to(lax.convert_element_type(mean, dtype), shape)
    z = draw_normal(normal_key, shape, dtype)
    u = draw_unit(uniform_key, shape, dtype)
    y = z * z
    square = mean * mean
    root = np.sqrt(4 * mean * y + square * (y * y))
    x = mean + square * y / 2 - mean / 2 * root
    return np.where(u <= mean / (mean + x), x, square / x)


_normal = sampler(draw_normal, static_argnums=(1, 2))
_truncated = sampler(draw_truncated, static_argnums=(1, 2))
_lognormal = sampler(draw_lognormal, static_argnums=(1, 2))
_multivariate = jit(draw_multivariate, static_argnums=(1, 2, 3))
_orthogonal = jit(draw_orthogonal, static_argnums=(1, 2, 3, 4))
_maxwell = jit(draw_maxwell, static_argnums=(1, 2))
_double_sided = jit(draw_double_sided, static_argnums=(1, 2))
_wald = sampler(draw_wald, static_argnums=(1, 2))
