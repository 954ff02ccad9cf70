"""The functions whose polynomials `minimax.py` derives: g, interval, degree, dtype, weight.

With g singular or 0/0 at an end of the interval, the interval starts a little later; the weight,
which is the error's share in the final result, is next to nothing there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
from mpmath import mpf

Function = Callable[[mpf], mpf]

# Arguments of sine and cosine are reduced to a quarter turn; a little more for the rounded
# quotient.
_QUARTER = 0.79
_TANGENT = 0.787
# Half of log 2, and a little.
_HALF_LOG = 0.3475


def of_square(function: Function) -> Function:
    """(f(x) / x - 1) / x^2 as a function of x^2: f(x) = x + x^3 P(x^2)."""

    def g(z: mpf) -> mpf:
        x = mpmath.sqrt(z)
        return (function(x) / x - 1) / z

    return g


def _cos(z: mpf) -> mpf:
    return (mpmath.cos(mpmath.sqrt(z)) - 1) / z


def _exp(r: mpf) -> mpf:
    return (mpmath.expm1(r) - r) / r**2


def _exp2(r: mpf) -> mpf:
    return mpmath.expm1(r * mpmath.log(2)) / r


def _log(f: mpf) -> mpf:
    return (mpmath.log1p(f) - f + f * f / 2) / f**3


def _log_ratio(z: mpf) -> mpf:
    """log((1 + s) / (1 - s)) = 2 s + s^3 P(s^2)."""
    s = mpmath.sqrt(z)
    return (mpmath.log((1 + s) / (1 - s)) - 2 * s) / s**3


def _log_ratio_tail(z: mpf) -> mpf:
    """What follows 2/3 in P above, divided by s^2."""
    return (_log_ratio(z) - mpf(2) / 3) / z


def _erf(z: mpf) -> mpf:
    x = mpmath.sqrt(z)
    return mpmath.erf(x) / x - 1


def _scaled_erfc(t: mpf) -> mpf:
    """(1 + 2 x) exp(x^2) erfc(x) for t = (x - 3.75) / (x + 3.75)."""
    x = mpf("3.75") * (1 + t) / (1 - t)
    if x > 12:
        # A continued fraction of exp(x^2) erfc(x) sqrt(pi).
        tail = mpf(0)
        for k in range(200, 0, -1):
            tail = mpf(k) / 2 / (x + tail)
        return (1 + 2 * x) / (mpmath.sqrt(mpmath.pi) * (x + tail))
    return (1 + 2 * x) * mpmath.exp(x * x) * mpmath.erfc(x)


def _erf_inv_of_w(w: mpf) -> mpf:
    """erfinv(x) / x for x = sqrt(1 - exp(-w)), by Newton's method on erfc."""
    q = mpmath.exp(-w)
    x = mpmath.sqrt(-mpmath.expm1(-w))
    complement = q / (1 + x)
    y = mpmath.sqrt(w) * mpf("0.8") if w > 5 else x
    for _ in range(60):
        slope = -2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-y * y)
        # erfc in logarithms converges from afar.
        value = mpmath.erfc(y)
        step = value * mpmath.log(value / complement) / slope
        y -= step
        if abs(step) < mpf(10) ** -36 * abs(y):
            break
    return y / x


def _lgamma(u: mpf) -> mpf:
    """log gamma(x) / ((x - 1) (x - 2)) for x = u + 3/2."""
    return mpmath.loggamma(u + mpf("1.5")) / ((u + mpf("0.5")) * (u - mpf("0.5")))


def _central(center: float) -> Function:
    return lambda u: _erf_inv_of_w(u + center)


def _rooted(center: float) -> Function:
    return lambda u: _erf_inv_of_w((u + center) ** 2)


def _linear(z: mpf) -> mpf:
    return z


def _square(r: mpf) -> mpf:
    return r * r


def entry(
    g: Function, low: float, high: float, degree: int, dtype: str, weight: Function, **more: Any
) -> dict[str, Any]:
    return {
        "g": g,
        "lowest": low,
        "highest": high,
        "degree": degree,
        "dtype": dtype,
        "weight": weight,
        **more,
    }


FUNCTIONS: dict[str, dict[str, Any]] = {
    # sin x = x + x^3 P(x^2), cos x = 1 + x^2 P(x^2), tan, atan, asin as sin.
    "SIN_F32": entry(of_square(mpmath.sin), 1e-4, _QUARTER**2, 2, "f", _linear),
    "COS_F32": entry(_cos, 1e-4, _QUARTER**2, 3, "f", _linear, fixed=(-0.5,)),
    "SIN_F64": entry(of_square(mpmath.sin), 1e-6, _QUARTER**2, 5, "d", _linear),
    "COS_F64": entry(_cos, 1e-6, _QUARTER**2, 6, "d", _linear, fixed=(-0.5,)),
    "TAN_F32": entry(of_square(mpmath.tan), 1e-4, _TANGENT**2, 6, "f", _linear),
    "TAN_F64": entry(of_square(mpmath.tan), 1e-6, _TANGENT**2, 14, "d", _linear),
    "ATAN_F32": entry(of_square(mpmath.atan), 1e-4, 0.446, 6, "f", _linear),
    "ATAN_F64": entry(of_square(mpmath.atan), 1e-6, 0.446, 14, "d", _linear),
    "ASIN_F32": entry(of_square(mpmath.asin), 1e-4, 0.25, 5, "f", _linear),
    "ASIN_F64": entry(of_square(mpmath.asin), 1e-6, 0.25, 12, "d", _linear),
    "SINH_F32": entry(of_square(mpmath.sinh), 1e-4, 1.0, 3, "f", _linear),
    "SINH_F64": entry(of_square(mpmath.sinh), 1e-6, 1.0, 6, "d", _linear),
    "ATANH_F32": entry(of_square(mpmath.atanh), 1e-4, 0.26, 7, "f", _linear),
    "ATANH_F64": entry(of_square(mpmath.atanh), 1e-6, 0.26, 15, "d", _linear),
    # exp r = 1 + r + r^2 P(r); 2^r = 1 + r P(r)
    "EXP_F32": entry(_exp, -_HALF_LOG, _HALF_LOG, 4, "f", _square),
    "EXP_F64": entry(_exp, -_HALF_LOG, _HALF_LOG, 9, "d", _square),
    "EXP2_F32": entry(_exp2, -0.5, 0.5, 5, "f", abs),
    "EXP2_F64": entry(_exp2, -0.5, 0.5, 11, "d", abs),
    # log(1 + f) = f - f^2 / 2 + f^3 P(f); log((1 + s) / (1 - s)) = 2 s + s^3 P(s^2)
    "LOG_F32": entry(_log, -0.293, 0.4143, 8, "f", _square),
    "LOG_F64": entry(_log_ratio, 1e-6, 0.02945, 6, "d", _linear),
    "LOG_TAIL_F32": entry(_log_ratio_tail, 1e-5, 0.02945, 2, "f", _square),
    "LOG_TAIL_F64": entry(_log_ratio_tail, 1e-6, 0.02945, 7, "d", _square),
    # erf x = x + x P(x^2); (1 + 2 x) exp(x^2) erfc x = P((x - 3.75) / (x + 3.75))
    "ERF_F32": entry(_erf, 1e-6, 1.0, 6, "f", lambda z: mpf(1)),
    "ERF_F64": entry(_erf, 1e-8, 1.0, 12, "d", lambda z: mpf(1)),
    "ERFC_F32": entry(_scaled_erfc, -1.0, 0.47, 11, "f", lambda t: mpf(1), split=True),
    "ERFC_F64": entry(_scaled_erfc, -1.0, 0.76, 24, "d", lambda t: mpf(1), split=True),
    # log gamma(x) = (x - 1) (x - 2) P(x - 3/2)
    "LGAMMA_F64": entry(_lgamma, -0.49999, 0.49999, 20, "d", lambda u: mpf(1)),
    # erfinv x = x P, in w = -log(1 - x^2) or its root, from the middle of the interval.
    "ERF_INV_CENTRAL_F64": entry(_central(3.125), -3.125 + 1e-9, 3.125, 23, "d", lambda u: mpf(1)),
    "ERF_INV_MIDDLE_F64": entry(_rooted(3.25), -0.75, 0.75, 18, "d", lambda u: mpf(1)),
    "ERF_INV_FAR_F64": entry(_rooted(5.03), -1.03, 1.03, 20, "d", lambda u: mpf(1)),
}
