"""Modified Bessel functions of orders 0 and 1."""

from __future__ import annotations

from vires.lax import special as lax_special
from vires.numpy.transcendental import exp
from vires.numpy.ufunc import elementwise

__all__ = ["i0", "i0e", "i1", "i1e"]


@elementwise("inexact")
def i0(x):
    """The modified Bessel function of the first kind of order 0."""
    return exp(abs(x)) * lax_special.bessel_i0e(x)


@elementwise("inexact")
def i0e(x):
    """e^-|x| I_0(x)."""
    return lax_special.bessel_i0e(x)


@elementwise("inexact")
def i1(x):
    """The modified Bessel function of the first kind of order 1."""
    return exp(abs(x)) * lax_special.bessel_i1e(x)


@elementwise("inexact")
def i1e(x):
    """e^-|x| I_1(x)."""
    return lax_special.bessel_i1e(x)
