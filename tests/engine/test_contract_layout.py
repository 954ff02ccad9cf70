"""Products that write what a transpose makes of their result."""

from __future__ import annotations

import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires import lax
from vires.engine.llvm import codes, contract


@pytest.fixture(autouse=True)
def packed(monkeypatch):
    """All products of more than one row and column are packed."""
    monkeypatch.setattr(contract, "_PACKED", 0)
    monkeypatch.setattr(contract, "_LIBRARY", 1)
    monkeypatch.setattr(codes, "_codes", {})


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def steps_of(function, *args):
    return len(vires.explain(function)(*args).steps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows, columns, length", [(17, 33, 20), (64, 16, 300), (31, 100, 9)])
def test_a_transposed_result_has_the_same_bits(rows, columns, length, dtype):
    x, y = normal(rows, length, dtype=dtype), normal(length, columns, dtype=dtype)
    plain = np.asarray(vires.jit(lambda x, y: x @ y)(x, y))
    turned = vires.jit(lambda x, y: (x @ y).T)
    for count in (1, 2, 3):
        with vires.threads(count):
            np.testing.assert_array_equal(np.asarray(turned(x, y)), plain.T)
    assert steps_of(lambda x, y: (x @ y).T, x, y) == 1


@pytest.mark.parametrize("order", ["bhqd", "bqhd", "qbhd", "bhdq", "bdhq", "dbhq", "dqhb", "hqdb"])
def test_any_order_of_the_axes(order):
    x, y = normal(2, 3, 17, 31), normal(2, 31, 3, 20)
    found = vires.jit(lambda x, y: vnp.einsum(f"bhqk,bkhd->{order}", x, y))(x, y)
    exact = np.einsum(f"bhqk,bkhd->{order}", x.astype(np.float64), y)
    assert found.shape == exact.shape
    np.testing.assert_allclose(np.asarray(found), exact, rtol=1e-4, atol=1e-4)


def test_heads_are_put_together_by_the_product():
    x, y = normal(2, 3, 17, 31), normal(2, 31, 3, 20)
    assert steps_of(lambda x, y: vnp.einsum("bhqk,bkhd->bqhd", x, y), x, y) == 1


def test_a_result_that_is_used_otherwise_too():
    x, y = normal(20, 30), normal(30, 40)
    plain = np.asarray(vires.jit(lambda x, y: x @ y)(x, y))
    product, turned = vires.jit(lambda x, y: (x @ y, (x @ y).T))(x, y)
    np.testing.assert_array_equal(np.asarray(product), plain)
    np.testing.assert_array_equal(np.asarray(turned), plain.T)
    total, turned = vires.jit(lambda x, y: ((x @ y).sum(), (x @ y).T * 2))(x, y)
    np.testing.assert_array_equal(np.asarray(turned), plain.T * 2)
    np.testing.assert_allclose(np.asarray(total), plain.sum(), rtol=1e-4)


def test_one_row_or_column_and_empty_sums():
    for rows, columns, length in ((1, 20, 5), (20, 1, 5), (1, 1, 5), (20, 30, 0), (0, 20, 5)):
        x, y = normal(rows, length), normal(length, columns)
        found = np.asarray(vires.jit(lambda x, y: (x @ y).T)(x, y))
        np.testing.assert_allclose(found, (x @ y).T, rtol=1e-5, atol=1e-5)


def test_inside_of_loops():
    w, x = normal(40, 40) / 7, normal(40, 40)
    found = vires.jit(lambda x: lax.fori_loop(0, 3, lambda i, x: vnp.tanh((x @ w).T), x))(x)
    exact = x.astype(np.float64)
    for _ in range(3):
        exact = np.tanh((exact @ w).T)
    np.testing.assert_allclose(np.asarray(found), exact, rtol=2e-4, atol=1e-5)


def test_a_carried_value_is_not_overwritten_while_it_is_read():
    x = normal(40, 40) / 7
    found = vires.jit(lambda x: lax.fori_loop(0, 3, lambda i, c: (c @ x).T, x))(x)
    exact = x.astype(np.float64)
    for _ in range(3):
        exact = (exact @ x).T
    np.testing.assert_allclose(np.asarray(found), exact, rtol=2e-4, atol=1e-5)


def test_gradients_of_products():
    x, w = normal(33, 50), normal(50, 70)
    f = lambda w, x: vnp.sum(vnp.sin(x @ w))
    dw, dx = vires.jit(vires.grad(f, (0, 1)))(w, x)
    cos = np.cos(x.astype(np.float64) @ w)
    np.testing.assert_allclose(np.asarray(dw), x.T @ cos, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(np.asarray(dx), cos @ w.T, rtol=1e-3, atol=1e-3)
    # The product with the cosines, and two products.
    assert steps_of(vires.grad(f, (0, 1)), w, x) == 3
