"""Arithmetic and comparisons of complex values, and the pieces that complex functions share."""

from __future__ import annotations

from collections.abc import Callable

from vires.engine.llvm import scalar_ops
from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import COMPLEX64, COMPLEX128, FLOAT32, FLOAT64
from vires.engine.llvm.math_pairs import two_product
from vires.engine.llvm.ssa import Builder, ComplexVal, Val

INFINITY = float("inf")


def make(real: Val, imag: Val) -> ComplexVal:
    """The complex value of two parts."""
    return ComplexVal(COMPLEX64 if real.kind is FLOAT32 else COMPLEX128, real, imag)


def swap(z: ComplexVal) -> ComplexVal:
    """Parts exchanged: f(x + iy) of circular functions is the swapped hyperbolic one of y + ix."""
    return make(z.im, z.re)


def add(code: Builder, a: ComplexVal, b: ComplexVal) -> ComplexVal:
    return make(a.re + b.re, a.im + b.im)


def subtract(code: Builder, a: ComplexVal, b: ComplexVal) -> ComplexVal:
    return make(a.re - b.re, a.im - b.im)


def multiply(code: Builder, a: ComplexVal, b: ComplexVal) -> ComplexVal:
    return make(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)


@fragment
def divide(code: Builder, a: ComplexVal, b: ComplexVal) -> ComplexVal:
    """Smith's algorithm, as NumPy's, without branches."""
    wide = code.fabs(b.re) >= code.fabs(b.im)
    p, q = code.select(wide, b.re, b.im), code.select(wide, b.im, b.re)
    u, v = code.select(wide, a.re, a.im), code.select(wide, a.im, a.re)
    ratio = q / p
    scale = 1.0 / (p + q * ratio)
    real = (u + v * ratio) * scale
    imag = (v - u * ratio) * scale
    imag = code.select(wide, imag, -imag)
    by_zero = p.compare("oeq", 0.0)
    size = code.fabs(b.re)
    real = code.select(by_zero, a.re / size, real)
    return make(real, code.select(by_zero, a.im / size, imag))


def negate(code: Builder, z: ComplexVal) -> ComplexVal:
    return make(-z.re, -z.im)


def real_part(code: Builder, z: ComplexVal) -> Val:
    return z.re


def imaginary_part(code: Builder, z: ComplexVal) -> Val:
    return z.im


def conjugate(code: Builder, z: ComplexVal) -> ComplexVal:
    return make(z.re, -z.im)


@fragment
def absolute(code: Builder, z: ComplexVal) -> Val:
    """sqrt(x^2 + y^2) without overflow; infinite if a part is, whatever the other one."""
    if z.re.kind is FLOAT32:
        x, y = code.cast("fpext", z.re, FLOAT64), code.cast("fpext", z.im, FLOAT64)
        size = code.cast("fptrunc", code.intrinsic("sqrt", code.fma(x, x, y * y)), FLOAT32)
    else:
        x, y, inverse = rescale(code, z)
        large = code.intrinsic("maximum", code.fabs(x), code.fabs(y))
        small = code.intrinsic("minimum", code.fabs(x), code.fabs(y))
        square, error = two_product(code, large, large)
        total = code.fma(small, small, square)
        total = total + (error + code.fma(small, small, square - total))
        size = code.intrinsic("sqrt", total) * inverse
    infinite = code.fabs(z.re).compare("oeq", INFINITY) | code.fabs(z.im).compare("oeq", INFINITY)
    return code.select(infinite, INFINITY, size)


def rescale(code: Builder, z: ComplexVal) -> tuple[Val, Val, Val]:
    """Parts times a power of 4 that makes their squares safe in float64, and its inverse."""
    x, y = code.fabs(z.re), code.fabs(z.im)
    size = code.select(x > y, x, y)
    one = code.number(1.0, FLOAT64, size.lanes)
    huge, tiny = size > 2.0**500, size < 2.0**-450
    factor = code.select(huge, 2.0**-600, code.select(tiny, 2.0**600, one))
    inverse = code.select(huge, 2.0**600, code.select(tiny, 2.0**-600, one))
    return z.re * factor, z.im * factor, inverse


@fragment
def sign(code: Builder, z: ComplexVal) -> ComplexVal:
    """z / |z|, 0 at 0."""
    size = absolute(code, z)
    zero = size.compare("oeq", 0.0)
    return make(
        code.select(zero, z.re, z.re / size),
        code.select(zero, z.im, z.im / size),
    )


def equal(code: Builder, a: ComplexVal, b: ComplexVal) -> Val:
    return a.re.compare("oeq", b.re) & a.im.compare("oeq", b.im)


def not_equal(code: Builder, a: ComplexVal, b: ComplexVal) -> Val:
    return a.re.compare("une", b.re) | a.im.compare("une", b.im)


def _lexicographic(strict: str, last: str, same: str) -> Callable[..., Val]:
    """Real parts first, then imaginary parts, each by the named real comparisons."""
    less, less_last, equals = (scalar_ops.REAL_OPS[name] for name in (strict, last, same))

    def emit(code: Builder, a: ComplexVal, b: ComplexVal) -> Val:
        return less(code, a.re, b.re) | (equals(code, a.re, b.re) & less_last(code, a.im, b.im))

    return emit


def total_equal(code: Builder, a: ComplexVal, b: ComplexVal) -> Val:
    same = scalar_ops.REAL_OPS["eq_to"]
    return same(code, a.re, b.re) & same(code, a.im, b.im)


def is_finite(code: Builder, z: ComplexVal) -> Val:
    return scalar_ops.is_finite(code, z.re) & scalar_ops.is_finite(code, z.im)


def is_nan(code: Builder, z: ComplexVal) -> Val:
    return z.re.compare("uno", z.im)


def is_infinite(code: Builder, z: ComplexVal) -> Val:
    return scalar_ops.is_infinite(code, z.re) | scalar_ops.is_infinite(code, z.im)


def fused_multiply_add(code: Builder, a: ComplexVal, b: ComplexVal, c: ComplexVal) -> ComplexVal:
    return add(code, multiply(code, a, b), c)


def is_zero(code: Builder, z: ComplexVal) -> Val:
    return z.re.compare("oeq", 0.0) & z.im.compare("oeq", 0.0)


COMPLEX_OPS: dict[str, Callable[..., Val]] = {
    "add": add, "sub": subtract, "mul": multiply, "div": divide, "neg": negate,
    "conj": conjugate, "real": real_part, "imag": imaginary_part,
    "abs": absolute, "sign": sign, "fma": fused_multiply_add, "eq": equal, "ne": not_equal,
    "lt": _lexicographic("lt", "lt", "eq"), "le": _lexicographic("lt", "le", "eq"),
    "gt": _lexicographic("gt", "gt", "eq"), "ge": _lexicographic("gt", "ge", "eq"),
    "lt_to": _lexicographic("lt_to", "lt_to", "eq_to"),
    "le_to": _lexicographic("lt_to", "le_to", "eq_to"), "eq_to": total_equal,
    "is_finite": is_finite, "is_nan": is_nan, "is_inf": is_infinite,
}  # fmt: skip
