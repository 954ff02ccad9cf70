"""Elementary functions of the CPU engine: ulp on samples of float32, float64 against mpmath,
landmarks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf
from vector_kernels import Kernels, run, same_bits

from vires.dialect.loops import MATH_OPS

UNARY = sorted(name for name, count in MATH_OPS.items() if count == 1)
NAN, INF = math.nan, math.inf

#: The largest error allowed, in units in the last place of float32 and float64.
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(UNARY, (1.0, 1.1)),
    "erfc": (1.2, 1.2),
    "erf_inv": (80.0, 3.5),
}

#: Independent float64 values for the sampled float32 test, all of NumPy but these.
REFERENCE: dict[str, Callable[[Any], Any]] = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
}  # fmt: skip


def scipy_reference(name: str) -> Callable[[Any], Any]:
    special = pytest.importorskip("scipy.special")
    names = {"erf_inv": "erfinv", "lgamma": "gammaln"}
    return getattr(special, names.get(name, name))


def reference(name: str) -> Callable[[Any], Any]:
    found = REFERENCE.get(name) or getattr(np, name, None)
    return found or scipy_reference(name)


def ulps(got: np.ndarray[Any, Any], exact: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The error of float32 values in units in the last place of the float64 ones."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
        size = np.maximum(np.abs(exact), 2.0**-126)
        unit = np.exp2(np.floor(np.log2(size)) - 23)
        error = np.abs(got.astype(np.float64) - exact) / unit
    same = (got == rounded) | (np.isnan(got) & np.isnan(exact))
    error = np.where(same & ~np.isfinite(exact) | (np.isinf(got) & (got == rounded)), 0, error)
    return np.where(np.isnan(error), np.inf, error)


@pytest.fixture(scope="module")
def single() -> tuple[Kernels, dict[str, int]]:
    kernels = Kernels(lanes=8)
    return kernels, {name: kernels.add_op(name, np.float32, n) for name, n in MATH_OPS.items()}


@pytest.fixture(scope="module")
def double() -> tuple[Kernels, dict[str, int]]:
    kernels = Kernels(lanes=4)
    return kernels, {name: kernels.add_op(name, np.float64, n) for name, n in MATH_OPS.items()}


@pytest.mark.parametrize("name", UNARY)
def test_float32_samples(name: str, single: Any) -> None:
    """One in some thousand of all float32, and a neighbourhood of 1."""
    kernels, numbers = single
    bits = np.arange(0, 1 << 32, 7919, dtype=np.uint64).astype(np.uint32)
    near = np.float32(1) + np.arange(-2000, 2000, dtype=np.float32) * np.float32(2**-20)
    x = np.concatenate([bits.view(np.float32), near])
    with np.errstate(all="ignore"):
        exact = reference(name)(x.astype(np.float64))
    if name == "lgamma":
        exact = np.where(x == -np.inf, np.inf, exact)
    if name == "digamma":
        exact = np.where(np.isinf(x) & (x < 0), np.nan, exact)
    error = ulps(kernels(numbers[name], x), exact)
    assert error.max() <= LIMITS[name][0], (name, x[np.argmax(error)], error.max())


def test_float32_pow_and_atan2(single: Any) -> None:
    kernels, numbers = single
    rng = np.random.default_rng(0)
    x = np.exp(rng.uniform(-80, 80, 200_000)).astype(np.float32)
    y = (rng.uniform(-100, 88, x.size) / np.log(x)).astype(np.float32)
    got = kernels(numbers["pow"], x, y)
    with np.errstate(all="ignore"):
        error = ulps(got, np.power(x.astype(np.float64), y.astype(np.float64)))
    assert error.max() <= 1.0
    a, b = (rng.standard_normal((2, 200_000)) * np.exp(rng.uniform(-9, 9, 200_000))).astype(
        np.float32
    )
    error = ulps(
        kernels(numbers["atan2"], a, b), np.arctan2(a.astype(np.float64), b.astype(np.float64))
    )
    assert error.max() <= 1.0


EXACT: dict[str, Callable[[mpf], mpf]] = {
    "exp2": lambda x: mpf(2) ** x,
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "erf_inv": lambda x: _erf_inv(x),
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
}


def _erf_inv(x: mpf) -> mpf:
    y = mpf(float(scipy_reference("erf_inv")(float(x))))
    for _ in range(3):
        y -= (mpmath.erf(y) - x) * mpmath.sqrt(mp.pi) / 2 * mpmath.exp(y * y)
    return y


def double_points(name: str) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(7)
    x = np.concatenate(
        [
            rng.standard_normal(60), rng.uniform(-20, 20, 60), rng.uniform(-1, 1, 60),
            1 + rng.standard_normal(20) * 1e-3, rng.standard_normal(20) * 1e-8,
            np.exp(rng.uniform(-30, 30, 30)), [1e-300, 5e-324, 2.5],
        ]
    )  # fmt: skip
    if name in ("asin", "acos", "atanh", "erf_inv"):
        return x[np.abs(x) < 1]
    if name in ("log", "log2", "rsqrt"):
        return np.abs(x)
    if name == "acosh":
        return 1 + np.abs(x)
    if name == "log1p":
        return x[x > -1]
    if name in ("exp", "expm1", "exp2", "sinh", "cosh", "erfc"):
        return x[np.abs(x) < 600 if name != "erfc" else np.abs(x) < 26]
    return x[np.abs(x) < 1e7]


@pytest.mark.parametrize("name", UNARY)
def test_float64_against_mpmath(name: str, double: Any) -> None:
    kernels, numbers = double
    x = double_points(name)
    got = kernels(numbers[name], x)
    function = EXACT.get(name) or getattr(mpmath, name)
    with mp.workdps(50):
        exact = [function(mpf(float(point))) for point in x]
        for point, value, answer in zip(x, exact, got, strict=True):
            if math.isinf(float(value)):
                continue
            unit = mpf(float(np.spacing(abs(float(value)))))
            if name in ("lgamma", "digamma"):
                unit = 8 * mpf(2) ** -52 * max(1, abs(value))
            error = float(abs(mpf(float(answer)) - value) / unit)
            assert error <= LIMITS[name][1], (name, point, answer, error)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_large_angles(name: str, single: Any, double: Any) -> None:
    x = np.array([1e5, 1e9, 1e16, 1e22, 1e30, 3e38, -2e20, 123456.79, 8388608.0, 1e300, 2.0**1000])
    with mp.workdps(400):
        exact = np.array([float(getattr(mpmath, name)(mpf(float(v)))) for v in x])
        narrow = x[:9].astype(np.float32)
        exact32 = np.array([float(getattr(mpmath, name)(mpf(float(v)))) for v in narrow])
    got = double[0](double[1][name], x)
    assert np.all(np.abs(got - exact) <= np.spacing(np.abs(exact)))
    assert ulps(single[0](single[1][name], narrow), exact32).max() <= 1.0
    # One large lane does not change the others.
    mixed = np.array([0.5, 1e10, -0.25, 2.0, 1e7, 3.0, -1e20, 0.0], np.float32)
    alone = np.array([single[0](single[1][name], mixed[i : i + 1])[0] for i in range(8)])
    assert same_bits(single[0](single[1][name], mixed), alone)


LANDMARKS: list[tuple[str, list[float], float]] = [
    ("exp", [0.0], 1.0), ("exp", [-0.0], 1.0), ("exp", [INF], INF), ("exp", [-INF], 0.0),
    ("exp", [1000.0], INF), ("exp", [-1000.0], 0.0), ("exp2", [10.0], 1024.0),
    ("exp2", [-3.0], 0.125), ("exp2", [-INF], 0.0), ("exp2", [-149.0], 2.0**-149),
    ("expm1", [0.0], 0.0), ("expm1", [-0.0], -0.0), ("expm1", [-INF], -1.0),
    ("expm1", [INF], INF), ("log", [1.0], 0.0), ("log", [0.0], -INF), ("log", [-0.0], -INF),
    ("log", [-1.0], NAN), ("log", [INF], INF), ("log2", [8.0], 3.0),
    ("log2", [2.0**-149], -149.0), ("log2", [1.0], 0.0), ("log1p", [0.0], 0.0),
    ("log1p", [-0.0], -0.0), ("log1p", [-1.0], -INF), ("log1p", [INF], INF),
    ("log1p", [-2.0], NAN), ("sin", [0.0], 0.0), ("sin", [-0.0], -0.0), ("sin", [INF], NAN),
    ("cos", [0.0], 1.0), ("cos", [-INF], NAN), ("cos", [math.pi], -1.0), ("tan", [-0.0], -0.0),
    ("tan", [INF], NAN), ("asin", [-0.0], -0.0), ("asin", [1.0], math.pi / 2),
    ("asin", [1.5], NAN), ("acos", [1.0], 0.0), ("acos", [-1.0], math.pi),
    ("acos", [0.0], math.pi / 2), ("acos", [-1.5], NAN), ("atan", [-0.0], -0.0),
    ("atan", [INF], math.pi / 2), ("atan", [-INF], -math.pi / 2), ("atan", [1.0], math.pi / 4),
    ("sinh", [-0.0], -0.0), ("sinh", [INF], INF), ("sinh", [-INF], -INF), ("cosh", [0.0], 1.0),
    ("cosh", [-INF], INF), ("tanh", [-0.0], -0.0), ("tanh", [INF], 1.0), ("tanh", [-INF], -1.0),
    ("tanh", [100.0], 1.0), ("asinh", [-0.0], -0.0), ("asinh", [-INF], -INF),
    ("acosh", [1.0], 0.0), ("acosh", [INF], INF), ("acosh", [0.5], NAN), ("atanh", [-0.0], -0.0),
    ("atanh", [1.0], INF), ("atanh", [-1.0], -INF), ("atanh", [1.5], NAN), ("rsqrt", [4.0], 0.5),
    ("rsqrt", [0.0], INF), ("rsqrt", [-0.0], -INF), ("rsqrt", [INF], 0.0), ("rsqrt", [-1.0], NAN),
    ("cbrt", [27.0], 3.0), ("cbrt", [-8.0], -2.0), ("cbrt", [-0.0], -0.0), ("cbrt", [-INF], -INF),
    ("logistic", [0.0], 0.5), ("logistic", [INF], 1.0), ("logistic", [-INF], 0.0),
    ("erf", [-0.0], -0.0), ("erf", [INF], 1.0), ("erf", [-INF], -1.0), ("erfc", [0.0], 1.0),
    ("erfc", [INF], 0.0), ("erfc", [-INF], 2.0), ("erf_inv", [-0.0], -0.0),
    ("erf_inv", [1.0], INF), ("erf_inv", [-1.0], -INF), ("erf_inv", [1.5], NAN),
    ("lgamma", [1.0], 0.0), ("lgamma", [2.0], 0.0), ("lgamma", [0.0], INF),
    ("lgamma", [-3.0], INF), ("lgamma", [INF], INF), ("lgamma", [-INF], INF),
    ("digamma", [0.0], -INF), ("digamma", [-0.0], INF), ("digamma", [-2.0], NAN),
    ("digamma", [INF], INF), ("digamma", [-INF], NAN), ("pow", [5.0, 0.0], 1.0),
    ("pow", [NAN, 0.0], 1.0), ("pow", [1.0, NAN], 1.0), ("pow", [2.0, 10.0], 1024.0),
    ("pow", [-2.0, 3.0], -8.0), ("pow", [-2.0, 0.5], NAN), ("pow", [-1.0, INF], 1.0),
    ("pow", [10.0, 2.0], 100.0),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_landmarks(dtype: Any, single: Any, double: Any) -> None:
    kernels, numbers = single if dtype is np.float32 else double
    for name, point, wanted in LANDMARKS:
        got = kernels(numbers[name], *[np.array([x], dtype) for x in point])
        assert same_bits(got, np.array([wanted], dtype)), (name, point, got, wanted)
    for name, count in MATH_OPS.items():
        nan = np.array([NAN], dtype)
        assert np.isnan(kernels(numbers[name], *[nan] * count)), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["pow", "atan2"])
def test_special_pairs(name: str, dtype: Any, single: Any, double: Any) -> None:
    """All pairs of zeros, infinities, nan, integers, denormals and large numbers, as in C99."""
    tiny = float(np.finfo(dtype).smallest_subnormal)
    values = [0.0, 1.0, 2.0, 3.0, 0.5, 1.5, INF, NAN, tiny, 1e30, 2.0**24, 2.0**24 + 2, 1e9 + 1]
    grid = np.array([sign * v for v in values for sign in (1, -1)], dtype)
    x, y = np.repeat(grid, grid.size), np.tile(grid, grid.size)
    kernels, numbers = single if dtype is np.float32 else double
    got = kernels(numbers[name], x, y)
    with np.errstate(all="ignore"):
        wanted = (np.power if name == "pow" else np.arctan2)(x, y)
        close = np.abs(got - wanted) <= 4 * np.spacing(np.abs(wanted))
    special = ~np.isfinite(wanted) | (wanted == 0) | (np.abs(wanted) == 1)
    assert same_bits(got[special], wanted[special])
    assert np.all(close | special) and np.array_equal(
        np.signbit(got[~special]), np.signbit(wanted[~special])
    )


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("name", ["sin", "exp", "log", "tanh", "rsqrt"])
def test_narrow_floats_round_once(name: str, dtype: Any, single: Any) -> None:
    x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    got = run(lambda code, v: code.op(name, v), x)
    wide = single[0](single[1][name], x.astype(np.float32))
    with np.errstate(all="ignore"):
        assert same_bits(got, wide.astype(dtype))


def test_erf_inv_is_the_published_polynomial(single: Any) -> None:
    """Giles's single precision coefficients in float32, evaluated here without fused operations."""
    central = [2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087]
    central += [-0.00125372503, -0.00417768164, 0.246640727, 1.50140941]
    tail = [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773]
    tail += [-0.0076224613, 0.00943887047, 1.00167406, 2.83297682]
    x = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32)
    w = -np.log1p((-x * x).astype(np.float64)).astype(np.float32)
    near, far = w - np.float32(2.5), np.sqrt(w) - np.float32(3)
    p, q = np.float32(central[0]), np.float32(tail[0])
    for a, b in zip(central[1:], tail[1:], strict=True):
        p, q = np.float32(a) + p * near, np.float32(b) + q * far
    wanted = (np.where(w < 5, p, q) * x).astype(np.float32)
    got = single[0](single[1]["erf_inv"], x)
    assert np.max(np.abs(got - wanted) / np.spacing(np.abs(wanted))) <= 2


@pytest.mark.parametrize("lanes", [1, 2, 16])
def test_lanes_agree(lanes: int, single: Any) -> None:
    """The same bits for any number of lanes, also wider than a register."""
    x = np.random.default_rng(3).standard_normal(100).astype(np.float32) * 3
    x[::10] = 1e7
    kernels = Kernels(lanes)
    numbers = {name: kernels.add_op(name, np.float32, n) for name, n in MATH_OPS.items()}
    for name, count in MATH_OPS.items():
        wide = single[0](single[1][name], *[x] * count)
        assert same_bits(kernels(numbers[name], *[x] * count), wide), name


def test_tangent_next_to_its_poles(single: Any) -> None:
    """Angles whose distance to a multiple of pi/2 is smaller than the rounding of its parts."""
    turns = np.arange(1, 60_000, dtype=np.float64) * (np.pi / 2)
    x = turns.astype(np.float32)
    error = ulps(single[0](single[1]["tan"], x), np.tan(x.astype(np.float64)))
    assert error.max() <= 1.0
    error = ulps(single[0](single[1]["cos"], x), np.cos(x.astype(np.float64)))
    assert error.max() <= 1.0


def test_atan2_of_denormals(single: Any) -> None:
    rng = np.random.default_rng(5)
    y = rng.integers(1, 1 << 23, 10_000, dtype=np.int32).view(np.float32)
    x = np.exp(rng.uniform(-90, 20, 10_000)).astype(np.float32)
    exact = np.arctan2(y.astype(np.float64), x.astype(np.float64))
    assert ulps(single[0](single[1]["atan2"], y, x), exact).max() <= 1.0
