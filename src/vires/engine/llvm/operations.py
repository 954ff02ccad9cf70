"""Which code an operation has, by its name and the dtype of its operands."""

from __future__ import annotations

from collections.abc import Sequence

from vires.dialect.loops import MATH_OPS, SCALAR_OPS
from vires.engine.llvm import math_library, scalar_ops
from vires.engine.llvm.complex_math import COMPLEX_FUNCTIONS
from vires.engine.llvm.complex_ops import COMPLEX_OPS
from vires.engine.llvm.convert import convert
from vires.engine.llvm.kinds import BOOL, COMPLEX64, COMPLEX128, FLOAT32, FLOAT64, Kind
from vires.engine.llvm.math_tables import REAL_MATH
from vires.engine.llvm.ssa import Builder, ComplexVal, Val

_ARITY = {**SCALAR_OPS, **MATH_OPS}
#: Most operations are one instruction on operands of one type, by name and group of kinds.
_INSTRUCTIONS = {
    **{(name, "f"): f"f{name}" for name in ("add", "sub", "mul", "div")},
    **{(name, group): name for name in ("add", "sub", "mul") for group in "iu"},
    **{(name, group): name for name in ("and", "or", "xor") for group in "biu"},
}
_PREDICATES = {
    **{(name, "f"): f"o{name}" for name in ("eq", "lt", "le", "gt", "ge")},
    ("ne", "f"): "une",
    **{(name, group): name for name in ("eq", "ne") for group in "iu"},
    **{(name, "i"): f"s{name}" for name in ("lt", "le", "gt", "ge")},
    **{(name, "u"): f"u{name}" for name in ("lt", "le", "gt", "ge")},
}


def apply(code: Builder, name: str, operands: Sequence[Val]) -> Val:
    """The result of an operation, after broadcasting scalars to the vectors among the operands."""
    if len(operands) == 2:
        x, y = operands
        if x.kind is y.kind and x.lanes == y.lanes and not x.kind.is_packed:
            instruction = _INSTRUCTIONS.get((name, x.kind.group))
            if instruction is not None:
                return x.binary(instruction, y)
            predicate = _PREDICATES.get((name, x.kind.group))
            if predicate is not None:
                return x.compare(predicate, y)
    arity = _ARITY.get(name)
    if arity is None:
        raise ValueError(f"kernel: needs a known operation; got {name!r}")
    if len(operands) != arity:
        raise TypeError(f"{name}: needs {arity} operands; got {len(operands)}")
    lanes = max([x.lanes for x in operands])
    values = [x if x.lanes == lanes else code.splat(x, lanes) for x in operands]
    first = values[-1].kind
    same = values[1:] if name == "select" else values
    if any(x.kind is not first for x in same) or (name == "select" and values[0].kind is not BOOL):
        raise _wrong(name, "operands of one dtype", values)
    if name == "select":
        return code.select(*values)
    return _apply_typed(code, name, values, first)


def _apply_typed(code: Builder, name: str, values: list[Val], kind: Kind) -> Val:
    group = kind.group
    if group == "n" and name not in scalar_ops.BITWISE_ON_NARROW:
        wide = FLOAT64 if name == "fma" else FLOAT32
        result = _apply_typed(code, name, [convert(code, x, wide) for x in values], wide)
        return result if result.kind is BOOL else convert(code, result, kind)
    if name == "complex":
        return _make_complex(values, kind)
    if group == "c":
        emit = COMPLEX_OPS.get(name) or COMPLEX_FUNCTIONS.get(name)
        if emit is None:
            raise _wrong(name, "another dtype", values)
        return emit(code, *values)
    emit = scalar_ops.REAL_OPS.get(name)
    if emit is not None:
        if group not in scalar_ops.ACCEPTS.get(name, "biufn"):
            raise _wrong(name, "another dtype", values)
        return emit(code, *values)
    if group != "f":
        raise _wrong(name, "a float dtype", values)
    if code.outlined and (result := math_library.call(code, name, values)) is not None:
        return result
    return REAL_MATH[name](code, *values)


def _make_complex(values: list[Val], kind: Kind) -> Val:
    if kind is FLOAT32:
        return ComplexVal(COMPLEX64, *values)
    if kind is FLOAT64:
        return ComplexVal(COMPLEX128, *values)
    raise _wrong("complex", "float32 or float64 parts", values)


def _wrong(name: str, needs: str, values: Sequence[Val]) -> TypeError:
    got = ", ".join(str(x.dtype) for x in values)
    return TypeError(f"{name}: needs {needs}; got {got}")
