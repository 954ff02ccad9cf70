"""Loops: simulations and iterations."""

from __future__ import annotations

import numpy as onp

from workloads import Library, normal, workload

# A counter of zeros is the key of seed 0, in every library.
KEY = onp.zeros(2, onp.uint32)


@workload(lambda random: (normal(random, 1000, 3), normal(random, 1000, 3)))
def nbody_1000(L: Library):
    np = L.np

    def simulate(place, speed):
        def step(state, _):
            place, speed = state
            apart = place[None] - place[:, None]
            squared = np.sum(apart * apart, -1) + 1e-2
            speed = speed + 0.001 * np.sum(apart * (squared**-1.5)[..., None], 1)
            return (place + 0.001 * speed, speed), None

        return L.lax.scan(step, (place, speed), None, length=10)[0]

    return L.lib.jit(simulate)


@workload(lambda random: (onp.ones(3, onp.float32),), chaotic=True)
def lorenz_rk4_scan(L: Library):
    np = L.np

    def slope(state):
        x, y, z = state
        return np.stack([10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z])

    def solve(start):
        h = 0.01

        def step(state, _):
            k1 = slope(state)
            k2 = slope(state + h / 2 * k1)
            k3 = slope(state + h / 2 * k2)
            k4 = slope(state + h * k3)
            return state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

        return L.lax.scan(step, start, None, length=10_000)[0]

    return L.lib.jit(solve)


@workload(lambda random: (KEY, onp.zeros(10, onp.float32)), chaotic=True)
def hmc_chain(L: Library):
    np, lax, random = L.np, L.lax, L.random
    precision = onp.diag(onp.linspace(1.0, 4.0, 10)).astype(onp.float32)

    def log_density(q):
        return -0.5 * q @ precision @ q

    gradient = L.lib.grad(log_density)

    def chain(key, start):
        def step(q, key):
            for_momentum, for_choice = random.split(key)
            p = random.normal(for_momentum, (10,))

            def leap(i, state):
                q, p = state
                p = p + 0.05 * gradient(q)
                q = q + 0.1 * p
                return q, p + 0.05 * gradient(q)

            new_q, new_p = lax.fori_loop(0, 10, leap, (q, p))
            gain = log_density(new_q) - log_density(q) + 0.5 * (p @ p - new_p @ new_p)
            q = np.where(np.log(random.uniform(for_choice)) < gain, new_q, q)
            return q, q

        return lax.scan(step, start, random.split(key, 1000))[1]

    return L.lib.jit(chain)


@workload(lambda random: (normal(random, 100_000, 16),), chaotic=True)
def kmeans(L: Library):
    np = L.np

    def clusters(x):
        def improve(i, centers):
            far = np.sum(x * x, 1)[:, None] - 2 * x @ centers.T + np.sum(centers * centers, 1)
            nearest = np.argmin(far, 1)
            count = np.zeros(32).at[nearest].add(1.0)
            total = np.zeros((32, 16)).at[nearest].add(x)
            return total / np.maximum(count, 1)[:, None]

        return L.lax.fori_loop(0, 10, improve, x[:32])

    return L.lib.jit(clusters)


@workload(lambda random: (normal(random, 512, 512),))
def heat_stencil(L: Library):
    np = L.np

    def diffuse(u):
        def step(i, u):
            around = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1)
            return u + 0.1 * (around - 4 * u)

        return L.lax.fori_loop(0, 200, step, u)

    return L.lib.jit(diffuse)


def _updates(elements: int, turns: int):
    """A loop that changes one element in each turn; two lengths give the time of a turn."""

    def program(L: Library):
        def turn(i, x):
            return x.at[i % elements].add(1.0)

        return L.lib.jit(lambda x: L.lax.fori_loop(0, turns, turn, x))

    return program


for _name, _elements in (("1e3", 1_000), ("1e6", 1_000_000)):
    for _suffix, _turns in (("short", 100_000), ("long", 1_100_000)):
        _program = _updates(_elements, _turns)
        _program.__name__ = f"update_{_name}_{_suffix}"
        workload(
            lambda random, n=_elements: (onp.zeros(n, onp.float32),), counted=False, eager=True
        )(_program)
