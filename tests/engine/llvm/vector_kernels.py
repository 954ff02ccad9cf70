"""Compiles functions of vectors into kernels over NumPy arrays, for the tests."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.engine.llvm import machine
from vires.engine.llvm.code import Code, Val, module
from vires.engine.llvm.kinds import kind_of

Build = Callable[..., Val]


class Kernels:
    """Several kernels in one module, compiled when the first of them is called."""

    def __init__(self, lanes: int = 8, level: int = 0, features: str | None = None) -> None:
        self.lanes, self.level, self.features = lanes, level, features
        self._codes: list[Code] = []
        self._functions: list[str] = []
        self._signatures: list[tuple[list[np.dtype[Any]], np.dtype[Any]]] = []
        self._linked: machine.Linked | None = None

    def add(self, build: Build, dtypes: Sequence[Any]) -> int:
        """A kernel out[i] = build(code, x0[i], x1[i], ...); returns its number."""
        code, lanes, number = Code(self.features), self.lanes, len(self._codes)
        count = code.argument("%n", np.int64)
        code.br("loop")
        code.label("loop")
        index = code.phi(np.int64, 1, [(code.index(0), "entry")])
        values = [
            code.load(code.gep(f"%x{i}", dtype, index), dtype, lanes)
            for i, dtype in enumerate(dtypes)
        ]
        result = build(code, *values)
        code.store(code.gep("%out", result.dtype, index), result)
        following = index + lanes
        code.add_incoming(index, following, code.block)
        code.cond_br(following < count, "loop", "done")
        code.label("done")
        code.ret()
        parameters = [f"ptr %x{i}" for i in range(len(dtypes))] + ["ptr %out", "i64 %n"]
        self._functions.append(code.define(f"kernel{number}", parameters))
        self._codes.append(code)
        self._signatures.append(([np.dtype(dtype) for dtype in dtypes], result.dtype))
        return number

    def add_op(self, name: str, dtype: Any, operands: int = 1) -> int:
        """A kernel of one operation of the dialect."""
        return self.add(lambda code, *values: code.op(name, *values), [dtype] * operands)

    def __call__(self, number: int, *arrays: Any) -> np.ndarray[Any, Any]:
        if self._linked is None:
            text = module(self._functions, self._codes)
            image = machine.compile_ir(text, self.level, name="tests", verify=True)
            self._linked = machine.link(image, "tests")
        dtypes, result = self._signatures[number]
        length = len(arrays[0])
        padded = -(-length // self.lanes) * self.lanes
        operands = [np.zeros(padded, dtype) for dtype in dtypes]
        for operand, array in zip(operands, arrays, strict=True):
            operand[:length] = array
        out = np.zeros(padded, result)
        prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(dtypes) + 1), ctypes.c_int64)
        function = prototype(self._linked.address(f"kernel{number}"))
        if padded:
            function(*[array.ctypes.data for array in operands], out.ctypes.data, padded)
        return out[:length]


def run(build: Build, *arrays: Any, lanes: int = 8, level: int = 0) -> np.ndarray[Any, Any]:
    """One kernel over arrays."""
    kernels = Kernels(lanes, level)
    number = kernels.add(build, [array.dtype for array in arrays])
    return kernels(number, *arrays)


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Equal with the sign of zeros, all nan alike."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if kind_of(a.dtype).group in "fn":
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
        signs = np.signbit(wide_a) == np.signbit(wide_b)
        return bool(np.all(np.isnan(wide_a) & np.isnan(wide_b) | ((wide_a == wide_b) & signs)))
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "c"))
