"""Special functions of float arguments, as users call them."""

from __future__ import annotations

from typing import Any

from vires.lax.arguments import array, operands
from vires.ops import incomplete, special

__all__ = [
    "bessel_i0e", "bessel_i1e", "betainc", "digamma", "igamma", "igamma_grad_a", "igammac",
    "lgamma", "polygamma", "random_gamma_grad", "zeta",
]  # fmt: skip


def lgamma(x: Any) -> Any:
    """log |Gamma(x)|; inf at 0 and the negative integers.

    >>> from vires import lax
    >>> lax.lgamma(1.0).item()
    0.0
    """
    return special.lgamma(array(x))


def digamma(x: Any) -> Any:
    """The derivative of log Gamma(x)."""
    return special.digamma(array(x))


def polygamma(m: Any, x: Any) -> Any:
    """The derivative of order m + 1 of log Gamma(x), m a float that is a whole number >= 0."""
    return special.polygamma(*operands("polygamma", m, x))


def zeta(x: Any, q: Any) -> Any:
    """Hurwitz' zeta function, the sum over k >= 0 of (q + k)^-x, for x > 1 and q > 0."""
    return special.zeta(*operands("zeta", x, q))


def bessel_i0e(x: Any) -> Any:
    """e^-|x| I_0(x), the modified Bessel function of order 0, exponentially scaled."""
    return special.bessel_i0e(array(x))


def bessel_i1e(x: Any) -> Any:
    """e^-|x| I_1(x), the modified Bessel function of order 1, exponentially scaled."""
    return special.bessel_i1e(array(x))


def igamma(a: Any, x: Any) -> Any:
    """The regularized lower incomplete gamma function P(a, x) for a > 0 and x >= 0.

    P(a, x) is the integral of t^(a-1) e^-t from 0 to x, divided by Gamma(a). Differentiable in
    both.
    """
    return incomplete.igamma(*operands("igamma", a, x))


def igammac(a: Any, x: Any) -> Any:
    """The regularized upper incomplete gamma function 1 - P(a, x), accurate where it is small."""
    return incomplete.igammac(*operands("igammac", a, x))


def igamma_grad_a(a: Any, x: Any) -> Any:
    """The derivative of igamma(a, x) in a."""
    return incomplete.igamma_grad_a(*operands("igamma_grad_a", a, x))


def random_gamma_grad(a: Any, sample: Any) -> Any:
    """The derivative in a of a gamma-distributed sample at a fixed quantile."""
    return incomplete.random_gamma_grad(*operands("random_gamma_grad", a, sample))


def betainc(a: Any, b: Any, x: Any) -> Any:
    """The regularized incomplete beta function I_x(a, b) for a, b > 0 and 0 <= x <= 1.
    Differentiable in x."""
    return incomplete.regularized_incomplete_beta(*operands("betainc", a, b, x))
