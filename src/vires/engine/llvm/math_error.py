"""The error function, its complement and its inverse."""

from __future__ import annotations

from vires.engine.llvm import math_coefficients as table
from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import FLOAT32, FLOAT64
from vires.engine.llvm.math_exp import (
    EXPONENTS,
    clamp,
    exp_pair,
    power_of_two,
    round_to_integer,
    scale,
)
from vires.engine.llvm.math_log import log1p, log_sum
from vires.engine.llvm.math_pairs import fast_sum, quotient, two_product, two_sum
from vires.engine.llvm.ssa import Builder, Val

_ERF = {FLOAT32: table.ERF_F32, FLOAT64: table.ERF_F64}
_ERFC = {FLOAT32: table.ERFC_F32, FLOAT64: table.ERFC_F64}
#: Beyond, erfc is 0.
_FAR = {FLOAT32: 10.2, FLOAT64: 27.3}

#: log2 erfc x on [1, 4.1] less the constant after it, by powers of x - 1, constant term first:
#: errors are small where erf x shows them. Beyond, erf x rounds to 1.
_LOG2_ERFC = (
    0.003458324819803238,
    -3.807225465774536,
    -1.2163463830947876,
    -0.05996342748403549,
    0.014493966475129128,
    -0.002902653766795993,
    0.00041770044481381774,
    -3.128736716462299e-05,
)
_LOG2_ERFC_ONE = -2.671875
_ERF_ONE = 4.1

#: M. Giles, "Approximating the erfinv function", GPU Computing Gems, 2010: the single precision
#: polynomials, constant term last. Random normal numbers are defined by them.
_GILES_CENTRAL = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_GILES_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


@fragment
def _erfc_of_size(code: Builder, size: Val) -> Val:
    """erfc of x >= 0: exp(-x^2) / (1 + 2 x) times a polynomial in (x - c) / (x + c)."""
    x = code.select(size > _FAR[size.kind], _FAR[size.kind], size)
    first, first_low, *others = _ERFC[x.kind]
    t = (x - 3.75) / (x + 3.75)
    one = code.number(1.0, x.kind, x.lanes)
    series, series_low = fast_sum(
        code.number(first, x.kind, x.lanes), t * code.polynomial(t, others)
    )
    ratio, ratio_low = quotient(code, (series, series_low + first_low), two_sum(one, x + x))
    # In the exponent the square's rounding error would be seen.
    square, square_low = two_product(code, x, x)
    (high, low), n = exp_pair(code, -square, -square_low)
    return scale(code, code.fma(high, ratio, code.fma(low, ratio, high * ratio_low)), n)


@fragment
def erfc(code: Builder, x: Val) -> Val:
    """1 - erf x, to all digits for large x; near 0 as 1 - erf."""
    size = code.fabs(x)
    far = _erfc_of_size(code, size)
    far = code.select(x < 0.0, 2.0 - far, far)
    return code.select(size < 0.5, 1.0 - _erf_near(code, x), far)


def _erf_near(code: Builder, x: Val) -> Val:
    return code.fma(x, code.polynomial(x * x, _ERF[x.kind]), x)


@fragment
def erf(code: Builder, x: Val) -> Val:
    size = code.fabs(x)
    erfc_far = _erfc_far_single if x.kind is FLOAT32 else _erfc_of_size
    far = code.intrinsic("copysign", 1.0 - erfc_far(code, size), x)
    return code.select(size < 1.0, _erf_near(code, x), far)


def _erfc_far_single(code: Builder, size: Val) -> Val:
    """erfc of x >= 1 to the digits that 1 - erfc x shows: 2^n 2^r by one polynomial for both."""
    x = code.select(size > _ERF_ONE, _ERF_ONE, size)
    rest = code.polynomial(x - 1.0, _LOG2_ERFC)
    n, number = round_to_integer(code, (rest + _LOG2_ERFC_ONE) + EXPONENTS[x.kind].magic)
    r = rest + (_LOG2_ERFC_ONE - n)  # the sum in brackets is exact
    fraction = code.fma(r, code.polynomial(r, EXPONENTS[x.kind].exp2), 1.0)
    return fraction * power_of_two(code, number, x.kind)


@fragment
def erf_inv(code: Builder, x: Val) -> Val:
    """Infinite at +-1, nan beyond."""
    result = _erf_inv_single(code, x) if x.kind is FLOAT32 else _erf_inv_double(code, x)
    at_one = code.fabs(x).compare("oeq", 1.0)
    result = code.select(at_one, x * float("inf"), result)
    return code.select(code.fabs(x) > 1.0, float("nan"), result)


def _erf_inv_single(code: Builder, x: Val) -> Val:
    w = -log1p(code, -(x * x))
    central = code.polynomial(w - 2.5, _GILES_CENTRAL[::-1])
    root = code.intrinsic("sqrt", w)
    tail = code.polynomial(root - 3.0, _GILES_TAIL[::-1])
    return code.select(w < 5.0, central, tail) * x


def _erf_inv_double(code: Builder, x: Val) -> Val:
    """Giles's double precision scheme with polynomials of our own."""
    size = code.fabs(x)
    # log(1 - x^2) = log((1 - x)(1 + x)), the product with its rounding error.
    plus, plus_low = fast_sum(code.number(1.0, x.kind, x.lanes), size)
    minus, minus_low = fast_sum(code.number(1.0, x.kind, x.lanes), -size)
    product, error = two_product(code, plus, minus)
    error = error + code.fma(plus, minus_low, plus_low * minus)
    w = -log_sum(code, product, error)
    root = code.intrinsic("sqrt", clamp(code, w, 0.0, 40.0))
    central = code.polynomial(w - 3.125, table.ERF_INV_CENTRAL_F64)
    middle = code.polynomial(root - 3.25, table.ERF_INV_MIDDLE_F64)
    far = code.polynomial(root - 5.03, table.ERF_INV_FAR_F64)
    chosen = code.select(w < 6.25, central, code.select(w < 16.0, middle, far))
    return chosen * x
