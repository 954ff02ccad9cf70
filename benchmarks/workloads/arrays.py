"""Sorting, cumulating, scattering, gathering, transforming, drawing."""

from __future__ import annotations

import numpy as onp

from workloads import Library, normal, workload
from workloads.loops import KEY


@workload(lambda random: (normal(random, 1_000_000),))
def sort_1m(L: Library):
    return L.lib.jit(L.np.sort)


@workload(lambda random: (normal(random, 1_000_000),))
def argsort_1m(L: Library):
    return L.lib.jit(L.np.argsort)


@workload(lambda random: (normal(random, 10_000_000),))
def cumsum_10m(L: Library):
    return L.lib.jit(L.np.cumsum)


@workload(lambda random: (random.integers(0, 1000, 1_000_000).astype(onp.int32),))
def histogram_scatter(L: Library):
    return L.lib.jit(lambda places: L.np.zeros(1000).at[places].add(1.0))


@workload(
    lambda random: (
        normal(random, 50_000, 64),
        random.integers(0, 50_000, 100_000).astype(onp.int32),
    )
)
def gather_rows(L: Library):
    return L.lib.jit(lambda table, rows: L.np.sum(table[rows], 1))


@workload(lambda random: (normal(random, 1024, 1024),))
def fft2_1024(L: Library):
    return L.lib.jit(lambda x: L.np.abs(L.np.fft.fft2(x)))


@workload(lambda random: (KEY,))
def random_normal_10m(L: Library):
    return L.lib.jit(lambda key: L.random.normal(key, (10_000_000,)))
