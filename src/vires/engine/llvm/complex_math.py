"""Elementary functions of complex values, with NumPy's branch cuts and C's values at signed zeros.

complex64 is computed in complex128 and rounded once, but for the products of real functions (exp,
sin, cos, sinh, cosh). The inverse functions follow W. Kahan, "Branch cuts for complex elementary
functions".
"""

from __future__ import annotations

from collections.abc import Callable

from vires.engine.llvm.complex_ops import (
    absolute,
    divide,
    is_infinite,
    is_zero,
    make,
    multiply,
    negate,
    rescale,
    swap,
)
from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import FLOAT32, FLOAT64
from vires.engine.llvm.math_exp import EXPONENTS, clamp, exp_pair, scale
from vires.engine.llvm.math_exp import cosh as real_cosh
from vires.engine.llvm.math_exp import exp as real_exp
from vires.engine.llvm.math_exp import expm1 as real_expm1
from vires.engine.llvm.math_exp import sinh as real_sinh
from vires.engine.llvm.math_inverse_trig import atan2
from vires.engine.llvm.math_log import asinh as real_asinh
from vires.engine.llvm.math_log import log1p as real_log1p
from vires.engine.llvm.math_log import log_sum
from vires.engine.llvm.math_pairs import two_product, two_sum
from vires.engine.llvm.math_trig import cos as real_cos
from vires.engine.llvm.math_trig import sin as real_sin
from vires.engine.llvm.math_trig import tan as real_tan
from vires.engine.llvm.ssa import Builder, ComplexVal, Val

INFINITY = float("inf")
NAN = float("nan")
_HALF_PI = 1.5707963267948966
_LOG_SCALE = 415.88830833596717

Function = Callable[..., ComplexVal]


def _in_double(function: Function) -> Function:
    """The function in complex128, for complex64 by way of it."""

    def emit(code: Builder, *operands: ComplexVal) -> ComplexVal:
        if operands[0].re.kind is FLOAT64:
            return function(code, *operands)
        wide = [
            make(code.cast("fpext", z.re, FLOAT64), code.cast("fpext", z.im, FLOAT64))
            for z in operands
        ]
        result = function(code, *wide)
        parts = (code.cast("fptrunc", part, FLOAT32) for part in (result.re, result.im))
        return make(*parts)

    return emit


def _number(model: Val, value: float) -> Val:
    return model.code.number(value, model.kind, model.lanes)


@fragment
def exp(code: Builder, z: ComplexVal) -> ComplexVal:
    """e^x (cos y + i sin y), the factor 2^n of e^x applied last, so that it overflows late."""
    e = EXPONENTS[z.re.kind]
    (high, _), n = exp_pair(code, clamp(code, z.re, 1.8 * e.lowest, 1.8 * e.highest))
    cosine, sine = real_cos(code, z.im), real_sin(code, z.im)
    real, imag = scale(code, high * cosine, n), scale(code, high * sine, n)
    # e^-inf is 0 whatever y is; a real argument stays real; e^inf is infinite where y is not
    # finite.
    vanishes = z.re.compare("oeq", -INFINITY)
    finite = code.fabs(z.im) < INFINITY
    real = code.select(vanishes, code.select(finite, _number(z.re, 0.0) * cosine, 0.0), real)
    imag = code.select(vanishes, code.select(finite, _number(z.re, 0.0) * sine, 0.0), imag)
    grows = z.re.compare("oeq", INFINITY)
    real = code.select(grows, code.select(finite, cosine * INFINITY, INFINITY), real)
    imag = code.select(grows, sine * INFINITY, imag)
    is_real = z.im.compare("oeq", 0.0)
    real = code.select(is_real, real_exp(code, z.re), real)
    return make(real, code.select(is_real, z.im, imag))


@fragment
def sin(code: Builder, z: ComplexVal) -> ComplexVal:
    x, y = z.re, z.im
    real = real_sin(code, x) * real_cosh(code, y)
    imag = real_cos(code, x) * real_sinh(code, y)
    # 0 times infinity or nan is 0 here.
    real = code.select(x.compare("oeq", 0.0), x, real)
    return make(real, code.select(y.compare("oeq", 0.0) & imag.compare("uno", imag), y, imag))


@fragment
def cos(code: Builder, z: ComplexVal) -> ComplexVal:
    x, y = z.re, z.im
    real = real_cos(code, x) * real_cosh(code, y)
    imag = -(real_sin(code, x) * real_sinh(code, y))
    zero = x.compare("oeq", 0.0) | y.compare("oeq", 0.0)
    return make(real, code.select(zero & imag.compare("uno", imag), 0.0, imag))


def sinh(code: Builder, z: ComplexVal) -> ComplexVal:
    return swap(sin(code, swap(z)))


def cosh(code: Builder, z: ComplexVal) -> ComplexVal:
    """cos(iz)."""
    return cos(code, make(-z.im, z.re))


@fragment
def _tanh(code: Builder, z: ComplexVal) -> ComplexVal:
    x, y = z.re, z.im
    t = real_tan(code, y)
    one = _number(x, 1.0)
    beta = code.fma(t, t, one)
    s = real_sinh(code, clamp(code, x, -30.0, 30.0))
    rho = code.intrinsic("sqrt", code.fma(s, s, one))
    # Beyond a quarter turn of infinite tangent, beta s cancels: all over t^2.
    steep = code.fabs(t) > 1e150
    denominator = code.fma(beta * s, s, one)
    real = code.select(steep, rho / s, beta * rho * s / denominator)
    imag = code.select(steep, _number(x, 1.0) / (t * s * s), t / denominator)
    far = code.fabs(x) > 22.0
    shrunk = real_exp(code, -2.0 * code.fabs(x))
    far_imag = 4.0 * (real_sin(code, y) * real_cos(code, y)) * shrunk
    far_imag = code.select(far_imag.compare("uno", far_imag), 0.0, far_imag)
    real = code.select(far, code.intrinsic("copysign", one, x), real)
    imag = code.select(far, far_imag, imag)
    is_real = y.compare("oeq", 0.0)
    imag = code.select(is_real, y, imag)
    return make(code.select(is_real & x.compare("uno", x), x, real), imag)


def _tan(code: Builder, z: ComplexVal) -> ComplexVal:
    return swap(_tanh(code, swap(z)))


@fragment
def _expm1(code: Builder, z: ComplexVal) -> ComplexVal:
    half = real_sin(code, z.im * 0.5)
    real = code.fma(real_expm1(code, z.re), real_cos(code, z.im), -2.0 * (half * half))
    imag = real_exp(code, z.re) * real_sin(code, z.im)
    is_real = z.im.compare("oeq", 0.0)
    real = code.select(is_real, real_expm1(code, z.re), real)
    return make(real, code.select(is_real, z.im, imag))


def _log_size(code: Builder, z: ComplexVal) -> Val:
    """log |z|, all digits kept near |z| = 1."""
    x, y, inverse = rescale(code, z)
    square_x, error_x = two_product(code, x, x)
    square_y, error_y = two_product(code, y, y)
    total, error = two_sum(square_x, square_y)
    result = 0.5 * log_sum(code, total, error + (error_x + error_y))
    # The logarithm of the inverse factor, 2^600, 2^-600 or 1.
    shift = code.select(inverse > 1.0, _LOG_SCALE, _number(inverse, 0.0))
    result = result + code.select(inverse < 1.0, -_LOG_SCALE, shift)
    result = code.select(total.compare("oeq", 0.0), -INFINITY, result)
    result = code.select(total.compare("uno", total), NAN, result)
    return code.select(is_infinite(code, z), INFINITY, result)


@fragment
def _log(code: Builder, z: ComplexVal) -> ComplexVal:
    return make(_log_size(code, z), atan2(code, z.im, z.re))


@fragment
def _log1p(code: Builder, z: ComplexVal) -> ComplexVal:
    """With |1 + z|^2 - 1 = 2 x + x^2 + y^2 for small z."""
    x, y = z.re, z.im
    square_x, error_x = two_product(code, x, x)
    square_y, error_y = two_product(code, y, y)
    first, first_low = two_sum(x + x, square_x)
    second, second_low = two_sum(first, square_y)
    low = (first_low + second_low) + (error_x + error_y)
    total, total_low = two_sum(second, 1.0)
    near = 0.5 * log_sum(code, total, total_low + low)
    small = (code.fabs(x) < 0.5) & (code.fabs(y) < 0.7)
    shifted = make(x + 1.0, y)
    return make(
        code.select(small, near, _log_size(code, shifted)),
        atan2(code, y, shifted.re),
    )


@fragment
def _sqrt(code: Builder, z: ComplexVal) -> ComplexVal:
    """The root with a non-negative real part."""
    x, y, inverse = rescale(code, z)
    size = absolute(code, make(x, y))
    t = code.intrinsic("sqrt", 0.5 * (size + code.fabs(x)))
    other = y / (t + t)
    right = x >= 0.0
    root = code.intrinsic("sqrt", inverse)
    real = code.select(right, t, code.fabs(other)) * root
    imag = code.select(right, other, code.intrinsic("copysign", t, y)) * root
    zero = is_zero(code, z)
    real, imag = code.select(zero, 0.0, real), code.select(zero, z.im, imag)
    infinite = code.fabs(z.im).compare("oeq", INFINITY)
    return make(code.select(infinite, INFINITY, real), code.select(infinite, z.im, imag))


def _rsqrt(code: Builder, z: ComplexVal) -> ComplexVal:
    root = _sqrt(code, z)
    return divide(code, make(_number(z.re, 1.0), _number(z.re, 0.0)), root)


def _unless_infinite(
    code: Builder, z: ComplexVal, usual: ComplexVal, real: Val, imag: Val
) -> ComplexVal:
    """`usual`, but the given parts where a part of z is infinite."""
    infinite = is_infinite(code, z)
    return make(code.select(infinite, real, usual.re), code.select(infinite, imag, usual.im))


def _shifted_roots(code: Builder, z: ComplexVal) -> tuple[ComplexVal, ComplexVal]:
    """sqrt(1 - z) and sqrt(1 + z)."""
    minus = make(1.0 - z.re, -z.im)
    return _sqrt(code, minus), _sqrt(code, make(z.re + 1.0, z.im))


@fragment
def _asin(code: Builder, z: ComplexVal) -> ComplexVal:
    minus, plus = _shifted_roots(code, z)
    product = multiply(code, minus, plus)
    crossed = minus.re * plus.im - minus.im * plus.re
    usual = make(atan2(code, z.re, product.re), real_asinh(code, crossed))
    far = code.intrinsic("copysign", _number(z.im, INFINITY), z.im)
    return _unless_infinite(code, z, usual, atan2(code, z.re, code.fabs(z.im)), far)


@fragment
def _acos(code: Builder, z: ComplexVal) -> ComplexVal:
    minus, plus = _shifted_roots(code, z)
    crossed = plus.re * minus.im - plus.im * minus.re
    angle = atan2(code, minus.re, plus.re)
    usual = make(angle + angle, real_asinh(code, crossed))
    far = -code.intrinsic("copysign", _number(z.im, INFINITY), z.im)
    return _unless_infinite(code, z, usual, atan2(code, code.fabs(z.im), z.re), far)


@fragment
def _acosh(code: Builder, z: ComplexVal) -> ComplexVal:
    minus = _sqrt(code, make(z.re - 1.0, z.im))
    plus = _sqrt(code, make(z.re + 1.0, z.im))
    along = minus.re * plus.re + minus.im * plus.im
    angle = atan2(code, minus.im, plus.re)
    usual = make(real_asinh(code, along), angle + angle)
    return _unless_infinite(code, z, usual, _number(z.re, INFINITY), atan2(code, z.im, z.re))


def _asinh(code: Builder, z: ComplexVal) -> ComplexVal:
    return swap(_asin(code, swap(z)))


@fragment
def _atanh(code: Builder, z: ComplexVal) -> ComplexVal:
    """log1p(4 x / ((1 - x)^2 + y^2)) / 4 and half the angle of (1 - x)(1 + x) - y^2 + 2 i y."""
    x, y = z.re, z.im
    size = code.fabs(x)
    rest = 1.0 - size
    inner = 4.0 * size / code.fma(rest, rest, y * y)
    real = code.intrinsic("copysign", 0.25 * real_log1p(code, inner), x)
    imag = 0.5 * atan2(code, y + y, code.fma(rest, size + 1.0, -(y * y)))
    # 1/z beyond the square root of what can be squared.
    length = absolute(code, z)
    far = length > 2.0**100
    quarter = code.intrinsic("copysign", _number(y, _HALF_PI), y)
    small = code.select(
        length < INFINITY, (x / length) / length, code.intrinsic("copysign", _number(x, 0.0), x)
    )
    return make(code.select(far, small, real), code.select(far, quarter, imag))


def _atan(code: Builder, z: ComplexVal) -> ComplexVal:
    return swap(_atanh(code, swap(z)))


@fragment
def _pow(code: Builder, z: ComplexVal, w: ComplexVal) -> ComplexVal:
    """exp(w log z); z^0 is 1 and 0^w is 0 for a positive real part of w."""
    result = exp(code, multiply(code, w, _log(code, z)))
    zero, one = _number(z.re, 0.0), _number(z.re, 1.0)
    base_zero, power_zero = is_zero(code, z), is_zero(code, w)
    at_zero = code.select(w.re > 0.0, zero, NAN)
    real = code.select(base_zero, at_zero, result.re)
    imag = code.select(base_zero, at_zero, result.im)
    return make(code.select(power_zero, one, real), code.select(power_zero, zero, imag))


@fragment
def _logistic(code: Builder, z: ComplexVal) -> ComplexVal:
    """1 / (1 + e^-z), or e^z / (1 + e^z) for a negative real part."""
    negative = z.re < 0.0
    grown = exp(code, code.select(negative, z, negate(code, z)))
    one, zero = _number(z.re, 1.0), _number(z.re, 0.0)
    unit = make(one, zero)
    top = code.select(negative, grown, unit)
    return divide(code, top, make(grown.re + 1.0, grown.im))


COMPLEX_FUNCTIONS: dict[str, Function] = {
    "exp": exp,
    "sin": sin,
    "cos": cos,
    "sinh": sinh,
    "cosh": cosh,
    "tan": _in_double(_tan),
    "tanh": _in_double(_tanh),
    "expm1": _in_double(_expm1),
    "log": _in_double(_log),
    "log1p": _in_double(_log1p),
    "sqrt": _in_double(_sqrt),
    "rsqrt": _in_double(_rsqrt),
    "asin": _in_double(_asin),
    "acos": _in_double(_acos),
    "atan": _in_double(_atan),
    "asinh": _in_double(_asinh),
    "acosh": _in_double(_acosh),
    "atanh": _in_double(_atanh),
    "pow": _in_double(_pow),
    "logistic": _in_double(_logistic),
}
