"""Complex arithmetic and functions against NumPy and mpmath, with branch cuts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpc
from vector_kernels import Kernels, run, same_bits

from vires.dialect.loops import COMPLEX_MATH

NUMPY: dict[str, Callable[..., Any]] = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "rsqrt": lambda z: 1 / np.sqrt(z),
    "logistic": lambda z: 1 / (1 + np.exp(-z)), "pow": np.power,
}  # fmt: skip
EXACT: dict[str, Callable[..., Any]] = {
    "rsqrt": lambda z: 1 / mpmath.sqrt(z),
    "logistic": lambda z: 1 / (1 + mpmath.exp(-z)),
    "log1p": lambda z: mpmath.log(1 + z),
}
UNARY = sorted(COMPLEX_MATH - {"pow"})
EPSILON = {np.complex64: 2.0**-23, np.complex128: 2.0**-52}


def points(dtype: Any) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(1)
    z = rng.standard_normal(60) + 1j * rng.standard_normal(60)
    on_circle = np.exp(1j * rng.uniform(-3, 3, 20))
    spread = np.exp(rng.uniform(-20, 20, 30)) * np.exp(1j * rng.uniform(-3, 3, 30))
    return np.concatenate([z, 8 * z[:30], 1e-4 * z[:20], on_circle, spread]).astype(dtype)


@pytest.fixture(scope="module", params=[np.complex64, np.complex128], ids=str)
def kernels(request: Any) -> tuple[Any, Kernels, dict[str, int]]:
    built = Kernels(lanes=4)
    return request.param, built, {name: built.add_op(name, request.param) for name in UNARY}


@pytest.mark.parametrize("name", UNARY)
def test_functions_against_mpmath(name: str, kernels: Any) -> None:
    dtype, built, numbers = kernels
    z = points(dtype)
    if name in ("exp", "expm1", "sinh", "cosh", "sin", "cos", "logistic"):
        z = z[np.abs(z) < 80]
    got = built(numbers[name], z)
    function = EXACT.get(name) or getattr(mpmath, name)
    with mp.workdps(60):
        exact = np.array([complex(function(mpc(complex(value)))) for value in z])
    error = np.abs(got - exact) / np.maximum(np.abs(exact), np.finfo(dtype).tiny)
    assert error.max() <= 3 * EPSILON[dtype], (z[np.argmax(error)], got[np.argmax(error)])


@pytest.mark.parametrize("name", UNARY)
def test_branch_cuts_and_zeros(name: str, kernels: Any) -> None:
    """On both sides of the axes, told apart by the sign of zero, as NumPy."""
    dtype, built, numbers = kernels
    axis = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 40.0]
    if name in ("log", "log1p", "sqrt", "asin", "acos", "asinh", "acosh", "atan", "atanh"):
        axis += [np.inf, -np.inf]
    z = np.array([complex(a, b) for a in axis for b in axis], dtype)
    got = built(numbers[name], z)
    with np.errstate(all="ignore"):
        wanted = NUMPY.get(name, getattr(np, name, None))(z.astype(np.complex128)).astype(dtype)
        for ours, theirs in ((got.real, wanted.real), (got.imag, wanted.imag)):
            # NumPy's formula above for the logistic function loses a few digits itself.
            places = 100 if name == "logistic" else 8
            close = np.abs(ours - theirs) <= places * EPSILON[dtype] * np.abs(theirs)
            same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)) | close
            same &= (np.signbit(ours) == np.signbit(theirs)) | np.isnan(theirs)
            assert same.all(), (z[~same], got[~same], wanted[~same])


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_arithmetic(dtype: Any) -> None:
    rng = np.random.default_rng(2)
    parts = [0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 1e30, 1e-30]
    special = np.array([complex(a, b) for a in parts for b in parts])
    x = np.concatenate([np.repeat(special, special.size), rng.standard_normal(500) * (2 + 1j)])
    y = np.concatenate([np.tile(special, special.size), rng.standard_normal(500) * (1 - 3j)])
    x, y = x.astype(dtype), y.astype(dtype)
    built = Kernels(4)
    names = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "div": np.divide,
        "eq": np.equal,
        "ne": np.not_equal,
    }
    numbers = {name: built.add_op(name, dtype, 2) for name in names}
    with np.errstate(all="ignore"):
        for name, number in numbers.items():
            got, wanted = built(number, x, y), names[name](x, y)
            if wanted.dtype == bool:
                assert np.array_equal(got, wanted), name
                continue
            # NumPy's own vector loops differ from its scalar ones where an infinity meets a nan.
            usual = np.isfinite(wanted)
            assert np.allclose(got[usual], wanted[usual], rtol=2 * EPSILON[dtype], atol=0), name


def test_parts_and_size() -> None:
    rng = np.random.default_rng(3)
    for dtype in (np.complex64, np.complex128):
        z = (rng.standard_normal(100) + 1j * rng.standard_normal(100)).astype(dtype)
        z[:4] = [complex(np.inf, np.nan), complex(np.nan, -np.inf), 0, complex(3, 4)]
        z[4:7] = [1e38 + 1e38j, 1e-40 + 1e-40j, 3e-45j]
        built = Kernels(4)
        numbers = {
            name: built.add_op(name, dtype)
            for name in ("real", "imag", "conj", "neg", "abs", "is_nan", "sign")
        }
        made = built.add(
            lambda code, z: code.op("complex", code.op("imag", z), code.op("real", z)), [dtype]
        )
        assert same_bits(built(numbers["real"], z), z.real)
        assert same_bits(built(numbers["imag"], z), z.imag)
        assert np.array_equal(built(numbers["conj"], z), z.conj(), equal_nan=True)
        assert np.array_equal(built(numbers["neg"], z), -z, equal_nan=True)
        assert np.array_equal(built(numbers["is_nan"], z), np.isnan(z))
        wide = np.hypot(z.real.astype(np.float64), z.imag.astype(np.float64))
        got = built(numbers["abs"], z)
        with np.errstate(invalid="ignore"):
            limit = np.spacing(wide.astype(got.dtype)).astype(np.float64)
            assert np.all((got == wide) | (np.abs(got - wide) <= limit))
        swapped = built(made, z)
        assert same_bits(swapped.real, z.imag) and same_bits(swapped.imag, z.real)
        unit = built(numbers["sign"], z[7:])
        assert np.allclose(unit, z[7:] / np.abs(z[7:]), rtol=4 * EPSILON[dtype])


def test_powers() -> None:
    rng = np.random.default_rng(4)
    z = rng.standard_normal(200) + 1j * rng.standard_normal(200)
    w = rng.standard_normal(200) * 3 + 1j * rng.standard_normal(200)
    w[:3], z[3:6], w[3:6] = 0, 0, [2, 1 + 1j, 0]
    got = run(lambda code, a, b: code.op("pow", a, b), z, w, lanes=4)
    assert np.allclose(got, np.power(z, w), rtol=2e-14)
    single = run(lambda code, a, b: code.op("pow", a, b), z.astype("F"), w.astype("F"), lanes=4)
    assert np.allclose(
        single, np.power(z.astype("F").astype("D"), w.astype("F").astype("D")), rtol=3e-7
    )


def test_order_is_lexicographic() -> None:
    z = np.array([1 + 2j, 1 + 3j, 2 - 1j, 1 + 2j])
    pairs = np.repeat(z, 4), np.tile(z, 4)
    keys = [list(zip(p.real, p.imag, strict=True)) for p in pairs]
    for name, compare in (
        ("lt", lambda a, b: a < b),
        ("le_to", lambda a, b: a <= b),
        ("ge", lambda a, b: a >= b),
    ):
        got = run(lambda code, a, b, name=name: code.op(name, a, b), *pairs, lanes=4)
        assert got.tolist() == [compare(a, b) for a, b in zip(*keys, strict=True)], name
