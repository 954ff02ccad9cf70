"""Every scalar operation on every dtype against NumPy, at one and several lanes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from vector_kernels import Kernels, same_bits

INTEGERS = [np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)]
FLOATS = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16)]
NARROW = [
    np.dtype(getattr(ml_dtypes, name))
    for name in [
        "bfloat16",
        "float8_e5m2",
        "float8_e4m3",
        "float8_e3m4",
        "float8_e4m3fn",
        "float8_e4m3fnuz",
        "float8_e5m2fnuz",
        "float8_e4m3b11fnuz",
        "float6_e2m3fn",
        "float6_e3m2fn",
        "float4_e2m1fn",
        "float8_e8m0fnu",
    ]
]
PACKED = [np.dtype(getattr(ml_dtypes, name)) for name in ("int4", "uint4", "int2", "uint2")]


def integer_pairs(dtype: np.dtype[Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    info = np.iinfo(dtype)
    special = [info.min, info.min + 1, info.max, info.max - 1, 0, 1, 2, 3, 7, 100]
    special += [-1, -2, -7] if info.min < 0 else [info.max // 2, info.max // 2 + 1]
    special += [8, 15, 16, 31, 32, 63, 64]
    grid = np.array(special, dtype=object).astype(dtype)
    x, y = (g.ravel() for g in np.meshgrid(grid, grid))
    random = rng.integers(info.min, info.max, 200, dtype=dtype, endpoint=True)
    small = rng.integers(1, 50, 200).astype(dtype)
    return np.concatenate([x, random, random]), np.concatenate([y, random[::-1], small])


def float_values(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if dtype.itemsize == 1:
        codes = np.arange(2 ** (6 if "6" in dtype.name[:6] else 4 if "float4" in dtype.name else 8))
        return codes.astype(np.uint8).view(dtype)
    info = ml_dtypes.finfo(dtype)
    values = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.7, -3.2]
    values += [float(info.max), float(info.smallest_subnormal), float(info.smallest_normal), 1e3]
    values += [-float(info.max), -float(info.smallest_subnormal), 0.49999997, 8388609.0]
    random = np.random.default_rng(2).standard_normal(30) * 10
    return np.concatenate([values, random]).astype(dtype)


def pairs(values: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.repeat(values, len(values)), np.tile(values, len(values))


def wrap(value: int, dtype: np.dtype[Any]) -> int:
    bits = 8 * dtype.itemsize
    value &= (1 << bits) - 1
    return value - (1 << bits) if dtype.kind == "i" and value >> (bits - 1) else value


def truncated(a: int, b: int, dtype: np.dtype[Any]) -> int:
    if b == 0:
        return -1
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def shift(kind: str) -> Callable[[int, int, np.dtype[Any]], int]:
    def expected(a: int, b: int, dtype: np.dtype[Any]) -> int:
        bits = 8 * dtype.itemsize
        amount = b & ((1 << bits) - 1)
        if kind == "left":
            return a << amount if amount < bits else 0
        if kind == "logical":
            return (a & ((1 << bits) - 1)) >> amount if amount < bits else 0
        signed = a - (1 << bits) if a >> (bits - 1) > 0 else a
        return signed >> min(amount, bits - 1)

    return expected


INTEGER_BINARY: dict[str, Callable[[int, int, np.dtype[Any]], int]] = {
    "add": lambda a, b, _: a + b,
    "sub": lambda a, b, _: a - b,
    "mul": lambda a, b, _: a * b,
    "div": truncated,
    "rem": lambda a, b, d: a if b == 0 else a - b * truncated(a, b, d),
    "max": lambda a, b, _: max(a, b),
    "min": lambda a, b, _: min(a, b),
    "and": lambda a, b, _: a & b,
    "or": lambda a, b, _: a | b,
    "xor": lambda a, b, _: a ^ b,
    "shift_left": shift("left"),
    "shift_right_logical": shift("logical"),
    "shift_right_arithmetic": shift("arithmetic"),
    "mulhi": lambda a, b, d: (a * b) >> (8 * d.itemsize),
    "copysign": lambda a, b, d: a if d.kind == "u" else abs(a) if b >= 0 else -abs(a),
}
INTEGER_UNARY: dict[str, Callable[[int, np.dtype[Any]], int]] = {
    "neg": lambda a, _: -a,
    "abs": lambda a, _: abs(a),
    "sign": lambda a, _: (a > 0) - (a < 0),
    "not": lambda a, _: ~a,
    "population_count": lambda a, d: (a & ((1 << 8 * d.itemsize) - 1)).bit_count(),
    "clz": lambda a, d: 8 * d.itemsize - (a & ((1 << 8 * d.itemsize) - 1)).bit_length(),
    "floor": lambda a, _: a,
    "round_away": lambda a, _: a,
    "real": lambda a, _: a,
    "imag": lambda a, _: 0,
}
COMPARISONS = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le,
    "gt": operator.gt, "ge": operator.ge, "eq_to": operator.eq, "lt_to": operator.lt,
    "le_to": operator.le,
}  # fmt: skip


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("lanes", [1, 8])
def test_integers(dtype: np.dtype[Any], lanes: int) -> None:
    x, y = integer_pairs(dtype)
    a, b = x.tolist(), y.tolist()
    kernels = Kernels(lanes)
    binary = {name: kernels.add_op(name, dtype, 2) for name in INTEGER_BINARY}
    unary = {name: kernels.add_op(name, dtype) for name in INTEGER_UNARY}
    compare = {name: kernels.add_op(name, dtype, 2) for name in COMPARISONS}
    for name, number in binary.items():
        expected = [
            wrap(INTEGER_BINARY[name](p, q, dtype), dtype) for p, q in zip(a, b, strict=True)
        ]
        np.testing.assert_array_equal(
            kernels(number, x, y), np.array(expected, dtype), err_msg=name
        )
    for name, number in unary.items():
        expected = [wrap(INTEGER_UNARY[name](p, dtype), dtype) for p in a]
        np.testing.assert_array_equal(kernels(number, x), np.array(expected, dtype), err_msg=name)
    for name, number in compare.items():
        np.testing.assert_array_equal(kernels(number, x, y), COMPARISONS[name](x, y), err_msg=name)


@pytest.mark.parametrize("dtype", PACKED, ids=str)
@pytest.mark.parametrize("lanes", [1, 4])
def test_packed_integers(dtype: np.dtype[Any], lanes: int) -> None:
    bits = int(dtype.name.lstrip("uint"))
    low = -(1 << (bits - 1)) if dtype.name.startswith("i") else 0
    values = list(range(low, low + (1 << bits)))
    a, b = (g.ravel().tolist() for g in np.meshgrid(values, values))
    x, y = np.array(a, np.int8).astype(dtype), np.array(b, np.int8).astype(dtype)
    assert np.array_equal(x.astype(np.int8), a)

    def wrapped(value: int) -> int:
        value &= (1 << bits) - 1
        return value - (1 << bits) if low and value >> (bits - 1) else value

    def model(name: str, p: int, q: int) -> int:
        mask = (1 << bits) - 1
        if name == "div":
            return -1 if q == 0 else truncated(p, q, dtype)
        if name == "rem":
            return p if q == 0 else p - q * truncated(p, q, dtype)
        if name in ("shift_left", "shift_right_logical", "shift_right_arithmetic"):
            count = q & mask if q >= 0 else 99
            if name == "shift_left":
                return p << count if count < bits else 0
            if name == "shift_right_logical":
                return (p & mask) >> count if count < bits else 0
            return (((p & mask) ^ (1 << (bits - 1))) - (1 << (bits - 1))) >> min(count, bits - 1)
        if name == "mulhi":
            return (p * q) >> bits
        return INTEGER_BINARY[name](p, q, dtype)

    kernels = Kernels(lanes)
    names = [name for name in INTEGER_BINARY if name != "copysign"]
    numbers = {name: kernels.add_op(name, dtype, 2) for name in names}
    unary = {
        name: kernels.add_op(name, dtype) for name in ("neg", "not", "population_count", "clz")
    }
    for name, number in numbers.items():
        expected = [wrapped(model(name, p, q)) for p, q in zip(a, b, strict=True)]
        got = kernels(number, x, y).astype(np.int8).tolist()
        assert got == expected, name
    models = {
        "neg": lambda p: wrapped(-p),
        "not": lambda p: wrapped(~p),
        "population_count": lambda p: wrapped((p & ((1 << bits) - 1)).bit_count()),
        "clz": lambda p: wrapped(bits - (p & ((1 << bits) - 1)).bit_length()),
    }
    for name, number in unary.items():
        assert kernels(number, x).astype(np.int8).tolist() == [models[name](p) for p in a], name


def total_order(x: np.ndarray[Any, Any]) -> list[int]:
    """Keys that sort as the total order does, for 16 to 64 bit floats."""
    width = 8 * x.dtype.itemsize
    bits = x.view(f"u{x.dtype.itemsize}").tolist()
    sign = 1 << (width - 1)
    return [-(b & ~sign) - 1 if b & sign else b for b in bits]


def round_half_away(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    whole = np.trunc(x)
    with np.errstate(invalid="ignore"):
        step = np.where(np.abs(x - whole) >= 0.5, 1.0, 0.0)
    return np.copysign(np.abs(whole) + step, x)


def maximum(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """NumPy's, with 0.0 greater than -0.0."""
    return np.where((a == 0) & (b == 0), np.where(np.signbit(a), b, a), np.maximum(a, b))


def minimum(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return -maximum(-a, -b)


FLOAT_BINARY: dict[str, Any] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "rem": np.fmod,
    "max": maximum, "min": minimum, "copysign": np.copysign,
    "nextafter": lambda a, b: np.where(a == b, b, np.nextafter(a, b)),
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip
FLOAT_UNARY: dict[str, Any] = {
    "neg": np.negative, "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc,
    "sign": lambda x: np.where(x == 0, x, np.sign(x)),
    "round_even": np.rint, "round_away": round_half_away, "is_finite": np.isfinite,
    "is_nan": np.isnan, "is_inf": np.isinf, "sign_bit": np.signbit, "sqrt": np.sqrt,
}  # fmt: skip


@pytest.mark.parametrize("dtype", [*FLOATS, NARROW[0]], ids=str)
@pytest.mark.parametrize("lanes", [1, 8])
def test_floats(dtype: np.dtype[Any], lanes: int) -> None:
    values = float_values(dtype)
    x, y = pairs(values)
    kernels = Kernels(lanes)
    binary = {name: kernels.add_op(name, dtype, 2) for name in FLOAT_BINARY}
    unary = {name: kernels.add_op(name, dtype) for name in FLOAT_UNARY}
    ordered = {name: kernels.add_op(name, dtype, 2) for name in ("eq_to", "lt_to", "le_to")}
    with np.errstate(all="ignore"):
        for name, number in binary.items():
            got, expected = kernels(number, x, y), FLOAT_BINARY[name](x, y)
            if got.dtype != bool:
                expected = expected.astype(dtype)
            assert same_bits(got, expected), (name, x[got != expected], y[got != expected])
        for name, number in unary.items():
            got, expected = kernels(number, values), FLOAT_UNARY[name](values)
            if got.dtype != bool:
                expected = expected.astype(dtype)
            assert same_bits(got, expected), (name, values, got, expected)
    keys = [total_order(x), total_order(y)]
    for name, number in ordered.items():
        expected = [COMPARISONS[name](p, q) for p, q in zip(*keys, strict=True)]
        assert kernels(number, x, y).tolist() == expected, name


def test_fma_rounds_once() -> None:
    rng = np.random.default_rng(3)
    for dtype in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16):
        x, y, z = (rng.standard_normal(2000).astype(dtype) for _ in range(3))
        z[::2] = -(x[::2].astype(np.float64) * y[::2].astype(np.float64)).astype(dtype)
        kernels = Kernels(8)
        got = kernels(kernels.add_op("fma", dtype, 3), x, y, z)
        exact = [
            a.astype(np.longdouble) * b.astype(np.longdouble) + c.astype(np.longdouble)
            for a, b, c in zip(*(v.astype(np.float64) for v in (x, y, z)), strict=True)
        ]
        if dtype == np.float64:
            from fractions import Fraction

            exact = [
                float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))
                for a, b, c in zip(x, y, z, strict=True)
            ]
        expected = np.array([float(v) for v in exact]).astype(dtype)
        assert np.mean(got == expected) == 1.0, dtype


@pytest.mark.parametrize("dtype", NARROW[1:], ids=str)
def test_narrow_floats(dtype: np.dtype[Any]) -> None:
    """float8 and smaller: arithmetic is that of float32, rounded as ml_dtypes rounds."""
    values = float_values(dtype)
    x, y = pairs(values)
    wide_x, wide_y = x.astype(np.float32), y.astype(np.float32)
    kernels = Kernels(8)
    numbers = {name: kernels.add_op(name, dtype, 2) for name in ("add", "mul", "sub", "lt", "eq")}
    with np.errstate(all="ignore"):
        for name, number in numbers.items():
            got = kernels(number, x, y)
            operation = {"add": np.add, "mul": np.multiply, "sub": np.subtract}.get(name)
            if operation is None:
                assert np.array_equal(got, COMPARISONS[name](wide_x, wide_y)), name
            else:
                assert same_bits(got, operation(wide_x, wide_y).astype(dtype)), name


def test_bools() -> None:
    x, y = np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)
    expected: dict[str, Any] = {
        "and": x & y, "or": x | y, "xor": x ^ y, "max": x | y, "min": x & y, "eq": x == y,
        "ne": x != y, "lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y, "add": x | y,
        "mul": x & y,
    }  # fmt: skip
    for lanes in (1, 4):
        kernels = Kernels(lanes)
        numbers = {name: kernels.add_op(name, bool, 2) for name in expected}
        inverse = kernels.add_op("not", bool)
        for name, number in numbers.items():
            assert np.array_equal(kernels(number, x, y), expected[name]), name
        assert np.array_equal(kernels(inverse, x), ~x)


def test_select_and_broadcast() -> None:
    kernels = Kernels(8)
    number = kernels.add(
        lambda code, c, x: code.op("select", c, x, code.constant(7, np.int16)), [bool, np.int16]
    )
    condition = np.arange(11) % 3 == 0
    values = np.arange(11, dtype=np.int16)
    assert np.array_equal(kernels(number, condition, values), np.where(condition, values, 7))


def test_remainder_of_far_quotients() -> None:
    rng = np.random.default_rng(4)
    for dtype in (np.float32, np.float64):
        x = np.exp(rng.uniform(-80, 80, 3000)).astype(dtype) * rng.choice([-1, 1], 3000)
        y = np.exp(rng.uniform(-80, 80, 3000)).astype(dtype) * rng.choice([-1, 1], 3000)
        y[:1000] = x[:1000] / rng.integers(1, 1000, 1000)
        x, y = x.astype(dtype), y.astype(dtype)
        kernels = Kernels(8)
        got = kernels(kernels.add_op("rem", dtype, 2), x, y)
        expected = [math.fmod(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        assert same_bits(got, np.array(expected, dtype))


def test_errors() -> None:
    kernels = Kernels()
    with pytest.raises(TypeError, match="and: needs another dtype; got float32, float32"):
        kernels.add_op("and", np.float32, 2)
    with pytest.raises(TypeError, match="sin: needs a float dtype; got int32"):
        kernels.add_op("sin", np.int32)
    with pytest.raises(TypeError, match="add: needs 2 operands; got 1"):
        kernels.add_op("add", np.int32, 1)
    with pytest.raises(ValueError, match="known operation; got 'nonsense'"):
        kernels.add_op("nonsense", np.int32)
    with pytest.raises(TypeError, match="add: needs operands of one dtype; got int32, float32"):
        kernels.add(lambda code, x, y: code.op("add", x, y), [np.int32, np.float32])
