"""The Dirichlet distribution of vectors of probabilities."""

from __future__ import annotations

import math
from typing import Any

from vires.numpy.choosing import where
from vires.numpy.operands import ShapeError, operand, promote_inexact, shape_text
from vires.numpy.planned import planned
from vires.numpy.reductions import all as all_
from vires.numpy.reductions import sum as sum_
from vires.numpy.transcendental import exp
from vires.ops.join import concatenate
from vires.scipy.special import gammaln, xlogy

__all__ = ["logpdf", "pdf"]


@planned("x", "alpha")
def logpdf(x: Any, alpha: Any) -> Any:
    """The logarithm of the density at vectors x, whose components lie along the first axis.

    x has as many components as alpha, or one less: then the last is what is missing to 1.
    """
    values, a = promote_inexact(operand(x, "logpdf"), operand(alpha, "logpdf", "alpha"))
    if a.aval.ndim != 1 or not values.aval.ndim:
        raise ShapeError(
            "logpdf: needs vectors x and a vector alpha; "
            f"got {shape_text(values)} and {shape_text(a)}"
        )
    n = a.aval.shape[0]
    if values.aval.shape[0] == n - 1:
        values = concatenate(values, 1 - sum_(values, 0, keepdims=True), dimension=0)
    if values.aval.shape[0] != n:
        raise ShapeError(
            f"logpdf: needs x with {n} or {n - 1} rows; got {shape_text(operand(x, 'logpdf'))}"
        )
    weights = a.reshape((n,) + (1,) * (values.aval.ndim - 1))
    normalizer = sum_(gammaln(a)) - gammaln(sum_(a))
    inside = all_(values >= 0, 0) & (abs(sum_(values, 0) - 1) < 1e-6)
    density = sum_(xlogy(weights - 1, values), 0) - normalizer
    return where(inside, density, -math.inf)


@planned("x", "alpha")
def pdf(x: Any, alpha: Any) -> Any:
    """The density at vectors x, whose components lie along the first axis."""
    return exp(logpdf(x, alpha))
