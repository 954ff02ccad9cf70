"""Distributions and summaries against SciPy."""

from __future__ import annotations

import importlib

import numpy as onp
import pytest
import scipy.stats as reference
from scipy_agreement import assert_near

import vires
import vires.numpy as np
from vires.scipy import stats

POINTS = onp.concatenate([onp.linspace(-6, 8, 57), [30.0, -40.0, onp.inf, -onp.inf, onp.nan]])
SHARES = onp.concatenate([onp.linspace(0, 1, 41)[:-1], [1.0, -0.1, 1.1, 1e-9]])
COUNTS = onp.concatenate([onp.arange(-2.0, 12), [2.5]])
CONTINUOUS = {
    "norm": (), "cauchy": (), "expon": (), "laplace": (), "logistic": (), "uniform": (),
    "gumbel_r": (), "gumbel_l": (), "pareto": (2.5,), "gamma": (2.3,), "chi2": (3.0,),
    "beta": (2.0, 3.5), "t": (4.0,), "truncnorm": (-1.0, 2.5),
}  # fmt: skip
DISCRETE = {
    "bernoulli": (0.3,), "binom": (7.0, 0.4), "betabinom": (7.0, 2.0, 3.0), "geom": (0.3,),
    "nbinom": (3.5, 0.4), "poisson": (2.4,),
}  # fmt: skip


def module(name):
    return importlib.import_module(f"vires.scipy.stats.{name}")


def functions(table):
    return [(name, function) for name in table for function in module(name).__all__]


@pytest.mark.parametrize(("name", "function"), functions(CONTINUOUS))
def test_continuous_distributions(name, function):
    own, truth = getattr(module(name), function), getattr(getattr(reference, name), function)
    x = SHARES if function in ("ppf", "isf") else POINTS
    for loc, scale in ((0, 1), (0.5, 2.0)):
        with onp.errstate(all="ignore"):
            expected = truth(x, *CONTINUOUS[name], loc, scale)
        actual = own(x, *CONTINUOUS[name], loc, scale)
        onp.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-290)
    if function not in ("logpdf", "cdf", "ppf", "logsf"):
        return  # slopes follow from these
    inner = onp.array([0.1, 0.4, 0.7]) + (name == "pareto") * (function != "ppf")
    slopes = vires.jit(vires.vmap(vires.grad(lambda x: own(x, *CONTINUOUS[name]))))(inner)
    step = 1e-6
    with onp.errstate(all="ignore"):
        high, low = truth(inner + step, *CONTINUOUS[name]), truth(inner - step, *CONTINUOUS[name])
    onp.testing.assert_allclose(slopes, (high - low) / (2 * step), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("name", "function"), functions(DISCRETE))
def test_discrete_distributions(name, function):
    own, truth = getattr(module(name), function), getattr(getattr(reference, name), function)
    if function == "entropy":
        means = onp.array([0, 0.1, 5, 39.9, 40, 100, 1000])
        onp.testing.assert_allclose(own(means), truth(means), atol=1e-10)
        return
    x = SHARES[:28] if function == "ppf" else COUNTS
    with onp.errstate(all="ignore"):
        expected = truth(x, *DISCRETE[name])
    onp.testing.assert_allclose(own(x, *DISCRETE[name]), expected, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize(("name", "parameter"), [("gennorm", 1.7), ("vonmises", 2.0)])
def test_distributions_without_location(name, parameter):
    for function in module(name).__all__:
        with onp.errstate(all="ignore"):
            expected = getattr(getattr(reference, name), function)(POINTS[:57], parameter)
        actual = getattr(module(name), function)(POINTS[:57], parameter)
        onp.testing.assert_allclose(actual, expected, rtol=1e-10)


def test_wrapped_cauchy():
    x = onp.linspace(0, 2 * onp.pi, 20)[:-1]
    assert_near(module("wrapcauchy").pdf(x, 0.3), reference.wrapcauchy.pdf(x, 0.3))
    assert_near(module("wrapcauchy").logpdf(x, 0.3), reference.wrapcauchy.logpdf(x, 0.3))


def test_multivariate_normal():
    random = onp.random.default_rng(0)
    a, x, mean = random.normal(size=(3, 3)), random.normal(size=(4, 5, 3)), random.normal(size=3)
    cov = a @ a.T + onp.eye(3)
    truth, own = reference.multivariate_normal, stats.multivariate_normal
    assert_near(own.logpdf(x, mean, cov), truth.logpdf(x, mean, cov))
    assert_near(own.pdf(x, mean, cov), truth.pdf(x, mean, cov))
    assert_near(own.logpdf(x[0], mean, onp.stack([cov] * 5)), truth.logpdf(x[0], mean, cov))
    assert_near(own.logpdf(1.0, 0.0, 2.0), truth.logpdf(1, 0, 2), 1e-6)
    slopes = vires.grad(lambda m: own.logpdf(x[0, 0], m, cov))(mean)
    assert_near(slopes, onp.linalg.solve(cov, x[0, 0] - mean))


def test_distributions_of_shares_and_counts():
    p, alpha = onp.array([0.2, 0.3, 0.5]), onp.array([1.0, 2, 3])
    assert_near(stats.dirichlet.logpdf(p, alpha), reference.dirichlet.logpdf(p, alpha))
    assert_near(stats.dirichlet.pdf(p[:2], alpha), reference.dirichlet.pdf(p, alpha))
    assert stats.dirichlet.pdf(2 * p, alpha).item() == 0
    counts = onp.array([1, 2, 3])
    assert_near(stats.multinomial.pmf(counts, 6, p), reference.multinomial.pmf(counts, 6, p))
    assert stats.multinomial.pmf(counts, 7, p).item() == 0


@pytest.mark.parametrize("axis", [0, 1, None])
def test_summaries(axis):
    data = onp.random.default_rng(0).integers(0, 5, size=(6, 7))
    for keepdims in (False, True):
        own, truth = (
            stats.mode(data, axis, keepdims=keepdims),
            reference.mode(data, axis, keepdims=keepdims),
        )
        assert_near(tuple(own), (truth.mode, truth.count))
    for method in ("average", "min", "max", "dense", "ordinal"):
        own = stats.rankdata(data, method, axis=axis)
        assert_near(own, reference.rankdata(data, method, axis=axis), 1e-6)
    assert_near(stats.sem(data, axis), reference.sem(data, axis))


@pytest.mark.parametrize("method", [None, "silverman", 0.3, lambda kde: 0.5])
def test_kernel_density(method):
    random = onp.random.default_rng(0)
    data, weights, x = random.normal(size=(2, 30)), random.random(30), random.normal(size=(2, 6))
    own = stats.gaussian_kde(data, method, weights)
    truth = reference.gaussian_kde(data, method, weights)
    assert_near(own(x), truth(x))
    assert_near(vires.jit(lambda k, x: k.logpdf(x))(own, x), truth.logpdf(x))
    assert_near(own.integrate_kde(own), truth.integrate_kde(truth))
    center = onp.zeros(2)
    assert_near(
        own.integrate_gaussian(center, onp.eye(2)), truth.integrate_gaussian(center, onp.eye(2))
    )
    line, expected = stats.gaussian_kde(data[0]), reference.gaussian_kde(data[0])
    assert_near(line.integrate_box_1d(-1, 1), expected.integrate_box_1d(-1, 1))
    assert own.resample(vires.random.key(0), (5,)).shape == (2, 5)


def test_arguments_by_name():
    assert stats.norm.logpdf(1.0, scale=2.0) == stats.norm.logpdf(1.0, 0, 2.0)
    assert stats.norm.pdf(np.array([1, 2])).dtype == "float32"
    with pytest.raises(TypeError, match="logpdf: needs arguments x, loc, scale; got 1 and width"):
        stats.norm.logpdf(1.0, width=2.0)
    with pytest.raises(TypeError, match="logpdf: needs the argument a"):
        stats.gamma.logpdf(1.0)
    with pytest.raises(NotImplementedError, match="mode: needs nan_policy 'propagate'"):
        stats.mode(np.ones(3), nan_policy="omit")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = stats.nothing
