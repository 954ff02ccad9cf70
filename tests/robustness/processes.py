"""Runs a program in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

_HEADER = """
import numpy as onp
import vires, vires.numpy as np
from vires import grad, jit, lax, random, vmap
"""


def start(program: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HEADER + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def finish(process: subprocess.Popen[str], seconds: float = 60) -> tuple[str, str]:
    """Output and errors; fails if the process does, or takes longer."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, errors or f"exit status {process.returncode}"
    return output, errors


def run(program: str, seconds: float = 60, **environment: str) -> tuple[str, str]:
    return finish(start(program, **environment), seconds)
