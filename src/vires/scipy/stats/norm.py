"""The normal distribution with mean `loc` and standard deviation `scale`."""

from __future__ import annotations

import math

from vires.numpy.transcendental import exp, log
from vires.scipy.special import log_ndtr, ndtr, ndtri
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "isf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


@distribution_function
def logpdf(x, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    return -0.5 * z * z - _HALF_LOG_TWO_PI - log(scale)


@distribution_function
def pdf(x, loc=0, scale=1):
    """The density."""
    z = (x - loc) / scale
    return exp(-0.5 * z * z) / (scale * math.sqrt(2 * math.pi))


@distribution_function
def cdf(x, loc=0, scale=1):
    """The distribution function."""
    return ndtr((x - loc) / scale)


@distribution_function
def logcdf(x, loc=0, scale=1):
    """The logarithm of the distribution function."""
    return log_ndtr((x - loc) / scale)


@distribution_function
def sf(x, loc=0, scale=1):
    """The survival function 1 - cdf."""
    return ndtr((loc - x) / scale)


@distribution_function
def logsf(x, loc=0, scale=1):
    """The logarithm of the survival function."""
    return log_ndtr((loc - x) / scale)


@distribution_function
def ppf(q, loc=0, scale=1):
    """The quantile: the x whose cdf is q."""
    return ndtri(q) * scale + loc


@distribution_function
def isf(q, loc=0, scale=1):
    """The x whose survival function is q."""
    return loc - ndtri(q) * scale
