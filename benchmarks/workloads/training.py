"""Gradients and steps of training."""

from __future__ import annotations

import itertools

import numpy as onp

from workloads import Library, normal, workload


@workload(
    lambda random: (
        normal(random, 100),
        normal(random, 100_000, 100),
        random.integers(0, 2, 100_000).astype(onp.float32),
    )
)
def logreg_grad(L: Library):
    np = L.np

    def loss(weights, x, y):
        score = x @ weights
        return np.mean(np.logaddexp(0.0, score) - y * score)

    return L.lib.jit(L.lib.value_and_grad(loss))


def _mlp(random):
    sizes = [784, 512, 512, 10]
    layers = [
        (normal(random, a, b) / onp.float32(onp.sqrt(a)), onp.zeros(b, onp.float32))
        for a, b in itertools.pairwise(sizes)
    ]
    return layers, normal(random, 128, 784), random.integers(0, 10, 128).astype(onp.int32)


@workload(_mlp)
def mlp_train_step(L: Library):
    np = L.np

    def loss(layers, x, labels):
        *hidden, (last_weights, last_bias) = layers
        for weights, bias in hidden:
            x = L.nn.relu(x @ weights + bias)
        scores = L.nn.log_softmax(x @ last_weights + last_bias)
        return -np.mean(scores[np.arange(x.shape[0]), labels])

    def step(layers, x, labels):
        gradients = L.lib.grad(loss)(layers, x, labels)
        return L.lib.tree_util.tree_map(lambda p, g: p - 0.01 * g, layers, gradients)

    return L.lib.jit(step)


def _images(random):
    filters = {
        "first": 0.1 * normal(random, 3, 3, 1, 32),
        "last": 0.01 * normal(random, 7 * 7 * 64, 10),
        "second": 0.05 * normal(random, 3, 3, 32, 64),
    }
    return filters, normal(random, 64, 28, 28, 1), random.integers(0, 10, 64).astype(onp.int32)


@workload(_images)
def cnn_train_step(L: Library):
    np, lax = L.np, L.lax

    def layer(x, filters):
        layout = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, filters, (1, 1), "SAME", dimension_numbers=layout)
        window = (1, 2, 2, 1)
        return lax.reduce_window(L.nn.relu(x), -onp.inf, lax.max, window, window, "VALID")

    def loss(filters, x, labels):
        x = layer(layer(x, filters["first"]), filters["second"])
        scores = L.nn.log_softmax(x.reshape(x.shape[0], -1) @ filters["last"])
        return -np.mean(np.take_along_axis(scores, labels[:, None], 1))

    return L.lib.jit(L.lib.grad(loss))


def _sequence(random):
    width, batch, steps = 128, 32, 100
    scale = onp.float32(1.0 / 11.0)
    parameters = (
        scale * normal(random, width, 4 * width),
        scale * normal(random, width, 4 * width),
        onp.zeros(4 * width, onp.float32),
    )
    return parameters, normal(random, steps, batch, width)


@workload(_sequence)
def lstm_grad(L: Library):
    np = L.np

    def loss(parameters, xs):
        from_input, from_state, bias = parameters

        def cell(carry, x):
            hidden, memory = carry
            gates = x @ from_input + hidden @ from_state + bias
            enter, forget, new, leave = np.split(gates, 4, axis=1)
            memory = L.nn.sigmoid(forget) * memory + L.nn.sigmoid(enter) * np.tanh(new)
            hidden = L.nn.sigmoid(leave) * np.tanh(memory)
            return (hidden, memory), hidden

        zero = np.zeros((xs.shape[1], from_state.shape[0]))
        _, hidden = L.lax.scan(cell, (zero, zero), xs)
        return np.mean(hidden**2)

    return L.lib.jit(L.lib.grad(loss))


def _tokens(random):
    width = 256
    shapes = {
        "down": (4 * width, width),
        "key": (width, width),
        "out": (width, width),
        "query": (width, width),
        "up": (width, 4 * width),
        "value": (width, width),
    }
    weights = {k: normal(random, *s) / onp.float32(onp.sqrt(s[0])) for k, s in shapes.items()}
    return weights, normal(random, 8, 128, width)


@workload(_tokens)
def transformer_grad(L: Library):
    np = L.np
    heads = 4

    def normalize(x):
        mean = np.mean(x, -1, keepdims=True)
        return (x - mean) / np.sqrt(np.var(x, -1, keepdims=True) + 1e-5)

    def block(w, x):
        batch, length, width = x.shape
        split = lambda a: a.reshape(batch, length, heads, width // heads)
        y = normalize(x)
        query, key, value = split(y @ w["query"]), split(y @ w["key"]), split(y @ w["value"])
        weight = np.einsum("bqhd,bkhd->bhqk", query, key)
        weight = weight / onp.float32(onp.sqrt(width // heads))
        weight = np.where(np.tril(np.ones((length, length), bool)), weight, -1e9)
        mixed = np.einsum("bhqk,bkhd->bqhd", L.nn.softmax(weight), value)
        x = x + mixed.reshape(batch, length, width) @ w["out"]
        return x + L.nn.gelu(normalize(x) @ w["up"]) @ w["down"]

    return L.lib.jit(L.lib.grad(lambda w, x: np.mean(block(w, x) ** 2)))
