"""The measurements of `foundation.py`, each run in a process of its own on one library.

usage: foundation_rows.py LIBRARY ROW      LIBRARY: vires, jax or numpy

Prints one JSON object of figures.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

ROWS: dict[str, Callable[[str], dict[str, float]]] = {}


def row(function: Callable[[str], dict[str, float]]) -> Callable[[str], dict[str, float]]:
    ROWS[function.__name__] = function
    return function


def load(library: str) -> tuple[Any, Any]:
    """The library and its numpy module."""
    name = "numpy" if library == "numpy" else f"{library}.numpy"
    return importlib.import_module(library), importlib.import_module(name)


def best(function: Callable[[], Any], seconds: float = 1.0, least: int = 5) -> float:
    """Smallest time of a call in milliseconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def wait(library: Any, value: Any) -> Any:
    return value if library.__name__ == "numpy" else library.block_until_ready(value)


@row
def sincos(library: str) -> dict[str, float]:
    """sin(x) + cos(y) for x of 5000x5000 and y of 5000, float32."""
    lib, np = load(library)
    x = np.ones((5000, 5000), dtype="float32")
    y = np.arange(5000, dtype="float32")
    f = lambda x, y: np.sin(x) + np.cos(y)
    figures = {"eager": best(lambda: wait(lib, f(x, y)), 2.0)}
    if library != "numpy":
        g = lib.jit(f)
        figures["jit"] = best(lambda: wait(lib, g(x, y)), 2.0)
    else:
        out = np.empty_like(x)
        figures["copy"] = best(lambda: np.copyto(out, x), 1.0)
    return figures


@row
def first_call(library: str) -> dict[str, float]:
    """First call of jit(sin(x) + cos(y)) on 50x50: tracing and compiling."""
    lib, np = load(library)
    x, y = np.ones((50, 50)), np.ones(50)
    wait(lib, (x, y))
    f = lib.jit(lambda x, y: np.sin(x) + np.cos(y))
    start = time.perf_counter()
    wait(lib, f(x, y))
    return {"ms": 1e3 * (time.perf_counter() - start)}


@row
def first_gradient(library: str) -> dict[str, float]:
    """First call of the gradient of a 10-layer tanh MLP, 64 wide, batch 32."""
    import numpy as onp

    lib, np = load(library)
    random = onp.random.default_rng(0)
    array = lambda *shape: np.array(random.standard_normal(shape).astype("float32") / 8)
    layers = [(array(64, 64), array(64)) for _ in range(10)]
    x = array(32, 64)
    wait(lib, (layers, x))

    def loss(layers: Any, x: Any) -> Any:
        for w, b in layers:
            x = np.tanh(np.dot(x, w) + b)
        return np.sum(x**2)

    f = lib.jit(lib.grad(loss))
    start = time.perf_counter()
    wait(lib, f(layers, x))
    first = time.perf_counter() - start
    return {"ms": 1e3 * first, "steady": best(lambda: wait(lib, f(layers, x)))}


@row
def vmap_loop(library: str) -> dict[str, float]:
    """jit(vmap(grad(f))) over 400 points against a Python loop of grad(f)."""
    lib, np = load(library)
    f = lambda x: np.sin(x) / x
    points = np.linspace(0.1, 10.0, 400)
    mapped = lib.jit(lib.vmap(lib.grad(f)))
    gradient = lib.grad(f)
    wait(lib, mapped(points))
    loop = lambda: [wait(lib, gradient(points[i])) for i in range(400)]
    return {"vmap": best(lambda: wait(lib, mapped(points))), "loop": best(loop, 0.5, 2)}


@row
def dispatch(library: str) -> dict[str, float]:
    """A jitted call on 3 elements and a jitted update of a dictionary of 100 arrays, in us."""
    lib, np = load(library)
    f = lib.jit(lambda x: x + 1)
    x = np.ones(3)
    f(x)

    def many() -> None:
        y = x
        for _ in range(1000):
            y = f(y)
        wait(lib, y)

    tree = {f"p{i}": np.ones(4) for i in range(100)}
    update = lib.jit(lambda t: {k: v * 0.5 for k, v in t.items()})
    update(tree)

    def updates() -> None:
        t = tree
        for _ in range(100):
            t = update(t)
        wait(lib, t)

    return {"small_us": best(many), "dict_us": 10 * best(updates)}


@row
def eager_small(library: str) -> dict[str, float]:
    """Operations on 10 float32 elements without jit, in microseconds."""
    lib, np = load(library)
    a, b = np.ones(10, dtype="float32"), np.arange(10, dtype="float32")

    def repeat(g: Callable[[], Any]) -> float:
        def many() -> None:
            for _ in range(1000):
                g()
            wait(lib, g())

        many()
        return best(many, 0.3)

    return {
        "add_us": repeat(lambda: a + b), "sin_us": repeat(lambda: np.sin(a)),
        "where_us": repeat(lambda: np.where(a > 0, a, b)), "sum_us": repeat(lambda: np.sum(a)),
        "reshape_us": repeat(lambda: a.reshape(2, 5)), "index_us": repeat(lambda: a[3]),
    }  # fmt: skip


@row
def importing(library: str) -> dict[str, float]:
    """Time to import the library, in milliseconds."""
    start = time.perf_counter()
    load(library)
    return {"ms": 1e3 * (time.perf_counter() - start)}


@row
def memory(library: str) -> dict[str, float]:
    """Growth of the resident set, in kB, over 10,000 calls of a jitted and of an eager function."""
    lib, np = load(library)
    f = lib.jit(lambda t: {"a": np.sin(t["a"]) + 1, "b": np.sum(t["a"])})
    tree = {"a": np.ones(1000)}

    def calls() -> None:
        for _ in range(5000):
            out = f(tree)
            np.cos(out["a"]) * 2.0 + tree["a"]

    calls()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calls()
    calls()
    return {"kB": float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)}


@row
def threads(library: str) -> dict[str, float]:
    """Whether 1, 2 and 3 threads give the same bits (1: yes) for maps, sums and products."""
    import numpy as onp

    lib, np = load(library)
    x = np.array(onp.random.default_rng(0).standard_normal((1000, 1003)).astype("float32"))
    f = lib.jit(
        lambda x: (np.sin(x) * x, np.sum(x), np.sum(x, 0), np.sum(x, 1), np.cumsum(x, 1), x @ x.T)
    )
    results = []
    for count in (1, 2, 3):
        with lib.threads(count):
            results.append([onp.asarray(y).tobytes() for y in f(x)])
    return {"same": float(results[0] == results[1] == results[2])}


if __name__ == "__main__":
    print(json.dumps(ROWS[sys.argv[2]](sys.argv[1])))
