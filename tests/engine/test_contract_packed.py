"""Packed matrix products against NumPy: edges of tiles, layouts, batches, threads, odd values."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires import lax
from vires.engine.llvm import codes, contract, gemm, gemm_code, gemm_driver, machine

EDGES = (2, 3, 5, 15, 16, 17, 31, 33, 64, 100, 129)


@pytest.fixture(autouse=True)
def packed(monkeypatch):
    """All products of more than one row and column are packed."""
    monkeypatch.setattr(contract, "_PACKED", 0)
    monkeypatch.setattr(contract, "_LIBRARY", 1)
    monkeypatch.setattr(codes, "_codes", {})


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def compare(equation, x, y, tolerance=None):
    found = np.asarray(vires.jit(lambda x, y: vnp.einsum(equation, x, y))(x, y))
    exact = np.einsum(equation, x.astype(np.float64), y.astype(np.float64), optimize=True)
    size = np.einsum(
        equation, np.abs(x).astype(np.float64), np.abs(y).astype(np.float64), optimize=True
    )
    assert found.shape == exact.shape and found.dtype == x.dtype
    epsilon = float(ml_dtypes.finfo(x.dtype).eps)
    assert np.all(np.abs(found.astype(np.float64) - exact) <= (tolerance or 8) * epsilon * size)
    return found


def triples():
    """Every pair of sizes meets along each pair of axes; the third size varies with them."""
    for number, (a, b) in enumerate(itertools.product(EDGES, EDGES)):
        yield a, b, EDGES[(number * 7 + number // 11) % len(EDGES)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("equation", ["ij,jk->ik", "ji,jk->ik", "ij,kj->ik", "ji,kj->ik"])
def test_edges_of_tiles_in_all_layouts(equation, dtype):
    left, right = equation.split("->")[0].split(",")
    for number, (rows, columns, length) in enumerate(triples()):
        if number % 4 != ["ij", "ji"].index(left) + 2 * ["jk", "kj"].index(right):
            continue
        sizes = {"i": rows, "j": length, "k": columns}
        x = normal(*[sizes[a] for a in left], dtype=dtype)
        y = normal(*[sizes[a] for a in right], dtype=dtype, seed=1)
        compare(equation, x, y)


@pytest.mark.parametrize("length", [1, 8, 255, 256, 257, 511, 520, 1000])
def test_long_sums_come_in_parts(length):
    compare("ij,jk->ik", normal(101, length), normal(length, 50))


def test_empty_operands():
    for rows, columns, length in itertools.product((0, 1, 3), repeat=3):
        found = compare("ij,jk->ik", normal(rows, length), normal(length, columns))
        if not length:
            assert not found.any() and not np.signbit(found).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize(
    "equation, left, right",
    [
        ("bij,bjk->bik", (5, 9, 20), (5, 20, 33)),
        ("bqhd,bkhd->bhqk", (2, 17, 3, 16), (2, 31, 3, 16)),
        ("bhqk,bkhd->bqhd", (2, 3, 17, 31), (2, 31, 3, 16)),
        ("iaj,akj->ik", (5, 6, 7), (6, 18, 7)),
        ("abij,jabk->abik", (2, 3, 9, 4), (4, 2, 3, 10)),
        ("ijk,kjl->il", (9, 8, 24), (24, 8, 40)),
    ],
)
def test_batches_and_several_axes(equation, left, right, dtype):
    compare(equation, normal(*left, dtype=dtype), normal(*right, dtype=dtype))


def test_nan_and_infinity_spread_as_products_do():
    x, y = normal(20, 30), normal(30, 40)
    x[3, 4], x[5, 6], y[7, 8], y[9, :] = np.nan, np.inf, -np.inf, 0.0
    x[11, 9] = np.inf
    found = np.asarray(vires.jit(lambda x, y: x @ y)(x, y))
    with np.errstate(invalid="ignore"):
        exact = (x[:, :, None] * y[None]).sum(1)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(exact))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(exact))
    assert np.isnan(found[3]).all() and np.isnan(found[11]).all()


@pytest.mark.parametrize("rows, columns, length", [(300, 500, 700), (40, 1000, 600), (2000, 20, 9)])
def test_the_same_bits_for_any_number_of_threads(rows, columns, length):
    x, y = normal(rows, length), normal(length, columns)
    product = vires.jit(lambda x, y: x @ y)
    results = []
    for count in (1, 2, 3):
        with vires.threads(count):
            results.append(np.asarray(product(x, y)).tobytes())
    assert len(set(results)) == 1


def test_the_order_of_a_sum_does_not_depend_on_the_place():
    row, column = normal(1, 700), normal(700, 1, seed=1)
    x, y = np.repeat(row, 150, 0), np.repeat(column, 150, 1)
    found = np.asarray(vires.jit(lambda x, y: x @ y)(x, y))
    assert np.all(found == found[0, 0])


def test_products_in_loops_and_with_computed_operands():
    w, x = normal(48, 48) / 7, normal(20, 48)

    def step(carry, _):
        return vnp.tanh(carry @ w + 1.0), (carry.T @ carry)[:3]

    last, stacked = vires.jit(lambda x: lax.scan(step, x, None, length=5))(x)
    carry, rest = x.astype(np.float64), []
    for _ in range(5):
        rest.append((carry.T @ carry)[:3])
        carry = np.tanh(carry @ w + 1.0)
    np.testing.assert_allclose(np.asarray(last), carry, rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(np.asarray(stacked), rest, rtol=2e-4, atol=1e-4)


def test_neighbours_of_the_result_are_left_alone():
    x, y = normal(7, 20), normal(20, 19)
    found = np.asarray(vires.jit(lambda x, y: vnp.concatenate([x @ y, x @ y + 1], 0))(x, y))
    np.testing.assert_allclose(found[7:], found[:7] + 1, rtol=1e-6)


def test_programs_share_the_compiled_code():
    symbol = f"{gemm_code.PREFIX}float32_block"
    vires.jit(lambda x, y: x @ y)(normal(30, 40), normal(40, 50))
    first = gemm_code.address(symbol)
    vires.jit(lambda x, y: x @ y)(normal(31, 41), normal(41, 51))
    assert gemm_code.address(symbol) == first


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_code_is_valid(dtype):
    for text, level in gemm_driver.driver_modules(np.dtype(dtype)):
        machine.compile_ir(text, level, verify=True)


def test_axes_are_merged():
    assert gemm.merged([(2, 12), (3, 4), (4, 1)]) == ((24, 1),)
    assert gemm.merged([(2, 1), (3, 2)]) == ((2, 1), (3, 2))
    assert gemm.merged([(1, 5), (1, 7)]) == ((1, 0),)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize(
    "rows, columns, length", [(9, 32, 3000), (40, 40, 4096), (100, 7, 2500), (3, 3, 6000)]
)
def test_long_sums_of_small_results(monkeypatch, rows, columns, length, dtype):
    monkeypatch.setattr(contract, "_PARTED", 1)
    x, y = normal(length, rows, dtype=dtype), normal(length, columns, dtype=dtype)
    compare("ji,jk->ik", x, y, 64 if dtype is np.float64 else None)
    product, results = vires.jit(lambda x, y: x.T @ y), set()
    for count in (1, 2, 3):
        with vires.threads(count):
            results.add(np.asarray(product(x, y)).tobytes())
    assert len(results) == 1


def test_parts_of_sums_divide_the_outermost_axis(monkeypatch):
    monkeypatch.setattr(contract, "_PARTED", 1)

    def parts(first, second):
        views = tuple([gemm.View(None, ((1, 0),), ((9, 1),), sums) for sums in (first, second)])
        length = int(np.prod([size for size, _ in first]))
        return contract.parts_of_sum(views, (1, 9, 9, length))

    assert parts(((4096, 9),), ((4096, 9),)) == 16
    assert parts(((4000, 9),), ((100, 360), (40, 9))) == 10
    assert parts(((511, 9),), ((511, 9),)) == 1
    assert parts(((4099, 9),), ((4099, 9),)) == 1


def test_nan_in_one_part_of_a_long_sum(monkeypatch):
    monkeypatch.setattr(contract, "_PARTED", 1)
    x, y = normal(4096, 10), normal(4096, 20)
    x[4000, 3], y[17, 5] = np.nan, np.inf
    found = np.asarray(vires.jit(lambda x, y: x.T @ y)(x, y))
    assert np.isnan(found[3]).all() and not np.isfinite(found[:, 5]).any()
    assert np.isfinite(np.delete(np.delete(found, 3, 0), 5, 1)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.float16, np.int32])
def test_small_products(monkeypatch, dtype):
    monkeypatch.undo()
    for rows, columns, length in itertools.product((1, 2, 7, 10, 16, 21), repeat=3):
        x, y = ((normal(*s) * 3).astype(dtype) for s in ((rows, length), (length, columns)))
        found = np.asarray(vires.jit(lambda x, y: x @ y)(x, y))
        wide = np.complex128 if np.dtype(dtype).kind == "c" else np.float64
        exact = x.astype(wide) @ y.astype(wide)
        epsilon = 0 if dtype is np.int32 else float(ml_dtypes.finfo(found.real.dtype).eps)
        size = np.abs(x).astype(np.float64) @ np.abs(y).astype(np.float64)
        assert found.dtype == dtype and np.all(np.abs(found - exact) <= 4 * epsilon * size)
