"""Samplers: their distributions, shapes, dtypes, transformations and messages."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import scipy.stats

import vires
import vires.numpy as vnp
from vires import random

N = 4000

CONTINUOUS: dict[str, tuple[Any, Any]] = {
    "uniform": (lambda k, s: random.uniform(k, s, minval=-1, maxval=3), scipy.stats.uniform(-1, 4)),
    "normal": (random.normal, scipy.stats.norm()),
    "truncated_normal": (
        lambda k, s: random.truncated_normal(k, -0.5, 2, s), scipy.stats.truncnorm(-0.5, 2),
    ),
    "lognormal": (lambda k, s: random.lognormal(k, 0.5, s), scipy.stats.lognorm(0.5)),
    "exponential": (random.exponential, scipy.stats.expon()),
    "gumbel": (random.gumbel, scipy.stats.gumbel_r()),
    "gumbel high": (lambda k, s: random.gumbel(k, s, mode="high"), scipy.stats.gumbel_r()),
    "laplace": (random.laplace, scipy.stats.laplace()),
    "logistic": (random.logistic, scipy.stats.logistic()),
    "cauchy": (random.cauchy, scipy.stats.cauchy()),
    "pareto": (lambda k, s: random.pareto(k, 2.5, s), scipy.stats.pareto(2.5)),
    "rayleigh": (lambda k, s: random.rayleigh(k, 2.0, s), scipy.stats.rayleigh(scale=2)),
    "weibull_min": (
        lambda k, s: random.weibull_min(k, 2.0, 1.5, s), scipy.stats.weibull_min(1.5, scale=2),
    ),
    "triangular": (
        lambda k, s: random.triangular(k, -1.0, 0.0, 3.0, s), scipy.stats.triang(0.25, -1, 4),
    ),
    "maxwell": (random.maxwell, scipy.stats.maxwell()),
    "wald": (lambda k, s: random.wald(k, 0.7, s), scipy.stats.invgauss(0.7)),
    "gamma": (lambda k, s: random.gamma(k, 2.5, s), scipy.stats.gamma(2.5)),
    "gamma of less than 1": (lambda k, s: random.gamma(k, 0.3, s), scipy.stats.gamma(0.3)),
    "loggamma": (lambda k, s: random.loggamma(k, 0.8, s), scipy.stats.loggamma(0.8)),
    "beta": (lambda k, s: random.beta(k, 0.5, 2.0, s), scipy.stats.beta(0.5, 2)),
    "chisquare": (lambda k, s: random.chisquare(k, 3.0, s), scipy.stats.chi2(3)),
    "f": (lambda k, s: random.f(k, 3.0, 5.0, s), scipy.stats.f(3, 5)),
    "t": (lambda k, s: random.t(k, 3.0, s), scipy.stats.t(3)),
    "generalized_normal": (
        lambda k, s: random.generalized_normal(k, 1.5, s), scipy.stats.gennorm(1.5),
    ),
    "double_sided_maxwell": (
        lambda k, s: abs(random.double_sided_maxwell(k, 0.0, 2.0, s)), scipy.stats.maxwell(scale=2),
    ),
}  # fmt: skip

DISCRETE: dict[str, tuple[Any, Any]] = {
    "randint": (lambda k, s: random.randint(k, s, -2, 5), scipy.stats.randint(-2, 5)),
    "bernoulli": (lambda k, s: random.bernoulli(k, 0.3, s), scipy.stats.bernoulli(0.3)),
    "bernoulli high": (
        lambda k, s: random.bernoulli(k, 0.3, s, mode="high"), scipy.stats.bernoulli(0.3),
    ),
    "poisson of a small mean": (lambda k, s: random.poisson(k, 3.5, s), scipy.stats.poisson(3.5)),
    "poisson of a large mean": (lambda k, s: random.poisson(k, 40.0, s), scipy.stats.poisson(40)),
    "geometric": (lambda k, s: random.geometric(k, 0.3, s), scipy.stats.geom(0.3)),
    "binomial by inversion": (
        lambda k, s: random.binomial(k, 9, 0.4, s), scipy.stats.binom(9, 0.4),
    ),
    "binomial by rejection": (
        lambda k, s: random.binomial(k, 90, 0.7, s), scipy.stats.binom(90, 0.7),
    ),
    "choice": (lambda k, s: random.choice(k, 6, s), scipy.stats.randint(0, 6)),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_distribution(name: str) -> None:
    draw, distribution = CONTINUOUS[name]
    x = np.asarray(draw(random.key(1), (N,)))
    assert x.shape == (N,) and x.dtype == np.float32
    assert scipy.stats.kstest(x, distribution.cdf).pvalue > 1e-3


def chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    common = expected >= 5
    counts = np.append(observed[common], observed[~common].sum())
    wanted = np.append(expected[common], expected.sum() - expected[common].sum())
    if wanted[-1] < 5:
        counts = np.append(counts[:-2], counts[-2:].sum())
        wanted = np.append(wanted[:-2], wanted[-2:].sum())
    return scipy.stats.chisquare(counts, wanted * counts.sum() / wanted.sum()).pvalue


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_distribution(name: str) -> None:
    draw, distribution = DISCRETE[name]
    x = np.asarray(draw(random.key(2), (N,))).astype(int)
    values = np.arange(min(x.min(), -2), x.max() + 20)
    observed = np.array([(x == v).sum() for v in values])
    assert observed.sum() == N
    assert chi_square(observed, N * distribution.pmf(values)) > 1e-3


def test_categorical_distribution() -> None:
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
    x = np.asarray(random.categorical(random.key(0), np.log(p), shape=(N, 2)))
    for row in range(2):
        observed = np.bincount(x[:, row], minlength=3)
        assert chi_square(observed, N * p[row]) > 1e-3


def test_choice_with_p() -> None:
    p = np.array([0.5, 0.0, 0.3, 0.2])
    x = np.asarray(random.choice(random.key(0), np.array([3, 4, 5, 6]), (N,), p=p))
    assert not (x == 4).any()
    observed = np.array([(x == v).sum() for v in (3, 5, 6)])
    assert chi_square(observed, N * p[[0, 2, 3]]) > 1e-3


def test_choice_without_replacement_has_no_repeats() -> None:
    keys = random.split(random.key(0), 50)
    for p in (None, np.array([0.4, 0.3, 0.2, 0.05, 0.05], np.float32)):
        draws = vires.vmap(lambda k, p=p: random.choice(k, 5, (4,), replace=False, p=p))(keys)
        assert all(len(set(row)) == 4 for row in np.asarray(draws).tolist())


def test_multivariate_normal_moments() -> None:
    mean, cov = np.array([1.0, -2.0]), np.array([[2.0, 0.6], [0.6, 0.5]])
    for method in ("cholesky", "eigh", "svd"):
        x = np.asarray(random.multivariate_normal(random.key(1), mean, cov, (N,), method=method))
        assert x.shape == (N, 2)
        np.testing.assert_allclose(x.mean(0), mean, atol=0.1)
        np.testing.assert_allclose(np.cov(x.T), cov, atol=0.15)


def test_dirichlet_sums_to_one_with_the_right_mean() -> None:
    alpha = np.array([0.5, 1.0, 3.0])
    x = np.asarray(random.dirichlet(random.key(4), alpha, (N,)))
    np.testing.assert_allclose(x.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(x.mean(0), alpha / alpha.sum(), atol=0.02)


def test_multinomial_counts_sum_to_n() -> None:
    p = np.array([0.2, 0.0, 0.5, 0.3])
    x = np.asarray(random.multinomial(random.key(4), 20, p, shape=(300, 4)))
    np.testing.assert_array_equal(x.sum(-1), 20)
    np.testing.assert_allclose(x.mean(0), 20 * p, atol=0.6)


@pytest.mark.parametrize(("n", "m"), [(3, None), (2, 4), (4, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_orthogonal_matrices_are_orthogonal(n: int, m: int | None, dtype: Any) -> None:
    q = np.asarray(random.orthogonal(random.key(0), n, (5,), dtype, m))
    assert q.shape == (5, n, m or n) and q.dtype == dtype
    adjoint = np.conj(np.swapaxes(q, -1, -2))
    product = q @ adjoint if q.shape[-2] <= q.shape[-1] else adjoint @ q
    np.testing.assert_allclose(
        product, np.broadcast_to(np.eye(min(n, m or n)), product.shape), atol=1e-5
    )


def test_ball_points_are_inside_and_fill_it() -> None:
    x = np.asarray(random.ball(random.key(0), 3, 2, (N,)))
    radius = np.linalg.norm(x, axis=-1)
    assert radius.max() <= 1 + 1e-6
    assert scipy.stats.kstest(radius**3, "uniform").pvalue > 1e-3


def test_permutation_is_uniform_over_orders() -> None:
    keys = random.split(random.key(0), N)
    orders = np.asarray(vires.vmap(lambda k: random.permutation(k, 3))(keys))
    codes = orders @ [9, 3, 1]
    observed = np.unique(codes, return_counts=True)[1]
    assert chi_square(observed, np.full(6, N / 6)) > 1e-3


def test_permutation_along_an_axis_keeps_rows_together() -> None:
    x = np.arange(24).reshape(2, 3, 4)
    got = np.asarray(random.permutation(random.key(3), x, axis=1))
    order = got[0, :, 0] // 4
    np.testing.assert_array_equal(got, x[:, order])
    loose = np.asarray(random.permutation(random.key(3), x, axis=1, independent=True))
    np.testing.assert_array_equal(np.sort(loose, 1), x)


# --- shapes, dtypes, edges


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3), 4, [2, 3]])
def test_shapes(shape: Any) -> None:
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    for draw in (random.uniform, random.normal, random.gumbel, random.rademacher):
        assert draw(random.key(0), shape).shape == wanted
    assert random.gamma(random.key(0), 2.0, shape).shape == wanted
    assert random.poisson(random.key(0), 2.0, shape).shape == wanted
    assert random.randint(random.key(0), shape, 0, 9).shape == wanted


def test_parameters_broadcast() -> None:
    a, b = np.ones((3, 1)), np.ones(4)
    assert random.beta(random.key(0), a, b).shape == (3, 4)
    assert random.beta(random.key(0), a, b, (2, 3, 4)).shape == (2, 3, 4)
    assert random.uniform(random.key(0), (3, 4), minval=a, maxval=2 * b).shape == (3, 4)
    assert random.truncated_normal(random.key(0), -a, b).shape == (3, 4)
    assert random.t(random.key(0), [1.0, 2.0]).shape == (2,)


def test_one_stream_does_not_depend_on_parameters_from_numpy() -> None:
    p = [0.2, 0.3, 0.5]
    a = random.choice(random.key(0), 3, (50,), p=np.array(p))
    b = random.choice(random.key(0), 3, (50,), p=vnp.array(p))
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert random.bernoulli(random.key(0), np.float64(0.5)).dtype == np.bool_
    assert random.multivariate_normal(random.key(0), np.zeros(2), np.eye(2)).dtype == np.float32


def test_float64_is_honoured_without_64_bit_mode() -> None:
    x = random.normal(random.key(0), (3,), np.float64)
    assert x.dtype == np.float64
    with vires.config.override("enable_x64", True):
        np.testing.assert_array_equal(np.asarray(x), np.asarray(random.normal(random.key(0), (3,))))


def test_uniform_stays_in_its_interval() -> None:
    for dtype in (np.float16, vnp.bfloat16, np.float32):
        x = np.asarray(random.uniform(random.key(0), (N,), dtype, -1.0, 1.0)).astype(np.float64)
        assert x.min() >= -1 and x.max() < 1


def test_randint_edges() -> None:
    key = functools.partial(random.key, 0)
    np.testing.assert_array_equal(np.asarray(random.randint(key(), (5,), 7, 7)), 7)
    np.testing.assert_array_equal(np.asarray(random.randint(key(), (5,), 7, 3)), 7)
    whole = np.asarray(random.randint(key(), (N,), 0, 256, np.uint8))
    assert whole.min() == 0 and whole.max() == 255
    signed = np.asarray(random.randint(key(), (N,), -1000, 1000, np.int8))
    assert signed.min() == -128 and signed.max() == 127
    wide = np.asarray(random.randint(key(), (N,), 0, 2**32, np.uint32))
    assert wide.max() > 2**31
    assert np.asarray(random.randint(key(), (N,), 0, 2**40, np.int64)).max() > 2**33


def test_binomial_edges() -> None:
    n = np.array([10, 0, -1, np.nan, np.inf, np.inf], np.float32)
    p = np.array([[0.0], [1.0], [0.5], [-0.5], [1.5], [np.nan]], np.float32)
    x = np.asarray(random.binomial(random.key(0), n, p))
    nan, inf = np.nan, np.inf
    np.testing.assert_array_equal(x[0], [0, 0, nan, nan, inf, inf])
    np.testing.assert_array_equal(x[1], [10, 0, nan, nan, inf, inf])
    assert 0 <= x[2, 0] <= 10
    np.testing.assert_array_equal(x[3:], np.full((3, 6), nan))


def test_poisson_edges() -> None:
    x = np.asarray(random.poisson(random.key(0), np.array([0.0, -1.0, np.nan], np.float32)))
    np.testing.assert_array_equal(x, [0, -1, -1])


def test_gamma_edges() -> None:
    a = np.array([0.0, 1e-30, 1e10, -1.0, np.nan], np.float32)
    x = np.asarray(random.gamma(random.key(0), a))
    assert x[0] == 0 and x[1] == 0 and abs(x[2] / 1e10 - 1) < 1e-3 and np.isnan(x[3:]).all()
    logs = np.asarray(random.loggamma(random.key(0), a))
    assert logs[0] == -np.inf and np.isfinite(logs[1])


# --- transformations


def draws_of_all() -> dict[str, Any]:
    """Samplers of one key that compile and vectorise."""
    return {
        "uniform": lambda k: random.uniform(k, (3,)),
        "normal": lambda k: random.normal(k, (2, 2)),
        "randint": lambda k: random.randint(k, (3,), 0, 100),
        "permutation": lambda k: random.permutation(k, 6),
        "choice": lambda k: random.choice(k, 4, (3,), p=np.array([0.1, 0.2, 0.3, 0.4])),
        "gamma": lambda k: random.gamma(k, 0.7, (3,)),
        "dirichlet": lambda k: random.dirichlet(k, np.ones(3)),
        "poisson": lambda k: random.poisson(k, np.array([3.0, 30.0])),
        "binomial": lambda k: random.binomial(k, np.array([5.0, 50.0]), 0.5),
        "categorical": lambda k: random.categorical(k, np.zeros((2, 3)), shape=(4, 2)),
        "truncated_normal": lambda k: random.truncated_normal(k, -1.0, 1.0, (3,)),
        "bits": lambda k: random.bits(k, (3,)),
        "split": lambda k: random.key_data(random.split(k, 3)),
        "fold_in": lambda k: random.key_data(random.fold_in(k, 3)),
    }


@pytest.mark.parametrize("name", draws_of_all())
def test_jit_and_vmap_give_the_same_numbers(name: str) -> None:
    draw = draws_of_all()[name]
    keys = random.split(random.key(8), 4)
    one_by_one = np.stack([np.asarray(draw(k)) for k in keys])
    compiled = np.stack([np.asarray(vires.jit(draw)(k)) for k in keys])
    mapped = np.asarray(vires.vmap(draw)(keys))
    both = np.asarray(vires.jit(vires.vmap(draw))(random.key_data(keys)))
    for other in (compiled, mapped, both):
        np.testing.assert_allclose(other, one_by_one, rtol=1e-6, atol=1e-7)


def test_shape_must_be_known() -> None:
    with pytest.raises(TypeError, match=r"got the traced value i32\[\] \(argument n of .*static"):
        vires.jit(lambda n: random.uniform(random.key(0), (n,)))(3)


def test_gradients_of_location_and_scale() -> None:
    def total(low: Any, high: Any) -> Any:
        return random.uniform(random.key(0), (5,), minval=low, maxval=high).sum()

    u = np.asarray(random.uniform(random.key(0), (5,)))
    low, high = vires.grad(total, (0, 1))(1.0, 2.0)
    np.testing.assert_allclose([low, high], [(1 - u).sum(), u.sum()], rtol=1e-5)
    sigma = vires.grad(lambda s: random.lognormal(random.key(0), s, (5,)).sum())(0.5)
    z = np.asarray(random.normal(random.key(0), (5,)))
    np.testing.assert_allclose(sigma, (z * np.exp(0.5 * z)).sum(), rtol=1e-5)


@pytest.mark.parametrize("a", [0.3, 1.0, 4.0, 40.0])
def test_gradient_of_gamma_is_implicit(a: float) -> None:
    key = functools.partial(random.key, 6)
    x = np.asarray(random.gamma(key(), np.full(4, a), dtype=np.float64))
    step = 1e-4 * a
    cdf = scipy.stats.gamma.cdf
    wanted = -(cdf(x, a + step) - cdf(x, a - step)) / (2 * step) / scipy.stats.gamma.pdf(x, a)
    draw = vires.jacfwd(lambda a: random.gamma(key(), a, (4,), np.float64))
    np.testing.assert_allclose(np.asarray(draw(np.float64(a))), wanted, rtol=1e-4)
    reverse = vires.grad(lambda a: random.gamma(key(), a, (4,), np.float64).sum())(np.float64(a))
    np.testing.assert_allclose(reverse, wanted.sum(), rtol=1e-4)
    logs = vires.jacfwd(lambda a: random.loggamma(key(), a, (4,), np.float64))
    np.testing.assert_allclose(np.asarray(logs(np.float64(a))), wanted / x, rtol=1e-4)


def test_gradient_through_discrete_draws_is_zero() -> None:
    def count(p: Any) -> Any:
        return random.binomial(random.key(0), 10, p) + random.poisson(random.key(1), 9 * p)

    assert vires.grad(count)(0.4) == 0


# --- messages


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda k: random.uniform(k, (2,), int), ValueError,
            "uniform: needs a float dtype; got int32; try dtype=float32",
        ),
        (
            lambda k: random.normal(k, (2,), bool), ValueError,
            "normal: needs a float or complex dtype; got bool; try dtype=float32",
        ),
        (
            lambda k: random.randint(k, (2,), 0, 5, float), ValueError,
            "randint: needs an integer dtype; got float32; try dtype=int32",
        ),
        (
            lambda k: random.bits(k, (2,), np.int32), ValueError,
            "bits: needs an unsigned integer dtype; got int32; try dtype=uint32",
        ),
        (
            lambda k: random.uniform(k, (-1,)), ValueError,
            "uniform: needs a shape of non-negative sizes; got (-1,)",
        ),
        (
            lambda k: random.uniform(k, "ab"), TypeError,
            "uniform: needs a shape (a tuple of ints known before tracing); got 'ab'; try "
            "shape=(3,), or mark the argument static with jit(..., static_argnames=...)",
        ),
        (
            lambda k: random.gamma(k, np.ones(2), (2, 3)), ValueError,
            "gamma: needs parameters that broadcast to shape (2, 3); got a of shape (2,)",
        ),
        (
            lambda k: random.beta(k, np.ones(2), np.ones(3)), ValueError,
            "beta: needs parameters that broadcast together; got a of shape (2,), b of shape (3,)",
        ),
        (
            lambda k: random.gamma(k, "2"), TypeError,
            "gamma: needs an array or a number for a; got str; try vires.numpy.asarray",
        ),
        (
            lambda k: random.bernoulli(k, 2), TypeError,
            "bernoulli: needs a float probability p; got int; try p=0.5",
        ),
        (
            lambda k: random.bernoulli(k, 0.5, mode="x"), ValueError,
            "bernoulli: needs mode 'low' or 'high'; got 'x'",
        ),
        (
            lambda k: random.gumbel(k, mode="x"), ValueError,
            "gumbel: needs mode 'low' or 'high'; got 'x'",
        ),
        (
            lambda k: random.multivariate_normal(k, np.zeros(3), np.eye(2)), ValueError,
            "multivariate_normal: needs mean of shape (..., n) and cov of shape (..., n, n); "
            "got (3,) and (2, 2)",
        ),
        (
            lambda k: random.multivariate_normal(k, [0.0], [[1.0]], method="lu"), ValueError,
            "multivariate_normal: needs method 'cholesky', 'eigh' or 'svd'; got 'lu'",
        ),
        (
            lambda k: random.dirichlet(k, 1.0), ValueError,
            "dirichlet: needs alpha of at least one dimension; got shape (); try alpha=[1.0, 1.0]",
        ),
        (
            lambda k: random.choice(k, 0, (2,)), ValueError,
            "choice: needs at least one entry to choose from; got none",
        ),
        (
            lambda k: random.choice(k, 3, (4,), replace=False), ValueError,
            "choice: needs at least as many entries as draws without replacement; got 3 entries "
            "and 4 draws; try replace=True",
        ),
        (
            lambda k: random.choice(k, 3, p=np.ones(2)), ValueError,
            "choice: needs p of shape (3,), one for each entry; got (2,)",
        ),
        (
            lambda k: random.choice(k, np.ones((2, 3)), axis=2), ValueError,
            "choice: needs an axis of a; got axis 2 for shape (2, 3)",
        ),
        (
            lambda k: random.permutation(k, 2.5), TypeError,
            "permutation: needs an array or an integer known before tracing; got float",
        ),
        (
            lambda k: random.permutation(k, -1), ValueError,
            "permutation: needs a non-negative number of integers; got -1",
        ),
        (
            lambda k: random.categorical(k, np.zeros(3), axis=1), ValueError,
            "categorical: needs an axis of logits; got axis 1 for shape (3,)",
        ),
        (
            lambda k: random.categorical(k, np.zeros(3), shape=(4,), replace=False), ValueError,
            "categorical: needs at least as many categories as draws without replacement; got 3 "
            "categories and 4 draws; try replace=True",
        ),
        (
            lambda k: random.multinomial(k, 3, np.ones(2) / 2, shape=(3, 1)), ValueError,
            "multinomial: needs parameters that broadcast to shape (3, 1); got p of shape (2,)",
        ),
    ],
)  # fmt: skip
def test_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call(random.key(0))
    assert str(caught.value) == message
