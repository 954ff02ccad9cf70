"""The compiled code of packed matrix products: one for each dtype, shared by all programs.

It is made once on a machine, kept in the cache, and linked to programs by address. For float32 it
is compiled in the background some time after the import, for other dtypes while the program that
needs it first is being lowered.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from vires.engine.llvm import background, cache, machine
from vires.engine.llvm.gemm_driver import driver_modules
from vires.engine.llvm.gemm_kernel import tile_of

#: Names of the functions in programs begin with it.
PREFIX = "vires_product_"
_PACKING = ("offset", "fill", "pack", "points", "bounded")
_FUNCTIONS = ("left", "right", "block")

_lock = threading.RLock()
_addresses: dict[str, int] = {}
_loaded: list[Any] = []
#: Compilations under way, with the process that began them.
_started: dict[str, tuple[int, list[machine.Job]]] = {}


def prepare(dtype: Any) -> None:
    """Begin to compile the code of a dtype, unless there is some already."""
    name = dtype.name
    if f"{PREFIX}{name}_block" in _addresses:
        return
    with _lock:
        if not _is_started(name) and not cache.has(_key(name)):
            _start(name)


def prepare_ahead() -> None:
    """Compile the code that is asked for most while nobody waits, unless the cache has it."""
    name = "float32"

    def task() -> None:
        with _lock:
            if not _is_started(name):
                _start(name, machine.Priority.BACKGROUND)
        address(f"{PREFIX}{name}_block")

    if not cache.has(_key(name)):
        background.run(task, background.LATER)


def address(symbol: str) -> int:
    """The address of ``vires_product_{dtype}_{left, right or block}``."""
    with _lock:
        found = _addresses.get(symbol)
        if found is None:
            _load(symbol[len(PREFIX) :].split("_")[0])
            found = _addresses[symbol]
        return found


def _is_started(name: str) -> bool:
    return name in _started and _started[name][0] == os.getpid()


def _start(name: str, priority: machine.Priority = machine.Priority.URGENT) -> None:
    modules = driver_modules(np.dtype(name))
    jobs = [machine.submit(*each, PREFIX + name, priority=priority) for each in modules]
    _started[name] = os.getpid(), jobs


def _load(name: str) -> None:
    vectors = range(1, tile_of(name).vectors + 1)
    micro = [f"{kind}{number}" for kind in ("micro", "near") for number in vectors]
    known: dict[str, int] = {}
    for image, exports in zip(_images(name), (micro, _PACKING, _FUNCTIONS), strict=True):
        part = machine.load(image, PREFIX + name, exports, known)
        _loaded.append(part)
        known = {**known, **{each: part.address(each) for each in exports}}
    for each in _FUNCTIONS:
        _addresses[f"{PREFIX}{name}_{each}"] = known[each]


def _images(name: str) -> list[bytes]:
    key = _key(name)
    found = None if _is_started(name) else cache.read(key)
    if found is not None:
        notes, data = found
        parts: list[bytes] = []
        for length in notes["lengths"]:
            parts.append(data[:length])
            data = data[length:]
        return parts
    if not _is_started(name):
        _start(name)
    made = [future.result() for future in _started.pop(name)[1]]
    cache.write(key, {"lengths": [len(image) for image in made]}, b"".join(made))
    return made


def _key(name: str) -> str:
    return cache.key(b"product", name.encode())
