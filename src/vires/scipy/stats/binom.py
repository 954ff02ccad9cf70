"""The binomial distribution of n trials."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.float_parts import floor
from vires.numpy.transcendental import exp, log1p
from vires.scipy.special import betaln, xlog1py, xlogy
from vires.scipy.stats.density import distribution_function

__all__ = ["logpmf", "pmf"]


@distribution_function
def logpmf(k, n, p, loc=0):
    """The logarithm of the probability."""
    x = k - loc
    inside = (x >= 0) & (x <= n) & (floor(x) == x)
    safe = where(inside, x, 0)
    choices = -log1p(n) - betaln(n - safe + 1, safe + 1)
    value = choices + xlogy(safe, p) + xlog1py(n - safe, -p)
    return where(x == x, where(inside, value, -math.inf), x)


@distribution_function
def pmf(k, n, p, loc=0):
    """The probability."""
    return exp(logpmf(k, n, p, loc))
