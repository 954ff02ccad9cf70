"""Programs made at random, compared with the reference; and compilation by several threads."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as onp
import pytest
from compiled import run

import vires
import vires.numpy as np
from vires import lax

OPERATIONS = {
    "sin": lambda a, b: np.sin(a),
    "exp": lambda a, b: np.exp(-abs(a)),
    "mul": lambda a, b: a * b + 1,
    "sum": lambda a, b: a.sum(0, keepdims=True),
    "max": lambda a, b: a.max(-1),
    "transpose": lambda a, b: a.T,
    "ravel": lambda a, b: a.reshape(-1),
    "concatenate": lambda a, b: np.concatenate([a, a * 0.5], 0),
    "pad": lambda a, b: np.pad(a, 1),
    "flip": lambda a, b: a[::-1],
    "gather": lambda a, b: a[np.array([0, 0])],
    "cumsum": lambda a, b: np.cumsum(a, 0),
    "sort": lambda a, b: np.sort(a, -1),
    "matmul": lambda a, b: a @ a.T * 0.1,
    "update": lambda a, b: a.at[0].set(1.5),
    "loop": lambda a, b: lax.fori_loop(0, 3, lambda i, c: np.tanh(c) + np.roll(c, 1) + i, a),
    "registers": lambda a, b: lax.fori_loop(0, 3, lambda i, c: np.tanh(c) + 0.1 * i, a),
    "where": lambda a, b: np.where(a > 0, a, np.mean(a)),
    "cond": lambda a, b: lax.cond(a.sum() > 0, lambda: a, lambda: -a),
}


def program(seed):
    """A function of two arrays, made of operations that take each other's results."""
    choose = random.Random(seed)

    def f(x, y):
        values = [x, y]
        for _ in range(choose.randint(3, 14)):
            a, b = choose.choice(values), choose.choice(values)
            name = choose.choice(list(OPERATIONS))
            try:
                result = OPERATIONS[name](a, b)
            except (TypeError, ValueError, IndexError):  # shapes that do not fit
                continue
            if 0 < result.size < 5000 and result.ndim < 4:
                values.append(result)
        return [*[choose.choice(values) for _ in range(choose.randint(1, 4))], values[-1]]

    return f


@pytest.mark.parametrize("seed", range(80))
def test_random_program(seed):
    choose, normal = random.Random(seed), onp.random.default_rng(seed).standard_normal
    n, m = choose.choice([1, 3, 5, 17, 33]), choose.choice([1, 3, 4, 16, 40])
    x, y = normal((n, m)).astype("float32"), normal(m).astype("float32")
    run(program(seed), x, y, rtol=2e-3, atol=2e-3)


def test_threads_compile_at_once():
    functions = [vires.jit(lambda x, k=k: np.sin(x * k).sum() + np.sort(x)[k]) for k in range(12)]
    x = np.arange(100.0)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda f: float(f(x)), functions))
    expected = [float(onp.sin(onp.arange(100, dtype="f") * k).sum() + k) for k in range(12)]
    onp.testing.assert_allclose(results, expected, rtol=1e-4, atol=1e-4)
