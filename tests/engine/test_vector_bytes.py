"""VIRES_VECTOR_BYTES: code for processors with narrower vectors than this one's."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from vires import _native

_PROGRAM = """
import json, numpy as onp, vires, vires.numpy as np
from vires import _native
from vires.engine.llvm import cache, machine
x = onp.linspace(-9, 9, 60 * 70, dtype="float32").reshape(60, 70)
features = machine.host().features.split(",")
text = vires.jit(lambda x: (np.sin(x), x @ x.T, np.sort(x).sum(0)))(x)
print(json.dumps({
    "bytes": [machine.host().vector_bytes, _native.vector_bytes()],
    "wide": [f for f in features if f.startswith(("+avx512", "+avx10"))],
    "avx": [f for f in features if f.startswith(("+avx", "+fma", "+f16c"))],
    "results": [onp.asarray(y).tolist() for y in text],
    "key": cache.key(b""),
}))
"""


def run(vector_bytes: str | None, folder: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "VIRES_VECTOR_BYTES"}
    environment["VIRES_CACHE_DIR"] = folder
    if vector_bytes is not None:
        environment["VIRES_VECTOR_BYTES"] = vector_bytes
    command = [sys.executable, "-c", _PROGRAM]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_narrower_vectors(tmp_path):
    """Neither vectors nor instructions are wider, results agree, and the cache tells them apart."""
    found = {}
    for size in (64, 32, 16):
        done = run(str(size), str(tmp_path))
        assert done.returncode == 0, done.stderr
        found[size] = json.loads(done.stdout)
    widest = json.loads(run(None, str(tmp_path)).stdout)
    assert found[64] == widest
    for size, each in found.items():
        expected = min(size, widest["bytes"][0])
        assert each["bytes"] == [expected, expected]
        for a, b in zip(each["results"], widest["results"], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-4)
    assert not found[32]["wide"] and not found[16]["wide"]
    assert not found[16]["avx"] and found[32]["avx"] == [
        f for f in widest["avx"] if f not in widest["wide"]
    ]
    keys = {each["bytes"][0]: each["key"] for each in found.values()}
    assert len(set(keys.values())) == len(keys)


@pytest.mark.parametrize("given", ["8", "128", "wide", ""])
def test_other_sizes_are_refused(given, tmp_path):
    done = run(given, str(tmp_path))
    assert done.returncode != 0
    assert f"VIRES_VECTOR_BYTES: needs 64, 32 or 16; got {given!r}" in done.stderr


def test_this_process_has_a_size_of_these():
    assert _native.vector_bytes() in (64, 32, 16)
