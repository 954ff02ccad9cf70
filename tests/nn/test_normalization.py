"""softmax and its kin, one-hot, standardisation, attention against SciPy and plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest
from scipy import special

import vires
import vires.nn as nn
import vires.numpy as np

X = onp.random.default_rng(0).normal(size=(3, 4, 5)) * 3


@pytest.mark.parametrize("axis", [-1, 0, (1, 2), None])
def test_softmax_and_logsumexp(axis: Any) -> None:
    x = np.asarray(X)
    onp.testing.assert_allclose(nn.softmax(x, axis), special.softmax(X, axis), rtol=1e-12)
    onp.testing.assert_allclose(nn.log_softmax(x, axis), special.log_softmax(X, axis), rtol=1e-10)
    onp.testing.assert_allclose(nn.logsumexp(x, axis), special.logsumexp(X, axis), rtol=1e-12)
    onp.testing.assert_allclose(
        nn.logsumexp(x, axis, keepdims=True), special.logsumexp(X, axis, keepdims=True)
    )
    onp.testing.assert_allclose(
        vires.jit(nn.logmeanexp, static_argnums=1)(x, axis),
        onp.log(onp.exp(X).mean(axis)),
        rtol=1e-9,
    )


def test_large_and_infinite_values() -> None:
    x = np.array([1e30, 0.0, -1e30])
    assert nn.softmax(x).tolist() == [1, 0, 0] and nn.logsumexp(x) == 1e30
    none = np.full(3, -onp.inf)
    assert float(nn.logsumexp(none)) == -onp.inf
    assert float(nn.logsumexp(np.array([onp.inf, 1.0]))) == onp.inf
    assert onp.isnan(float(nn.logsumexp(np.array([onp.nan, 1.0]))))
    assert float(nn.logsumexp(np.zeros(0))) == -onp.inf
    g = vires.grad(lambda x: nn.logsumexp(x))(np.array([1000.0, 0.0]))
    assert g.tolist() == [1, 0]


def test_signed_logsumexp() -> None:
    b = onp.random.default_rng(1).normal(size=X.shape)
    value, sign = nn.logsumexp(np.asarray(X), 1, np.asarray(b), return_sign=True)
    e, s = special.logsumexp(X, 1, b, return_sign=True)
    onp.testing.assert_allclose(value, e, rtol=1e-9)
    onp.testing.assert_array_equal(sign, s)
    assert float(nn.logsumexp(np.array([onp.inf, 1.0]), b=np.array([0.0, 1.0]))) == 1.0


def test_masks() -> None:
    mask = X > 0
    p = onp.asarray(nn.softmax(np.asarray(X), where=mask))
    e = onp.where(mask, onp.exp(X), 0)
    onp.testing.assert_allclose(p, e / e.sum(-1, keepdims=True), rtol=1e-12)
    q = onp.asarray(nn.log_softmax(np.asarray(X), where=mask))
    assert (q[~mask] == -onp.inf).all()
    onp.testing.assert_allclose(onp.exp(q), p, rtol=1e-10)


def test_gradients() -> None:
    x = np.asarray(X[0])
    g = vires.grad(lambda x: (nn.softmax(x) * np.arange(5.0)).sum())(x)
    p = special.softmax(X[0], -1)
    w = onp.arange(5.0)
    onp.testing.assert_allclose(g, p * (w - (p * w).sum(-1, keepdims=True)), rtol=1e-6, atol=1e-12)
    g = vires.grad(lambda x: nn.log_softmax(x)[:, 1].sum())(x)
    onp.testing.assert_allclose(g, onp.eye(5)[1] - p, rtol=1e-9, atol=1e-12)
    h = vires.hessian(nn.logsumexp)(x[0])
    onp.testing.assert_allclose(h, onp.diag(p[0]) - onp.outer(p[0], p[0]), rtol=1e-9, atol=1e-12)


def test_one_hot() -> None:
    onp.testing.assert_array_equal(
        nn.one_hot(np.array([2, 0, 5, -1]), 3), [[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    )
    assert nn.one_hot(np.array([[1]]), 2, dtype=np.int8, axis=0).shape == (2, 1, 1)
    assert nn.one_hot(1, 3).tolist() == [0, 1, 0]


@pytest.mark.parametrize("algorithm", ["fast", "two_pass"])
def test_standardize(algorithm: str) -> None:
    got = nn.standardize(np.asarray(X), (0, 2), algorithm=algorithm)
    center = X.mean((0, 2), keepdims=True)
    onp.testing.assert_allclose(
        got, (X - center) / onp.sqrt(X.var((0, 2), keepdims=True) + 1e-5), rtol=1e-9
    )


def attention(q: Any, k: Any, v: Any, allowed: Any = None, bias: Any = 0.0) -> Any:
    scores = onp.einsum("btnh,bsnh->bnts", q, k) / onp.sqrt(q.shape[-1]) + bias
    if allowed is not None:
        scores = onp.where(allowed, scores, -1e30)
    return onp.einsum("bnts,bsnh->btnh", special.softmax(scores, -1), v)


def test_attention() -> None:
    rng = onp.random.default_rng(0)
    q, k, v = (rng.normal(size=(2, n, 4, 8)) for n in (5, 6, 6))
    f = nn.dot_product_attention
    onp.testing.assert_allclose(f(q, k, v), attention(q, k, v), rtol=1e-9)
    bias = rng.normal(size=(1, 4, 5, 6))
    onp.testing.assert_allclose(f(q, k, v, bias), attention(q, k, v, bias=bias), rtol=1e-9)
    mask = rng.random((2, 1, 5, 6)) > 0.3
    mask[..., 0] = True
    onp.testing.assert_allclose(f(q, k, v, mask=mask), attention(q, k, v, mask), rtol=1e-9)
    causal = onp.tril(onp.ones((5, 6), bool))
    onp.testing.assert_allclose(f(q, k, v, is_causal=True), attention(q, k, v, causal), rtol=1e-9)
    onp.testing.assert_allclose(vires.jit(f)(q, k, v), attention(q, k, v), rtol=1e-9)
    lengths = onp.array([3, 6])
    inside = onp.arange(6)[None, None, None, :] < lengths[:, None, None, None]
    onp.testing.assert_allclose(
        f(q, k, v, key_value_seq_lengths=lengths), attention(q, k, v, inside), rtol=1e-9
    )
    window = abs(onp.arange(5)[:, None] - onp.arange(6)[None]) <= 1
    onp.testing.assert_allclose(
        f(q, k, v, local_window_size=1), attention(q, k, v, window), rtol=1e-9
    )
    shared = f(q, k[:, :, :2], v[:, :, :2])
    onp.testing.assert_allclose(
        shared, attention(q, k[:, :, [0, 0, 1, 1]], v[:, :, [0, 0, 1, 1]]), rtol=1e-9
    )
    onp.testing.assert_allclose(f(q[0], k[0], v[0]), attention(q, k, v)[0], rtol=1e-9)
    with pytest.raises(ValueError, match="dot_product_attention: needs"):
        f(q, k[..., :3], v)
