"""The foundations: first calls, dispatch, eager calls, imports, memory; each figure is the smallest
of several alternating fresh runs against NumPy and JAX.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROWS = Path(__file__).parent / "foundation_rows.py"
NAMES = (
    "sincos", "first_call", "first_gradient", "vmap_loop", "dispatch", "eager_small", "importing",
    "memory", "threads",
)  # fmt: skip
Figures = dict[str, dict[str, float]]


def run(python: str, library: str, name: str, cache: str) -> dict[str, float]:
    """The figures of one row in a process of its own."""
    environment = {**os.environ, "VIRES_CACHE_DIR": cache}
    # Programs are started with their bytecode cached.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [python, str(ROWS), library, name],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{library} {name}: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, jax: str | None, rounds: int) -> Figures:
    """Minima for each library; vires also with a warm disk cache, as "warm"."""
    best: Figures = {}

    def keep(label: str, figures: dict[str, float]) -> None:
        old = best.setdefault(label, {})
        for key, value in figures.items():
            old[key] = min(value, old.get(key, value))

    # A first call is a single one in a process.
    for _ in range(rounds * (4 if name.startswith("first") else 1)):
        with tempfile.TemporaryDirectory() as cache:
            keep("vires", run(sys.executable, "vires", name, cache))
            keep("warm", run(sys.executable, "vires", name, cache))
        if jax is not None and name not in ("threads",):
            keep("jax", run(jax, "jax", name, ""))
        if name in ("sincos", "eager_small", "importing"):
            keep("numpy", run(sys.executable, "numpy", name, ""))
    return best


def ratio(f: Figures, peer: str, peer_key: str, mine: str, key: str) -> str:
    if peer not in f:
        return "-"
    return f"{f[peer][peer_key] / f[mine][key]:.2f}x"


def table(name: str, f: Figures) -> list[tuple[str, str, str]]:
    """(what, figure, goal) for each line of a row."""
    v = f["vires"]
    parts: dict[str, Callable[[], list[tuple[str, str, str]]]] = {
        "sincos": lambda: [
            ("sin(x)+cos(y) 5000x5000, jit, ms", f"{v['jit']:.1f}", ""),
            ("  over JAX's jit", ratio(f, "jax", "jit", "vires", "jit"), ">= 5x"),
            ("  over NumPy", ratio(f, "numpy", "eager", "vires", "jit"), ">= 2x"),
            ("  a copy of the same bytes, ms", f"{f['numpy']['copy']:.1f}", ""),
            ("  eager over NumPy", ratio(f, "numpy", "eager", "vires", "eager"), ">= 1.5x"),
        ],
        "first_call": lambda: [
            ("first call on 50x50, empty cache, ms", f"{v['ms']:.2f}", ""),
            ("  over JAX", ratio(f, "jax", "ms", "vires", "ms"), ">= 10x"),
            ("first call on 50x50, second process, ms", f"{f['warm']['ms']:.2f}", ""),
            ("  over JAX", ratio(f, "jax", "ms", "warm", "ms"), ">= 30x"),
        ],
        "first_gradient": lambda: [
            ("first gradient of a 10-layer MLP, ms", f"{v['ms']:.1f}", ""),
            ("  over JAX", ratio(f, "jax", "ms", "vires", "ms"), ">= 5x"),
            ("  second process over JAX", ratio(f, "jax", "ms", "warm", "ms"), ""),
            ("  steady over JAX", ratio(f, "jax", "steady", "vires", "steady"), ""),
        ],
        "vmap_loop": lambda: [
            (
                "vmap(grad) of 400 points, jit, over a loop",
                f"{v['loop'] / v['vmap']:.0f}x",
                ">= 100x",
            ),
        ],
        "dispatch": lambda: [
            ("a jitted call on 3 elements, us", f"{v['small_us']:.2f}", "<= 1.5"),
            ("  over JAX", ratio(f, "jax", "small_us", "vires", "small_us"), ""),
            ("a jitted update of 100 arrays, us", f"{v['dict_us']:.1f}", ""),
            ("  over JAX", ratio(f, "jax", "dict_us", "vires", "dict_us"), ">= 4x"),
        ],
        "eager_small": lambda: [
            (
                f"eager {key.removesuffix('_us')} of 10 elements over NumPy",
                ratio(f, "numpy", key, "vires", key),
                ">= 1x",
            )
            for key in v
        ],
        "importing": lambda: [
            ("import beyond NumPy's, ms", f"{v['ms'] - f['numpy']['ms']:.0f}", "<= 250"),
        ],
        "memory": lambda: [("growth over 10,000 calls, kB", f"{v['kB']:.0f}", "0")],
        "threads": lambda: [
            ("1, 2, 3 threads give the same bits", "yes" if v["same"] else "NO", "yes"),
        ],
    }  # fmt: skip
    return parts[name]()


def lines(
    names: Sequence[str], jax: str | None, rounds: int, say: Callable[[str], None]
) -> list[tuple[str, str, str]]:
    """(what, figure, goal) of all lines of some rows."""
    found: list[tuple[str, str, str]] = []
    for name in names:
        say(f"foundation: {name}")
        found += table(name, measure(name, jax, rounds))
    return found
