"""Long programs, for the time of their first call."""

from __future__ import annotations

import numpy as onp

from workloads import Library, normal, workload


@workload(lambda random: (normal(random, 1000), normal(random, 1000)), counted=False)
def equations_6000(L: Library):
    """6,000 elementwise equations in a row."""
    np = L.np

    def chain(x, y):
        for _ in range(2000):
            x = np.sin(x) * y + 0.5
        return x

    return L.lib.jit(chain)


@workload(lambda random: (normal(random, 64), onp.ones(64, onp.float32)), counted=False)
def scan_210(L: Library):
    """A scan whose body has 210 equations."""
    np = L.np

    def simulate(x, y):
        def body(x, _):
            for _ in range(70):
                x = np.sin(x) * y + 0.5
            return x, None

        return L.lax.scan(body, x, None, length=100)[0]

    return L.lib.jit(simulate)
