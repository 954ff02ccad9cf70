"""Exponential, sine and cosine integrals."""

from __future__ import annotations

import math
from typing import Any

from vires.control.custom_jvp import custom_jvp
from vires.lax import special as lax_special
from vires.numpy.arithmetic import maximum
from vires.numpy.choosing import where
from vires.numpy.float_parts import copysign, floor
from vires.numpy.transcendental import cos, exp, log, sin
from vires.numpy.ufunc import elementwise
from vires.scipy.special.gammas import _gamma
from vires.scipy.special.series import chebyshev, polynomial

__all__ = ["exp1", "expi", "expn", "sici"]

#: x e^x E1(x) for x >= 1, in (x - 5) / (x + 3).
_E1 = (
    0.8263723026492102, 0.1958583132635064, -0.026894668628431005, 0.005650920923667242,
    -0.0012248874409872107, 0.0002963682050314543, -7.354170511954446e-05, 1.9200442647910543e-05,
    -5.102466192955602e-06, 1.3966866746650878e-06, -3.8714588045131933e-07,
    1.0943496387326321e-07, -3.1218246954452045e-08, 9.031983574168742e-09,
    -2.630915567444214e-09, 7.746657094425125e-10, -2.2926363114151812e-10, 6.844134829636496e-11,
    -2.0509616992656905e-11, 6.190871249339523e-12, -1.8739284479680637e-12,
    5.708361818102102e-13, -1.742168586963309e-13, 5.347901647589477e-14, -1.6433673107223802e-14,
    5.077951175380879e-15, -1.5693806911996477e-15, 4.877380472046749e-16,
    -1.5146433273776485e-16, 4.7316605681231224e-17, -1.4752414752051948e-17,
    4.630626786355439e-18,
)  # fmt: skip
#: x e^-x Ei(x) for x in [6, 14], [14, 40], [40, inf), in 1 / x.
_EI_6 = (
    1.1757302663190548, 0.0978044812311918, 0.00640321134684211, -0.000832166201060005,
    -0.00025260555146155284, 2.543004558306094e-05, 6.837628835007845e-06, -1.637448680718268e-06,
    -7.385386634892699e-09, 6.201927356112897e-08, -1.2088845608736278e-08, 2.649444089061592e-10,
    4.0804247488987846e-10, -1.1221835531202972e-10, 1.315871682598255e-11, 9.065366849781089e-13,
    -7.841633241311534e-13, 1.9012242061977802e-13, -2.4481343288256485e-14,
    -3.465368024633261e-16, 1.1100663184713337e-15, -3.3419093746735116e-16, 6.07144206513148e-17,
    -5.79174658912142e-18,
)  # fmt: skip
_EI_14 = (
    1.054661429217968, 0.0292088962049932, 0.0009558646693560947, 5.9122410237888115e-05,
    5.7614204025026655e-06, 5.130317108645894e-07, -3.590796127440815e-08,
    -2.7659867885503938e-08, -3.441026682247417e-09, 7.646551566337104e-10,
    2.1557099372465776e-10, -2.821608667795147e-11, -1.0587508799523433e-11,
    1.7581440729305076e-12, 4.4209083253740687e-13, -1.311782084971839e-13,
    -9.442803421343937e-15, 8.423941942357955e-15, -7.401041678222312e-16,
    -3.5000074293299814e-16, 1.0645494183988829e-16, -1.0188862235628346e-18,
    -5.957464763571333e-18,
)  # fmt: skip
_EI_40 = (
    1.013000946388941, 0.013173609544194371, 0.00017620552371111085, 3.642352053413062e-06,
    1.0363147927429254e-07, 3.813480680688831e-09, 1.747202457794016e-10, 9.723024129155511e-12,
    6.466039306640236e-13, 5.0886257016631476e-14, 4.721533478404251e-15, 5.180722800738425e-16,
    6.776097942327009e-17, 1.0570669943310718e-17,
)  # fmt: skip
#: x f(x) and x x g(x) for x >= 4, in 1 / x; f and g are the auxiliary functions of Si and Ci.
_SICI_F = (
    0.9657882803518518, -0.04306083777859673, -0.0073143711748104604, 0.0014705235789868065,
    -9.865768573270021e-05, -2.2743202204655084e-05, 9.824025732252542e-06,
    -1.8973430148713314e-06, 1.0063435941557782e-07, 8.081936482223934e-08,
    -3.897628287528703e-08, 1.0335650325496575e-08, -1.4104344875897322e-09,
    -2.5232078399681215e-10, 2.5699831325960386e-10, -1.0597889253948041e-10,
    2.8970031570213236e-11, -4.102314256308394e-12, -1.043769373001714e-12,
    1.0994184520546131e-12, -5.221423940167697e-13, 1.7469920787828189e-13,
    -3.847001297927936e-14, 2.019336575938349e-16, 5.3597651042951875e-15, -3.560597619251265e-15,
    1.5788176326315111e-15, -5.254708003585182e-16, 1.1378470978948794e-16, 5.124969135545458e-18,
    -2.2444159142740535e-17, 1.531656267426745e-17,
)  # fmt: skip
_SICI_G = (
    0.9120488255296583, -0.10747890964438707, -0.01404286291238314, 0.004959203454074631,
    -0.000626917804674495, -4.265656719237363e-05, 4.468251737429416e-05, -1.270160466224565e-05,
    1.772698940815955e-06, 2.2043478749784e-07, -2.3697231484697015e-07, 8.841029352622145e-08,
    -2.0102731016250395e-08, 1.2607667303778686e-09, 1.4522796339583887e-09,
    -9.189905693829435e-10, 3.421212376955444e-10, -8.473227089714627e-11, 6.853465057433955e-12,
    6.895551007483481e-12, -5.172112547290158e-12, 2.2988935694963685e-12, -7.366187312609663e-13,
    1.4374902679539462e-13, 1.562802161435327e-14, -3.291176313099604e-14, 2.0193334153749085e-14,
    -8.772501117980243e-15, 2.8684941277420938e-15, -5.747615919483298e-16,
    -7.763005087521806e-17, 1.5864200232171503e-16, -1.0448541074072931e-16,
    4.989539828331736e-17, -1.8666002312057746e-17,
)  # fmt: skip
_GAMMA = 0.5772156649015328606
#: The sum of (-x)^k / (k k!) for k >= 1, divided by -x.
_NEAR = tuple((-1) ** k / ((k + 1) * math.factorial(k + 1)) for k in range(20))
_EI_NEAR = tuple(1 / ((k + 1) * math.factorial(k + 1)) for k in range(40))
_SI_NEAR = tuple((-1) ** k / ((2 * k + 1) * math.factorial(2 * k + 1)) for k in range(18))
_CI_NEAR = tuple((-1) ** k / (2 * k * math.factorial(2 * k)) for k in range(1, 19))
#: Terms of the continued fraction of `expn`: enough for x = 1 in float64.
_FRACTION = 90


def _exp1_of_positive(x: Any) -> Any:
    small = x < 1
    near_x, far_x = where(small, x, 1), where(small, 1, x)
    near = near_x * polynomial(near_x, _NEAR) - _GAMMA - log(near_x)
    bounded = where(far_x < 1e30, far_x, 1e30)
    far = exp(-far_x) / far_x * chebyshev((bounded - 5) / (bounded + 3), _E1)
    return where(small, near, far)


def _ei_of_positive(x: Any) -> Any:
    small = x < 6
    near_x, far_x = where(small, x, 1), where(small, 6, x)
    near = _GAMMA + log(near_x) + near_x * polynomial(near_x, _EI_NEAR)
    inverse = 1 / far_x
    # 1 / x of each interval, brought to [-1, 1]
    first = chebyshev((2 * inverse - (1 / 14 + 1 / 6)) / (1 / 6 - 1 / 14), _EI_6)
    second = chebyshev((2 * inverse - (1 / 40 + 1 / 14)) / (1 / 14 - 1 / 40), _EI_14)
    third = chebyshev(80 * inverse - 1, _EI_40)
    value = where(far_x < 14, first, where(far_x < 40, second, third))
    half = exp(0.5 * far_x)
    far = half * (value * inverse) * half
    return where(small, near, where(x == math.inf, math.inf, far))


@custom_jvp
def _exp1(x: Any) -> Any:
    positive = x >= 0
    value = _exp1_of_positive(where(positive, x, 1))
    return where(positive, value, where(x != x, x, math.nan))


_exp1.defjvps(lambda dx, out, x: dx * (-exp(-x) / x))


@elementwise("inexact")
def exp1(x):
    """The exponential integral, of e^-t / t from x to infinity, for x >= 0; nan below."""
    return _exp1(x)


@custom_jvp
def _expi(x: Any) -> Any:
    negative = x < 0
    left = -_exp1_of_positive(where(negative, -x, 1))
    return where(negative, left, where(x != x, x, _ei_of_positive(where(negative, 1, x))))


_expi.defjvps(lambda dx, out, x: dx * (exp(x) / x))


@elementwise("inexact")
def expi(x):
    """The exponential integral Ei(x), the principal value of that of e^t / t up to x."""
    return _expi(x)


def _expn_value(n: Any, x: Any) -> Any:
    large = x > 1
    inside = where(large, x, 2)
    # The continued fraction, from its end.
    total = inside + n + 2 * _FRACTION
    for k in range(_FRACTION, 0, -1):
        total = inside + n + (2 * k - 2) - k * (n + (k - 1)) / total
    far = exp(-inside) / total
    small = where(large | (x == 0), 1, x)
    special = maximum(n - 1, 0)
    harmonic = lax_special.digamma(special + 1) - log(small)
    sign = where(floor(special * 0.5) * 2 == special, 1, -1)
    near = sign * exp(special * log(small)) / _gamma(special + 1) * harmonic
    power = small * 0 + 1
    for m in range(20):
        order = m - n + 1
        near = near - where(order == 0, 0, power / where(order == 0, 1, order))
        power = power * -small / (m + 1)
    at_zero = where(n > 1, 1 / where(n > 1, n - 1, 1), math.inf)
    value = where(large, far, where(x == 0, at_zero, near))
    value = where(n == 0, exp(-x) / x, value)
    value = where(x == math.inf, 0, value)
    outside = (n < 0) | (x < 0) | (floor(n) != n) | (n != n) | (x != x)
    return where(outside, math.nan, value)


@custom_jvp
def _expn(n: Any, x: Any) -> Any:
    return _expn_value(n, x)


_expn.defjvps(None, lambda dx, out, n, x: dx * -_expn(n - 1, x))


@elementwise("inexact")
def expn(n, x):
    """The integral of e^(-x t) / t^n from 1 to infinity, for n = 0, 1, ... and x >= 0."""
    return _expn(n, x)


@custom_jvp
def _sici(x: Any) -> tuple[Any, Any]:
    size = abs(x)
    near = size <= 4
    small, large = where(near, size, 1), where(near, 4, size)
    square = small * small
    si_near = small * polynomial(square, _SI_NEAR)
    ci_near = _GAMMA + log(small) + square * polynomial(square, _CI_NEAR)
    inverse = 1 / large
    place = 8 * inverse - 1
    f = inverse * chebyshev(place, _SICI_F)
    g = inverse * inverse * chebyshev(place, _SICI_G)
    bounded = where(large < math.inf, large, 0)
    cosine, sine = cos(bounded), sin(bounded)
    si_far = math.pi / 2 - f * cosine - g * sine
    ci_far = f * sine - g * cosine
    si = copysign(where(near, si_near, si_far), x)
    ci = where(near, ci_near, ci_far)
    return where(x != x, x, si), where(x < 0, math.nan, where(x != x, x, ci))


@_sici.defjvp
def _sici_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    safe = where(x == 0, 1, x)
    return _sici(x), (dx * where(x == 0, 1, sin(safe) / safe), dx * (cos(x) / x))


@elementwise("inexact")
def sici(x):
    """(Si(x), Ci(x)), the sine integral and the cosine integral; Ci is nan for x < 0."""
    return _sici(x)
