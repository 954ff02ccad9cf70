"""The page of measurements, docs/performance.md."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from goals import Row, compile_ratio, overhead, ratio, steady
from measure import FIRST_ROUNDS, Figures
from workloads import Workload

PEERS = ("jax", "numpy", "torch", "torch.compile")


def processor() -> str:
    """The processor's name."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def goals_table(found: Sequence[Row]) -> str:
    """Goals in Markdown."""
    marks = {True: "met", False: "**missed**", None: ""}
    lines = ["| what | figure | goal | |", "|---|---|---|---|"]
    lines += [f"| {r.what} | {r.figure} | {r.goal} | {marks[r.met]} |" for r in found]
    return "\n".join(lines)


def steady_table(figures: Figures, declared: Mapping[str, Workload]) -> str:
    """Milliseconds of a call, and how many times faster than each peer."""
    heads = " | ".join(f"over {peer}" for peer in PEERS)
    lines = [f"| workload | ms | {heads} |", f"|---|---|{'---|' * len(PEERS)}"]
    for name in figures:
        mine = steady(figures, name, "vires")
        if name not in declared or not declared[name].counted or mine is None:
            continue
        ratios = " | ".join(_times(ratio(figures, name, peer)) for peer in PEERS)
        lines.append(f"| {name} | {mine:.3g} | {ratios} |")
    return "\n".join(lines)


def compile_table(figures: Figures, declared: Mapping[str, Workload]) -> str:
    """What the first call takes beyond a later one."""
    lines = [
        "| workload | empty cache, ms | over JAX | second process, ms | over JAX |",
        "|---|---|---|---|---|",
    ]
    for name in figures:
        cold, warm = (overhead(figures, name, label) for label in ("vires", "warm"))
        if name not in declared or cold is None or warm is None or name.startswith("update_"):
            continue
        ratios = [_times(compile_ratio(figures, name, label)) for label in ("vires", "warm")]
        lines.append(f"| {name} | {cold:.3g} | {ratios[0]} | {warm:.3g} | {ratios[1]} |")
    return "\n".join(lines)


def limits_table(figures: Figures, costs: Mapping[str, Mapping[str, Any]]) -> str:
    """Bytes, operations, and the time that the machine needs for them at least."""
    lines = [
        "| workload | MB moved | million operations | ms at the limit | ms | of the limit | steps "
        "that take most |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, c in costs.items():
        mine = steady(figures, name, "vires") or c["call"]
        partly = c["counted"] < 0.9 * c["call"]
        share = f"{100 * c['limit'] / mine:.0f}%" + (" (in part)" if partly else "")
        lines.append(
            f"| {name} | {c['bytes'] / 1e6:.3g} | {c['operations'] / 1e6:.3g} | "
            f"{c['limit']:.3g} | {mine:.3g} | {share} | {'; '.join(c['hot'][:2])} |"
        )
    return "\n".join(lines)


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}x"


def page(
    found: Sequence[Row],
    foundation: Sequence[tuple[str, str, str]],
    figures: Figures,
    costs: Mapping[str, Mapping[str, Any]],
    imports: Mapping[str, float],
    declared: Mapping[str, Workload],
    rounds: int,
    versions: str,
    load: float,
) -> str:
    """The whole page."""
    basics = "\n".join(
        f"| {what.strip()} | {figure} | {goal} |" for what, figure, goal in foundation
    )
    any_costs = next(iter(costs.values()), None)
    machine = "" if any_costs is None else (
        f"memory {any_costs['best']['memory'] / 1e9:.0f} GB/s read and written (copying 64 MB), "
        f"{any_costs['best']['single'] / 1e9:.0f} Gflop/s in float32"
    )  # fmt: skip
    started = ", ".join(f"{peer} {ms / 1e3:.2f} s" for peer, ms in imports.items())
    missed = sum(row.met is False for row in found)
    summary = f"{len(found) - missed} of {len(found)} goals are met."
    return f"""# Performance

Made by `make bench`. Each library runs in processes of its own, one after the other on each
workload, and the smallest time of {rounds} rounds counts,
for first calls of {rounds + FIRST_ROUNDS}. {versions}; {processor()},
{os.cpu_count()} threads. Ratios say how many times faster Vires is than the other.
Other work on the machine disturbs both sides of a ratio: the load average of a minute was
{load:.1f} when this run began or ended, whichever was more; the run itself makes it about 2.

## Goals

{goals_table(found)}

{summary}

![Steady state: how many times faster than each peer, on a logarithmic axis](performance.svg)

## Steady state

The programs are in `benchmarks/workloads`. JAX runs the same text; NumPy and PyTorch have versions
of their own where that is natural. `torch.compile` is left out where it changes nothing.

{steady_table(figures, declared)}

## First calls

What the first call takes beyond a later one: tracing and compiling; "second process" finds the
compiled code on disk. JAX's first calls use no cache on disk. Imports: {started}.

{compile_table(figures, declared)}

## Distance to the limit

By `vires.explain`: what the steps of a compiled program read, write and compute, and the time that
takes at least, by the speeds measured on this machine: {machine}. A sine counts as 20 operations.
Data that stay in the processor's last cache move faster than memory, so that some programs are
beyond this limit. "In part": some of the time is spent in steps that nobody counts, such as library
calls.

{limits_table(figures, costs)}

## Foundations

| what | figure | goal |
|---|---|---|
{basics}
"""
