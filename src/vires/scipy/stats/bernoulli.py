"""The Bernoulli distribution: 1 with probability p, else 0."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.transcendental import exp, log, log1p
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logpmf", "pmf", "ppf"]


@distribution_function
def logpmf(k, p, loc=0):
    """The logarithm of the probability."""
    x = k - loc
    zero, one = x == 0, x == 1
    value = where(zero, log1p(-where(zero, p, 0)), log(where(one, p, 1)))
    return where(x == x, where(zero | one, value, -math.inf), x)


@distribution_function
def pmf(k, p, loc=0):
    """The probability."""
    return exp(logpmf(k, p, loc))


@distribution_function
def cdf(k, p):
    """The distribution function."""
    value = where(k < 0, 0, where(k < 1, 1 - p, 1))
    return where((p >= 0) & (p <= 1) & (k == k), value, math.nan)


@distribution_function
def ppf(q, p):
    """The quantile: the smallest k whose cdf is at least q; -1 for q = 0."""
    inside = (q >= 0) & (q <= 1) & (p >= 0) & (p <= 1)
    value = where(q == 0, -1, where(q <= 1 - p, 0, 1))
    return where(inside, value, math.nan)
