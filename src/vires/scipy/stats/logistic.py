"""The logistic distribution with mean `loc`."""

from __future__ import annotations

from vires.numpy.transcendental import exp, log, log1p
from vires.scipy.special import expit, logit
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "isf", "logpdf", "pdf", "ppf", "sf"]


@distribution_function
def logpdf(x, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    size = abs(z)
    return -size - 2 * log1p(exp(-size)) - log(scale)


@distribution_function
def pdf(x, loc=0, scale=1):
    """The density."""
    z = (x - loc) / scale
    return expit(z) * expit(-z) / scale


@distribution_function
def cdf(x, loc=0, scale=1):
    """The distribution function."""
    return expit((x - loc) / scale)


@distribution_function
def sf(x, loc=0, scale=1):
    """The survival function 1 - cdf."""
    return expit((loc - x) / scale)


@distribution_function
def ppf(x, loc=0, scale=1):
    """The quantile: the x whose cdf is q."""
    return logit(x) * scale + loc


@distribution_function
def isf(x, loc=0, scale=1):
    """The x whose survival function is q."""
    return loc - logit(x) * scale
