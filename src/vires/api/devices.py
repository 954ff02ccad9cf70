"""Devices and moving arrays between them and the host: one CPU device so far."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from typing import Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.api.arguments import is_arraylike
from vires.core import tree
from vires.core.trace import Tracer, as_array


class Device:
    """A device that holds arrays and runs programs."""

    platform = "cpu"
    device_kind = "cpu"
    id = 0
    process_index = 0
    host_id = 0

    def __repr__(self) -> str:
        return "CpuDevice(id=0)"

    __str__ = __repr__


_CPU = Device()


def devices(backend: str | None = None) -> list[Device]:
    """The devices of a platform.

    >>> import vires
    >>> vires.devices()
    [CpuDevice(id=0)]
    """
    if backend not in (None, "cpu"):
        raise RuntimeError(f"devices: needs a platform that is present: cpu; got {backend!r}")
    return [_CPU]


def local_devices(process_index: int | None = None, backend: str | None = None) -> list[Device]:
    return devices(backend)


def device_count(backend: str | None = None) -> int:
    return len(devices(backend))


def local_device_count(backend: str | None = None) -> int:
    return len(devices(backend))


def process_index(backend: str | None = None) -> int:
    return 0


def process_count(backend: str | None = None) -> int:
    return 1


def process_indices(backend: str | None = None) -> list[int]:
    """The numbers of the processes that compute together."""
    return [0]


def default_device(new_val: Device | str | None = None) -> AbstractContextManager[None]:
    """Put new arrays on a device inside a `with` block: there is one, of platform "cpu"."""
    if new_val is not None and new_val is not _CPU and new_val != "cpu":
        raise ValueError(f"default_device: needs a device that is present: {_CPU}; got {new_val!r}")
    return nullcontext()


def print_environment_info(return_string: bool = False) -> str | None:
    """Print versions and the machine, for a report of a problem; or return the text.

    >>> import vires
    >>> "python" in vires.print_environment_info(return_string=True)
    True
    """
    lines = {
        "vires": version("vires"),
        "numpy": np.__version__,
        "llvmlite": version("llvmlite"),
        "python": sys.version.replace("\n", " "),
        "devices": f"{device_count()} {_CPU}, {_native.num_threads()} threads",
        "platform": platform.platform(),
        "processor": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    text = "\n".join(f"{name + ':':<11}{value}" for name, value in lines.items())
    if return_string:
        return text
    print(text)
    return None


def default_backend() -> str:
    """The platform that programs run on by default."""
    return "cpu"


def device_put(
    x: Any,
    device: Any = None,
    *,
    src: Any = None,
    donate: bool = False,
    may_alias: bool | None = None,
) -> Any:
    """The same pytree with its leaves as arrays on a device.

    >>> import vires
    >>> vires.device_put([1.0, 2.0])
    [Array(1., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True)]
    """
    if device is not None and device is not _CPU:
        raise ValueError(f"device_put: needs a device that is present: {_CPU}; got {device!r}")

    def put(leaf: Any) -> Any:
        if not is_arraylike(leaf):
            raise TypeError(f"device_put: needs arrays or numbers; got {type(leaf).__name__}")
        return leaf if isinstance(leaf, Tracer) else as_array(leaf)

    return tree.map(put, x)


def device_get(x: Any) -> Any:
    """The same pytree with its leaves as NumPy arrays.

    >>> import vires
    >>> vires.device_get({"a": vires.numpy.ones(2)})
    {'a': array([1., 1.], dtype=float32)}
    """
    return tree.map(lambda leaf: np.asarray(leaf) if is_arraylike(leaf) else leaf, x)


def block_until_ready(x: Any) -> Any:
    """Wait until the arrays of a pytree are computed (on the CPU they are); returns the pytree."""
    for leaf in tree.leaves(x):
        if leaf.__class__ is Array:
            leaf.block_until_ready()
    return x


def copy_to_host_async(x: Any) -> Any:
    """Start copies to the host; on the CPU there is nothing to copy."""
    return x
