"""The elementary functions as code that programs share: compiled once in a process, kept in the
cache, called by address.

LLVM takes milliseconds for the sine of a vector. A program whose functions are calls is compiled in
a fraction of that, and gives the same bits: the library's functions are made of the same
instructions as those written into a kernel. They are compiled in the background; until a function
is there, kernels have its instructions written out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from vires import _native
from vires.dialect.loops import MATH_OPS
from vires.engine.llvm import background, cache, machine, memory
from vires.engine.llvm.kinds import FLOAT32, Kind, kind_of
from vires.engine.llvm.math_tables import REAL_MATH
from vires.engine.llvm.ssa import Builder, Val, with_helpers

#: Names of the functions in programs begin with it.
PREFIX = "vires_math_"
#: What nearly every program uses; compiled while `import vires` goes on.
_FIRST = ("sin", "cos", "exp", "log", "tanh", "logistic")
#: What many use; compiled a little later, when nobody waits for other code.
_NEXT = ("log1p", "erf_inv", "erf")
_LEVEL = 1

_lock = threading.RLock()
_addresses: dict[str, int] = {}
_images: list[Any] = []
#: Compilations under way, with the process that began them.
_jobs: dict[str, tuple[int, machine.Job]] = {}


def prepare() -> None:
    """Begin to compile the common functions, unless the cache has them."""
    for symbol in _missing(_FIRST):
        _begin(symbol)


def _missing(names: Iterable[str]) -> list[str]:
    """The symbols of functions for whole vectors of float32 that are not in the cache."""
    full = _native.vector_bytes() // FLOAT32.size
    symbols = [_symbol(name, FLOAT32, full) for name in names]
    return [symbol for symbol in symbols if not cache.has(_key(symbol))]


def settle() -> None:
    """Load the functions that are there by now, so that the first program finds them; those that
    are not yet, and the next ones, later.
    """
    if _jobs or _missing(_NEXT):
        background.run(_begin_next, background.LATER)
        background.run(_load_begun, background.LATER)
    ready = [symbol for symbol, (_, job) in list(_jobs.items()) if job.done()]
    if ready:
        machine.host()  # known once something is compiled
    for symbol in ready:
        _is_ready(symbol)


def _begin_next() -> None:
    for symbol in _missing(_NEXT):
        with _lock:
            if symbol not in _jobs and symbol not in _addresses:
                _begin(symbol, machine.Priority.BACKGROUND)


def _load_begun() -> None:
    """Wait for the functions that are being compiled, and load them."""
    for symbol, (process, job) in list(_jobs.items()):
        if process == os.getpid():
            job.wait()
            with _lock:
                if symbol in _jobs:
                    _load(symbol)


def call(code: Builder, name: str, operands: Sequence[Val]) -> Val | None:
    """A call of a function of the library for values of any number of lanes; None if it is not
    there yet, which begins its compilation.
    """
    first = operands[0]
    kind, lanes = first.kind, first.lanes
    full = _native.vector_bytes() // kind.size
    width = 1 if lanes == 1 else full
    symbol = _symbol(name, kind, width)
    if symbol not in _addresses and not _is_ready(symbol):
        return None
    listed = ", ".join([kind.type(width)] * len(operands))
    code.helpers[symbol] = f"declare {kind.type(width)} @{symbol}({listed})"
    code.shared.add(symbol)
    if lanes == width:
        return code.call(symbol, kind, width, *operands)
    if lanes < width:
        # The lanes once more instead of none: what is in them must not take a rare path by itself.
        wide = [memory.repeat(code, x, width) for x in operands]
        return memory.part(code, code.call(symbol, kind, width, *wide), 0, lanes)
    parts = [
        code.call(symbol, kind, width, *[memory.part(code, x, start, width) for x in operands])
        for start in range(0, lanes, width)
    ]
    return memory.join(code, parts)


def address(symbol: str) -> int:
    """The address of a function by its name in programs; compiles it if it is not there."""
    with _lock:
        found = _addresses.get(symbol)
        if found is None:
            _load(symbol)
            found = _addresses[symbol]
        return found


def _symbol(name: str, kind: Kind, lanes: int) -> str:
    return f"{PREFIX}{name}_{kind.name}_{lanes}"


def _key(symbol: str) -> str:
    return cache.key(b"function", symbol.encode())


def definitions(symbols: Iterable[str]) -> dict[str, str]:
    """Functions of the library, and what they need, to be put in the places where they are called:
    text by name.
    """
    found: dict[str, str] = {}
    for symbol in sorted(symbols):
        text, helpers = _function(symbol)
        found |= helpers
        found[symbol] = text.replace("define", "define internal", 1).replace(
            "nounwind", "alwaysinline nounwind", 1
        )
    return found


def _text(symbol: str) -> str:
    """The module of a function."""
    text, helpers = _function(symbol)
    return with_helpers([text], helpers)


@lru_cache(maxsize=256)
def _function(symbol: str) -> tuple[str, dict[str, str]]:
    """The text of a function, and what it needs."""
    name, dtype, lanes = symbol[len(PREFIX) :].rsplit("_", 2)
    code, kind = Builder(""), kind_of(dtype)
    operands = [Val(code, f"%x{i}", kind, int(lanes)) for i in range(MATH_OPS[name])]
    result = REAL_MATH[name](code, *operands)
    code.emit(f"ret {result.typed}")
    return code.define(symbol, [x.typed for x in operands], result.type), code.helpers


def _begin(symbol: str, priority: machine.Priority = machine.Priority.SOON) -> None:
    with _lock:
        job = machine.submit(_text(symbol), _LEVEL, symbol, priority=priority)
        _jobs[symbol] = os.getpid(), job


def _is_ready(symbol: str) -> bool:
    """Load a function if its code is there."""
    with _lock:
        process, job = _jobs.get(symbol, (0, None))
        if job is None or process != os.getpid():
            if not cache.has(_key(symbol)):
                _begin(symbol)
                return False
        elif not job.done():
            return False
        _load(symbol)
        return True


def _load(symbol: str) -> None:
    process, job = _jobs.pop(symbol, (0, None))
    image: bytes | None = None
    key = _key(symbol)
    if job is None or process != os.getpid():
        found = cache.read(key)
        image = None if found is None else found[1]
        job = machine.submit(_text(symbol), _LEVEL, symbol) if image is None else None
    if job is not None:
        image = job.result()
        cache.write(key, {}, image)
    assert image is not None
    loaded = machine.load(image, symbol, [symbol], {})
    _images.append(loaded)
    _addresses[symbol] = loaded.address(symbol)
