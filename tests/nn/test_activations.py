"""Activations against their formulas in float64, their derivatives against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as onp
import pytest
from scipy import special

import vires
import vires.nn as nn
import vires.numpy as np

X = onp.array([-30.0, -3.3, -1.7, -0.6, 0.4, 0.9, 1.3, 3.4, 7.0, 30.0])


def sigmoid(x: Any) -> Any:
    return 1 / (1 + onp.exp(-x))


def softplus(x: Any) -> Any:
    return onp.logaddexp(x, 0)


def elu(x: Any, alpha: float = 1.0) -> Any:
    return onp.where(x > 0, x, alpha * onp.expm1(onp.minimum(x, 0)))


def relu6(x: Any) -> Any:
    return onp.clip(x, 0, 6)


FORMULAS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: onp.maximum(x, 0), "relu6": relu6, "sigmoid": sigmoid, "softplus": softplus,
    "log_sigmoid": lambda x: -softplus(-x), "soft_sign": lambda x: x / (1 + abs(x)),
    "silu": lambda x: x * sigmoid(x),
    "swish": lambda x: x * sigmoid(x), "elu": elu, "celu": elu, "identity": lambda x: x,
    "tanh": onp.tanh,
    "selu": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "leaky_relu": lambda x: onp.where(x > 0, x, 0.01 * x),
    "gelu": lambda x: x / 2 * (1 + onp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "hard_tanh": lambda x: onp.clip(x, -1, 1), "hard_sigmoid": lambda x: relu6(x + 3) / 6,
    "hard_silu": lambda x: x * relu6(x + 3) / 6, "hard_swish": lambda x: x * relu6(x + 3) / 6,
    "mish": lambda x: x * onp.tanh(softplus(x)),
    "squareplus": lambda x: (x + onp.sqrt(x**2 + 4)) / 2,
    "sparse_plus": lambda x: onp.where(x < -1, 0, onp.where(x > 1, x, (x + 1) ** 2 / 4)),
    "sparse_sigmoid": lambda x: onp.clip(x + 1, 0, 2) / 2,
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_value_and_derivative(name: str) -> None:
    f, formula = getattr(nn, name), FORMULAS[name]
    onp.testing.assert_allclose(f(np.asarray(X, np.float32)), formula(X), rtol=2e-6, atol=5e-7)
    onp.testing.assert_allclose(vires.jit(f)(np.asarray(X)), formula(X), rtol=1e-9, atol=1e-12)
    h = 1e-6
    numeric = (formula(X + h) - formula(X - h)) / (2 * h)
    derivative = vires.vmap(vires.grad(f))(np.asarray(X))
    onp.testing.assert_allclose(derivative, numeric, rtol=1e-5, atol=1e-8)


def test_derivatives_at_kinks() -> None:
    for name, x, expected in (
        ("relu", 0.0, 0.0), ("relu6", 0.0, 0.0), ("relu6", 6.0, 0.0), ("hard_tanh", 1.0, 1.0),
        ("softplus", 0.0, 0.5),
        ("elu", 0.0, 1.0), ("leaky_relu", 0.0, 1.0), ("silu", 0.0, 0.5), ("soft_sign", 0.0, 1.0),
    ):  # fmt: skip
        assert float(vires.grad(getattr(nn, name))(x)) == pytest.approx(expected), name


def test_no_overflow_and_nan() -> None:
    big = np.array([-1e30, 1e30])
    for name in ("softplus", "elu", "selu", "celu", "sigmoid", "log_sigmoid", "mish", "silu"):
        f = getattr(nn, name)
        assert onp.isfinite(onp.asarray(f(big))).all(), name
        assert onp.isfinite(onp.asarray(vires.vmap(vires.grad(f))(big))).all(), name
        assert onp.isnan(float(f(onp.nan))), name
    assert onp.isnan(float(nn.relu(onp.nan)))


def test_dtypes() -> None:
    for dtype in (np.float16, np.bfloat16, np.float64):
        assert (
            nn.gelu(np.ones(2, dtype)).dtype == dtype
            and nn.elu(np.ones(2, dtype), 0.5).dtype == dtype
        )
    assert nn.relu(np.arange(3)).dtype == np.int32 and nn.sigmoid(np.arange(3)).dtype == np.float32


def test_parameters() -> None:
    x = np.asarray(X)
    onp.testing.assert_allclose(nn.elu(x, 2.0), elu(X, 2.0), rtol=1e-9)
    onp.testing.assert_allclose(nn.leaky_relu(x, 0.2), onp.where(X > 0, X, 0.2 * X), rtol=1e-9)
    onp.testing.assert_allclose(nn.gelu(x, approximate=False), X * special.ndtr(X), rtol=1e-9)
    onp.testing.assert_allclose(nn.squareplus(x, 1.0), (X + onp.sqrt(X**2 + 1)) / 2, rtol=1e-9)
    y = onp.linspace(0.01, 20, 9)
    onp.testing.assert_allclose(nn.log1mexp(np.asarray(y)), onp.log1p(-onp.exp(-y)), rtol=1e-9)
    halves = nn.glu(np.asarray(X))
    onp.testing.assert_allclose(halves, X[:5] * sigmoid(X[5:]), rtol=1e-9)
    with pytest.raises(ValueError, match="even size"):
        nn.glu(np.ones(3))
    with pytest.raises(TypeError, match="relu: needs an array or a number"):
        nn.relu([1.0])
