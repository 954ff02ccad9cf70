"""Transforms of real numbers that the program converts: the same spectra, from half of the work."""

from __future__ import annotations

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires.core.avals import ShapedArray
from vires.core.dtypes import float32
from vires.core.primitive import Primitive, Undefined
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


def test_any_operation_may_ask_for_real_parts():
    """The knowledge is a word of the dialect, not the engine's knowledge of one operation."""
    asked = []

    def loops(b, x):
        parts = b.real_parts(x)
        asked.append(parts is not None)
        source = x if parts is None else parts
        assert parts is None or parts.dtype == "float32"
        return b.pull(
            lambda index: b.op("real", x.at(index)) if parts is None else source.at(index)
        )

    first_half = Primitive(
        "first_half",
        "The real parts.",
        infer=lambda x: ShapedArray(x.shape, float32),
        reference=lambda x: x.real,
        jvp=Undefined("a test"),
        transpose=Undefined("a test"),
        batch=Undefined("a test"),
        loops=loops,
    )
    x = onp.arange(6, dtype="float32").reshape(2, 3)
    for make in (
        lambda x: x.astype("complex64"),
        lambda x: x * (1 + 0j),
        lambda x: x.astype("float16").astype("complex64"),
    ):
        assert onp.array_equal(vires.jit(lambda x, make=make: first_half(make(x)))(x), x)
    assert asked == [True, False, False]
