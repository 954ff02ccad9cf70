"""The uniform distribution on [`loc`, `loc` + `scale`]."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.transcendental import log
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logpdf", "pdf", "ppf"]


@distribution_function
def logpdf(x, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    inside = (z >= 0) & (z <= 1)
    return where(z == z, where(inside, -log(scale), -math.inf), z)


@distribution_function
def pdf(x, loc=0, scale=1):
    """The density."""
    z = (x - loc) / scale
    inside = (z >= 0) & (z <= 1)
    return where(z == z, where(inside, 1 / scale, 0), z)


@distribution_function
def cdf(x, loc=0, scale=1):
    """The distribution function."""
    z = (x - loc) / scale
    return where(z < 0, 0, where(z > 1, 1, z))


@distribution_function
def ppf(q, loc=0, scale=1):
    """The quantile: the x whose cdf is q."""
    return where((q >= 0) & (q <= 1), q * scale + loc, math.nan)
