"""Vires against JAX, NumPy and PyTorch: measures, prints the goals, and writes the page and plot.

usage: bench.py [--jax PYTHON] [--torch PYTHON] [--rounds N] [--seconds S] [--write PAGE] [NAME ...]

Names are workloads (see `workloads`) or rows of `foundation`; without any, all are run. Only a run
of everything writes the page.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import foundation
import workloads
from goals import disagreements, ratio, rows
from measure import explained, measure
from page import PEERS, page
from plot import plot


def versions(pythons: dict[str, str | None]) -> str:
    """The libraries with their versions."""
    found: list[str] = []
    for package, python in pythons.items():
        if python is not None:
            text = f"from importlib.metadata import version; print(version('{package}'))"
            done = subprocess.run([python, "-c", text], capture_output=True, text=True, check=True)
            found.append(f"{package} {done.stdout.strip()}")
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jax", help="Python of an environment with JAX")
    parser.add_argument("--torch", help="Python of an environment with PyTorch")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.7, help="measured for each workload")
    parser.add_argument("--write", help="page to write; the plot goes beside it")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    declared = workloads.load()
    unknown = set(options.names) - set(declared) - set(foundation.NAMES)
    if unknown:
        raise SystemExit(
            f"bench: needs names among {', '.join([*declared, *foundation.NAMES])}; "
            f"got {', '.join(sorted(unknown))}"
        )
    names = [n for n in declared if not options.names or n in options.names]
    load = os.getloadavg()[0]
    say = lambda text: print(text, file=sys.stderr, flush=True)
    figures, imports = measure(
        names, options.jax, options.torch, options.rounds, options.seconds, say
    )
    costs = explained(names, say)
    basics = foundation.lines(
        [n for n in foundation.NAMES if not options.names or n in options.names],
        options.jax, 2, say,
    )  # fmt: skip
    found = rows(figures, declared)
    for row in found:
        mark = {True: "met", False: "MISSED", None: ""}[row.met]
        print(f"{row.what:78s} {row.figure:>10s}  {row.goal:8s} {mark}")
    for name in disagreements(figures, declared):
        print(f"differs from JAX: {name}: {figures[name].get('vires', {}).get('error', '')}")
    for what, figure, goal in basics:
        print(f"{what:78s} {figure:>10s}  {goal}")
    if options.names:
        for name in names:
            peers = {p: ratio(figures, name, p) for p in PEERS}
            text = ", ".join(f"{r:.2f}x {p}" for p, r in peers.items() if r is not None)
            reached = costs.get(name, {})
            hot = f"; {'; '.join(reached['hot'])}" if reached else ""
            print(f"{name}: {text}{hot}")
        return
    if options.write:
        ratios = {
            name: {p: r for p in PEERS if (r := ratio(figures, name, p)) is not None}
            for name in names
            if declared[name].counted
        }
        about = versions({
            "jax": options.jax, "numpy": sys.executable, "torch": options.torch,
        })  # fmt: skip
        load = max(load, os.getloadavg()[0])
        text = page(found, basics, figures, costs, imports, declared, options.rounds, about, load)
        Path(options.write).write_text(text, encoding="utf-8")
        title = "Steady state: times faster than each peer"
        Path(options.write).with_suffix(".svg").write_text(plot(ratios, title), encoding="utf-8")


if __name__ == "__main__":
    main()
