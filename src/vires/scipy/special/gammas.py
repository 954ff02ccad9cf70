"""The gamma and beta functions, their logarithms, derivatives and incomplete forms; zeta."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

import numpy as np

from vires.control.custom_jvp import custom_jvp
from vires.core import dtypes
from vires.lax import special as lax_special
from vires.numpy.arithmetic import maximum, minimum
from vires.numpy.choosing import where
from vires.numpy.creation import asarray
from vires.numpy.float_parts import floor, rint
from vires.numpy.operands import convert, operand, promote_inexact
from vires.numpy.transcendental import exp, log, log1p, sin
from vires.numpy.ufunc import elementwise
from vires.ops import math as math_ops
from vires.scipy.special.series import polynomial

__all__ = [
    "bernoulli", "beta", "betainc", "betaln", "comb", "digamma", "factorial", "gamma", "gammainc",
    "gammaincc", "gammaln", "gammasgn", "loggamma", "multigammaln", "poch", "polygamma", "zeta",
]  # fmt: skip

#: log Gamma(x) = (x - 1/2) log(x) - x + log(2 pi) / 2 + the sum of c_k x^(1 - 2 k) (Stirling).
_STIRLING = (
    1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400,
)  # fmt: skip
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_EXACT = 2.0**53


def _correction(x: Any) -> Any:
    """What Stirling's formula for log Gamma lacks, for x >= 8."""
    return polynomial(1 / (x * x), _STIRLING) / x


def _wide(*xs: Any) -> list[Any]:
    return [convert(x, dtypes.float64, x.aval.weak_type) for x in xs]


def _whole(x: Any) -> Any:
    return floor(x) == x


def _sine_of_turns(x: Any) -> Any:
    """sin(pi x), 0 at whole numbers."""
    rest = x - rint(x)
    odd = rint(x) * 0.5 != floor(rint(x) * 0.5)
    return sin(rest * math.pi) * where(odd, -1, 1)


def _gamma_of_positive(x: Any) -> Any:
    """Gamma(x) for x >= 0.5 in float64."""
    shifted, product = x, x * 0 + 1
    for _ in range(8):
        low = shifted < 8
        product = where(low, product * shifted, product)
        shifted = where(low, shifted + 1, shifted)
    bounded = minimum(shifted, 180)
    half = math_ops.pow(bounded, 0.5 * bounded - 0.25)
    value = half * exp(_correction(bounded) - bounded) * half * math.sqrt(2 * math.pi)
    value = where(shifted > 172, math.inf, value / product)
    return where(_whole(x) & (value < _EXACT), rint(value), value)


def _gamma_of_wide(x: Any) -> Any:
    low = x < 0.5
    positive = _gamma_of_positive(where(low, 1 - x, x))
    sine = _sine_of_turns(where(low, x, 0.5))
    value = where(low, math.pi / (sine * positive), positive)
    pole = (x < 0) & _whole(x)
    value = where(x == 0, 1 / x, where(pole, math.nan, value))
    return where(x != x, x, value)


@custom_jvp
def _gamma(x: Any) -> Any:
    dtype, weak = x.aval.dtype, x.aval.weak_type
    return convert(_gamma_of_wide(*_wide(x)), dtype, weak)


_gamma.defjvps(lambda dx, out, x: dx * (out * lax_special.digamma(x)))


@elementwise("inexact")
def gamma(x):
    """The gamma function; nan at the negative integers, +-inf at +-0.

    >>> from vires.scipy import special
    >>> special.gamma(5.0).item()
    24.0
    """
    return _gamma(x)


@elementwise("inexact")
def gammaln(x):
    """log |Gamma(x)|; inf at 0 and the negative integers."""
    return lax_special.lgamma(x)


def _sign(x: Any) -> Any:
    odd = floor(x) * 0.5 != floor(floor(x) * 0.5)
    return where(x > 0, 1, where(odd, -1, 1))


@elementwise("inexact")
def gammasgn(x):
    """The sign of Gamma(x): 1, -1, and nan at the negative integers and -inf."""
    signs = where(x == 0, where(1 / x < 0, -1, 1), _sign(x))
    pole = (x < 0) & _whole(x)
    return convert(where(pole | (x != x), math.nan, signs), x.aval.dtype, x.aval.weak_type)


def _complex_loggamma(z: Any) -> Any:
    """Stirling's formula where |z| is large, after steps of 1; the reflection formula on the left.

    The imaginary part is continuous away from the negative real axis.
    """
    left = z.real < 0
    inner = where(left, 1 - z, z)
    shifted, total = inner, inner * 0
    for _ in range(10):
        low = shifted.real < 10
        total = where(low, total + log(shifted), total)
        shifted = where(low, shifted + 1, shifted)
    stirling = (shifted - 0.5) * log(shifted) - shifted + _HALF_LOG_TWO_PI
    right_value = stirling + _correction(shifted) - total
    # log sin(pi z) on the sheet that continues the logarithm from the upper or lower half plane
    turn = where(z.imag >= 0, z * 0 + 1j, z * 0 - 1j)
    sine = math_ops.log1p(-exp(2 * math.pi * turn * z)) - turn * math.pi * (z - 0.5) - math.log(2)
    reflected = math.log(math.pi) - sine - right_value
    return where(left, reflected, right_value)


@elementwise("inexact")
def loggamma(x):
    """The analytic continuation of log Gamma(x) from x > 0; nan for real x < 0."""
    if dtypes.kind(x.aval.dtype) == "complex":
        return _complex_loggamma(x)
    return where(x < 0, math.nan, lax_special.lgamma(where(x < 0, 1, x)))


@elementwise("inexact")
def digamma(x):
    """The derivative of log Gamma(x)."""
    return lax_special.digamma(x)


@elementwise("inexact")
def polygamma(n, x):
    """The derivative of order n of digamma(x), for n = 0, 1, ..."""
    return lax_special.polygamma(n, x)


_hurwitz = elementwise("inexact", name="zeta")(lambda x, q: lax_special.zeta(x, q))


def _borwein(terms: int) -> tuple[float, ...]:
    """Weights of Borwein's alternating sum for zeta, computed exactly."""
    sums, total = [], Fraction(0)
    for i in range(terms + 1):
        total += Fraction(
            terms * math.factorial(terms + i - 1) * 4**i,
            math.factorial(terms - i) * math.factorial(2 * i),
        )
        sums.append(total)
    return tuple(float((-1) ** k * (1 - s / total)) for k, s in enumerate(sums[:-1]))


_ETA = _borwein(24)


def _zeta_near(x: Any) -> Any:
    """Riemann's zeta for 0 <= x <= 1 and beyond, by an alternating sum."""
    total = sum(c * exp(-x * math.log(k + 1)) for k, c in enumerate(_ETA))
    return total / -math_ops.expm1((1 - x) * math.log(2))


def _riemann_of_wide(x: Any) -> Any:
    large, left = x > 1, x < 0
    reflected = where(left, 1 - x, 2)
    above = lax_special.zeta(where(large, x, reflected), x * 0 + 1)
    middle = _zeta_near(where(large | left | (x == 1), 0.5, x))
    factor = 2 * exp(reflected * -math.log(2 * math.pi)) * _gamma_of_positive(reflected)
    mirrored = factor * _sine_of_turns(0.5 * where(left, x, 0)) * above
    value = where(large, above, where(left, mirrored, middle))
    return where(x == 1, math.inf, where(x == -math.inf, math.nan, value))


@elementwise("inexact", name="zeta")
def _riemann(x):
    return convert(_riemann_of_wide(*_wide(x)), x.aval.dtype, x.aval.weak_type)


def zeta(x: Any, q: Any = None) -> Any:
    """Hurwitz' zeta function, the sum over k >= 0 of (q + k)^-x, for x > 1 and q > 0; without q
    Riemann's zeta function for all real x."""
    return _riemann(x) if q is None else _hurwitz(x, q)


# --- beta functions


def betaln_body(a: Any, b: Any) -> Any:
    """`betaln` of operands that are prepared."""
    small, large = minimum(a, b), maximum(a, b)
    asymptotic = large >= 10
    x = where(asymptotic, large, 10)
    y = where(asymptotic & (small > 0), small, 1)
    both = y >= 10
    bounded = where(both, y, 10)
    ratio = y / x
    tail = _correction(x) - _correction(x + y) - (x - 0.5) * log1p(ratio)
    near = tail + _correction(bounded) + bounded * -log1p(x / bounded)
    near = near - 0.5 * log(bounded) + _HALF_LOG_TWO_PI
    far = tail + lax_special.lgamma(where(both, 1, y)) - y * log(x + y) + y
    usual = lax_special.lgamma(a) + lax_special.lgamma(b) - lax_special.lgamma(a + b)
    return where(asymptotic & (small > 0), where(both, near, far), usual)


@custom_jvp
def _betaln(a: Any, b: Any) -> Any:
    return betaln_body(a, b)


_betaln.defjvps(
    lambda da, out, a, b: da * (lax_special.digamma(a) - lax_special.digamma(a + b)),
    lambda db, out, a, b: db * (lax_special.digamma(b) - lax_special.digamma(a + b)),
)


@elementwise("inexact")
def betaln(a, b):
    """log |B(a, b)|, B(a, b) = Gamma(a) Gamma(b) / Gamma(a + b); accurate for large a and b."""
    return _betaln(a, b)


@elementwise("inexact")
def beta(a, b):
    """The beta function Gamma(a) Gamma(b) / Gamma(a + b)."""
    signs = _sign(a) * _sign(b) * _sign(a + b)
    return convert(signs, a.aval.dtype) * exp(_betaln(a, b))


@elementwise("inexact")
def betainc(a, b, x):
    """The regularized incomplete beta function I_x(a, b) for a, b > 0 and 0 <= x <= 1."""
    return lax_special.betainc(a, b, x)


@elementwise("inexact")
def gammainc(a, x):
    """The regularized lower incomplete gamma function P(a, x) for a > 0 and x >= 0."""
    return lax_special.igamma(a, x)


@elementwise("inexact")
def gammaincc(a, x):
    """The regularized upper incomplete gamma function 1 - P(a, x), accurate where it is small."""
    return lax_special.igammac(a, x)


# --- products


def factorial(n: Any, exact: bool = False) -> Any:
    """n! = Gamma(n + 1) as a float; 0 for n < 0."""
    if exact:
        raise NotImplementedError("factorial: needs exact=False; got True; try math.factorial")
    return _factorial(n)


@elementwise("inexact", name="factorial")
def _factorial(n):
    return where(n < 0, 0, _gamma(where(n < 0, 0, n) + 1))


@custom_jvp
def _choices(n: Any, k: Any) -> Any:
    wide_n, wide_k = _wide(n, k)
    outside = (wide_k > wide_n) | (wide_n < 0) | (wide_k < 0)
    some, few = where(outside, 1, wide_n), where(outside, 0, wide_k)
    value = exp(-log1p(some) - betaln_body(some - few + 1, few + 1))
    value = where(_whole(some) & _whole(few) & (value < 1e12), rint(value), value)
    return convert(where(outside, 0, value), n.aval.dtype, n.aval.weak_type)


def _digammas(x: Any, y: Any) -> Any:
    return lax_special.digamma(x) - lax_special.digamma(y)


_choices.defjvps(
    lambda dn, out, n, k: dn * (out * _digammas(n + 1, n - k + 1)),
    lambda dk, out, n, k: dk * (out * _digammas(n - k + 1, k + 1)),
)


@elementwise("inexact", name="comb")
def _comb(N, k):
    return _choices(N, k)


@elementwise("inexact", name="comb")
def _comb_with_repetition(N, k):
    return where((N == 0) & (k == 0), 1, _choices(N + k - 1, k))


def comb(N: Any, k: Any, *, repetition: bool = False) -> Any:
    """The number of ways to choose k of N things, 0 for k > N; with `repetition` each any number
    of times."""
    return (_comb_with_repetition if repetition else _comb)(N, k)


@custom_jvp
def _poch(z: Any, m: Any) -> Any:
    x, y = _wide(z, m)
    end = x + y
    mirrored = (x <= 0) & _whole(x) & (end <= 0) & _whole(end)
    low, high = where(mirrored, 1 - end, x), where(mirrored, 1 - x, end)
    value = exp(lax_special.lgamma(high) - lax_special.lgamma(low)) * _sign(low) * _sign(high)
    odd = floor(y * 0.5) * 2 != y
    value = where(mirrored & odd, -value, value)
    value = where(y == 0, 1, value)
    return convert(value, z.aval.dtype, z.aval.weak_type)


_poch.defjvps(
    lambda dz, out, z, m: dz * (out * (lax_special.digamma(z + m) - lax_special.digamma(z))),
    lambda dm, out, z, m: dm * (out * lax_special.digamma(z + m)),
)


@elementwise("inexact")
def poch(z, m):
    """Pochhammer's symbol Gamma(z + m) / Gamma(z)."""
    return _poch(z, m)


def multigammaln(a: Any, d: Any) -> Any:
    """The logarithm of the gamma function of d dimensions, for a > (d - 1) / 2."""
    size = operator.index(d)
    (x,) = promote_inexact(operand(a, "multigammaln", "a"))
    total = sum((gammaln(x - 0.5 * k) for k in range(size)), x * 0)
    return total + 0.25 * size * (size - 1) * math.log(math.pi)


def bernoulli(n: int) -> Any:
    """Bernoulli's numbers B_0, ..., B_n, with B_1 = -1/2."""
    last = operator.index(n)
    if last < 0:
        raise ValueError(f"bernoulli: needs n >= 0; got {last}")
    numbers: list[Fraction] = []
    for k in range(last + 1):
        rest = sum((math.comb(k + 1, j) * b for j, b in enumerate(numbers)), Fraction(0))
        numbers.append(Fraction(1) if k == 0 else -rest / (k + 1))
    return asarray(np.array([float(b) for b in numbers]).astype(dtypes.default_float()))
