"""All peers on all workloads: in turn for each workload, several rounds, the least of a figure."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from peers import Peer, available

#: Figures by workload and peer; "warm" is Vires in a second process, with a cache on disk.
Figures = dict[str, dict[str, dict[str, Any]]]
_PEERS = Path(__file__).parent / "workloads"
#: Rounds for the sake of first calls, of which there is one in a process, and the part of the time
#: that they give to later calls.
FIRST_ROUNDS, _BRIEF = 2, 0.1
#: Processes that explain workloads; steps up to so many bytes are held against the cache's speed.
_PROCESSES, _CACHED = 4, 1 << 20


def functions(path: Path) -> set[str]:
    """The public names that a module defines, without importing it (its library may be absent)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {x.name for x in tree.body if isinstance(x, ast.FunctionDef)}
    for x in tree.body:
        if isinstance(x, ast.Assign):
            names |= {t.id for t in x.targets if isinstance(t, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def compiled_by_torch() -> set[str]:
    """The workloads of `torch_peers.COMPILED`."""
    tree = ast.parse((_PEERS / "torch_peers.py").read_text(encoding="utf-8"))
    for x in ast.walk(tree):
        if isinstance(x, ast.Assign) and ast.unparse(x.targets[0]) == "COMPILED":
            return {
                word
                for text in ast.walk(x)
                if isinstance(text, ast.Constant) and isinstance(text.value, str)
                for word in text.value.split()
            }
    return set()


def keep(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The less of each number; an error only where nothing worked."""
    if "error" in new:
        return old or new
    if "error" in old:
        return new
    return {k: min(v, old[k]) if isinstance(v, float) and k in old else v for k, v in new.items()}


def measure(
    names: Iterable[str],
    jax: str | None,
    torch: str | None,
    rounds: int,
    seconds: float,
    say: Any = print,
) -> tuple[Figures, dict[str, float]]:
    """The figures of some workloads, and the milliseconds that each peer's import takes."""
    import workloads

    declared = workloads.load()
    figures: Figures = {name: {} for name in names}
    imports: dict[str, float] = {}
    runs = {
        "vires": set(declared),
        "warm": set(declared),
        "jax": set(declared),
        "numpy": functions(_PEERS / "numpy_peers.py"),
        "torch": functions(_PEERS / "torch_peers.py"),
        "torch.compile": compiled_by_torch(),
    }
    for turn in range(rounds + FIRST_ROUNDS):
        start = time.perf_counter()
        is_brief = turn >= rounds
        peers = _start(available(jax, torch), turn, is_brief)
        for label, peer in peers.items():
            imports[label] = min(peer.importing, imports.get(label, peer.importing))
        try:
            for name in figures:
                for label, peer in peers.items():
                    if name not in runs[label]:
                        continue
                    # What a second process is asked for is its first call.
                    how = (0.3 if label == "warm" else 1.0) * (_BRIEF if is_brief else 1.0)
                    found = peer.ask(name, f"{how * seconds:g}")
                    figures[name][label] = keep(figures[name].get(label, {}), found)
                say(f"round {turn + 1}: {name}: {_short(figures[name])}")
        finally:
            for peer in reversed(list(peers.values())):
                peer.stop()
        say(f"round {turn + 1} took {time.perf_counter() - start:.0f} s")
    return figures, imports


def _start(pythons: dict[str, str], turn: int, is_brief: bool) -> dict[str, Peer]:
    """New processes, with an empty cache for Vires; compiling C++ is slow, so once is enough."""
    left_out = ("torch.compile",) if turn else ()
    if is_brief:
        left_out = ("numpy", "torch", "torch.compile")
    pythons = {k: v for k, v in pythons.items() if k not in left_out}
    peers = {name: Peer(name, python) for name, python in pythons.items()}
    vires = peers.pop("vires")
    # The second process comes last: code is written to the cache some time after a first call.
    peers = {"vires": vires, **peers, "warm": Peer("vires", pythons["vires"], vires.cache)}
    for peer in peers.values():
        peer.start()
    return peers


def _short(figures: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{label} {f['error'][:60]}" if "error" in f else f"{label} {f['steady']:.3g} ms"
        for label, f in figures.items()
    )


def explained(names: Sequence[str], say: Any = print) -> dict[str, dict[str, Any]]:
    """What `vires.explain` says of the workloads that are one compiled function: what they move and
    compute, and the milliseconds that this takes at the machine's best speeds.
    """
    import workloads

    declared = workloads.load()
    found: dict[str, dict[str, Any]] = {}
    best: dict[str, float] = {}
    wanted = [name for name in names if not declared[name].eager]
    # Each process measures the machine's speeds; the best of several is what it can do.
    for part in (wanted[i::_PROCESSES] for i in range(_PROCESSES)):
        peer = Peer("vires", available(None, None)["vires"])
        for name in part:
            answer = peer.ask(name, "explain")
            if "error" in answer:
                say(f"explain {name}: {answer['error']}")
                continue
            found[name] = answer
            for key, value in answer["limits"].items():
                best[key] = max(value, best.get(key, value))
        peer.stop()
    for answer in found.values():
        _at_best(answer, best)
    return {name: found[name] for name in wanted if name in found}


def _at_best(answer: dict[str, Any], best: dict[str, float]) -> None:
    """Add up the steps of a program."""
    total = {"bytes": 0.0, "operations": 0.0, "limit": 0.0, "counted": 0.0}
    for nbytes, operations, wide, runs, taken, counted in answer["steps"]:
        total["bytes"] += nbytes * runs
        total["operations"] += operations * runs
        if counted:
            speed = best["cache"] if nbytes <= _CACHED else best["memory"]
            computing = operations / best["double" if wide else "single"]
            total["limit"] += 1e3 * runs * max(nbytes / speed, computing)
            total["counted"] += taken
    answer |= total
    answer["best"] = best
