"""gather, scatter and dynamic slices: modes, bounds, dtypes, derivatives and batches."""

from __future__ import annotations

import numpy as np
import pytest

import vires
from vires import _native, lax
from vires.core import dtypes
from vires.ops.check import OutOfBounds

ROWS = lax.GatherDimensionNumbers((1,), (0,), (0,))
INTO_ROWS = lax.ScatterDimensionNumbers((1,), (0,), (0,))
AT_ZERO = np.zeros((1, 1), int)
ITEMS = lax.ScatterDimensionNumbers((), (0,), (0,))
EVERY = [d for d in dtypes.CODES if not dtypes.is_key(d)]


def rows(x, places, **options):
    return lax.gather(x, np.array(places)[:, None], ROWS, (1, x.shape[1]), **options)


@pytest.mark.parametrize("dtype", EVERY, ids=str)
def test_gather_and_scatter_on_every_dtype(dtype):
    x = (1 + np.arange(12) % 2).astype(dtype).reshape(4, 3)
    np.testing.assert_array_equal(np.asarray(rows(x, [2, 0, 2])), x[[2, 0, 2]])
    update = np.ones((2, 3), dtype)
    expected = x.copy()
    expected[[3, 1]] = update
    result = lax.scatter(x, np.array([[3], [1]]), update, INTO_ROWS)
    assert result.dtype == dtype
    np.testing.assert_array_equal(np.asarray(result), expected)


def test_random_keys_move_too():
    keys = _native.from_numpy(np.arange(4, dtype=np.uint64), dtype=dtypes.KEY)
    taken = lax.gather(keys, np.array([[3], [1]]), lax.GatherDimensionNumbers((), (0,), (0,)), (1,))
    assert taken._numpy().tolist() == [3, 1]
    assert lax.dynamic_slice(keys, (2,), (2,))._numpy().tolist() == [2, 3]
    assert lax.scatter(keys, np.array([[0]]), taken[:1], ITEMS)._numpy().tolist() == [3, 1, 2, 3]


@pytest.mark.parametrize("jitted", [False, True])
def test_modes_of_gather(jitted):
    x = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    wrap = vires.jit if jitted else lambda f: f
    places = [0, 5, -1]

    def take(**options):
        return np.asarray(wrap(lambda x: rows(x, places, **options))(x))

    np.testing.assert_array_equal(take(), x[[0, 2, 0]])
    np.testing.assert_array_equal(take(mode="clip"), x[[0, 2, 0]])
    np.testing.assert_array_equal(take(mode="fill")[1:], np.full((2, 2), np.nan))
    np.testing.assert_array_equal(take(mode="fill", fill_value=7)[1:], np.full((2, 2), 7))
    with pytest.raises(
        IndexError, match=r"needs an index from 0 to 2; got index 5 for axis 0 of size 3"
    ):
        take(mode="error")


def test_fill_values_by_dtype():
    def outside(x):
        return np.asarray(rows(x, [9], mode="fill"))[0, 0]

    assert outside(np.zeros((2, 1), np.int8)) == -128
    assert outside(np.zeros((2, 1), np.uint16)) == 65535
    assert outside(np.zeros((2, 1), bool))
    assert np.isnan(outside(np.zeros((2, 1), np.complex64)))


@pytest.mark.parametrize("jitted", [False, True])
def test_modes_of_scatter(jitted):
    x = np.zeros(3)
    wrap = vires.jit if jitted else lambda f: f
    indices, updates = np.array([[1], [3], [-1]]), np.array([1.0, 2.0, 4.0])

    def put(mode):
        function = wrap(lambda x: lax.scatter_add(x, indices, updates, ITEMS, mode=mode))
        return np.asarray(function(x)).tolist()

    assert put(None) == put("drop") == [0, 1, 0]
    assert put("clip") == [4, 1, 2]
    with pytest.raises(IndexError, match=r"got index 3 for axis 0 of size 3"):
        put("error")


@pytest.mark.parametrize("jitted", [False, True])
def test_repeated_indices(jitted):
    indices, updates = np.array([[1], [1], [0], [1]]), np.array([3.0, 5.0, 2.0, 4.0])
    wrap = vires.jit if jitted else lambda f: f
    for function, expected in (
        (lax.scatter, [2, 4]),
        (lax.scatter_add, [3, 13]),
        (lax.scatter_sub, [-1, -11]),
        (lax.scatter_mul, [2, 60]),
        (lax.scatter_min, [1, 1]),
        (lax.scatter_max, [2, 5]),
    ):
        put = wrap(lambda x, f=function: f(x, indices, updates, ITEMS))
        assert np.asarray(put(np.ones(2))).tolist() == expected


def test_the_last_write_stays_and_has_the_gradient():
    indices = np.array([[1], [1], [0]])
    gradient = vires.grad(
        lambda x, u: lax.reduce_sum(lax.scatter(x, indices, u, ITEMS), (0,)), argnums=(0, 1)
    )
    for_x, for_updates = gradient(np.zeros(3), np.array([3.0, 5.0, 2.0]))
    assert np.asarray(for_x).tolist() == [0, 0, 1]
    assert np.asarray(for_updates).tolist() == [0, 1, 1]


def test_extremes_share_the_gradient():
    indices = np.array([[0], [0]])
    gradient = vires.grad(
        lambda x, u: lax.reduce_sum(lax.scatter_max(x, indices, u, ITEMS), (0,)), argnums=(0, 1)
    )
    for_x, for_updates = gradient(np.array([2.0, 1.0]), np.array([2.0, 0.0]))
    assert np.asarray(for_x).tolist() == [0.5, 1]
    assert np.asarray(for_updates).tolist() == [0.5, 0]


def test_products_have_a_derivative_for_unique_indices_only():
    def product(u, unique):
        x = lax.scatter_mul(np.ones(2), np.array([[0], [1]]), u, ITEMS, unique_indices=unique)
        return lax.reduce_sum(x, (0,))

    assert np.asarray(vires.grad(lambda u: product(u, True))(np.array([3.0, 4.0]))).tolist() == [
        1,
        1,
    ]
    with pytest.raises(NotImplementedError, match="scatter_mul: needs unique_indices=True"):
        vires.grad(lambda u: product(u, False))(np.array([3.0, 4.0]))


def test_scatter_apply_and_index_take():
    result = lax.scatter_apply(
        np.arange(4.0), np.array([[1], [3]]), lambda x: lax.mul(x, 10.0), ITEMS, update_shape=(2,)
    )
    assert np.asarray(result).tolist() == [0, 10, 2, 30]
    # As often as slices hold an element.
    pairs = lax.ScatterDimensionNumbers((1,), (), (0,))
    places = np.array([[0], [1], [1], [9]])
    for run in (lambda f: f, vires.jit):
        call = lambda x, i: lax.scatter_apply(
            x, i, lambda v: lax.mul(v, 2.0), pairs, update_shape=(4, 2)
        )
        assert np.asarray(run(call)(np.ones(4), places)).tolist() == [2, 8, 4, 1]
    x = np.arange(12).reshape(3, 4)
    taken = lax.index_take(x, (np.array([0, 4, -1]), np.array([1, 1, -1])), (0, 1))
    assert np.asarray(taken).tolist() == [1, 5, 11]


# --- dynamic slices


@pytest.mark.parametrize("jitted", [False, True])
def test_dynamic_slices_are_moved_inside(jitted):
    x = np.arange(20).reshape(4, 5)
    wrap = vires.jit if jitted else lambda f: f
    for start, at in (((1, 2), (1, 2)), ((3, 4), (2, 2)), ((-1, -9), (2, 0)), ((-4, 1), (0, 1))):
        taken = wrap(lambda x, i, j: lax.dynamic_slice(x, (i, j), (2, 3)))(x, *start)
        expected = x[at[0] : at[0] + 2, at[1] : at[1] + 3]
        np.testing.assert_array_equal(np.asarray(taken), expected)
        put = wrap(lambda x, i, j: lax.dynamic_update_slice(x, np.zeros((2, 3), int), (i, j)))
        changed = x.copy()
        changed[at[0] : at[0] + 2, at[1] : at[1] + 3] = 0
        np.testing.assert_array_equal(np.asarray(put(x, *start)), changed)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_start_indices_of_every_integer_dtype(dtype):
    x = np.arange(200)
    take = vires.jit(lambda x, i: lax.dynamic_slice(x, (i,), (2,)))
    assert np.asarray(take(x, dtype(100))).tolist() == [100, 101]
    top = np.iinfo(dtype).max
    at = min(int(top), 198)
    assert np.asarray(take(x, dtype(top))).tolist() == [at, at + 1]
    if np.iinfo(dtype).min < 0:
        assert np.asarray(take(x, dtype(-2))).tolist() == [198, 199]


def test_slices_along_one_axis():
    x = np.arange(12).reshape(3, 4)
    assert np.asarray(lax.dynamic_index_in_dim(x, -1, 1, keepdims=False)).tolist() == [3, 7, 11]
    assert lax.dynamic_index_in_dim(x, 0, 1).shape == (3, 1)
    assert np.asarray(lax.dynamic_slice_in_dim(x, 1, 2, 1)).tolist() == x[:, 1:3].tolist()
    changed = lax.dynamic_update_index_in_dim(x, np.zeros(4, int), 2, 0)
    assert np.asarray(changed)[2].tolist() == [0] * 4
    changed = lax.dynamic_update_slice_in_dim(x, np.zeros((3, 1), int), 3, 1)
    assert np.asarray(changed)[:, 3].tolist() == [0] * 3


def test_start_indices_as_one_array():
    x = np.arange(12).reshape(3, 4)
    starts = np.array([1, 2])
    assert np.asarray(lax.dynamic_slice(x, starts, (1, 2))).tolist() == [[6, 7]]
    jitted = vires.jit(lambda x, s: lax.dynamic_slice(x, s, (1, 2)))
    assert np.asarray(jitted(x, starts)).tolist() == [[6, 7]]


def test_mapped_start_indices():
    x = np.arange(20.0).reshape(4, 5)
    starts = np.array([0, 3, 9, -2])
    taken = vires.vmap(lambda i: lax.dynamic_slice(x, (i, 0), (2, 2)))(starts)
    expected = [x[i : i + 2, :2] for i in (0, 2, 2, 2)]
    np.testing.assert_array_equal(np.asarray(taken), np.stack(expected))
    taken = vires.vmap(lambda row, i: lax.dynamic_index_in_dim(row, i, 0, False))(x, starts)
    assert np.asarray(taken).tolist() == [0, 8, 14, 18]
    put = vires.vmap(lambda row, i: lax.dynamic_update_slice(row, np.zeros(2), (i,)))(x, starts)
    expected = x.copy()
    for r, i in enumerate((0, 3, 3, 3)):
        expected[r, i : i + 2] = 0
    np.testing.assert_array_equal(np.asarray(put), expected)


# --- errors


def test_the_failure_of_a_batch_names_the_component():
    failure = OutOfBounds("index", (2, 0), (5, 7), (1, 3))
    message = str(failure.error(2, 9))
    assert "from 0 to 4" in message and "axis 2 of size 5" in message
    message = str(failure.error(3, 6))
    assert "from 0 to 4 for a slice of size 3" in message and "axis 0 of size 7" in message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rows(np.ones((3, 2)), [0], mode="wrap"), r"mode: needs one of fill, drop, clip"),
        (
            lambda: lax.gather(np.ones((3, 2)), np.array([0.5]), ROWS, (1, 2)),
            r"gather: needs an integer dtype; got float64\[1\]",
        ),
        (
            lambda: lax.gather(np.ones((3, 2)), np.zeros((1, 2), int), ROWS, (1, 2)),
            r"gather: needs index vectors along the last axis of indices",
        ),
        (
            lambda: lax.gather(np.ones((3, 2)), np.zeros((1, 1), int), ROWS, (1, 3)),
            r"gather: needs a slice size from 0 to the size of its axis",
        ),
        (
            lambda: lax.scatter(np.ones((3, 2)), np.zeros((1, 1), int), np.ones((2, 2)), INTO_ROWS),
            r"scatter: needs updates with the axes of the indices",
        ),
        (
            lambda: lax.scatter_add(np.ones((3, 2)), AT_ZERO, np.ones((1, 2), int), INTO_ROWS),
            r"scatter_add: needs updates of the operand's dtype; .* try updates.astype\(float64\)",
        ),
        (lambda: lax.dynamic_slice(np.ones(3), (0, 0), (1,)), r"needs 1 start indices"),
        (lambda: lax.dynamic_slice(np.ones(3), (0.5,), (1,)), r"needs integer start"),
        (lambda: lax.dynamic_slice(np.ones(3), (0,), (4,)), r"needs for each axis a slice"),
        (
            lambda: lax.dynamic_update_slice(np.ones(3), np.ones(4), (0,)),
            r"dynamic_update_slice: needs an update that fits",
        ),
    ],
)  # fmt: skip
def test_messages(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
