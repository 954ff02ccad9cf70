"""Basic indexing and iteration of concrete arrays, against NumPy."""

from __future__ import annotations

import gc
import operator
import sys

import numpy as np
import pytest

from native_code import BFLOAT16, COMPLEX128, FLOAT32, KEY, dtype_of
from vires import _native

INDICES = [
    0, -1, slice(None), slice(1, 3), slice(None, None, 2), slice(None, None, -1), slice(5, 1, -2),
    slice(2, 2), slice(100, None), slice(-100, 100, 3), slice(None, None, 2**70), None, ..., (),
    (0, 1), (slice(None), 0), (..., 0), (..., -1, None), (None, 0, ..., None),
    (0, ..., slice(1, 3)),
    (slice(1, 4), slice(None, None, -1)), (slice(None), slice(2, 2)), (0, 1, 2),
    (1, slice(None), 2),
    (slice(None, None, 2), slice(None, None, 2), slice(None, None, 2)), (slice(1, 2), 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("code", [0, 1, 2, FLOAT32, BFLOAT16, 14, COMPLEX128, 21])
@pytest.mark.parametrize("index", INDICES, ids=str)
def test_basic_indices(index: object, code: int) -> None:
    values = (np.arange(4 * 5 * 6) % 7).reshape(4, 5, 6).astype(dtype_of(code))
    got = _native.from_numpy(values, True)[index]
    assert type(got) is _native.Array
    assert got.weak_type
    assert got.dtype == values.dtype
    assert got.shape == values[index].shape
    np.testing.assert_array_equal(got._numpy(), values[index])


def test_random_indices() -> None:
    random = np.random.default_rng(0)
    for _ in range(2000):
        shape = tuple(random.integers(0, 6, random.integers(0, 5)))
        values = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
        index = []
        for length in shape[: random.integers(0, len(shape) + 1)]:
            kind = random.integers(0, 4)
            if kind == 0 and length:
                index.append(int(random.integers(-length, length)))
            elif kind == 1:
                index.append(None)
                index.append(slice(None))
            else:
                start, stop = (int(i) for i in random.integers(-8, 8, 2))
                index.append(slice(start, stop, int(random.choice([-3, -2, -1, 1, 2, 3]))))
        if random.random() < 0.3:
            index.append(...)
        got = _native.from_numpy(values)[tuple(index)]
        assert got.shape == values[tuple(index)].shape
        np.testing.assert_array_equal(got._numpy(), values[tuple(index)])


def test_large_contiguous_parts_share_memory() -> None:
    x = _native.from_numpy(np.arange(100_000, dtype=np.float32).reshape(100, 1000))
    start = x.unsafe_buffer_pointer()
    assert x[10:20].unsafe_buffer_pointer() == start + 40_000
    assert x[10, None, :100, None].unsafe_buffer_pointer() != start + 40_000
    assert x[10:12, None, :, None].unsafe_buffer_pointer() == start + 40_000
    assert x[:, 5:7].unsafe_buffer_pointer() % 64 == 0
    np.testing.assert_array_equal(x[::-7, 990:3:-5]._numpy(), x._numpy()[::-7, 990:3:-5])


@pytest.mark.parametrize("shape", [(0,), (5,), (3, 4), (2, 0), (3, 2000), (0, 4)])
def test_iteration(shape: tuple[int, ...]) -> None:
    values = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    x = _native.from_numpy(values)
    rows = list(x)
    assert operator.length_hint(iter(x)) == shape[0]
    assert [row.shape for row in rows] == [shape[1:]] * shape[0]
    for row, expected in zip(rows, values, strict=True):
        np.testing.assert_array_equal(row._numpy(), expected)
    first, *_ = x if shape[0] else [None]
    assert first is None or first.shape == shape[1:]


def test_keys() -> None:
    keys = _native.from_numpy(np.arange(6, dtype=np.uint64))._view((3, 2), 0, dtype_of(KEY))
    assert keys[1].dtype is dtype_of(KEY)
    assert keys[1, 1]._numpy() == 3
    assert [row.shape for row in keys] == [(2,)] * 3


def test_deleted_arrays_and_bad_slices() -> None:
    x = _native.empty((3,), FLOAT32)
    rows = iter(x)
    next(rows)
    with pytest.raises(ValueError, match="slice step cannot be zero"):
        x[::0]
    x.delete()
    for use in (lambda: x[0], lambda: next(rows)):
        with pytest.raises(RuntimeError, match="deleted"):
            use()


def test_nothing_leaks() -> None:
    x = _native.empty((20, 200), FLOAT32)

    def work() -> None:
        for index in (0, slice(1, 9), (..., 0), (1, 2), None):
            x[index]
        for row in x:
            row[3]

    for _ in range(10):
        work()
    gc.collect()
    blocks, live = sys.getallocatedblocks(), _native.memory_stats()["live"]
    references = sys.getrefcount(x)
    for _ in range(1000):
        work()
    assert sys.getallocatedblocks() - blocks < 500
    assert _native.memory_stats()["live"] == live
    assert sys.getrefcount(x) == references


def test_strided_parts_are_gathered_when_they_are_read() -> None:
    values = np.arange(24_000, dtype=np.float32).reshape(40, 30, 20)
    x = _native.from_numpy(values)
    part, expected = x[::2, 5:25, ::-3], values[::2, 5:25, ::-3]
    inner, inner_expected = part[3:, ::-1], expected[3:, ::-1]  # a part of a part
    x.delete()  # parts hold the memory
    assert part.shape == expected.shape
    np.testing.assert_array_equal(inner._numpy(), inner_expected)
    np.testing.assert_array_equal(part._numpy(), expected)
    np.testing.assert_array_equal(part._numpy(), expected)
    for row, want in zip(part[:, ::2], expected[:, ::2], strict=True):
        np.testing.assert_array_equal(row._numpy(), want)
    part.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        part[0]


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "float64", "complex128"])
def test_large_parts_are_gathered_on_all_threads(dtype: str) -> None:
    values = np.arange(1200 * 700).reshape(1200, 700).astype(dtype)
    x = _native.from_numpy(values)
    np.testing.assert_array_equal(x[::-1, ::2]._numpy(), values[::-1, ::2])
    np.testing.assert_array_equal(x[:, 1:, None]._numpy(), values[:, 1:, None])
