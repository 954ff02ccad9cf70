"""The chi-squared distribution with df degrees of freedom."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.transcendental import exp, log, log1p
from vires.scipy.special import gammainc, gammaincc, gammaln, xlogy
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]


@distribution_function
def logpdf(x, df, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    safe = where(z < 0, 1, z)
    half = 0.5 * df
    value = xlogy(half - 1, 0.5 * safe) - 0.5 * safe - gammaln(half) - log(2 * scale)
    return where(z < 0, -math.inf, value)


@distribution_function
def pdf(x, df, loc=0, scale=1):
    """The density."""
    return exp(logpdf(x, df, loc, scale))


@distribution_function
def cdf(x, df, loc=0, scale=1):
    """The distribution function."""
    z = (x - loc) / scale
    safe = where(z < 0, 0, z)
    return gammainc(0.5 * df, 0.5 * safe)


@distribution_function
def sf(x, df, loc=0, scale=1):
    """The survival function 1 - cdf."""
    z = (x - loc) / scale
    safe = where(z < 0, 0, z)
    return gammaincc(0.5 * df, 0.5 * safe)


@distribution_function
def logcdf(x, df, loc=0, scale=1):
    """The logarithm of the distribution function."""
    below, above = cdf(x, df, loc, scale), sf(x, df, loc, scale)
    return where(below > 0.5, log1p(-above), log(below))


@distribution_function
def logsf(x, df, loc=0, scale=1):
    """The logarithm of the survival function."""
    below, above = cdf(x, df, loc, scale), sf(x, df, loc, scale)
    return where(above > 0.5, log1p(-below), log(above))
