"""Options for a block of code, threads, and looking after caches."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from vires import _native
from vires._native import Array
from vires.core import memo, source
from vires.core.config import config
from vires.core.trace import EVAL, current_trace


def disable_jit(disable: bool = True) -> AbstractContextManager[None]:
    """Run jitted functions operation by operation inside a `with` block, to look at values.

    >>> import vires
    >>> with vires.disable_jit():
    ...     vires.jit(lambda x: x if x > 0 else -x)(-2.0)
    2.0
    """
    return config.override("disable_jit", disable)


def enable_x64(new_val: bool | str = True) -> AbstractContextManager[None]:
    """Set the width of default dtypes inside a `with` block: True, False or "auto"."""
    return config.override("enable_x64", new_val)


def debug_nans(new_val: bool = True) -> AbstractContextManager[None]:
    """Raise FloatingPointError where a result holds nan, inside a `with` block."""
    return config.override("debug_nans", new_val)


def debug_infs(new_val: bool = True) -> AbstractContextManager[None]:
    """Raise FloatingPointError where a result holds inf, inside a `with` block."""
    return config.override("debug_infs", new_val)


def enable_checks(new_val: bool = True) -> AbstractContextManager[None]:
    """Check every staged program and every pass of the compiler, inside a `with` block."""
    return config.override("enable_checks", new_val)


def numpy_rank_promotion(new_val: str = "raise") -> AbstractContextManager[None]:
    """What to do where operands of different rank are broadcast: "allow", "warn" or "raise"."""
    return config.override("numpy_rank_promotion", new_val)


def default_matmul_precision(new_val: str | None) -> AbstractContextManager[None]:
    """The precision of matrix products where none is given, inside a `with` block."""
    return config.override("default_matmul_precision", new_val)


def log_compiles(new_val: bool = True) -> AbstractContextManager[None]:
    """Log each compilation, inside a `with` block."""
    return config.override("log_compiles", new_val)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Use this many threads inside a `with` block. Results do not depend on it.

    >>> import vires
    >>> with vires.threads(1):
    ...     vires.numpy.ones(3).sum()
    Array(3., dtype=float32)
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"threads: needs a number of threads of at least 1; got {count!r}")
    before = _native.num_threads()
    _native.set_num_threads(count)
    try:
        yield
    finally:
        _native.set_num_threads(before)


def ensure_compile_time_eval() -> AbstractContextManager[None]:
    """Compute on concrete values at once inside a `with` block, also while a function is traced."""
    return current_trace(EVAL)


@contextmanager
def named_scope(name: str) -> Iterator[None]:
    """Name a part of a program: messages and `explain` show it with the lines inside.

    The program itself is the same. Scopes nest: `encoder/attention`.

    >>> import vires
    >>> def f(x):
    ...     with vires.named_scope("double"):
    ...         return x + x
    >>> vires.make_jaxpr(f)(1.0).eqns[0].source.scope
    'double'
    """
    if not isinstance(name, str):
        raise TypeError(f"named_scope: needs a name as str; got {type(name).__name__}")
    with source.scope(name):
        yield


def named_call(fun: Callable[..., Any], *, name: str | None = None) -> Callable[..., Any]:
    """The same function under a name of its own, which is a `named_scope` for what it does."""
    called = name or getattr(fun, "__name__", "function")

    @functools.wraps(fun)
    def named(*args: Any, **kwargs: Any) -> Any:
        with source.scope(called):
            return fun(*args, **kwargs)

    if name is not None:
        named.__name__ = name
    return named


def live_arrays(platform: str | None = None) -> list[Any]:
    """The arrays that the garbage collector knows of: those held by containers."""
    found: dict[int, Any] = {}
    for holder in gc.get_objects():
        for x in gc.get_referents(holder):
            if x.__class__ is Array:
                found[id(x)] = x
    return list(found.values())


def clear_caches() -> None:
    """Forget memoised programs (not those on disk), and give pooled memory back."""
    memo.clear()
    gc.collect()
    _native.trim()
