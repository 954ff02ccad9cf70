"""Peers as processes that wait for the name of a workload, so that they can be measured in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_WORKER = Path(__file__).parent / "worker.py"


class Peer:
    """A library in a process of its own; one that dies is started again for the next question.

    `cache` is the folder of compiled code; without one the peer gets a new, empty folder.
    """

    def __init__(self, name: str, python: str, cache: str | None = None) -> None:
        self.name = name
        self._python = python
        self._own = tempfile.TemporaryDirectory(prefix="vires-bench-") if cache is None else None
        self.cache = cache if self._own is None else self._own.name
        self._process: subprocess.Popen[str] | None = None
        # Closed by `stop`.
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        #: Milliseconds that the import took.
        self.importing = 0.0

    def start(self) -> None:
        """Start the process and wait until it has imported the library."""
        environment = {**os.environ, "VIRES_CACHE_DIR": str(self.cache)}
        # Programs are started with their bytecode cached.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._process = subprocess.Popen(
            [self._python, str(_WORKER), self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
        )
        found = self._read()
        if "error" in found:
            raise SystemExit(f"{self.name}: cannot be started: {found['error']}")
        self.importing = found["import"]

    def ask(self, name: str, how: str) -> dict[str, Any]:
        """The figures of a workload; an "error" where it has none."""
        if self._process is None:
            self.start()
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(f"{name} {how}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        """The next answer. What else the library prints is no answer."""
        process = self._process
        assert process is not None and process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        code = process.wait()
        self._process = None
        self._log.seek(0)
        return {"error": f"exit {code}: {self._log.read().strip()[-300:]}"}

    def stop(self) -> None:
        """End the process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
        self._process = None
        self._log.close()
        if self._own is not None:
            self._own.cleanup()


def available(jax: str | None, torch: str | None) -> dict[str, str]:
    """The peers that can be measured, with the Python of each."""
    found = {"vires": sys.executable, "numpy": sys.executable}
    if jax is not None:
        found["jax"] = jax
    if torch is not None:
        found |= {"torch": torch, "torch.compile": torch}
    return found
