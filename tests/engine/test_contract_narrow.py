"""Packed products as processors with narrower vectors do them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from vires.engine.llvm import machine
from vires.engine.llvm.gemm_kernel import tile_of
from vires.engine.llvm.gemm_pack import square

PROGRAM = """
import sys
import numpy as np
import vires
from vires import lax
from vires.engine.llvm import machine

narrow = machine.host()._replace(vector_bytes=int(sys.argv[1]))
machine.host = lambda: narrow
random = np.random.default_rng(0)
for dtype in (np.float32, np.float64):
    error = 1e3 * np.finfo(dtype).eps
    for rows, columns, length in ((70, 61, 90), (301, 5, 300), (33, 290, 41)):
        x = random.standard_normal((rows, length)).astype(dtype)
        y = random.standard_normal((length, columns)).astype(dtype)
        for product, left, right in (
            (lambda x, y: x @ y, x, y),
            (lambda x, y: x.T @ y, x.T.copy(), y),
            (lambda x, y: x @ y.T, x, y.T.copy()),
        ):
            found = np.asarray(vires.jit(product)(left, right))
            np.testing.assert_allclose(found, x @ y, rtol=error, atol=error)
    image = random.standard_normal((2, 9, 10, 24)).astype(dtype)
    kernel = random.standard_normal((3, 3, 24, 22)).astype(dtype)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    exact = sum(
        padded[:, i : i + 9, j : j + 10] @ kernel[i, j] for i in range(3) for j in range(3)
    )
    for order in ("HWIO", "OIHW", "IHOW"):
        convolve = lambda x, w: lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=("NHWC", order, "NHWC")
        )
        turned = kernel.transpose(["HWIO".index(c) for c in order]).copy()
        found = np.asarray(vires.jit(convolve)(image, turned))
        np.testing.assert_allclose(found, exact, rtol=error, atol=error)
"""


@pytest.mark.parametrize("vector_bytes", [16, 32])
def test_products_with_narrower_vectors(vector_bytes, tmp_path):
    if vector_bytes >= machine.host().vector_bytes:
        pytest.skip("this processor's vectors are no wider")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(vector_bytes)],
        env={**os.environ, "VIRES_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "vector_bytes, triple",
    [(16, "x86_64-linux"), (32, "x86_64-linux"), (64, "x86_64-linux"), (16, "aarch64-linux")],
)
def test_panels_are_whole_squares(vector_bytes, triple, dtype, monkeypatch):
    host = machine.host()._replace(vector_bytes=vector_bytes, triple=triple)
    monkeypatch.setattr(machine, "host", lambda: host)
    tile = tile_of(np.dtype(dtype))
    assert tile.lanes % square(np.dtype(dtype)) == tile.rows % square(np.dtype(dtype)) == 0
