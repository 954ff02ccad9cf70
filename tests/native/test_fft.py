"""Compiled Fourier transforms against NumPy's in double precision."""

from __future__ import annotations

import numpy as np
import pytest

import vires
import vires.numpy as vnp

RNG = np.random.default_rng(5)
#: One for each factor, products of several, long ones, and what goes to the host.
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 30, 60, 64, 91, 128, 143, 210, 1024, 2002, 17, 34]


def close(found, expected, dtype):
    assert found.dtype == dtype
    scale = max(float(np.max(np.abs(expected), initial=0)), 1e-30)
    limit = 3e-6 if np.finfo(dtype).bits == 32 else 4e-15
    np.testing.assert_allclose(np.asarray(found) / scale, expected / scale, rtol=0, atol=limit)


def sample(dtype, shape):
    x = RNG.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * RNG.standard_normal(shape)
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("n", LENGTHS)
def test_lengths(dtype, n):
    for shape in [(n,), (3, n), (21, n), (n, 8), (2, n, 19), (n, 3)]:
        axis = shape.index(n)
        x = sample(dtype, shape)
        wide = x.astype(np.complex128)
        f, g = (vires.jit(lambda x, h=h: h(x, axis=axis)) for h in (vnp.fft.fft, vnp.fft.ifft))
        close(f(x), np.fft.fft(wide, axis=axis), dtype)
        close(g(x), np.fft.ifft(wide, axis=axis), dtype)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("n", LENGTHS)
def test_real(single, n):
    real, whole = (np.float32, np.complex64) if single else (np.float64, np.complex128)
    for outer in [(), (5,), (17,)]:
        x = sample(real, (*outer, n))
        close(vires.jit(vnp.fft.rfft)(x), np.fft.rfft(x.astype(np.float64)), whole)
        s = sample(whole, (*outer, n // 2 + 1))
        found = vires.jit(lambda s: vnp.fft.irfft(s, n))(s)
        close(found, np.fft.irfft(s.astype(np.complex128), n), real)


@pytest.mark.parametrize(
    "shape", [(4, 6), (16, 32), (3, 5, 7), (2, 8, 12, 10), (0, 4, 6), (33, 65)]
)
def test_several_axes(shape):
    x, s = sample(np.float32, shape), sample(np.complex64, shape)
    wide = x.astype(np.float64)
    two = (-2, -1)
    close(vires.jit(vnp.fft.fft2)(s), np.fft.fft2(s.astype(np.complex128)), np.complex64)
    close(vires.jit(vnp.fft.rfft2)(x), np.fft.rfft2(wide), np.complex64)
    back = vires.jit(lambda s: vnp.fft.irfftn(s, axes=two))(s)
    close(back, np.fft.irfftn(s.astype(np.complex128), axes=two), np.float32)
    if 0 not in shape:
        close(vires.jit(vnp.fft.rfftn)(x), np.fft.rfftn(wide), np.complex64)
        lengths = (*shape[:-1], 2 * shape[-1] - 1)
        back = vires.jit(lambda s: vnp.fft.irfftn(s, lengths))(s)
        expected = np.fft.irfftn(s.astype(np.complex128), lengths, range(len(shape)))
        close(back, expected, np.float32)


def test_exact_values():
    x = np.zeros((9, 16), np.complex64)
    x[:, 0] = 1
    np.testing.assert_array_equal(vires.jit(vnp.fft.fft)(x), np.ones((9, 16)))
    np.testing.assert_array_equal(vires.jit(vnp.fft.fft)(np.ones((9, 16), np.complex64)), 16 * x)


def test_a_line_does_not_see_its_neighbours():
    x = sample(np.complex64, (8, 64))
    alone = np.asarray(vires.jit(vnp.fft.fft)(x))
    y = x.copy()
    y[3], y[5] = np.nan, y[5] * 1e30
    beside = np.asarray(vires.jit(vnp.fft.fft)(y))
    kept = [0, 1, 2, 4, 6, 7]
    np.testing.assert_array_equal(alone[kept], beside[kept])
    assert np.isnan(beside[3]).all()


def test_same_bits_for_any_number_of_threads():
    x = sample(np.complex64, (130, 96))
    f = vires.jit(vnp.fft.fft2)
    results = []
    for number in (1, 2, 3):
        with vires.threads(number):
            results.append(np.asarray(f(x)).tobytes())
    assert results[0] == results[1] == results[2]


def test_a_donated_operand_may_be_written_over():
    x = sample(np.complex128, (24, 20))
    found = vires.jit(vnp.fft.fft2, donate_argnums=0)(vnp.array(x))
    close(found, np.fft.fft2(x), np.complex128)
