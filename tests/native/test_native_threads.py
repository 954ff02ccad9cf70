"""The pool of memory, the pool of threads, fork, signals."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from native_code import FLOAT32, INT64, EagerAdd, entry, field
from vires import _native

# out[i] = i * i for 0 <= i < TASKS, as one task for each element.
SQUARES = """
  %out.p = getelementptr ptr, ptr %buffers, i64 0
  %out = load ptr, ptr %out.p
  call void %f0(ptr %rt, ptr @task, ptr %out, i64 TASKS)
  ret i32 0
"""
SQUARE_TASK = """
define void @task(ptr %out, i64 %i) {
  %p = getelementptr i64, ptr %out, i64 %i
  %v = mul i64 %i, %i
  store i64 %v, ptr %p
  ret void
}
"""


def squares(tasks: int, heavy: bool = True) -> object:
    code = entry(field(0) + SQUARES.replace("TASKS", str(tasks)), SQUARE_TASK)
    return _native.Executable(code.address(), code, [], [], [((tasks,), INT64, False)], heavy=heavy)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("tasks", [1, 2, 7, 1000, 1_000_000])
@pytest.mark.parametrize("heavy", [False, True])
def test_every_task_runs_once(threads: int, tasks: int, heavy: bool) -> None:
    _native.set_num_threads(threads)
    (out,) = squares(tasks, heavy).execute([])
    np.testing.assert_array_equal(out._numpy(), np.arange(tasks) ** 2)


def test_many_short_jobs() -> None:
    _native.set_num_threads(4)
    executable = squares(20)
    for _ in range(2000):
        assert executable.execute([])[0].item(19) == 361


def test_nested_calls_run() -> None:
    outer = """
define void @outer(ptr %context, i64 %i) {
  %both = load { ptr, ptr }, ptr %context
  %rt = extractvalue { ptr, ptr } %both, 0
  %out = extractvalue { ptr, ptr } %both, 1
  %p0 = getelementptr %Runtime, ptr %rt, i32 0, i32 0
  %f0 = load ptr, ptr %p0
  %mine = getelementptr i64, ptr %out, i64 %i
  call void %f0(ptr %rt, ptr @add, ptr %mine, i64 10)
  ret void
}
define void @add(ptr %place, i64 %i) {
  %old = load i64, ptr %place
  %new = add i64 %old, %i
  store i64 %new, ptr %place
  ret void
}
"""
    body = """
  %out.p = getelementptr ptr, ptr %buffers, i64 0
  %out = load ptr, ptr %out.p
  call void @llvm.memset.p0.i64(ptr %out, i8 0, i64 800, i1 false)
  %c0 = insertvalue { ptr, ptr } undef, ptr %rt, 0
  %c1 = insertvalue { ptr, ptr } %c0, ptr %out, 1
  %place = alloca { ptr, ptr }
  store { ptr, ptr } %c1, ptr %place
  call void %f0(ptr %rt, ptr @outer, ptr %place, i64 100)
  ret i32 0
"""
    declaration = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)\n"
    code = entry(field(0) + body, declaration + outer)
    _native.set_num_threads(4)
    executable = _native.Executable(code.address(), code, [], [], [((100,), INT64, False)])
    assert executable.execute([])[0].tolist() == [45] * 100


def test_python_threads_share_the_pool() -> None:
    _native.set_num_threads(3)
    executable = squares(5000)
    expected = np.arange(5000) ** 2
    wrong = []

    def work() -> None:
        for _ in range(100):
            if not np.array_equal(executable.execute([])[0]._numpy(), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_number_of_threads() -> None:
    _native.set_num_threads(3)
    assert _native.num_threads() == 3
    with pytest.raises(ValueError, match="set_num_threads: needs at least 1"):
        _native.set_num_threads(0)
    text = "from vires import _native; print(_native.num_threads())"
    environment = {**os.environ, "VIRES_NUM_THREADS": "3"}
    assert run(text, environment).stdout.strip() == "3"


def run(text: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork() -> None:
    _native.set_num_threads(4)
    executable, eager = squares(10_000), EagerAdd()
    big = _native.from_numpy(np.ones(600_000, np.float32))
    expected = np.arange(10_000) ** 2

    def work() -> bool:
        good = np.array_equal(executable.execute([])[0]._numpy(), expected)
        return good and bool(np.all(eager.op(big, big)._numpy() == 2))

    assert work()
    stop = threading.Event()
    other = threading.Thread(target=lambda: [work() for _ in iter(stop.is_set, True)])
    other.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                os._exit(0 if all(work() for _ in range(20)) else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert work()
    finally:
        stop.set()
        other.join()


def test_memory_is_reused_and_returned() -> None:
    _native.trim()
    assert _native.memory_stats()["cached"] == 0
    x = _native.empty((1 << 20,), FLOAT32)
    address, live = x.unsafe_buffer_pointer(), _native.memory_stats()["live"]
    del x
    stats = _native.memory_stats()
    assert stats["cached"] >= 4 << 20
    assert live - stats["live"] >= 4 << 20
    assert stats["peak"] >= live
    x = _native.empty((1 << 20,), FLOAT32)
    assert x.unsafe_buffer_pointer() == address
    del x
    _native.trim()
    assert _native.memory_stats()["cached"] == 0


@pytest.mark.parametrize(
    "bytes_", [2000, 4095, 100_000, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 77 << 20]
)
def test_sizes_are_accounted(bytes_: int) -> None:
    before = _native.memory_stats()["live"]
    x = _native.empty((bytes_,), 1)
    for offset in (0, bytes_ - 1):
        ctypes.c_uint8.from_address(_native.writable(x) + offset).value = 1
    used = _native.memory_stats()["live"] - before
    assert bytes_ <= used <= max(bytes_ * 1.2, bytes_ + (2 << 20))
    del x
    assert _native.memory_stats()["live"] == before


def test_pool_limit() -> None:
    text = """
import numpy as np
from vires import _native
from vires.core import setup
for n in (1 << 18, 1 << 20, 1 << 19):
    x = _native.empty((n,), 11)
    del x
    assert _native.memory_stats()["cached"] <= 1 << 21, _native.memory_stats()
assert _native.memory_stats()["cached"] == 1 << 21
"""
    run(text, {**os.environ, "VIRES_POOL_LIMIT": str(1 << 21)})


def test_memory_that_the_system_refuses() -> None:
    text = """
import resource
from vires import _native
from vires.core import setup
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), -1))
kept = [_native.empty((4 << 20,), 1)]
del kept[0]
try:
    _native.empty((100 << 20,), 1)
except MemoryError as error:
    print(error)
assert _native.memory_stats()["cached"] == 0
_native.empty((4 << 20,), 1)
"""
    assert "Array: cannot allocate 104857600 bytes" in run(text).stdout


POLLING = """
  br label %loop
loop:
  %r = call i32 %f1(ptr %rt)
  %stopped = icmp ne i32 %r, 0
  br i1 %stopped, label %exit, label %loop
exit:
  ret i32 -1
"""

PARALLEL_POLLING = """
  call void %f0(ptr %rt, ptr @task, ptr %rt, i64 100000000)
  ret i32 -1
"""
SLOW_TASK = """
declare i32 @usleep(i32)
define void @task(ptr %rt, i64 %i) {
  %r = call i32 @usleep(i32 1000)
  ret void
}
"""


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("kind", ["loop", "parallel"])
@pytest.mark.parametrize("threads", [1, 3])
def test_interrupt(heavy: bool, kind: str, threads: int) -> None:
    if kind == "loop":
        code = entry(field(1) + POLLING)
    else:
        code = entry(field(0) + PARALLEL_POLLING, SLOW_TASK)
    _native.set_num_threads(threads)
    executable = _native.Executable(code.address(), code, [], [], [], heavy=heavy)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    sent = time.monotonic() + 0.2
    # The timer is a Python thread, which needs the GIL; without it a real alarm sends the signal.
    if heavy:
        timer.start()
    else:
        before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            executable.execute([])
    finally:
        if heavy:
            timer.join()
        else:
            signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - sent < 1


def test_exceptions_of_other_signal_handlers() -> None:
    class Expired(Exception):
        pass

    def handler(*_: object) -> None:
        raise Expired

    before = signal.signal(signal.SIGALRM, handler)
    code = entry(field(1) + POLLING)
    executable = _native.Executable(code.address(), code, [], [], [], heavy=True)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Expired):
            executable.execute([])
    finally:
        signal.signal(signal.SIGALRM, before)
