"""Densities estimated from samples by Gaussian kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from vires import random
from vires.core import tree
from vires.lax import linalg as lax_linalg
from vires.numpy.contraction import matmul
from vires.numpy.creation import ones
from vires.numpy.linalg import inv
from vires.numpy.operands import ShapeError, operand, promote_inexact, shape_text
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import atleast_2d
from vires.numpy.statistics import cov
from vires.numpy.transcendental import exp, log
from vires.numpy.triangles import diagonal
from vires.scipy.special import logsumexp, ndtr

__all__ = ["gaussian_kde"]


class gaussian_kde:  # SciPy's name
    """The mixture of normal distributions around the points of a sample, with a common covariance.

    Args:
      dataset: d rows of n points, or one row.
      bw_method: the factor from the sample's covariance to the kernels': "scott" (default),
        "silverman", a number, or a function of the object.
      weights: of the points (default: equal).
    """

    def __init__(
        self,
        dataset: Any,
        bw_method: str | float | Callable[[Any], Any] | None = None,
        weights: Any = None,
    ) -> None:
        (points,) = promote_inexact(atleast_2d(operand(dataset, "gaussian_kde", "dataset")))
        if points.aval.ndim != 2 or points.aval.size < 2:
            raise ShapeError(
                "gaussian_kde: needs at least 2 elements in at most 2 axes; "
                f"got {shape_text(points)}"
            )
        n = points.aval.shape[1]
        if weights is None:
            shares = ones((n,), points.aval.dtype) / n
        else:
            (shares,) = promote_inexact(operand(weights, "gaussian_kde", "weights"))
            if shares.aval.shape != (n,):
                raise ShapeError(f"gaussian_kde: needs {n} weights; got {shape_text(shares)}")
            shares = shares / sum_(shares)
        self.dataset, self.weights = points, shares
        factor = self._factor(bw_method)
        covariance = atleast_2d(cov(points, bias=False, aweights=shares))
        self.covariance = covariance * (factor * factor)
        self.inv_cov = inv(self.covariance)

    def _factor(self, bw_method: Any) -> Any:
        if bw_method is None or bw_method == "scott":
            return self.neff ** (-1 / (self.d + 4))
        if bw_method == "silverman":
            return (self.neff * (self.d + 2) / 4) ** (-1 / (self.d + 4))
        if callable(bw_method):
            return bw_method(self)
        if isinstance(bw_method, str):
            raise ValueError(
                f"gaussian_kde: needs bw_method 'scott', 'silverman', a number or a function; "
                f"got {bw_method!r}"
            )
        return bw_method

    @property
    def d(self) -> int:
        """The number of dimensions."""
        return self.dataset.shape[0]

    @property
    def n(self) -> int:
        """The number of points."""
        return self.dataset.shape[1]

    @property
    def neff(self) -> Any:
        """The number of points of equal weight that are worth as much."""
        return 1 / sum_(self.weights * self.weights)

    def _points(self, function: str, points: Any) -> Any:
        (x,) = promote_inexact(atleast_2d(operand(points, function, "points")))
        if x.aval.ndim != 2:
            raise ShapeError(f"{function}: needs at most 2 axes; got {shape_text(x)}")
        if x.aval.shape[0] != self.d:
            if x.aval.shape == (1, self.d):
                return x.reshape((self.d, 1))
            raise ShapeError(f"{function}: needs points of {self.d} rows; got {shape_text(x)}")
        return x

    def logpdf(self, x: Any) -> Any:
        """The logarithm of the density at points, columns of x."""
        points = self._points("logpdf", x)
        return _log_mixture(self.dataset, self.weights, self.covariance, points)

    def evaluate(self, points: Any) -> Any:
        """The density at points, columns of an array of d rows."""
        return exp(self.logpdf(points))

    def pdf(self, x: Any) -> Any:
        """`evaluate`."""
        return self.evaluate(x)

    def __call__(self, points: Any) -> Any:
        return self.evaluate(points)

    def integrate_gaussian(self, mean: Any, cov: Any) -> Any:
        """The integral of the density times a normal density."""
        center = operand(mean, "integrate_gaussian", "mean").reshape((self.d, 1))
        spread = atleast_2d(operand(cov, "integrate_gaussian", "cov"))
        if spread.aval.shape != (self.d, self.d):
            raise ShapeError(
                f"integrate_gaussian: needs cov of {self.d} x {self.d}; got {shape_text(spread)}"
            )
        total = self.covariance + spread
        return exp(_log_mixture(self.dataset, self.weights, total, center))[0]

    def integrate_box_1d(self, low: Any, high: Any) -> Any:
        """The probability of an interval, of a density of one dimension."""
        if self.d != 1:
            raise ValueError(f"integrate_box_1d: needs 1 dimension; got {self.d}")
        deviation = self.covariance[0, 0] ** 0.5
        start, end = ((bound - self.dataset[0]) / deviation for bound in (low, high))
        return sum_(self.weights * (ndtr(end) - ndtr(start)))

    def integrate_kde(self, other: gaussian_kde) -> Any:
        """The integral of the product of two estimated densities."""
        if other.d != self.d:
            raise ValueError(f"integrate_kde: needs {self.d} dimensions; got {other.d}")
        total = self.covariance + other.covariance
        values = exp(_log_mixture(self.dataset, self.weights, total, other.dataset))
        return sum_(values * other.weights)

    def resample(self, key: Any, shape: tuple[int, ...] = ()) -> Any:
        """Points drawn from the density, of shape (d, *shape)."""
        first, second = random.split(key)
        chosen = random.choice(first, self.n, shape, p=self.weights)
        factor = lax_linalg.cholesky(self.covariance)
        size = math.prod(shape)
        noise = matmul(factor, random.normal(second, (self.d, size), self.dataset.dtype))
        return self.dataset[:, chosen] + noise.reshape((self.d, *shape))


def _unflatten(_: None, children: Any) -> gaussian_kde:
    estimate = object.__new__(gaussian_kde)
    estimate.dataset, estimate.weights, estimate.covariance, estimate.inv_cov = children
    return estimate


tree.register_node(
    gaussian_kde,
    lambda x: ((x.dataset, x.weights, x.covariance, x.inv_cov), None),
    _unflatten,
)


def _log_mixture(centers: Any, weights: Any, covariance: Any, points: Any) -> Any:
    """log of the sum over centers of weight times normal density, at each point."""
    d = centers.shape[0]
    factor = lax_linalg.cholesky(covariance)
    a = lax_linalg.triangular_solve(factor, centers, left_side=True, lower=True)
    b = lax_linalg.triangular_solve(factor, points, left_side=True, lower=True)
    difference = a[:, :, None] - b[:, None, :]
    exponents = -0.5 * sum_(difference * difference, 0)
    normalizer = 0.5 * d * math.log(2 * math.pi) + sum_(log(diagonal(factor)))
    return logsumexp(exponents, 0, b=weights[:, None]) - normalizer
