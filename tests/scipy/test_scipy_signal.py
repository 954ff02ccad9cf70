"""Signals, transforms and images against SciPy."""

from __future__ import annotations

import numpy as onp
import pytest
import scipy.fft
import scipy.ndimage
import scipy.signal as reference
from scipy_agreement import assert_near

import vires
from vires.scipy import fft, ndimage, signal

RANDOM = onp.random.default_rng(0)
X = RANDOM.normal(size=(3, 100))
PAIRS = [((7,), (3,)), ((7,), (4,)), ((3,), (8,)), ((5, 6), (2, 3)), ((5, 6), (4, 2))]


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolution(first, second, mode):
    for imaginary in (0, 1j):
        x = RANDOM.normal(size=first) + imaginary * RANDOM.normal(size=first)
        y = RANDOM.normal(size=second) + imaginary
        for name in ("convolve", "correlate"):
            for method in ("direct", "fft"):
                expected = getattr(reference, name)(x, y, mode, method)
                assert_near(getattr(signal, name)(x, y, mode, method), expected)
        if len(first) == 2:
            assert_near(signal.convolve2d(x, y, mode), reference.convolve2d(x, y, mode))
            assert_near(signal.correlate2d(x, y, mode), reference.correlate2d(x, y, mode))


def test_convolution_of_other_kinds():
    assert signal.convolve(onp.arange(3), onp.arange(3)).tolist() == [0, 0, 1, 4, 4]
    y = X[:1, :90]
    assert_near(signal.fftconvolve(X, y, axes=1), reference.fftconvolve(X, y, axes=1))
    mixed = RANDOM.normal(size=(5, 2)), RANDOM.normal(size=(3, 4))
    with pytest.raises(ValueError, match="convolve: needs one array that is at least as large"):
        signal.convolve(*mixed, mode="valid")
    with pytest.raises(NotImplementedError, match="convolve2d: needs boundary 'fill'"):
        signal.convolve2d(*mixed, boundary="wrap")
    slopes = vires.grad(lambda y: signal.convolve(X[0], y).sum())(X[1, :3])
    assert_near(slopes, onp.full(3, X[0].sum()))


@pytest.mark.parametrize("kind", ["linear", "constant"])
def test_trends(kind):
    assert_near(signal.detrend(X, type=kind), reference.detrend(X, type=kind))
    expected = reference.detrend(X.T, 0, kind, bp=[10, 50])
    assert_near(signal.detrend(X.T, 0, kind, bp=[10, 50]), expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nperseg": 31, "noverlap": 7, "nfft": 40},
        {"boundary": None, "padded": False, "nperseg": 16},
        {"boundary": "even", "nperseg": 16},
        {"boundary": "odd", "nperseg": 16},
        {"boundary": "constant", "nperseg": 17, "detrend": "constant"},
        {"window": "boxcar", "nperseg": 20, "fs": 10.0},
        {"window": ("kaiser", 3.0), "nperseg": 20},
        {"return_onesided": False, "nperseg": 16},
    ],
)
def test_short_time_transforms(options):
    assert_near(signal.stft(X, **options), reference.stft(X, **options))
    assert_near(signal.stft(X.T, axis=0, **options), reference.stft(X.T, axis=0, **options))


@pytest.mark.parametrize(
    "options", [{"nperseg": 32}, {"nperseg": 31, "noverlap": 17, "nfft": 40}, {"window": "boxcar"}]
)
def test_inverse_short_time_transforms(options):
    spectra = reference.stft(X, **{"nperseg": 16, **options})[2]
    options = {"nperseg": 16, **options}
    times, values = signal.istft(spectra, **options)
    assert_near(values, reference.istft(spectra, **options)[1])
    assert times.shape == values.shape[-1:]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scaling": "spectrum", "nperseg": 21},
        {"average": "median", "nperseg": 16},
        {"detrend": False, "nperseg": 16, "return_onesided": False},
    ],
)
def test_spectral_densities(options):
    assert_near(signal.welch(X, **options), reference.welch(X, **options))
    y = X[::-1, :90]
    assert_near(signal.csd(X, y, **options), reference.csd(X, y, **options))


@pytest.mark.parametrize("n", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_cosine_transforms(n, norm):
    x = X[:, :n]
    for kind in (1, 2, 3):
        if kind == 1 and n < 2:
            continue
        assert_near(fft.dct(x, kind, norm=norm), scipy.fft.dct(x, kind, norm=norm))
        assert_near(fft.idct(x, kind, norm=norm), scipy.fft.idct(x, kind, norm=norm))


def test_cosine_transforms_of_several_axes():
    x = X[:, :8]
    assert_near(fft.dctn(x, s=(4, 5)), scipy.fft.dctn(x, s=(4, 5)))
    assert_near(fft.idctn(x, axes=[0]), scipy.fft.idctn(x, axes=[0]))
    assert_near(fft.dct(x, n=4, axis=0), scipy.fft.dct(x, n=4, axis=0))
    with pytest.raises(NotImplementedError, match="dct: needs type 1, 2 or 3; got 4"):
        fft.dct(x, type=4)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
def test_map_coordinates(order, mode):
    image, places = RANDOM.normal(size=(5, 6)), RANDOM.random((2, 40)) * 14 - 4
    names = {"wrap": "grid-wrap", "constant": "grid-constant"}
    expected = scipy.ndimage.map_coordinates(
        image, places, order=order, mode=names.get(mode, mode), cval=2.5
    )
    assert_near(ndimage.map_coordinates(image, places, order, mode, 2.5), expected)
    whole = (100 * image).astype("int64")
    assert ndimage.map_coordinates(whole, places, order, mode).dtype == "int64"
