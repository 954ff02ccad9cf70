"""The Gumbel distribution of smallest values."""

from __future__ import annotations

from vires.nn.activations import log1mexp
from vires.numpy.transcendental import exp, expm1, log, log1p
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


@distribution_function
def logpdf(x, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    return z - exp(z) - log(scale)


@distribution_function
def pdf(x, loc=0, scale=1):
    """The density."""
    z = (x - loc) / scale
    return exp(z - exp(z)) / scale


@distribution_function
def cdf(x, loc=0, scale=1):
    """The distribution function."""
    z = (x - loc) / scale
    return -expm1(-exp(z))


@distribution_function
def logcdf(x, loc=0, scale=1):
    """The logarithm of the distribution function."""
    z = (x - loc) / scale
    return log1mexp(exp(z))


@distribution_function
def sf(x, loc=0, scale=1):
    """The survival function 1 - cdf."""
    z = (x - loc) / scale
    return exp(-exp(z))


@distribution_function
def logsf(x, loc=0, scale=1):
    """The logarithm of the survival function."""
    z = (x - loc) / scale
    return -exp(z)


@distribution_function
def ppf(p, loc=0, scale=1):
    """The quantile: the x whose cdf is q."""
    return loc + scale * log(-log1p(-p))
