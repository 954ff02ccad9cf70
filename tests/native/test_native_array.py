"""The array object: making, properties, memory, deletion, pickling."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref

import numpy as np
import pytest

from native_code import BFLOAT16, FLOAT32, FLOAT64, INT32, KEY, dtype_of
from vires import _native
from vires._native import Array

CODES = [code for code in range(23) if code != KEY]
SHAPES = [(), (1,), (3,), (0,), (2, 0, 3), (3, 4), (1, 2, 3, 4, 5, 6), (1,) * 40]


def sample(code: int, shape: tuple[int, ...] = (3, 4)) -> np.ndarray:
    count = int(np.prod(shape, dtype=int))
    return (np.arange(count) % 5).reshape(shape).astype(dtype_of(code))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_round_trip(code: int, shape: tuple[int, ...]) -> None:
    values = sample(code, shape)
    x = _native.from_numpy(values)
    assert x.shape == shape
    assert x.dtype is dtype_of(code) or x.dtype == dtype_of(code)
    assert (x.ndim, x.size, x.itemsize, x.nbytes) == (
        len(shape), values.size, values.itemsize, values.nbytes,
    )  # fmt: skip
    view = x._numpy()
    assert view.dtype == values.dtype
    assert not view.flags.writeable
    np.testing.assert_array_equal(view, values)
    np.testing.assert_array_equal(np.asarray(x), values)
    assert np.asarray(x).dtype == values.dtype


def test_from_numpy_copies() -> None:
    values = np.arange(5.0)
    x = _native.from_numpy(values)
    values[0] = 9.0
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_wrap_numpy_shares_and_keeps_alive() -> None:
    values = np.arange(5.0)
    x = _native.wrap_numpy(values)
    assert x.unsafe_buffer_pointer() == values.ctypes.data
    reference = weakref.ref(values)
    del values
    assert reference() is not None
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    del x
    assert reference() is None


def test_wrapping_a_view_of_an_array() -> None:
    x = _native.from_numpy(np.arange(1000, dtype=np.float32).reshape(10, 100))
    row = _native.wrap_numpy(x._numpy()[3:5][1])
    assert row.unsafe_buffer_pointer() == x.unsafe_buffer_pointer() + 1600
    before = _native.memory_stats()["live"]
    x.delete()
    assert _native.memory_stats()["live"] == before
    assert row.tolist() == list(range(400, 500))
    del row
    assert _native.memory_stats()["live"] < before


@pytest.mark.parametrize("make", [_native.from_numpy, _native.wrap_numpy])
@pytest.mark.parametrize(
    "values",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12)[::-2],
        np.arange(3, dtype=">f4"),
        np.broadcast_to(np.float32(3), (2, 2)),
        np.frombuffer(b"x" + np.arange(3.0).tobytes(), np.uint8)[1:].view(np.float64),
    ],
    ids=["transposed", "reversed", "swapped", "broadcast", "unaligned"],
)
def test_odd_memory(make, values: np.ndarray) -> None:
    x = make(values)
    np.testing.assert_array_equal(x._numpy(), values)
    assert x._numpy().flags.c_contiguous
    assert x._numpy().dtype.isnative


def test_conversion_on_the_way_in() -> None:
    x = _native.from_numpy(np.arange(3), True, np.dtype(np.float32))
    assert x.dtype == np.float32
    assert x.weak_type
    assert x.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("values", [np.array(["a"]), np.array([object()]), np.zeros(2, "M8[s]")])
def test_types_that_arrays_cannot_hold(values: np.ndarray) -> None:
    with pytest.raises(TypeError, match="dtype: needs a bool, integer"):
        _native.from_numpy(values)


@pytest.mark.parametrize(
    "value, code, expected",
    [
        (True, 0, True), (3, INT32, 3), (-1, 4, -1), (2**64 - 1, 8, 2**64 - 1),
        (0.1, FLOAT64, 0.1), (0.1, FLOAT32, float(np.float32(0.1))),
        (65519.0, 9, 65504.0), (1 + 2j, 14, 1 + 2j), (3, 16, 3.0), (-3, 21, -3), (2, 22, 2),
        (1e300, FLOAT32, float("inf")),
    ],
)  # fmt: skip
def test_from_scalar(value: object, code: int, expected: object) -> None:
    x = _native.from_scalar(value, code, True)
    assert x.shape == ()
    assert x.weak_type
    assert x.item() == expected
    assert type(x.item()) is type(expected)


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1.0, 1.00390625, 1.01171875, 3e38, np.inf, 1e-40, np.nan]
)
def test_bfloat16_scalars_round_as_ml_dtypes(value: float) -> None:
    x = _native.from_scalar(value, BFLOAT16)
    expected = np.array(value).astype(np.float32).astype(dtype_of(BFLOAT16))
    if value == value:
        assert x._numpy().tobytes() == expected.tobytes()
    else:
        assert np.isnan(x.item())


@pytest.mark.parametrize("value, code", [(2**31, INT32), (-1, 8), (300, 5), (10**400, FLOAT64)])
def test_scalars_that_do_not_fit(value: int, code: int) -> None:
    with pytest.raises(OverflowError, match=r"array: needs a value that fits \w+; got"):
        _native.from_scalar(value, code)


def test_views_share_memory() -> None:
    x = _native.from_numpy(np.arange(12, dtype=np.float32).reshape(3, 4))
    row = x._view((4,), 16)
    assert row.tolist() == [4.0, 5.0, 6.0, 7.0]
    assert row.unsafe_buffer_pointer() == x.unsafe_buffer_pointer() + 16
    bits = x._view((3, 4), 0, np.dtype(np.int32), True)
    assert bits.dtype == np.int32
    assert bits.weak_type
    del x
    assert row.tolist() == [4.0, 5.0, 6.0, 7.0]


@pytest.mark.parametrize("shape, offset", [((5,), 0), ((4,), 4), ((1,), -4), ((-1,), 0)])
def test_views_stay_inside(shape: tuple[int, ...], offset: int) -> None:
    x = _native.from_numpy(np.arange(4, dtype=np.float32))
    with pytest.raises(ValueError, match="needs"):
        x._view(shape, offset)


@pytest.mark.parametrize("size", [1, 7, 33, 1000, 1 << 21])
def test_alignment(size: int) -> None:
    x = _native.empty((size,), FLOAT32)
    assert _native.writable(x) % 64 == 0
    assert x.unsafe_buffer_pointer() == _native.writable(x)


def test_delete() -> None:
    x = _native.from_numpy(np.arange(3, dtype=np.float32))
    view = x._numpy()
    assert not x.is_deleted()
    x.delete()
    assert x.is_deleted()
    assert x.shape == (3,)
    np.testing.assert_array_equal(view, [0, 1, 2])
    for use in (
        x._numpy,
        x.tolist,
        x.block_until_ready,
        lambda: memoryview(x),
        lambda: x._view((3,)),
    ):
        with pytest.raises(RuntimeError, match=r"got float32\[3\] that was deleted or donated"):
            use()


def test_copies_are_the_array_itself() -> None:
    x = _native.from_numpy(np.arange(3))
    assert copy.copy(x) is x
    assert copy.deepcopy([x])[0] is x


@pytest.mark.parametrize("code", CODES)
def test_pickle(code: int) -> None:
    x = _native.from_numpy(sample(code), True)
    y = pickle.loads(pickle.dumps(x))
    assert type(y) is Array
    assert (y.shape, y.dtype, y.weak_type) == (x.shape, x.dtype, True)
    np.testing.assert_array_equal(y._numpy(), x._numpy())


def test_keys_are_opaque() -> None:
    x = _native.from_numpy(np.arange(2, dtype=np.uint64))._view((2,), 0, dtype_of(KEY))
    assert x.dtype is dtype_of(KEY)
    assert x._numpy().dtype == np.uint64
    assert pickle.loads(pickle.dumps(x)).dtype is dtype_of(KEY)
    for use in (x.tolist, x.__array__, lambda: x.item(0), lambda: float(x._view((), 0))):
        with pytest.raises(TypeError, match="opaque"):
            use()
    with pytest.raises(BufferError):
        memoryview(x)
    assert _native.dtype_code(dtype_of(KEY)) == KEY


def test_weak_references_and_attributes() -> None:
    x = _native.from_numpy(np.arange(3))
    reference = weakref.ref(x)
    assert reference() is x
    Array.some_new_method = lambda self: self.size
    try:
        assert x.some_new_method() == 3
    finally:
        del Array.some_new_method
    del x
    assert reference() is None
    with pytest.raises(TypeError):
        Array()


def test_aval_is_made_once() -> None:
    made = []

    def factory(shape, dtype, weak):
        made.append((shape, dtype, weak))
        return (shape, dtype.name, weak)

    before = _native.set_aval_factory(factory)
    try:
        x = _native.from_numpy(np.zeros((2, 3), np.float32))
        assert x.aval == ((2, 3), "float32", False)
        assert x.aval is x.aval
        assert _native.from_numpy(np.ones((2, 3), np.float32)).aval is x.aval
        assert len(made) == 1
        for n in range(5000):
            assert _native.empty((n,), INT32).aval[0] == (n,)
    finally:
        _native.set_aval_factory(before)


def test_hash_advises() -> None:
    with pytest.raises(TypeError, match=r"unhashable type: 'vires.Array' \(float32\[2\]\)"):
        hash(_native.empty((2,), FLOAT32))


@pytest.mark.parametrize("shape", [(10**13,), (10**10, 10**10), (2**62, 2**62), (10**5,) * 3])
def test_absurd_sizes(shape: tuple[int, ...]) -> None:
    with pytest.raises(MemoryError, match="Array: "):
        _native.empty(shape, FLOAT64)


def test_too_many_axes() -> None:
    with pytest.raises(ValueError, match="at most 64 axes"):
        _native.empty((1,) * 65, FLOAT32)
    assert _native.empty((1,) * 64, FLOAT32).ndim == 64


def test_nothing_leaks() -> None:
    values = np.arange(4, dtype=np.float32)

    def work() -> None:
        x = _native.from_numpy(values)
        y = _native.wrap_numpy(values)
        view = x._numpy()
        memoryview(x).release()
        pickle.loads(pickle.dumps(y))
        x._view((2, 2)).tolist()
        x.delete()
        del view

    for _ in range(100):
        work()
    gc.collect()
    before = _native.memory_stats()["live"]
    blocks = sys.getallocatedblocks()
    references = sys.getrefcount(values)
    for _ in range(10_000):
        work()
    gc.collect()
    assert _native.memory_stats()["live"] == before
    assert sys.getallocatedblocks() - blocks < 500
    assert sys.getrefcount(values) == references
