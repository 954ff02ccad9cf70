"""Programs to measure, each written once for every library with JAX's interface.

A workload has `inputs`, made by NumPy and the same for all libraries, and a `program`: a function
of the library that gives the function to time. Libraries with interfaces of their own have theirs
in `numpy_peers` and `torch_peers`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Library(NamedTuple):
    """A library with JAX's interface: the package and its modules."""

    lib: Any
    np: Any
    lax: Any
    random: Any
    nn: Any


@dataclass(frozen=True)
class Workload:
    """A program, what it is given, and how its results are compared."""

    name: str
    inputs: Callable[[np.random.Generator], tuple[Any, ...]]
    program: Callable[[Library], Callable[..., Any]]
    #: One of the table's workloads; others have rows of their own.
    counted: bool
    #: Rounding decides where it ends up: only shapes and types are compared.
    chaotic: bool
    #: It is not one compiled function: there is nothing to explain.
    eager: bool

    def arguments(self) -> tuple[Any, ...]:
        """The inputs, the same at each call."""
        return self.inputs(np.random.default_rng(0))


WORKLOADS: dict[str, Workload] = {}

Program = Callable[[Library], Callable[..., Any]]


def workload(
    inputs: Callable[[np.random.Generator], tuple[Any, ...]],
    *,
    counted: bool = True,
    chaotic: bool = False,
    eager: bool = False,
) -> Callable[[Program], Program]:
    """Declare a workload; it is named like the function that makes its program."""

    def declare(program: Program) -> Program:
        name = program.__name__
        WORKLOADS[name] = Workload(name, inputs, program, counted, chaotic, eager)
        return program

    return declare


def normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal float32 numbers."""
    return random.standard_normal(shape, dtype=np.float32)


def load() -> dict[str, Workload]:
    """All workloads, in the order of the table."""
    for module in (
        "elementwise", "training", "loops", "arrays", "linear_algebra", "small", "first_calls",
    ):  # fmt: skip
        # Each declares its own when it is imported.
        importlib.import_module(f"workloads.{module}")
    return WORKLOADS
