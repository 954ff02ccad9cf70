"""Minimisation of functions of several variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from vires.api.differentiate import value_and_grad
from vires.lax.control import while_loop
from vires.numpy.choosing import where
from vires.numpy.contraction import dot, outer
from vires.numpy.creation import asarray
from vires.numpy.float_parts import isfinite
from vires.numpy.operands import ShapeError, operand, promote_inexact, shape_text
from vires.numpy.reductions import max as max_
from vires.numpy.triangles import eye
from vires.scipy.line_search import search

__all__ = ["OptimizeResults", "minimize"]

#: What `status` says.
CONVERGED, OUT_OF_ITERATIONS, NO_PROGRESS = 0, 1, 3


class OptimizeResults(NamedTuple):
    """What `minimize` gives.

    Attributes:
      x: the point.
      success: whether the gradient is small enough there.
      status: 0 converged, 1 too many iterations, 3 no better point along the last direction.
      fun, jac: the function and its gradient at x.
      hess_inv: the estimate of the inverse of the Hessian.
      nfev, njev: how often the function and the gradient were evaluated.
      nit: the number of iterations.
    """

    x: Any
    success: Any
    status: Any
    fun: Any
    jac: Any
    hess_inv: Any
    nfev: Any
    njev: Any
    nit: Any


def minimize(
    fun: Callable[..., Any], x0: Any, args: tuple[Any, ...] = (), *, method: str,
    tol: float | None = None, options: Mapping[str, Any] | None = None,
) -> OptimizeResults:  # fmt: skip
    """A local minimum of a function of a vector, by the method of Broyden, Fletcher, Goldfarb and
    Shanno, with line searches for the strong Wolfe conditions.

    Args:
      fun: fun(x, *args) gives a real number; it is differentiated by `vires.grad`.
      x0: where to begin, 1-d.
      method: "BFGS".
      tol: the largest component of the gradient that counts as 0 (default 1e-5).
      options: gtol (as tol), maxiter (default: 200 times the number of variables), norm (of the
        gradient, default inf), line_search_maxiter (default 10).
    """
    if not isinstance(args, tuple):
        raise TypeError(f"minimize: needs a tuple args; got {type(args).__name__}")
    if method.lower() != "bfgs":
        raise ValueError(f"minimize: needs method 'BFGS'; got {method!r}")
    settings = dict(options or {})
    gtol = settings.pop("gtol", 1e-5 if tol is None else tol)
    norm = settings.pop("norm", float("inf"))
    maxiter = settings.pop("maxiter", None)
    steps = settings.pop("line_search_maxiter", 10)
    if settings:
        raise TypeError(
            "minimize: needs options among gtol, norm, maxiter and line_search_maxiter; "
            f"got {', '.join(settings)}"
        )
    (start,) = promote_inexact(operand(x0, "minimize", "x0"))
    if start.aval.ndim != 1:
        raise ShapeError(f"minimize: needs a 1-d x0; got {shape_text(start)}; try x0.ravel()")
    most = 200 * start.aval.shape[0] if maxiter is None else maxiter
    return _bfgs(value_and_grad(lambda x: fun(x, *args)), start, gtol, norm, most, steps)


def _size(gradient: Any, order: float) -> Any:
    if order == float("inf"):
        return max_(abs(gradient), initial=0)
    return (abs(gradient) ** order).sum() ** (1 / order)


class _State(NamedTuple):
    x: Any
    value: Any
    gradient: Any
    inverse: Any
    before: Any
    evaluations: Any
    iterations: Any
    converged: Any
    failed: Any


def _bfgs(
    evaluate: Callable[[Any], tuple[Any, Any]],
    start: Any,
    gtol: Any,
    norm: float,
    most: int,
    steps: int,
) -> OptimizeResults:
    value, gradient = evaluate(start)
    identity = eye(start.shape[0], dtype=start.dtype)
    zero = asarray(0)
    length = (gradient * gradient).sum() ** 0.5
    converged = _size(gradient, norm) <= gtol
    state = _State(
        start, value, gradient, identity, value + length * 0.5, zero + 1, zero, converged,
        zero != 0,
    )  # fmt: skip

    def going(s: _State) -> Any:
        return ~s.converged & ~s.failed & (s.iterations < most)

    def step(s: _State) -> _State:
        direction = -dot(s.inverse, s.gradient)
        found = search(evaluate, s.x, direction, s.value, s.gradient, s.before, steps)
        change = found.step * direction
        bend = found.gradient - s.gradient
        curvature = dot(bend, change)
        usable = (curvature > 0) & isfinite(curvature)
        rho = where(usable, 1 / where(usable, curvature, 1), 0)
        left = identity - rho * outer(change, bend)
        updated = dot(dot(left, s.inverse), left.T) + rho * outer(change, change)
        better = ~found.failed
        keep = lambda new, old: where(better, new, old)  # noqa: E731
        return _State(
            keep(s.x + change, s.x),
            keep(found.value, s.value),
            keep(found.gradient, s.gradient),
            where(better & usable, updated, s.inverse),
            keep(s.value, s.before),
            s.evaluations + found.evaluations,
            s.iterations + 1,
            better & (_size(found.gradient, norm) <= gtol),
            found.failed,
        )

    s = while_loop(going, step, state)
    status = where(s.converged, CONVERGED, where(s.failed, NO_PROGRESS, OUT_OF_ITERATIONS))
    return OptimizeResults(
        s.x, s.converged, status, s.value, s.gradient, s.inverse, s.evaluations, s.evaluations,
        s.iterations,
    )  # fmt: skip
