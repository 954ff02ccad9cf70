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
from vires.engine.llvm import machine
from vires.engine.llvm.control import own_outputs
from vires.engine.llvm.pipeline import lower, lower_region
from vires.engine.llvm.program import Kernel

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


def kernels(function, *arrays):
    """The scheduled kernels of a function, those of loops in registers included."""
    builder, region, results = lower(staged(function, *arrays))
    own_outputs(builder, region, results)
    lower_region(builder, region)
    return [
        step if isinstance(step, Kernel) else step.params["kernel"]
        for step in region.steps
        if isinstance(step, Kernel) or "kernel" in step.params
    ]


def first_above(x, wanted):
    """Carries four values of which the caller picks some."""

    def step(s):
        value, turns = s[:2]
        going = value < 9
        chosen = [
            np.where(going, new, old)
            for new, old in zip((value + x, turns + 1, value, value + 2 * x), s, strict=True)
        ]
        return tuple(chosen)

    start = (x, np.zeros(x.shape, np.int32), x * 0, x * 0)
    last = lax.while_loop(lambda s: np.any(s[0] < 9), step, start)
    return [last[i] for i in wanted]


@pytest.mark.parametrize("wanted", [(0,), (1,), (3,), (2, 0), (3, 1), (0, 1, 2, 3)])
@pytest.mark.parametrize("size", [17, 1000])
def test_last_values_that_nobody_reads_are_not_written(wanted, size):
    x = onp.abs(normal(size)) + onp.float32(0.5)
    (turns,) = [k.turns for k in kernels(lambda x: first_above(x, wanted), x) if k.turns]
    assert len(turns.targets) == len(wanted)
    value, count = x.copy(), onp.zeros(size, onp.int32)
    low, high = x * 0, x * 0
    while (going := value < 9).any():
        count += going
        low, high = onp.where(going, value, low), onp.where(going, value + 2 * x, high)
        value = onp.where(going, value + x, value)
    expected = (value, count, low, high)
    for found, i in zip(vires.jit(first_above, static_argnums=1)(x, wanted), wanted, strict=True):
        onp.testing.assert_array_equal(found, expected[i])


@pytest.mark.parametrize("wanted", [(0,), (1,), (1, 0)])
def test_a_scan_of_which_some_carries_are_wanted(wanted):
    x = normal(100)

    def f(x):
        last, _ = lax.scan(lambda s, _: ((s[0] + s[1], s[1] * 0.5), None), (x, x + 1), None, 7)
        return [last[i] for i in wanted]

    (turns,) = [k.turns for k in kernels(f, x) if k.turns]
    assert len(turns.targets) == len(wanted)
    run(f, x)


def test_words_of_random_keys_fill_the_registers():
    """Keys of 64 bits are taken apart for many operations on 32: those decide the lanes."""
    words = onp.array([3, 4], "uint32")
    full = machine.host().vector_bytes // 4

    def draw(one, words):
        keys = vires.random.split(vires.random.wrap_key_data(words), 1000)
        return vires.vmap(one)(keys)

    def second(key):
        return vires.random.uniform(vires.random.split(key)[1])

    assert [k.lanes for k in kernels(lambda x: draw(second, x), words)] == [full]
    gamma = kernels(lambda x: draw(lambda key: vires.random.gamma(key, 2.0), x), words)
    assert [k.lanes for k in gamma if k.turns] == [full]

    def largest(x):
        return draw(second, x).reshape(250, 4).max(1)

    assert [k.lanes for k in kernels(largest, words)] == [full]
    # Where much of the work is on 64 bits, or where lanes decide what is added first: fewer.
    assert next(k.lanes for k in kernels(lambda x: draw(second, x).sum(), words)) == full // 2
    x = onp.arange(1000.0)
    assert [k.lanes for k in kernels(lambda x: np.sin(x).astype(np.float32) * 2, x)] == [full // 2]


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 1000])
def test_draws_do_not_depend_on_lanes(size):
    """Each element as it comes alone, whatever vector it is in."""
    keys = vires.random.split(vires.random.key(5), size)
    a = np.linspace(0.3, 4, size)
    draw = vires.jit(vires.vmap(vires.random.gamma))
    one = vires.jit(vires.random.gamma)
    expected = [onp.asarray(one(keys[i], a[i])) for i in range(size)]
    onp.testing.assert_array_equal(draw(keys, a), onp.array(expected, "float32"))


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
