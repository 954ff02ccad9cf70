"""Conversions between dtypes, of bits, and to fewer digits."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import vires
from vires import _native
from vires.core import dtypes
from vires.ops.convert import bitcast_convert_type, convert_element_type, reduce_precision


@pytest.fixture(autouse=True)
def reference_engine():
    with vires.config.override("engine", "reference"):
        yield


NUMBERS = [d for d in dtypes.CODES if not dtypes.is_key(d)]


def convert(x, dtype):
    return convert_element_type.reference(np.asarray(x), new_dtype=np.dtype(dtype))


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
@pytest.mark.parametrize("source", ["f4", "f8"])
def test_floats_saturate_to_integers(source, dtype):
    info = np.iinfo(dtype)
    x = np.array([1.9, -1.9, np.nan, np.inf, -np.inf, 1e30, -1e30, 100.5], source)
    expected = [1, -1 if info.min else 0, 0, info.max, info.min, info.max, info.min, 100]
    assert convert(x, dtype).tolist() == expected


@pytest.mark.parametrize("source", NUMBERS, ids=str)
@pytest.mark.parametrize("target", NUMBERS, ids=str)
def test_small_integers_survive_every_conversion(source, target):
    def holds(dtype, value):
        return complex(np.array(value).astype(dtype)) == value

    numbers = [dtype for dtype in (source, target) if dtype != np.bool_]
    small = [k for k in range(4) if all(holds(dtype, k) for dtype in numbers)]
    assert 1 in small
    x = np.array(small).astype(source)
    out = convert(x, target)
    assert out.dtype == target
    expected = small if len(numbers) == 2 else [min(k, 1) for k in small]
    assert out.astype(complex).tolist() == expected


def test_to_bool_is_not_zero():
    assert convert([0.0, -0.0, np.nan, 1e-300, 5], bool).tolist() == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert convert([0j, 1j], bool).tolist() == [False, True]


def test_complex_to_real_drops_the_imaginary_part():
    assert convert([1.5 + 2j], np.float32).tolist() == [1.5]
    assert convert([-1.5 + 2j], np.int8).tolist() == [-1]


def test_integers_wrap_into_narrower_ones():
    assert convert(np.array([300, -1]), np.uint8).tolist() == [44, 255]


def test_bitcast_changes_the_last_axis():
    x = np.array([1.0, -2.0], np.float64)
    words = bitcast_convert_type.reference(x, new_dtype=dtypes.uint32)
    assert words.tolist() == [[0, 0x3FF00000], [0, 0xC0000000]]
    assert bitcast_convert_type.reference(words, new_dtype=dtypes.float64).tolist() == x.tolist()
    assert (
        bitcast_convert_type.reference(np.float32(1), new_dtype=dtypes.int32).item() == 0x3F800000
    )


def test_bitcast_refuses_what_has_no_layout():
    with pytest.raises(
        TypeError, match="bitcast_convert_type: needs a real dtype of whole bytes; got complex64"
    ):
        bitcast_convert_type(_native.from_numpy(np.complex64(1)), new_dtype=dtypes.int64)
    with pytest.raises(TypeError, match="a last axis of size 2; got uint32"):
        bitcast_convert_type(_native.from_numpy(np.zeros(3, np.uint32)), new_dtype=dtypes.int64)


@pytest.mark.parametrize(
    ("narrow", "exponent_bits", "mantissa_bits"), [(np.float16, 5, 10), (ml_dtypes.bfloat16, 8, 7)]
)
def test_reduce_precision_is_a_narrower_format(narrow, exponent_bits, mantissa_bits):
    random = np.random.RandomState(0)
    x = (random.standard_normal(2000) * 10.0 ** random.randint(-3, 4, 2000)).astype(np.float32)
    x = np.append(x, np.array([65504, 65520, 1e6, -1e6, np.inf, np.nan, 0.0, -0.0], np.float32))
    out = reduce_precision.reference(x, exponent_bits=exponent_bits, mantissa_bits=mantissa_bits)
    with np.errstate(over="ignore"):
        expected = x.astype(narrow).astype(np.float32)
    normal = np.abs(expected) >= float(ml_dtypes.finfo(narrow).smallest_normal)
    normal |= ~np.isfinite(expected)
    np.testing.assert_array_equal(out[normal], expected[normal])
    assert np.signbit(out[-1]) and out[-1] == 0


def test_keys_convert_to_nothing_else():
    keys = _native.from_numpy(np.zeros(2, np.uint64), dtype=dtypes.KEY)
    assert convert_element_type(keys, new_dtype=dtypes.KEY, weak_type=False).dtype is dtypes.KEY
    with pytest.raises(
        TypeError, match=r"convert_element_type: needs numbers; got key<fry>\[2\] to float32"
    ):
        convert_element_type(keys, new_dtype=dtypes.float32, weak_type=False)
