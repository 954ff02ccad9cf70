"""Conversions between all dtypes, bitcasts and constants, against NumPy and ml_dtypes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from test_code_scalar import FLOATS, INTEGERS, NARROW, PACKED, float_values, integer_pairs
from vector_kernels import Kernels, run, same_bits

COMPLEX = [np.dtype(np.complex64), np.dtype(np.complex128)]
ALL = [np.dtype(bool), *INTEGERS, *PACKED, *FLOATS, *NARROW, *COMPLEX]


def samples(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if dtype.kind == "b":
        return np.array([False, True, True])
    if dtype in INTEGERS:
        return np.unique(integer_pairs(dtype)[0])
    if dtype in PACKED:
        return np.arange(16).astype(np.int8).astype(dtype)
    if dtype.kind == "c":
        values = samples(np.dtype(np.float32 if dtype.itemsize == 8 else np.float64))
        return (values + 1j * values[::-1]).astype(dtype)
    values = float_values(dtype)
    if dtype in (np.float32, np.float64):
        rng = np.random.default_rng(5)
        near = np.concatenate(
            [NARROW_TIES, rng.standard_normal(300) * np.exp2(rng.uniform(-30, 40, 300))]
        )
        values = np.concatenate(
            [values, near.astype(dtype), np.nextafter(near, np.inf).astype(dtype)]
        )
    return values


def ties() -> np.ndarray[Any, Any]:
    """Values halfway between neighbours of narrow formats, and the borders of integers."""
    found: list[float] = []
    for dtype in (np.float16, *NARROW):
        values = float_values(np.dtype(dtype)).astype(np.float64)
        values = np.unique(values[np.isfinite(values)])
        found += ((values[1:] + values[:-1]) / 2).tolist()
    for bits in (7, 8, 15, 16, 31, 32, 63, 64):
        found += [2.0**bits, -(2.0**bits), 2.0**bits - 1, 2.0**bits * (1 - 2.0**-24)]
    return np.array(found)


NARROW_TIES = ties()


def expected(values: np.ndarray[Any, Any], target: np.dtype[Any]) -> np.ndarray[Any, Any]:
    source = values.dtype
    if target.kind == "b":
        if source.kind == "c":
            return values != 0
        wide = values.astype(np.float64) if source.kind in "fV" else values
        return wide != 0
    if source.kind == "c" and target.kind != "c":
        values, source = values.real, values.real.dtype
    floating = source in FLOATS or source in NARROW
    whole = target in INTEGERS or target in PACKED
    if floating and whole:
        bits = 8 * target.itemsize if target in INTEGERS else int(target.name.lstrip("uint"))
        signed = target.name.startswith("i")
        low = -(1 << (bits - 1)) if signed else 0
        high = (1 << (bits - signed)) - 1
        numbers = [
            0
            if x != x
            else high
            if x == np.inf
            else low
            if x == -np.inf
            else max(low, min(high, int(x)))
            for x in values.astype(np.float64).tolist()
        ]
        return (
            np.array(numbers, object)
            .astype(target if target in INTEGERS else np.int8)
            .astype(target)
        )
    if target in PACKED:
        return values.astype(np.int64).astype(np.int8).astype(target)
    if source in PACKED:
        values = values.astype(np.int8)
    if target in NARROW and source.kind in "iub":
        values = values.astype(np.float32)
    if source in NARROW and target.kind != "c":
        values = values.astype(np.float32)
    return values.astype(target)


@pytest.mark.parametrize("source", ALL, ids=str)
@pytest.mark.parametrize("lanes", [1, 8])
def test_convert(source: np.dtype[Any], lanes: int) -> None:
    values = samples(source)
    kernels = Kernels(lanes)
    numbers = {
        target: kernels.add(lambda code, x, target=target: code.convert(x, target), [source])
        for target in ALL
    }
    with np.errstate(all="ignore"):
        for target, number in numbers.items():
            if target == ml_dtypes.bfloat16 and source.itemsize >= 8 and source.kind in "fc":
                # ml_dtypes rounds twice here, by way of float32.
                values = values.astype(np.float32).astype(source)
            got, wanted = kernels(number, values), expected(values, target)
            assert same_bits(got, wanted), (target, values[got != wanted], got[got != wanted])


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_bitcast(size: int) -> None:
    group = [d for d in [*INTEGERS, *FLOATS, *NARROW[:2]] if d.itemsize == size]
    raw = np.random.default_rng(0).integers(0, 256, 64 * size, dtype=np.uint8)
    for source in group:
        for target in group:
            values = raw.view(source)
            got = run(lambda code, x, target=target: code.bitcast(x, target), values)
            assert got.tobytes() == values.view(target).tobytes()


def test_bitcast_error() -> None:
    with pytest.raises(TypeError, match="bitcast: needs dtypes of one width; got int16 of 2 bytes"):
        run(lambda code, x: code.bitcast(x, np.float32), np.zeros(3, np.int16))


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_constants(dtype: np.dtype[Any]) -> None:
    for value in samples(dtype)[:40]:
        got = run(
            lambda code, x, v=value: code.constant(v, dtype, 4), np.zeros(4, np.int8), lanes=4
        )
        assert same_bits(got, np.repeat(value, 4)), value


def test_python_constants() -> None:
    cases: list[tuple[Any, Any, Any]] = [
        (-1, np.uint32, 2**32 - 1), (300, np.int8, 44), (0.1, np.float32, np.float32(0.1)),
        (0.1, ml_dtypes.bfloat16, ml_dtypes.bfloat16(0.1)), (1, np.float64, 1.0),
        (float("nan"), np.float32, np.nan), (-0.0, np.float64, -0.0), (1e300, np.float32, np.inf),
        (2 - 3j, np.complex64, 2 - 3j), (True, bool, True),
    ]  # fmt: skip
    for value, dtype, wanted in cases:
        got = run(
            lambda code, x, v=value, d=dtype: code.constant(v, d), np.zeros(1, np.int8), lanes=1
        )
        assert same_bits(got, np.array([wanted], dtype)), value


def test_float16_without_instructions_for_it() -> None:
    """Processors without F16C convert by integer operations, to the same bits."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    values = samples(np.dtype(np.float32))
    kernels = Kernels(8, features="+sse2,")
    widen = kernels.add(lambda code, x: code.convert(x, np.float32), [np.float16])
    narrow = kernels.add(lambda code, x: code.convert(x, np.float16), [np.float32])
    with np.errstate(all="ignore"):
        assert same_bits(kernels(widen, every), every.astype(np.float32))
        assert same_bits(kernels(narrow, values), values.astype(np.float16))
        again = every.astype(np.float32)
        assert same_bits(kernels(narrow, again), every)
