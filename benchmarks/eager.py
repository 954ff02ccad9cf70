"""Eager calls against NumPy's: a table of ratios at 10, 1,000 and 1,000,000 elements.

usage: eager.py [--sizes N,N] [--seconds S] [--slower] [--json FILE] [WORD ...]

A ratio says how many times faster Vires is. WORDs choose the rows that contain one of them;
--slower prints only rows where NumPy is faster.
"""

from __future__ import annotations

import argparse
import json
import math
import timeit
from pathlib import Path
from typing import Any

import numpy

import vires

#: Calls, the same text for both; where NumPy says it otherwise, its text follows after " | ".
#: x, y: n numbers; m: a matrix of them; a, b: square matrices; i: places; mask: booleans; k: ints.
CALLS = """
np.zeros(n)
np.zeros((4, n))
np.ones(n)
np.full(n, 2.0)
np.arange(n)
np.linspace(0, 1, n)
np.eye(side)
np.zeros_like(x)
np.ones_like(x)
np.full_like(x, 3.0)
np.array(host) | np.array(host)
np.asarray(x)
np.array([1.0, 2.0, 3.0])
x.copy()
x + y
x * 2.0
x + 1.0
2.0 / y
x + k
x * d
-x
abs(x)
x ** 2
x < y
x == y
(x > 0.5) & (y < 2)
k // 3
k % 7
m + r
np.add(x, y)
np.exp(x)
np.sin(x)
np.log(y)
np.tanh(x)
np.sqrt(y)
np.maximum(x, y)
np.where(mask, x, y)
np.where(x > 0.5, x, 0.0)
np.clip(x, 0.2, 0.8)
np.isnan(x)
np.round(x)
np.sum(x)
x.sum()
np.sum(m, axis=0)
np.sum(m, axis=1)
np.sum(m, axis=1, keepdims=True)
np.mean(x)
x.mean()
np.mean(m, axis=0)
np.var(x)
np.std(m, axis=1)
np.max(x)
x.min()
np.max(m, axis=0)
np.argmax(x)
np.argmin(m, axis=1)
np.all(mask)
np.any(mask)
np.prod(x)
np.median(x)
np.cumsum(x)
np.cumsum(m, axis=0)
np.cumprod(y)
np.diff(x)
x.reshape(2, -1)
np.reshape(x, (-1, 2))
m.ravel()
np.ravel(m)
m.flatten()
m.T
np.transpose(m)
np.swapaxes(m, 0, 1)
np.moveaxis(m, 0, 1)
np.squeeze(column)
np.expand_dims(x, 0)
np.broadcast_to(x, (3, n))
np.concatenate([x, y])
np.stack([x, y])
np.vstack([x, y])
np.hstack([x, y])
np.split(x, 2)
np.tile(x, 2)
np.repeat(x, 2)
np.flip(x)
np.roll(x, 1)
np.pad(x, 1)
np.tril(m)
x[2]
x[-1]
x[2:5]
x[::2]
x[::-1]
x[None]
x[..., 1]
m[1]
m[:, 1]
m[1, 2]
m[0, ::2]
x[i]
x[mask]
m[i2, j2]
m[:, j2]
np.take(x, i)
x.at[2].set(1.0) | put(x, 2, 1.0)
x.at[2].add(1.0) | increase(x, 2, 1.0)
x.at[1:4].set(1.0) | put(x, slice(1, 4), 1.0)
x.at[i].set(0.0) | put(x, i, 0.0)
x.at[i].add(1.0) | accumulate(x, i, 1.0)
m.at[1].set(0.0) | put(m, 1, 0.0)
m.at[:, 1].set(0.0) | put(m, (slice(None), 1), 0.0)
np.sort(x)
np.argsort(x)
np.searchsorted(s, x)
np.unique(k)
np.nonzero(mask)
np.bincount(k)
np.histogram(x)
np.interp(x, s, y)
np.dot(x, y)
x @ y
np.vdot(x, y)
a @ b
np.dot(a, b)
a @ v
np.matmul(a, b)
np.einsum('ij,jk->ik', a, b)
np.einsum('i,i->', x, y)
np.outer(v, v)
np.tensordot(a, b, 1)
np.trace(a)
np.diag(v)
np.linalg.norm(x)
np.linalg.solve(p, v)
np.linalg.inv(p)
np.linalg.det(p)
np.linalg.cholesky(p)
np.linalg.eigh(p)
np.linalg.svd(p)
np.linalg.qr(p)
x.astype('int32')
x.astype(int) | x.astype('int32')
k.astype('float32')
x.astype(np.float32)
float(z)
z.item()
int(l)
x[0].item()
bool(np.all(mask))
len(x)
x.shape
x.dtype
x.ndim
x.tolist()
list(t)
for _ in t: pass
np.allclose(x, x)
np.array_equal(x, x)
np.fft.fft(x)
x.real
z + 1.0
z * z
np.sin(z)
"""
#: Calls that are slow in both, with sizes of their own: side of the square matrices.
SQUARE = {10: 4, 1_000: 32, 1_000_000: 200}


def operands(np: Any, n: int) -> dict[str, Any]:
    """What the calls see, as arrays of one library."""
    random = numpy.random.default_rng(0)
    rows = next(d for d in range(math.isqrt(n), 0, -1) if n % d == 0)
    side = SQUARE.get(n, min(200, max(3, math.isqrt(n))))
    uniform = lambda *shape: random.random(shape).astype("float32")
    square = uniform(side, side)
    host = uniform(n)
    values: dict[str, Any] = {
        "x": uniform(n),
        "y": uniform(n) + 0.5,
        "d": random.random(n),
        "k": random.integers(0, 100, n).astype("int32"),
        "mask": random.random(n) < 0.5,
        "m": uniform(rows, n // rows),
        "r": uniform(n // rows),
        "column": uniform(n, 1),
        "i": random.integers(0, n, max(5, n // 10)).astype("int32"),
        "i2": random.integers(0, rows, 5).astype("int32"),
        "j2": random.integers(0, n // rows, 5).astype("int32"),
        "s": numpy.sort(uniform(n)),
        "a": square,
        "b": uniform(side, side),
        "v": uniform(side),
        "p": square @ square.T + side * numpy.eye(side, dtype="float32"),
        "z": numpy.asarray(0.5, "float32"),
        "l": numpy.asarray(7, "int32"),
        "t": uniform(10),
    }
    return {name: np.asarray(value) for name, value in values.items()} | {
        "np": np, "n": n, "side": side, "host": host,
    }  # fmt: skip


def numpy_updates() -> dict[str, Any]:
    """What NumPy's users write for a changed copy."""

    def put(x: Any, index: Any, value: float) -> Any:
        y = x.copy()
        y[index] = value
        return y

    def increase(x: Any, index: Any, value: float) -> Any:
        y = x.copy()
        y[index] += value
        return y

    def accumulate(x: Any, index: Any, value: float) -> Any:
        y = x.copy()
        numpy.add.at(y, index, value)
        return y

    return {"put": put, "increase": increase, "accumulate": accumulate}


def times(ours: timeit.Timer, theirs: timeit.Timer, seconds: float) -> tuple[float, float]:
    """Minima in microseconds, measured in turn; a few warm calls first, as plans are made then."""
    for timer in (ours, theirs):
        timer.timeit(3)
    once = min(theirs.timeit(1), theirs.timeit(1), ours.timeit(1), ours.timeit(1))
    count = max(1, int(seconds / 12 / max(once, 1e-7)))
    count = min(count, 20_000)
    rounds = 6 if count > 1 else 3
    best = [math.inf, math.inf]
    for _ in range(rounds):
        best[0] = min(best[0], ours.timeit(count))
        best[1] = min(best[1], theirs.timeit(count))
    return best[0] / count * 1e6, best[1] / count * 1e6


def compare(words: list[str], sizes: list[int], seconds: float) -> dict[str, dict[int, Any]]:
    """(our, NumPy's) microseconds by call and size."""
    result: dict[str, dict[int, Any]] = {}
    for n in sizes:
        mine = operands(vires.numpy, n)
        others = operands(numpy, n) | numpy_updates()
        for line in CALLS.strip().splitlines():
            if words and not any(word in line for word in words):
                continue
            text, _, other = line.partition(" | ")
            ours = timeit.Timer(text, globals=mine)
            theirs = timeit.Timer(other or text, globals=others)
            result.setdefault(text, {})[n] = times(ours, theirs, seconds)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10,1000,1000000")
    parser.add_argument("--seconds", type=float, default=0.05, help="for a call, at each size")
    parser.add_argument("--slower", action="store_true", help="only rows where NumPy is faster")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    sizes = [int(float(size)) for size in options.sizes.split(",")]
    figures = compare(options.words, sizes, options.seconds)
    print(f"{'call':34s}" + "".join(f"{n:>13,} us{'NumPy':>11}{'ratio':>8}" for n in sizes))
    slower = 0
    for call, row in figures.items():
        ratios = [theirs / ours for ours, theirs in row.values()]
        marks = ["!" if ratio < 0.97 else " " for ratio in ratios]
        slower += sum(ratio < 0.97 for ratio in ratios)
        if options.slower and min(ratios) >= 0.97:
            continue
        print(
            f"{call:34s}"
            + "".join(
                f"{ours:16.2f}{theirs:11.2f}{theirs / ours:7.2f}{mark}"
                for (ours, theirs), mark in zip(row.values(), marks, strict=True)
            )
        )
    total = sum(map(len, figures.values()))
    print(f"{total - slower} of {total} calls are as fast as NumPy's or faster")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
