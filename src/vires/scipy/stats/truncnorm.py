"""The normal distribution restricted to a <= (x - loc) / scale <= b."""

from __future__ import annotations

import math
from typing import Any

from vires.nn.activations import log1mexp
from vires.numpy.arithmetic import maximum, minimum
from vires.numpy.choosing import where
from vires.numpy.transcendental import exp, log, log1p
from vires.scipy.special import log_ndtr
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def _log_mass(low: Any, high: Any) -> Any:
    """The logarithm of the normal probability of an interval, computed in the lower tail."""
    right = low > 0
    first, second = where(right, -high, low), where(right, -low, high)
    upper, lower = log_ndtr(second), log_ndtr(first)
    # log(e^upper - e^lower)
    gap = upper - lower
    return where(gap <= 0, -math.inf, upper + log1mexp(where(gap <= 0, 1, gap)))


@distribution_function
def logpdf(x, a, b, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    value = -0.5 * z * z - _HALF_LOG_TWO_PI - log(scale) - _log_mass(a, b)
    value = where((z < a) | (z > b), -math.inf, value)
    return where(a >= b, math.nan, value)


@distribution_function
def pdf(x, a, b, loc=0, scale=1):
    """The density."""
    return exp(logpdf(x, a, b, loc, scale))


def _log_share(low: Any, high: Any, a: Any, b: Any) -> Any:
    """The logarithm of the probability of an interval inside [a, b]; nan where that is empty."""
    return where(a >= b, math.nan, minimum(_log_mass(low, high) - _log_mass(a, b), 0))


@distribution_function
def logcdf(x, a, b, loc=0, scale=1):
    """The logarithm of the distribution function."""
    z = minimum(maximum((x - loc) / scale, a), b)
    below, above = _log_share(a, z, a, b), _log_share(z, b, a, b)
    # Close to 0 it is known best from the other side.
    near = below > -0.5
    return where(near, log1p(-exp(where(near, above, -1))), below)


@distribution_function
def cdf(x, a, b, loc=0, scale=1):
    """The distribution function."""
    z = minimum(maximum((x - loc) / scale, a), b)
    return exp(_log_share(a, z, a, b))


@distribution_function
def logsf(x, a, b, loc=0, scale=1):
    """The logarithm of the survival function."""
    z = minimum(maximum((x - loc) / scale, a), b)
    below, above = _log_share(a, z, a, b), _log_share(z, b, a, b)
    near = above > -0.5
    return where(near, log1p(-exp(where(near, below, -1))), above)


@distribution_function
def sf(x, a, b, loc=0, scale=1):
    """The survival function 1 - cdf."""
    z = minimum(maximum((x - loc) / scale, a), b)
    return exp(_log_share(z, b, a, b))
