"""Arrays larger than memory: MemoryError, and the process lives. Each in a process of its own,
whose memory is limited.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

_PROGRAM = textwrap.dedent("""
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    import vires
    import vires.numpy as np
    from vires import jit, lax, random, vmap

    row, column = np.ones((1, 10**6)), np.ones((10**6, 1))
    calls = {
        "ones": lambda: np.ones((10**12,)),
        "zeros of bytes": lambda: np.zeros((10**6, 10**7), "int8"),
        "full": lambda: np.full((10**12,), 3.0) + 1,  # a view until it is read
        "no address": lambda: np.zeros((2**40, 2**40)),
        "jit of no address": lambda: jit(lambda: np.zeros((2**40, 2**40)))(),
        "jit of ones": lambda: jit(lambda: np.ones((10**12,)))(),
        "jit of ones and more": lambda: jit(lambda x: np.ones((10**12,)) * x)(2.0),
        "broadcast": lambda: row + column,
        "jit of broadcast": lambda: jit(lambda x, y: x + y)(row, column),
        "broadcast_to": lambda: np.broadcast_to(np.ones(1), (10**12,)).block_until_ready(),
        "vmap": lambda: vmap(lambda x: x + row[0])(row[0]),
        "temporary": lambda: jit(lambda x, y: np.sort((x + y).ravel())[:3])(row, column),
        "outer": lambda: np.outer(row, row),
        "matmul": lambda: column @ row,
        "jit of matmul": lambda: jit(lambda x, y: x @ y)(column, row),
        "arange": lambda: np.arange(1e12),
        "linspace": lambda: np.linspace(0, 1, 10**12),
        "eye": lambda: np.eye(10**6),
        "tile": lambda: np.tile(row, (10**6, 1)),
        "repeat": lambda: np.repeat(row, 10**6),
        "pad": lambda: np.pad(np.ones(3), 10**12),
        "normal": lambda: random.normal(random.key(0), (10**12,)),
        "jit of normal": lambda: jit(lambda k: random.normal(k, (10**12,)))(random.key(0)),
        "split": lambda: random.split(random.key(0), 10**12),
        "scan": lambda: lax.scan(lambda c, _: (c, c), row, None, length=10**6),
        "fft": lambda: np.fft.fft(np.ones(3), n=10**12),
        "one_hot": lambda: vires.nn.one_hot(np.arange(10**6), 10**6),
    }
    for name, call in calls.items():
        try:
            call()
        except MemoryError as error:
            assert str(error), name
        else:
            raise AssertionError(f"{name}: not refused")
    assert float(row.sum()) == 1e6
    assert float(jit(lambda x: (x * 2).sum())(row)) == 2e6
    print("done")
""")


def test_larger_than_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "done\n", done.stderr
