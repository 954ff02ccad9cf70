"""Reductions over windows against plain loops, and the gradient of pooling."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import vires
from vires import lax


def pooled(x, size, strides, pads, function, init):
    """One window at a time."""
    padded = np.pad(x, pads, constant_values=init)
    counts = [(n - k) // s + 1 for n, k, s in zip(padded.shape, size, strides, strict=True)]
    out = np.empty(counts)
    for place in itertools.product(*map(range, counts)):
        part = padded[
            tuple(slice(p * s, p * s + k) for p, s, k in zip(place, strides, size, strict=True))
        ]
        out[place] = function(part)
    return out


CASES = [
    ((2, 3), (1, 1), [(0, 0), (0, 0)]),
    ((2, 3), (2, 2), [(1, 0), (1, 2)]),
    ((6, 1), (1, 3), [(2, 2), (0, 0)]),
]


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize(("size", "strides", "pads"), CASES)
def test_windows_are_loops(size, strides, pads, jitted):
    x = np.random.RandomState(0).normal(size=(7, 6))
    wrap = vires.jit if jitted else lambda f: f
    for operation, function, init in (
        (lax.add, np.sum, 0.0),
        (lax.max, np.max, -np.inf),
        (lax.min, np.min, np.inf),
        (lax.mul, np.prod, 1.0),
    ):
        result = wrap(
            lambda x, o=operation, i=init: lax.reduce_window(x, i, o, size, strides, pads)
        )(x)
        expected = pooled(x, size, strides, pads, function, init)
        np.testing.assert_allclose(np.asarray(result), expected, rtol=1e-12)


def test_initial_value_is_what_lies_outside():
    x = np.array([-3.0, -2.0, -5.0])
    result = lax.reduce_window(x, 0.0, lax.max, (2,), (1,), ((1, 0),))
    assert np.asarray(result).tolist() == [0, 0, 0]
    result = lax.reduce_window(x, -np.inf, lax.max, (2,), (1,), ((1, 0),))
    assert np.asarray(result).tolist() == [-3, -2, -2]


@pytest.mark.parametrize("jitted", [False, True])
def test_what_lies_outside_is_left_out(jitted):
    """Each window starts from the initial value, once."""
    wrap = vires.jit if jitted else lambda f: f
    x = np.arange(1.0, 7.0).reshape(2, 3)
    holes = {"padding": ((1, 0), (1, 2)), "base_dilation": (2, 1), "window_dilation": (1, 2)}

    def folded(function, init):
        call = lambda x: lax.reduce_window(x, init, function, (2, 2), (1, 1), **holes)
        return np.asarray(wrap(call)(x))

    sums, products = folded(lax.add, 0.0), folded(lax.mul, 1.0)
    np.testing.assert_allclose(folded(lax.add, 2.0), sums + 2)
    np.testing.assert_allclose(folded(lax.mul, 3.0), products * 3)
    np.testing.assert_allclose(folded(lambda a, b: a + b + 0 * a, 2.0), sums + 2)
    smallest = folded(lax.min, np.inf)
    np.testing.assert_allclose(folded(lax.min, 2.5), np.minimum(smallest, 2.5))

    def both(a, b):
        return a[0] + b[0], lax.max(a[1], b[1])

    pair = wrap(lambda x: lax.reduce_window((x, x), (2.0, 2.5), both, (2, 2), (1, 1), **holes))(x)
    np.testing.assert_allclose(pair[0], sums + 2)
    np.testing.assert_allclose(pair[1], np.maximum(folded(lax.max, -np.inf), 2.5))


def test_integers_and_nan():
    x = np.array([3, -1, 7, 2], np.int32)
    least = np.iinfo(np.int32).min
    assert np.asarray(lax.reduce_window(x, least, lax.max, (2,), (2,))).tolist() == [3, 7]
    x = np.array([1.0, np.nan, 2.0, 5.0])
    np.testing.assert_array_equal(
        np.asarray(lax.reduce_window(x, -np.inf, lax.max, (2,), (2,))), [np.nan, 5.0]
    )


def test_windows_of_trees():
    x = np.array([3.0, 1.0, 2.0, 5.0])

    def later(first, second):
        wins = lax.gt(second[0], first[0])
        return lax.select(wins, second[0], first[0]), lax.select(wins, second[1], first[1])

    values, places = lax.reduce_window((x, np.arange(4)), (-np.inf, np.int64(-1)), later, (3,))
    assert np.asarray(values).tolist() == [3, 5]
    assert np.asarray(places).tolist() == [0, 3]


@pytest.mark.parametrize("jitted", [False, True])
def test_gradient_of_max_pooling_goes_to_the_first_of_equal_elements(jitted):
    def loss(x):
        y = lax.reduce_window(x, -np.inf, lax.max, (2, 2), (2, 2))
        return lax.reduce_sum(lax.mul(y, np.array([[1.0, 2.0]])), (0, 1))

    gradient = vires.grad(loss)
    gradient = vires.jit(gradient) if jitted else gradient
    x = np.array([[1.0, 4.0, 7.0, 7.0], [3.0, 4.0, 0.0, 7.0]])
    assert np.asarray(gradient(x)).tolist() == [[0, 1, 2, 0], [0, 0, 0, 0]]


def test_gradient_never_goes_into_the_padding():
    x = np.full(3, -np.inf)
    gradient = vires.grad(
        lambda x: lax.reduce_sum(lax.reduce_window(x, -np.inf, lax.max, (3,), (1,), "SAME"), (0,))
    )(x)
    assert np.asarray(gradient).sum() == 3


APART = [
    ((1, 2, 2, 1), (1, 2, 2, 1), ((0, 0), (0, 0), (0, 0), (0, 0))),
    ((1, 2, 3, 1), (1, 3, 4, 1), ((0, 0), (1, 2), (0, 3), (0, 0))),
    ((2, 1, 1, 3), (2, 2, 1, 3), ((0, 1), (-1, 0), (0, -2), (2, 2))),
    ((1, 2, 2, 1), (1, 2, 2, 1), ((0, 0), (3, 3), (4, 0), (0, 0))),
    ((1, 1, 1, 1), (1, 1, 1, 1), ((0, 0), (0, 0), (0, 0), (0, 0))),
]


@pytest.mark.parametrize(("size", "strides", "pads"), APART)
@pytest.mark.parametrize("operation", [lax.max, lax.min])
@pytest.mark.parametrize("shape", [(2, 7, 9, 5), (4, 8, 12, 6), (1, 4, 4, 32)])
def test_gradient_of_windows_that_share_no_element(shape, operation, size, strides, pads):
    random = np.random.RandomState(0)
    x = np.round(random.normal(size=shape)).astype(np.float32)
    x[random.uniform(size=shape) < 0.05] = np.nan
    init = -np.inf if operation is lax.max else np.inf

    def pool(x):
        return lax.reduce_window(x, np.float32(init), operation, size, strides, pads)

    _, pull = vires.vjp(pool, x)
    ct = random.normal(size=pool(x).shape).astype(np.float32)
    found = np.asarray(vires.jit(lambda ct: pull(ct)[0])(ct))
    sign = 1 if operation is lax.max else -1
    expected = np.zeros_like(x)
    for place in np.ndindex(*ct.shape):
        spots = []
        for within in np.ndindex(*size):
            spot = tuple(
                p * s + w - low
                for p, s, w, (low, _) in zip(place, strides, within, pads, strict=True)
            )
            if all(0 <= i < n for i, n in zip(spot, shape, strict=True)):
                spots.append(spot)
        if spots:
            values = np.array([sign * x[spot] for spot in spots])
            expected[spots[np.argmax(values)]] += ct[place]
    np.testing.assert_array_equal(found, expected)


def test_large_windows():
    x = np.random.RandomState(0).normal(size=400)
    gradient = vires.jit(vires.grad(lambda x: lax.reduce_window(x, -np.inf, lax.max, (400,))[0]))(x)
    assert np.flatnonzero(np.asarray(gradient)).tolist() == [x.argmax()]


def test_messages():
    with pytest.raises(TypeError, match=r"needs 1 entries of window_dimensions"):
        lax.reduce_window(np.ones(3), 0.0, lax.add, (2, 2), (1,), ((0, 0),))
    with pytest.raises(ValueError, match=r"needs positive window_strides; got \(0,\)"):
        lax.reduce_window(np.ones(3), 0.0, lax.add, (2,), (0,), ((0, 0),))
    with pytest.raises(
        TypeError, match=r"reduce_window: needs operand and init_value of one structure"
    ):
        lax.reduce_window((np.ones(3),), 0.0, lax.add, (2,))
