"""Transforms of real numbers that the program converts: the same spectra, from half of the work."""

from __future__ import annotations

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires.engine.llvm.pipeline import lower

SHAPES = [
    *[(1024, 96), (5, 64), (64, 5), (3, 6, 7, 10), (128, 1), (1, 128), (4, 4, 4, 4), (30, 2)],
    *[(7, 9), (12, 13, 11), (0, 64), (200, 81), (2, 3, 4, 5, 6)],
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape, axes",
    [(s, n) for s in SHAPES for n in (1, 2, 3) if n <= len(s) and 0 not in s[-n:]],
)
def test_spectra_of_real_numbers(shape, dtype, axes):
    x = onp.random.default_rng(0).normal(size=shape).astype(dtype)
    places = tuple(range(-axes, 0))
    found = vires.jit(lambda x: np.fft.fftn(x, axes=places))(x)
    expected = onp.fft.fftn(x.astype(float), axes=places)
    assert found.dtype == ("complex64" if dtype == "float32" else "complex128")
    scale = onp.abs(expected).max(initial=1.0)
    close = 1e-6 if dtype == "float32" else 1e-14
    onp.testing.assert_allclose(found, expected, rtol=0, atol=close * scale)


def kinds(function, *arrays):
    builder, _, _ = lower(vires.make_jaxpr(function)(*arrays))
    return [x.params["args"][1] for x in builder.blocks if x.kind == "library"]


def test_which_transforms_are_of_real_numbers():
    real, spectrum = onp.ones((8, 8), "float32"), onp.ones((8, 8), "complex64")
    assert kinds(np.fft.fft2, real) == [4]
    assert kinds(np.fft.fft2, spectrum) == [0]
    assert kinds(lambda x: np.fft.fft2(x * 1j), real) == [0]
    assert kinds(np.fft.ifft2, real) == [1]
    # Numbers that have less precision than their spectrum are converted first.
    assert kinds(lambda x: np.fft.fft2(x.astype("complex128")), real) == [0]
