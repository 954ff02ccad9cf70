"""The first call, the planned ones and those on other threads give the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires.engine.llvm import eager

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


INTEGER_CALLS: dict[str, Callable[[Any], Any]] = {
    "sum": vnp.sum,
    "sum of rows": lambda x: vnp.sum(x, axis=1, keepdims=True),
    "sum of columns": lambda x: vnp.sum(x, axis=0, dtype="int64"),
    "mean": vnp.mean,
    "count_nonzero": vnp.count_nonzero,
    "count of columns": lambda x: vnp.count_nonzero(x, axis=0),
    "average": lambda x: vnp.average(x, axis=1),
}


@pytest.mark.parametrize("shape", [(5, 6), (70, 41), (600, 500)])
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "float32"])
@pytest.mark.parametrize("name", INTEGER_CALLS)
def test_sums_of_integers_repeat_their_bits(name: str, dtype: str, shape: tuple[int, int]) -> None:
    """Those whose operand is converted for the sum alone."""
    values = np.random.default_rng(0).integers(-3, 100, shape).astype(dtype)
    x, call = vnp.asarray(values), INTEGER_CALLS[name]
    first = call(x)
    for _ in range(9):
        again = call(x)
        assert _bits(again) == _bits(first) and again.weak_type == first.weak_type
    if name == "count_nonzero":
        assert int(first) == np.count_nonzero(values)
    elif name == "sum" and dtype != "float32":
        assert int(first) == values.sum(dtype=np.int64)


def test_a_sum_reads_the_narrow_array() -> None:
    """Nothing is converted beforehand, and no scalar is spread over an array."""

    def parts(function: Callable[[Any], Any]) -> tuple[list[str], int]:
        jaxpr = vires.make_jaxpr(function)(vnp.ones(8, "int8")).jaxpr
        eqns = eager._with_scalars(jaxpr)
        return [e.primitive.name for e in eqns], len(eager._widened_sums(eqns, jaxpr.outvars))

    convert = "convert_element_type"
    assert parts(vnp.count_nonzero) == (["ne", convert, "reduce_sum"], 2)
    assert parts(vnp.sum) == ([convert, "reduce_sum"], 2)

    def both(x: Any) -> Any:
        wide = x.astype("int32")
        return wide, wide.sum()

    assert parts(both) == ([convert, "reduce_sum"], 0)
    assert parts(lambda x: vnp.full(8, x.sum() + 1))[0][-1] == "broadcast_in_dim"


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
