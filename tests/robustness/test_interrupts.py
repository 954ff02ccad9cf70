"""Ctrl-C stops long computations, and everything works afterwards."""

# fmt: off
# ruff: noqa: E501
from __future__ import annotations

import pytest
from processes import run

COMPUTATIONS = {
    "while_loop": "lax.while_loop(lambda c: c[0] >= 0, lambda c: (c[0] * 1, c[1] + 1.0), (0, 0.0))",
    "while_loop of arrays": "jit(lambda x: lax.while_loop(lambda c: c[0] >= 0, lambda c: (c[0] * 1, np.sin(c[1])), (0, x)))(np.ones(1000))",
    "fori_loop": "jit(lambda x: lax.fori_loop(0, 2**31 - 1, lambda i, c: np.sin(c) + i, x))(1.0)",
    "scan": "jit(lambda x: lax.scan(lambda c, _: (np.cos(c) * 1.01, None), x, None, length=2**31 - 1))(1.0)",
    "scan of products": "jit(lambda x: lax.scan(lambda c, _: (np.tanh(c @ c), None), x, None, length=10**7))(np.ones((100, 100)))",
    "vmap of while_loop": "jit(vmap(lambda x: lax.while_loop(lambda c: c < 1e9, lambda c: c * 1, x)))(np.ones(64))",
    "kernel": "jit(lambda x, y: np.sum(np.sin(x[:, None] * y) + np.cos(x[:, None] + y) ** 2.5))(np.ones(60000), np.ones(60000))",
    "eager operations": "[np.sin(np.ones(10**7)) for _ in range(10**4)]",
    "stack of matrices": "lax.linalg.schur(np.sin(np.arange(9000 * 3600.0)).reshape(9000, 60, 60))",
    "callback": "jit(lambda x: vires.pure_callback(lambda v: (time.sleep(30), v)[1], x, x))(1.0)",
}  # fmt: skip

_PROGRAM = """
import os, signal, threading, time
sent = []

def interrupt():
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

timer = threading.Timer(0.7, interrupt)
timer.start()
try:
    result = {computation}
    vires.block_until_ready(result)
    time.sleep(5)
    print("finished")
except KeyboardInterrupt:
    print("late" if time.monotonic() - sent[0] > {patience} else "stopped")
assert float((np.ones(3) + 1).sum()) == 6
assert float(jit(lambda x: lax.fori_loop(0, 10, lambda i, c: c + i, x))(1.0)) == 46
assert float(jit(lambda x: np.sin(x * 0).sum() + 5)(np.ones(10**6))) == 5
"""


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_interrupt(name: str) -> None:
    # Generous: the machine may be busy with other work.
    program = _PROGRAM.format(computation=COMPUTATIONS[name], patience=4)
    output, _ = run(program, seconds=40)
    assert output == "stopped\n"
