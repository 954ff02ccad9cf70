"""Products, convolutions, solvers and a Hessian."""

from __future__ import annotations

import importlib

import numpy as onp

from workloads import Library, normal, workload


def _positive(random):
    a = normal(random, 1024, 1024)
    return a @ a.T / 1024 + onp.eye(1024, dtype=onp.float32), normal(random, 1024, 8)


@workload(_positive)
def cholesky_solve(L: Library):
    linalg = importlib.import_module(f"{L.lib.__name__}.scipy.linalg")
    return L.lib.jit(lambda a, b: linalg.cho_solve((L.np.linalg.cholesky(a), True), b))


@workload(
    lambda random: (
        normal(random, 4096, 4, 4) + 4 * onp.eye(4, dtype=onp.float32),
        normal(random, 4096, 4, 1),
    )
)
def batched_small_solve(L: Library):
    return L.lib.jit(L.lib.vmap(L.np.linalg.solve))


@workload(lambda random: (normal(random, 8, 56, 56, 64), normal(random, 3, 3, 64, 64)))
def conv3x3_64(L: Library):
    def convolve(x, filters):
        layout = ("NHWC", "HWIO", "NHWC")
        return L.lax.conv_general_dilated(x, filters, (1, 1), "SAME", dimension_numbers=layout)

    return L.lib.jit(convolve)


@workload(lambda random: (normal(random, 1024, 1024), normal(random, 1024, 1024)))
def matmul_1024(L: Library):
    return L.lib.jit(lambda a, b: a @ b)


@workload(lambda random: (normal(random, 300),))
def hessian_rosenbrock(L: Library):
    def valley(x):
        left, right = x[:-1], x[1:]
        return L.np.sum(100.0 * (right - left**2) ** 2 + (1 - left) ** 2)

    return L.lib.jit(L.lib.hessian(valley))
