"""Contraction and convolution against NumPy and SciPy."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import scipy.signal

import vires
from vires import lax


def normal(*shape, dtype=np.float64):
    x = np.random.RandomState(sum(shape)).normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * np.random.RandomState(1).normal(size=shape)
    return x.astype(dtype)


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("float32", "float64"), ("float16", "float64"), ("complex64", "complex128"),
        ("uint64", "int64"), ("int64", "uint64"), ("uint32", "int64"), ("int8", "int32"),
        ("int64", "int32"), ("int32", "float64"), ("float64", "float32"),
    ],
)  # fmt: skip
def test_preferred_element_type(dtype, wanted, jitted):
    wrap = vires.jit if jitted else lambda f: f
    x, y = normal(4, 5, dtype=np.float64) * 40, normal(5, 3, dtype=np.float64) * 40
    x, y = x.astype(dtype), y.astype(dtype)
    if np.dtype(dtype).kind == "u":
        x[0, 0] = np.iinfo(dtype).max
    numbers, dtype = (((1,), (0,)), ((), ())), np.dtype(wanted)
    product = wrap(lambda x, y: lax.dot_general(x, y, numbers, preferred_element_type=dtype))
    with np.errstate(all="ignore"):
        expected = x.astype(dtype) @ y.astype(dtype)
    found = np.asarray(product(x, y))
    assert found.dtype == wanted
    np.testing.assert_allclose(found, expected, rtol=1e-5 if wanted == "float32" else 1e-12)
    if dtype.kind in "iu" and x.dtype.kind in "iu":
        kernel = y.T.reshape(3, 5, 1)
        convolved = wrap(
            lambda x, k: lax.conv_general_dilated(x, k, (1,), "VALID", preferred_element_type=dtype)
        )(x.reshape(4, 5, 1), kernel)
        np.testing.assert_array_equal(np.asarray(convolved)[..., 0], expected)


@pytest.mark.parametrize("jitted", [False, True])
def test_dot_general_is_einsum(jitted):
    wrap = vires.jit if jitted else lambda f: f
    for left, right, numbers, equation in (
        ((3, 4), (4, 5), (((1,), (0,)), ((), ())), "ij,jk->ik"),
        ((2, 3, 4), (4, 2, 5), (((2,), (0,)), ((0,), (1,))), "bij,jbk->bik"),
        ((2, 3, 4), (2, 3, 4), (((-1, 1), (-1, 1)), ((0,), (0,))), "bij,bij->b"),
        ((3,), (4, 2), (((), ()), ((), ())), "i,jk->ijk"),
        ((0, 4), (4, 5), (((1,), (0,)), ((), ())), "ij,jk->ik"),
        ((3, 0), (0, 5), (((1,), (0,)), ((), ())), "ij,jk->ik"),
    ):
        x, y = normal(*left), normal(*right)
        result = wrap(lambda x, y, n=numbers: lax.dot_general(x, y, n))(x, y)
        np.testing.assert_allclose(np.asarray(result), np.einsum(equation, x, y), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_products_are_accumulated_in_float32(dtype):
    x, y = normal(5, 300, dtype=dtype), normal(300, 4, dtype=dtype)
    exact = x.astype(np.float64) @ y.astype(np.float64)
    result = np.asarray(lax.dot(x, y))
    assert result.dtype == dtype
    np.testing.assert_allclose(
        result.astype(np.float64), exact, rtol=2 * float(ml_dtypes.finfo(dtype).eps), atol=0.01
    )
    assert lax.dot(x, y, preferred_element_type=np.float32).dtype == np.float32


def test_integer_and_bool_products():
    x = np.full((2, 3), 100, np.int8)
    assert np.asarray(lax.dot(x, x.T)).tolist() == [[48, 48], [48, 48]]
    wide = lax.dot(x, x.T, preferred_element_type=np.int32)
    assert np.asarray(wide).tolist() == [[30000, 30000], [30000, 30000]]
    a, b = np.random.RandomState(0).uniform(size=(2, 3, 3)) < 0.4
    np.testing.assert_array_equal(np.asarray(lax.dot(a, b)), a @ b)


def test_operands_of_two_dtypes_are_promoted():
    assert lax.dot(np.ones((2, 3), np.float32), np.ones((3, 2), np.float64)).dtype == np.float64
    assert lax.dot(np.ones(3, np.int32), np.ones(3, np.float32)).dtype == np.float32


def test_batch_matmul():
    x, y = normal(2, 3, 4), normal(2, 4, 5)
    np.testing.assert_allclose(np.asarray(lax.batch_matmul(x, y)), x @ y)


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_convolution_is_scipys(strides):
    x, k = normal(2, 3, 9, 8), normal(4, 3, 3, 2)
    expected = np.zeros((2, 4, 7, 7))
    for n in range(2):
        for o in range(4):
            for c in range(3):
                expected[n, o] += scipy.signal.correlate2d(x[n, c], k[o, c], "valid")
    expected = expected[:, :, :: strides[0], :: strides[1]]
    np.testing.assert_allclose(np.asarray(lax.conv(x, k, strides, "VALID")), expected, rtol=1e-10)
    last = lax.conv_general_dilated(
        x.transpose(0, 2, 3, 1), k.transpose(2, 3, 1, 0), strides, "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    np.testing.assert_allclose(np.asarray(last), expected.transpose(0, 2, 3, 1), rtol=1e-10)


def test_padding_by_name():
    assert lax.padtype_to_pads((5,), (4,), (1,), "SAME") == [(1, 2)]
    assert lax.padtype_to_pads((5,), (4,), (1,), "SAME_LOWER") == [(2, 1)]
    assert lax.padtype_to_pads((5, 9), (4, 2), (2, 3), "VALID") == [(0, 0), (0, 0)]
    x, k = normal(1, 1, 7), normal(1, 1, 3)
    full = np.convolve(x[0, 0], k[0, 0, ::-1], "same")
    np.testing.assert_allclose(np.asarray(lax.conv(x, k, (1,), "SAME"))[0, 0], full)


def test_groups_are_separate_convolutions():
    x, k = normal(2, 6, 5), normal(4, 3, 2)
    result = lax.conv_general_dilated(x, k, (1,), "VALID", feature_group_count=2)
    halves = [
        lax.conv(x[:, 3 * g : 3 * g + 3], k[2 * g : 2 * g + 2], (1,), "VALID") for g in (0, 1)
    ]
    np.testing.assert_allclose(np.asarray(result), np.concatenate(halves, 1), rtol=1e-10)
    x, k = normal(4, 3, 5), normal(4, 3, 2)
    result = lax.conv_general_dilated(x, k, (1,), "VALID", batch_group_count=2)
    halves = [lax.conv(x[2 * g : 2 * g + 2], k[2 * g : 2 * g + 2], (1,), "VALID") for g in (0, 1)]
    np.testing.assert_allclose(np.asarray(result), np.concatenate(halves, 1), rtol=1e-10)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_conv_transpose_is_the_gradient_of_the_convolution(padding, stride):
    kernel = normal(3, 2, 4)  # window, in, out of the convolution
    size = 5 * stride if padding == "SAME" else 5 * stride + max(3 - stride, 0)
    image = normal(2, size, 2)

    def forward(x):
        numbers = ("NHC", "HIO", "NHC")
        return lax.conv_general_dilated(x, kernel, (stride,), padding, dimension_numbers=numbers)

    result, pull = vires.vjp(forward, image)
    ct = normal(*result.shape)
    transposed = lax.conv_transpose(ct, kernel, (stride,), padding, transpose_kernel=True)
    np.testing.assert_allclose(
        np.asarray(transposed), np.asarray(pull(ct)[0]), rtol=1e-10, atol=1e-12
    )


def test_patches_are_the_windows():
    x = normal(2, 3, 5)
    patches = np.asarray(lax.conv_general_dilated_patches(x, (2,), (1,), "VALID"))
    for c in range(3):
        for w in range(2):
            np.testing.assert_allclose(patches[:, 2 * c + w], x[:, c, w : w + 4])


def test_half_convolution_is_accumulated_in_float32():
    x, k = normal(1, 50, 9, dtype=np.float16), normal(2, 50, 3, dtype=np.float16)
    exact = np.asarray(lax.conv(x.astype(np.float64), k.astype(np.float64), (1,), "SAME"))
    np.testing.assert_allclose(
        np.asarray(lax.conv(x, k, (1,), "SAME")), exact, rtol=2e-3, atol=0.01
    )


F32 = np.float32
ONE = np.ones((1, 1, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lax.dot(np.ones((2, 3), F32), np.ones((2, 3), F32)), r"dot: needs .*got float32"),
        (
            lambda: lax.dot_general(np.ones((2, 3)), np.ones((4, 5)), (((1,), (0,)), ((), ()))),
            r"dot_general: needs equal sizes of contracting axes; got .*size 3 and axis 0",
        ),
        (
            lambda: lax.dot_general(np.ones((2, 3)), np.ones((3, 5)), (((1,), (0,)), ((0,), ()))),
            r"dot_general: needs as many batch axes of lhs as of rhs",
        ),
        (lambda: lax.dot(np.ones(3), np.ones(3), precision="exact"), r"precision: needs None"),
        (
            lambda: lax.conv(np.ones((1, 3, 5)), np.ones((2, 4, 3)), (1,), "SAME"),
            r"conv_general_dilated: needs lhs features = feature_group_count x rhs in features",
        ),
        (lambda: lax.conv(ONE, ONE, (1,), "FULL"), r"padding: needs 'SAME'"),
        (
            lambda: lax.conv(ONE, ONE, (0,), "VALID"),
            r"padding: needs .*a stride >= 1.*strides \(0,\)",
        ),
        (
            lambda: lax.conv_dimension_numbers((1, 2, 3), (1, 2, 3), ("NHC", "WIO", "NHC")),
            r"conv_dimension_numbers: needs 3 letters each",
        ),
    ],
)  # fmt: skip
def test_messages(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
