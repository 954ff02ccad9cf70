"""Workloads in NumPy and SciPy, where a user would write them so. Each takes a workload's inputs
and gives what to time, a function without arguments.
"""

from __future__ import annotations

import numpy as np


def sincos_5000(x, y):
    return lambda: np.sin(x) + np.cos(y)


sincos_5000_eager = sincos_5000


def copy_5000(x):
    """A copy of as many bytes as sincos_5000 reads and writes."""
    target = np.empty_like(x)

    def copy():
        np.copyto(target, x)
        return target

    return copy


def black_scholes_4m(spot, strike, years):
    from scipy.special import erf

    volatility, rate = np.float32(0.3), np.float32(0.02)

    def cumulative(x):
        return np.float32(0.5) + np.float32(0.5) * erf(x * np.float32(0.5**0.5))

    def prices():
        spread = volatility * np.sqrt(years)
        d1 = (np.log(spot / strike) + (rate + volatility**2 / 2) * years) / spread
        discounted = strike * np.exp(-rate * years)
        call = spot * cumulative(d1) - discounted * cumulative(d1 - spread)
        return call, call - spot + discounted

    return prices


def mandelbrot(cx, cy):
    def escape_times():
        x, y, count = np.zeros_like(cx), np.zeros_like(cx), np.zeros(cx.shape, np.int32)
        for _ in range(100):
            inside = x * x + y * y < 4
            x, y = (
                np.where(inside, x * x - y * y + cx, x),
                np.where(inside, 2 * x * y + cy, y),
            )
            count += inside
        return count

    return escape_times


def softmax_4096x1024(x):
    def softmax():
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    return softmax


def logreg_grad(weights, x, y):
    def value_and_gradient():
        score = x @ weights
        value = np.mean(np.logaddexp(np.float32(0), score) - y * score)
        slope = (1 / (1 + np.exp(-score)) - y) / np.float32(len(y))
        return value, slope @ x

    return value_and_gradient


def nbody_1000(place, speed):
    def simulate():
        x, v = place, speed
        for _ in range(10):
            apart = x[None] - x[:, None]
            squared = np.sum(apart * apart, -1) + np.float32(1e-2)
            v = v + np.float32(0.001) * np.sum(apart * (squared**-1.5)[..., None], 1)
            x = x + np.float32(0.001) * v
        return x, v

    return simulate


def kmeans(x):
    def clusters():
        centers = x[:32]
        for _ in range(10):
            far = np.sum(x * x, 1)[:, None] - 2 * x @ centers.T + np.sum(centers * centers, 1)
            nearest = np.argmin(far, 1)
            count = np.bincount(nearest, minlength=32).astype(np.float32)
            total = np.stack([np.bincount(nearest, column, 32) for column in x.T], 1)
            centers = (total / np.maximum(count, 1)[:, None]).astype(np.float32)
        return centers

    return clusters


def heat_stencil(start):
    def diffuse():
        u = start
        for _ in range(200):
            around = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1)
            u = u + np.float32(0.1) * (around - 4 * u)
        return u

    return diffuse


def sort_1m(x):
    return lambda: np.sort(x)


def argsort_1m(x):
    return lambda: np.argsort(x)


def cumsum_10m(x):
    return lambda: np.cumsum(x)


def histogram_scatter(places):
    return lambda: np.bincount(places, minlength=1000)


def gather_rows(table, rows):
    return lambda: np.sum(table[rows], 1)


def fft2_1024(x):
    import scipy.fft

    return lambda: np.abs(scipy.fft.fft2(x, workers=-1))


def random_normal_10m(key):
    generator = np.random.default_rng(0)
    return lambda: generator.standard_normal(10_000_000, dtype=np.float32)


def cholesky_solve(a, b):
    import scipy.linalg

    return lambda: scipy.linalg.cho_solve((np.linalg.cholesky(a), True), b)


def batched_small_solve(a, b):
    return lambda: np.linalg.solve(a, b)


def matmul_1024(a, b):
    return lambda: a @ b


def dispatch_small(start):
    def many():
        a = start
        for _ in range(1000):
            a = a + 1
        return a

    return many


def eager_small_ops(start, b):
    def many():
        a = start
        for _ in range(200):
            c = np.sin(a * b) + a
            a = np.where(c > 0, c, b) / np.float32(2)
        return a

    return many
