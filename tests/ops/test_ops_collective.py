"""Operations across named axes of vmap, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest

import vires
from vires import lax


def normal(*shape):
    return np.random.RandomState(sum(shape)).normal(size=shape)


def mapped(function, **options):
    return vires.vmap(function, axis_name="i", **options)


CASES = [
    (lambda x: lax.psum(x, "i"), (4, 3), lambda x: np.broadcast_to(x.sum(0), (4, 3))),
    (lambda x: lax.pmean(x, "i"), (4, 3), lambda x: np.broadcast_to(x.mean(0), (4, 3))),
    (lambda x: lax.pmax(x, "i"), (4, 3), lambda x: np.broadcast_to(x.max(0), (4, 3))),
    (lambda x: lax.pmin(x, "i"), (4, 3), lambda x: np.broadcast_to(x.min(0), (4, 3))),
    (lambda x: lax.all_gather(x, "i"), (4, 3), lambda x: np.broadcast_to(x, (4, 4, 3))),
    (
        lambda x: lax.all_gather(x, "i", axis=1, tiled=True),
        (4, 2, 3),
        lambda x: np.broadcast_to(np.concatenate(list(x), 1), (4, 2, 12)),
    ),
    (lambda x: lax.psum_scatter(x, "i"), (4, 4, 3), lambda x: x.sum(0)),
    (
        lambda x: lax.psum_scatter(x, "i", tiled=True),
        (4, 8, 3),
        lambda x: x.sum(0).reshape(4, 2, 3),
    ),
    (lambda x: lax.all_to_all(x, "i", 0, 0), (4, 4, 3), lambda x: x.swapaxes(0, 1)),
    (lambda x: lax.all_to_all(x, "i", 0, 1), (4, 4, 3), lambda x: x.transpose(1, 2, 0)),
    (
        lambda x: lax.all_to_all(x, "i", 0, 1, tiled=True),
        (4, 8, 3),
        lambda x: x.reshape(4, 4, 2, 3).transpose(1, 2, 0, 3).reshape(4, 2, 12),
    ),
    (
        lambda x: lax.ppermute(x, "i", [(0, 1), (1, 2)]),
        (4, 3),
        lambda x: np.stack([0 * x[0], x[0], x[1], 0 * x[0]]),
    ),
    (lambda x: lax.pshuffle(x, "i", [1, 0, 3, 2]), (4, 3), lambda x: x[[1, 0, 3, 2]]),
    (lambda x: lax.pswapaxes(x, "i", 0), (4, 4), lambda x: x.T),
    (lambda x: lax.pbroadcast(x, "i", 2), (4, 3), lambda x: np.broadcast_to(x[2], (4, 3))),
]


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_values(case, jitted):
    function, shape, truth = case
    x = normal(*shape)
    inner = vires.jit(function) if jitted else function
    np.testing.assert_allclose(np.asarray(mapped(inner)(x)), truth(x), rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_shapes_that_traces_see(case):
    function, shape, truth = case
    x, seen = normal(*shape), []

    def noted(x):
        seen.append(function(x).shape)
        return x

    mapped(vires.jit(noted))(x)
    assert seen == [truth(x).shape[1:]]


@pytest.mark.parametrize("case", CASES)
def test_examples_of_another_axis_stay_apart(case):
    function, shape, truth = case
    x = normal(*shape)
    for place in range(x.ndim):
        both = np.stack([x, 2 * x - 1], place + 1)
        found = np.asarray(mapped(vires.vmap(function, in_axes=place))(both))
        np.testing.assert_allclose(found[:, 0], truth(x), rtol=1e-12)
        np.testing.assert_allclose(found[:, 1], truth(2 * x - 1), rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_gradients(case):
    function, shape, truth = case
    x, step = normal(*shape), normal(*shape)[::-1]
    _, tangent = vires.jvp(mapped(function), (x,), (step,))
    small = 1e-6
    difference = (truth(x + small * step) - truth(x - small * step)) / (2 * small)
    np.testing.assert_allclose(np.asarray(tangent), difference, atol=1e-7)
    result, pull = vires.vjp(mapped(function), x)
    ct = normal(*result.shape)
    left = np.sum(np.asarray(pull(ct)[0]) * step)
    np.testing.assert_allclose(left, np.sum(ct * np.asarray(tangent)), rtol=1e-9)


def test_places_along_axes():
    x = np.zeros((2, 3))

    def function(x):
        return lax.axis_index("i"), lax.axis_index(("i", "j"))

    outer, both = vires.vmap(vires.vmap(function, axis_name="j"), axis_name="i")(x)
    assert np.asarray(outer).tolist() == [[0] * 3, [1] * 3]
    assert np.asarray(both).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_axis_size_and_sums_of_constants_are_python_numbers():
    def function(x):
        assert lax.axis_size("i") == 5
        assert lax.psum(1, "i") == 5
        return lax.psum(x, "i")

    assert np.asarray(mapped(function)(np.ones(5, bool)))[0] == 5


def test_several_axes_and_another_one_mapped():
    x = normal(4, 3, 2)

    def over(names):
        inner = vires.vmap(lambda v: lax.psum(v, names), axis_name="j", in_axes=1, out_axes=1)
        return np.asarray(vires.vmap(inner, axis_name="i")(x))

    np.testing.assert_allclose(over("i"), np.broadcast_to(x.sum(0), x.shape))
    np.testing.assert_allclose(over(("i", "j"))[0, :, 0], x.sum((0, 2)))


RAGGED = (
    np.array([[0, 1], [0, 1]]), np.array([[1, 2], [1, 1]]),
    np.array([[0, 0], [1, 2]]), np.array([[1, 1], [2, 1]]),
)  # fmt: skip


@pytest.mark.parametrize("jitted", [False, True])
def test_ragged_all_to_all(jitted):
    wrap = vires.jit if jitted else lambda f: f
    exchange = mapped(lambda *args: lax.ragged_all_to_all(*args, axis_name="i"))
    x, out = np.array([[1.0, 2, 3], [4, 5, 6]]), np.full((2, 4), 9.0)
    result = wrap(exchange)(x, out, *RAGGED)
    assert np.asarray(result).tolist() == [[1, 4, 9, 9], [2, 3, 5, 9]]
    # Rows of an array, several slices for each place, in the end the last slice stays.
    rng = np.random.RandomState(0)
    x, out = rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 12, 2))
    begin, target = rng.randint(0, 4, (3, 6)), rng.randint(0, 10, (3, 6))
    sizes = rng.randint(0, 2, (3, 6))
    got = sizes.reshape(3, 3, 2).transpose(1, 0, 2).reshape(3, 6)
    expected = out.copy()
    for place in range(3):
        for source in range(3):
            for i in (2 * place, 2 * place + 1):
                n, a, b = sizes[source, i], begin[source, i], target[source, i]
                expected[place, b : b + n] = x[source, a : a + n]
    result = wrap(exchange)(x, out, begin, sizes, target, got)
    np.testing.assert_array_equal(np.asarray(result), expected)
    slope = vires.grad(lambda x: exchange(x, out, begin, sizes, target, got).sum())(x)
    assert float(np.asarray(slope).sum()) == (expected != out).sum()


def test_trees():
    total = mapped(lambda tree: lax.psum(tree, "i"))({"a": np.arange(3), "b": (np.ones((3, 2)),)})
    assert np.asarray(total["a"])[0] == 3
    assert np.asarray(total["b"][0])[0].tolist() == [3, 3]


def test_messages():
    with pytest.raises(
        NameError, match=r"psum: needs the name of an axis in scope \(none\); got 'k'"
    ):
        lax.psum(np.ones(3), "k")
    with pytest.raises(NameError, match=r"axis_size: needs .* scope \('i'\); got 'k'"):
        mapped(lambda x: lax.axis_size("k") * x)(np.ones(3))
    with pytest.raises(
        ValueError, match=r"all_to_all: needs an axis of size 4; got axis 0 of float64\[3\]"
    ):
        mapped(lambda x: lax.all_to_all(x, "i", 0, 0))(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"ppermute: needs distinct sources"):
        mapped(lambda x: lax.ppermute(x, "i", [(0, 1), (0, 2)]))(np.ones((4, 3)))
    numbers = "four integer vectors of one length, a multiple of 2"
    with pytest.raises(TypeError, match=f"ragged_all_to_all: needs offsets and sizes as {numbers}"):
        mapped(lambda x, *args: lax.ragged_all_to_all(x, x, *args, axis_name="i"))(
            np.ones((2, 3)), *RAGGED[:3], np.ones((2, 2))
        )
    with pytest.raises(TypeError, match="ragged_all_to_all: needs operand and output with rows"):
        mapped(lambda x, *args: lax.ragged_all_to_all(x, x[0], *args, axis_name="i"))(
            np.ones((2, 3)), *RAGGED
        )
    with pytest.raises(NotImplementedError, match="axis_index_groups=None"):
        mapped(lambda x: lax.psum(x, "i", axis_index_groups=[[0, 1]]))(np.ones((4, 3)))
