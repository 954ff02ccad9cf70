"""The generalized normal distribution with shape beta."""

from __future__ import annotations

from vires.numpy.choosing import where
from vires.numpy.transcendental import exp, log
from vires.scipy.special import gammaincc, gammaln
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logpdf", "pdf"]


@distribution_function
def logpdf(x, beta):
    """The logarithm of the density."""
    return log(0.5 * beta) - gammaln(1 / beta) - exp(beta * log(abs(x)))


@distribution_function
def pdf(x, beta):
    """The density."""
    return exp(logpdf(x, beta))


@distribution_function
def cdf(x, beta):
    """The distribution function."""
    half = 0.5 * gammaincc(1 / beta, exp(beta * log(abs(x))))
    return where(x < 0, half, 1 - half)
