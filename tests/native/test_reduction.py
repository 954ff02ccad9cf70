"""The native reductions against NumPy: dtypes, axes, empty arrays, nan, signed zeros, accuracy."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

import vires.numpy
from vires import _native
from vires.core import dtypes

RNG = np.random.default_rng(0)
KINDS = ["sum", "prod", "max", "min", "and", "or", "xor"]
UFUNCS = [
    np.add,
    np.multiply,
    np.maximum,
    np.minimum,
    np.bitwise_and,
    np.bitwise_or,
    np.bitwise_xor,
]


def native(x, kind, axes):
    key = None
    found = _native.reduce(
        _native.from_numpy(x, False, key), KINDS.index(kind), sum(1 << d for d in axes)
    )
    return None if found is None else found._numpy()


def sample(dtype, shape):
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return RNG.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        return RNG.integers(0, 100, shape).astype(dtype)
    x = RNG.standard_normal(shape)
    return (
        (x + 1j * RNG.standard_normal(shape)).astype(dtype)
        if dtype.kind == "c"
        else x.astype(dtype)
    )


DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128"
).split()
AXES = [axes for n in range(4) for axes in itertools.combinations(range(3), n)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 7, 1), (2, 1, 300), (5, 0, 2)])
def test_against_numpy(dtype, shape):
    x = sample(dtype, shape)
    for axes in AXES:
        for kind, ufunc in zip(KINDS, UFUNCS, strict=True):
            known = {"b": "max min and or xor", "c": "sum prod", "f": "sum prod max min"}.get(
                x.dtype.kind, " ".join(KINDS)
            )
            if kind not in known.split():
                assert native(x, kind, axes) is None
                continue
            if x.size == 0 and kind in ("max", "min"):
                continue
            out = native(x, kind, axes)
            options = {} if kind in ("max", "min") or x.dtype.kind == "b" else {"dtype": x.dtype}
            expected = ufunc.reduce(x, axis=axes, **options) if axes else x
            assert out.dtype == x.dtype and out.shape == np.shape(expected)
            if x.dtype.kind in "fc":
                np.testing.assert_allclose(
                    out, expected, rtol=3e-5 if x.dtype.itemsize in (4, 8) else 1e-12, atol=1e-5
                )
            else:
                np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_types_add_up_in_single(dtype):
    x = RNG.standard_normal((50, 1000)).astype(dtype)
    for axes in ((0,), (1,), (0, 1)):
        truth = x.astype(np.float64).sum(axes).astype(dtype).astype(np.float64)
        np.testing.assert_allclose(
            native(x, "sum", axes).astype(np.float64), truth, rtol=1e-2, atol=1e-2
        )
    np.testing.assert_array_equal(
        native(x, "max", (1,)).astype(np.float32), x.astype(np.float32).max(1)
    )


def test_nan_and_signed_zeros():
    x = np.float32([[1, np.nan, 2], [0.0, -0.0, -0.0], [-0.0, 0.0, -0.0]])
    assert np.isnan(native(x, "max", (1,))[0]) and np.isnan(native(x, "min", (1,))[0])
    assert not np.signbit(native(x, "max", (1,))[1:]).any()
    assert np.signbit(native(x, "min", (1,))[1:]).all()
    # As NumPy's, sums begin with 0.0.
    assert not np.signbit(native(np.float32([-0.0, -0.0]), "sum", (0,)))
    assert not np.signbit(native(np.float32([[-0.0, -0.0]]), "sum", (0,))).any()
    assert not np.signbit(native(np.float32([]), "sum", (0,)))


@pytest.mark.parametrize("n", [1, 7, 8, 9, 127, 128, 129, 1000, 100_003])
def test_the_error_of_a_sum_grows_slowly(n):
    x = RNG.random(n).astype(np.float32)
    exact = x.astype(np.float64).sum()
    assert (
        abs(float(native(x, "sum", (0,))) - exact)
        <= 4 * np.log2(n + 1) * np.finfo(np.float32).eps * exact
    )


def test_eager_calls_repeat_their_bits():
    x = vires.numpy.array(RNG.standard_normal((37, 41)).astype(np.float32))
    results = [[vires.numpy.sum(x, axis).tolist() for axis in (None, 0, 1)] for _ in range(4)]
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16"])
@pytest.mark.parametrize("wide", ["int32", "uint32", "int64", "uint64", "float32"])
@pytest.mark.parametrize("shape", [(70,), (40_000,), (6, 300), (3, 4, 70), (0, 3), (1 << 18,)])
def test_sums_in_a_wider_dtype(dtype, wide, shape):
    """The bits of converting first, at the ends of the narrow range too."""
    code = dtypes.CODE_OF[np.dtype(wide)]
    limits = [False, True] if dtype == "bool" else [np.iinfo(dtype).min, np.iinfo(dtype).max]
    samples = [sample(dtype, shape), *(np.full(shape, limit, dtype) for limit in limits)]
    for x in samples:
        for n in range(1, x.ndim + 1):
            for axes in itertools.combinations(range(x.ndim), n):
                bits = sum(1 << d for d in axes)
                found = _native.reduce(_native.from_numpy(x), 0, bits, code)
                first = _native.from_numpy(x.astype(wide))
                np.testing.assert_array_equal(found, _native.reduce(first, 0, bits), strict=True)


def test_other_reductions_keep_their_dtype():
    x = _native.from_numpy(np.ones(3, np.int8))
    assert _native.reduce(x, 1, 1, dtypes.CODE_OF[np.dtype("int32")]) is None
    assert _native.reduce(x, 0, 1, dtypes.CODE_OF[np.dtype("float64")]) is None


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "int64", "uint64"])
@pytest.mark.parametrize("size", [1, 63, 64, 129, 1000])
def test_long_lines_of_integers(dtype, size):
    for kind, ufunc in zip(KINDS, UFUNCS, strict=True):
        x = sample(dtype, (size,)) if dtype == "bool" else RNG.integers(0, 100, size).astype(dtype)
        if dtype == "bool" and kind in ("sum", "prod"):
            continue
        with np.errstate(over="ignore"):
            expected = ufunc.reduce(x) if dtype == "bool" else ufunc.reduce(x).astype(dtype)
        np.testing.assert_array_equal(native(x, kind, (0,)), expected)
