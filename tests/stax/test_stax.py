"""Layers: shapes, values against NumPy, initial parameters, combination, keys, messages."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires import nn, random, stax, tree_util

X = np.asarray(random.normal(random.key(0), (6, 4)))
IMAGES = np.asarray(random.normal(random.key(1), (2, 7, 8, 3)))


def initialised(layer: Any, shape: Any, seed: int = 7) -> tuple[Any, Any]:
    return layer[0](random.PRNGKey(seed), shape)


# --- initial parameters: recorded from JAX 0.10.2 for PRNGKey(7)

INITIAL = json.loads(gzip.decompress((Path(__file__).parent / "initial.json.gz").read_bytes()))
NETWORKS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "dense": (stax.Dense(3), (-1, 4)),
    "serial": (stax.serial(stax.Dense(3), stax.Relu, stax.Dense(2)), (-1, 4)),
    "parallel": (
        stax.serial(
            stax.FanOut(2), stax.parallel(stax.Dense(2), stax.Dense(2)), stax.FanInSum
        ),
        (-1, 3),
    ),
    "conv": (stax.Conv(2, (2, 2)), (1, 3, 3, 2)),
    "conv_transpose": (stax.ConvTranspose(2, (2, 2), (2, 2)), (1, 3, 3, 2)),
    "conv1d_transpose": (stax.Conv1DTranspose(2, (2,)), (1, 3, 2)),
    "general": (stax.GeneralConv(("NCHW", "OIHW", "NCHW"), 2, (2, 1)), (1, 2, 3, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", INITIAL)
def test_initial_parameters(name: str) -> None:
    leaves = tree_util.tree_leaves(initialised(*NETWORKS[name])[1])
    assert len(leaves) == len(INITIAL[name])
    for got, (shape, values) in zip(leaves, INITIAL[name], strict=True):
        assert got.shape == tuple(shape) and got.dtype == np.float32
        np.testing.assert_allclose(np.asarray(got).ravel(), values, rtol=1e-6, atol=1e-7)


def test_key_may_be_left_out_or_typed() -> None:
    init, _ = stax.serial(stax.Dense(3), stax.Dense(2))
    default = init((-1, 4))
    for other in (
        init(random.PRNGKey(0), (-1, 4)),
        init(random.key(0), (-1, 4)),
        init(input_shape=(-1, 4)),
        init(rng=random.key(0), input_shape=(-1, 4)),
    ):
        assert other[0] == default[0]
        for a, b in zip(*map(tree_util.tree_leaves, (other[1], default[1])), strict=True):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_wrong_number_of_arguments() -> None:
    with pytest.raises(
        TypeError, match=r"net_init: needs \(key, input_shape\) or \(input_shape\); "
    ):
        stax.Dense(3)[0]()


# --- values


def test_dense() -> None:
    shape, (W, b) = initialised(stax.Dense(3), (-1, 4))
    assert shape == (-1, 3)
    got = stax.Dense(3)[1]((W, b), vnp.asarray(X))
    np.testing.assert_allclose(np.asarray(got), X @ np.asarray(W) + np.asarray(b), rtol=1e-5)


def test_dense_with_initializers() -> None:
    layer = stax.Dense(3, nn.initializers.ones, nn.initializers.zeros)
    _, (W, b) = initialised(layer, (4,))
    np.testing.assert_array_equal(np.asarray(W), np.ones((4, 3)))
    np.testing.assert_array_equal(np.asarray(b), np.zeros(3))


ELEMENTWISE = {
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0),
    "Exp": np.exp,
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "LeakyRelu": lambda x: np.where(x > 0, x, 0.01 * x),
    "Selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "Gelu": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "Softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "LogSoftmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    "Identity": lambda x: x,
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_layers(name: str) -> None:
    layer = getattr(stax, name)
    assert initialised(layer, (-1, 4)) == ((-1, 4), ())
    got = np.asarray(layer[1]((), vnp.asarray(X)))
    np.testing.assert_allclose(got, ELEMENTWISE[name](X.astype(float)), rtol=2e-6, atol=2e-7)


def test_flatten() -> None:
    assert initialised(stax.Flatten, (-1, 7, 8, 3)) == ((-1, 168), ())
    assert stax.Flatten[1]((), vnp.asarray(IMAGES)).shape == (2, 168)


@pytest.mark.parametrize("kwargs", [{}, {"center": False}, {"scale": False}, {"axis": (0, 1)}])
def test_batch_norm(kwargs: dict[str, Any]) -> None:
    layer = stax.BatchNorm(**kwargs)
    shape, (beta, gamma) = initialised(layer, IMAGES.shape)
    axes = kwargs.get("axis", (0, 1, 2))
    features = tuple(n for i, n in enumerate(IMAGES.shape) if i not in axes)
    assert shape == IMAGES.shape
    assert beta == () if "center" in kwargs else beta.shape == features
    assert gamma == () if "scale" in kwargs else gamma.shape == features
    params = tree_util.tree_map(lambda p: p + 0.5, (beta, gamma))
    wide = IMAGES.astype(float)
    z = (wide - wide.mean(axes, keepdims=True)) / np.sqrt(wide.var(axes, keepdims=True) + 1e-5)
    kept = tuple(1 if i in axes else n for i, n in enumerate(IMAGES.shape))
    if "scale" not in kwargs:
        z = z * np.asarray(params[1]).reshape(kept)
    if "center" not in kwargs:
        z = z + np.asarray(params[0]).reshape(kept)
    got = np.asarray(layer[1](params, vnp.asarray(IMAGES)))
    np.testing.assert_allclose(got, z, rtol=1e-4, atol=1e-5)


def padded(x: np.ndarray, window: Any, strides: Any, padding: str, fill: float) -> np.ndarray:
    if padding == "VALID":
        return x
    pads = []
    for size, w, s in zip(x.shape[1:3], window, strides, strict=True):
        total = max((-(-size // s) - 1) * s + w - size, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)


def windows(x: np.ndarray, window: Any, strides: Any) -> np.ndarray:
    view = np.lib.stride_tricks.sliding_window_view(x, window, axis=(1, 2))
    return view[:, :: strides[0], :: strides[1]]


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("strides", [None, (2, 3)])
@pytest.mark.parametrize("name", ["MaxPool", "SumPool", "AvgPool"])
def test_pooling(name: str, strides: Any, padding: str) -> None:
    window, steps = (3, 2), strides or (1, 1)
    layer = getattr(stax, name)(window, strides, padding)
    shape, params = initialised(layer, (-1, *IMAGES.shape[1:]))
    got = np.asarray(layer[1](params, vnp.asarray(IMAGES)))
    assert params == () and shape == (-1, *got.shape[1:])
    fill = {"MaxPool": -np.inf, "SumPool": 0.0, "AvgPool": np.nan}[name]
    reduce = {"MaxPool": np.max, "SumPool": np.sum, "AvgPool": np.nanmean}[name]
    wanted = reduce(windows(padded(IMAGES, window, steps, padding, fill), window, steps), (-2, -1))
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    moved = getattr(stax, name)(window, strides, padding, spec="NCHW")
    other = moved[1]((), vnp.asarray(IMAGES.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(np.asarray(other).transpose(0, 2, 3, 1), got, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("strides", [None, (2, 1)])
def test_convolution(strides: Any, padding: str) -> None:
    layer = stax.Conv(5, (3, 2), strides, padding)
    shape, (W, b) = initialised(layer, (-1, *IMAGES.shape[1:]))
    assert W.shape == (3, 2, 3, 5) and b.shape == (1, 1, 1, 5)
    got = np.asarray(layer[1]((W, b), vnp.asarray(IMAGES)))
    steps = strides or (1, 1)
    view = windows(padded(IMAGES, (3, 2), steps, padding, 0.0), (3, 2), steps)
    wanted = np.einsum("nhwcij,ijco->nhwo", view, np.asarray(W)) + np.asarray(b)
    assert shape == (-1, *wanted.shape[1:])
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_convolution_of_sequences() -> None:
    layer = stax.Conv1D(4, (3,), padding="SAME")
    shape, params = initialised(layer, (-1, 9, 2))
    assert shape == (-1, 9, 4)
    assert layer[1](params, vnp.ones((5, 9, 2))).shape == (5, 9, 4)


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
def test_transposed_convolution_spreads_each_input(padding: str) -> None:
    layer = stax.Conv1DTranspose(2, (3,), (3,), padding)
    shape, (W, b) = initialised(layer, (1, 4, 2))
    x = np.asarray(random.normal(random.key(3), (1, 4, 2)))
    got = np.asarray(layer[1]((W, b), vnp.asarray(x)))
    # A window that slides over the spread inputs meets its filter from the far end.
    wanted = np.einsum("nic,kco->niko", x, np.asarray(W)[::-1]).reshape(1, 12, 2) + np.asarray(b)
    assert shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


# --- combination


def test_serial_and_parallel_against_their_parts() -> None:
    first, second = stax.Dense(3), stax.Dense(3)
    net = stax.serial(
        stax.FanOut(3),
        stax.parallel(first, stax.serial(second, stax.Tanh), stax.Identity),
        stax.FanInConcat(),
    )
    shape, params = initialised(net, (-1, 4))
    assert shape == (-1, 10)
    x = vnp.asarray(X)
    a = first[1](params[1][0], x)
    b = vnp.tanh(second[1](params[1][1][0], x))
    wanted = np.concatenate([np.asarray(a), np.asarray(b), X], -1)
    np.testing.assert_allclose(np.asarray(net[1](params, x)), wanted, rtol=1e-6)


def test_fan_in_sum() -> None:
    net = stax.serial(stax.FanOut(2), stax.FanInSum)
    assert initialised(net, (-1, 4))[0] == (-1, 4)
    np.testing.assert_array_equal(np.asarray(net[1]([(), ()], vnp.asarray(X))), 2 * X)


def test_shape_dependent() -> None:
    layer = stax.shape_dependent(lambda shape: stax.Dense(2 * shape[-1]))
    shape, params = initialised(layer, (-1, 4))
    assert shape == (-1, 8)
    assert layer[1](params, vnp.asarray(X)).shape == (6, 8)


def test_elementwise_of_a_function_with_options() -> None:
    layer = stax.elementwise(vnp.clip, min=-0.5, max=0.5)
    np.testing.assert_array_equal(np.asarray(layer[1]((), vnp.asarray(X))), X.clip(-0.5, 0.5))


def test_dropout() -> None:
    ones = vnp.ones((50, 40))
    _, apply = stax.Dropout(0.7)
    kept = np.asarray(apply((), ones, rng=random.key(0)))
    assert set(np.unique(kept)) == {0, np.float32(1 / 0.7)}
    assert abs((kept > 0).mean() - 0.7) < 0.03
    test_mode = stax.Dropout(0.7, mode="test")[1]((), ones)
    np.testing.assert_array_equal(np.asarray(test_mode), 1)


def test_dropout_in_a_network_draws_for_each_layer() -> None:
    net = stax.serial(
        stax.FanOut(2), stax.parallel(stax.Dropout(0.5), stax.Dropout(0.5)), stax.FanInConcat()
    )
    _, params = initialised(net, (-1, 40))
    out = np.asarray(net[1](params, vnp.ones((1, 40)), rng=random.key(0)))[0]
    assert (out[:40] != out[40:]).any()
    again = net[1](params, vnp.ones((1, 40)), rng=random.key(0))
    np.testing.assert_array_equal(np.asarray(again)[0], out)


def test_network_compiles_differentiates_and_vectorises() -> None:
    net_init, net_apply = stax.serial(
        stax.Conv(4, (3, 3), padding="SAME"), stax.BatchNorm(), stax.Relu,
        stax.MaxPool((2, 2), (2, 2)), stax.Flatten, stax.Dense(3), stax.LogSoftmax,
    )  # fmt: skip
    shape, params = net_init((-1, 7, 8, 3))
    assert shape == (-1, 3)
    x = vnp.asarray(IMAGES)

    def loss(params: Any) -> Any:
        return -net_apply(params, x)[:, 0].mean()

    np.testing.assert_allclose(vires.jit(loss)(params), loss(params), rtol=1e-5)
    gradients = vires.jit(vires.grad(loss))(params)
    smaller = tree_util.tree_map(lambda p, g: p - 0.01 * g, params, gradients)
    assert loss(smaller) < loss(params)
    dense_init, dense_apply = stax.Dense(3)
    keys = random.split(random.key(0), 5)
    many = vires.vmap(lambda key: dense_init(key, (-1, 4))[1])(keys)
    assert vires.vmap(dense_apply, (0, None))(many, vnp.asarray(X)).shape == (5, 6, 3)


def test_names_under_other_roofs() -> None:
    from vires.example_libraries import stax as second
    from vires.experimental import minmax
    from vires.experimental import stax as third

    assert second.Dense is third.Dense is stax.Dense
    assert set(stax.__all__) == set(second.__all__)
    assert minmax.adam is vires.minmax.adam
    assert set(minmax.__all__) == set(vires.minmax.__all__)


# --- messages


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: stax.Dense(3)[0](4), TypeError,
            "Dense: needs an input shape such as (-1, 4); got int",
        ),
        (
            lambda: stax.Dense(3)[0]((4, 2.5)), TypeError,
            "Dense: needs an input shape of ints such as (-1, 4); got (4, 2.5)",
        ),
        (
            lambda: stax.Dense(3)[0]((3, -1)), ValueError,
            "Dense: needs a known last size; got -1 in the input shape (3, -1)",
        ),
        (
            lambda: stax.Dense(3)[1]((vnp.ones((4, 3)), vnp.ones(3)), vnp.ones((2, 5))), ValueError,
            "Dense: needs inputs of last size 4; got float32[2,5]",
        ),
        (
            lambda: stax.Conv(3, (2, 2))[0]((-1, 4)), ValueError,
            "GeneralConv: needs an input shape of 4 dimensions; got (-1, 4)",
        ),
        (
            lambda: stax.Conv(3, (2, 2, 2)), ValueError,
            "GeneralConv: needs a filter of 2 dimensions for HWIO; got filter_shape (2, 2, 2)",
        ),
        (
            lambda: stax.Conv(3, (2, 2), (1,)), ValueError,
            "GeneralConv: needs 2 strides, one for each dimension of the filter; got (1,)",
        ),
        (
            lambda: stax.MaxPool((2, 2), (1,)), ValueError,
            "MaxPool: needs as many strides as the window has dimensions; got strides (1,) and "
            "window (2, 2)",
        ),
        (
            lambda: stax.AvgPool((2, 2), spec="NHW"), ValueError,
            "AvgPool: needs a spec of 4 letters with N and C, such as 'NHWC'; got 'NHW'",
        ),
        (
            lambda: stax.Dropout(0.5)[1]((), vnp.ones(3)), ValueError,
            "Dropout: needs a random key in mode 'train'; got none; "
            "try net_apply(params, inputs, rng=key)",
        ),
        (
            lambda: stax.Dropout(0), ValueError,
            "Dropout: needs a rate (of keeping) in (0, 1]; got 0",
        ),
        (
            lambda: stax.Dropout(0.5, "dev"), ValueError,
            "Dropout: needs mode 'train' or 'test'; got 'dev'",
        ),
        (
            lambda: stax.serial(stax.Dense(3), stax.Dense), TypeError,
            "serial: needs layers (pairs of functions); got Dense at position 1; try Dense(...)",
        ),
        (
            lambda: stax.parallel(stax.Relu, stax.Relu)[0]([(3,)]), ValueError,
            "parallel: needs 2 input shapes, one for each layer; got 1; try FanOut(2) before it",
        ),
        (
            lambda: stax.FanInSum[0]([(2, 3), (2, 4)]), ValueError,
            "FanInSum: needs inputs of one shape; got (2, 3), (2, 4)",
        ),
        (
            lambda: stax.FanInConcat()[0]([(2, 3), (4, 3)]), ValueError,
            "FanInConcat: needs inputs that agree but for axis -1; got (2, 3), (4, 3)",
        ),
        (
            lambda: stax.BatchNorm()[0]((3, 4)), ValueError,
            "BatchNorm: needs an input shape of 3 or more dimensions; got (3, 4)",
        ),
    ],
)  # fmt: skip
def test_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
