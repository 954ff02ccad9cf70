"""What a call costs: many calls of small functions, jitted and eager."""

from __future__ import annotations

import numpy as onp

from workloads import Library, normal, workload

_ONES, _COUNT = onp.ones(10, onp.float32), onp.arange(10, dtype=onp.float32)


@workload(lambda random: (onp.ones(3, onp.float32),), eager=True)
def dispatch_small(L: Library):
    """1000 calls of a jitted addition to 3 elements."""
    increment = L.lib.jit(lambda a: a + 1)

    def many(a):
        for _ in range(1000):
            a = increment(a)
        return a

    return many


@workload(lambda random: ({f"p{i}": onp.ones(4, onp.float32) for i in range(100)},), eager=True)
def dispatch_tree_100(L: Library):
    """100 calls of a jitted update of a dictionary of 100 arrays."""
    update = L.lib.jit(lambda tree: L.lib.tree_util.tree_map(lambda x: x * 0.5, tree))

    def many(tree):
        for _ in range(100):
            tree = update(tree)
        return tree

    return many


@workload(lambda random: (_ONES, _COUNT), chaotic=True, eager=True)
def eager_small_ops(L: Library):
    """200 rounds of five eager operations on 10 elements."""
    np = L.np

    def many(a, b):
        for _ in range(200):
            c = np.sin(a * b) + a
            a = np.where(c > 0, c, b) / 2.0
        return a

    return many


@workload(lambda random: (onp.ones((4, 3), onp.float32), normal(random, 8, 4)), eager=True)
def eager_grad_small(L: Library):
    """50 gradients of a small function, not jitted."""
    np = L.np
    gradient = L.lib.grad(lambda w, x: np.sum(np.tanh(x @ w) ** 2))

    def many(w, x):
        for _ in range(50):
            w = w - 0.1 * gradient(w, x)
        return w

    return many
