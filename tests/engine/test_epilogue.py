"""Kernels that are part of the product whose result they read: the same bits as on their own."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires import lax, nn
from vires.engine.llvm import codes, contract, epilogue
from vires.engine.llvm.expressions import LoopVar
from vires.engine.llvm.graph import Graph
from vires.engine.llvm.program import Kernel


@pytest.fixture(autouse=True)
def packed(monkeypatch):
    """All products of more than one row and column are packed, on this engine anew."""
    monkeypatch.setattr(contract, "_PACKED", 0)
    monkeypatch.setattr(contract, "_LIBRARY", 1)
    monkeypatch.setattr(codes, "_codes", {})


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def steps_of(function, *args):
    return len(vires.explain(function)(*args).steps)


AFTER = {
    "bias": lambda y, b, r: y + b,
    "relu": lambda y, b, r: nn.relu(y + b),
    "tanh": lambda y, b, r: vnp.tanh(y + b),
    "gelu": lambda y, b, r: nn.gelu(y) * 0.5,
    "sigmoid": lambda y, b, r: nn.sigmoid(y - b),
    "residual": lambda y, b, r: r + y * 0.125,
    "update": lambda y, b, r: r - 0.01 * y,
    "mask": lambda y, b, r: vnp.where(r > 0, y, 0),
    "comparison": lambda y, b, r: y > b,
    "integers": lambda y, b, r: y.astype(np.int32),
    "narrow": lambda y, b, r: (y + r).astype(np.float16),
    "wide": lambda y, b, r: y.astype(np.float64) + 1,
    "rows": lambda y, b, r: y * r[:, :1],
    "several": lambda y, b, r: (nn.relu(y + b), y + b > 0, y - r),
}


def check(after, x, w, b, r, steps=1):
    """A function of a product, in the product and apart from it."""
    product = vires.jit(lambda x, w: x @ w)(x, w)
    apart = vires.tree.leaves(vires.jit(after)(product, b, r))
    inside = vires.jit(lambda x, w, b, r: after(x @ w, b, r))
    for count in (1, 2, 3):
        with vires.threads(count):
            found = vires.tree.leaves(inside(x, w, b, r))
        for f, a in zip(found, apart, strict=True):
            assert f.dtype == a.dtype
            np.testing.assert_array_equal(np.asarray(f), np.asarray(a))
    assert steps_of(lambda x, w, b, r: after(x @ w, b, r), x, w, b, r) == steps


@pytest.mark.parametrize("name", AFTER)
def test_the_same_bits(name):
    x, w, b, r = normal(130, 300), normal(300, 77), normal(77), normal(130, 77)
    check(AFTER[name], x, w, b, r)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows, columns", [(17, 33), (8, 48), (200, 2), (2, 500), (9, 7)])
def test_edges_of_blocks(rows, columns, dtype):
    length = 900
    x, w = normal(rows, length, dtype=dtype), normal(length, columns, dtype=dtype)
    check(AFTER["residual"], x, w, None, normal(rows, columns, dtype=dtype))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.int32, np.complex64])
def test_other_dtypes(dtype):
    x, w, r = ((normal(*s) * 9).astype(dtype) for s in ((30, 40), (40, 50), (30, 50)))
    after = lambda y, b, r: y * 2 + r
    found = vires.jit(lambda x, w, r: after(x @ w, None, r))(x, w, r)
    apart = vires.jit(after)(vires.jit(lambda x, w: x @ w)(x, w), None, r)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(apart))


def test_batches():
    x, w, b = normal(5, 31, 200), normal(5, 200, 40), normal(40)
    r = normal(5, 31, 40)
    check(AFTER["bias"], x, w, b, r)
    check(AFTER["residual"], x, w, b, r)
    check(lambda y, b, r: y * r[:, :, :1] + b, x, w, b, r)
    check(lambda y, b, r: y - r[:, :1], x, w, b, r)


def test_nan_and_infinity():
    x, w, b, r = normal(20, 300), normal(300, 40), normal(40), normal(20, 40)
    x[3, 4], w[7, 8], b[5], r[6, 6] = np.nan, np.inf, -np.inf, np.nan
    for name in ("relu", "gelu", "residual", "mask"):
        check(AFTER[name], x, w, b, r)


def test_what_reads_other_places_stays_apart():
    x, w, b, r = normal(60, 300), normal(300, 60), normal(60), normal(60, 60)
    check(lambda y, b, r: y + y.T, x, w, b, r, steps=2)
    check(lambda y, b, r: y[::-1] * 2, x, w, b, r, steps=2)
    check(lambda y, b, r: y - y.max(1, keepdims=True), x, w, b, r, steps=3)


def test_what_needs_later_values_stays_apart():
    x, w, r = normal(60, 300), normal(300, 60), normal(60, 60)
    f = vires.jit(lambda x, w, r: (x @ w) * 3 + vnp.cumsum(r @ (x @ w), 0))
    y = np.asarray(vires.jit(lambda x, w: x @ w)(x, w)).astype(np.float64)
    np.testing.assert_allclose(np.asarray(f(x, w, r)), y * 3 + np.cumsum(r @ y, 0), 1e-3, 1e-2)


def test_two_products_of_one_kernel():
    x, w = normal(60, 300), normal(300, 60)
    f = lambda x, w: vnp.tanh(x @ w) + (x * 2) @ w
    a, b = (vires.jit(lambda x, w: x @ w)(*args) for args in ((x, w), (x * 2, w)))
    apart = vires.jit(lambda a, b: vnp.tanh(a) + b)(a, b)
    np.testing.assert_array_equal(np.asarray(vires.jit(f)(x, w)), np.asarray(apart))


def test_results_that_others_read_too():
    x, w, b = normal(60, 300), normal(300, 60), normal(60)

    def f(x, w, b):
        y = x @ w
        return y, nn.relu(y + b), y.sum(0)

    y, z, total = vires.jit(f)(x, w, b)
    plain = vires.jit(lambda x, w: x @ w)(x, w)
    np.testing.assert_array_equal(np.asarray(y), np.asarray(plain))
    np.testing.assert_array_equal(np.asarray(z), np.maximum(np.asarray(plain) + b, 0))
    np.testing.assert_allclose(np.asarray(total), np.asarray(plain).sum(0), rtol=1e-4, atol=1e-4)


def test_inside_of_loops_and_over_carried_values():
    w, x = normal(40, 40) / 7, normal(30, 40)
    last, ys = vires.jit(
        lambda x: lax.scan(lambda c, _: (vnp.tanh(c @ w + c),) * 2, x, None, length=4)
    )(x)
    exact, rows = x.astype(np.float64), []
    for _ in range(4):
        exact = np.tanh(exact @ w + exact)
        rows.append(exact)
    np.testing.assert_allclose(np.asarray(last), exact, rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(np.asarray(ys), rows, rtol=2e-4, atol=1e-5)


def test_donated_arguments():
    x, g = normal(64, 300), normal(64, 90)
    update = vires.jit(lambda p, x, g: p - 0.5 * (x.T @ g), donate_argnums=0)
    p = normal(300, 90)
    expected = p - np.float32(0.5) * np.asarray(vires.jit(lambda x, g: x.T @ g)(x, g))
    np.testing.assert_array_equal(np.asarray(update(vnp.asarray(p), x, g)), expected)
    # The argument is an operand of the product as well.
    step = vires.jit(lambda p, g: p - 0.5 * (p @ g), donate_argnums=0)
    p, g = normal(64, 64), normal(64, 64)
    expected = p - np.float32(0.5) * np.asarray(vires.jit(lambda p, g: p @ g)(p, g))
    np.testing.assert_array_equal(np.asarray(step(vnp.asarray(p), g)), expected)


def convolved(x, w):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers)


@pytest.mark.parametrize("name", ["relu", "residual", "mask"])
@pytest.mark.parametrize("size", [1, 3])
def test_after_a_large_convolution(monkeypatch, name, size):
    """Smaller ones stay in the caches until a kernel of its own reads them."""
    x, w, b = normal(2, 20, 24, 8), normal(size, size, 8, 16), normal(16)
    r = normal(2, 20, 24, 16)
    after = AFTER[name]
    apart = vires.tree.leaves(vires.jit(after)(vires.jit(convolved)(x, w), b, r))
    whole = lambda x, w, b, r: after(convolved(x, w), b, r)
    before = steps_of(whole, x, w, b, r)
    monkeypatch.setattr(epilogue, "_CACHED", 0)
    monkeypatch.setattr(codes, "_codes", {})
    assert steps_of(whole, x, w, b, r) == before - 1
    for count in (1, 2):
        with vires.threads(count):
            found = vires.tree.leaves(vires.jit(whole)(x, w, b, r))
        for f, a in zip(found, apart, strict=True):
            np.testing.assert_array_equal(np.asarray(f), np.asarray(a))


class _Work:
    """A product, as far as it says how it is cut."""

    def __init__(self, rows, columns):
        self._chunks = {"row_chunk": rows, "column_chunk": columns}

    def field(self, name):
        return self._chunks[name]


def fitted(lanes, size, rows, columns, axis=2):
    """The lanes that are chosen for a kernel with vectors along an axis of the product."""
    graph = Graph()
    loops = [LoopVar(graph, size, position) for position in range(3)]
    kernel = Kernel((size, size, size), 0)
    kernel.lanes, kernel.vector = lanes, loops[axis]
    epilogue._fit_lanes(kernel, loops, _Work(rows, columns))
    return kernel.lanes


@pytest.mark.parametrize("axis", [1, 2])
def test_lanes_divide_blocks_and_rows(axis):
    """The most lanes of at least 8 that do; all where none do."""
    for lanes in (8, 16, 32):
        for size in (7, 8, 24, 32, 40, 48, 64, 77, 136, 1000):
            for chunk in (8, 20, 32, 48, 96, 144):
                fits = [n for n in (32, 16, 8) if n <= lanes and not chunk % n and not size % n]
                rows, columns = (chunk, 1) if axis == 1 else (1, chunk)
                found = fitted(lanes, size, rows, columns, axis)
                assert found == max(fits, default=lanes), (lanes, size, chunk)


def test_few_lanes_and_none_stay_as_they_are():
    assert fitted(4, 12, 1, 12) == fitted(4, 12, 1, 9) == 4
    kernel = Kernel((5, 7), 0)
    epilogue._fit_lanes(kernel, [None, LoopVar(Graph(), 5, 1), None], _Work(8, 8))
    assert kernel.lanes == 1


@pytest.mark.parametrize("columns", [24, 40, 72, 136, 77])
def test_the_number_of_lanes_does_not_change_bits(columns, monkeypatch):
    x, w, b = normal(96, 60), normal(60, columns), normal(columns)
    chosen = []
    fit = epilogue._fit_lanes

    def run(change):
        def chosen_lanes(kernel, loops, work):
            change(kernel, loops, work)
            chosen.append((kernel.lanes, kernel.vector.size))

        monkeypatch.setattr(codes, "_codes", {})
        monkeypatch.setattr(epilogue, "_fit_lanes", chosen_lanes)
        return np.asarray(vires.jit(lambda x, w, b: nn.gelu(x @ w + b))(x, w, b))

    np.testing.assert_array_equal(run(fit), run(lambda *_: None))
    (fewer, size), (all_lanes, _) = chosen
    assert fewer <= all_lanes and (size % fewer == 0 or fewer == all_lanes)
    if columns in (40, 72, 136):  # on a machine whose vectors hold 8 numbers or more
        assert fewer < all_lanes or all_lanes <= 8
