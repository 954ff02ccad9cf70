"""Elementwise programs and programs of rows."""

from __future__ import annotations

import numpy as onp

from workloads import Library, normal, workload


def _plane(random):
    return onp.ones((5000, 5000), onp.float32), onp.arange(5000, dtype=onp.float32)


@workload(_plane)
def sincos_5000(L: Library):
    return L.lib.jit(lambda x, y: L.np.sin(x) + L.np.cos(y))


@workload(lambda random: _plane(random)[:1], counted=False)
def copy_5000(L: Library):
    """A pass over as many bytes as sincos_5000 reads and writes; NumPy copies them."""
    return L.lib.jit(lambda x: x + 1)


@workload(_plane, eager=True)
def sincos_5000_eager(L: Library):
    return lambda x, y: L.np.sin(x) + L.np.cos(y)


@workload(lambda random: (onp.linspace(0.1, 10.0, 400, dtype=onp.float32),))
def vmap_grad_sinc(L: Library):
    def sinc(x):
        return L.np.sin(x) / x

    return L.lib.jit(L.lib.vmap(L.lib.grad(L.lib.grad(sinc))))


def _options(random):
    ranges = ((5.0, 30.0), (1.0, 100.0), (0.25, 10.0))
    return tuple(random.uniform(a, b, 4_000_000).astype(onp.float32) for a, b in ranges)


@workload(_options)
def black_scholes_4m(L: Library):
    np = L.np
    volatility, rate = 0.3, 0.02

    def cumulative(x):
        return 0.5 + 0.5 * L.lax.erf(x * onp.float32(onp.sqrt(0.5)))

    def prices(spot, strike, years):
        spread = volatility * np.sqrt(years)
        d1 = (np.log(spot / strike) + (rate + volatility**2 / 2) * years) / spread
        discounted = strike * np.exp(-rate * years)
        call = spot * cumulative(d1) - discounted * cumulative(d1 - spread)
        return call, call - spot + discounted

    return L.lib.jit(prices)


def _mandelbrot_plane(random):
    x, y = onp.meshgrid(onp.linspace(-2.0, 1.0, 800), onp.linspace(-1.5, 1.5, 800))
    return x.astype(onp.float32), y.astype(onp.float32)


@workload(_mandelbrot_plane)
def mandelbrot(L: Library):
    np = L.np

    def escape_times(cx, cy):
        def step(i, state):
            x, y, count = state
            inside = x * x + y * y < 4.0
            new_x = np.where(inside, x * x - y * y + cx, x)
            new_y = np.where(inside, 2.0 * x * y + cy, y)
            return new_x, new_y, count + inside

        zero = np.zeros_like(cx)
        start = (zero, zero, np.zeros(cx.shape, np.int32))
        return L.lax.fori_loop(0, 100, step, start)[2]

    return L.lib.jit(escape_times)


@workload(lambda random: (normal(random, 4096, 1024),))
def softmax_4096x1024(L: Library):
    return L.lib.jit(lambda x: L.nn.softmax(x, axis=-1))


@workload(lambda random: (normal(random, 4096, 512), onp.ones(512, onp.float32)))
def layernorm_grad(L: Library):
    np = L.np

    def total(x, gain):
        centered = x - np.mean(x, -1, keepdims=True)
        variance = np.mean(centered**2, -1, keepdims=True)
        return np.sum(np.tanh(centered / np.sqrt(variance + 1e-5) * gain))

    return L.lib.jit(L.lib.grad(total, (0, 1)))
