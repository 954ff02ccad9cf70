"""Derives the polynomial coefficients of the CPU engine's elementary functions.

    python benchmarks/minimax.py            # adds what src/vires/engine/llvm/math_coefficients.py lacks
    python benchmarks/minimax.py SIN_F32    # derives these again

Each entry is the minimax polynomial P of a function g on an interval for a weight w: the largest
|w(u) (P(u) - g(u))| is the smallest possible (Remez's exchange algorithm on a dense grid). Coefficients
are rounded to the dtype one after the other, the constant term first; those that are not yet rounded
are fitted again each time, so that they make up for the rounding.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

from minimax_functions import FUNCTIONS

TARGET = Path(__file__).parents[1] / "src/vires/engine/llvm/math_coefficients.py"
GRID = 1500


def solve_exchange(
    u: Any, values: Any, weights: Any, powers: list[int]
) -> tuple[list[mpf], mpf]:
    """The best coefficients of the powers for values at grid points, and the largest error."""
    count = len(powers)
    basis = np.array([[point**power for power in powers] for point in u], dtype=np.longdouble)
    steps = np.linspace(0, np.pi, count + 1)
    picked = np.unique(np.rint((1 - np.cos(steps)) / 2 * (len(u) - 1)).astype(int))
    best: tuple[np.longdouble, list[mpf]] | None = None
    for _ in range(40):
        rows = mpmath.matrix(count + 1, count + 1)
        right = mpmath.matrix(count + 1, 1)
        for row, index in enumerate(picked):
            for column, power in enumerate(powers):
                rows[row, column] = mpf(u[index]) ** power * weights[index]
            rows[row, count] = (-1) ** row
            right[row] = values[index] * weights[index]
        solution = mpmath.lu_solve(rows, right)
        coefficients = [solution[i] for i in range(count)]
        # The dominant part is subtracted in mpf, so that the grid may be in long double.
        fitted = basis @ np.array([to_long(c) for c in coefficients])
        error = (fitted - np.array([to_long(v) for v in values])) * np.array(
            [to_long(w) for w in weights]
        )
        largest = np.max(np.abs(error))
        if best is None or largest < best[0]:
            best = (largest, coefficients)
        if largest <= abs(to_long(solution[count])) * (1 + 1e-3):
            break
        picked = exchange(error, count + 1)
    assert best is not None
    return best[1], mpf(float(best[0]))


def exchange(error: Any, count: int) -> Any:
    """The grid points of alternating extrema, the `count` consecutive ones that are largest."""
    found: list[int] = []
    for index in range(len(error)):
        if found and np.sign(error[found[-1]]) == np.sign(error[index]):
            if abs(error[index]) > abs(error[found[-1]]):
                found[-1] = index
        else:
            found.append(index)
    while len(found) > count:
        found.pop(0 if abs(error[found[0]]) < abs(error[found[-1]]) else -1)
    while len(found) < count:
        missing = [i for i in range(len(error)) if i not in found]
        found = sorted([*found, missing[len(missing) // 2]])
    return np.array(found)


def to_long(x: Any) -> np.longdouble:
    """An mpf as long double."""
    high = float(x)
    return np.longdouble(high) + np.longdouble(float(x - mpf(high)))


def rounded(x: mpf, dtype: str) -> float:
    """The nearest float32 or float64."""
    value = float(x)
    return struct.unpack("f", struct.pack("f", value))[0] if dtype == "f" else value


def fit(
    g: Callable[[mpf], mpf],
    low: float,
    high: float,
    degree: int,
    dtype: str,
    weight: Callable[[mpf], mpf] = lambda u: mpf(1),
    fixed: tuple[float, ...] = (),
) -> tuple[list[float], mpf]:
    """The rounded coefficients, constant term first (some `fixed`), and the largest weighted error."""
    middle, reach = (mpf(high) + low) / 2, (mpf(high) - low) / 2
    u = [middle - reach * mpmath.cos(mp.pi * i / (GRID - 1)) for i in range(GRID)]
    values, weights = [g(x) for x in u], [weight(x) for x in u]
    done: list[float] = []
    error = mpf(0)
    for power in range(degree + 1):
        rest = [
            v - mpmath.polyval([mpf(c) for c in reversed(done)] or [mpf(0)], x)
            for v, x in zip(values, u, strict=True)
        ]
        if power < len(fixed):
            done.append(fixed[power])
            continue
        coefficients, error = solve_exchange(u, rest, weights, list(range(power, degree + 1)))
        done.append(rounded(coefficients[0], dtype))
    return done, error


def read_table() -> dict[str, tuple[str, tuple[float, ...]]]:
    """The coefficients in the target file, each with its error as text."""
    table: dict[str, tuple[str, tuple[float, ...]]] = {}
    if TARGET.exists():
        lines = TARGET.read_text().splitlines()
        for comment, line in zip(lines, lines[1:], strict=False):
            name, _, numbers = line.partition(" = ")
            if comment.startswith("# largest error "):
                values = tuple(float(x) for x in numbers.strip("()").split(", "))
                table[name] = (comment.removeprefix("# largest error "), values)
    return table


def write_table(table: dict[str, tuple[str, tuple[float, ...]]]) -> None:
    """The target file, sorted by name."""
    lines = [
        '"""Coefficients of minimax polynomials, constant term first, written by benchmarks/minimax.py."""',
        "",
        "# fmt: off",
    ]
    for name, (error, values) in sorted(table.items()):
        lines += [f"# largest error {error}", f"{name} = ({', '.join(map(repr, values))})"]
    TARGET.write_text("\n".join(lines) + "\n")


def main(names: list[str]) -> None:
    mp.dps = 40
    table = {name: entry for name, entry in read_table().items() if name in FUNCTIONS}
    for name in names or [name for name in FUNCTIONS if name not in table]:
        coefficients, error = fit(**FUNCTIONS[name])
        table[name] = (f"{float(error):.1e}", tuple(coefficients))
        print(name, table[name], flush=True)
    write_table(table)


if __name__ == "__main__":
    main(sys.argv[1:])
