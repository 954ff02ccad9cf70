"""Reductions over sliding windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import LoopBuilder, Operand
from vires.ops.accept import BOOL_OR_REAL, NUMBER, DtypeSet, check_dtype
from vires.ops.composed import composed
from vires.ops.convert import convert
from vires.ops.extremes import highest, lowest
from vires.ops.linear import tangent_zero
from vires.ops.reduce import ACCUMULATORS, NUMPY_WIDE
from vires.ops.sliding import Window, check_window
from vires.ops.window_select import select_and_gather_add


class ReduceWindow(Primitive):
    """Combines the elements of each window; places outside the array count as the identity."""

    def __init__(
        self,
        name: str,
        accepts: DtypeSet,
        doc: str,
        *,
        function: np.ufunc,
        combine: str,
        identity: Callable[[DType], Any],
        tangent: Callable[..., Any],
        transpose: Callable[..., Any] | Undefined,
    ) -> None:
        self.accepts = accepts
        self.function = function
        self.combine = combine
        self.identity = identity
        self.tangent = tangent
        self.composition = composed(self._wide)
        super().__init__(
            name,
            doc,
            infer=self._infer,
            reference=self._reference,
            jvp=self._jvp,
            transpose=transpose,
            batch=self._batch,
            loops=self._loops,
        )

    def _infer(self, x: ShapedArray, **params: Any) -> ShapedArray:
        window = Window(**params)
        check_dtype(self.name, x, self.accepts)
        check_window(self.name, x, window)
        return ShapedArray(window.positions(x.shape), x.dtype, x.weak_type)

    def _reference(self, x: np.ndarray, **params: Any) -> np.ndarray:
        window = Window(**params)
        wide = x.astype(NUMPY_WIDE.get(x.dtype, x.dtype), copy=False)
        view = window.view(wide, self.identity(x.dtype))
        axes = tuple(range(x.ndim, 2 * x.ndim))
        with np.errstate(all="ignore"):
            out = self.function.reduce(view, axis=axes, dtype=wide.dtype) if axes else wide
        return np.asarray(out).astype(x.dtype, copy=False)

    def _jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        (x,), (dx,) = primals, tangents
        out = self(x, **params)
        if dx.__class__ is Zero:
            return out, tangent_zero(aval_of(out))
        return out, self.tangent(x, dx, **params)

    def _batch(
        self, axis: AxisData, operands: Sequence[Any], dims: Sequence[Any], **params: Any
    ) -> tuple[Any, int]:
        (x,), (dim,) = operands, dims
        return self(x, **Window(**params).mapped(dim)._asdict()), dim

    def _wide(self, x: Any, **params: Any) -> Any:
        return convert(self(convert(x, ACCUMULATORS[x.dtype]), **params), x.dtype)

    def _loops(self, b: LoopBuilder, x: Operand, **params: Any) -> Any:
        if self.combine == "add" and x.dtype in ACCUMULATORS:
            return self.composition(b, x, **params)
        window = Window(**params)
        return b.block(
            "window",
            [x],
            combine=self.combine,
            identity=self.identity(x.dtype),
            window=window.window_dimensions,
            strides=window.window_strides,
            padding=window.padding,
            base_dilation=window.base_dilation,
            window_dilation=window.window_dilation,
        )[0]


reduce_window_sum = ReduceWindow(
    "reduce_window_sum",
    NUMBER,
    """Sum of each window.

    float16 and bfloat16 are accumulated in float32; integers wrap around.
    """,
    function=np.add,
    combine="add",
    identity=lambda dtype: 0,
    tangent=lambda x, dx, **params: reduce_window_sum(dx, **params),
    transpose=lambda ct, x, **params: [
        reduce_window_sum(ct, **Window(**params).mirrored(x.aval.shape)._asdict())
    ],
)

reduce_window_max = ReduceWindow(
    "reduce_window_max",
    BOOL_OR_REAL,
    """Greatest element of each window; nan when there is one.

    The first of equal elements has the tangent.
    """,
    function=np.maximum,
    combine="max",
    identity=lowest,
    tangent=lambda x, dx, **params: select_and_gather_add(dx, x, select="ge", **params),
    transpose=Undefined("transpose: needs a sum; got a maximum over windows"),
)

reduce_window_min = ReduceWindow(
    "reduce_window_min",
    BOOL_OR_REAL,
    """Least element of each window; nan when there is one.

    The first of equal elements has the tangent.
    """,
    function=np.minimum,
    combine="min",
    identity=highest,
    tangent=lambda x, dx, **params: select_and_gather_add(dx, x, select="le", **params),
    transpose=Undefined("transpose: needs a sum; got a minimum over windows"),
)
