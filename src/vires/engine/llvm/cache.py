"""The compilation cache: machine code on disk, by what it was made from.

Files lie in ``$VIRES_CACHE_DIR``, or ``vires`` in the user's cache directory. Each begins with a
checksum of the
rest; one that is damaged, or made by another version, is made anew. A directory that cannot be
written is no
error: programs are compiled again in the next process, and a warning says so once.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import platform
import sys
import warnings
from contextlib import suppress
from functools import lru_cache
from typing import Any

from vires import _native
from vires.core.errors import CacheWarning
from vires.core.source import here

_NAME = b"vires"
_MAGIC = _NAME + b"\x00\x02\n"
#: Files beyond this size in one of the 256 folders are removed, the oldest first. One file written
#: in so many looks at its folder: a look at all of them would take longer than many a compilation.
_LIMIT, _LOOKS = 1 << 21, 64
_state = {"warned": False}


@lru_cache(maxsize=1)
def directory() -> str | None:
    """The directory of the cache; None when it is switched off (``VIRES_CACHE_DIR=off``) or there
    is no home.
    """
    named = os.environ.get("VIRES_CACHE_DIR")
    if named:
        return None if named in ("0", "off") else named
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return None if home.startswith("~") else os.path.join(home, "vires")


@lru_cache(maxsize=1)
def toolchain() -> bytes:
    """What machine code depends on besides the program: processor and compiler sources."""
    # The notes are marshalled, which other versions of Python need not understand.
    parts = [_processor(), f"vectors of {_native.vector_bytes()} bytes", sys.version]
    here = os.path.dirname(os.path.abspath(__file__))
    package = os.path.dirname(os.path.dirname(here))
    for folder in (here, *[f"{package}/{name}" for name in ("core", "dialect", "ops", "control")]):
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    status = entry.stat()
                    parts.append(f"{entry.name} {status.st_size} {status.st_mtime_ns}")
    # Compiled code relies on the layout of the native core's structures.
    status = os.stat(_native.__file__)
    parts.append(f"native {status.st_size} {status.st_mtime_ns}")
    parts.sort()
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).digest()


def _processor() -> str:
    """A text that tells processors apart, without asking LLVM."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            lines = file.read(8192).split("\n\n")[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    wanted = ("vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU part")
    return "\n".join(line for line in lines if line.split("\t")[0].split(":")[0].strip() in wanted)


def key(*parts: bytes) -> str:
    """The name of what is made from some parts."""
    lengths = b"".join([len(part).to_bytes(8, "little") for part in parts])
    return hashlib.blake2b(
        b"".join([toolchain(), bytes([len(parts)]), lengths, *parts]), digest_size=20
    ).hexdigest()


def has(name: str) -> bool:
    """Whether there is a file under a key."""
    root = directory()
    return root is not None and os.path.exists(os.path.join(root, name[:2], name))


def read(name: str) -> tuple[dict[str, Any], bytes] | None:
    """Notes and machine code under a key, or None."""
    root = directory()
    if root is None:
        return None
    data = _native.read_file(f"{root}/{name[:2]}/{name}")
    if data is None:
        return None
    if (
        len(data) < 32
        or data[:8] != _MAGIC
        or data[8:24] != hashlib.blake2b(data[24:], digest_size=16).digest()
    ):
        if not data.startswith(_NAME) or data.startswith(_MAGIC):
            _warn(f"cache: needs undamaged files; got a damaged one, {name[:2]}/{name} in {root}, "
                  f"that is made anew; try to remove {root}")  # fmt: skip
        return None
    length = int.from_bytes(data[24:32], "little")
    return marshal.loads(data[32 : 32 + length]), data[32 + length :]


def write(name: str, notes: dict[str, Any], image: bytes) -> None:
    """Keep machine code under a key. Other processes see the whole file or none.

    A thread of the native core writes it; `report` tells why it could not.
    """
    root = directory()
    if root is None or _refusal(root):
        return
    text = marshal.dumps(notes)
    body = len(text).to_bytes(8, "little") + text + image
    data = _MAGIC + hashlib.blake2b(body, digest_size=16).digest() + body
    folder = os.path.join(root, name[:2])
    _native.write_file(folder, name, data)
    if int(name[2:6], 16) % _LOOKS == 0:
        _native.flush_files()
        with suppress(OSError):
            _prune(folder)


def report() -> None:
    """Warn, once in a process, if files cannot be written, at the user's line: to be called on the
    thread of a program that asks for code.
    """
    root = directory()
    reason = root and (_native.take_write_error() or _refusal(root))
    if reason:
        _warn(
            f"cache: needs a directory that can be written; got {root} ({reason}); "
            "try VIRES_CACHE_DIR=<directory>, or VIRES_CACHE_DIR=off"
        )


@lru_cache(maxsize=8)
def _refusal(root: str) -> str:
    """Make the directory of the cache; why nothing can be written in it, or nothing."""
    try:
        os.makedirs(root, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return "" if os.access(root, os.W_OK | os.X_OK) else "Permission denied"


def _warn(message: str) -> None:
    """Warn at the user's line, once in a process."""
    if not _state["warned"]:
        _state["warned"] = True
        line = here()
        place = ("<unknown>", 0) if line is None else (line.filename, line.line)
        warnings.warn_explicit(message, CacheWarning, *place)


def _prune(folder: str) -> None:
    """Remove the oldest files when there is too much. Other processes may do so meanwhile."""
    files: list[tuple[float, int, str]] = []
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):
            status = entry.stat()
            files.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= _LIMIT:
            break
        with suppress(FileNotFoundError):
            os.unlink(path)
        total -= size
