"""The elementary functions on float32 and float64, by name."""

from __future__ import annotations

from collections.abc import Callable

from vires.engine.llvm import (
    math_error,
    math_exp,
    math_gamma,
    math_inverse_trig,
    math_log,
    math_power,
    math_trig,
)
from vires.engine.llvm.ssa import Val

REAL_MATH: dict[str, Callable[..., Val]] = {
    "exp": math_exp.exp,
    "exp2": math_exp.exp2,
    "expm1": math_exp.expm1,
    "logistic": math_exp.logistic,
    "tanh": math_exp.tanh,
    "sinh": math_exp.sinh,
    "cosh": math_exp.cosh,
    "log": math_log.log,
    "log2": math_log.log2,
    "log1p": math_log.log1p,
    "asinh": math_log.asinh,
    "acosh": math_log.acosh,
    "atanh": math_log.atanh,
    "sin": math_trig.sin,
    "cos": math_trig.cos,
    "tan": math_trig.tan,
    "asin": math_inverse_trig.asin,
    "acos": math_inverse_trig.acos,
    "atan": math_inverse_trig.atan,
    "atan2": math_inverse_trig.atan2,
    "pow": math_power.power,
    "rsqrt": math_power.rsqrt,
    "cbrt": math_power.cbrt,
    "erf": math_error.erf,
    "erfc": math_error.erfc,
    "erf_inv": math_error.erf_inv,
    "lgamma": math_gamma.lgamma,
    "digamma": math_gamma.digamma,
}
