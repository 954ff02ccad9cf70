"""The Cauchy distribution with median `loc` and half width `scale`."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.transcendental import arctan2, log, log1p, tan
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "isf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


def _cotangent(q):
    """cot(pi q) for 0 <= q <= 1, accurate at both ends; nan outside."""
    inside = (q >= 0) & (q <= 1)
    near_half = (q > 0.25) & (q < 0.75)
    half = tan(math.pi * (0.5 - where(near_half, q, 0.5)))
    side = where(q < 0.5, q, 1 - q)
    end = 1 / tan(math.pi * where(near_half, 0.25, side))
    return where(inside, where(near_half, half, where(q < 0.5, end, -end)), math.nan)


@distribution_function
def logpdf(x, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    return -log1p(z * z) - log(math.pi * scale)


@distribution_function
def pdf(x, loc=0, scale=1):
    """The density."""
    z = (x - loc) / scale
    return 1 / (math.pi * scale * (1 + z * z))


@distribution_function
def cdf(x, loc=0, scale=1):
    """The distribution function."""
    return arctan2(where(x == x, 1, x), (loc - x) / scale) / math.pi


@distribution_function
def sf(x, loc=0, scale=1):
    """The survival function 1 - cdf."""
    return arctan2(where(x == x, 1, x), (x - loc) / scale) / math.pi


@distribution_function
def logcdf(x, loc=0, scale=1):
    """The logarithm of the distribution function."""
    return log(arctan2(where(x == x, 1, x), (loc - x) / scale) / math.pi)


@distribution_function
def logsf(x, loc=0, scale=1):
    """The logarithm of the survival function."""
    return log(arctan2(where(x == x, 1, x), (x - loc) / scale) / math.pi)


@distribution_function
def ppf(q, loc=0, scale=1):
    """The quantile: the x whose cdf is q."""
    return loc - scale * _cotangent(q)


@distribution_function
def isf(q, loc=0, scale=1):
    """The x whose survival function is q."""
    return loc + scale * _cotangent(q)
