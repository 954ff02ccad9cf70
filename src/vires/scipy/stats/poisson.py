"""The Poisson distribution with mean mu."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.float_parts import floor
from vires.numpy.transcendental import exp
from vires.scipy.special import gammaincc, gammaln, xlogy
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logpmf", "pmf"]


@distribution_function
def logpmf(k, mu, loc=0):
    """The logarithm of the probability."""
    x = k - loc
    inside = (x >= 0) & (floor(x) == x)
    safe = where(inside, x, 0)
    value = xlogy(safe, mu) - gammaln(safe + 1) - mu
    return where(x == x, where(inside, value, -math.inf), x)


@distribution_function
def pmf(k, mu, loc=0):
    """The probability."""
    return exp(logpmf(k, mu, loc))


@distribution_function
def cdf(k, mu, loc=0):
    """The distribution function."""
    x = floor(k - loc)
    return where(x < 0, 0, gammaincc(where(x < 0, 0, x) + 1, mu))
