"""The functions whose polynomials `minimax.py` derives: g, interval, degree, dtype, weight."""

from __future__ import annotations

from typing import Any

import mpmath
from mpmath import mpf

# Arguments of sine and cosine are reduced to a quarter turn; a little more for the rounding of the quotient.
_QUARTER = 0.79


def _sin(z: mpf) -> mpf:
    x = mpmath.sqrt(z)
    return (mpmath.sin(x) / x - 1) / z


def _cos(z: mpf) -> mpf:
    return (mpmath.cos(mpmath.sqrt(z)) - 1) / z


FUNCTIONS: dict[str, dict[str, Any]] = {
    # sin x = x + x^3 P(x^2), cos x = 1 + x^2 P(x^2)
    "SIN_F32": dict(g=_sin, low=1e-4, high=_QUARTER**2, degree=2, dtype="f", weight=lambda z: z),
    "COS_F32": dict(g=_cos, low=1e-4, high=_QUARTER**2, degree=3, dtype="f", weight=lambda z: z, fixed=(-0.5,)),
    "SIN_F64": dict(g=_sin, low=1e-6, high=_QUARTER**2, degree=5, dtype="d", weight=lambda z: z),
    "COS_F64": dict(g=_cos, low=1e-6, high=_QUARTER**2, degree=6, dtype="d", weight=lambda z: z, fixed=(-0.5,)),
}
