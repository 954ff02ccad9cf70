"""Machine code for the tests of the native core: small functions in LLVM IR."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import llvmlite.binding as llvm
import numpy as np

from vires import _native
from vires.core import dtypes, setup

assert setup  # imported for what it registers: dtypes, avals

BOOL, INT32, INT64, FLOAT16, BFLOAT16, FLOAT32, FLOAT64, COMPLEX64 = 0, 3, 4, 9, 10, 11, 12, 13
COMPLEX128, KEY, FLOAT8, INT4 = 14, 15, 16, 21


def dtype_of(code: int) -> np.dtype:
    return dtypes.CODES[code]


llvm.initialize_native_target()
llvm.initialize_native_asmprinter()


class Code:
    """Compiled LLVM IR; keeps the machine code alive."""

    def __init__(self, text: str) -> None:
        module = llvm.parse_assembly(text)
        machine = llvm.Target.from_default_triple().create_target_machine(opt=2)
        self.engine = llvm.create_mcjit_compiler(module, machine)
        self.engine.finalize_object()

    def address(self, name: str = "entry") -> int:
        return self.engine.get_function_address(name)


RUNTIME = "%Runtime = type { ptr, ptr, ptr, ptr, ptr, i32 }\n"


def field(index: int) -> str:
    """Loads field `index` of the Runtime %rt into %f<index>."""
    return (
        f"%p{index} = getelementptr %Runtime, ptr %rt, i32 0, i32 {index}\n"
        f"%f{index} = load ptr, ptr %p{index}\n"
    )


def buffer(name: str, index: int) -> str:
    """Loads the address of buffer `index` into %<name>."""
    return (
        f"%{name}.p = getelementptr ptr, ptr %buffers, i64 {index}\n"
        f"%{name} = load ptr, ptr %{name}.p\n"
    )


def entry(body: str, extra: str = "") -> Code:
    """An entry with the given body; the last line must return an i32."""
    return Code(
        f"{RUNTIME}{extra}\ndefine i32 @entry(ptr %buffers, ptr %rt) {{\nstart:\n{body}\n}}\n"
    )


def binary_loop(n: int, operation: str = "fadd") -> str:
    """IR of `out[i] = a[i] op b[i]` on float32, for buffers %a, %b and %out; ends in %exit."""
    return f"""
  br label %loop
loop:
  %i = phi i64 [ 0, %start ], [ %next, %body ]
  %more = icmp slt i64 %i, {n}
  br i1 %more, label %body, label %exit
body:
  %pa = getelementptr float, ptr %a, i64 %i
  %pb = getelementptr float, ptr %b, i64 %i
  %po = getelementptr float, ptr %out, i64 %i
  %va = load float, ptr %pa
  %vb = load float, ptr %pb
  %vo = {operation} float %va, %vb
  store float %vo, ptr %po
  %next = add i64 %i, 1
  br label %loop
exit:
"""


def add_executable(n: int, shape: tuple[int, ...] | None = None, **options) -> object:
    """An executable that adds two float32 arrays of n elements."""
    code = entry(buffer("a", 0) + buffer("b", 1) + buffer("out", 2) + binary_loop(n) + "ret i32 0")
    shape = (n,) if shape is None else shape
    return _native.Executable(
        code.address(), code, [], [(shape, FLOAT32)] * 2, [(shape, FLOAT32, False)], **options
    )


_ELEMENTWISE = """
define void @k{mask}(ptr %pointers, i64 %n) {{
start:
  %po = load ptr, ptr %pointers
  %pp1 = getelementptr ptr, ptr %pointers, i64 1
  %pa = load ptr, ptr %pp1
  %pp2 = getelementptr ptr, ptr %pointers, i64 2
  %pb = load ptr, ptr %pp2
  br label %loop
loop:
  %i = phi i64 [ 0, %start ], [ %next, %body ]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %body, label %exit
body:
  %ia = mul i64 %i, {step_a}
  %ib = mul i64 %i, {step_b}
  %qa = getelementptr {type}, ptr %pa, i64 %ia
  %qb = getelementptr {type}, ptr %pb, i64 %ib
  %qo = getelementptr {type}, ptr %po, i64 %i
  %va = load {type}, ptr %qa
  %vb = load {type}, ptr %qb
  %vo = {operation} {type} %va, %vb
  store {type} %vo, ptr %qo
  %next = add i64 %i, 1
  br label %loop
exit:
  ret void
}}
"""


def binary_kernel(operation: str = "fadd", llvm_type: str = "float") -> Code:
    """All four layout variants @k0..@k3 of a binary elementwise kernel."""
    return Code(
        "\n".join(
            _ELEMENTWISE.format(
                mask=mask,
                step_a=0 if mask & 1 else 1,
                step_b=0 if mask & 2 else 1,
                type=llvm_type,
                operation=operation,
            )
            for mask in range(4)
        )
    )


class EagerAdd:
    """An EagerOp for float32 addition, with records of what it was asked."""

    def __init__(self) -> None:
        self.code = binary_kernel()
        self.resolved: list[tuple] = []
        self.variants: list[int] = []
        self.fallen: list[tuple] = []
        self.op = _native.EagerOp("add", self.fallback, self.resolve)

    def fallback(self, *args: object, **kwargs: object) -> object:
        self.fallen.append((args, kwargs))
        return "fallback"

    def variant(self, mask: int) -> int:
        self.variants.append(mask)
        return self.code.address(f"k{mask}")

    def resolve(self, descriptors: tuple) -> object:
        self.resolved.append(descriptors)
        scalars = [None if isinstance(d, tuple) else FLOAT32 for d in descriptors]
        if len(descriptors) != 2 or any(
            isinstance(d, tuple) and d[0] != FLOAT32 for d in descriptors
        ):
            return None
        weak = all(d[1] if isinstance(d, tuple) else True for d in descriptors)
        return _native.ElementwiseKernel([(FLOAT32, weak)], scalars, self.variant, self.code)


def callback(function: Callable[[int, int], int]) -> tuple[int, object]:
    """The address of a Python function with the ABI of an entry, and what keeps it alive."""
    kept = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(function)
    return ctypes.cast(kept, ctypes.c_void_p).value, kept
