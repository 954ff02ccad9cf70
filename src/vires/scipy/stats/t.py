"""Student's t distribution with df degrees of freedom."""

from __future__ import annotations

from vires.numpy.transcendental import exp, log, log1p
from vires.scipy.special import betaln
from vires.scipy.stats.density import distribution_function

__all__ = ["logpdf", "pdf"]


@distribution_function
def logpdf(x, df, loc=0, scale=1):
    """The logarithm of the density."""
    z = (x - loc) / scale
    value = -0.5 * (df + 1) * log1p(z * z / df) - betaln(0.5 * df, 0.5 + 0 * df) - 0.5 * log(df)
    return value - log(scale)


@distribution_function
def pdf(x, df, loc=0, scale=1):
    """The density."""
    return exp(logpdf(x, df, loc, scale))
