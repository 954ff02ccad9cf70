"""A program written for the JAX of 2018 runs when its imports name Vires."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

from vires.errors import KeyReuseWarning

_PROGRAM = Path(__file__).with_name("program.py")


def test_only_the_imports_change() -> None:
    lines = _PROGRAM.read_text(encoding="utf-8").splitlines()
    imports = [
        re.sub(r"\bjax\b", "vires", x) if x.startswith(("import ", "from ")) else x for x in lines
    ]
    assert sum(a != b for a, b in zip(imports, lines, strict=True)) == 5  # import lines
    output = io.StringIO()
    # It draws twice with one key, to show that the draws are the same.
    with contextlib.redirect_stdout(output), pytest.warns(KeyReuseWarning):
        exec(compile("\n".join(imports), str(_PROGRAM), "exec"), {"__name__": "program"})
    printed = dict(x.split(" ", 1) for x in output.getvalue().splitlines() if " " in x)
    # What JAX draws for this key.
    wanted = [1.6226422, 2.0252647, -0.43359444]
    np.testing.assert_allclose(eval(printed["normal"]), wanted, rtol=1e-6)
    assert output.getvalue().endswith("done\n")
