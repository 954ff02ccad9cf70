"""The logarithm of the gamma function, its derivatives, zeta and scaled Bessel functions."""

from __future__ import annotations

import math as scalar_math
from typing import Any

import numpy as np

from vires.core.primitive import Undefined
from vires.ops.accept import FLOAT
from vires.ops.compare import eq
from vires.ops.elementwise import add, mul, neg, sub
from vires.ops.elementwise import sign as sign_of
from vires.ops.families import Elementwise
from vires.ops.filled import full_like
from vires.ops.formula import Number, on_elements, on_numpy, polynomial, where
from vires.ops.math import integer_pow
from vires.ops.select import select_n

# --- the gamma function


def _lgamma(x: float) -> float:
    if x == float("-inf") or (x <= 0 and x == scalar_math.floor(x)):
        return float("inf")
    try:
        return scalar_math.lgamma(x)
    except OverflowError:
        return float("inf")


_lgamma_each = np.frompyfunc(_lgamma, 1, 1)


def _lgamma_reference(x: np.ndarray) -> np.ndarray:
    return np.asarray(_lgamma_each(x.astype(np.float64)), np.float64).astype(x.dtype)


lgamma = Elementwise(
    "lgamma",
    FLOAT,
    """log |Gamma(x)|; inf at 0 and the negative integers.""",
    reference=_lgamma_reference,
    jvp=lambda x, dx: mul(dx, digamma(x)),
    loops=lambda b, x: b.op("lgamma", x),
)

#: B_2k / 2k for k = 1, 2, ...: the asymptotic series of the digamma function.
_DIGAMMA_SERIES = (
    1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160,
)  # fmt: skip


def _digamma_reference(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    reflected = wide < 0
    shifted = np.where(reflected, 1 - wide, wide)
    total = np.zeros_like(wide)
    for _ in range(12):
        low = shifted < 12
        total = np.where(low, total - 1 / shifted, total)
        shifted = np.where(low, shifted + 1, shifted)
    inverse = 1 / (shifted * shifted)
    series = polynomial(inverse, (0.0, *_DIGAMMA_SERIES))
    total = total + np.log(shifted) - 0.5 / shifted - series
    fraction = wide - np.rint(wide)
    total = np.where(reflected, total - np.pi / np.tan(np.pi * fraction), total)
    total = np.where(reflected & (fraction == 0), np.nan, total)
    total = np.where(wide == 0, -np.copysign(np.inf, wide), total)
    return np.where(wide == -np.inf, np.nan, np.where(wide == np.inf, np.inf, total)).astype(
        x.dtype
    )


digamma = Elementwise(
    "digamma",
    FLOAT,
    """The derivative of log Gamma(x); -+inf at +-0, nan at the negative integers.""",
    reference=_digamma_reference,
    jvp=lambda x, dx: mul(dx, polygamma(full_like(x, 1), x)),
    loops=lambda b, x: b.op("digamma", x),
)

# --- zeta and polygamma

#: B_2k / (2k)! for k = 1, 2, ...: the corrections of the Euler-Maclaurin formula.
_EULER_MACLAURIN = (
    0.0833333333333333333, -0.00138888888888888889, 0.0000330687830687830688,
    -8.2671957671957672e-7, 2.0876756987868099e-8, -5.28419013868749318e-10,
    1.33825365306846788e-11, -3.38968029632258287e-13, 8.58606205627784456e-15,
    -2.17486869855806187e-16, 5.50900282836022952e-18, -1.39544646858125233e-19,
)  # fmt: skip
_TERMS = 12


def _hurwitz(s: Number, q: Number) -> Number:
    """The sum over k >= 0 of (q + k)^-s for s > 1 and q > 0: some terms, the integral of the rest,
    corrections."""
    total = q.call("pow", -s)
    for k in range(1, _TERMS):
        total = total + (q + k).call("pow", -s)
    end = q + _TERMS
    power = end.call("pow", -s)
    total = total + power * end / (s - 1) + power * 0.5
    square = 1 / (end * end)
    factor = s * power / end
    for k, c in enumerate(_EULER_MACLAURIN):
        total = total + factor * c
        factor = factor * (s + (2 * k + 1)) * (s + (2 * k + 2)) * square
    return total


def _zeta_formula(s: Number, q: Number) -> Number:
    inside = (s > 1) & (q > 0)
    value = _hurwitz(where(inside, s, 2.0), where(inside, q, 1.0))
    pole = (s.equals(1)) | ((s > 1) & (q <= 0) & q.call("floor").equals(q))
    value = where(
        inside & s.equals(scalar_math.inf),
        where(q < 1, scalar_math.inf, where(q > 1, 0.0, 1.0)),
        value,
    )
    value = where(inside & q.equals(scalar_math.inf), 0.0, value)
    return where(inside, value, where(pole, scalar_math.inf, scalar_math.nan))


def _zeta_jvp_q(s: Any, q: Any, dq: Any) -> Any:
    return neg(mul(dq, mul(s, zeta(add(s, full_like(s, 1)), q))))


_NO_ORDER = "needs a constant order; got one that is differentiated"

zeta = Elementwise(
    "zeta",
    FLOAT,
    """Hurwitz' zeta function, the sum over k >= 0 of (q + k)^-s, for s > 1 and q > 0; inf at
    poles.""",
    reference=on_numpy(_zeta_formula),
    jvp=(Undefined(f"zeta: {_NO_ORDER}"), _zeta_jvp_q),
    loops=on_elements(_zeta_formula),
    arity=2,
)


def _polygamma_formula(m: Number, x: Number) -> Number:
    negative = x < 0
    order = where(m >= 1, m, 1.0)
    mirrored = where(negative, 1 - x, x)
    odd = (order * 0.5).call("floor") * 2 < order
    size = (order + 1).call("lgamma").call("exp") * _zeta_formula(order + 1, mirrored)
    value = where(odd, size, -size)
    # psi_m(1 - x) + (-1)^(m+1) psi_m(x) = (-1)^m pi times the m-th derivative of cot(pi x)
    fraction = (x - (x + 0.5).call("floor")) * scalar_math.pi
    sine, cosine = fraction.call("sin"), fraction.call("cos")
    first = scalar_math.pi**2 / (sine * sine) - value
    second = value - 2 * scalar_math.pi**3 * cosine / (sine * sine * sine)
    reflected = where(m.equals(1), first, where(m.equals(2), second, scalar_math.nan))
    pole = where(odd, scalar_math.inf, -scalar_math.inf)
    value = where(negative, where(x.call("floor").equals(x), pole, reflected), value)
    valid = (m >= 0) & m.call("floor").equals(m)
    return where(m.equals(0), x.call("digamma"), where(valid, value, scalar_math.nan))


def _polygamma_jvp(m: Any, x: Any, dx: Any) -> Any:
    return mul(dx, polygamma(add(m, full_like(m, 1)), x))


polygamma = Elementwise(
    "polygamma",
    FLOAT,
    """The derivative of order m + 1 of log Gamma(x), m = 0, 1, ...; for x < 0 up to m = 2.""",
    reference=on_numpy(_polygamma_formula),
    jvp=(Undefined(f"polygamma: {_NO_ORDER}"), _polygamma_jvp),
    loops=on_elements(_polygamma_formula),
    arity=2,
)

# --- scaled Bessel functions: Chebyshev series in |x| up to 8, in 8 / |x| beyond

_I0_NEAR = (
    0.676795274409476085, -0.304682672343198399, 0.171620901522208775, -0.0949010970480476444,
    0.0493052842396707085, -0.0237374148058994688, 0.0105464603945949983, -0.00432430999505057594,
    0.0016394756169413358, -0.000576375574538582366, 0.000188502885095841656,
    -0.000057541950100821037, 0.0000164484480707288971, -4.41673835845875056e-6,
    1.11738753912010372e-6, -2.67079385394061173e-7, 6.04699502254191895e-8,
    -1.30002500998624804e-8, 2.65982372468238665e-9, -5.18979560163526291e-10,
    9.67580903537323691e-11, -1.72682629144155571e-11, 2.95505266312963983e-12,
    -4.85644678311192946e-13, 7.67618549860493562e-14, -1.16853328779934517e-14,
    1.71539128555513303e-15, -2.43127984654795469e-16, 3.3307945188222381e-17,
    -4.41534164647933938e-18,
)  # fmt: skip
_I0_FAR = (
    0.804490411014108832, 0.00336911647825569409, 0.0000688975834691682398, 2.89137052083475648e-6,
    2.04891858946906374e-7, 2.26666899049817806e-8, 3.39623202570838635e-9, 4.94060238822496959e-10,
    1.18891471078464383e-11, -3.14991652796324136e-11, -1.32158118404477131e-11,
    -1.79417853150680612e-12, 7.18012445138366623e-13, 3.8527783827421427e-13,
    1.54008621752140983e-14, -4.15056934728722209e-14, -9.55484669882830765e-15,
    3.81168066935262242e-15, 1.77256013305652638e-15, -3.42548561967721913e-16,
    -2.82762398051658348e-16, 3.46122286769746109e-17, 4.46562142029676e-17,
    -4.83050448594418207e-18, -7.23318048787475395e-18, 9.9214754121736986e-19,
    1.19365089084598209e-18,
)  # fmt: skip
_I1_NEAR = (
    0.252587186443633655, -0.176416518357834055, 0.102643658689847095, -0.0529459812080949914,
    0.0247264490306265168, -0.0105640848946261982, 0.00415642294431288816, -0.00151357245063125315,
    0.000512285956168575773, -0.000161760815825896746, 0.0000478156510755005423,
    -0.0000132731636560394358, 3.47025130813767848e-6, -8.56872026469545474e-7,
    2.00329475355213526e-7, -4.44505912879632808e-8, 9.38153738649577178e-9,
    -1.88724975172282929e-9, 3.62559028155211704e-10, -6.66348972350202774e-11,
    1.17361862988909016e-11, -1.98397439776494372e-12, 3.22379336594557471e-13,
    -5.04218550472791169e-14, 7.60068429473540693e-15, -1.10559694773538631e-15,
    1.55363195773620047e-16, -2.11142121435816608e-17, 2.77791411276104637e-18,
)  # fmt: skip
_I1_FAR = (
    0.77857623501828012, -0.00976109749136146841, -0.000110588938762623716, -3.88256480887769039e-6,
    -2.51223623787020893e-7, -2.63146884688951951e-8, -3.83538038596423702e-9,
    -5.58974346219658381e-10, -1.89749581235054123e-11, 3.25260358301548824e-11,
    1.41258074366137813e-11, 2.03562854414708951e-12, -7.19855177624590851e-13,
    -4.08355111109219732e-13, -2.10154184277266431e-14, 4.27244001671195135e-14,
    1.04202769841288028e-14, -3.8144030724370078e-15, -1.88035477551078245e-15,
    3.30820231092092828e-16, 2.96262899764595014e-16, -3.20952592199342396e-17,
    -4.65030536848935833e-17, 4.41434832307170795e-18, 7.51729631084210481e-18,
    -9.31417886732688338e-19, -1.24219327519489096e-18,
)  # fmt: skip


def _chebyshev(x: Number, coefficients: tuple[float, ...]) -> Number:
    """Clenshaw's recurrence for c_0 / 2 + sum of c_k T_k(x)."""
    twice = x * 2
    high: Any = 0.0
    higher: Any = 0.0
    for c in reversed(coefficients[1:]):
        high, higher = twice * high - higher + c, high
    return x * high - higher + coefficients[0] / 2


def _i0e_formula(x: Number) -> Number:
    size = x.call("abs")
    near = size <= 8
    small, large = where(near, size, 8.0), where(near, 8.0, size)
    far = _chebyshev(16 / large - 1, _I0_FAR) / large.call("sqrt")
    return where(near, _chebyshev(small * 0.25 - 1, _I0_NEAR), far)


def _i1e_formula(x: Number) -> Number:
    size = x.call("abs")
    near = size <= 8
    small, large = where(near, size, 8.0), where(near, 8.0, size)
    far = _chebyshev(16 / large - 1, _I1_FAR) / large.call("sqrt")
    value = where(near, _chebyshev(small * 0.25 - 1, _I1_NEAR) * small, far)
    return where(x < 0, -value, value)


bessel_i0e = Elementwise(
    "bessel_i0e",
    FLOAT,
    """e^-|x| I_0(x), the modified Bessel function of order 0, scaled.""",
    reference=on_numpy(_i0e_formula),
    jvp=lambda x, dx, *, out: mul(dx, sub(bessel_i1e(x), mul(sign_of(x), out))),
    loops=on_elements(_i0e_formula),
    arity=1,
)


def _i1e_jvp(x: Any, dx: Any, *, out: Any) -> Any:
    # I_1'(x) = I_0(x) - I_1(x) / x, and 1 / 2 at 0
    small = eq(x, full_like(x, 0))
    safe = select_n(small, x, full_like(x, 1))
    slope = sub(bessel_i0e(x), mul(out, add(sign_of(x), integer_pow(safe, y=-1))))
    return mul(dx, select_n(small, slope, full_like(x, 0.5)))


bessel_i1e = Elementwise(
    "bessel_i1e",
    FLOAT,
    """e^-|x| I_1(x), the modified Bessel function of order 1, scaled.""",
    reference=on_numpy(_i1e_formula),
    jvp=_i1e_jvp,
    loops=on_elements(_i1e_formula),
    arity=1,
)
