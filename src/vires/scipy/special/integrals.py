"""Fresnel's integrals, Spence's function, Owen's T."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vires.control.custom_jvp import custom_jvp
from vires.numpy.arithmetic import minimum
from vires.numpy.choosing import where
from vires.numpy.float_parts import copysign, rint
from vires.numpy.transcendental import cos, exp, log, log1p, sin
from vires.numpy.ufunc import elementwise
from vires.ops import math as math_ops
from vires.scipy.special.series import chebyshev, polynomial

__all__ = ["fresnel", "owens_t", "spence"]

#: pi x f(x) and pi^2 x^3 g(x) for x in [1.5, 2.5] and [2.5, inf), in 1 / x^2.
_F_NEAR = (
    0.9766806891450038, -0.017241671934258598, -0.000978661799435218, 0.0001359619920074475,
    -9.879454328885631e-06, 2.943795893470084e-07, 5.299405880510893e-08, -1.3354278091990854e-08,
    1.9448794671883187e-09, -2.1197044409037077e-10, 1.5447466019213234e-11, 1.62527124790865e-13,
    -3.398287388099988e-13, 8.437861375199872e-14, -1.516422937622106e-14, 2.258019478721262e-15,
    -2.800565025951221e-16, 2.5863388981825894e-17,
)  # fmt: skip
_F_FAR = (
    0.9972452710740614, -0.003632306650128136, -0.0008487300576176991, 3.151020207075467e-05,
    2.263154926270674e-06, -3.9163125483160955e-07, 1.258136451199636e-08, 4.0306713497692655e-09,
    -7.783398787105154e-10, 3.912128876346964e-11, 1.220532196524615e-11, -3.5528464447905055e-12,
    3.896454581815972e-13, 3.325423495118481e-14, -2.359735966912883e-14, 4.9944349865612954e-15,
    -3.585971694009471e-16, -1.354074735656356e-16, 6.153214905342658e-17,
    -1.2880253079459118e-17,
)  # fmt: skip
_G_NEAR = (
    0.9011499335183015, -0.06705828165819457, -0.0015713144139008902, 0.000624174774942695,
    -7.588003261251233e-05, 5.69286176855094e-06, -5.901084664569952e-08, -7.440509813082646e-08,
    1.7472743353515465e-08, -2.7392329702330177e-09, 3.32029529862357e-10,
    -2.8242213769706535e-11, 2.52518283563136e-13, 5.727283749234754e-13, -1.66165872624784e-13,
    3.356653450689993e-14, -5.618952670885324e-15, 8.021231830771589e-16, -9.328277566114003e-17,
    6.810122754452094e-18,
)  # fmt: skip
_G_FAR = (
    0.9867891835147736, -0.01727986846844745, -0.0038367583452099457, 0.00024934093252477693,
    1.2927433545599508e-05, -3.9162794973520715e-06, 2.532692961636731e-07, 3.731282996071997e-08,
    -1.1472142105161283e-08, 1.0945739239384935e-09, 1.1936832009289337e-10,
    -6.233366583667518e-11, 1.0419956855329701e-11, -1.5253547298984906e-13,
    -4.132711056053606e-13, 1.2621371018909794e-13, -1.749726214287286e-14,
    -1.1951089249756313e-15, 1.3905274329516842e-15, -4.095927180851119e-16, 5.95872567322126e-17,
    4.8470614711772186e-18, -5.961380631659231e-18,
)  # fmt: skip
#: S(x) / x^3 and C(x) / x near 0, in x^4.
_S_NEAR = tuple(
    (-1) ** k * (math.pi / 2) ** (2 * k + 1) / (math.factorial(2 * k + 1) * (4 * k + 3))
    for k in range(16)
)
_C_NEAR = tuple(
    (-1) ** k * (math.pi / 2) ** (2 * k) / (math.factorial(2 * k) * (4 * k + 1)) for k in range(16)
)


def _quarter_turns(x: Any) -> tuple[Any, Any]:
    """cos and sin of pi x x / 2, accurate for large x."""
    bounded = where(x < 1e8, x, 0)
    whole = rint(bounded)
    rest = bounded - whole
    # x x = n n + 2 n r + r r; whole turns, of 4, are taken away from n n and 2 n r.
    first = whole - 4 * rint(whole * 0.25)
    square = first * first
    cross = 2 * whole * rest
    cross = cross - 4 * rint(cross * 0.25)
    turns = square + cross + rest * rest
    turns = turns - 4 * rint(turns * 0.25)
    angle = turns * (math.pi / 2)
    return cos(angle), sin(angle)


@custom_jvp
def _fresnel(x: Any) -> tuple[Any, Any]:
    size = abs(x)
    near = size < 1.5
    small, large = where(near, size, 0), where(near, 1.5, size)
    fourth = small * small * small * small
    s_near = small * small * small * polynomial(fourth, _S_NEAR)
    c_near = small * polynomial(fourth, _C_NEAR)
    inverse = 1 / (large * large)
    middle, step = 0.5 * (1 / 1.5**2 + 1 / 2.5**2), 0.5 * (1 / 1.5**2 - 1 / 2.5**2)
    first, second = (inverse - middle) / step, 2 * 2.5**2 * inverse - 1
    far = large >= 2.5
    f = where(far, chebyshev(second, _F_FAR), chebyshev(first, _F_NEAR)) / (math.pi * large)
    g = where(far, chebyshev(second, _G_FAR), chebyshev(first, _G_NEAR))
    g = g * inverse / (math.pi**2 * large)
    cosine, sine = _quarter_turns(large)
    s = where(near, s_near, 0.5 - f * cosine - g * sine)
    c = where(near, c_near, 0.5 + f * sine - g * cosine)
    return where(x != x, x, copysign(s, x)), where(x != x, x, copysign(c, x))


@_fresnel.defjvp
def _fresnel_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    cosine, sine = _quarter_turns(abs(x))
    return _fresnel(x), (dx * sine, dx * cosine)


@elementwise("inexact")
def fresnel(x):
    """(S(x), C(x)), the integrals of the sine and the cosine of pi t t / 2 from 0 to x."""
    return _fresnel(x)


#: B_2k / (2k + 1)! for k = 1, 2, ...: the dilogarithm in -log(1 - z).
_DILOGARITHM = (
    1 / 36, -1 / 3600, 1 / 211680, -1 / 10886400, 1 / 526901760, -691 / 16999766784000,
    1 / 1120863744000, -3617 / 181400588328960000,
)  # fmt: skip


@custom_jvp
def _spence(x: Any) -> Any:
    # By x to 1 / x and x to 1 - x into [1/2, 1].
    large = x > 1
    own = where(large, 1 / where(large, x, 1), x)
    small = own < 0.5
    inside = where(small, 1 - own, own)
    minus_log = -log(where(inside > 0, inside, 1))
    square = minus_log * minus_log
    series = minus_log - 0.25 * square + minus_log * square * polynomial(square, _DILOGARITHM)
    positive = small & (own > 0)
    safe = where(positive, own, 0.5)
    reflected = math.pi**2 / 6 - log(safe) * log1p(-safe) - series
    value = where(positive, reflected, where(own == 0, math.pi**2 / 6, series))
    logarithm = log(where(large, x, 1))
    value = where(large, -0.5 * logarithm * logarithm - value, value)
    return where((x < 0) | (x != x), math.nan, value)


def _spence_slope(dx: Any, out: Any, x: Any) -> Any:
    one = x == 1
    return dx * where(one, -1, log(x) / where(one, 1, 1 - x))


_spence.defjvps(_spence_slope)


@elementwise("inexact")
def spence(x):
    """Spence's function, the integral of log(t) / (1 - t) from 1 to x, for x >= 0: the dilogarithm
    of 1 - x."""
    return _spence(x)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)


def _owens_t_of_ratio(h: Any, a: Any) -> Any:
    """Owen's T for h >= 0 and 0 <= a <= 1, by Gauss' rule where the integrand counts."""
    end = minimum(a, 9 / where(h > 1, h, 1))
    total = h * 0
    for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
        x = end * (0.5 * node + 0.5)
        square = x * x
        total = total + exp(-0.5 * h * h * square) * (weight / (1 + square))
    return total * end * exp(-0.5 * h * h) * (0.25 / math.pi)


def _owens_t_value(h: Any, a: Any) -> Any:
    size, ratio = abs(h), abs(a)
    large = ratio > 1
    scaled = where(large & (size > 0), size * where(ratio < math.inf, ratio, 1e30), 0)
    first = where(large, scaled, size)
    second = where(large, 1 / where(large, ratio, 1), ratio)
    value = _owens_t_of_ratio(minimum(first, 1e4), second)
    upper = 0.5 * math_ops.erfc(size * math.sqrt(0.5))
    other = 0.5 * math_ops.erfc(scaled * math.sqrt(0.5))
    value = where(large, 0.5 * (upper + other) - upper * other - value, value)
    return where((h != h) | (a != a), math.nan, copysign(value, a))


@custom_jvp
def _owens_t(h: Any, a: Any) -> Any:
    return _owens_t_value(h, a)


def _owens_t_slope_h(dh: Any, out: Any, h: Any, a: Any) -> Any:
    density = exp(-0.5 * h * h) / math.sqrt(8 * math.pi)
    return dh * -(density * math_ops.erf(a * h * math.sqrt(0.5)))


def _owens_t_slope_a(da: Any, out: Any, h: Any, a: Any) -> Any:
    growth = 1 + a * a
    return da * (exp(-0.5 * h * h * growth) / (2 * math.pi * growth))


_owens_t.defjvps(_owens_t_slope_h, _owens_t_slope_a)


@elementwise("inexact")
def owens_t(h, a):
    """Owen's T: the integral of e^(-h h (1 + x x) / 2) / (1 + x x) from 0 to a, over 2 pi."""
    return _owens_t(h, a)
