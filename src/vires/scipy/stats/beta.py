"""The beta distribution on [`loc`, `loc` + `scale`]."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.transcendental import exp, log, log1p
from vires.scipy.special import betainc, betaln, xlog1py, xlogy
from vires.scipy.stats.density import distribution_function

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]


@distribution_function
def logpdf(x, a, b, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    inside = (z >= 0) & (z <= 1)
    safe = where(inside, z, 0.5)
    value = xlogy(a - 1, safe) + xlog1py(b - 1, -safe) - betaln(a, b) - log(scale)
    return where(z == z, where(inside, value, -math.inf), z)


@distribution_function
def pdf(x, a, b, loc=0, scale=1):
    """The density."""
    return exp(logpdf(x, a, b, loc, scale))


@distribution_function
def cdf(x, a, b, loc=0, scale=1):
    """The distribution function."""
    z = (x - loc) / scale
    safe = where(z < 0, 0, where(z > 1, 1, z))
    return betainc(a, b, safe)


@distribution_function
def sf(x, a, b, loc=0, scale=1):
    """The survival function 1 - cdf."""
    z = (x - loc) / scale
    safe = where(z < 0, 0, where(z > 1, 1, z))
    return betainc(b, a, 1 - safe)


@distribution_function
def logcdf(x, a, b, loc=0, scale=1):
    """The logarithm of the distribution function."""
    below, above = cdf(x, a, b, loc, scale), sf(x, a, b, loc, scale)
    return where(below > 0.5, log1p(-above), log(below))


@distribution_function
def logsf(x, a, b, loc=0, scale=1):
    """The logarithm of the survival function."""
    below, above = cdf(x, a, b, loc, scale), sf(x, a, b, loc, scale)
    return where(above > 0.5, log1p(-below), log(above))
