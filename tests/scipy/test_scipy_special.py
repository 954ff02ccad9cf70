"""Special functions against SciPy, with edge values and derivatives."""

from __future__ import annotations

import numpy as onp
import pytest
import scipy.special as reference
from scipy_agreement import assert_near, assert_relative, both, difference

import vires
import vires.numpy as np
from vires.scipy import special

EDGES = [0.0, onp.inf, -onp.inf, onp.nan, 1e-8, -1e-8, 40.0, -40.0, 1e-30]
LINE = onp.concatenate([onp.linspace(-8, 8, 161), EDGES])
SHARE = onp.concatenate([onp.linspace(0, 1, 101), [1e-10, 1e-30, 1 - 1e-6, -0.1, 1.1, onp.nan]])
SOME = onp.array([0.1, 0.5, 1, 2.5, 7, 11, 20])


@both
@pytest.mark.parametrize(
    ("name", "ulps"),
    [
        ("erf", 4), ("erfc", 40), ("erfcx", 40), ("dawsn", 10), ("ndtr", 40), ("log_ndtr", 40),
        ("gamma", 40), ("gammasgn", 0), ("entr", 4), ("expit", 4), ("i0", 20), ("i0e", 10),
        ("i1", 20), ("i1e", 10), ("expi", 150), ("loggamma", 40), ("digamma", 1000),
    ],
)  # fmt: skip
def test_functions_of_the_line(name, ulps, dtype):
    x = LINE
    if name in ("expi", "i1", "i1e"):  # at their zeros and at inf - inf SciPy's digits differ
        x = onp.abs(x[onp.isfinite(x)]) + 0.5
    if dtype == "float32" and name in ("erfc", "ndtr", "log_ndtr", "erfcx"):
        x = x[~(onp.abs(x) > 7)]  # exp(-x x) is the steeper the further out
        ulps = 60
    assert_relative(getattr(special, name), getattr(reference, name), dtype, x, ulps=ulps)


@both
@pytest.mark.parametrize(("name", "ulps"), [("erfinv", 10), ("ndtri", 10), ("logit", 10)])
def test_functions_of_a_share(name, ulps, dtype):
    assert_relative(getattr(special, name), getattr(reference, name), dtype, SHARE, ulps=ulps)


@both
@pytest.mark.parametrize("name", ["xlogy", "xlog1py", "rel_entr"])
def test_entropies_of_pairs(name, dtype):
    x = LINE[::5]
    assert_relative(
        getattr(special, name), getattr(reference, name), dtype, x[:, None], abs(LINE), ulps=10
    )


def test_divergence():
    x = LINE[::5]
    assert_near(special.kl_div(x[:, None], LINE), reference.kl_div(x[:, None], LINE), 1e-13)


@both
@pytest.mark.parametrize(
    ("name", "ulps"), [("beta", 100), ("gammainc", 1000), ("gammaincc", 1000), ("poch", 100)]
)
def test_gamma_family_of_two(name, ulps, dtype):
    function, truth = getattr(special, name), getattr(reference, name)
    assert_relative(function, truth, dtype, SOME[:, None], SOME, ulps=ulps)


@both
def test_beta_family(dtype):
    share = onp.linspace(0, 1, 11)
    assert_relative(
        special.betainc, reference.betainc, dtype, SOME[:, None, None], SOME[:, None], share,
        ulps=1000,
    )  # fmt: skip
    large = onp.array([0.1, 2.5, 50.0])
    assert_relative(special.betaln, reference.betaln, dtype, large[:, None], large, ulps=60)


def test_logarithm_of_beta_of_large_numbers():
    # mpmath: log(beta(0.1, 1e4)), log(beta(1e5, 2e5))
    actual = special.betaln(onp.array([0.1, 1e5]), onp.array([1e4, 2e5]))
    onp.testing.assert_allclose(actual, [1.33168311459659, -190958.88527911685], rtol=1e-13)


@both
def test_counts(dtype):
    k = onp.arange(-2, 15.0)
    assert_relative(special.comb, reference.comb, dtype, k[:, None], k, ulps=2)
    assert_relative(special.factorial, reference.factorial, dtype, k, ulps=4)
    assert special.factorial(onp.arange(6)).tolist() == [1, 1, 2, 6, 24, 120]
    assert special.comb(5, 2, repetition=True).item() == 15
    order = onp.arange(4.0)[:, None]
    assert_relative(special.polygamma, reference.polygamma, dtype, order, SOME, ulps=100)
    assert_relative(special.expn, reference.expn, dtype, order, SOME, ulps=60)


@both
def test_zeta(dtype):
    x = onp.linspace(-10, 10, 81)
    assert_relative(special.zeta, reference.zeta, dtype, x, ulps=60)
    assert_relative(special.zeta, reference.zeta, dtype, SOME[3:, None], SOME, ulps=60)


@both
def test_integrals(dtype):
    x = LINE[onp.isfinite(LINE)]
    assert_near(special.sici(abs(x) + 0.1), reference.sici(abs(x) + 0.1), 1e-13)
    assert_near(special.fresnel(x), reference.fresnel(x), 1e-13)
    assert_relative(special.exp1, reference.exp1, dtype, abs(x), ulps=20)
    assert_relative(special.spence, reference.spence, dtype, x, ulps=30)
    h, a = onp.linspace(-4, 4, 17), onp.array([-30, -1, -0.3, 0, 0.5, 1, 4])
    assert_relative(special.owens_t, reference.owens_t, dtype, h[:, None], a, ulps=60)
    assert [float(v) for v in special.fresnel(np.inf)] == [0.5, 0.5]


def test_hypergeometric_functions():
    a, b = onp.array([-2, 0.3, 1, 4.5])[:, None, None], onp.array([0.5, 2, 7.3])[:, None]
    x = onp.array([-400, -30, -5, -0.1, 0, 0.2, 20, 90])
    assert_relative(special.hyp1f1, reference.hyp1f1, "float64", a, b, x, ulps=500)
    c = onp.array([1.2, 3.7, 5])[:, None, None, None]
    x = onp.array([-50, -3, -1, -0.1, 0, 0.2, 0.7, 0.9, 0.99, 1])
    assert_relative(special.hyp2f1, reference.hyp2f1, "float64", a, b, c, x, ulps=20000)


def test_complex_functions():
    random = onp.random.default_rng(0)
    z = (random.normal(size=100) + 1j * random.normal(size=100)) * 3
    onp.testing.assert_allclose(special.wofz(z), reference.wofz(z), rtol=1e-12)
    onp.testing.assert_allclose(special.loggamma(z), reference.loggamma(z), atol=1e-12)
    n = random.integers(0, 9, 40)
    m = (random.random(40) * (2 * n + 1)).astype(int) - n
    theta, phi = random.random(40) * 3, random.random(40) * 6
    expected = reference.sph_harm_y(n, m, theta, phi)
    onp.testing.assert_allclose(special.sph_harm_y(n, m, theta, phi), expected, atol=1e-14)


def test_softmax_and_sums():
    x = onp.random.default_rng(0).normal(size=(3, 4))
    assert_near(special.softmax(x, axis=1), reference.softmax(x, axis=1))
    assert_near(special.log_softmax(x), reference.log_softmax(x))
    weights = onp.array([1.0, 2, 0, -1])
    expected = reference.logsumexp(x, 1, b=weights, return_sign=True)
    assert_near(special.logsumexp(x, 1, b=weights, return_sign=True), tuple(expected))
    assert_near(special.boxcox(abs(x), 0.3), reference.boxcox(abs(x), 0.3))
    assert_near(special.boxcox1p(abs(x), 0.0), reference.boxcox1p(abs(x), 0.0))


def test_fixed_numbers():
    assert_near(special.bernoulli(6), [1, -1 / 2, 1 / 6, 0, -1 / 30, 0, 1 / 42], 1e-7)
    assert_near(special.multigammaln(onp.float64(5), 2), reference.multigammaln(5, 2))


@pytest.mark.parametrize(
    "name",
    [
        "erf", "erfc", "erfcx", "dawsn", "ndtr", "log_ndtr", "gamma", "gammaln", "digamma", "entr",
        "expit", "i0e", "i1", "exp1", "expi", "spence",
    ],
)  # fmt: skip
def test_derivatives(name):
    function, truth = getattr(special, name), getattr(reference, name)
    x = onp.array([0.3, 1.2, 2.7, 6.0])
    slopes = vires.jit(vires.vmap(vires.grad(function)))(x)
    onp.testing.assert_allclose(slopes, difference(truth, x), rtol=1e-5, atol=1e-9)


def test_derivatives_at_edges():
    assert [float(v) for v in vires.grad(special.xlogy, (0, 1))(0.0, 2.0)] == [
        pytest.approx(onp.log(2)), 0.0,
    ]  # fmt: skip
    assert vires.grad(special.logsumexp)(np.array([-np.inf, 1.0])).tolist() == [0, 1]
    assert vires.grad(special.log_ndtr)(-1e4).item() == pytest.approx(1e4, rel=1e-5)
    assert vires.grad(special.spence)(1.0).item() == -1
    assert vires.grad(lambda x: special.sici(x)[0])(0.0).item() == 1


def test_derivatives_of_hypergeometric_parameters():
    place = onp.array([0.7, 1.3, 2.0])
    slopes = vires.grad(lambda p: special.hyp1f1(p[0], p[1], p[2]))(place)
    for i in range(3):
        unit = onp.eye(3)[i] * 1e-6
        slope = (reference.hyp1f1(*(place + unit)) - reference.hyp1f1(*(place - unit))) / 2e-6
        assert slopes[i].item() == pytest.approx(slope, rel=1e-6)


def test_refusals():
    with pytest.raises(NotImplementedError, match="factorial: needs exact=False"):
        special.factorial(3, exact=True)
    with pytest.raises(ValueError, match="bernoulli: needs n >= 0; got -1"):
        special.bernoulli(-1)
    with pytest.raises(NotImplementedError, match="sph_harm_y: needs diff_n=None"):
        special.sph_harm_y(1, 0, 0.1, 0.2, diff_n=1)
