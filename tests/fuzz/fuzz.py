"""Random programs on every engine, in parallel processes.

usage: fuzz.py [N] [--seed SEED] [--workers W] [--save FOLDER] [--large]

Runs the programs with seeds SEED to SEED + N - 1. Each failure is printed with its seed and a
script of the smallest program found that fails in the same way; the exit status says whether there
were any. `fuzz.py 1 --seed 123` runs one of them again. With `--large` small arrays are compiled as
large ones are.
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import multiprocessing.connection
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ["VIRES_ENABLE_CHECKS"] = "1"
os.environ.setdefault("VIRES_CACHE_DIR", "off")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as onp
from fuzz_generate import generate
from fuzz_laws import check
from fuzz_minimize import minimize
from fuzz_sizes import lower

import vires

#: Programs in a process, before a new one begins.
_CHUNK = 50


def prepare() -> None:
    """Random programs overflow and divide by zero all the time."""
    warnings.simplefilter("ignore")
    onp.seterr(all="ignore")
    if os.environ.get("VIRES_FUZZ_LARGE"):
        lower()


def one(seed: int) -> str | None:
    """Nothing, or the report of the failure of a seed."""
    try:
        program = generate(seed)
    except Exception as error:  # the reference must not fail
        return f"seed {seed}: cannot be made: {type(error).__name__}: {error}"
    failure = check(program)
    if failure is None:
        return None

    def same(candidate) -> bool:
        found = check(candidate, [failure.law])
        return found is not None and _kind(found.what) == _kind(failure.what)

    least = minimize(program, same)
    shown = check(least, [failure.law])
    return least.script(f"{failure.law}: {(shown or failure).what}")


def _kind(what: str) -> str:
    """Failures of one kind: the same error, or wrong numbers."""
    head = what.split(":")[0]
    return head if head.endswith("Error") or head == "BrokenProgram" else "wrong"


def chunk(seeds: range) -> list[tuple[int, str | None]]:
    """The reports of some seeds; what a process that dies was doing is on standard error."""
    prepare()
    faulthandler.enable()
    found: list[tuple[int, str | None]] = []
    for seed in seeds:
        Path(f"{_where()}/{os.getpid()}").write_text(str(seed))
        found.append((seed, one(seed)))
        vires.clear_caches()
    return found


def _where() -> str:
    return os.environ["VIRES_FUZZ_RUNNING"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", help="folder for a script of each failure")
    parser.add_argument("--large", action="store_true", help="compile as for large arrays")
    options = parser.parse_args()
    if options.large:
        os.environ["VIRES_FUZZ_LARGE"] = "1"
    start, done, failed = time.perf_counter(), 0, 0
    chunks = [
        range(s, min(s + _CHUNK, options.seed + options.count))
        for s in range(options.seed, options.seed + options.count, _CHUNK)
    ]
    if options.save:
        Path(options.save).mkdir(parents=True, exist_ok=True)
    for seeds, result in _run(chunks, options.workers):
        for seed, report in result:
            done += 1
            if report is None:
                continue
            failed += 1
            print(f"{'-' * 80}\n{report}\n", flush=True)
            if options.save:
                Path(options.save, f"{seed}.py").write_text(report)
        del seeds
        taken = time.perf_counter() - start
        print(f"{done} of {options.count}, {failed} failed, {taken:.0f} s", flush=True)
    return 1 if failed else 0


def _run(chunks: list[range], workers: int):
    """Results of chunks as they come, each from a process of its own that may die."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as running:
        os.environ["VIRES_FUZZ_RUNNING"] = running
        os.environ.setdefault("VIRES_NUM_THREADS", "2")
        waiting, active = chunks[::-1], []
        while waiting or active:
            while waiting and len(active) < workers:
                seeds = waiting.pop()
                receive, send = context.Pipe(False)
                process = context.Process(target=_child, args=(seeds, send))
                process.start()
                send.close()
                active.append((seeds, process, receive))
            ready = multiprocessing.connection.wait([a[2] for a in active], 1.0)
            for entry in list(active):
                seeds, process, receive = entry
                if receive not in ready:
                    continue
                active.remove(entry)
                try:
                    yield seeds, receive.recv()
                    process.join()
                except EOFError:
                    process.join()
                    note = Path(running, str(process.pid))
                    last = int(note.read_text()) if note.exists() else seeds.start
                    yield seeds, [(last, f"# seed {last}: the process died: {process.exitcode}")]
                    if last + 1 < seeds.stop:
                        waiting.append(range(last + 1, seeds.stop))


def _child(seeds: range, send) -> None:
    send.send(chunk(seeds))
    send.close()


if __name__ == "__main__":
    sys.exit(main())
