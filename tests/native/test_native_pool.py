"""Blocks of the pool: apart from each other whatever is freed and asked for, and used again."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from vires import _native
from vires.core import setup  # noqa: F401 - prepares the native core

UINT8 = 1
_MB = 1 << 20


@pytest.fixture(autouse=True)
def empty_pool():
    _native.trim()
    yield
    _native.trim()


def block(size):
    array = _native.empty((size,), UINT8)
    return array, _native.writable(array)


@pytest.mark.parametrize("seed", range(4))
def test_live_blocks_never_overlap(seed):
    draw = np.random.default_rng(seed)
    live = []
    for turn in range(400):
        if live and (len(live) > 12 or draw.random() < 0.5):
            array, address, size, mark = live.pop(draw.integers(len(live)))
            for place in (0, size // 2, size - 1):
                assert ctypes.c_uint8.from_address(address + place).value == mark
            del array
        else:
            size = int(draw.integers(1, 24 * _MB)) if draw.random() < 0.7 else 1 + turn * 1000
            array, address = block(size)
            assert address % 64 == 0
            for _, other, length, _ in live:
                assert address + size <= other or other + length <= address
            for place in (0, size // 2, size - 1):
                ctypes.c_uint8.from_address(address + place).value = turn % 256
            live.append((array, address, size, turn % 256))


def test_the_memory_of_a_large_block_serves_smaller_ones():
    array, start = block(16 * _MB)
    del array
    small = [block(3 * _MB) for _ in range(5)]
    assert all(start <= address <= start + 13 * _MB for _, address in small)
    assert _native.memory_stats()["cached"] == 1 * _MB


def test_neighbours_serve_a_larger_block():
    first, start = block(5 * _MB)
    second, other = block(5 * _MB)
    assert other == start + 5 * _MB
    del first, second
    whole, address = block(10 * _MB)
    assert address == start
    assert _native.memory_stats()["cached"] == 0
    del whole


def test_used_memory_grows_into_what_follows():
    mapped, _ = block(64 * _MB)  # nothing is left of its mapping, so that the next one is new
    array, start = block(5 * _MB)
    del array
    larger, address = block(8 * _MB)
    assert address == start
    ctypes.c_uint8.from_address(address + 8 * _MB - 1).value = 1
    assert _native.memory_stats()["cached"] == 0
    del larger, mapped
