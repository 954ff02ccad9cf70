"""Packed convolutions against sums over windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import vires
from vires import lax
from vires.engine.llvm import codes, contract

LAYOUTS = [
    ("NHWC", "HWIO", "NHWC"),
    ("NCHW", "OIHW", "NCHW"),
    ("CHWN", "IHWO", "HWNC"),
    ("NHWC", "OHWI", "NCHW"),
]


@pytest.fixture(autouse=True)
def packed(monkeypatch):
    """All convolutions are packed products."""
    monkeypatch.setattr(contract, "_PACKED", 0)
    monkeypatch.setattr(contract, "_LIBRARY", 1)
    monkeypatch.setattr(codes, "_codes", {})


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def spread(x, dilation, padding):
    """An image [image, feature, places...] with holes and padding."""
    for axis, (hole, (low, high)) in enumerate(zip(dilation, padding, strict=True), 2):
        wide = list(x.shape)
        wide[axis] = (x.shape[axis] - 1) * hole + 1
        holes = np.zeros(wide, x.dtype)
        holes[(slice(None),) * axis + (slice(None, None, hole),)] = x
        sides = [(0, 0)] * x.ndim
        sides[axis] = (max(low, 0), max(high, 0))
        x = np.pad(holes, sides)
        cut = slice(max(-low, 0), x.shape[axis] - max(-high, 0))
        x = x[(slice(None),) * axis + (cut,)]
    return x


def windows(x, w, strides, padding, lhs_dilation, rhs_dilation, groups=1, batch_groups=1):
    """The convolution of [image, feature, places] with [feature, feature, places] in float64."""
    x = spread(x.astype(np.float64), lhs_dilation, padding)
    w = w.astype(np.float64)
    parts = []
    if batch_groups > 1:
        pairs = zip(np.split(x, batch_groups), np.split(w, batch_groups), strict=True)
    else:
        pairs = zip(np.split(x, groups, 1), np.split(w, groups), strict=True)
    for image, kernel in pairs:
        out = 0.0
        reach = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], rhs_dilation, strict=True)]
        for place in itertools.product(*[range(k) for k in w.shape[2:]]):
            cut = []
            for p, d, s, r, n in zip(
                place, rhs_dilation, strides, reach, image.shape[2:], strict=True
            ):
                cut.append(slice(p * d, n - r + p * d + 1, s))
            out = out + np.einsum(
                "nc...,oc->no...", image[(..., *cut)], kernel[(slice(None), slice(None), *place)]
            )
        parts.append(out)
    return np.concatenate(parts, 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "strides, padding, lhs_dilation, rhs_dilation, groups, batch_groups",
    [
        ((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1),
        ((1, 1), ((1, 1), (0, 1)), (1, 1), (1, 1), 1, 1),
        ((2, 1), ((2, -1), (-1, 3)), (1, 1), (1, 1), 1, 1),
        ((1, 2), ((1, 2), (2, 1)), (2, 3), (1, 1), 1, 1),
        ((1, 1), ((0, 0), (0, 0)), (1, 1), (2, 1), 2, 1),
        ((2, 3), ((1, 1), (1, 1)), (1, 2), (2, 3), 4, 1),
        ((1, 2), ((0, 0), (0, 0)), (1, 1), (1, 2), 1, 2),
        ((1, 1), ((2, 2), (1, 1)), (2, 1), (1, 1), 1, 4),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_parameters(
    layout, strides, padding, lhs_dilation, rhs_dilation, groups, batch_groups, dtype
):
    x = normal(4, 8, 13, 11, dtype=dtype)
    w = normal(12, 8 // groups, 3, 2, dtype=dtype)
    exact = windows(x, w, strides, padding, lhs_dilation, rhs_dilation, groups, batch_groups)
    moved = [
        np.ascontiguousarray(a.transpose([names.index(c) for c in spec]))
        for a, names, spec in ((x, "NCHW", layout[0]), (w, "OIHW", layout[1]))
    ]

    def convolve(x, w):
        return lax.conv_general_dilated(
            x,
            w,
            strides,
            padding,
            lhs_dilation=lhs_dilation,
            rhs_dilation=rhs_dilation,
            dimension_numbers=layout,
            feature_group_count=groups,
            batch_group_count=batch_groups,
        )

    found = np.asarray(vires.jit(convolve)(*moved))
    exact = exact.transpose(["NCHW".index(c) for c in layout[2]])
    assert found.shape == exact.shape
    epsilon = np.finfo(dtype).eps
    np.testing.assert_allclose(found, exact, rtol=100 * epsilon, atol=200 * epsilon)


@pytest.mark.parametrize("rank", [1, 3])
def test_other_numbers_of_axes(rank):
    x, w = normal(2, 6, *(9, 7, 8)[:rank]), normal(5, 6, *(3, 2, 4)[:rank])
    ones = (1,) * rank
    exact = windows(x, w, ones, ((1, 2),) * rank, ones, ones)
    found = np.asarray(
        vires.jit(lambda x, w: lax.conv_general_dilated(x, w, ones, ((1, 2),) * rank))(x, w)
    )
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4)


def test_an_operand_that_is_computed_is_padded_once():
    x, w = normal(2, 9, 10, 16), normal(3, 3, 16, 20)
    numbers = ("NHWC", "HWIO", "NHWC")

    def convolve(x, w):
        return lax.conv_general_dilated(
            lax.max(x, 0.0 * x), w, (1, 1), "SAME", dimension_numbers=numbers
        )

    found = np.asarray(vires.jit(convolve)(x, w))
    image = np.maximum(x, 0).transpose(0, 3, 1, 2)
    ones = (1, 1)
    exact = windows(image, w.transpose(3, 2, 0, 1), ones, ((1, 1), (1, 1)), ones, ones)
    np.testing.assert_allclose(found, exact.transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)


def test_nothing_leaks_from_padding():
    x, w = normal(1, 2, 5, 5), normal(3, 2, 3, 3)
    x[0, 0, 2, 2], w[1, 1, 0, 0] = np.inf, np.nan
    found = np.asarray(vires.jit(lambda x, w: lax.conv(x, w, (1, 1), "SAME"))(x, w))
    assert np.isnan(found[0, 1]).all()
    assert np.isfinite(found[0, 0, 0]).all() and np.isinf(found[0, 0, 1:4, 1:4]).all()


def test_the_same_bits_for_any_number_of_threads():
    x, w = normal(4, 16, 30, 30), normal(32, 16, 3, 3)
    convolve = vires.jit(lambda x, w: lax.conv(x, w, (1, 1), "SAME"))
    results = []
    for count in (1, 2, 3):
        with vires.threads(count):
            results.append(np.asarray(convolve(x, w)).tobytes())
    assert len(set(results)) == 1


def test_empty_images():
    found = vires.jit(lambda x, w: lax.conv(x, w, (1, 1), "VALID"))(
        normal(0, 3, 5, 5), normal(4, 3, 2, 2)
    )
    assert found.shape == (0, 4, 4, 4)


def convolved(x, w, numbers=("NHWC", "HWIO", "NHWC"), strides=(1, 1), padding="SAME", **params):
    return lax.conv_general_dilated(
        x, w, strides, padding, dimension_numbers=numbers, **params
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("features, columns", [(16, 5), (24, 40), (33, 64), (512, 17), (521, 3)])
@pytest.mark.parametrize(
    "strides, padding, dilation, groups, batch_groups",
    [
        ((1, 1), ((0, 0), (0, 0)), (1, 1), 1, 1),
        ((1, 1), ((1, 1), (1, 1)), (1, 1), 1, 1),
        ((2, 1), ((2, -1), (-1, 3)), (1, 2), 1, 1),
        ((1, 3), ((0, 0), (4, 5)), (2, 1), 2, 1),
        ((1, 1), ((1, 2), (0, 1)), (1, 1), 1, 2),
    ],
)
def test_windows_that_are_read_where_they_lie(
    features, columns, strides, padding, dilation, groups, batch_groups, dtype
):
    x = normal(4, features * groups, 7, 6, dtype=dtype)
    w = normal(columns * groups * batch_groups, features, 3, 2, dtype=dtype)
    exact = windows(x, w, strides, padding, (1, 1), dilation, groups, batch_groups)
    run = vires.jit(
        lambda x, w: convolved(
            x, w, strides=strides, padding=padding, rhs_dilation=dilation,
            feature_group_count=groups, batch_group_count=batch_groups,
        )
    )  # fmt: skip
    found = np.asarray(run(x.transpose(0, 2, 3, 1).copy(), w.transpose(2, 3, 1, 0).copy()))
    epsilon = np.finfo(dtype).eps
    size = 1000 * epsilon
    np.testing.assert_allclose(found, exact.transpose(0, 2, 3, 1), rtol=size, atol=size)


@pytest.mark.parametrize("features, columns", [(3, 40), (16, 32), (32, 7), (40, 500)])
@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((0, 2), (3, 0)), ((-1, 1), (0, 0))])
def test_gradients_of_windows(features, columns, padding):
    x, w = normal(3, 6, 7, features), normal(3, 3, features, columns)
    run = lambda x, w: convolved(x, w, padding=padding)
    ct = normal(*run(x, w).shape)
    _, pull = vires.vjp(run, x, w)
    dx, dw = (np.asarray(a) for a in vires.jit(lambda ct: pull(ct))(ct))
    ones = (1, 1)
    turned = np.flip(w, (0, 1)).transpose(2, 3, 0, 1)
    pads = tuple([(2 - low, 2 - high) for low, high in padding])
    exact = windows(ct.transpose(0, 3, 1, 2), turned, ones, pads, ones, ones)
    np.testing.assert_allclose(dx, exact.transpose(0, 2, 3, 1), rtol=1e-3, atol=1e-3)
    image, kernel = x.transpose(3, 0, 1, 2), ct.transpose(3, 0, 1, 2)
    exact = windows(image, kernel, ones, padding, ones, ones)
    np.testing.assert_allclose(dw, exact.transpose(2, 3, 0, 1), rtol=1e-3, atol=1e-3)


def test_padding_is_zero_times_the_kernel():
    x, w = normal(2, 5, 6, 32), normal(3, 3, 32, 20)
    w[0, 0, 3, 4], w[2, 1, 0, 7] = np.inf, np.nan
    found = np.asarray(vires.jit(convolved)(x, w))
    assert np.isnan(found[..., 7]).all()
    assert np.isnan(found[:, 0, :, 4]).all() and np.isnan(found[:, :, 0, 4]).all()
    assert np.isinf(found[:, 1:, 1:, 4]).all()
    assert np.isfinite(np.delete(found, [4, 7], -1)).all()


@pytest.mark.parametrize("features", [3, 16, 64])
def test_bits_of_padded_windows_for_any_number_of_threads(features):
    x, w = normal(2, 20, 21, features), normal(3, 3, features, 48)
    run = vires.jit(vires.grad(lambda w, x: (convolved(x, w) ** 2).sum(), (0, 1)))
    results = []
    for count in (1, 2, 3):
        with vires.threads(count):
            results.append([np.asarray(a).tobytes() for a in run(w, x)])
    assert results[0] == results[1] == results[2]


def test_an_image_of_many_places():
    x, w = normal(1, 2, 9000, 16), normal(1, 3, 16, 16)
    exact = windows(
        x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1), (1, 1), ((0, 0), (1, 1)), (1, 1), (1, 1)
    )
    found = np.asarray(vires.jit(convolved)(x, w))
    np.testing.assert_allclose(found, exact.transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
