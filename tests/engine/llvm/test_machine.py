"""Compiling IR text and calling the result."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import textwrap
import threading

import pytest

from vires.engine.llvm import machine

SQUARE = """
define i64 @square_{0}(i64 %x) {{
  %y = mul i64 %x, %x
  %z = add i64 %y, {0}
  ret i64 %z
}}
"""


def call(address: int, *arguments: int) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))(address)(*arguments)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_compile_link_call(level: int) -> None:
    image = machine.compile_ir(SQUARE.format(3), level, verify=True)
    linked = machine.link(image, "square", exports=["square_3"])
    assert call(linked.address("square_3"), 5) == 28


def test_names_may_repeat() -> None:
    image = machine.compile_ir(SQUARE.format(1))
    first, second = machine.link(image, "same"), machine.link(image, "same")
    assert call(first.address("square_1"), 2) == call(second.address("square_1"), 2) == 5
    del first
    assert call(second.address("square_1"), 3) == 10
    assert call(second.address("square_1"), 4) == 17


def test_imported_and_process_symbols() -> None:
    text = """
declare i64 @given(i64)
declare double @cos(double)
define i64 @outer(i64 %x) {
  %y = call i64 @given(i64 %x)
  %c = call double @cos(double 0.0)
  %i = fptosi double %c to i64
  %z = add i64 %y, %i
  ret i64 %z
}
"""
    callback = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda x: 10 * x)
    address = ctypes.cast(callback, ctypes.c_void_p).value
    assert address is not None
    linked = machine.link(machine.compile_ir(text), "outer", {"given": address})
    assert call(linked.address("outer"), 4) == 41


def test_errors_name_the_kernel() -> None:
    with pytest.raises(machine.CompileError, match="my_kernel: LLVM cannot parse"):
        machine.compile_ir("define nonsense", name="my_kernel")
    with pytest.raises(ValueError, match="needs a level of 0, 1 or 2; got 5"):
        machine.compile_ir("", 5)
    linked = machine.link(machine.compile_ir(SQUARE.format(1)), "lost")
    with pytest.raises(machine.CompileError, match="lost: no symbol 'absent'"):
        linked.address("absent")


def test_error_then_success_in_one_thread() -> None:
    with pytest.raises(machine.CompileError):
        machine.compile_ir("define i32 @f() { ret i32 %undefined }")
    assert machine.compile_ir(SQUARE.format(1))


def test_threads_compile_at_once() -> None:
    results: dict[int, int] = {}

    def work(start: int) -> None:
        for number in range(start, start + 20):
            image = machine.compile_ir(SQUARE.format(number), number % 3)
            linked = machine.link(image, "square")
            results[number] = call(linked.address(f"square_{number}"), number)

    threads = [threading.Thread(target=work, args=(100 * turn,)) for turn in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: n * n + n for base in (0, 100) for n in range(base, base + 20)}


def test_contexts_are_renewed() -> None:
    images = {machine.compile_ir(SQUARE.format(7)) for _ in range(300)}
    assert len(images) == 1


def test_jobs() -> None:
    jobs = [
        machine.submit(SQUARE.format(n), n % 3, "job", priority=machine.Priority(n // 3 % 3))
        for n in range(12)
    ]
    for n, job in reversed(list(enumerate(jobs))):
        assert job.result() == machine.compile_ir(SQUARE.format(n), n % 3)
        assert job.done()
    wrong = machine.submit("define nonsense", 0, "my_kernel")
    with pytest.raises(machine.CompileError, match="my_kernel: LLVM cannot parse"):
        wrong.result()


def test_a_forked_child_compiles() -> None:
    program = """
        import os, sys
        from vires.engine.llvm import machine
        text = "define i64 @f(i64 %x) { ret i64 %x }"
        priorities = [machine.Priority(n // 7) for n in range(20)]
        jobs = [machine.submit(text, n % 3, "f", priority=p) for n, p in enumerate(priorities)]
        child = os.fork()
        good = all(job.result() == machine.compile_ir(text, n % 3) for n, job in enumerate(jobs))
        good = good and machine.submit(text, 1, "f").result() == machine.compile_ir(text, 1)
        if child == 0:
            os._exit(0 if good else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not good)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    assert subprocess.run(command, check=False, timeout=120).returncode == 0


def test_import_does_not_load_llvmlite() -> None:
    program = "import sys, vires.engine.llvm.machine; sys.exit('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_host() -> None:
    host = machine.host()
    assert host.vector_bytes in (16, 32, 64) and host.cpu
    assert host.has("avx512f") == (host.vector_bytes == 64)
