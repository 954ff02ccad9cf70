"""The functions of vires.lax that make arrays and move their elements."""

from __future__ import annotations

import numpy as np
import pytest

import vires
from vires import lax


@pytest.fixture(autouse=True)
def reference_engine():
    with vires.config.override("engine", "reference"):
        yield


X = np.arange(24.0).reshape(2, 3, 4)


def same(actual, expected):
    np.testing.assert_array_equal(np.asarray(actual), expected)


def test_broadcasting():
    same(lax.broadcast(X, (5,)), np.broadcast_to(X, (5, 2, 3, 4)))
    same(lax.broadcast_in_dim(np.arange(3), (3, 2), (0,)), np.repeat(np.arange(3)[:, None], 2, 1))
    assert lax.broadcast_to_rank(np.ones(3), 3).shape == (1, 1, 3)
    assert lax.broadcast_like(1.0, X).shape == X.shape
    same(lax.broadcast_like(X[0, :1], X), np.broadcast_to(X[0, :1], X.shape))
    with pytest.raises(TypeError, match="broadcast_like: needs at most 1 axes; got"):
        lax.broadcast_like(X, X[0, 0])
    assert lax.broadcast_shapes((2, 1), (3,)) == (2, 3)
    with pytest.raises(ValueError, match="broadcast_to_rank: needs a rank of at least 3; got 2"):
        lax.broadcast_to_rank(X, 2)


def test_reshaping():
    same(lax.reshape(X, (6, 4)), X.reshape(6, 4))
    same(lax.reshape(X, (6, 4), (1, 0, 2)), X.transpose(1, 0, 2).reshape(6, 4))
    same(lax.collapse(X, 1), X.reshape(2, 12))
    same(lax.collapse(X, 0, 2), X.reshape(6, 4))
    same(lax.expand_dims(X, (0, -1)), X[None, ..., None])
    same(lax.squeeze(X[:1], (0,)), X[0])
    same(lax.squeeze(X[..., :1], (-1,)), X[..., 0])
    same(lax.transpose(X, (2, 0, 1)), X.transpose(2, 0, 1))
    same(lax.rev(X, (1,)), X[:, ::-1])


def test_identities_change_nothing():
    x = lax.full((2, 3), 1.0)
    assert lax.reshape(x, (2, 3)) is x
    assert lax.transpose(x, (0, 1)) is x
    assert lax.squeeze(x, ()) is x
    assert lax.concatenate([x], 0) is x


def test_slicing():
    same(lax.slice(X, (0, 1, 0), (2, 3, 4), (1, 1, 2)), X[:, 1:, ::2])
    same(lax.slice_in_dim(X, 1, None, axis=1), X[:, 1:])
    same(lax.slice_in_dim(X, -3, -1, axis=-1), X[..., -3:-1])
    same(lax.index_in_dim(X, -1, 1), X[:, -1:])
    same(lax.index_in_dim(X, 2, 1, keepdims=False), X[:, 2])
    for part, expected in zip(lax.split(X, (1, 2), 1), np.split(X, [1], 1), strict=True):
        same(part, expected)
    for part, expected in zip(lax.unstack(X, 2), np.moveaxis(X, 2, 0), strict=True):
        same(part, expected)
    with pytest.raises(
        IndexError, match="index_in_dim: needs an index from -3 to 2; got 3 for axis 1"
    ):
        lax.index_in_dim(X, 3, 1)


def test_joining():
    same(lax.concatenate([X, X[:1]], 0), np.concatenate([X, X[:1]]))
    same(lax.stack([X, X], 1), np.stack([X, X], 1))
    same(lax.tile(X, (1, 2, 3)), np.tile(X, (1, 2, 3)))
    same(lax.pad(np.float32([1, 2]), 0.5, [(1, 1, 1)]), [0.5, 1, 0.5, 2, 0.5])
    with pytest.raises(TypeError, match="concatenate: needs at least one operand; got none"):
        lax.concatenate([], 0)


def test_making():
    same(lax.iota(np.int8, 3), np.arange(3, dtype=np.int8))
    same(lax.broadcasted_iota(np.float32, (2, 3), 1), np.broadcast_to(np.arange(3.0), (2, 3)))
    out = lax.full((2,), 3, np.float32)
    assert out.dtype == np.float32 and out.tolist() == [3, 3]
    assert lax.full_like(X, 2).dtype == X.dtype
    assert lax.full_like(X, 2, np.int8, (1,)).tolist() == [2]
    assert lax.empty((2, 0), np.float32).shape == (2, 0)
    with pytest.raises(TypeError, match="full: needs a scalar fill_value"):
        lax.full((2,), np.ones(2))


def test_optimization_barrier_takes_trees():
    tree = {"a": np.ones(2), "b": (np.zeros(3),)}
    out = lax.optimization_barrier(tree)
    assert out["a"].tolist() == [1, 1] and out["b"][0].shape == (3,)


def test_shapes_are_concrete_integers():
    with pytest.raises(TypeError, match="reshape: needs a shape of concrete integers"):
        lax.reshape(X, (2.5, 4))
    with pytest.raises(ValueError, match="split: needs an axis from -3 to 2; got 3"):
        lax.split(X, (1,), 3)
