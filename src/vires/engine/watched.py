"""What options ask of any engine: results looked at for nan and inf, compilations logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.config import config
from vires.core.jaxpr import ClosedJaxpr
from vires.core.primitive import Primitive, flat_results

_logger = logging.getLogger("vires")


def watching() -> bool:
    """Whether results are to be looked at: then nothing is compiled, planned or run natively."""
    return config.debug_nans or config.debug_infs


def looked_at(eager: Callable[..., Any]) -> Callable[..., Any]:
    """Run operations at once, and raise where a result holds what the options forbid."""

    def run(primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        results = eager(primitive, operands, params)
        for result in flat_results(primitive, results):
            _look(primitive, result, operands)
        return results

    return run


def _look(primitive: Primitive, result: Any, operands: Sequence[Any]) -> None:
    aval = result.aval
    if not dtypes.is_inexact(aval.dtype):
        return
    values = result._numpy()
    if dtypes.kind(aval.dtype) == "float" and aval.dtype.kind == "V":
        values = values.astype(np.float32)
    bad = "nan" if config.debug_nans and np.isnan(values).any() else ""
    if not bad and config.debug_infs and np.isinf(values).any():
        bad = "inf"
    if bad:
        types = ", ".join(getattr(x, "aval", x).str_short() for x in operands)
        raise FloatingPointError(
            f"{primitive}: needs results without {bad}; got {bad} in {aval.str_short()} from "
            f"({types}); try to print the operands, or config.update('debug_{bad}s', False)"
        )


def logged(compile_program: Callable[..., Any]) -> Callable[..., Any]:
    """Compile, and say so in the log "vires" with `config.log_compiles`."""

    def run(closed: ClosedJaxpr, *, name: str = "program", donate: Sequence[int] = ()) -> Any:
        if not config.log_compiles:
            return compile_program(closed, name=name, donate=donate)
        start = time.perf_counter()
        executable = compile_program(closed, name=name, donate=donate)
        types = ", ".join(aval.str_short() for aval in closed.in_avals)
        elapsed = 1e3 * (time.perf_counter() - start)
        _logger.warning("compiled %s(%s) in %.1f ms", name, types, elapsed)
        return executable

    return run
