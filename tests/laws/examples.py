"""Operands and parameters to try every primitive on.

An example is (operands, params): NumPy arrays, and `Keys` for random keys. Values stay away from
the points where a
derivative jumps, so that finite differences exist. Each module `examples_*.py` has a function
`examples(name) -> list of examples`, empty for the primitives that it does not know.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vires import _native
from vires.core import dtypes


class Keys(NamedTuple):
    """An operand of random keys, by its bits."""

    bits: np.ndarray


Example = tuple[tuple[Any, ...], dict[str, Any]]

#: Primitives whose laws are tested where they live, and where that is.
ELSEWHERE = {
    **dict.fromkeys(
        (
            "jit",
            "cond",
            "while",
            "scan",
            "custom_jvp_call",
            "custom_vmap_call",
            "custom_vjp_call",
            "custom_lin",
            "custom_linear_solve",
        ),
        "tests/control: they hold programs",
    ),
    **dict.fromkeys(
        ("saved", "name", "stop_gradient", "checkpoint", "check"),
        "tests/control: marks in programs",
    ),
    **dict.fromkeys(
        ("pure_callback", "io_callback", "debug_callback", "closed_call", "linear_call"),
        "tests/control: host calls",
    ),
    **dict.fromkeys(
        (
            "psum",
            "pmax",
            "pmin",
            "all_gather",
            "all_to_all",
            "ppermute",
            "axis_index",
            "reduce_scatter",
            "pbroadcast",
        ),
        "tests/ops/test_ops_collective.py: they need a named axis",
    ),
}


def _modules() -> list[Callable[[str], list[Example]]]:
    here = str(Path(__file__).parent)
    names = sorted(m.name for m in pkgutil.iter_modules([here]) if m.name.startswith("examples_"))
    return [importlib.import_module(name).examples for name in names]


def examples(name: str) -> list[Example]:
    """All examples of a primitive."""
    return [example for of_module in _modules() for example in of_module(name)]


def operand(x: Any) -> Any:
    """An operand of an example as an array."""
    if isinstance(x, Keys):
        return _native.from_numpy(np.array(x.bits, order="C"), dtype=dtypes.KEY)
    return _native.from_numpy(np.asarray(x))


def raw(x: Any) -> np.ndarray:
    """An operand of an example as `reference` rules take it."""
    return x.bits if isinstance(x, Keys) else np.asarray(x)
