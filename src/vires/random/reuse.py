"""Who has used a random key: drawing twice from one gives the same numbers, mostly by mistake.

What is remembered is the key *object*, by a weak reference, when a sampler consumes it eagerly.
Equal bits in another object are not reuse: `key(0)` written twice, or a cell run again, restarts a
stream on purpose. So `normal(key)` and `uniform(key)` warn, and `keys[0]` taken twice from an array
of keys is not seen. Splitting and folding do not consume. Nothing is reported while a program is
staged (under jit), where one trace stands for many calls.
"""

from __future__ import annotations

import warnings
from typing import Any
from weakref import ref

from vires.core.config import key_reuse_mode
from vires.core.errors import KeyReuseError, KeyReuseWarning
from vires.core.source import here
from vires.core.staging import StagingTrace
from vires.core.trace import EVAL, Trace, thread

#: Consumed keys by identity, with the name of the sampler. Entries of keys that are gone are
#: dropped at the limit.
_consumed: dict[int, tuple[ref[Any], str]] = {}
_LIMIT = 4096
_warned: set[tuple[str, int]] = set()


def staging(trace: Trace) -> bool:
    """Whether a program is being recorded under this interpreter."""
    while trace is not EVAL:
        if isinstance(trace, StagingTrace):
            return True
        trace = trace.parent
    return False


def mark_consumed(key: Any, name: str) -> None:
    """Remember that sampler `name` consumed this key; warn or raise when one already has."""
    entry = (ref(key), name)
    before = _consumed.setdefault(id(key), entry)
    if before is entry:
        if len(_consumed) > _LIMIT:
            _forget()
    elif before[0]() is key:
        _report(before[1], name)
    else:  # another key, gone, had this address
        _consumed[id(key)] = entry


def _forget() -> None:
    """Drop the entries of keys that are gone; when too many are alive, the older half as well."""
    alive = [item for item in list(_consumed.items()) if item[1][0]() is not None]
    _consumed.clear()
    _consumed.update(alive[-_LIMIT // 2 :])


def _report(first: str, name: str) -> None:
    mode = key_reuse_mode()
    if mode == "allow" or staging(thread.trace):
        return
    message = (
        f"{name}: needs a key that no sampler has used; got one that {first} has consumed, so that "
        "both draws are made of the same bits; try `key, subkey = vires.random.split(key)` and "
        "draw from subkey, or vires.random.clone(key) where repeating the draw is meant"
    )
    if mode == "error":
        raise KeyReuseError(message)
    line = here()
    place = ("<unknown>", 0) if line is None else (line.filename, line.line)
    if place not in _warned:
        _warned.add(place)
        warnings.warn_explicit(message, KeyReuseWarning, place[0], place[1])
