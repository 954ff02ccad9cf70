"""Reductions over sliding windows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import LoopBuilder, Operand
from vires.ops.accept import BOOL_OR_REAL, NUMBER, DtypeSet, check_dtype, refuse, typed
from vires.ops.axes import Axes, insert
from vires.ops.composed import composed
from vires.ops.convert import convert
from vires.ops.convolve import Padding, dilated, output_sizes, spread, windows
from vires.ops.extremes import highest, lowest
from vires.ops.join import pad
from vires.ops.linear import declared, tangent_zero
from vires.ops.reduce import ACCUMULATORS, NUMPY_WIDE
from vires.ops.shape import slice as slice_


class Window(NamedTuple):
    """The parameters that all operations on windows share, one entry for each axis."""

    window_dimensions: Axes
    window_strides: Axes
    padding: Padding
    base_dilation: Axes
    window_dilation: Axes

    def positions(self, shape: Axes) -> Axes:
        """How many windows there are along each axis of an array of that shape."""
        return output_sizes(
            shape,
            self.window_dimensions,
            self.window_strides,
            self.padding,
            self.base_dilation,
            self.window_dilation,
        )

    def mapped(self, dim: int) -> Window:
        """The same windows on arrays with one more axis."""
        ones = (insert(axes, dim, 1) for axes in (self[0], self[1], self[3], self[4]))
        size, strides, base, gaps = ones
        padding = (*self.padding[:dim], (0, 0), *self.padding[dim:])
        return Window(size, strides, padding, base, gaps)

    def mirrored(self, shape: Axes) -> Window:
        """The windows on the result through which each element of an array of that shape was seen."""
        pads = []
        for n, m, k, stride, (low, _), base, gap in zip(
            shape, self.positions(shape), *self, strict=True
        ):
            before = dilated(k, gap) - 1 - low
            pads.append(
                (before, dilated(n, base) + dilated(k, gap) - 1 - dilated(m, stride) - before)
            )
        return Window(
            self.window_dimensions,
            self.base_dilation,
            tuple(pads),
            self.window_strides,
            self.window_dilation,
        )

    def view(self, x: np.ndarray, fill: Any) -> np.ndarray:
        """All windows of a NumPy array, the last half of the axes running within a window."""
        padded = spread(x, 0, self.base_dilation, self.padding, fill)
        return windows(padded, 0, self.window_dimensions, self.window_strides, self.window_dilation)

    def offsets(self) -> list[Axes]:
        """The places within a window in row-major order."""
        return list(itertools.product(*map(range, self.window_dimensions)))

    def elements(self, x: Any, fill: Any) -> list[Any]:
        """For each place within a window, the elements there of all windows; `fill` is a 0-d array."""
        aval = aval_of(x)
        config = tuple(
            (low, high, base - 1)
            for (low, high), base in zip(self.padding, self.base_dilation, strict=True)
        )
        padded = pad(x, fill, padding_config=config)
        found = []
        for offset in self.offsets():
            start = tuple(o * gap for o, gap in zip(offset, self.window_dilation, strict=True))
            limit = tuple(
                s + dilated(n, stride)
                for s, n, stride in zip(
                    start, self.positions(aval.shape), self.window_strides, strict=True
                )
            )
            found.append(
                slice_(
                    padded, start_indices=start, limit_indices=limit, strides=self.window_strides
                )
            )
        return found


def check_window(name: str, x: ShapedArray, window: Window) -> None:
    """Raise unless the parameters fit the operand."""
    for what, values in window._asdict().items():
        if len(values) != x.ndim:
            raise refuse(
                name, f"{x.ndim} entries of {what}, one for each axis", f"{values} for {typed(x)}"
            )
        if what != "padding" and any(v < 1 for v in values):
            raise refuse(name, f"positive {what}", f"{values} for {typed(x)}", "", ValueError)


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
    """Sum of each window. float16 and bfloat16 are accumulated in float32; integers wrap around.""",
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
    """Greatest element of each window; nan when there is one. The first of equal elements has the tangent.""",
    function=np.maximum,
    combine="max",
    identity=lowest,
    tangent=lambda x, dx, **params: declared("select_and_gather_add")(dx, x, select="ge", **params),
    transpose=Undefined("transpose: needs a sum; got a maximum over windows"),
)

reduce_window_min = ReduceWindow(
    "reduce_window_min",
    BOOL_OR_REAL,
    """Least element of each window; nan when there is one. The first of equal elements has the tangent.""",
    function=np.minimum,
    combine="min",
    identity=highest,
    tangent=lambda x, dx, **params: declared("select_and_gather_add")(dx, x, select="le", **params),
    transpose=Undefined("transpose: needs a sum; got a minimum over windows"),
)
