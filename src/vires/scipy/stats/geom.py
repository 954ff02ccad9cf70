"""The geometric distribution of the number of trials up to the first success."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.float_parts import floor
from vires.numpy.transcendental import exp, log
from vires.scipy.special import xlog1py
from vires.scipy.stats.density import distribution_function

__all__ = ["logpmf", "pmf"]


@distribution_function
def logpmf(k, p, loc=0):
    """The logarithm of the probability."""
    x = k - loc
    inside = (x >= 1) & (floor(x) == x)
    safe = where(inside, x, 1)
    value = xlog1py(safe - 1, -p) + log(p)
    return where(x == x, where(inside, value, -math.inf), x)


@distribution_function
def pmf(k, p, loc=0):
    """The probability."""
    return exp(logpmf(k, p, loc))
