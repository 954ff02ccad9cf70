"""The normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any

from vires.lax import linalg as lax_linalg
from vires.numpy.operands import (
    ShapeError,
    broadcast,
    common_shape,
    promote_inexact,
    shape_text,
    value_or_operand,
)
from vires.numpy.planned import planned
from vires.numpy.reductions import sum as sum_
from vires.numpy.transcendental import exp, log
from vires.numpy.triangles import diagonal

__all__ = ["logpdf", "pdf"]


def logpdf(x: Any, mean: Any, cov: Any, allow_singular: None = None) -> Any:
    """The logarithm of the density at vectors x along the last axis.

    cov: a matrix, positive definite; or a number, the variance of each component alone.
    """
    if allow_singular is not None:
        raise NotImplementedError(
            f"logpdf: needs allow_singular=None; got {allow_singular!r}; "
            "try a positive definite cov"
        )
    return _logpdf(x, mean, cov)


@planned("x", "mean", "cov")
def _logpdf(x: Any, mean: Any, cov: Any) -> Any:
    values, center, spread = promote_inexact(
        value_or_operand(x, "logpdf"),
        value_or_operand(mean, "logpdf", "mean"),
        value_or_operand(cov, "logpdf", "cov"),
    )
    if not center.aval.ndim and not spread.aval.ndim:
        deviation = values - center
        return -0.5 * (deviation * deviation / spread + log(2 * math.pi * spread))
    n = center.aval.shape[-1] if center.aval.ndim else spread.aval.shape[-1]
    deviation = values - center
    if not spread.aval.ndim:
        total = sum_(deviation * deviation, -1) / spread
        return -0.5 * (total + n * log(2 * math.pi * spread))
    if spread.aval.ndim < 2 or spread.aval.shape[-2:] != (n, n):
        raise ShapeError(f"logpdf: needs cov of shape ({n}, {n}); got {shape_text(spread)}")
    if deviation.aval.shape[-1:] != (n,):
        deviation = broadcast(deviation, (*deviation.aval.shape[:-1], n))
    factor = lax_linalg.cholesky(spread)
    batch = common_shape("logpdf", deviation.aval.shape[:-1], spread.aval.shape[:-2])
    points = broadcast(deviation, (*batch, n))
    if spread.aval.ndim == 2:
        flat = points.reshape((-1, n))
        scaled = lax_linalg.triangular_solve(factor, flat.T, left_side=True, lower=True)
        distance = sum_(scaled * scaled, 0).reshape(batch)
    else:
        factors = broadcast(factor, (*batch, n, n))
        scaled = lax_linalg.triangular_solve(factors, points, left_side=True, lower=True)
        distance = sum_(scaled * scaled, -1)
    half_determinant = sum_(log(diagonal(factor, 0, -2, -1)), -1)
    return -0.5 * (distance + n * math.log(2 * math.pi)) - half_determinant


@planned("x", "mean", "cov")
def pdf(x: Any, mean: Any, cov: Any) -> Any:
    """The density at vectors x along the last axis."""
    return exp(_logpdf(x, mean, cov))
