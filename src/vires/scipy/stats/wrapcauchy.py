"""The wrapped Cauchy distribution on [0, 2 pi]."""

from __future__ import annotations

import math

from vires.numpy.choosing import where
from vires.numpy.transcendental import log, log1p, sin
from vires.scipy.stats.density import distribution_function

__all__ = ["logpdf", "pdf"]


@distribution_function
def logpdf(x, c):
    """The logarithm of the density."""
    inside = (x >= 0) & (x <= 2 * math.pi)
    sine = sin(0.5 * x)
    # 1 + c c - 2 c cos(x) without cancellation
    distance = (1 - c) * (1 - c) + 4 * c * sine * sine
    value = log1p(-c * c) - math.log(2 * math.pi) - log(distance)
    return where(inside, value, -math.inf)


@distribution_function
def pdf(x, c):
    """The density."""
    inside = (x >= 0) & (x <= 2 * math.pi)
    sine = sin(0.5 * x)
    # 1 + c c - 2 c cos(x) without cancellation
    distance = (1 - c) * (1 - c) + 4 * c * sine * sine
    return where(inside, (1 - c * c) / (2 * math.pi * distance), 0)
