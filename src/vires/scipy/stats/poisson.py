"""The Poisson distribution with mean mu."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.float_parts import floor
from vires.numpy.transcendental import exp, log
from vires.scipy.special import gammaincc, gammaln, xlogy
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "entropy", "logpmf", "pmf"]


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


@distribution_function
def entropy(mu, loc=0):
    """The entropy in nats: an exact sum for small mu, an asymptotic series for large mu.

    The sum runs over the first 110 values, for mu < 40.
    """
    small = mu < 40
    mean = where(small, mu, 1)
    total = mean
    term = exp(-mean)
    for k in range(110):
        if k > 1:
            total = total + term * math.lgamma(k + 1)
        term = term * mean / (k + 1)
    near = total - xlogy(mean, mean)
    large = where(small, 40, mu)
    inverse = 1 / large
    series = 1 / 12 + inverse * (1 / 24 + inverse * (19 / 360 + inverse * (9 / 80)))
    series = series + inverse**4 * (863 / 2520 + inverse * (1375 / 1008))
    far = 0.5 * log(2 * math.pi * math.e * large) - inverse * series
    return where(mu == 0, 0, where(small, near, far))
