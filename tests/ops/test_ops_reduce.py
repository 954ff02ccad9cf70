"""Reductions and cumulative operations against NumPy, on every dtype, with special values."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import vires
from vires import lax
from vires.core import dtypes

NUMBERS = [d for d in dtypes.CODES if not dtypes.is_key(d) and d != np.bool_]
WIDE = {"float": np.float64, "complex": np.complex128, "signed": np.int64, "unsigned": np.int64}


def exact(dtype, shape=(3, 4)):
    """Small whole numbers, which nearly every dtype represents together with their sums."""
    x = np.random.RandomState(0).randint(-1, 2, shape)
    return (np.abs(x) if dtypes.kind(dtype) == "unsigned" else x).astype(dtype)


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_reductions_on_every_dtype(dtype):
    x = exact(dtype)
    wide = x.astype(WIDE[dtypes.kind(dtype)])
    for function, truth in (
        (lax.reduce_sum, np.sum),
        (lax.reduce_prod, np.prod),
        (lax.reduce_max, np.max),
        (lax.reduce_min, np.min),
    ):
        for axes in ((0,), (1,), (0, 1), ()):
            result = np.asarray(function(x, axes))
            assert result.dtype == dtype
            expected = truth(wide, axis=axes).astype(dtype)  # those of 2 bits wrap around
            np.testing.assert_array_equal(result.astype(wide.dtype), expected.astype(wide.dtype))


@pytest.mark.parametrize("dtype", [d for d in NUMBERS if dtypes.kind(d) != "complex"], ids=str)
def test_cumulative_operations_on_every_dtype(dtype):
    x = exact(dtype)
    wide = x.astype(WIDE[dtypes.kind(dtype)])
    for function, truth in (
        (lax.cumsum, np.add),
        (lax.cumprod, np.multiply),
        (lax.cummax, np.maximum),
        (lax.cummin, np.minimum),
    ):
        for axis in (0, -1):
            forward = truth.accumulate(wide, axis)
            backward = np.flip(truth.accumulate(np.flip(wide, axis), axis), axis)
            for reverse, expected in ((False, forward), (True, backward)):
                expected = expected.astype(dtype).astype(wide.dtype)  # those of 2 bits wrap around
                for run in (function, vires.jit(function, static_argnums=(1, 2))):
                    found = np.asarray(run(x, axis, reverse)).astype(wide.dtype)
                    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_sums_are_rounded_once(dtype):
    x = np.full(5000, 0.1, dtype)
    expected = x.astype(np.float64).sum().astype(dtype)
    assert np.asarray(lax.reduce_sum(x, (0,))) == expected
    assert np.asarray(vires.jit(lambda x: lax.reduce_sum(x, (0,)))(x)) == expected
    np.testing.assert_array_equal(
        np.asarray(lax.cumsum(x)), np.cumsum(x.astype(np.float32)).astype(dtype)
    )


def test_integers_wrap_around():
    x = np.full(3, 100, np.int8)
    assert np.asarray(lax.reduce_sum(x, (0,))) == np.int8(44)
    assert np.asarray(lax.reduce_prod(x, (0,))) == np.int8(64)


def test_reductions_of_no_elements_give_the_identity():
    x = np.zeros((2, 0), np.float32)
    assert np.asarray(lax.reduce_sum(x, (1,))).tolist() == [0, 0]
    assert np.asarray(lax.reduce_prod(x, (1,))).tolist() == [1, 1]
    assert np.asarray(lax.reduce_max(x, (1,))).tolist() == [-np.inf] * 2
    assert np.asarray(lax.reduce_min(x, (1,))).tolist() == [np.inf] * 2
    assert np.asarray(lax.reduce_max(x.astype(np.int8), (1,))).tolist() == [-128] * 2
    assert np.asarray(lax.reduce_and(x.astype(bool), (1,))).tolist() == [True] * 2


@pytest.mark.parametrize("jitted", [False, True])
def test_nan_wins(jitted):
    x = np.array([[1, np.nan, np.inf], [-0.0, 0.0, -1]], np.float32)
    wrap = vires.jit if jitted else lambda f: f
    for function, truth in ((lax.reduce_max, np.max), (lax.reduce_min, np.min)):
        np.testing.assert_array_equal(
            np.asarray(wrap(lambda x, f=function: f(x, (1,)))(x)), truth(x, 1)
        )
    for function, truth in ((lax.argmax, np.argmax), (lax.argmin, np.argmin)):
        result = wrap(lambda x, f=function: f(x, 1, np.int32))(x)
        np.testing.assert_array_equal(np.asarray(result), truth(x, 1))
    np.testing.assert_array_equal(
        np.asarray(wrap(lambda x: lax.cummax(x, 1))(x)), np.maximum.accumulate(x, 1)
    )


def test_argmax_takes_the_first_of_equal_elements():
    x = np.array([2, 7, 7, 1, 7])
    assert int(lax.argmax(x, 0, np.int32)) == 1
    assert int(vires.jit(lambda x: lax.argmax(x, 0, np.int32))(np.tile(x, 1000))) == 1
    assert lax.argmax(x, 0, np.uint8).dtype == np.uint8


def test_complex_numbers_are_ordered_by_real_part_first():
    x = np.array([1 + 2j, 1 - 5j, 0.5 + 9j, 1 + 1j], np.complex64)
    assert np.asarray(lax.reduce_max(x, (0,))) == 1 + 2j
    assert np.asarray(lax.reduce_min(x, (0,))) == 0.5 + 9j
    assert np.asarray(vires.jit(lambda x: lax.reduce_max(x, (0,)))(x)) == 1 + 2j


def test_logic():
    x = np.random.RandomState(0).randint(0, 255, (3, 5)).astype(np.uint8)
    for function, truth in (
        (lax.reduce_and, np.bitwise_and),
        (lax.reduce_or, np.bitwise_or),
        (lax.reduce_xor, np.bitwise_xor),
    ):
        np.testing.assert_array_equal(np.asarray(function(x, (0,))), truth.reduce(x, 0))
        np.testing.assert_array_equal(np.asarray(function(x > 100, (1,))), truth.reduce(x > 100, 1))


def test_equal_extremes_share_the_gradient():
    gradient = vires.grad(lambda x: lax.reduce_max(x, (0,)))(np.array([1.0, 3.0, 3.0, 2.0]))
    assert np.asarray(gradient).tolist() == [0, 0.5, 0.5, 0]


def test_gradient_of_products_with_zeros():
    def product(x):
        return lax.reduce_prod(x, (0,))

    assert np.asarray(vires.grad(product)(np.array([2.0, 0.0, 3.0]))).tolist() == [0, 6, 0]
    assert np.asarray(vires.grad(product)(np.array([0.0, 0.0, 3.0]))).tolist() == [0, 0, 0]
    gradient = vires.grad(lambda x: lax.reduce_sum(lax.cumprod(x), (0,)))(np.array([2.0, 0.0, 3.0]))
    assert np.asarray(gradient).tolist() == [1, 8, 0]


def test_cumlogsumexp_does_not_overflow():
    x = np.array([-np.inf, -np.inf, 1000.0, 1001.0])
    with np.errstate(all="ignore"):
        expected = np.logaddexp.accumulate(x)
    np.testing.assert_allclose(np.asarray(lax.cumlogsumexp(x)), expected)
    gradient = vires.grad(lambda x: lax.cumlogsumexp(x)[3])(x)
    weights = np.array([0, 0, 1 / (1 + np.e), np.e / (1 + np.e)])
    np.testing.assert_allclose(np.asarray(gradient), weights, rtol=1e-6)


def test_reduce_recognises_sums_and_extremes():
    x = np.arange(12.0).reshape(3, 4)
    jaxpr = vires.make_jaxpr(lambda x: lax.reduce(x, 0.0, lax.add, (1,)))(x)
    assert [eqn.primitive.name for eqn in jaxpr.eqns] == ["reduce_sum"]
    jaxpr = vires.make_jaxpr(lambda x: lax.reduce(x, -np.inf, lambda a, b: lax.max(b, a), (0,)))(x)
    assert [eqn.primitive.name for eqn in jaxpr.eqns] == ["reduce_max"]
    assert np.asarray(lax.reduce(x, 5.0, lax.add, (0, 1))) == 71


def test_reduce_with_any_associative_function():
    x = np.random.RandomState(0).normal(size=(5, 7))
    positions = np.arange(35).reshape(5, 7)

    def later(first, second):
        wins = lax.gt(second[0], first[0])
        return lax.select(wins, second[0], first[0]), lax.select(wins, second[1], first[1])

    values, places = lax.reduce((x, positions), (-np.inf, np.int64(0)), later, (1,))
    np.testing.assert_array_equal(np.asarray(values), x.max(1))
    np.testing.assert_array_equal(np.asarray(places), positions[np.arange(5), x.argmax(1)])
    # Not commutative: the last element wins.
    last = lax.reduce(x, 0.0, lambda a, b: lax.add(lax.mul(a, 0.0), b), (0,))
    np.testing.assert_allclose(np.asarray(last), x[-1])
    assert np.asarray(lax.reduce(x[:0], 3.0, lambda a, b: a, (0,))).tolist() == [3.0] * 7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: lax.reduce_sum(np.ones(3, bool), (0,)),
            r"reduce_sum: needs .*; got bool\[3\]; try",
        ),
        (
            lambda: lax.reduce_sum(np.ones((2, 3)), (2,)),
            r"reduce_sum: needs an axis from -2 to 1; got 2",
        ),
        (
            lambda: lax.reduce_max(np.ones((2, 3)), (0, 0)),
            r"reduce_max: needs distinct axes .*\(0, 0\)",
        ),
        (lambda: lax.argmax(np.ones((2, 0)), 1, np.int32), r"argmax: needs at least one element"),
        (lambda: lax.argmax(np.ones(2), 0, np.float32), r"argmax: needs an integer index_dtype"),
        (
            lambda: lax.cumlogsumexp(np.ones(2, int)),
            r"cumlogsumexp: needs a float dtype; got int64\[2\]",
        ),
        (
            lambda: lax.reduce((np.ones(2), np.ones(3)), (0.0, 0.0), max, (0,)),
            r"reduce: needs operands of",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
