"""The multinomial distribution of counts of n trials."""

from __future__ import annotations

import math
from typing import Any

from vires.numpy.choosing import where
from vires.numpy.operands import operand, promote_inexact
from vires.numpy.planned import planned
from vires.numpy.reductions import sum as sum_
from vires.numpy.transcendental import exp
from vires.scipy.special import gammaln, xlogy

__all__ = ["logpmf", "pmf"]


@planned("x", "n", "p")
def logpmf(x: Any, n: Any, p: Any) -> Any:
    """The logarithm of the probability of counts x (along the last axis) with probabilities p."""
    counts, trials, chances = promote_inexact(
        operand(x, "logpmf"), operand(n, "logpmf", "n"), operand(p, "logpmf", "p")
    )
    value = gammaln(trials + 1) + sum_(xlogy(counts, chances) - gammaln(counts + 1), -1)
    return where(sum_(counts, -1) == trials, value, -math.inf)


@planned("x", "n", "p")
def pmf(x: Any, n: Any, p: Any) -> Any:
    """The probability of counts x (along the last axis) with probabilities p."""
    return exp(logpmf(x, n, p))
