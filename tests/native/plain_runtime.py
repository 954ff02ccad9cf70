"""A runtime for native routines under test: parallel_for runs the tasks in order."""

from __future__ import annotations

import ctypes

_RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


class Runtime(ctypes.Structure):
    """A runtime whose parallel_for runs the tasks in order."""

    _fields_ = [
        ("parallel_for", ctypes.c_void_p), ("poll", ctypes.c_void_p), ("fail", ctypes.c_void_p),
        ("host", ctypes.c_void_p), ("allocate", ctypes.c_void_p), ("stop", ctypes.c_int32),
    ]  # fmt: skip


@ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
def in_order(runtime, task, context, tasks):
    run = _RUN(task)
    for i in range(tasks):
        run(context, i)


def runtime():
    """A fresh runtime; keep it alive during the call."""
    return Runtime(parallel_for=ctypes.cast(in_order, ctypes.c_void_p).value)
