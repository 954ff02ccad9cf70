"""Sorting and top_k against NumPy: special values, stability, several keys."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import vires
from vires import _native, lax
from vires.core import dtypes

EVERY = [d for d in dtypes.CODES if not dtypes.is_key(d)]


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("dtype", EVERY, ids=str)
def test_sort_on_every_dtype(dtype, jitted):
    x = np.random.RandomState(0).permutation(300 if np.dtype(dtype).itemsize > 1 else 7)
    x = (x if dtypes.kind(dtype) in ("bool", "unsigned") else x - 3).astype(dtype)
    wrap = vires.jit if jitted else lambda f: f
    result = np.asarray(wrap(lambda x: lax.sort(x))(x))
    wide = x if x.dtype.kind != "V" else x.astype(np.float32)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result.astype(wide.dtype), np.sort(wide))


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_nan_is_last_and_zeros_are_equal(dtype, jitted):
    x = np.array([np.nan, 1, -0.0, np.inf, 0.0, -np.inf, -np.nan, -0.0], dtype)
    wrap = vires.jit if jitted else lambda f: f
    values, places = wrap(lambda x: lax.sort((x, np.arange(8))))(x)
    assert np.asarray(places).tolist() == [5, 2, 4, 7, 1, 3, 0, 6]
    np.testing.assert_array_equal(
        np.asarray(values).astype(np.float32), np.sort(x.astype(np.float32), kind="stable")
    )


def test_several_keys_and_axes():
    random = np.random.RandomState(0)
    first, second = random.randint(0, 3, (2, 4, 30))
    payload = random.normal(size=(4, 30))
    for axis in (0, 1, -1):
        results = lax.sort((first, second, payload), axis, num_keys=2)
        order = np.lexsort((second, first), axis=axis)
        for result, operand in zip(results, (first, second, payload), strict=True):
            np.testing.assert_array_equal(
                np.asarray(result), np.take_along_axis(operand, order, axis)
            )


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_order(dtype, jitted):
    parts = [1.0, -2.0, 0.0, np.inf, np.nan]
    grid = np.array([complex(x, y) for x in parts for y in parts])
    x = np.random.RandomState(0).permutation(grid).astype(dtype)
    wrap = vires.jit if jitted else lambda f: f
    result, places = wrap(lambda x: lax.sort((x, np.arange(25))))(x)
    np.testing.assert_array_equal(np.asarray(places), np.argsort(x, kind="stable"))
    np.testing.assert_array_equal(np.asarray(result), x[np.argsort(x, kind="stable")])
    moved = wrap(lambda x: lax.sort_key_val(-np.arange(25), x)[1])(x)
    np.testing.assert_array_equal(np.asarray(moved), x[::-1])


def test_random_keys_follow():
    keys = _native.from_numpy(np.arange(3, dtype=np.uint64), dtype=dtypes.KEY)
    assert lax.sort_key_val(np.array([3, 1, 2]), keys)[1]._numpy().tolist() == [1, 2, 0]


def test_gradient_follows_the_permutation():
    weights = np.array([1.0, 10.0, 100.0])
    gradient = vires.grad(lambda x: lax.reduce_sum(lax.mul(lax.sort(x), weights), (0,)))
    assert np.asarray(gradient(np.array([5.0, 1.0, 3.0]))).tolist() == [100, 1, 10]


@pytest.mark.parametrize("jitted", [False, True])
def test_top_k(jitted):
    x = np.array([[3, 1, 4, 1, 5], [9, 2, 6, 9, 3]])
    wrap = vires.jit if jitted else lambda f: f
    values, places = wrap(lambda x: lax.top_k(x, 3))(x)
    assert np.asarray(values).tolist() == [[5, 4, 3], [9, 9, 6]]
    assert np.asarray(places).tolist() == [[4, 2, 0], [0, 3, 2]]
    assert places.dtype == np.int32
    values, places = wrap(lambda x: lax.top_k(x, 1, axis=0))(x)
    assert np.asarray(places).tolist() == [[1, 1, 1, 1, 0]]
    values, _ = wrap(lambda x: lax.top_k(x, 2))(np.array([1.0, np.nan, 2.0]))
    np.testing.assert_array_equal(np.asarray(values), [np.nan, 2.0])


def test_approximate_forms_are_exact():
    x = np.random.RandomState(0).normal(size=50)
    order = np.argsort(x)
    assert np.asarray(lax.approx_max_k(x, 3)[1]).tolist() == order[::-1][:3].tolist()
    assert np.asarray(lax.approx_min_k(x, 3)[1]).tolist() == order[:3].tolist()


def test_messages():
    with pytest.raises(
        ValueError, match=r"top_k: needs k from 0 to 3, the size of the axis; got 4"
    ):
        lax.top_k(np.ones(3), 4)
    with pytest.raises(TypeError, match=r"sort: needs operands of one shape; got float64\[3\] and"):
        lax.sort((np.ones(3), np.ones(4)))
    with pytest.raises(ValueError, match=r"sort: needs num_keys from 1 to 1; got 2"):
        lax.sort(np.ones(3), num_keys=2)
    with pytest.raises(ValueError, match=r"sort: needs an axis from -1 to 0; got 1"):
        lax.sort(np.ones(3), 1)
