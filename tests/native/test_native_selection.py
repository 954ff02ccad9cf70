"""Indexing with arrays, changed copies, and views against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vires.numpy as vnp


def _entry(random: np.random.Generator, size: int, shape: tuple[int, ...]) -> Any:
    kind = random.integers(0, 5)
    if kind == 0 and size:
        return int(random.integers(-size, size))
    if kind == 1:
        bounds = sorted(random.integers(-size - 1, size + 2, 2).tolist())
        return slice(bounds[0], bounds[1], int(random.choice([1, 2, -1, -3])))
    if kind == 2 or not size:
        return slice(None)
    dtype = random.choice(["int8", "int32", "int64", "uint16"])
    low = 0 if dtype == "uint16" else -size
    own = tuple(n if random.random() < 0.7 else 1 for n in shape)
    return random.integers(low, size, own[random.integers(0, len(own) + 1) :]).astype(dtype)


def _index(random: np.random.Generator, shape: tuple[int, ...]) -> tuple[Any, ...]:
    lookup = tuple(random.integers(1, 4, random.integers(0, 3)).tolist())
    count = int(random.integers(1, len(shape) + 1))
    entries = [_entry(random, n, lookup) for n in shape[:count]]
    for extra in (None, Ellipsis):
        if random.random() < 0.25:
            entries.insert(int(random.integers(0, len(entries) + 1)), extra)
    if Ellipsis in [e for e in entries if not isinstance(e, np.ndarray)]:
        place = next(i for i, e in enumerate(entries) if e is Ellipsis)
        used = sum(e is not None for e in entries[place + 1 :])
        tail = shape[len(shape) - used :]
        kept = iter(tail)
        entries[place + 1 :] = [
            None if e is None else _entry(random, next(kept), lookup) for e in entries[place + 1 :]
        ]
    return tuple(entries)


def _ours(index: tuple[Any, ...], wrap: bool) -> tuple[Any, ...]:
    return tuple(vnp.asarray(e) if wrap and isinstance(e, np.ndarray) else e for e in index)


@pytest.mark.parametrize("seed", range(150))
def test_indices_of_all_kinds(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 6, random.integers(1, 5)).tolist())
    dtype = random.choice(["bool", "int16", "float32", "float64", "complex128"])
    values = random.integers(0, 50, shape).astype(dtype)
    x = vnp.asarray(values)
    if x.ndim > 1 and seed % 3 == 0:
        x, values = x.T, values.T
    index = _index(random, values.shape)
    ours = _ours(index, bool(seed % 2))
    expected = values[index]
    result = x[ours]
    assert result.shape == expected.shape
    np.testing.assert_array_equal(result, expected)

    new = random.integers(0, 9, expected.shape).astype(dtype)
    changed = values.copy()
    changed[index] = new
    np.testing.assert_array_equal(x.at[ours].set(vnp.asarray(new)), changed)
    changed = values.copy()
    changed[index] = 1
    np.testing.assert_array_equal(x.at[ours].set(True if dtype == "bool" else 1), changed)
    if dtype != "bool":
        for name, ufunc in (("add", np.add), ("multiply", np.multiply)):
            changed = values.copy()
            ufunc.at(changed, index, new)
            np.testing.assert_array_equal(getattr(x.at[ours], name)(vnp.asarray(new)), changed)
    np.testing.assert_array_equal(x, values)


@pytest.mark.parametrize("shape", [(7,), (4, 5), (3, 2, 4), (0,), (3, 0)])
def test_masks(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    values = random.random(shape).astype(np.float32)
    for axes in range(1, len(shape) + 1):
        mask = random.random(shape[:axes]) < 0.5
        for each in (mask, vnp.asarray(mask)):
            np.testing.assert_array_equal(vnp.asarray(values)[each], values[mask])
            changed = values.copy()
            changed[mask] = -0.0
            result = np.asarray(vnp.asarray(values).at[each].set(-0.0))
            assert result.tobytes() == changed.tobytes()
    trailing = random.random(shape[-1:]) < 0.5
    np.testing.assert_array_equal(vnp.asarray(values)[..., trailing], values[..., trailing])


def test_what_is_out_of_bounds_is_refused() -> None:
    x = vnp.arange(6.0).reshape(2, 3)
    outside = [vnp.array([0, 2]), np.array([-3]), (0, vnp.array([3])), (slice(None), np.array([5]))]
    for index in outside:
        with pytest.raises(IndexError):
            x[index]
        with pytest.raises(IndexError):
            x.at[index].set(0.0)
    with pytest.raises(IndexError):
        x[np.array([True, False, True])]


def test_values_take_the_dtype_of_the_array() -> None:
    x = vnp.arange(5, dtype="uint8")
    assert x.at[1].set(7).dtype == np.uint8
    assert x.at[1].add(255).tolist() == [0, 0, 2, 3, 4]
    with pytest.raises(ValueError, match="broadcast"):
        x.at[1:3].set(vnp.ones(4, "uint8"))
    keyed = vnp.arange(3.0).at[vnp.array([1, 1, 1])]
    assert keyed.add(vnp.array([1.0, 2.0, 4.0])).tolist() == [0.0, 8.0, 2.0]
    assert keyed.set(vnp.array([1.0, 2.0, 4.0])).tolist() == [0.0, 4.0, 2.0]


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (40, 1, 30), (0, 3), (1, 200, 2)])
def test_views(shape: tuple[int, ...]) -> None:
    values = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    x = vnp.asarray(values)
    for ours, theirs in [
        (x.T, values.T),
        (x.ravel(), values.ravel()),
        (x.reshape(-1), values.reshape(-1)) if values.size else (x, values),
        (x.transpose(), values.transpose()),
        (x.T.T[None], values[None]),
        (x.T.ravel(), values.T.ravel()),
        (vnp.squeeze(x), np.squeeze(values)),
        (vnp.expand_dims(x, -1), np.expand_dims(values, -1)),
        (vnp.broadcast_to(x, (3, *shape)), np.broadcast_to(values, (3, *shape))),
        (vnp.broadcast_to(x.T, (2, *shape[::-1])) + 1, values.T + np.ones((2, *shape[::-1]))),
    ]:
        assert ours.shape == theirs.shape
        np.testing.assert_array_equal(ours, theirs)
    if len(shape) > 1:
        np.testing.assert_array_equal(x.swapaxes(0, -1), values.swapaxes(0, -1))
        np.testing.assert_array_equal(vnp.moveaxis(x, 0, -1), np.moveaxis(values, 0, -1))
        np.testing.assert_array_equal(x.mT, np.swapaxes(values, -1, -2))
    with pytest.raises((ValueError, TypeError)):
        x.reshape(7, 5, 3)
    if shape:
        with pytest.raises((ValueError, TypeError)):
            vnp.broadcast_to(x, (7, 7, 7, 7, 5))


def test_a_view_of_a_donated_array_keeps_its_values() -> None:
    import vires

    x = vnp.arange(10_000.0).reshape(100, 100)
    turned, expected = x.T, np.asarray(x).T.copy()
    vires.jit(lambda x: x * 2, donate_argnums=0)(x)
    np.testing.assert_array_equal(turned, expected)


def test_arrays_of_python_numbers() -> None:
    for value in ([1.0, 2], [[1, 2], [3, 4]], ((1.5,), (2.5,)), [], [[]], [True], 3, 2.5, [1j]):
        ours, theirs = vnp.array(value), np.array(value)
        assert ours.shape == theirs.shape
        assert ours.dtype.kind == theirs.dtype.kind
        np.testing.assert_array_equal(ours, theirs)
    for bad in ([1, [2]], [[1], [2, 3]], [1, "a"], [1 << 40]):
        with pytest.raises((ValueError, TypeError, OverflowError)):
            vnp.array(bad)
    values = np.arange(6.0)[::2]
    ours = vnp.array(values)
    values[0] = 7
    assert ours.tolist() == [0.0, 2.0, 4.0]
    assert vnp.asarray(ours) is ours


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "float32", "float64"])
def test_searches(dtype: str) -> None:
    random = np.random.default_rng(3)
    for size in (0, 1, 2, 37, 500):
        values = random.integers(0, 20, size).astype(dtype)
        if dtype.startswith("float") and size > 2:
            values[1], values[2] = np.nan, -0.0
        x = vnp.asarray(values)
        np.testing.assert_array_equal(vnp.unique(x), np.unique(values))
        np.testing.assert_array_equal(vnp.nonzero(x > 3)[0], np.nonzero(values > 3)[0])
        ordered = np.sort(values)
        for side in ("left", "right"):
            ours = vnp.searchsorted(vnp.asarray(ordered), x, side)
            np.testing.assert_array_equal(ours, np.searchsorted(ordered, values, side))
            assert ours.dtype == np.int32
        if not dtype.startswith("float"):
            np.testing.assert_array_equal(vnp.bincount(x), np.bincount(values))
    with pytest.raises(ValueError, match=">= 0"):
        vnp.bincount(vnp.array([1, -1]))
    grid = random.random((3, 4)) < 0.5
    for ours, theirs in zip(vnp.nonzero(vnp.asarray(grid)), np.nonzero(grid), strict=True):
        np.testing.assert_array_equal(ours, theirs)
