"""Initial values: distributions, fans, orthogonality, the numbers that users of JAX know."""

from __future__ import annotations

import numpy as onp
import pytest

import vires.numpy as np
from vires import random
from vires.nn import initializers


@pytest.mark.parametrize(
    "name,variance",
    [("glorot_normal", 2 / 500), ("glorot_uniform", 2 / 500), ("lecun_normal", 1 / 200),
    ("lecun_uniform", 1 / 200),
     ("he_normal", 2 / 200), ("he_uniform", 2 / 200)],
)  # fmt: skip
def test_variances(name: str, variance: float) -> None:
    x = onp.asarray(getattr(initializers, name)()(random.key(0), (200, 300)))
    assert x.dtype == onp.float32
    assert x.mean() == pytest.approx(0, abs=4 * (variance / x.size) ** 0.5)
    assert x.var() == pytest.approx(variance, rel=0.02)


def test_known_numbers() -> None:
    x = initializers.glorot_uniform()(random.key(0), (3, 4))
    onp.testing.assert_allclose(
        x, random.uniform(random.key(0), (3, 4), np.float32, -1) * (6 / 7) ** 0.5, rtol=1e-6
    )
    x = initializers.normal(0.5)(random.key(1), (5,))
    onp.testing.assert_array_equal(x, random.normal(random.key(1), (5,)) * 0.5)
    x = onp.asarray(initializers.truncated_normal(2.0)(random.key(2), (1000,)))
    assert abs(x).max() <= 4


def test_convolution_fans() -> None:
    x = onp.asarray(
        initializers.variance_scaling(1.0, "fan_out", "normal")(random.key(3), (3, 3, 20, 40))
    )
    assert x.var() == pytest.approx(1 / (9 * 40), rel=0.05)
    x = onp.asarray(
        initializers.variance_scaling(1.0, "fan_in", "uniform", in_axis=0, out_axis=1)(
            random.key(3), (60, 90)
        )
    )
    assert x.var() == pytest.approx(1 / 60, rel=0.05)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 2, 5)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    x = onp.asarray(initializers.orthogonal(2.0)(random.key(4), shape)).reshape(-1, shape[-1])
    gram = x.T @ x if x.shape[0] >= x.shape[1] else x @ x.T
    onp.testing.assert_allclose(gram, 4 * onp.eye(len(gram)), atol=1e-5)


def test_delta_orthogonal_constants_and_errors() -> None:
    x = onp.asarray(initializers.delta_orthogonal()(random.key(5), (3, 3, 2, 4)))
    assert onp.count_nonzero(x.sum((2, 3))) == 1
    onp.testing.assert_allclose(x[1, 1] @ x[1, 1].T, onp.eye(2), atol=1e-5)
    assert initializers.zeros(random.key(0), (2,)).tolist() == [0, 0]
    assert initializers.ones(random.key(0), (2,), np.int32).dtype == onp.int32
    assert initializers.constant(7.0)(random.key(0), (2,)).tolist() == [7, 7]
    assert initializers.he_normal(dtype=np.bfloat16)(random.key(0), (4, 4)).dtype == np.bfloat16
    with pytest.raises(ValueError, match="at least 2 axes"):
        initializers.he_normal()(random.key(0), (4,))
    with pytest.raises(ValueError, match="a mode among"):
        initializers.variance_scaling(1.0, "x", "normal")(random.key(0), (4, 4))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="distribution"):
        initializers.variance_scaling(1.0, "fan_in", "x")(random.key(0), (4, 4))  # type: ignore[arg-type]
