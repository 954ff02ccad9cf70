"""The native sort against NumPy's stable sort, over dtypes, axes, ties, nans and signed zeros."""

from __future__ import annotations

import ctypes

import ml_dtypes
import numpy as np
import pytest
from tests.native.plain_runtime import runtime

import vires  # noqa: F401 - registers dtypes
from vires import _native
from vires.core import dtypes

RNG = np.random.default_rng(0)


def native_sort(operands, axis, num_keys):
    """vires_sort on NumPy arrays."""
    outs = [np.empty_like(x) for x in operands]
    shape = operands[0].shape
    outer, n, inner = int(np.prod(shape[:axis])), shape[axis], int(np.prod(shape[axis + 1 :]))
    count = len(operands)
    codes = (ctypes.c_int32 * count)(*[dtypes.CODE_OF[x.dtype] for x in operands])
    sizes = (ctypes.c_int64 * count)(*[x.dtype.itemsize for x in operands])
    pointers = [
        (ctypes.c_void_p * count)(*[x.ctypes.data for x in arrays]) for arrays in (operands, outs)
    ]
    rt = runtime()
    call = ctypes.CFUNCTYPE(
        ctypes.c_int32, ctypes.c_void_p, *[ctypes.c_int64] * 5, *[ctypes.c_void_p] * 4
    )(_native.symbols()["vires_sort"])
    assert (
        call(ctypes.addressof(rt), outer, n, inner, count, num_keys, codes, sizes, *pointers) == 0
    )
    return outs


def sample(dtype, shape):
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return RNG.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return RNG.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    x = RNG.standard_normal(shape).astype(np.float32)
    special = RNG.choice(np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0]), shape)
    return np.where(RNG.random(shape) < 0.5, x, special).astype(dtype)


def same(found, expected):
    """Equal, with nan equal to nan (NumPy's own check does not know that of bfloat16)."""
    if found.dtype == ml_dtypes.bfloat16:
        found, expected = found.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_array_equal(found, expected)


DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()


@pytest.mark.parametrize("dtype", [*DTYPES, ml_dtypes.bfloat16])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((0,), 0),
        ((1,), 0),
        ((100,), 0),
        ((5000,), 0),
        ((3, 200, 4), 1),
        ((70000,), 0),
        ((5, 2000), 1),
    ],
)
def test_values_and_moved_operands(dtype, shape, axis):
    x = sample(dtype, shape)
    wide = x.astype(np.float32) if x.dtype == ml_dtypes.bfloat16 else x
    order = np.argsort(wide, axis=axis, kind="stable")
    same(native_sort([x], axis, 1)[0], np.take_along_axis(x, order, axis))
    positions = np.broadcast_to(
        np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape
    )
    moved, index, pair = native_sort(
        [x, np.ascontiguousarray(positions), x.astype(np.complex128)], axis, 1
    )
    np.testing.assert_array_equal(index, order)
    same(moved, np.take_along_axis(x, order, axis))
    np.testing.assert_array_equal(pair, np.take_along_axis(x.astype(np.complex128), order, axis))


def test_several_keys():
    a, b = RNG.integers(0, 4, (3, 3000)).astype(np.int8), sample("float32", (3, 3000))
    first, second, index = native_sort([a, b, np.tile(np.arange(3000), (3, 1))], 1, 2)
    for row in range(3):
        order = np.lexsort((b[row], a[row]))
        np.testing.assert_array_equal(index[row], order)
        np.testing.assert_array_equal(first[row], a[row][order])
        np.testing.assert_array_equal(second[row], b[row][order])
