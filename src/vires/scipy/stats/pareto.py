"""The Pareto distribution on (x - `loc`) / `scale` >= 1 with exponent b."""

from __future__ import annotations

import math

from vires.nn.activations import log1mexp
from vires.numpy.choosing import where
from vires.numpy.transcendental import exp, expm1, log, log1p
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


@distribution_function
def logpdf(x, b, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    safe = where(z < 1, 1, z)
    return where(z < 1, -math.inf, log(b) - (b + 1) * log(safe) - log(scale))


@distribution_function
def pdf(x, b, loc=0, scale=1):
    """The density."""
    z = (x - loc) / scale
    safe = where(z < 1, 1, z)
    return where(z < 1, 0, b * exp(-(b + 1) * log(safe)) / scale)


@distribution_function
def cdf(x, b, loc=0, scale=1):
    """The distribution function."""
    z = (x - loc) / scale
    safe = where(z < 1, 1, z)
    return where(z < 1, 0, -expm1(-b * log(safe)))


@distribution_function
def logcdf(x, b, loc=0, scale=1):
    """The logarithm of the distribution function."""
    z = (x - loc) / scale
    safe = where(z < 1, 1, z)
    exponent = b * log(safe)
    return where(z <= 1, -math.inf, log1mexp(where(z <= 1, 1, exponent)))


@distribution_function
def sf(x, b, loc=0, scale=1):
    """The survival function 1 - cdf."""
    z = (x - loc) / scale
    safe = where(z < 1, 1, z)
    return where(z < 1, 1, exp(-b * log(safe)))


@distribution_function
def logsf(x, b, loc=0, scale=1):
    """The logarithm of the survival function."""
    z = (x - loc) / scale
    safe = where(z < 1, 1, z)
    return where(z < 1, 0, -b * log(safe))


@distribution_function
def ppf(q, b, loc=0, scale=1):
    """The quantile: the x whose cdf is q."""
    inside = (q >= 0) & (q <= 1)
    return where(inside, loc + scale * exp(-log1p(-where(inside, q, 0)) / b), math.nan)
