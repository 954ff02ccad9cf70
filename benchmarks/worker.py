"""One peer in a process of its own: reads the name of a workload a line, answers with figures.

usage: worker.py PEER        PEER: vires, jax, numpy, torch or torch.compile
A line is a workload's name and the seconds to measure, or "explain". Each answer is a JSON object:
first (ms), steady (the least, ms) and digest; or the costs that `vires.explain` counts; or error.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import workloads
from workloads import Library

#: A peer makes of a workload what to time, and of its result a list of NumPy arrays.
Prepared = tuple[Callable[[], Any], Callable[[Any], list[np.ndarray]]]
_SAMPLES = 64


def digest(arrays: list[np.ndarray]) -> list[Any]:
    """Of each array the shape, type, mean magnitude and some elements."""
    rows: list[Any] = []
    for a in arrays:
        flat = a.ravel().astype(np.float64)
        some = flat[:: max(1, flat.size // _SAMPLES)][:_SAMPLES]
        mean = float(np.abs(flat).mean()) if flat.size else 0.0
        rows.append([list(a.shape), str(a.dtype), mean, some.tolist()])
    return rows


def jax_like(package: str) -> Callable[[str], Prepared]:
    """A library with JAX's interface."""
    modules = [importlib.import_module(f"{package}.{m}") for m in ("numpy", "lax", "random", "nn")]
    lib = importlib.import_module(package)
    importlib.import_module(f"{package}.scipy.linalg")
    library = Library(lib, *modules)

    def prepare(name: str) -> Prepared:
        workload = workloads.WORKLOADS[name]
        function = workload.program(library)
        arguments = lib.tree_util.tree_map(library.np.array, workload.arguments())
        lib.block_until_ready(arguments)
        run = lambda: lib.block_until_ready(function(*arguments))
        return run, lambda result: [np.asarray(x) for x in lib.tree_util.tree_leaves(result)]

    return prepare


def plain_numpy() -> Callable[[str], Prepared]:
    """NumPy."""
    peers = importlib.import_module("workloads.numpy_peers")

    def prepare(name: str) -> Prepared:
        run = getattr(peers, name)(*workloads.WORKLOADS[name].arguments())
        return run, lambda result: [np.asarray(x) for x in _leaves(result)]

    return prepare


def torch(compiled: bool) -> Callable[[str], Prepared]:
    """PyTorch, eager or compiled."""
    library = importlib.import_module("torch")
    peers = importlib.import_module("workloads.torch_peers")

    def tensors(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {k: tensors(v) for k, v in tree.items()}
        if isinstance(tree, (list, tuple)):
            return type(tree)(map(tensors, tree))
        return library.from_numpy(np.array(tree))

    def prepare(name: str) -> Prepared:
        wrap = library.compile if compiled else lambda function: function
        if compiled:
            library.compiler.reset()
        run = getattr(peers, name)(wrap, *tensors(workloads.WORKLOADS[name].arguments()))
        return run, lambda result: [x.detach().numpy() for x in _leaves(result)]

    return prepare


def _leaves(result: Any) -> list[Any]:
    return [x for part in result for x in _leaves(part)] if isinstance(result, (list, tuple)) else [
        result
    ]  # fmt: skip


def least(run: Callable[[], Any], seconds: float) -> float:
    """The least time of a call, in milliseconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (time.perf_counter() < end or len(times) < 3) and len(times) < 500:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def measure(prepare: Callable[[str], Prepared], name: str, seconds: float) -> dict[str, Any]:
    """The figures of a workload."""
    run, arrays = prepare(name)
    start = time.perf_counter()
    result = run()
    first = 1e3 * (time.perf_counter() - start)
    found = digest(arrays(result))
    del result
    return {"first": first, "steady": least(run, seconds), "digest": found}


def explain(name: str) -> dict[str, Any]:
    """What a compiled workload moves and computes, by `vires.explain`."""
    import vires

    workload = workloads.WORKLOADS[name]
    modules = [importlib.import_module(f"vires.{m}") for m in ("numpy", "lax", "random", "nn")]
    library = Library(vires, *modules)
    arguments = vires.tree_util.tree_map(library.np.array, workload.arguments())
    report = vires.explain(workload.program(library))(*arguments).report
    steps: list[list[Any]] = []

    def add(found: list[Any]) -> None:
        for step in found:
            if step.inner:
                add(step.inner)
                continue
            wide = any(x.dtype in ("float64", "complex128") for x in (*step.reads, *step.writes))
            counted = step.limit is not None
            steps.append(
                [step.nbytes, step.operations or 0.0, wide, step.runs, 1e3 * step.seconds, counted]
            )

    add(report.steps)
    hot = sorted(report.steps, key=lambda step: -step.seconds)[:3]
    return {
        "limits": report.limits._asdict(),
        "steps": steps,
        "call": 1e3 * report.call,
        "hot": [f"{s.name} {1e3 * s.seconds:.3g} ms" for s in hot],
    }


def answer(make: Callable[[], Any]) -> dict[str, Any]:
    """What was made, or the error; a peer that fails must not stop the others."""
    try:
        return make()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:400]}


def main() -> None:
    peer = sys.argv[1]
    workloads.load()
    start = time.perf_counter()
    if peer in ("vires", "jax"):
        prepare = jax_like(peer)
    elif peer == "numpy":
        prepare = plain_numpy()
    else:
        prepare = torch(peer == "torch.compile")
    print(json.dumps({"import": 1e3 * (time.perf_counter() - start)}), flush=True)
    for line in sys.stdin:
        name, *rest = line.split()
        if rest and rest[0] == "explain":
            figures = answer(lambda name=name: explain(name))
        else:
            seconds = float(rest[0]) if rest else 1.0
            figures = answer(lambda name=name, s=seconds: measure(prepare, name, s))
        print(json.dumps({"name": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
