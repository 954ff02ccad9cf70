"""Keys: their two forms, splitting, folding, seeds, and what is refused."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires import random

SAMPLERS: dict[str, Any] = {
    "ball": lambda k: random.ball(k, 3),
    "bernoulli": random.bernoulli,
    "beta": lambda k: random.beta(k, 1.0, 2.0),
    "binomial": lambda k: random.binomial(k, 10, 0.5),
    "bits": random.bits,
    "categorical": lambda k: random.categorical(k, np.zeros(3)),
    "cauchy": random.cauchy,
    "chisquare": lambda k: random.chisquare(k, 2.0),
    "choice": lambda k: random.choice(k, 5),
    "dirichlet": lambda k: random.dirichlet(k, np.ones(3)),
    "double_sided_maxwell": lambda k: random.double_sided_maxwell(k, 0.0, 1.0),
    "exponential": random.exponential,
    "f": lambda k: random.f(k, 1.0, 2.0),
    "gamma": lambda k: random.gamma(k, 2.0),
    "generalized_normal": lambda k: random.generalized_normal(k, 2.0),
    "geometric": lambda k: random.geometric(k, 0.5),
    "gumbel": random.gumbel,
    "laplace": random.laplace,
    "loggamma": lambda k: random.loggamma(k, 2.0),
    "logistic": random.logistic,
    "lognormal": random.lognormal,
    "maxwell": random.maxwell,
    "multinomial": lambda k: random.multinomial(k, 10, np.ones(2) / 2),
    "multivariate_normal": lambda k: random.multivariate_normal(k, np.zeros(2), np.eye(2)),
    "normal": random.normal,
    "orthogonal": lambda k: random.orthogonal(k, 2),
    "pareto": lambda k: random.pareto(k, 2.0),
    "permutation": lambda k: random.permutation(k, 5),
    "poisson": lambda k: random.poisson(k, 2.0),
    "rademacher": random.rademacher,
    "randint": lambda k: random.randint(k, (), 0, 5),
    "rayleigh": lambda k: random.rayleigh(k, 1.0),
    "t": lambda k: random.t(k, 2.0),
    "triangular": lambda k: random.triangular(k, 0.0, 1.0, 2.0),
    "truncated_normal": lambda k: random.truncated_normal(k, -1.0, 1.0),
    "uniform": random.uniform,
    "wald": lambda k: random.wald(k, 1.0),
    "weibull_min": lambda k: random.weibull_min(k, 1.0, 2.0),
}
NOT_SAMPLERS = {
    "PRNGKey", "clone", "fold_in", "key", "key_data", "key_dtype", "key_impl", "split",
    "wrap_key_data",
}  # fmt: skip


def words(keys: Any) -> list[Any]:
    return np.asarray(random.key_data(keys)).tolist()


def test_every_sampler_is_listed_here() -> None:
    assert set(SAMPLERS) | NOT_SAMPLERS == set(random.__all__)


# --- the two forms


def test_typed_keys_are_arrays_of_their_own_dtype() -> None:
    key = random.key(3)
    assert key.shape == ()
    assert vires.dtypes.issubdtype(key.dtype, vires.dtypes.prng_key)
    assert key.dtype == random.key_dtype()
    assert words(key) == [0, 3]
    assert random.key_impl(key) == "threefry2x32"


def test_raw_keys_are_two_words() -> None:
    key = random.PRNGKey(3)
    assert key.dtype == np.uint32 and key.shape == (2,)
    assert words(key) == [0, 3]
    assert random.key_impl(key) == "threefry2x32"


@pytest.mark.parametrize("name", SAMPLERS)
def test_both_forms_give_the_same_numbers(name: str) -> None:
    draw = SAMPLERS[name]
    typed = np.asarray(draw(random.key(5)))
    np.testing.assert_array_equal(typed, np.asarray(draw(random.PRNGKey(5))))
    np.testing.assert_array_equal(typed, np.asarray(draw(np.array([0, 5], np.uint32))))


def test_wrap_is_the_inverse_of_key_data() -> None:
    keys = random.split(random.key(1), (2, 3))
    data = random.key_data(keys)
    assert data.shape == (2, 3, 2)
    assert words(random.wrap_key_data(data)) == words(keys)


def test_split_and_fold_in_keep_the_form() -> None:
    raw, typed = random.PRNGKey(0), random.key(0)
    assert random.split(raw).shape == (2, 2) and random.split(raw).dtype == np.uint32
    assert random.split(typed).shape == (2,)
    assert random.split(raw, 3).shape == (3, 2)
    assert random.split(typed, (2, 3)).shape == (2, 3)
    assert random.fold_in(raw, 1).shape == (2,)
    assert random.fold_in(typed, 1).shape == ()
    assert words(random.split(raw)) == words(random.split(typed))
    assert words(random.fold_in(raw, 9)) == words(random.fold_in(typed, 9))


def test_split_of_none_is_empty() -> None:
    assert random.split(random.key(0), 0).shape == (0,)


def test_keys_move_as_other_arrays_do() -> None:
    keys = random.split(random.key(0), 4)
    assert words(keys[2]) == words(keys)[2]
    assert [words(k) for k in keys] == words(keys)
    assert words(vnp.stack([keys[0], keys[1]])) == words(keys)[:2]
    assert words(keys.reshape(2, 2)) == np.reshape(words(keys), (2, 2, 2)).tolist()


def test_fold_in_takes_any_integer_type() -> None:
    key = random.key(2)
    expected = words(random.fold_in(key, 7))
    for data in (np.int32(7), np.uint8(7), np.int64(7), vnp.asarray(7), np.array(7, np.int16)):
        assert words(random.fold_in(key, data)) == expected
    assert words(random.fold_in(key, -3)) == words(random.fold_in(key, np.int32(-3)))
    assert words(random.fold_in(key, True)) == words(random.fold_in(key, 1))


# --- seeds


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, [0, 0]),
        (1, [0, 1]),
        (-1, [0, 2**32 - 1]),
        (2**31, [0, 2**31]),
        (2**32 - 1, [0, 2**32 - 1]),
        (2**32, [1, 0]),
        (2**40 + 5, [256, 5]),
        (-(2**40), [2**32 - 256, 0]),
        (2**64 - 1, [2**32 - 1, 2**32 - 1]),
        (True, [0, 1]),
        (np.int64(7), [0, 7]),
        (np.uint8(200), [0, 200]),
    ],
)
def test_seeds(seed: Any, expected: list[int]) -> None:
    assert words(random.key(seed)) == expected
    assert words(random.PRNGKey(seed)) == expected


def test_seed_as_an_array() -> None:
    assert words(random.key(vnp.asarray(7))) == [0, 7]


def test_traced_seed() -> None:
    seeds = np.arange(-1, 3, dtype=np.int32)
    expected = [words(random.key(int(s))) for s in seeds]
    assert words(vires.vmap(random.key)(seeds)) == expected
    assert words(vires.jit(random.PRNGKey)(seeds[0])) == expected[0]


def test_negative_seed_in_64_bit_mode_fills_both_words() -> None:
    with vires.config.override("enable_x64", True):
        assert words(random.key(-1)) == [2**32 - 1, 2**32 - 1]


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        (1.5, TypeError, "key: needs an integer seed; got float; try key(0)"),
        ("a", TypeError, "key: needs an integer seed; got str; try key(0)"),
        (np.float32(1), TypeError, "key: needs an integer seed; got float32[]; try key(0)"),
        (2**64, OverflowError, "key: needs a seed that fits 64 bits; got 18446744073709551616"),
        (
            np.zeros(3, int), TypeError,
            "key: needs one integer seed; got int64[3]; try vires.vmap(vires.random.key)(seeds)",
        ),
    ],
)  # fmt: skip
def test_bad_seeds(seed: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        random.key(seed)
    assert str(caught.value) == message


def test_other_generators_are_refused() -> None:
    message = "key: needs the implementation 'threefry2x32'; got 'rbg'; try impl=None"
    with pytest.raises(ValueError) as caught:
        random.key(0, impl="rbg")
    assert str(caught.value) == message
    assert words(random.key(0, impl="threefry2x32")) == [0, 0]


# --- what is no key


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (np.zeros(3, np.float32), "float32[3]"),
        (np.zeros(2, np.int32), "int32[2]"),
        (np.zeros(3, np.uint32), "uint32[3]"),
        (np.uint32(3), "uint32[]"),
        ([0, 0], "list"),
        (3, "int"),
        (None, "NoneType"),
    ],
)
def test_bad_keys(bad: Any, text: str) -> None:
    ending = f"needs a random key (key<fry>[] or uint32[2]); got {text}; try vires.random.key(0)"
    for name, call in (("uniform", random.uniform), ("split", random.split)):
        with pytest.raises(TypeError) as caught:
            call(bad)
        assert str(caught.value) == f"{name}: {ending}"


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_batch_of_keys_is_refused_with_advice(name: str) -> None:
    with pytest.raises(ValueError, match=r"needs one random key; got key<fry>\[3\], a batch") as c:
        SAMPLERS[name](random.split(random.key(0), 3))
    assert str(c.value).startswith(f"{name}: ")
    assert str(c.value).endswith(f"try vires.vmap(lambda key: vires.random.{name}(key, ...))(keys)")


def test_a_batch_of_raw_keys_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"needs one random key; got uint32\[2,2\], a batch of keys"
    ):
        random.normal(random.split(random.PRNGKey(0)))


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (1.5, TypeError, "fold_in: needs an integer; got float"),
        (2**32, OverflowError, "fold_in: needs an integer that fits 32 bits; got 4294967296"),
        (
            np.zeros(2, np.int32), TypeError,
            "fold_in: needs one integer; got int32[2]; "
            "try vires.vmap(vires.random.fold_in, in_axes=(None, 0))(key, data)",
        ),
    ],
)  # fmt: skip
def test_bad_fold_in(data: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        random.fold_in(random.key(0), data)
    assert str(caught.value) == message


def test_keys_pickle() -> None:
    key = random.key(11)
    assert words(pickle.loads(pickle.dumps(key))) == words(key)


# --- reuse


@pytest.fixture
def reported() -> Any:
    """Reuse is an error inside, so that every report is seen."""
    with vires.config.override("key_reuse", "error"):
        yield


@pytest.mark.parametrize("name", SAMPLERS)
def test_using_a_key_twice_is_reported(name: str, reported: None) -> None:
    key = random.key(0)
    SAMPLERS[name](key)
    with pytest.raises(vires.errors.KeyReuseError) as caught:
        random.normal(key)
    assert str(caught.value) == (
        f"normal: needs a key that no sampler has used; got one that {name} has consumed, so that "
        "both draws are made of the same bits; try `key, subkey = vires.random.split(key)` and "
        "draw from subkey, or vires.random.clone(key) where repeating the draw is meant"
    )


def test_raw_keys_are_watched_too(reported: None) -> None:
    for key in (random.PRNGKey(0), np.zeros(2, np.uint32)):
        random.uniform(key)
        with pytest.raises(vires.errors.KeyReuseError):
            random.uniform(key)


def test_what_is_no_reuse(reported: None) -> None:
    key = random.key(0)
    for _ in range(3):
        random.split(key)
        random.fold_in(key, 1)
        random.key_data(key)
    random.uniform(key)
    random.uniform(random.clone(key))
    random.uniform(random.clone(key))
    random.split(key)
    random.uniform(random.key(0))
    random.uniform(random.key(0))
    for subkey in random.split(key, 3):
        random.uniform(subkey)


def test_nothing_is_reported_under_jit(reported: None) -> None:
    key = random.key(0)
    both = vires.jit(lambda key: random.uniform(key) - random.uniform(key))
    assert both(key) == 0
    assert both(key) == 0
    constant = vires.jit(lambda x: x + random.uniform(key) - random.uniform(key))
    assert constant(2.0) == 2


def test_reuse_is_seen_under_grad(reported: None) -> None:
    key = random.key(0)
    vires.grad(lambda x: x * random.uniform(key))(1.0)
    with pytest.raises(vires.errors.KeyReuseError):
        vires.grad(lambda x: x * random.uniform(key))(1.0)


def test_a_line_warns_once() -> None:
    key = random.key(0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        random.uniform(key)
        for _ in range(3):
            random.uniform(key)
        random.uniform(key)
    mine = [w for w in seen if w.category is vires.errors.KeyReuseWarning]
    assert len(mine) == 2
    assert {w.filename for w in mine} == {__file__}
    assert mine[1].lineno == mine[0].lineno + 1


def test_reuse_may_be_allowed() -> None:
    key = random.key(0)
    with vires.config.override("key_reuse", "allow"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert random.uniform(key) == random.uniform(key)


def test_memory_of_watched_keys_is_bounded(reported: None) -> None:
    from vires.random import reuse

    keys = list(random.split(random.key(0), 3 * reuse._LIMIT))
    for key in keys:
        reuse.mark_consumed(key, "uniform")
    assert len(reuse._consumed) <= reuse._LIMIT
    with pytest.raises(vires.errors.KeyReuseError):
        reuse.mark_consumed(keys[-1], "uniform")
    del keys, key
    for key in random.split(random.key(1), 2 * reuse._LIMIT):
        reuse.mark_consumed(key, "uniform")
    assert len(reuse._consumed) <= reuse._LIMIT


def test_a_key_that_is_gone_leaves_no_trace(reported: None) -> None:
    for _ in range(1000):  # new objects at old addresses
        random.bits(random.PRNGKey(0))
