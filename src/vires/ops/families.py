"""Families of primitives: what mathematics determines is derived, so that declarations are short.

A family comes before the primitives; where a rule needs one (a sum of tangents), it looks it up
when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData, LinearOperand, Primitive, Undefined, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, LoopBuilder, Operand, Value
from vires.ops.accept import (
    ANY,
    BOOL_OR_INTEGER,
    BOOL_OR_NUMBER,
    BOOL_OR_REAL,
    COMPLEX,
    FLOAT,
    INEXACT,
    INTEGER,
    NUMBER,
    REAL,
    DtypeSet,
    check_dtype,
    check_one_type,
)
from vires.ops.linear import NOT_LINEAR, Linear, declared, tangent_zero
from vires.ops.shape import align


class _Mark:
    """A named constant that stands for a derivative rule."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


#: Derivative rule: zero everywhere (floor, comparisons, bits).
ZERO: Final = _Mark("ZERO")
#: Derivative rule of a linear operation: itself, applied to the tangent.
SAME: Final = _Mark("SAME")

Rule = Callable[..., Any] | Undefined | _Mark


def to_bool(dtype: DType) -> DType:
    """The result dtype of predicates."""
    return dtypes.bool_


class Elementwise(Primitive):
    """An operation on corresponding elements of operands of one shape.

    * `accepts`: the dtypes; all operands have one dtype, and the result has `result(dtype)`, or the
      same when None.
    * `reference(*arrays, **params)`: NumPy. Dtypes that NumPy lacks are widened to float32 and
      rounded afterwards.
    * `jvp`: one rule for each operand (a tuple, or just the one), which gives the tangent of the
      result: `lambda x, y, dx, **params: ...`. A rule with a keyword-only `out` receives the result
      too. `ZERO`, `SAME` and `Undefined(reason)` are rules.
    * `loops(b, *elements, **params)`: the element of the result. The number of operands is read
      from it, unless `arity` is given.
    * `transpose(ct, *operands, **params)`: cotangents, for operations that are linear in some
      operands.
    * `infer`, when operands differ in dtype: takes the place of what `accepts` and `result` say.
    """

    def __init__(
        self,
        name: str,
        accepts: DtypeSet,
        doc: str,
        *,
        reference: Callable[..., Any],
        jvp: Rule | tuple[Rule, ...],
        loops: Callable[..., Any],
        result: Callable[[DType], DType] | None = None,
        transpose: Callable[..., Any] | Undefined = NOT_LINEAR,
        infer: Callable[..., ShapedArray] | None = None,
        batch: Callable[..., Any] | None = None,
        widen: bool = True,
        arity: int | None = None,
    ) -> None:
        self.accepts = accepts
        self._element = loops
        self._widen = widen
        self.arity = loops.__code__.co_argcount - 1 if arity is None else arity
        self.rules = jvp if isinstance(jvp, tuple) else (jvp,) * self.arity
        if len(self.rules) != self.arity:
            raise ValueError(f"{name}: needs a derivative rule for each of {self.arity} operands")
        self._wants_result = tuple(_takes_result(rule) for rule in self.rules)
        super().__init__(
            name,
            doc,
            infer=infer or _inference(name, self.arity, accepts, result),
            reference=_on_numpy(reference, widen),
            jvp=self._jvp,
            transpose=transpose,
            batch=batch or self._batch,
            loops=self._loops,
        )

    def _jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        out = self(*primals, **params)
        total = None
        for rule, wants_result, tangent in zip(
            self.rules, self._wants_result, tangents, strict=True
        ):
            if tangent.__class__ is Zero or rule is ZERO:
                continue
            if isinstance(rule, _Mark):  # SAME
                term = self(tangent, **params)
            elif wants_result:
                term = rule(*primals, tangent, out=out, **params)
            else:
                term = rule(*primals, tangent, **params)
            total = term if total is None else declared("add")(total, term)
        return out, tangent_zero(aval_of(out)) if total is None else total

    def _batch(
        self, axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, int]:
        aligned, dim = align(axis, operands, dims)
        return self(*aligned, **params), dim

    def element(self, b: LoopBuilder, *values: Value, **params: Any) -> Value:
        """The element of the result from the operands' elements."""
        narrow = values[0].dtype
        wide = _WIDENED_IN_LOOPS.get(narrow) if self._widen else None
        if wide is None:
            return self._element(b, *values, **params)
        widened = (b.convert(x, wide) if x.dtype == narrow else x for x in values)
        out = self._element(b, *widened, **params)
        return b.convert(out, narrow) if out.dtype == wide else out

    def _loops(self, b: LoopBuilder, *operands: Operand, **params: Any) -> Definition:
        return b.pull(
            lambda index: self.element(
                b, *(x.at(index if x.shape else ()) for x in operands), **params
            )
        )


def _takes_result(rule: Rule) -> bool:
    """Whether a derivative rule has the keyword-only parameter `out`."""
    code = getattr(rule, "__code__", None)
    if code is None:
        return False
    first = code.co_argcount
    return "out" in code.co_varnames[first : first + code.co_kwonlyargcount]


def _inference(
    name: str, arity: int, accepts: DtypeSet, result: Callable[[DType], DType] | None
) -> Callable[..., ShapedArray]:
    """The rule for types: one dtype and shape for all operands; weak when all operands are."""
    if arity == 1 and result is None:

        def infer_same(x: ShapedArray, **params: Any) -> ShapedArray:
            if x.dtype not in accepts:
                check_dtype(name, x, accepts)
            return x

        return infer_same

    if arity == 2 and result is None:

        def infer_binary(x: ShapedArray, y: ShapedArray, **params: Any) -> ShapedArray:
            if x is not y and (x.shape != y.shape or x.dtype != y.dtype):
                check_one_type(name, (x, y))
            if x.dtype not in accepts:
                check_dtype(name, x, accepts)
            return y if x.weak_type else x

        return infer_binary

    result_dtypes = {dtype: dtype if result is None else result(dtype) for dtype in accepts}

    def infer(*avals: ShapedArray, **params: Any) -> ShapedArray:
        first = avals[0]
        check_one_type(name, avals)
        check_dtype(name, first, accepts)
        dtype = result_dtypes[first.dtype]
        weak = dtype is not dtypes.bool_ and all(aval.weak_type for aval in avals)
        return ShapedArray(first.shape, dtype, weak)

    return infer


#: Dtypes that NumPy's functions lack or compute with fewer digits than they could.
_WIDENED = {
    dtype: np.dtype(np.float32 if dtypes.kind(dtype) == "float" else np.int32)
    for dtype in dtypes.CODES
    if not dtypes.is_key(dtype)
    and (dtype.kind == "V" or dtype in (dtypes.float16, dtypes.bfloat16, *dtypes.PACKED_BITS))
}

#: Of these the ones that kernels have no arithmetic for.
_WIDENED_IN_LOOPS = {
    narrow: wide for narrow, wide in _WIDENED.items() if narrow.name not in ("float16", "bfloat16")
}


def _on_numpy(function: Callable[..., Any], widen: bool) -> Callable[..., np.ndarray]:
    """Call a NumPy function without warnings, narrow dtypes widened before and rounded after."""

    def reference(*arrays: np.ndarray, **params: Any) -> np.ndarray:
        with np.errstate(all="ignore"):
            narrow = arrays[0].dtype
            wide = _WIDENED.get(narrow) if widen else None
            if wide is None:
                return np.asarray(function(*arrays, **params))
            out = np.asarray(
                function(*(x.astype(wide) if x.dtype == narrow else x for x in arrays), **params)
            )
            return out.astype(narrow) if out.dtype == wide else out

    return reference


def is_linear(operand: Any) -> bool:
    """Whether a transpose rule is asked for the cotangent of this operand."""
    return operand.__class__ is LinearOperand


__all__ = [
    "ANY",
    "BOOL_OR_INTEGER",
    "BOOL_OR_NUMBER",
    "BOOL_OR_REAL",
    "COMPLEX",
    "FLOAT",
    "INEXACT",
    "INTEGER",
    "NOT_LINEAR",
    "NUMBER",
    "REAL",
    "SAME",
    "ZERO",
    "DtypeSet",
    "Elementwise",
    "Linear",
    "declared",
    "is_linear",
    "tangent_zero",
    "to_bool",
]
