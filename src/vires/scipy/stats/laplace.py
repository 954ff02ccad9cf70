"""The Laplace distribution with mean `loc`."""

from __future__ import annotations

from vires.numpy.choosing import where
from vires.numpy.transcendental import exp, log
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logpdf", "pdf"]


@distribution_function
def logpdf(x, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    return -abs(z) - log(2 * scale)


@distribution_function
def pdf(x, loc=0, scale=1):
    """The density."""
    z = (x - loc) / scale
    return exp(-abs(z)) / (2 * scale)


@distribution_function
def cdf(x, loc=0, scale=1):
    """The distribution function."""
    z = (x - loc) / scale
    half = 0.5 * exp(-abs(z))
    return where(z < 0, half, 1 - half)
