"""What the steps of a program call, and with which operands: written into its entry, or into a list
of calls.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple

from vires.engine.llvm.program import Buffer


class Steps:
    """Numbers of the kinds of steps in a list, as native/call_list.cpp reads them."""

    TASKS, COPY, HOST, CHECK, BRANCH = range(5)


class Kinds:
    """The same for kinds of operands."""

    NUMBER, TABLE, PLACE, PLACES, TASK, FRAME, RUNTIME = range(7)


class Known(enum.Enum):
    """Operands that have one meaning in every program."""

    #: The number of the task.
    TASK = enum.auto()
    #: The table of buffers.
    FRAME = enum.auto()
    #: What the native core offers to a running program (native/runtime.h).
    RUNTIME = enum.auto()
    #: No address.
    NULL = enum.auto()


class Table(NamedTuple):
    """The address of integers, of 4 or 8 bytes each."""

    itemsize: int
    values: tuple[int, ...]


class Addresses(NamedTuple):
    """The address of a table with the addresses of buffers."""

    buffers: tuple[Buffer, ...]


#: A number is passed in 64 bits; of a buffer, its address.
Operand = Known | Table | Addresses | Buffer | int


class Call(NamedTuple):
    """A call of a kernel's function, or of a C function by its name."""

    function: str
    operands: Sequence[Operand]
    is_kernel: bool = False
    #: The number of the error that a result other than 0 stands for; -1: it has no result.
    failure: int = -1


def addresses(buffers: Sequence[Buffer]) -> Addresses:
    """The table of these buffers."""
    return Addresses(tuple(buffers))


def kernel_call(name: str, buffers: Sequence[Buffer]) -> Call:
    """The call of a kernel's function for a task."""
    return Call(name, (Known.FRAME, Known.TASK, *buffers), is_kernel=True)
