"""What this machine can do at most: bytes moved and operations done in a second, on all threads.

Measured once in a process, in well under a second, and cached.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from vires import _native
from vires.core import dtypes
from vires.engine.llvm import machine, objects

#: Bytes of each array that is copied from memory to memory; of one that stays in the cache.
_LARGE, _SMALL = 1 << 26, 1 << 16
#: Steps that touch no more than this are held against the cache's speed.
CACHED = 1 << 20
_RUNS = 4
_ENTRY = "vires_entry"


class Limits(NamedTuple):
    """The machine's limits."""

    threads: int
    #: Bytes a second, read and written, to memory and to the cache.
    memory: float
    cache: float
    #: Operations a second (a fused multiply-add is two) in float32 and float64.
    single: float
    double: float
    #: Seconds that a reading of the clock takes.
    clock: float

    def seconds(self, nbytes: int, operations: float, wide: bool) -> float:
        """The least time for so much work."""
        speed = self.cache if nbytes <= CACHED else self.memory
        return max(nbytes / speed, operations / (self.double if wide else self.single))


def limits() -> Limits:
    """The limits with the current number of threads."""
    return _measured(_native.num_threads())


@lru_cache(maxsize=4)
def _measured(threads: int) -> Limits:
    return Limits(
        threads,
        _copy(_LARGE, 1 << 20, 1),
        _copy(threads * _SMALL, _SMALL, 400),
        _arithmetic(threads, "float", 4),
        _arithmetic(threads, "double", 8),
        _clock(),
    )


def _executable(text: str, level: int, names: list[str], sizes: list[int], scratch: int) -> Any:
    """A program of an entry; arrays of some sizes go in and come out."""
    image = machine.compile_ir(text, level, name="limits")
    linked = objects.load_all([image], "limits", [[_ENTRY]], names)
    code = dtypes.CODE_OF[np.dtype(np.int8)]
    return _native.Executable(
        linked.entry,
        linked,
        [],
        [((size,), code) for size in sizes],
        [((size,), code, False) for size in sizes],
        scratch,
        [],
        lambda site, a, b: RuntimeError("limits: needs code that does not fail"),
        True,
        {},
        {},
        [],
    )


def _parallel(tasks: int) -> str:
    """An entry that runs tasks on all threads."""
    return f"""
define i32 @{_ENTRY}(ptr %buffers, ptr %rt) {{
  %function = load ptr, ptr %rt
  call void %function(ptr %rt, ptr @task, ptr %buffers, i64 {tasks})
  ret i32 0
}}
"""


def _fastest(executable: Any, operands: list[Any]) -> float:
    best = float("inf")
    for _ in range(_RUNS):
        start = time.perf_counter()
        executable.execute(operands)
        best = min(best, time.perf_counter() - start)
    return best


def _copy(size: int, chunk: int, times: int) -> float:
    """Bytes read and written in a second by copies of an array, in chunks."""
    text = f"""
define internal void @task(ptr %buffers, i64 %task) {{
entry:
  %second = getelementptr ptr, ptr %buffers, i64 1
  %source = load ptr, ptr %buffers
  %target = load ptr, ptr %second
  %offset = mul i64 %task, {chunk}
  %from = getelementptr i8, ptr %source, i64 %offset
  %to = getelementptr i8, ptr %target, i64 %offset
  br label %again
again:
  %turn = phi i64 [ 0, %entry ], [ %next, %again ]
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 {chunk}, i1 false)
  %next = add i64 %turn, 1
  %more = icmp ult i64 %next, {times}
  br i1 %more, label %again, label %done
done:
  ret void
}}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
{_parallel(size // chunk)}"""
    executable = _executable(text, 0, [], [size], 0)
    source = _native.from_numpy(np.zeros(size, np.int8))
    return 2.0 * size * times / _fastest(executable, [source])


def _arithmetic(threads: int, scalar: str, size: int) -> float:
    """Operations in a second of independent fused multiply-adds in registers."""
    lanes = machine.host().vector_bytes // size
    vector = f"<{lanes} x {scalar}>"
    chains, turns, tasks = 10, 100_000, 4 * threads
    name = f"@llvm.fma.v{lanes}f{8 * size}"
    heads = "\n".join(
        f"  %x{i} = phi {vector} [ splat ({scalar} {i}.0), %entry ], [ %y{i}, %again ]"
        for i in range(chains)
    )
    steps = "\n".join(
        f"  %y{i} = call {vector} {name}({vector} %x{i}, {vector} %m, {vector} %a)"
        for i in range(chains)
    )
    sums = "\n".join(
        f"  %s{i} = fadd {vector} %{f's{i - 1}' if i > 1 else 'y0'}, %y{i}"
        for i in range(1, chains)
    )
    text = f"""
define internal void @task(ptr %buffers, i64 %task) {{
entry:
  %place = load ptr, ptr %buffers
  %m = load {vector}, ptr %place, align {size}
  %second = getelementptr i8, ptr %place, i64 1024
  %a = load {vector}, ptr %second, align {size}
  br label %again
again:
  %turn = phi i64 [ 0, %entry ], [ %next, %again ]
{heads}
{steps}
  %next = add i64 %turn, 1
  %more = icmp ult i64 %next, {turns}
  br i1 %more, label %again, label %done
done:
{sums}
  %third = getelementptr i8, ptr %place, i64 2048
  store {vector} %s{chains - 1}, ptr %third, align {size}
  ret void
}}
declare {vector} {name}({vector}, {vector}, {vector})
{_parallel(tasks)}"""
    # Numbers that stay as they are: x * 0 + 0.
    executable = _executable(text, 2, [], [4096], 0)
    zeros = _native.from_numpy(np.zeros(4096, np.int8))
    return 2.0 * lanes * chains * turns * tasks / _fastest(executable, [zeros])


def _clock() -> float:
    """Seconds from a reading of the clock to the next one."""
    count = 1000
    text = f"""
declare i64 @vires_clock()
define i32 @{_ENTRY}(ptr %buffers, ptr %rt) {{
entry:
  %second = getelementptr ptr, ptr %buffers, i64 1
  %place = load ptr, ptr %second
  %first = call i64 @vires_clock()
  br label %again
again:
  %turn = phi i64 [ 0, %entry ], [ %next, %again ]
  %last = call i64 @vires_clock()
  %next = add i64 %turn, 1
  %more = icmp ult i64 %next, {count}
  br i1 %more, label %again, label %done
done:
  %all = sub i64 %last, %first
  store i64 %all, ptr %place
  ret i32 0
}}
"""
    executable = _executable(text, 0, ["vires_clock"], [8], 0)
    operands = [_native.from_numpy(np.zeros(8, np.int8))]
    times = [executable.execute(operands)[0]._numpy().view(np.int64)[0] for _ in range(_RUNS)]
    return float(min(times)) / count * 1e-9
