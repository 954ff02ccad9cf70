"""Many threads, forked and spawned processes."""

# fmt: off
# ruff: noqa: E501
from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as onp
import pytest
from processes import run

import vires
import vires.numpy as np
from vires import grad, jit, lax, random, vmap


def _work(number: int) -> float:
    """Eager, jitted and differentiated calls with shapes and constants that other threads share in part."""
    x = np.arange(1.0, 5.0 + number % 3)
    total = float((np.sin(x) + number).sum())
    total += float(jit(lambda a: (np.cos(a) * (number % 5)).sum())(x))
    total += float(grad(lambda a: (a**2).sum() * 1.0)(x)[0])
    total += float(vmap(lambda a: a * 2)(x)[1])
    total += float(lax.scan(lambda c, a: (c + a, None), 0.0, x)[0])
    total += float(np.sort(random.normal(random.key(number % 4), (50,)))[3])
    return total


def test_threads_compile_and_run() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(_work, range(48)))
    assert found == [_work(number) for number in range(48)]


def test_threads_call_one_new_function() -> None:
    barrier = threading.Barrier(8)
    traces: list[int] = []

    @jit
    def f(x):
        traces.append(1)
        return np.tanh(x) @ x

    def call(_: int) -> float:
        barrier.wait()
        return float(f(np.arange(100.0) / 100))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(call, range(8)))
    assert len(set(found)) == 1 and 1 <= len(traces) <= 8


def test_transformations_do_not_leak_into_other_threads() -> None:
    inside, done = threading.Event(), threading.Event()
    found = []

    def other() -> None:
        inside.wait(10)
        found.append(float(np.sin(np.zeros(3)).sum() + 1))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()

    def f(x):
        inside.set()
        assert done.wait(10)
        return x * 2

    assert float(jit(grad(f))(1.0)) == 2.0
    thread.join()
    assert found == [1.0]


def test_error_in_one_thread_leaves_the_others_alone() -> None:
    f = jit(lambda x, i: x[i] * 2)
    x = np.arange(3.0)

    def call(number: int) -> object:
        try:
            return float(f(x, number % 5))
        except IndexError:
            return "outside"

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(call, range(60)))
    assert found == [n % 5 * 2.0 if n % 5 < 3 else "outside" for n in range(60)]


_PROCESSES = """
import multiprocessing, os

def work(number):
    x = np.ones(300_000)  # enough for several threads
    value = float(jit(lambda x: (np.sin(x) * 0 + number).sum())(x))
    eager = float(np.cumsum(x + number)[-1])
    product = np.ones((200, 200)) @ np.ones((200, 200))
    return value / 300_000, eager / 300_000 - 1, float(product[0, 0])

if __name__ == "__main__":
    before = work(1)  # the pool of threads is running
    context = multiprocessing.get_context("{method}")
    with context.Pool(3) as pool:
        found = pool.map(work, range(1, 5))
    assert found[0] == before, (found, before)
    onp.testing.assert_allclose([f[0] for f in found], [1, 2, 3, 4])
    assert work(2) == found[1]
    print("done")
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes(method: str, tmp_path) -> None:
    file = tmp_path / "program.py"
    header = "import numpy as onp, vires, vires.numpy as np\nfrom vires import jit\n"
    file.write_text(header + _PROCESSES.format(method=method))
    output, _ = run(f"""
        import subprocess, sys
        done = subprocess.run([sys.executable, {str(file)!r}], capture_output=True, text=True)
        print(done.stdout, done.stderr)
    """)
    assert output.strip().startswith("done"), output


def test_fork_while_other_threads_compute() -> None:
    output, _ = run("""
        import os, threading
        x = np.ones(2_000_000)
        f = jit(lambda x: np.sin(x).sum())
        f(x)
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                f(x)
        threads = [threading.Thread(target=busy) for _ in range(2)]
        [t.start() for t in threads]
        for _ in range(5):
            pid = os.fork()
            if not pid:
                y = np.cos(np.zeros(500_000)).sum() + jit(lambda x: x.sum() * 2)(np.ones(10))
                os._exit(0 if float(y) == 500_020 else 1)
            assert os.waitpid(pid, 0)[1] == 0
        stop.set()
        [t.join() for t in threads]
        print("done")
    """)
    assert output == "done\n"


KEY = random.key(7)
X = np.asarray(onp.random.RandomState(0).randn(700_001).astype("float32"))
M = np.asarray(onp.random.RandomState(1).randn(300, 400).astype("float32"))
IMAGES = np.asarray(onp.random.RandomState(2).randn(4, 8, 40, 40).astype("float32"))
FILTERS = np.asarray(onp.random.RandomState(3).randn(16, 8, 3, 3).astype("float32"))
PLACES = np.asarray(onp.random.RandomState(4).randint(0, 1000, 700_001))

COMPUTATIONS = {
    "elementwise": lambda: np.exp(np.sin(X) * X),
    "sum": lambda: np.sum(X),
    "sum of an axis": lambda: (np.sum(X[:700_000].reshape(700, 1000), 0), np.mean(X[:700_000].reshape(1000, 700), 1)),
    "max": lambda: (np.max(X), np.argmax(X)),
    "norm": lambda: np.linalg.norm(X),
    "logsumexp": lambda: vires.nn.logsumexp(X),
    "cumsum": lambda: np.cumsum(X),
    "cumlogsumexp": lambda: lax.cumlogsumexp(X),
    "matmul": lambda: (M @ M.T, M.T @ M, M @ M[0]),
    "sort": lambda: (np.sort(X), np.argsort(X)),
    "scatter-add": lambda: np.zeros(1000).at[PLACES].add(X),
    "random": lambda: (random.bits(random.clone(KEY), (300_001,)), random.normal(random.clone(KEY), (300_001,))),
    "conv": lambda: lax.conv(IMAGES, FILTERS, (1, 1), "SAME"),
    "grad": lambda: grad(lambda x: (np.tanh(x) ** 2).mean())(X),
    "scan": lambda: lax.scan(lambda c, x: (c * 0.9 + x, c), 0.0, X[:5000]),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_same_bits_with_any_number_of_threads(name: str) -> None:
    compute = COMPUTATIONS[name]
    for function in (compute, jit(compute)):
        results = []
        for count in (1, 2, 3, 1):
            with vires.threads(count):
                results.append([onp.asarray(x).tobytes() for x in vires.tree.leaves(function())])
        assert all(r == results[0] for r in results)
