"""Scatters: divided among tasks, short and long rows, masked lanes; loops that update in place."""

from __future__ import annotations

import numpy as onp
import pytest
from compiled import staged

import vires
import vires.numpy as np
from vires import lax
from vires.engine.llvm.pipeline import arrange, lower
from vires.engine.llvm.program import Block, Kernel

RNG = onp.random.default_rng(5)
COUNT = 40_003


def indices(size, *shape):
    return RNG.integers(0, size, shape).astype("int32")


def compiled(function, *arrays):
    return onp.asarray(vires.jit(function)(*[np.array(x) for x in arrays]))


@pytest.mark.parametrize("dtype", ["int8", "int32", "float16", "float32", "float64", "complex64"])
def test_many_updates_of_few_elements(dtype):
    i = indices(50, COUNT)
    v = (RNG.integers(-3, 3, COUNT)).astype(dtype)
    start = onp.ones(50, dtype)
    wide = "float64" if dtype.startswith("f") else dtype
    expected = start.astype(wide)
    onp.add.at(expected, i, v.astype(wide))
    found = compiled(lambda x, i, v: x.at[i].add(v), start, i, v)
    assert found.dtype == start.dtype
    onp.testing.assert_array_equal(found, expected.astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_with_nan_and_signed_zeros(name, dtype):
    i = indices(50, COUNT)
    v = RNG.standard_normal(COUNT).astype(dtype)
    v[onp.isin(i, (1, 2)) & (onp.arange(COUNT) % 2 == 0)] = onp.nan
    v[i == 2] = onp.copysign(v[i == 2], -1)
    v[i == 3] = RNG.choice([0.0, -0.0], (i == 3).sum())
    v[i == 4] = -0.0 if name == "max" else 0.0
    edge = -onp.inf if name == "max" else onp.inf
    found = compiled(lambda i, v: getattr(np.full(50, edge, dtype).at[i], name)(v), i, v)
    expected = onp.full(50, edge, dtype)
    with onp.errstate(invalid="ignore"):
        (onp.maximum if name == "max" else onp.minimum).at(expected, i, v)
    onp.testing.assert_array_equal(found, expected)
    assert onp.signbit(found[3]) == (name == "min")
    assert onp.signbit(found[4]) == (name == "max")


@pytest.mark.parametrize("count", [3, 4001, COUNT])
@pytest.mark.parametrize("width", [1, 2, 3, 5, 7, 8, 9, 17, 64])
def test_rows(count, width):
    i, v = indices(70, count), RNG.integers(-9, 9, (count, width)).astype("float32")
    inside = i < 50
    added, placed = onp.ones((50, width), "float32"), onp.ones((50, width), "float32")
    onp.add.at(added, i[inside], v[inside])
    placed[i[inside]] = v[inside]
    ones = onp.ones((50, width), "float32")
    drop = {"mode": "drop"}
    found = compiled(lambda x, i, v: x.at[i].add(v, **drop), ones, i, v)
    onp.testing.assert_array_equal(found, added)
    found = compiled(lambda x, i, v: x.at[i].set(v, **drop), ones, i, v)
    onp.testing.assert_array_equal(found, placed)
    found = compiled(lambda x, i, v: x.at[:, i].add(v.T, **drop), ones.T, i, v)
    onp.testing.assert_array_equal(found, added.T)


def test_batches_and_indices_of_two_axes():
    i = indices(30, 100, 700)
    found = compiled(vires.vmap(lambda i: np.zeros(30).at[i].add(1.0)), i)
    onp.testing.assert_array_equal(found, [onp.bincount(x, minlength=30) for x in i])
    i, j = indices(8, COUNT), indices(9, COUNT)
    found = compiled(lambda i, j: np.zeros((8, 9), np.int32).at[i, j].add(1), i, j)
    onp.testing.assert_array_equal(found.ravel(), onp.bincount(i * 9 + j, minlength=72))


def test_negative_zeros_stay():
    i = indices(10, COUNT)
    found = compiled(lambda i: np.full(10, -0.0).at[i].add(-0.0), i)
    assert onp.signbit(found).all()


def test_the_same_bits_for_any_number_of_threads():
    i, v = indices(90, 200_000), RNG.standard_normal(200_000).astype("float32")
    rows = RNG.standard_normal((40_000, 3)).astype("float32")
    functions = [
        lambda i, v, rows: np.zeros(90).at[i].add(v),
        lambda i, v, rows: np.zeros((90, 3)).at[i[:40_000]].add(rows),
        lambda i, v, rows: np.zeros(90).at[i].max(v),
    ]
    for function in functions:
        found = set()
        for count in (1, 2, 3):
            with vires.threads(count):
                found.add(compiled(function, i, v, rows).tobytes())
        assert len(found) == 1


def test_updates_that_read_what_they_overwrite():
    x, i = RNG.standard_normal(COUNT).astype("float32"), RNG.permutation(COUNT).astype("int32")
    found = compiled(lambda x, i: x.at[i].set(x[::-1]), x, i)
    expected = x.copy()
    expected[i] = x[::-1]
    onp.testing.assert_array_equal(found, expected)
    found = compiled(lambda x: lax.dynamic_update_slice(x, x[:-1] * 2, (1,)), x)
    onp.testing.assert_array_equal(found, onp.concatenate([x[:1], x[:-1] * 2]))


LOOPS = {
    "set": lambda i, x: x.at[i].set(1.0),
    "add": lambda i, x: x.at[i].add(x[i + 1]),
    "swap": lambda i, x: x.at[i].set(x[i + 1]).at[i + 1].set(x[i]),
    "slice": lambda i, x: lax.dynamic_update_slice(x, np.ones(3) * i, (i,)),
    "cond": lambda i, x: lax.cond(i % 2 == 0, lambda x: x.at[i].add(1.0), lambda x: x, x),
    "nested": lambda i, x: lax.fori_loop(0, 3, lambda j, x: x.at[i + j].add(1.0), x),
}


def large_steps(region, size):
    """Kernels and copies in a region that touch a whole array of some size."""
    found = []
    for step in region.steps:
        if isinstance(step, Kernel):
            found += [step] if any(v.size >= size for v in step.order) else []
            continue
        carries = step.params.get("carries", ())
        found += [c for c in carries if c.spare is not None and c.inside.size >= size]
        found += [
            c
            for c in carries
            if c.inside.size >= size and c.init.buffer.find() is not c.result.buffer.find()
        ]
        if step.kind in ("update_slice", "scatter"):
            old, new = step.operands[0].buffer, step.results[0].buffer
            found += [step] if old.find() is not new.find() else []
        found += [x for inner in step.regions for x in large_steps(inner, size)]
    return found


@pytest.mark.parametrize("name", LOOPS)
def test_loops_update_in_place(name):
    body = LOOPS[name]

    def function(x):
        return lax.fori_loop(0, 20, body, x)

    x = RNG.standard_normal(1000).astype("float32")
    builder, region, results = lower(staged(function, x))[:3]
    arranged = arrange(builder, region, results, "test", ())
    (loop,) = [s for s in arranged.region.steps if isinstance(s, Block)]
    assert not [x for inner in loop.regions for x in large_steps(inner, 1000)]
    expected = np.array(x)
    for i in range(20):
        expected = body(i, expected)
    onp.testing.assert_allclose(compiled(function, x), expected, rtol=1e-6)


def test_elementwise_loops_stop_for_each_vector():
    x = onp.arange(1, 5001, dtype="int32")

    def steps(n):
        def turn(state):
            n, count = state
            return np.where(n % 2 == 0, n // 2, 3 * n + 1), count + 1

        return lax.while_loop(lambda state: state[0] != 1, turn, (n, 0))[1]

    def reference(n):
        count = 0
        while n != 1:
            n, count = (n // 2 if n % 2 == 0 else 3 * n + 1), count + 1
        return count

    found = compiled(vires.vmap(steps), x)
    onp.testing.assert_array_equal(found, [reference(int(n)) for n in x])

    # A count of turns that all elements share is kept.
    def shared(x):
        def turn(state):
            x, count = state
            return np.where(x < 100, x * 2, x), count + 1

        return lax.while_loop(lambda state: np.any(state[0] < 100), turn, (x, 0))

    doubled, count = vires.jit(shared)(np.array(x))
    assert int(count) == 7
    onp.testing.assert_array_equal(doubled, [reference_double(int(n)) for n in x])

    # So is what changes although its own test does not hold any more.
    def unmasked(x):
        return lax.while_loop(lambda x: np.any(x < 100), lambda x: x + 1, x)

    onp.testing.assert_array_equal(compiled(unmasked, x), x + 99)


def reference_double(n):
    while n < 100:
        n *= 2
    return n
