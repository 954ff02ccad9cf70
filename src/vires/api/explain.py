"""explain: what became of a function, measured."""

from __future__ import annotations

import ctypes
import functools
import os
import time
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vires import _native
from vires.api.arguments import (
    as_names,
    as_positions,
    check_callable,
    match_positions_and_names,
)
from vires.api.jit import Jitted, jit, prune
from vires.core import tree
from vires.core.config import config
from vires.core.trace import EVAL, Tracer, as_array, thread
from vires.engine.llvm.explain import Report, StepReport, explain_program
from vires.engine.llvm.explain_page import report_page
from vires.engine.llvm.explain_text import report_text


class Explanation:
    """What became of a function for the arguments of one call: prints as a report, shows as a page.

    Attributes:
      result: what the function returns.
      report: all that is in the report, as data.
    """

    def __init__(self, report: Report, result: Any) -> None:
        self.report = report
        self.result = result

    @property
    def steps(self) -> list[StepReport]:
        """The kernels and other steps of the program, in order; loops hold their bodies' steps."""
        return self.report.steps

    def __repr__(self) -> str:
        return report_text(self.report)

    def _repr_html_(self) -> str:
        return report_page(self.report)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one HTML page that needs nothing else."""
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(
                f"explain: needs a path for the page; got {type(path).__name__}; try save('f.html')"
            )
        with open(path, "w", encoding="utf-8") as file:
            file.write(report_page(self.report))


def explain(
    fun: Callable[..., Any],
    /,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
) -> Callable[..., Explanation]:
    """Make a function that tells what the compiler made of `fun`, with measurements.

    The report lists each kernel: the primitives that were fused into it, the lines they come from,
    what it reads and writes, its operations (in additions; a sine is 20), how it runs, its time
    and the fraction reached of what the machine could do; then memory and the passes of the
    compiler. The function runs several times for it, host callbacks included. Donated arguments
    stay valid.

    Args:
      fun: the function, jitted or not.
      static_argnums, static_argnames: as for `jit`; a jitted function knows its own.

    Returns:
      A function of the arguments of `fun` that gives an `Explanation`: print it, or `save` it as a
      page.

    Raises:
      TypeError: no function; traced values; arguments that are no arrays.
      RuntimeError: another engine than the compiler is in use.

    >>> import vires
    >>> import vires.numpy as np
    >>> report = vires.explain(lambda x: np.sin(x) + np.cos(x))(np.ones(1000))
    >>> report.steps[0].primitives
    {'sin': 1, 'cos': 1, 'add': 1}
    """
    check_callable(fun, "explain")
    positions = as_positions(static_argnums, "explain")
    names = as_names(static_argnames, "explain")
    positions, names = match_positions_and_names(fun, positions, names, "explain")
    target, bound = fun, ()
    if isinstance(fun, types.MethodType) and _is_jitted(fun.__func__):
        target, bound = fun.__func__, (fun.__self__,)
    if not _is_jitted(target) or positions or names:
        target, bound = jit(fun, static_argnums=positions, static_argnames=names), ()

    @functools.wraps(fun, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def explained(*args: Any, **kwargs: Any) -> Explanation:
        return _explain(target, (*bound, *args), kwargs)

    return explained


def _is_jitted(fun: Any) -> bool:
    """Whether it is what `jit` returns (the library's own functions know no stages)."""
    return isinstance(fun, _native.CompiledFunction) and hasattr(fun, "trace")


def _copy(x: _native.Array) -> _native.Array:
    """An array with memory of its own, which a call may take over."""
    made = _native.empty(x.shape, x._code, x.weak_type)
    ctypes.memmove(_native.writable(made), x.unsafe_buffer_pointer(), x.nbytes)
    return made


def _explain(compiled: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Explanation:
    if config.read("engine") != "llvm":
        raise RuntimeError(
            f"explain: needs the engine 'llvm'; got {config.read('engine')!r}; try "
            "config.update('engine', 'llvm')"
        )
    traced = any(isinstance(x, Tracer) for x in tree.leaves((list(args), kwargs)))
    if traced or thread.trace is not EVAL:
        raise TypeError(
            "explain: needs arrays; got traced values; try to call it outside jit, grad and vmap"
        )
    start = time.perf_counter()
    stages = compiled.trace(*args, **kwargs)
    jitted: Jitted = stages._jitted
    program = stages._program
    staging = time.perf_counter() - start
    _, dynamic = jitted.split(args, kwargs)
    leaves = tree.leaves(dynamic)
    donated = jitted.donated(args, kwargs)
    closed = program.closed
    if not jitted.keep_unused:
        closed, kept = prune(closed)
        if kept is not None:
            leaves, donated = [leaves[i] for i in kept], [donated[i] for i in kept]
    arrays = [as_array(x) for x in leaves]
    given = tuple(i for i, d in enumerate(donated) if d)

    def operands() -> list[Any]:
        return [_copy(x) if d else x for x, d in zip(arrays, donated, strict=True)]

    report, results = explain_program(closed, program.name, given, operands, staging)
    return Explanation(report, tree.unflatten(program.out_tree, results))
