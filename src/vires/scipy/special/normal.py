"""The error function and its kin, and the distribution function of the normal distribution."""

from __future__ import annotations

import math
from typing import Any

from vires.control.custom_jvp import custom_jvp
from vires.numpy.arithmetic import sqrt
from vires.numpy.choosing import where
from vires.numpy.float_parts import copysign, floor
from vires.numpy.transcendental import exp, log, log1p
from vires.numpy.ufunc import elementwise
from vires.ops import math as math_ops
from vires.scipy.special.series import chebyshev

__all__ = ["dawsn", "erf", "erfc", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri"]

_HALF_ROOT = math.sqrt(0.5)
_SQRT_PI = math.sqrt(math.pi)

#: (1 + 2 x) erfcx(x) in (x - 4) / (x + 4), for x >= 0.
_ERFCX = (
    1.1774832005374487, -0.007260796620301901, -0.081265123236185, 0.06009212804122225,
    -0.02875393558027666, 0.01059566336347286, -0.003136927294554264, 0.0007456494372536184,
    -0.0001369696503010054, 1.7183861600300937e-05, -7.158364623450346e-07,
    -2.4261399442449534e-07, 5.5765709395703566e-08, -2.1057869513809494e-09,
    -1.1717889351884957e-09, 1.9098355172456688e-10, 1.408871764208813e-11,
    -6.901108320480815e-12, 9.167958364111294e-14, 2.1454508286554553e-13,
    -1.4716575027010623e-14, -6.668675118770408e-15, 7.504598509880083e-16, 2.22009300666632e-16,
    -3.1704898956330886e-17, -8.193570309884333e-18,
)  # fmt: skip
#: Rybicki's sum of shifted Gaussians for Dawson's integral has this step and this many terms.
_STEP = 0.25
_SHIFTS = tuple(range(-25, 27, 2))


@elementwise("inexact")
def erf(x):
    """The error function 2 / sqrt(pi) times the integral of e^(-t t) from 0 to x."""
    return math_ops.erf(x)


@elementwise("inexact")
def erfc(x):
    """1 - erf(x), accurate for large x."""
    return math_ops.erfc(x)


@elementwise("inexact")
def erfinv(x):
    """The number whose erf is x; +-inf at +-1, nan outside."""
    return math_ops.erf_inv(x)


def _erfcx_of_positive(x: Any) -> Any:
    bounded = where(x < 1e30, x, 1e30)
    value = chebyshev((bounded - 4) / (bounded + 4), _ERFCX) / (1 + 2 * bounded)
    return where(x < 1e30, value, 1 / (_SQRT_PI * x))


@custom_jvp
def _erfcx(x: Any) -> Any:
    value = _erfcx_of_positive(abs(x))
    small = where(x < 0, x, 0)
    return where(x < 0, 2 * exp(small * small) - value, value)


_erfcx.defjvps(lambda dx, out, x: dx * (2 * x * out - 2 / _SQRT_PI))


@elementwise("inexact")
def erfcx(x):
    """exp(x x) erfc(x), without underflow for large x; inf for very negative x."""
    return _erfcx(x)


@custom_jvp
def _dawsn(x: Any) -> Any:
    size = abs(x)
    near, far = size < 0.3, size > 1e3
    small = where(near, size, 0)
    square = small * small
    term = series = small
    for k in range(1, 9):  # D = x sum of (-2 x x)^k / (3 5 ... (2 k + 1))
        term = term * square * (-2 / (2 * k + 1))
        series = series + term
    middle = where(near | far, 1, size)
    center = 2 * floor((0.5 / _STEP) * middle + 0.5)
    rest = middle - center * _STEP
    total = middle * 0
    for shift in _SHIFTS:
        distance = rest - shift * _STEP
        total = total + exp(-distance * distance) / (center + shift)
    large = where(far, size, 1)
    value = where(far, 0.5 / large * (1 + 0.5 / large / large), total / _SQRT_PI)
    return copysign(where(near, series, value), x)


_dawsn.defjvps(lambda dx, out, x: dx * (1 - 2 * x * out))


@elementwise("inexact")
def dawsn(x):
    """Dawson's integral: e^(-x x) times the integral of e^(t t) from 0 to x."""
    return _dawsn(x)


# --- the normal distribution


def _ndtr(x: Any) -> Any:
    return 0.5 * math_ops.erfc(x * -_HALF_ROOT)


@elementwise("inexact")
def ndtr(x):
    """The distribution function of the standard normal distribution, accurate in the lower tail.

    >>> from vires.scipy import special
    >>> special.ndtr(0.0).item()
    0.5
    """
    return _ndtr(x)


@custom_jvp
def log_ndtr_body(x: Any) -> Any:
    """`log_ndtr` of an operand that is prepared."""
    low = x < -1
    safe = where(low, x, -1)
    tail = log(0.5 * _erfcx_of_positive(safe * -_HALF_ROOT)) - 0.5 * safe * safe
    body = log1p(-0.5 * math_ops.erfc(where(low, -1, x) * _HALF_ROOT))
    return where(low, tail, body)


def _log_ndtr_slope(dx: Any, out: Any, x: Any) -> Any:
    low = x < -1
    tail = math.sqrt(2 / math.pi) / _erfcx_of_positive(where(low, x, -1) * -_HALF_ROOT)
    safe = where(low, 0, x)
    body = exp(-0.5 * safe * safe) / (math.sqrt(2 * math.pi) * _ndtr(safe))
    return dx * where(low, tail, body)


log_ndtr_body.defjvps(_log_ndtr_slope)
_log_ndtr = elementwise("inexact", name="log_ndtr")(lambda x: log_ndtr_body(x))


def log_ndtr(x: Any, series_order: int = 3) -> Any:
    """The logarithm of `ndtr`, accurate in both tails, of which no series is needed."""
    return _log_ndtr(x)


@custom_jvp
def ndtri_body(p: Any) -> Any:
    """`ndtri` of an operand that is prepared."""
    upper = p > 0.5
    tail = where(upper, 1 - p, p)
    middle = (tail > 0.2) | ~(tail > 0)
    center = math_ops.erf_inv(where(middle, 2 * p - 1, 0)) * math.sqrt(2)
    safe = where(middle, 0.1, tail)
    goal = log(safe)
    r = sqrt(-2 * goal)
    # A rational approximation, then Halley's iteration on the logarithm.
    x = (2.515517 + r * (0.802853 + r * 0.010328)) / (
        1 + r * (1.432788 + r * (0.189269 + r * 0.001308))
    ) - r
    for _ in range(2):
        scaled = _erfcx_of_positive(x * -_HALF_ROOT)
        error = log(0.5 * scaled) - 0.5 * x * x - goal
        slope = math.sqrt(2 / math.pi) / scaled
        curvature = -slope * (x + slope)
        x = x - 2 * error * slope / (2 * slope * slope - error * curvature)
    return where(middle, center, where(upper, -x, x))


ndtri_body.defjvps(lambda dp, out, p: dp * (math.sqrt(2 * math.pi) * exp(0.5 * out * out)))


@elementwise("inexact")
def ndtri(p):
    """The number whose `ndtr` is p: -inf at 0, inf at 1, nan outside."""
    return ndtri_body(p)
