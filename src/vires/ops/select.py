"""select_n: one of several cases for each element, or for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, Index, LoopBuilder, Operand
from vires.ops.accept import ANY, check_dtype, check_one_type, refuse, typed, typed_all
from vires.ops.families import is_linear
from vires.ops.filled import zeros
from vires.ops.linear import tangent_zero
from vires.ops.shape import align, broadcast, map_at


def _infer(which: ShapedArray, *cases: ShapedArray) -> ShapedArray:
    if not cases:
        raise refuse("select_n", "at least one case", "none")
    first = cases[0]
    for case in cases[1:]:
        if case is not first and not case.same_type(first):
            check_one_type("select_n", cases)
    check_dtype("select_n", first, ANY)
    if which.dtype != dtypes.bool_ and which.dtype != dtypes.int32:
        raise refuse("select_n", "a bool or int32 selector", typed(which), "which.astype(int32)")
    if which.dtype == dtypes.bool_ and len(cases) > 2:
        raise refuse(
            "select_n",
            "an int32 selector for more than two cases",
            f"{typed(which)} for {len(cases)}",
        )
    if which.shape and which.shape != first.shape:
        raise refuse(
            "select_n",
            "a selector that is 0-d or has the shape of the cases",
            typed_all((which, first)),
        )
    return next((case for case in cases if not case.weak_type), first)


def _reference(which: np.ndarray, *cases: np.ndarray) -> np.ndarray:
    number = which.astype(np.intp)
    if not which.shape:
        return cases[min(max(int(number), 0), len(cases) - 1)].copy()
    if len(cases) == 1:
        return cases[0].copy()
    out = cases[0].copy()
    for k, case in enumerate(cases[1:], 1):
        chosen = number >= k if k == len(cases) - 1 else number == k
        np.copyto(out, case, where=chosen)
    return out


def _jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    out = select_n(*primals)
    rest = tangents[1:]
    if all(t.__class__ is Zero for t in rest):
        return out, tangent_zero(aval_of(out))
    return out, select_n(primals[0], *(zeros(t.aval) if t.__class__ is Zero else t for t in rest))


def _transpose(ct: Any, which: Any, *cases: Any) -> list[Any]:
    none = zeros(aval_of(ct))
    return [
        None,
        *(
            select_n(which, *(ct if j == k else none for j in range(len(cases))))
            if is_linear(case)
            else None
            for k, case in enumerate(cases)
        ),
    ]


def _batch(axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None]) -> tuple[Any, int]:
    which, *cases = operands
    if dims[0] is None and not aval_of(which).shape:
        aligned, dim = align(axis, cases, dims[1:])
        return select_n(which, *aligned), dim
    scalar = aval_of(which).ndim == (dims[0] is not None)
    if not scalar:
        aligned, dim = align(axis, operands, dims)
        return select_n(*aligned), dim
    mapped = [map_at(x, d, axis.size, 0) for x, d in zip(cases, dims[1:], strict=True)]
    return select_n(broadcast(which, aval_of(mapped[0]).shape, (0,)), *mapped), 0


def _loops(b: LoopBuilder, which: Operand, *cases: Operand) -> Definition:
    def element(index: Index) -> Any:
        selector = which.at(index if which.shape else ())
        out = cases[0].at(index)
        for k, case in enumerate(cases[1:], 1):
            chosen = (
                selector
                if selector.dtype == dtypes.bool_
                else b.op("ge", selector, b.constant(k, dtypes.int32))
            )
            out = b.select(chosen, case.at(index), out)
        return out

    return b.pull(element)


select_n = Primitive(
    "select_n",
    """cases[which] for each element; `which` is bool (false: the first case) or int32, 0-d or of
    the cases' shape.

    A selector outside the cases takes the nearest one.""",
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=_loops,
)
