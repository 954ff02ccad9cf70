"""Programs compiled and compared with their NumPy reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vires import _native
from vires.control.reference import run_reference
from vires.core.staging import stage
from vires.engine.llvm.pipeline import compile_program


def staged(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
    """The closed jaxpr of a function of NumPy arrays."""

    def flat(*xs: Any) -> Any:
        results = function(*xs)
        return results if isinstance(results, (list, tuple)) else [results]

    return stage(flat, [_native.from_numpy(x).aval for x in arrays])


def run(
    function: Callable[..., Any], *arrays: Any, rtol: float = 1e-5, atol: float = 1e-6
) -> list[np.ndarray]:
    """Compile, run, and compare with the reference."""
    arrays = tuple(np.asarray(x) for x in arrays)
    closed = staged(function, *arrays)
    executable = compile_program(closed, "test")
    results = [x._numpy() for x in executable.execute([_native.from_numpy(x) for x in arrays])]
    for found, expected in zip(results, run_reference(closed, *arrays), strict=True):
        assert found.shape == expected.shape and found.dtype == expected.dtype
        np.testing.assert_allclose(
            found.astype(np.complex128), expected.astype(np.complex128), rtol=rtol, atol=atol
        )
    return results
