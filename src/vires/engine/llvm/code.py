"""The code of one function with all the operations of the loop dialect, by dtype and number of
lanes.

::

    code = Code()
    x = code.load("%x", np.float32, 8)
    code.store("%out", code.op("sin", x))
    code.ret()
    text = module([code.define("kernel", ["ptr %x", "ptr %out"])], [code])

Pointers are plain strings (``"%x"``); everything else is a :class:`~vires.engine.llvm.ssa.Val`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from vires.engine.llvm import machine, memory, operations
from vires.engine.llvm.convert import bitcast, constant, convert
from vires.engine.llvm.kinds import BOOL, INT64, Kind, kind_of
from vires.engine.llvm.ssa import Builder, ComplexVal, Val, module

__all__ = ["Code", "ComplexVal", "Val", "memory_type", "module", "register_type"]


@cache
def _host_features() -> str:
    return machine.host().features + ","


def register_type(dtype: Any, lanes: int = 1) -> str:
    """The LLVM type of a value of a dtype in registers (of the parts, for complex dtypes)."""
    kind = kind_of(dtype)
    return (kind.part or kind).type(lanes)


def memory_type(dtype: Any) -> str:
    """The LLVM type of an element in memory."""
    return kind_of(dtype).memory


class Code(Builder):
    """One function being written, for LLVM's list of features; by default this machine's."""

    def __init__(self, features: str | None = None, prefix: str = "v") -> None:
        super().__init__(_host_features() if features is None else features, prefix)
        self._phis: dict[str, tuple[int, list[str]]] = {}

    # --- expressions

    def op(self, name: str, *operands: Val) -> Val:
        """An operation of `SCALAR_OPS` or `MATH_OPS`; scalars are broadcast to the others' lanes.

        Raises:
            TypeError: the operation does not take that dtype, or the operands' dtypes differ.
        """
        return operations.apply(self, name, operands)

    def constant(self, value: Any, dtype: Any, lanes: int = 1) -> Val:
        """A constant of any dtype, rounded as NumPy rounds; in every lane."""
        return constant(self, value, kind_of(dtype), lanes)

    def convert(self, x: Val, dtype: Any) -> Val:
        """Numeric conversion; to bool is != 0.

        Float to integer truncates and saturates, nan gives 0; integers wrap around; complex to
        real keeps the real part.
        """
        return convert(self, x, kind_of(dtype))

    def bitcast(self, x: Val, dtype: Any) -> Val:
        """The same bits as another dtype of the same width (bool as int8)."""
        return bitcast(self, x, kind_of(dtype))

    def iota(self, lanes: int, dtype: Any = np.int64, step: int = 1) -> Val:
        """0, step, 2 step, ... in the lanes of an integer or float dtype."""
        kind = kind_of(dtype)
        if lanes == 1:
            return constant(self, 0, kind, 1)
        listed = ", ".join(
            f"{kind.scalar} {constant(self, lane * step, kind, 1).name}" for lane in range(lanes)
        )
        return Val(self, f"<{listed}>", kind, lanes)

    def lane(self, x: Val, lane: int) -> Val:
        """One lane as a scalar."""
        if isinstance(x, ComplexVal):
            return ComplexVal(x.kind, self.extract(x.re, lane), self.extract(x.im, lane))
        return self.extract(x, lane)

    def reduce_lanes(self, x: Val, name: str) -> Val:
        """All lanes combined into a scalar by an operation, halving: the order is fixed."""
        while x.lanes > 1:
            half = x.lanes // 2
            low, high = (memory.part(self, x, start, half) for start in (0, half))
            x = self.op(name, low, high)
        return x

    # --- memory

    def gep(self, pointer: str, dtype: Any, index: Val | int) -> str:
        """The address of an element, as a pointer's name."""
        return memory.element(self, pointer, kind_of(dtype), index)

    def load(self, pointer: str, dtype: Any, lanes: int = 1, mask: Val | None = None) -> Val:
        """Consecutive elements; with a mask, memory is read only where it holds (0 elsewhere)."""
        return memory.load(self, pointer, kind_of(dtype), lanes, mask)

    def store(self, pointer: str, x: Val, mask: Val | None = None) -> None:
        """Write consecutive elements, only where the mask holds."""
        memory.store(self, pointer, x, mask)

    def gather(self, pointer: str, index: Val, dtype: Any, mask: Val | None = None) -> Val:
        """The elements at an index for each lane; 0 where the mask does not hold."""
        return memory.gather(self, pointer, index, kind_of(dtype), mask)

    def scatter(self, pointer: str, index: Val, x: Val, mask: Val | None = None) -> None:
        """Write each lane at its index, in the order of lanes, only where the mask holds."""
        memory.scatter(self, pointer, index, x, mask)

    def addresses(
        self, pointer: str, dtype: Any, index: Val, mask: Val | None = None
    ) -> Callable[[int], str]:
        """The address of the element at each lane's index; of other memory where the mask does not
        hold.
        """
        places = memory.addresses(self, pointer, kind_of(dtype), index)
        if mask is not None:
            places = memory.elsewhere(self, places, mask)
        return lambda lane: memory.lane_address(self, places, lane)

    def tail_mask(self, left: Val, lanes: int) -> Val:
        """Which lanes are below a number of elements left (int64)."""
        left = self.splat(left, lanes)
        text = f"icmp ult {self.iota(lanes).typed}, {left.name}"
        return self.value(text, BOOL, lanes)

    # --- control

    def phi(self, dtype: Any, lanes: int, incoming: Sequence[tuple[Val, str]] = ()) -> Val:
        """A value that depends on the block come from; more sources by :meth:`add_incoming`."""
        kind = kind_of(dtype)
        if kind.part is not None:
            real = self._phi(kind.part, lanes)
            result: Val = ComplexVal(kind, real, self._phi(kind.part, lanes))
        else:
            result = self._phi(kind, lanes)
        for x, label in incoming:
            self.add_incoming(result, x, label)
        return result

    def _phi(self, kind: Kind, lanes: int) -> Val:
        name = self.fresh()
        self._phis[name] = (len(self.lines), [])
        self.lines.append(f"  {name} = phi {kind.type(lanes)} ")
        return Val(self, name, kind, lanes)

    def add_incoming(self, phi: Val, x: Val, label: str) -> None:
        """Give a phi its value when coming from a block."""
        if isinstance(phi, ComplexVal) and isinstance(x, ComplexVal):
            self.add_incoming(phi.re, x.re, label)
            self.add_incoming(phi.im, x.im, label)
            return
        line, sources = self._phis[phi.name]
        sources.append(f"[ {x.name}, %{label} ]")
        self.lines[line] = f"  {phi.name} = phi {phi.type} {', '.join(sources)}"

    def ret(self) -> None:
        """Return from the function."""
        self.emit("ret void")

    def argument(self, name: str, dtype: Any, lanes: int = 1) -> Val:
        """A parameter of the function, or a register defined by raw text, as a value."""
        return Val(self, name, kind_of(dtype), lanes)

    def index(self, value: int) -> Val:
        """An int64 constant."""
        return self.number(value, INT64)
