"""The native cumulative operations against NumPy: dtypes, axes, directions, chunk borders."""

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
UFUNCS = [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp]


def native(x, axis, combine, reverse):
    out = np.empty_like(x)
    shape = x.shape
    outer, n, inner = int(np.prod(shape[:axis])), shape[axis], int(np.prod(shape[axis + 1 :]))
    rt = runtime()
    call = ctypes.CFUNCTYPE(
        ctypes.c_int32,
        ctypes.c_void_p,
        *[ctypes.c_int64] * 3,
        *[ctypes.c_int32] * 3,
        *[ctypes.c_void_p] * 2,
    )(_native.symbols()["vires_cumulate"])
    code = dtypes.CODE_OF[x.dtype]
    status = call(
        ctypes.addressof(rt),
        outer,
        n,
        inner,
        code,
        combine,
        reverse,
        x.ctypes.data,
        out.ctypes.data,
    )
    return out if status == 0 else None


def expected(x, axis, combine, reverse):
    ufunc = UFUNCS[combine]
    flipped = np.flip(x, axis) if reverse else x
    with np.errstate(all="ignore"):
        out = ufunc.accumulate(flipped, axis=axis)
    return np.flip(out, axis) if reverse else out


SHAPES = [
    ((0,), 0),
    ((1,), 0),
    ((1000,), 0),
    ((4, 50, 3), 1),
    ((3, 0), 0),
    ((200, 300), 1),
    ((200, 300), 0),
]


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("dtype", "int8 int32 uint16 uint64 float32 float64 complex64".split())
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_against_numpy(dtype, shape, axis, reverse):
    kind = np.dtype(dtype).kind
    x = (
        RNG.integers(0, 5, shape).astype(dtype)
        if kind in "iu"
        else RNG.standard_normal(shape).astype(dtype)
    )
    for combine in (0, 1, 2, 3, 4):
        if (kind == "c" and combine > 1) or (kind in "iu" and combine == 4):
            assert native(x, axis, combine, reverse) is None or x.size == 0
            continue
        wide = x.astype({"float32": "float64", "complex64": "complex128"}.get(dtype, dtype))
        truth = (
            expected(wide, axis, combine, reverse).astype(dtype)
            if combine != 1 or kind in "iu"
            else expected(x, axis, combine, reverse)
        )
        np.testing.assert_allclose(native(x, axis, combine, reverse), truth, rtol=3e-5, atol=1e-4)


@pytest.mark.parametrize("reverse", [0, 1])
def test_long_lines_are_cut_into_chunks(reverse):
    x = RNG.integers(-9, 9, (2, 3 * 65536 + 17))
    np.testing.assert_array_equal(native(x, 1, 0, reverse), expected(x, 1, 0, reverse))
    np.testing.assert_array_equal(native(x, 1, 2, reverse), expected(x, 1, 2, reverse))
    y = RNG.standard_normal(1 << 18).astype(np.float32)
    np.testing.assert_allclose(
        native(y, 0, 0, reverse), expected(y.astype(np.float64), 0, 0, reverse), atol=2e-2
    )


def test_nan_and_signed_zero():
    x = np.float32([1.0, np.nan, 3.0, np.inf, -0.0])
    for combine in (0, 1, 2, 3, 4):
        np.testing.assert_array_equal(
            np.isnan(native(x, 0, combine, 0)), [False, True, True, True, True]
        )
    zeros = native(np.float32([-0.0, 0.0, -0.0]), 0, 2, 0)
    np.testing.assert_array_equal(np.signbit(zeros), [True, False, False])
    infinite = native(np.float64([-np.inf, -np.inf, 0.0, np.inf]), 0, 4, 0)
    np.testing.assert_array_equal(infinite, [-np.inf, -np.inf, 0.0, np.inf])


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_sums_are_kept_in_single(dtype):
    x = RNG.standard_normal(3000).astype(dtype)
    truth = np.cumsum(x.astype(np.float64)).astype(dtype).astype(np.float64)
    np.testing.assert_allclose(native(x, 0, 0, 0).astype(np.float64), truth, rtol=1e-2, atol=1e-2)
    bits = np.arange(65536, dtype=np.uint16).view(dtype)
    for value in bits[::97]:
        one = np.array([value], dtype)
        np.testing.assert_array_equal(
            native(one, 0, 0, 0).astype(np.float32), one.astype(np.float32)
        )
