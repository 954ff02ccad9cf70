"""Derives the polynomial coefficients of the CPU engine's elementary functions.

    python benchmarks/minimax.py            # adds what math_coefficients.py lacks
    python benchmarks/minimax.py SIN_F32    # derives these again

Each entry is the minimax polynomial P of a function g on an interval for a weight w: the largest
|w(u) (P(u) - g(u))| is the smallest possible (Remez's exchange algorithm on a dense grid).
Coefficients are rounded to the dtype one after the other, the constant term first; those that are
not yet rounded are fitted again each time, so that they make up for the rounding.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from minimax_functions import FUNCTIONS
from mpmath import mp, mpf

TARGET = Path(__file__).parents[1] / "src/vires/engine/llvm/math_coefficients.py"
GRID = 1500


def solve_exchange(u: Any, values: Any, weights: Any, powers: list[int]) -> tuple[list[mpf], mpf]:
    """The best coefficients of the powers for values at grid points, and the largest error."""
    count = len(powers)
    grid = np.array([float(point) for point in u], np.longdouble)
    basis = np.stack([grid**power for power in powers], axis=1)
    targets, scale = (np.array([to_long(x) for x in column]) for column in (values, weights))
    # Where the weight and the lowest power vanish, points tell nothing and make the system
    # singular.
    influence = np.abs(scale * grid ** powers[0])
    useful = np.flatnonzero(influence > 1e-5 * influence.max())
    picked = useful[np.rint(np.linspace(0, len(useful) - 1, count + 1)).astype(int)]

    def largest_error(coefficients: list[mpf]) -> tuple[np.longdouble, Any]:
        error = (basis @ np.array([to_long(c) for c in coefficients]) - targets) * scale
        return np.max(np.abs(error)), error

    # Least squares on a Chebyshev grid is close to the best and works where exchange does not:
    # powers without a constant, on an interval around 0, have a zero in common.
    some = range(0, len(u), max(1, len(u) // (12 * count)))
    left = mpmath.matrix([[u[i] ** power * weights[i] for power in powers] for i in some])
    right = mpmath.matrix([values[i] * weights[i] for i in some])
    coefficients = list(mpmath.lu_solve(left.T * left, left.T * right))
    best = (largest_error(coefficients)[0], coefficients)
    for _ in range(8):
        rows = mpmath.matrix(count + 1, count + 1)
        right = mpmath.matrix(count + 1, 1)
        for row, index in enumerate(picked):
            for column, power in enumerate(powers):
                rows[row, column] = u[index] ** power * weights[index]
            rows[row, count] = (-1) ** row
            right[row] = values[index] * weights[index]
        try:
            solution = mpmath.lu_solve(rows, right)
        except ZeroDivisionError:
            break
        coefficients = [solution[i] for i in range(count)]
        largest, error = largest_error(coefficients)
        if largest < best[0]:
            best = (largest, coefficients)
        if largest <= abs(to_long(solution[count])) * 1.1:
            break
        picked = useful[exchange(error[useful], count + 1)]
    return best[1], mpf(float(best[0]))


def exchange(error: Any, count: int) -> Any:
    """The grid points of `count` large extrema of alternating sign."""
    found: list[int] = []
    for index in range(len(error)):
        if found and np.sign(error[found[-1]]) == np.sign(error[index]):
            if abs(error[index]) > abs(error[found[-1]]):
                found[-1] = index
        else:
            found.append(index)
    while len(found) > count:
        sizes = np.abs(error[found])
        # One too many: an end goes. More: the smallest goes with a neighbour, so that signs
        # alternate.
        if len(found) == count + 1:
            found.pop(0 if sizes[0] < sizes[-1] else -1)
            continue
        smallest = int(np.argmin(sizes))
        if smallest in (0, len(found) - 1):
            found.pop(smallest)
            continue
        neighbour = smallest - 1 if sizes[smallest - 1] < sizes[smallest + 1] else smallest + 1
        for index in sorted((smallest, neighbour), reverse=True):
            found.pop(index)
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
    lowest: float,
    highest: float,
    degree: int,
    dtype: str,
    weight: Callable[[mpf], mpf] = lambda u: mpf(1),
    fixed: tuple[float, ...] = (),
    split: bool = False,
) -> tuple[list[float], mpf]:
    """The rounded coefficients, constant term first (some `fixed`), and the largest weighted error.

    With `split`, the constant term is given as two floats, whose sum it is.
    """
    middle, reach = (mpf(highest) + lowest) / 2, (mpf(highest) - lowest) / 2
    # Points that are float64, so that the error may be evaluated in long double.
    u = [mpf(float(middle - reach * mpmath.cos(mp.pi * i / (GRID - 1)))) for i in range(GRID)]
    values, weights = [g(x) for x in u], [weight(x) for x in u]
    done: list[float] = []
    low = 0.0
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
        if split and power == 0:
            low = rounded(coefficients[0] - done[0], dtype)
            values = [v - low for v in values]
    return [done[0], low, *done[1:]] if split else done, error


def read_table() -> dict[str, tuple[str, tuple[float, ...]]]:
    """The coefficients in the target file, each with its error as text."""
    names: dict[str, tuple[float, ...]] = {}
    if not TARGET.exists():
        return {}
    text = TARGET.read_text()
    exec(compile(text, str(TARGET), "exec"), names)
    found = re.findall(r"# largest error (\S+)\n(\w+) =", text)
    return {name: (error, names[name]) for error, name in found}


def write_table(table: dict[str, tuple[str, tuple[float, ...]]]) -> None:
    """The target file, sorted by name."""
    lines = [
        '"""Minimax polynomials, constant term first, written by benchmarks/minimax.py."""',
        "",
    ]
    for name, (error, values) in sorted(table.items()):
        lines += [f"# largest error {error}", f"{name} = ("]
        lines += [f"    {value!r}," for value in values] + [")"]
    TARGET.write_text("\n".join(lines) + "\n")


def main(names: list[str]) -> None:
    mp.dps = 40
    table = {name: entry for name, entry in read_table().items() if name in FUNCTIONS}
    for name in names or [name for name in FUNCTIONS if name not in table]:
        coefficients, error = fit(**FUNCTIONS[name])
        table[name] = (f"{float(error):.1e}", tuple(coefficients))
        print(name, table[name][0], flush=True)
        write_table(table)


if __name__ == "__main__":
    main(sys.argv[1:])
