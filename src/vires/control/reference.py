"""Running programs by the primitives' NumPy references: the oracle for what holds programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core.jaxpr import ClosedJaxpr, Literal, Var
from vires.core.trace import as_array


def to_numpy(x: Any) -> np.ndarray:
    """A concrete value as a NumPy array (random keys as uint64)."""
    return x if isinstance(x, np.ndarray) else as_array(x)._numpy()


def run_reference(closed: ClosedJaxpr, *arrays: np.ndarray) -> list[np.ndarray]:
    """The results of a program on NumPy arrays."""
    jaxpr = closed.jaxpr
    values: dict[Var, np.ndarray] = {
        v: to_numpy(c) for v, c in zip(jaxpr.constvars, closed.consts, strict=True)
    }
    values.update(zip(jaxpr.invars, arrays, strict=True))

    def read(atom: Any) -> np.ndarray:
        return to_numpy(atom.val) if atom.__class__ is Literal else values[atom]

    for eqn in jaxpr.eqns:
        results = eqn.primitive.reference(*map(read, eqn.invars), **eqn.params)
        values.update(
            zip(eqn.outvars, results if eqn.primitive.multiple_results else [results], strict=True)
        )
    return [read(v) for v in jaxpr.outvars]
