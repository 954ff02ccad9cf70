"""The first call, the planned ones and those on other threads give the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vires
import vires.numpy as vnp

CALLS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: vnp.sum(x, axis=0),
    "mean": lambda x: vnp.mean(x),
    "var": lambda x: vnp.var(x, axis=-1, keepdims=True),
    "max": lambda x: vnp.max(x, axis=1),
    "argmax": lambda x: vnp.argmax(x, axis=0),
    "argmin": lambda x: vnp.argmin(x),
    "cumsum": lambda x: vnp.cumsum(x, axis=0),
    "cumprod": lambda x: vnp.cumprod(x),
    "sort": lambda x: vnp.sort(x, axis=0),
    "argsort": lambda x: vnp.argsort(x),
    "matmul": lambda x: x @ x.T,
    "norm": lambda x: vnp.linalg.norm(x),
    "solve": lambda x: vnp.linalg.solve(x @ x.T + 9 * vnp.eye(x.shape[0]), x),
    "pad": lambda x: vnp.pad(x, ((1, 2), (0, 3)), constant_values=7),
    "roll": lambda x: vnp.roll(x, 2, 1),
    "flip": lambda x: vnp.flip(x, 0),
    "concatenate": lambda x: vnp.concatenate([x, x[:, ::-1]], 1),
    "stack": lambda x: vnp.stack([x, x * 2], -1),
    "split": lambda x: vnp.split(x, [1, 3], 1),
    "tril": lambda x: vnp.tril(x),
    "repeat": lambda x: vnp.repeat(x, 3, 0),
    "median": lambda x: vnp.median(x, axis=1),
    "fft": lambda x: vnp.fft.rfft(x),
    "iota": lambda x: vnp.indices(x.shape)[1] + x,
}


def _bits(tree: Any) -> list[tuple[Any, ...]]:
    return [(x.shape, x.dtype, np.asarray(x).tobytes()) for x in vires.tree.leaves(tree)]


@pytest.mark.parametrize("shape", [(5, 6), (70, 40), (600, 500)])
@pytest.mark.parametrize("name", CALLS)
def test_calls_repeat_their_bits(name: str, shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    x = vnp.asarray(random.standard_normal(shape).astype(np.float32))
    call = CALLS[name]
    first = _bits(call(x))
    for _ in range(12 if shape[0] < 600 else 9):
        assert _bits(call(x)) == first
    with vires.threads(1):
        assert _bits(call(x)) == first


def test_each_call_gives_an_array_of_its_own() -> None:
    made = [vnp.zeros(3) for _ in range(4)]
    made[2].delete()
    assert vnp.zeros(3).tolist() == [0.0, 0.0, 0.0]
    assert made[3].tolist() == [0.0, 0.0, 0.0]


def test_extremes_of_signed_zeros_and_nan() -> None:
    zeros = np.array([-0.0, 0.0] * 40, np.float32)
    assert not np.signbit(float(vnp.max(vnp.asarray(zeros))))
    assert np.signbit(float(vnp.min(vnp.asarray(zeros))))
    for place in (0, 17, 79, 2999):
        values = np.arange(3000, dtype=np.float32)
        values[place] = np.nan
        x = vnp.asarray(values)
        assert np.isnan(vnp.max(x)) and np.isnan(vnp.min(x))
        assert int(vnp.argmax(x)) == int(vnp.argmin(x)) == place
        rows = vnp.stack([x, x[::-1]], 1)
        assert vnp.argmax(rows, axis=0).tolist() == [place, 2999 - place]


@pytest.mark.parametrize("size", [1, 15, 16, 63, 64, 257, 1000, 40_000, 300_000])
@pytest.mark.parametrize("dtype", ["int8", "uint32", "float16", "float32", "float64"])
def test_positions(size: int, dtype: str) -> None:
    random = np.random.default_rng(size)
    values = random.integers(0, 100, size).astype(dtype)
    x = vnp.asarray(values)
    assert int(vnp.argmax(x)) == values.argmax()
    assert int(vnp.argmin(x)) == values.argmin()
    if size % 4 == 0:
        cube = values.reshape(2, -1, 2)
        for axis in range(3):
            np.testing.assert_array_equal(
                vnp.argmax(vnp.asarray(cube), axis=axis), cube.argmax(axis)
            )


@pytest.mark.parametrize("size", [0, 1, 5, 40])
def test_elements_kept_apart(size: int) -> None:
    values = np.arange(1, size + 1, dtype=np.float32)
    for k in (-2, 0, 3):
        for _ in range(3):
            np.testing.assert_array_equal(vnp.diag(vnp.asarray(values), k), np.diag(values, k))
