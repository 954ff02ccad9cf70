"""What is asked of the measured figures, each goal a row: figure, goal, and whether it is met."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from measure import Figures
from workloads import Workload

#: The least compile overhead that counts, in milliseconds: below it is the clock.
_CLOCK = 0.1
#: How far a result may be from JAX's: relative to it, and to the mean magnitude of its array.
_RELATIVE, _OF_MEAN = 2e-3, 2e-4


class Row(NamedTuple):
    """A line of the table; `met` is None where there is no goal or no figure."""

    what: str
    figure: str
    goal: str
    met: bool | None


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean, 0 of nothing."""
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else 0.0


def steady(figures: Figures, name: str, peer: str) -> float | None:
    """The least milliseconds of a call, or None."""
    mine = [figures.get(name, {}).get(p, {}).get("steady") for p in _same(peer)]
    return min([x for x in mine if x is not None], default=None)


def _same(peer: str) -> tuple[str, ...]:
    """Vires is timed in both of its processes."""
    return ("vires", "warm") if peer == "vires" else (peer,)


def ratio(figures: Figures, name: str, peer: str) -> float | None:
    """How many times faster Vires is than a peer, in the steady state."""
    theirs, mine = steady(figures, name, peer), steady(figures, name, "vires")
    return None if theirs is None or mine is None else theirs / mine


def overhead(figures: Figures, name: str, label: str) -> float | None:
    """What the first call takes beyond a later one: tracing and compiling, in milliseconds."""
    found = figures.get(name, {}).get(label, {})
    if "first" not in found:
        return None
    later = steady(figures, name, "vires" if label in ("vires", "warm") else label)
    assert later is not None
    return max(found["first"] - later, _CLOCK)


def compile_ratio(figures: Figures, name: str, label: str) -> float | None:
    """JAX's overhead of the first call over that of Vires with an empty cache or ("warm") a full
    one.
    """
    theirs, mine = overhead(figures, name, "jax"), overhead(figures, name, label)
    return None if theirs is None or mine is None else theirs / mine


def agrees(workload: Workload, mine: Sequence[Any], theirs: Sequence[Any]) -> bool:
    """Whether two digests are of one result, within roundings."""
    if len(mine) != len(theirs) or any(a[:2] != b[:2] for a, b in zip(mine, theirs, strict=True)):
        return False
    if workload.chaotic:
        return True

    def near(a: float, b: float, mean: float) -> bool:
        both_nan = math.isnan(a) and math.isnan(b)
        return both_nan or a == b or abs(a - b) <= _RELATIVE * max(abs(a), abs(b)) + mean

    return all(
        near(a[2], b[2], 0.0)
        and all(near(p, q, _OF_MEAN * b[2]) for p, q in zip(a[3], b[3], strict=True))
        for a, b in zip(mine, theirs, strict=True)
    )


def disagreements(figures: Figures, declared: dict[str, Workload]) -> list[str]:
    """The counted workloads whose results differ from JAX's, or that failed."""
    found: list[str] = []
    for name, peers in figures.items():
        if not declared[name].counted or "jax" not in peers:
            continue
        mine, theirs = (peers.get(p, {}).get("digest") for p in ("vires", "jax"))
        if mine is None or theirs is None or not agrees(declared[name], mine, theirs):
            found.append(name)
    return found


def rows(figures: Figures, declared: dict[str, Workload]) -> list[Row]:
    """The table of goals, for the workloads that were measured."""
    found: list[Row] = []

    def add(what: str, value: float | None, goal: float, at_most: bool = False) -> None:
        if value is None:
            return
        met = value <= goal if at_most else value >= goal
        sign = "<=" if at_most else ">="
        found.append(Row(what, f"{value:.2f}x", f"{sign} {goal:g}x", met))

    counted = [name for name in figures if declared[name].counted]
    wrong = disagreements(figures, declared)
    with_jax = [name for name in counted if "jax" in figures[name]]
    if with_jax:
        right = len(with_jax) - len(wrong)
        text = f"{right} of {len(with_jax)}" + (f" (not: {', '.join(wrong)})" if wrong else "")
        found.append(Row("workloads that run and agree with JAX", text, "all", not wrong))
        ratios = {n: r for n in with_jax if (r := ratio(figures, n, "jax")) is not None}
        add("steady state over JAX, geometric mean", geometric_mean(ratios.values()), 3.0)
        if ratios:
            worst = min(ratios, key=lambda n: ratios[n])
            add(f"the least of them ({worst})", ratios[worst], 0.95)
        for label, cache, goal in (("vires", "empty", 10.0), ("warm", "warm", 40.0)):
            overheads = [compile_ratio(figures, n, label) for n in with_jax]
            mean = geometric_mean(x for x in overheads if x is not None)
            add(f"compile overhead over JAX, geometric mean, {cache} cache", mean, goal)
    if "sincos_5000" in figures:
        copy, mine = steady(figures, "copy_5000", "numpy"), steady(figures, "sincos_5000", "vires")
        if copy and mine:
            add("sincos_5000, times a copy of the same bytes", mine / copy, 2.0, True)
    for name in ("matmul_1024", "conv3x3_64"):
        add(f"{name} over the better of PyTorch and NumPy", _over_best(figures, name), 0.9)
    for name in ("cnn_train_step", "lstm_grad", "transformer_grad", "mlp_train_step"):
        add(f"{name} over JAX", ratio(figures, name, "jax"), 1.0)
        add(f"{name} over PyTorch, eager", ratio(figures, name, "torch"), 1.0)
    for name in ("sort_1m", "argsort_1m", "cumsum_10m"):
        add(f"{name} over NumPy", ratio(figures, name, "numpy"), 1.0)
    for name, goal in (
        ("random_normal_10m", 4.0), ("mandelbrot", 4.0), ("heat_stencil", 2.0), ("nbody_1000", 3.0),
    ):  # fmt: skip
        add(f"{name} over JAX", ratio(figures, name, "jax"), goal)
    short, long = (_update(figures, "vires", n) for n in ("1e3", "1e6"))
    if short and long:
        what = f"update of an element in a loop, n = 1e6 ({long:.2f} ns) over n = 1e3"
        add(f"{what} ({short:.2f} ns)", long / short, 2.0, True)
    for name, what in (
        ("equations_6000", "first call of 6,000 equations"),
        ("scan_210", "first call of a scan of 210 equations"),
    ):
        mine, theirs = (figures.get(name, {}).get(p, {}).get("first") for p in ("vires", "jax"))
        if mine and theirs:
            add(f"{what} ({mine:.0f} ms) over JAX", theirs / mine, 10.0)
    return found


def _over_best(figures: Figures, name: str) -> float | None:
    times = [steady(figures, name, p) for p in ("torch", "torch.compile", "numpy")]
    best = min((t for t in times if t is not None), default=None)
    mine = steady(figures, name, "vires")
    return None if best is None or mine is None else best / mine


def _update(figures: Figures, peer: str, elements: str) -> float | None:
    """Nanoseconds of a turn: the loops differ by a million turns, so that ms are ns."""
    short = steady(figures, f"update_{elements}_short", peer)
    long = steady(figures, f"update_{elements}_long", peer)
    return None if short is None or long is None else max(long - short, 1e-9)
