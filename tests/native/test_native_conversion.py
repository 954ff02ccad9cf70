"""Arrays as Python numbers, buffers, NumPy arrays and DLPack capsules."""

from __future__ import annotations

import gc
import io

import numpy as np
import pytest

from native_code import BFLOAT16, BOOL, FLOAT32, INT32, dtype_of
from vires import _native


def array(values: object, dtype: object = np.float32) -> object:
    return _native.from_numpy(np.asarray(values, dtype))


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.int8, np.uint64, np.float16, np.float32, np.float64]
)
def test_numbers(dtype: type) -> None:
    x = array(1, dtype)
    assert bool(x) is True
    assert int(x) == 1
    assert float(x) == 1.0
    assert complex(x) == 1 + 0j
    assert float(array([[1]], dtype)) == 1.0
    assert not bool(array(0, dtype))


def test_complex_numbers() -> None:
    x = array(1 + 2j, np.complex64)
    assert complex(x) == 1 + 2j
    assert bool(x)
    with pytest.raises(TypeError):
        float(x)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.0])
def test_special_values(value: float) -> None:
    for code in (FLOAT32, BFLOAT16):
        got = _native.from_scalar(value, code).item()
        assert np.array_equal(got, value, equal_nan=True)
        assert np.signbit(got) == np.signbit(value)
    with pytest.raises((ValueError, OverflowError)):
        int(array(np.inf))


def test_index() -> None:
    assert [10, 20, 30][array(1, np.int32)] == 20
    assert range(5)[array(2, np.uint8)] == 2
    for x in (array(1.0), array([1], np.int32), array(True, np.bool_)):
        with pytest.raises(TypeError, match="index: needs a 0-d array of integers"):
            [10, 20][x]


def test_only_one_element() -> None:
    x = array([1, 2])
    with pytest.raises(ValueError, match=r"bool: needs .* float32\[2\]; try x.any\(\) or x.all"):
        bool(x)
    with pytest.raises(ValueError, match="bool"):
        bool(array([]))
    for convert in (int, float, complex):
        with pytest.raises(TypeError, match=convert.__name__):
            convert(x)
    with pytest.raises(TypeError, match="unsized"):
        len(array(1))
    assert len(x) == 2


@pytest.mark.parametrize("spec", ["", ".3f", "e", ">10"])
def test_format(spec: str) -> None:
    assert format(array(1.5), spec) == format(1.5, spec)


def test_format_of_more_elements() -> None:
    with pytest.raises(TypeError, match="format: needs a 0-d array"):
        format(array([1.0, 2.0]), ".2f")
    assert format(array([1.0, 2.0])) == str(array([1.0, 2.0]))


def test_item() -> None:
    x = array([[1, 2, 3], [4, 5, 6]], np.int32)
    assert x.item(4) == 5
    assert x.item(1, 0) == 4
    assert x.item((1, -1)) == 6
    assert x.item(-1) == 6
    for index in (6, -7, (2, 0)):
        with pytest.raises(IndexError, match="item: needs an index"):
            x.item(index)
    with pytest.raises(ValueError, match="item"):
        x.item()
    with pytest.raises(ValueError, match="item: needs one flat index or 2"):
        x.item(0, 0, 0)


@pytest.mark.parametrize("code", [BOOL, INT32, FLOAT32, BFLOAT16, 16, 21])
def test_tolist(code: int) -> None:
    x = _native.from_numpy(np.array([[0, 1], [1, 0]]).astype(dtype_of(code)))
    kind = bool if code == BOOL else int if code in (INT32, 21) else float
    assert x.tolist() == [[0, 1], [1, 0]]
    assert type(x.tolist()[0][0]) is kind
    assert type(x._view((), 0).tolist()) is kind


def test_array_method() -> None:
    x = array([1.5, 2.5])
    assert x.__array__().base is not None
    assert x.__array__(np.float64).dtype == np.float64
    assert x.__array__(copy=True).flags.writeable
    assert np.shares_memory(x.__array__(copy=False), x._numpy())
    with pytest.raises(ValueError, match="needs a copy"):
        x.__array__(np.float64, copy=False)
    np.testing.assert_array_equal(np.array([x, x]), [[1.5, 2.5]] * 2)
    assert np.asarray(x, np.int64).tolist() == [1, 2]
    np.testing.assert_allclose(np.sin(x), np.sin([1.5, 2.5]), rtol=1e-6)


def test_buffer_protocol() -> None:
    x = array([[1, 2, 3], [4, 5, 6]], np.int16)
    view = memoryview(x)
    assert (view.format, view.shape, view.strides, view.readonly) == ("h", (2, 3), (6, 2), True)
    x.delete()
    assert view.tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises((BufferError, TypeError), match=r"immutable|read-write"):
        io.BytesIO(b"1234").readinto(array([1.0]))


def test_types_without_a_buffer_format() -> None:
    x = _native.from_numpy(np.ones(2, dtype_of(BFLOAT16)))
    with pytest.raises(BufferError, match="no format says"):
        memoryview(x)
    assert np.asarray(x).dtype == dtype_of(BFLOAT16)
    assert np.asarray(x).tobytes() == np.ones(2, dtype_of(BFLOAT16)).tobytes()


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.int8, np.uint32, np.float16, np.float32, np.complex64]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_dlpack(dtype: type, shape: tuple[int, ...]) -> None:
    values = np.ones(shape, dtype)
    x = _native.from_numpy(values)
    back = np.from_dlpack(x)
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, values)
    if back.size:
        assert back.ctypes.data == x.unsafe_buffer_pointer()
    x.delete()
    np.testing.assert_array_equal(back, values)
    assert x.__dlpack_device__() == (1, 0)


def test_dlpack_options() -> None:
    x = array([1.0, 2.0])
    assert '"dltensor"' in repr(x.__dlpack__())
    assert '"dltensor_versioned"' in repr(x.__dlpack__(max_version=(1, 0)))
    x.__dlpack__(max_version=(1, 1), copy=True)
    with pytest.raises(BufferError, match="stream"):
        x.__dlpack__(stream=1)
    with pytest.raises(BufferError, match="CPU device"):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(BufferError, match="no element type"):
        _native.from_numpy(np.ones(2, dtype_of(16))).__dlpack__()


def test_capsules_do_not_leak() -> None:
    x = _native.empty((1000,), FLOAT32)
    before = _native.memory_stats()["live"]
    for _ in range(1000):
        _native.empty((1000,), FLOAT32).__dlpack__()
        np.from_dlpack(_native.empty((1000,), FLOAT32))
        _native.empty((1000,), FLOAT32).__dlpack__(max_version=(1, 0), copy=True)
    gc.collect()
    assert _native.memory_stats()["live"] == before
    assert x.size == 1000
