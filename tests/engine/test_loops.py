"""Loops and branches inside compiled programs: in memory and in registers."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as onp
import pytest
from compiled import run, staged

import vires
import vires.numpy as np
from vires import lax
from vires.engine.llvm.control import own_outputs
from vires.engine.llvm.pipeline import lower, lower_region

RNG = onp.random.default_rng(1)


def normal(*shape):
    return RNG.standard_normal(shape).astype("float32")


def in_registers(function, *arrays):
    """Whether the loop of a function became a kernel."""
    builder, region, results = lower(staged(function, *arrays))
    own_outputs(builder, region, results)
    lower_region(builder, region)
    return any("kernel" in getattr(step, "params", {}) for step in region.steps)


@pytest.mark.parametrize("length", [0, 1, 2, 7])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [2, 100])
def test_scan(length, reverse, size):
    x, xs = normal(size), normal(length, size)

    def step(c, x):
        n = c * 0.5 + x * x
        return n, (np.sin(n), c)

    run(lambda x, xs: [c := lax.scan(step, x, xs, reverse=reverse), c[0], *c[1]][1:], x, xs)


@pytest.mark.parametrize("size", [3, 100])
def test_carries_that_cannot_share_memory(size):
    x, xs = normal(size), normal(5, size)
    run(
        lambda x, xs: [
            *(r := lax.scan(lambda c, x: ((c[1], c[0] + x), c[0]), (x, -x), xs))[0],
            r[1],
        ],
        x,
        xs,
    )
    run(lambda x, xs: lax.scan(lambda c, x: (c[::-1] + x, c), x, xs), x, xs)
    run(lambda x: lax.fori_loop(0, 7, lambda i, c: np.roll(c, 1) * 0.5 + c, x), x)


@pytest.mark.parametrize("size", [1, 64])
def test_while(size):
    x = onp.abs(normal(size))
    run(lambda x: lax.while_loop(lambda c: c.sum() < 100.0, lambda c: c * 1.5 + 1, x), x)
    run(lambda x: lax.while_loop(lambda c: c.sum() < 0.0, lambda c: c * 1.5 + 1, x), x)
    run(lambda x: lax.while_loop(lambda c: c[1] < 9, lambda c: (c[0] * 2, c[1] + 1), (x, 0)), x)


def test_tiny_loops_live_in_registers():
    def rotate(s, _):
        return np.stack([s[0] * 0.9 - s[1] * 0.1, s[1] * 0.9 + s[0] * 0.1, s.sum()]), s

    s = normal(3)

    def f(s):
        return lax.scan(rotate, s, None, length=50)

    assert in_registers(f, s)
    run(f, s, rtol=1e-3)

    def turn(i, s):
        return s @ np.outer(s, s) * 0.1 + s.at[i % 3].get(mode="clip")

    assert in_registers(lambda s: lax.fori_loop(0, 9, turn, s), s)
    run(lambda s: lax.fori_loop(0, 5, turn, s), s, rtol=1e-3)


def test_elementwise_loops_are_turned_inside_out():
    def mandelbrot(cx, cy):
        def step(i, s):
            x, y, n = s
            inside = x * x + y * y < 4
            return (
                np.where(inside, x * x - y * y + cx, x),
                np.where(inside, 2 * x * y + cy, y),
                n + inside,
            )

        zero = np.zeros_like(cx)
        return lax.fori_loop(0, 30, step, (zero, zero, np.zeros(cx.shape, np.int32)))[2]

    x, y = onp.meshgrid(onp.linspace(-2, 1, 37, dtype="f"), onp.linspace(-1.5, 1.5, 41, dtype="f"))
    assert in_registers(mandelbrot, x, y)
    run(mandelbrot, x, y)
    # A neighbour is needed: no.
    assert not in_registers(lambda x: lax.fori_loop(0, 3, lambda i, u: u + np.roll(u, 1, 0), x), x)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
@pytest.mark.parametrize("size", [1, 15, 16, 63, 64, 65, 129, 1040, 4127])
def test_vectors_that_run_together(dtype, size):
    """Any number of elements: the last vectors overlap those before, or are masked."""
    start = (onp.arange(size) % 11 - 5).astype(dtype)

    def turns(x, y):
        return lax.fori_loop(0, 9, lambda i, s: (s[1] - s[0], s[0] + y), (x, y))

    def until(x):
        def more(s):
            return (s[0] < 20) & (s[1] < 9)

        return lax.while_loop(more, lambda s: (s[0] + x + 3, s[1] + 1), (x, 0))

    out = vires.jit(turns)(start, start[::-1])
    x, y = start, start[::-1]
    for _ in range(9):
        x, y = y - x, x + start[::-1]
    onp.testing.assert_array_equal(out[0], x)
    onp.testing.assert_array_equal(out[1], y)
    total, count = vires.jit(vires.vmap(until))(start)
    expected, n = start.copy(), onp.zeros(size, int)
    for _ in range(9):
        going = expected < 20
        expected = onp.where(going, expected + start + onp.array(3, dtype), expected)
        n += going
    onp.testing.assert_array_equal(total, expected)
    onp.testing.assert_array_equal(count, n)


def test_updates_in_place():
    def fill(buffer):
        return lax.fori_loop(0, buffer.shape[0], lambda i, b: b.at[i].set(b[i] * 2 + i), buffer)

    run(fill, normal(100))

    def history(x):
        def step(i, s):
            x, rows = s
            return x * 0.5 + 1, rows.at[i].set(x)

        return lax.fori_loop(0, 20, step, (x, np.zeros((20, *x.shape))))

    run(history, normal(30))


@pytest.mark.parametrize("index", [-1, 0, 1, 2, 9])
def test_switch(index):
    branches = [lambda x: np.sin(x), lambda x: x, lambda x: x.sum() + 0 * x]
    run(lambda i, x: lax.switch(i, branches, x), onp.int32(index), normal(5))


def test_nested_control_flow():
    w = normal(30, 30) * 0.1

    def outer(c, x):
        d = lax.fori_loop(0, 3, lambda i, d: np.tanh(d @ w) + x, c)
        d = lax.cond(d.sum() > 0, lambda d: d, lambda d: d * d, d)
        return lax.while_loop(lambda d: np.abs(d).max() > 1, lambda d: d * 0.7, d), d

    run(lambda c, xs: lax.scan(outer, c, xs), normal(30), normal(6, 30), rtol=1e-4)


def test_gradients_through_loops():
    w, x = normal(6, 6) * 0.3, normal(6)

    def loss(w, x):
        final, ys = lax.scan(lambda c, _: (np.tanh(w @ c), c.sum()), x, None, length=8)
        return (final**2).sum() + ys.sum()

    run(lambda w, x: vires.grad(loss, (0, 1))(w, x), w, x, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.parametrize("size", [1, 50])
def test_a_signal_stops_a_long_loop(size):
    f = vires.jit(
        lambda x: lax.while_loop(lambda c: c.sum() > -1.0, lambda c: np.abs(np.sin(c)), x)
    )
    x = np.ones(size)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        f(x)
    assert time.monotonic() - begin < 30
