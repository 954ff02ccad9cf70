"""Eager draws of any shape equal compiled ones, and a new shape compiles nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires import random
from vires.core.trace import engine_slot

Draw = Callable[[Any, tuple[int, ...]], Any]
DRAWS: dict[str, Draw] = {
    "uniform": lambda k, s: random.uniform(k, s),
    "uniform between": lambda k, s: random.uniform(k, s, minval=-2.0, maxval=vnp.ones(s[-1:])),
    "normal": lambda k, s: random.normal(k, s),
    "normal float64": lambda k, s: random.normal(k, s, "float64"),
    "uniform bfloat16": lambda k, s: random.uniform(k, s, "bfloat16"),
    "normal complex64": lambda k, s: random.normal(k, s, "complex64"),
    "truncated_normal": lambda k, s: random.truncated_normal(k, -1.0, 2.0, s),
    "lognormal": lambda k, s: random.lognormal(k, 0.5, s),
    "randint": lambda k, s: random.randint(k, s, -3, 17),
    "bernoulli": lambda k, s: random.bernoulli(k, 0.3, s),
    "rademacher": lambda k, s: random.rademacher(k, s),
    "exponential": lambda k, s: random.exponential(k, s),
    "gumbel": lambda k, s: random.gumbel(k, s),
    "laplace": lambda k, s: random.laplace(k, s),
    "cauchy": lambda k, s: random.cauchy(k, s),
    "triangular": lambda k, s: random.triangular(k, 0.0, 0.3, 1.0, s),
    "wald": lambda k, s: random.wald(k, 2.0, s),
    "bits": lambda k, s: random.bits(k, s, "uint8"),
    "split": lambda k, s: random.key_data(random.split(k, s)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_eager_draws_equal_compiled_ones(name: str) -> None:
    draw = DRAWS[name]
    for shape in ((1,), (0,), (13,), (5, 7), (40_000,)):
        key = random.key(len(shape) + shape[0])
        eager = draw(random.clone(key), shape)
        compiled = vires.jit(lambda k, shape=shape: draw(k, shape))(key)
        assert eager.dtype == compiled.dtype and eager.shape == compiled.shape
        assert eager._numpy().tobytes() == compiled._numpy().tobytes()


@pytest.mark.parametrize("name", DRAWS)
def test_new_shapes_compile_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = DRAWS[name]
    for size in (2, 3, 4):  # kernels for these types, and for one element
        draw(random.key(0), (size,))
    draw(random.key(0), (1,))
    compiled: list[Any] = []
    original = engine_slot.compile

    def counted(closed: Any, **options: Any) -> Any:
        compiled.append(closed)
        return original(closed, **options)

    monkeypatch.setattr(engine_slot, "compile", counted)
    for size in range(5, 25):
        assert draw(random.key(size), (size,)).shape[0] == size
    assert not compiled


def test_a_shape_drawn_often_keeps_its_numbers() -> None:
    key = random.key(3)
    first = np.asarray(random.normal(random.clone(key), (6,)))
    for _ in range(100):
        np.testing.assert_array_equal(random.normal(random.clone(key), (6,)), first)


@pytest.mark.parametrize("name", ["normal", "gumbel", "laplace", "logistic", "exponential"])
def test_draws_in_float32_compute_in_float32(name):
    key = vires.random.key(0)
    jaxpr = vires.make_jaxpr(lambda key: getattr(vires.random, name)(key, (3,)))(key)
    assert "f64" not in repr(jaxpr)
