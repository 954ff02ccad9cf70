"""Threefry and the streams built on it: published vectors, and values that never change."""

from __future__ import annotations

import numpy as np
import pytest

import vires
from vires import _native
from vires.core import dtypes
from vires.ops import random_bits as r


@pytest.fixture(autouse=True)
def reference_engine():
    with vires.config.override("engine", "reference"):
        yield


def seeded(seed, dtype=np.int32):
    return r.random_seed(_native.from_numpy(np.asarray(seed, dtype)))


def words(keys):
    return r.random_unwrap(keys)._numpy().tolist()


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_published_vectors(key, counter, expected):
    out = r.threefry_numpy(*key, *counter)
    assert (int(out[0][0]), int(out[1][0])) == expected


def test_seeds():
    assert words(seeded(7)) == [0, 7]
    assert words(seeded(-1)) == [0, 0xFFFFFFFF]
    assert words(seeded(-1, np.int64)) == [0xFFFFFFFF, 0xFFFFFFFF]
    assert words(seeded((5 << 32) + 9, np.int64)) == [5, 9]


def test_streams_never_change():
    key = seeded(0)
    assert words(r.random_split(key, shape=(2,))) == [
        [1797259609, 2579123966],
        [928981903, 3453687069],
    ]
    folded = r.random_fold_in(key, _native.from_numpy(np.uint32(7)))
    assert words(folded) == [2716826189, 292468403]
    bits = {
        8: [167, 146, 40, 53, 183],
        16: [20391, 13970, 3624, 43061, 15287],
        32: [4070199207, 4202968722, 1427181096, 2012915765, 2447653815],
    }
    for width, expected in bits.items():
        out = r.random_bits(key, bit_width=width, shape=(5,))
        assert out.dtype == np.dtype(f"u{width // 8}") and out.tolist() == expected


def test_an_element_depends_on_its_position_only():
    key = seeded(3)
    long = r.random_bits(key, bit_width=64, shape=(3, 4)).tolist()
    flat = [x for row in long for x in row]
    assert r.random_bits(key, bit_width=64, shape=(12,)).tolist() == flat
    assert r.random_bits(key, bit_width=64, shape=(5,)).tolist() == flat[:5]
    assert r.random_bits(key, bit_width=64, shape=()).tolist() == long[0][0]


def test_each_key_of_an_array_has_its_own_stream():
    keys = r.random_split(seeded(3), shape=(2, 3))
    assert keys.dtype is dtypes.KEY and keys.shape == (2, 3)
    out = r.random_bits(keys, bit_width=32, shape=(4,))
    assert out.shape == (2, 3, 4)
    one = _native.from_numpy(np.array(keys._numpy()[1, 2]), dtype=dtypes.KEY)
    assert out.tolist()[1][2] == r.random_bits(one, bit_width=32, shape=(4,)).tolist()


def test_wrap_and_unwrap_are_inverse():
    raw = np.array([[1, 2], [3, 2**32 - 1]], np.uint32)
    assert words(r.random_wrap(_native.from_numpy(raw))) == raw.tolist()


def test_errors():
    with pytest.raises(
        TypeError, match="random_wrap: needs uint32 words with a last axis of size 2; got uint32"
    ):
        r.random_wrap(_native.from_numpy(np.zeros(3, np.uint32)))
    with pytest.raises(
        TypeError, match=r"random_bits: needs random keys; got uint32\[2\]; try vires.random.key"
    ):
        r.random_bits(_native.from_numpy(np.zeros(2, np.uint32)), bit_width=32, shape=())
    with pytest.raises(
        ValueError, match="random_bits: needs a bit_width of 8, 16, 32 or 64; got 12"
    ):
        r.random_bits(seeded(0), bit_width=12, shape=())
