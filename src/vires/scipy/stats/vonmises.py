"""The von Mises distribution of angles."""

from __future__ import annotations

import math

from vires.numpy.transcendental import cos, exp, log
from vires.scipy.special import i0e
from vires.scipy.stats.density import distribution_function

__all__ = ["logpdf", "pdf"]


@distribution_function
def logpdf(x, kappa):
    """The logarithm of the density."""
    return kappa * (cos(x) - 1) - log(2 * math.pi * i0e(kappa))


@distribution_function
def pdf(x, kappa):
    """The density."""
    return exp(kappa * (cos(x) - 1)) / (2 * math.pi * i0e(kappa))
