"""Special functions against SciPy and mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.special

from vires.ops import incomplete, math, special

RANDOM = np.random.RandomState(0)
EDGES = np.array(
    [0.0, -0.0, 1e-6, 0.3, 1, 2, 5.5, 50, 1e5, -0.5, -1, -2.3, -10.7, np.inf, -np.inf, np.nan]
)
POINTS = np.concatenate([EDGES, RANDOM.uniform(0, 30, 100)])


def agree(actual, expected, tolerance=1e-13):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=1e-15)


def test_lgamma():
    agree(
        special.lgamma.reference(POINTS[-np.inf != POINTS]),
        scipy.special.gammaln(POINTS[-np.inf != POINTS]),
    )


def test_digamma():
    agree(special.digamma.reference(POINTS), scipy.special.digamma(POINTS))


@pytest.mark.parametrize("order", [0, 1, 2, 3, 8])
def test_polygamma(order):
    x = POINTS if order < 3 else POINTS[POINTS >= 0]
    agree(special.polygamma.reference(np.full_like(x, order), x), scipy.special.polygamma(order, x))


@pytest.mark.parametrize("s", [1.01, 1.5, 2, 7.3, 40])
def test_zeta(s):
    q = POINTS[POINTS >= 0]
    agree(special.zeta.reference(np.full_like(q, s), q), scipy.special.zeta(s, q))


def test_bessel():
    x = np.concatenate([POINTS, -POINTS, [7.999, 8, 8.001, 700, 1e10]])
    agree(special.bessel_i0e.reference(x), scipy.special.i0e(x), 2e-15)
    agree(special.bessel_i1e.reference(x), scipy.special.i1e(x), 4e-15)


def test_error_functions():
    x = np.concatenate([np.linspace(-6, 6, 101), [np.inf, -np.inf, np.nan, 0.0]])
    agree(math.erf.reference(x), scipy.special.erf(x))
    agree(math.erfc.reference(x), scipy.special.erfc(x))
    y = np.concatenate([np.linspace(-1, 1, 101), [1e-12, 1 - 1e-15, 0.9999999, 1.5, np.nan]])
    agree(math.erf_inv.reference(y), scipy.special.erfinv(y))
    assert np.signbit(math.erf_inv.reference(np.array([-0.0])))[0]


def scattered(count):
    a = 10 ** RANDOM.uniform(-3, 4, count)
    x = a * np.where(
        RANDOM.uniform(size=count) < 0.5,
        RANDOM.uniform(0.7, 1.3, count),
        10 ** RANDOM.uniform(-1, 1, count),
    )
    return a, x


def test_incomplete_gamma():
    a, x = scattered(300)
    agree(incomplete.igamma.reference(a, x), scipy.special.gammainc(a, x), 3e-12)
    agree(incomplete.igammac.reference(a, x), scipy.special.gammaincc(a, x), 3e-12)


def test_incomplete_gamma_at_the_borders():
    a = np.array([0.0, 0, 1, 1, -1, 1, np.nan, np.inf])
    x = np.array([1.0, 0, 0, np.inf, 1, -1, 1, 1])
    np.testing.assert_array_equal(incomplete.igamma.reference(a, x), scipy.special.gammainc(a, x))
    np.testing.assert_array_equal(incomplete.igammac.reference(a, x), scipy.special.gammaincc(a, x))


def test_derivatives_of_the_incomplete_gamma_function():
    mpmath.mp.dps = 30
    a = np.array([0.05, 0.5, 2.0, 9.5, 30, 30, 70, 120])
    x = np.array([0.2, 3.0, 1.5, 12.0, 20, 31, 60, 121.0])

    def lower(a, x):
        return mpmath.gammainc(a, 0, x, regularized=True)

    slopes = [float(mpmath.diff(lambda t, v=v: lower(t, v), u)) for u, v in zip(a, x, strict=True)]
    agree(incomplete.igamma_grad_a.reference(a, x), slopes, 1e-11)
    densities = [
        float(mpmath.diff(lambda t, u=u: lower(u, t), v)) for u, v in zip(a, x, strict=True)
    ]
    agree(incomplete.random_gamma_grad.reference(a, x), -np.array(slopes) / densities, 1e-11)


def test_incomplete_beta():
    a, b = 10 ** RANDOM.uniform(-2, 2.5, 200), 10 ** RANDOM.uniform(-2, 2.5, 200)
    x = RANDOM.uniform(size=200)
    agree(
        incomplete.regularized_incomplete_beta.reference(a, b, x),
        scipy.special.betainc(a, b, x),
        1e-10,
    )
    x = np.array([0.0, 1, -0.1, 1.1, np.nan])
    one = np.ones(5)
    np.testing.assert_array_equal(
        incomplete.regularized_incomplete_beta.reference(one, one, x),
        [0, 1, np.nan, np.nan, np.nan],
    )


def test_narrow_dtypes_are_computed_in_double():
    x = np.float32([0.3, 4, 60])
    out = incomplete.igamma.reference(x, x)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(
        out, scipy.special.gammainc(x.astype(np.float64), x).astype(np.float32)
    )
