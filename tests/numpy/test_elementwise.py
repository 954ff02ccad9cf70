"""Elementwise functions against NumPy: all dtypes, special values, broadcasting, empty arrays."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest
from compare import check

SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.5,
    -2.5,
    3.0,
    1e-3,
    1e3,
    1e-30,
    1e30,
    onp.inf,
    -onp.inf,
    onp.nan,
]
INTEGERS = [0, 1, -1, 2, 7, -7, 100, -128, 127]


def values(dtype: Any) -> onp.ndarray:
    dtype = onp.dtype(dtype)
    if dtype.kind == "f":
        return onp.array(SPECIAL).astype(dtype)
    if dtype.kind == "c":
        parts = onp.array([0.0, 1.0, -1.0, 0.5, 2.0, -3.0])
        return (parts[:, None] + 1j * parts[None, :]).ravel().astype(dtype)
    if dtype.kind == "b":
        return onp.array([True, False])
    if dtype.kind == "u":
        return onp.array([0, 1, 2, 7, 100, 255], dtype)
    return onp.array(INTEGERS, dtype)


UNARY_FLOAT = [
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "cbrt",
    "square",
    "absolute",
    "negative",
    "sign",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "isnan",
    "isinf",
    "isfinite",
    "signbit",
    "reciprocal",
    "deg2rad",
    "rad2deg",
    "nan_to_num",
    "positive",
    "conj",
    "real",
    "imag",
    "isreal",
    "iscomplex",
    "fabs",
    "isposinf",
    "isneginf",
    "spacing",
]


@pytest.mark.parametrize("name", UNARY_FLOAT)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_unary_on_floats(name: str, dtype: str) -> None:
    x = values(dtype)
    if name == "spacing" and dtype == "float16":
        x = x[~(x < 0)]  # NumPy's own is wrong for negative half floats
    if name in ("sin", "cos", "tan"):
        x = x[onp.abs(x) < 1e4] if dtype != "float64" else x
    check(name, x, ulps=4, scale=0 if dtype != "float16" else 1)


@pytest.mark.parametrize(
    "name",
    [
        "sin",
        "exp",
        "log1p",
        "sqrt",
        "absolute",
        "negative",
        "sign",
        "square",
        "floor",
        "isnan",
        "signbit",
        "reciprocal",
        "invert",
        "rint",
        "conj",
        "real",
    ],
)
@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "uint32", "int64"])
def test_unary_on_integers(name: str, dtype: str) -> None:
    x = values(dtype)
    inexact = name in ("sin", "exp", "log1p", "sqrt", "reciprocal")
    if name == "exp":
        x = x[(onp.abs(x.astype(float)) < 50)]
    if inexact:
        wide = onp.float64 if dtype == "int64" else onp.float32
        check(name, x, reference=lambda x: getattr(onp, name)(x.astype(wide)), dtype=False)
    else:
        check(name, x, dtype=False)


@pytest.mark.parametrize(
    "name",
    [
        "sin",
        "cos",
        "exp",
        "log",
        "sqrt",
        "absolute",
        "negative",
        "square",
        "conj",
        "real",
        "imag",
        "angle",
        "reciprocal",
        "tanh",
        "isfinite",
        "isnan",
    ],
)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_unary_on_complex(name: str, dtype: str) -> None:
    x = values(dtype)
    if name in ("log", "reciprocal"):
        x = x[x != 0]
    check(name, x, ulps=8, scale=4)


BINARY_FLOAT = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "power",
    "arctan2",
    "hypot",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "fmod",
    "remainder",
    "floor_divide",
    "copysign",
    "nextafter",
    "heaviside",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "float_power",
]


@pytest.mark.parametrize("name", BINARY_FLOAT)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_on_floats(name: str, dtype: str) -> None:
    x = values(dtype)
    reference = None
    if name in ("floor_divide", "remainder", "fmod"):
        x = x[(onp.abs(x) < 1e20) | ~onp.isfinite(x)]
        x = x[(onp.abs(x) > 1e-20) | (x == 0) | onp.isnan(x)]
    if name == "float_power":
        reference = lambda x, y: onp.power(x, y)
    check(name, x[:, None], x[None, :], ulps=4, reference=reference)


@pytest.mark.parametrize(
    "name",
    [
        "add",
        "subtract",
        "multiply",
        "maximum",
        "minimum",
        "equal",
        "less",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "logical_and",
        "gcd",
        "lcm",
    ],
)
@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "uint32", "int64"])
def test_binary_on_integers(name: str, dtype: str) -> None:
    x = values(dtype)
    check(name, x[:, None], x[None, :])


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "divmod"])
@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "int64"])
def test_integer_division(name: str, dtype: str) -> None:
    x = values(dtype)
    y = x[x != 0]
    check(name, x[:, None], y[None, :])


@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_integer_division_by_zero(dtype: str) -> None:
    x = values(dtype)
    zero = onp.zeros_like(x)
    check("floor_divide", x, zero, reference=lambda x, y: zero)
    check("remainder", x, zero)
    check("fmod", x, zero)


@pytest.mark.parametrize("dtype", ["int32", "int8", "uint8"])
def test_integer_powers(dtype: str) -> None:
    x = values(dtype)
    check("power", x[:, None], onp.arange(6, dtype=dtype)[None, :])


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 7, -1, -2, 2.0, 0.5, 2.5])
def test_powers_with_python_exponents(exponent: float) -> None:
    x = onp.array([0.5, 1.0, 2.0, 3.0, 10.0], onp.float32)
    check("power", x, exponent, reference=lambda x, e: onp.power(x, onp.float32(e)))


def test_negative_static_power_of_integers_is_refused() -> None:
    with pytest.raises(ValueError, match="power: needs an exponent of at least 0"):
        onp.asarray(__import__("vires").numpy.power(onp.arange(3), -1))


@pytest.mark.parametrize("name", ["left_shift", "right_shift"])
@pytest.mark.parametrize("dtype", ["int32", "uint8", "int8"])
def test_shifts(name: str, dtype: str) -> None:
    x = values(dtype)
    check(name, x[:, None], onp.arange(7, dtype=dtype)[None, :])


@pytest.mark.parametrize(
    "shapes", [((), ()), ((3,), ()), ((2, 1), (3,)), ((0,), (1,)), ((0, 3), (3,)), ((1,), (1, 1))]
)
def test_broadcasting(shapes: Any) -> None:
    rng = onp.random.default_rng(0)
    x, y = (rng.normal(size=shape).astype(onp.float32) for shape in shapes)
    check("add", onp.asarray(x), onp.asarray(y))
    check("less", onp.asarray(x), onp.asarray(y))


def test_frexp_ldexp_modf_divmod() -> None:
    for dtype in ("float32", "float64", "float16"):
        x = values(dtype)
        check("frexp", x[onp.isfinite(x)])
        check("modf", x)
    x = values("float32")
    check("ldexp", x[:, None], onp.array([-160, -126, -1, 0, 3, 127, 200], onp.int32)[None, :])
    finite = x[onp.abs(x) < 1e10]
    finite = finite[(onp.abs(finite) > 1e-10) | (finite == 0)]
    check("divmod", finite[:, None], finite[None, :], ulps=4)


@pytest.mark.parametrize("decimals", [0, 1, 3, -1, -2])
def test_round(decimals: int) -> None:
    x = onp.array(
        [0.5, 1.5, 2.5, -0.5, 1.25, 155.0, -145.0, 1234.5678, onp.inf, onp.nan], onp.float32
    )
    check("round", x, decimals)
    check("round", onp.array([0, 5, 15, 25, -5, -15, 155, 149, 150], onp.int32), decimals)


def test_clip_and_where() -> None:
    x = onp.array([-2.0, -0.0, 0.5, 3.0, onp.nan, onp.inf], onp.float32)
    check("clip", x, -1.0, 1.0)
    check("clip", x, None, 1.0)
    check("clip", x, onp.float32(0), None)
    check("where", x > 0, x, onp.float32(-1))
    check("where", onp.array([[True], [False]]), x, -x)


@pytest.mark.parametrize("equal_nan", [False, True])
def test_isclose(equal_nan: bool) -> None:
    x = onp.array([1.0, 1.000001, 1.1, onp.inf, -onp.inf, onp.nan, 0.0], onp.float32)
    check("isclose", x[:, None], x[None, :], equal_nan=equal_nan)
    check("isclose", onp.array([1, 2]), onp.array([1, 3]))


def test_sinc_and_i0() -> None:
    x = onp.linspace(-3, 3, 25).astype(onp.float32)
    check("sinc", x, ulps=16, scale=1)
    check("i0", x, ulps=8)


def test_complex_comparison_is_lexicographic() -> None:
    z = values("complex64")
    for name in ("less", "less_equal", "greater", "greater_equal", "equal"):
        check(name, z[:, None], z[None, :])


def test_bitwise_count() -> None:
    check("bitwise_count", onp.array([0, 1, 255, 7], onp.uint8))
    check("bitwise_count", onp.array([0, 1, -1, 7], onp.int32))
