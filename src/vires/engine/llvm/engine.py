"""The compiling engine: eager operations, whole programs, elementwise kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.core.jaxpr import ClosedJaxpr
from vires.core.primitive import Primitive
from vires.engine.llvm import cache, elementwise
from vires.engine.llvm.eager import Eager
from vires.engine.llvm.pipeline import compile_program


class LLVMEngine:
    """Runs programs as machine code made by LLVM."""

    name = "llvm"

    def __init__(self) -> None:
        self._eager = Eager(self.compile)
        cache.toolchain()  # now, so that the first call of a program does not wait for it

    def eager(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        return self._eager(primitive, operands, params)

    def compile(
        self, closed: ClosedJaxpr, *, name: str = "program", donate: Sequence[int] = ()
    ) -> Any:
        return compile_program(closed, name, donate)

    def resolve_elementwise(
        self, name: str, function: Callable[..., Any], descriptors: Sequence[Any]
    ) -> Any:
        return elementwise.resolve(name, function, descriptors)

    def plan(self, closed: ClosedJaxpr, skeleton: Any = None) -> Callable[..., Any]:
        return self._eager.plan(closed, skeleton)
