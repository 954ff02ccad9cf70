"""Arrays and keys pickled and copied."""

# fmt: off
# ruff: noqa: E501
from __future__ import annotations

import copy
import pickle

import ml_dtypes
import numpy as onp
import pytest

import vires.numpy as np
from vires import jit, random

DTYPES = ["bool", "int8", "uint16", "int32", "int64", "float16", ml_dtypes.bfloat16, "float32", "float64", "complex64"]
SHAPES = [(), (0,), (3,), (2, 0, 3), (4, 5)]
WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {n}": lambda x, n=n: pickle.loads(pickle.dumps(x, n)) for n in range(2, 6)},
}


@pytest.mark.parametrize("way", WAYS)
def test_arrays(way: str) -> None:
    for dtype in DTYPES:
        for shape in SHAPES:
            x = np.asarray(onp.arange(onp.prod(shape, dtype=int)).reshape(shape).astype(dtype))
            y = WAYS[way](x)
            assert type(y) is type(x) and y.aval == x.aval
            onp.testing.assert_array_equal(onp.asarray(y), onp.asarray(x))


@pytest.mark.parametrize("way", WAYS)
def test_keys(way: str) -> None:
    for key in (random.key(3), random.PRNGKey(3), random.split(random.key(3), 4)):
        other = WAYS[way](key)
        assert other.dtype == key.dtype and other.shape == key.shape
        first = key if key.shape in ((), (2,)) else key[1]
        second = other if key.shape in ((), (2,)) else other[1]
        onp.testing.assert_array_equal(
            random.normal(random.clone(first), (3,)), random.normal(random.clone(second), (3,))
        )


@pytest.mark.parametrize("way", WAYS)
def test_trees_and_weak_types(way: str) -> None:
    tree = {"w": [np.ones(3), (np.float32(2), None)], "weak": np.asarray(2.0)}
    other = WAYS[way](tree)
    assert other["weak"].weak_type == tree["weak"].weak_type
    onp.testing.assert_array_equal(other["w"][0], tree["w"][0])
    assert float(jit(lambda t: t["w"][0].sum() * t["weak"])(other)) == 6.0


def test_shared_array_stays_shared() -> None:
    x = np.ones(3)
    first, second = copy.deepcopy([x, x])
    assert first is second
    first, second = pickle.loads(pickle.dumps([x, x]))
    assert first is second
