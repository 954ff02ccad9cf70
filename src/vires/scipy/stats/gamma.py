"""The gamma distribution on x >= `loc` with shape a."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.transcendental import exp, log, log1p
from vires.scipy.special import gammainc, gammaincc, gammaln, xlogy
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]


@distribution_function
def logpdf(x, a, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    safe = where(z < 0, 1, z)
    return where(z < 0, -math.inf, xlogy(a - 1, safe) - safe - gammaln(a) - log(scale))


@distribution_function
def pdf(x, a, loc=0, scale=1):
    """The density."""
    return exp(logpdf(x, a, loc, scale))


@distribution_function
def cdf(x, a, loc=0, scale=1):
    """The distribution function."""
    z = (x - loc) / scale
    safe = where(z < 0, 0, z)
    return gammainc(a, safe)


@distribution_function
def sf(x, a, loc=0, scale=1):
    """The survival function 1 - cdf."""
    z = (x - loc) / scale
    safe = where(z < 0, 0, z)
    return gammaincc(a, safe)


@distribution_function
def logcdf(x, a, loc=0, scale=1):
    """The logarithm of the distribution function."""
    below, above = cdf(x, a, loc, scale), sf(x, a, loc, scale)
    return where(below > 0.5, log1p(-above), log(below))


@distribution_function
def logsf(x, a, loc=0, scale=1):
    """The logarithm of the survival function."""
    below, above = cdf(x, a, loc, scale), sf(x, a, loc, scale)
    return where(above > 0.5, log1p(-below), log(above))
