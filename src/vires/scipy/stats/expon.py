"""The exponential distribution on x >= `loc` with mean `loc` + `scale`."""

from __future__ import annotations

import math

from vires.nn.activations import log1mexp
from vires.numpy.arithmetic import maximum
from vires.numpy.choosing import where
from vires.numpy.transcendental import exp, expm1, log, log1p
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


@distribution_function
def logpdf(x, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    return where(z < 0, -math.inf, -z - log(scale))


@distribution_function
def pdf(x, loc=0, scale=1):
    """The density."""
    z = (x - loc) / scale
    return where(z < 0, 0, exp(-maximum(z, 0)) / scale)


@distribution_function
def cdf(x, loc=0, scale=1):
    """The distribution function."""
    z = (x - loc) / scale
    return where(z < 0, 0, -expm1(-maximum(z, 0)))


@distribution_function
def logcdf(x, loc=0, scale=1):
    """The logarithm of the distribution function."""
    z = (x - loc) / scale
    return where(z <= 0, -math.inf, log1mexp(where(z <= 0, 1, z)))


@distribution_function
def sf(x, loc=0, scale=1):
    """The survival function 1 - cdf."""
    z = (x - loc) / scale
    return where(z < 0, 1, exp(-maximum(z, 0)))


@distribution_function
def logsf(x, loc=0, scale=1):
    """The logarithm of the survival function."""
    z = (x - loc) / scale
    return where(z < 0, 0, -z)


@distribution_function
def ppf(q, loc=0, scale=1):
    """The quantile: the x whose cdf is q."""
    inside = (q >= 0) & (q <= 1)
    return where(inside, loc - scale * log1p(-where(inside, q, 0)), math.nan)
