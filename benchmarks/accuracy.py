"""Measures the error of the CPU engine's elementary functions and writes docs/accuracy.md.

    python benchmarks/accuracy.py              # all functions: about half a minute each
    python benchmarks/accuracy.py sin log      # these; the other lines of the page stay

float32 functions of one argument are compared on all 2^32 values with the float64 function of the
same name, those of two on random pairs; float64 functions with mpmath on random and difficult
points. Errors are in units in the last place of the exact result. Time is per element and core,
with the compiler's level 1.
"""

from __future__ import annotations

import ctypes
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

from vires.dialect.loops import MATH_OPS
from vires.engine.llvm import machine
from vires.engine.llvm.code import Code, Val, module
from vires.engine.llvm.kinds import FLOAT32, FLOAT64, INT64

PAGE = Path(__file__).parents[1] / "docs/accuracy.md"
CHUNK = 1 << 20
LANES = 16


def compile_kernel(build: Callable[..., Val], dtypes: list[Any], lanes: int) -> Callable[..., None]:
    """A function of (operands..., result) over arrays whose length is a multiple of the lanes."""
    code = Code()
    count = code.argument("%n", np.int64)
    code.br("loop")
    code.label("loop")
    index = code.phi(np.int64, 1, [(code.index(0), "entry")])
    values = [
        code.load(code.gep(f"%x{i}", dtype, index), dtype, lanes) for i, dtype in enumerate(dtypes)
    ]
    result = build(code, *values)
    code.store(code.gep("%out", result.dtype, index), result)
    following = index + lanes
    code.add_incoming(index, following, code.block)
    code.cond_br(following < count, "loop", "done")
    code.label("done")
    code.ret()
    parameters = [f"ptr %x{i}" for i in range(len(dtypes))] + ["ptr %out", "i64 %n"]
    image = machine.compile_ir(module([code.define("kernel", parameters)], [code]), 1)
    linked = machine.link(image, "accuracy")
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(dtypes) + 1), ctypes.c_int64)
    function = prototype(linked.address("kernel"))

    def call(*arrays: np.ndarray[Any, Any]) -> None:
        assert linked is not None
        function(*[x.ctypes.data for x in arrays], len(arrays[-1]))

    return call


def error_in_ulps(code: Code, got: Val, exact: Val) -> Val:
    """The error of a float32 against a float64, in the last place of that rounded to float32."""
    exponent = (code.bits(exact) >> 52) & 0x7FF
    lowest = code.number(1023 - 126, INT64, got.lanes)
    place = code.select(exponent > lowest, exponent, lowest) - 23
    unit = code.from_bits(place << 52)
    error = code.fabs(code.cast("fpext", got, FLOAT64) - exact) / unit
    # Equal infinities and nan have no error; a result rounded to infinity is right, too.
    rounded = code.cast("fptrunc", exact, FLOAT32)
    same = got.compare("oeq", rounded) & (code.fabs(got) >= float("inf"))
    both_nan = got.compare("uno", got) & exact.compare("uno", exact)
    error = code.select(same | both_nan, 0.0, error)
    error = code.select(error.compare("uno", error), float("inf"), error)
    return code.cast("fptrunc", error, FLOAT32)


def compare(name: str) -> Callable[..., Val]:
    def build(code: Code, *operands: Val) -> Val:
        wide = [code.convert(x, np.float64) for x in operands]
        return error_in_ulps(code, code.op(name, *operands), code.op(name, *wide))

    return build


def arguments_of(name: str) -> Iterator[list[np.ndarray[Any, Any]]]:
    """All float32 for one operand; for two 2^28 random pairs, a quarter of any exponents."""
    if MATH_OPS[name] == 1:
        bits = np.arange(CHUNK, dtype=np.uint32)
        for start in range(0, 1 << 32, CHUNK):
            # Large angles are the C library's affair, and slow: one chunk in 32 of them.
            size = (start & 0x7FFFFFFF) >> 23
            if name in ("sin", "cos", "tan") and size > 127 + 17 and (start // CHUNK) % 32:
                continue
            yield [(bits + np.uint32(start)).view(np.float32)]
        return
    rng = np.random.default_rng(0)
    for turn in range(256):
        if turn % 4 == 0:
            raw = rng.integers(0, 1 << 32, (2, CHUNK), dtype=np.uint32)
            yield list(raw.view(np.float32))
        else:
            base = (
                np.exp(rng.uniform(-6, 6, CHUNK))
                if turn % 2
                else 1 + rng.standard_normal(CHUNK) / 8
            )
            other = rng.standard_normal(CHUNK) * np.exp(rng.uniform(-2, 5, CHUNK))
            yield [base.astype(np.float32), other.astype(np.float32)]


def scan_single(name: str) -> tuple[float, list[float], float]:
    """The largest error in float32, where, and the share of values off by more than one place."""
    operands = MATH_OPS[name]
    kernel = compile_kernel(compare(name), [np.float32] * operands, LANES)
    errors = np.empty(CHUNK, np.float32)
    worst, where, above, total = -1.0, [0.0], 0, 0
    for arrays in arguments_of(name):
        kernel(*arrays, errors)
        index = int(np.argmax(errors))
        if errors[index] > worst:
            worst, where = float(errors[index]), [float(x[index]) for x in arrays]
        above += int(np.count_nonzero(errors > 1.0))
        total += CHUNK
    return worst, where, above / total


def erf_inv(x: mpf) -> mpf:
    """By Newton's method on the complement."""
    size, rest = abs(x), 1 - abs(x)
    if size < 0.5:
        return mpmath.erfinv(x) if size > 1e-20 else x * mpmath.sqrt(mp.pi) / 2
    y = mpmath.sqrt(-mpmath.log(rest * (1 + size))) * mpf("0.88")
    for _ in range(80):
        slope = -2 / mpmath.sqrt(mp.pi) * mpmath.exp(-y * y)
        value = mpmath.erfc(y)
        step = value * mpmath.log(value / rest) / slope
        y -= step
        if abs(step) < mpf(10) ** -32 * abs(y):
            break
    return mpmath.sign(x) * y


EXACT: dict[str, Callable[..., mpf]] = {
    "exp2": lambda x: mpf(2) ** x,
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "pow": lambda x, y: x**y,
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "erf_inv": erf_inv,
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
}


def double_points(name: str) -> list[np.ndarray[Any, Any]]:
    """Random and difficult float64 arguments inside the domain."""
    rng = np.random.default_rng(1)
    count = 1500
    steps = np.arange(-40, 40) / 2
    points = [
        rng.standard_normal(count), rng.uniform(-1, 1, count), rng.uniform(-20, 20, count),
        np.exp(rng.uniform(-700, 700, count)) * rng.choice([-1, 1], count),
        1 + rng.standard_normal(200) * 1e-4, rng.standard_normal(200) * 1e-6,
        rng.uniform(-745, 709, count), np.float64(np.pi) / 2 * np.arange(1, 200),
        np.log(2) * steps, np.nextafter(np.log(2) * steps, 99), 2.0 ** np.arange(-1074, 1023, 7),
    ]  # fmt: skip
    x = np.concatenate(points)
    if name in ("acosh",):
        x = 1 + np.abs(x)
    if name in ("asin", "acos", "atanh", "erf_inv"):
        x = np.concatenate([x[np.abs(x) < 1], 1 - np.exp(rng.uniform(-36, 0, count))])
    if name in ("log", "log2", "rsqrt"):
        x = np.abs(x[x != 0])
    if name == "log1p":
        x = x[x > -1]
    if name in ("lgamma", "digamma"):
        x = x[np.abs(x) < 1e6]
        x = x[(x > 0) | (x != np.floor(x))]
    if name in ("erf", "erfc", "sinh", "cosh", "tanh", "exp", "expm1", "exp2", "logistic"):
        x = x[np.abs(x) < 800]
    if MATH_OPS[name] == 1:
        return [x]
    y = rng.permutation(x)
    if name == "pow":
        x = np.abs(x[x != 0])[: len(y)]
        y = y[: len(x)]
        with np.errstate(all="ignore"):
            near = rng.uniform(-700, 700, len(x)) / np.log(x)
        y = np.where(np.abs(y * np.log(x)) < 700, y, near)
        usable = np.isfinite(y)
        x, y = x[usable], y[usable]
    return [x, y]


def scan_double(name: str) -> tuple[float, list[float]]:
    """The largest error in float64 on the difficult points, and where."""
    arrays = double_points(name)
    length = len(arrays[0]) // 8 * 8
    arrays = [np.ascontiguousarray(x[:length]) for x in arrays]
    operands = MATH_OPS[name]
    kernel = compile_kernel(lambda code, *v: code.op(name, *v), [np.float64] * operands, 8)
    got = np.empty(length)
    kernel(*arrays, got)
    exact = EXACT.get(name) or getattr(mpmath, name)
    mp.dps = 50
    worst, where = -1.0, [0.0]
    for index in range(length):
        point = [float(x[index]) for x in arrays]
        value = exact(*[mpf(x) for x in point])
        rounded = float(value)
        if np.isinf(rounded) or np.isnan(rounded):
            continue
        error = float(abs(mpf(float(got[index])) - value) / mpf(float(np.spacing(abs(rounded)))))
        if name in ("lgamma", "digamma"):
            # Near their zeros, in units of the last place of 1.
            error = float(abs(mpf(float(got[index])) - value) / max(abs(value), 1) * 2**52)
        if error > worst:
            worst, where = error, point
    return worst, where


def time_of(name: str, dtype: Any, lanes: int) -> float:
    """Nanoseconds for an element, the best of many runs on data in the cache."""
    operands = MATH_OPS[name]
    kernel = compile_kernel(lambda code, *v: code.op(name, *v), [dtype] * operands, lanes)
    rng = np.random.default_rng(0)
    arrays = [
        (rng.uniform(0.05, 0.95, 1 << 14) + (name == "acosh")).astype(dtype)
        for _ in range(operands)
    ]
    out = np.empty(1 << 14, dtype)
    best = np.inf
    for _ in range(60):
        start = time.perf_counter()
        kernel(*arrays, out)
        best = min(best, time.perf_counter() - start)
    return best / len(out) * 1e9


HEADER = """# Accuracy of the elementary functions

The CPU engine's own vector functions, measured by `benchmarks/accuracy.py`. Errors are in units in
the last place (ulp) of the exact result; a correctly rounded function has 0.5. float32: all 2^32
arguments (of sine, cosine and tangent beyond 2^18 one in 32; functions of two arguments: 2^28
random pairs) against the float64 function. float64: random and difficult arguments against mpmath
with 50 digits. `lgamma` and `digamma` have zeros,
near which their float64 error is absolute, given in units of 2^-52. `erf_inv` in float32 is the
published single precision approximation of M. Giles (2010) on purpose, as random normal numbers are
defined by it. float16, bfloat16 and float8 compute in float32 and round once. Time is for one
element on one core, in the cache (the machine: {machine}).

| function | float32 ulp | at | share > 1 ulp | float64 ulp | at | float32 ns | float64 ns |
|---|---|---|---|---|---|---|---|
"""


def read_rows() -> dict[str, str]:
    if not PAGE.exists():
        return {}
    return {m[1]: m[0] for m in re.finditer(r"^\| `(\w+)` .*$", PAGE.read_text(), re.M)}


def main(names: list[str]) -> None:
    rows = read_rows()
    for name in names or list(MATH_OPS):
        start = time.perf_counter()
        worst, where, above = scan_single(name)
        double, double_where = scan_double(name)
        lanes = machine.host().vector_bytes // 4
        single_time = time_of(name, np.float32, lanes)
        double_time = time_of(name, np.float64, lanes // 2)
        at, double_at = (", ".join(f"{x:.9g}" for x in point) for point in (where, double_where))
        rows[name] = (
            f"| `{name}` | {worst:.3f} | {at} | {above:.1e} | {double:.2f} | {double_at} | "
            f"{single_time:.2f} | {double_time:.2f} |"
        )
        print(rows[name], f"({time.perf_counter() - start:.0f} s)", flush=True)
        body = [rows[name] for name in MATH_OPS if name in rows]
        text = HEADER.format(
            machine=f"{machine.host().cpu}, {machine.host().vector_bytes}-byte vectors"
        )
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text + "\n".join(body) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
