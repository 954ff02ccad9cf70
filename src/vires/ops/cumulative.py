"""Cumulative sums, products, extremes and log-sums of exponentials along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import LoopBuilder, Operand
from vires.ops.accept import BOOL_OR_NUMBER, FLOAT, NUMBER, DtypeSet, check_dtype
from vires.ops.axes import check_axes
from vires.ops.compare import eq, ne
from vires.ops.composed import composed
from vires.ops.convert import convert
from vires.ops.elementwise import add, mul, sub
from vires.ops.filled import full, full_like, iota, scalar, zeros
from vires.ops.gather import gather
from vires.ops.join import concatenate, pad
from vires.ops.linear import declared, tangent_zero
from vires.ops.parts import rev
from vires.ops.parts import slice as slice_
from vires.ops.reduce import ACCUMULATORS, on_numpy
from vires.ops.select import select_n
from vires.ops.shape import reshape
from vires.ops.slices import GatherDimensionNumbers, GatherScatterMode

NOT_A_SUM = Undefined("transpose: needs a cumulative sum; got another cumulative operation")


class Cumulative(Primitive):
    """Combines each element with all before it (after it when `reverse`) along `axis`.

    `tangent(x, dx, out, axis, reverse)` gives the tangent; `combine` is the dialect's name of the
    operation.
    """

    def __init__(
        self,
        name: str,
        accepts: DtypeSet,
        doc: str,
        *,
        function: Callable[..., np.ndarray],
        combine: str,
        tangent: Callable[..., Any],
        transpose: Callable[..., Any] | Undefined = NOT_A_SUM,
    ) -> None:
        self.accepts = accepts
        self.function = on_numpy(function)
        self.combine = combine
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

    def _infer(self, x: ShapedArray, *, axis: int, reverse: bool) -> ShapedArray:
        check_dtype(self.name, x, self.accepts)
        check_axes(self.name, x, (axis,))
        return x

    def _reference(self, x: np.ndarray, *, axis: int, reverse: bool) -> np.ndarray:
        if not reverse:
            return self.function(x, axis=axis)
        return np.flip(self.function(np.flip(x, axis), axis=axis), axis)

    def _jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, axis: int, reverse: bool
    ) -> tuple[Any, Any]:
        (x,), (dx,) = primals, tangents
        out = self(x, axis=axis, reverse=reverse)
        if dx.__class__ is Zero:
            return out, tangent_zero(aval_of(out))
        return out, self.tangent(x, dx, out, axis, reverse)

    def _batch(
        self,
        mapped: AxisData,
        operands: Sequence[Any],
        dims: Sequence[Any],
        *,
        axis: int,
        reverse: bool,
    ) -> tuple[Any, int]:
        (x,), (dim,) = operands, dims
        return self(x, axis=axis + (axis >= dim), reverse=reverse), dim

    def _wide(self, x: Any, *, axis: int, reverse: bool) -> Any:
        return convert(self(convert(x, ACCUMULATORS[x.dtype]), axis=axis, reverse=reverse), x.dtype)

    def _loops(self, b: LoopBuilder, x: Operand, *, axis: int, reverse: bool) -> Any:
        if self.combine not in ("max", "min") and x.dtype in ACCUMULATORS:
            return self.composition(b, x, axis=axis, reverse=reverse)
        return b.block("cumulate", [x], axis=axis, reverse=reverse, combine=self.combine)[0]


def shifted(x: Any, axis: int, by: int, reverse: bool, fill: Any) -> Any:
    """Elements moved `by` places in the direction of accumulation, `fill` coming in at the
    beginning.
    """
    aval = aval_of(x)
    by = min(by, aval.shape[axis])
    config = [(0, 0, 0)] * aval.ndim
    config[axis] = (-by, by, 0) if reverse else (by, -by, 0)
    return pad(x, scalar(fill, aval.dtype), padding_config=tuple(config))


def _part(x: Any, axis: int, start: int, stop: int) -> Any:
    shape = aval_of(x).shape
    return slice_(
        x,
        start_indices=tuple(start if d == axis else 0 for d in range(len(shape))),
        limit_indices=tuple(stop if d == axis else n for d, n in enumerate(shape)),
        strides=None,
    )


def linear_recurrence(weights: Any, terms: Any, axis: int, reverse: bool) -> Any:
    """y_i = weights_i y_{i-1} + terms_i, in a logarithmic number of steps."""
    if reverse:
        first, second = (rev(y, dimensions=(axis,)) for y in (weights, terms))
        return rev(linear_recurrence(first, second, axis, False), dimensions=(axis,))
    count = aval_of(terms).shape[axis]
    distance = 1
    while distance < count:
        # Each element now holds the last `distance` steps; those with as many before them double
        # it.
        before, rest = _part(terms, axis, 0, count - distance), _part(terms, axis, distance, count)
        factors = _part(weights, axis, distance, count)
        first = _part(terms, axis, 0, distance)
        terms = concatenate(first, add(mul(factors, before), rest), dimension=axis)
        factors = mul(factors, _part(weights, axis, 0, count - distance))
        weights = concatenate(_part(weights, axis, 0, distance), factors, dimension=axis)
        distance *= 2
    return terms


# --- sum and product

cumsum = Cumulative(
    "cumsum",
    NUMBER,
    """Cumulative sum along an axis.

    float16 and bfloat16 are accumulated in float32; integers wrap around.
    """,
    function=lambda x, axis: np.cumsum(x, axis, dtype=x.dtype),
    combine="add",
    tangent=lambda x, dx, out, axis, reverse: cumsum(dx, axis=axis, reverse=reverse),
    transpose=lambda ct, x, *, axis, reverse: [cumsum(ct, axis=axis, reverse=not reverse)],
)


def _product_tangent(x: Any, dx: Any, out: Any, axis: int, reverse: bool) -> Any:
    # dy_i = x_i dy_{i-1} + y_{i-1} dx_i: no division, so that zeros do no harm.
    return linear_recurrence(x, mul(shifted(out, axis, 1, reverse, 1), dx), axis, reverse)


cumprod = Cumulative(
    "cumprod",
    NUMBER,
    """Cumulative product along an axis. float16 and bfloat16 are accumulated in float32.""",
    function=lambda x, axis: np.cumprod(x, axis, dtype=x.dtype),
    combine="mul",
    tangent=_product_tangent,
)


# --- extremes


def take_along(x: Any, positions: Any, axis: int) -> Any:
    """The elements of x at positions along an axis; all other axes are shared."""
    aval, at = aval_of(x), aval_of(positions)
    others = tuple(d for d in range(aval.ndim) if d != axis)
    return gather(
        x,
        reshape(positions, new_sizes=(*at.shape, 1), dimensions=None),
        dimension_numbers=GatherDimensionNumbers((), (axis,), (axis,), others, others),
        slice_sizes=(1,) * aval.ndim,
        indices_are_sorted=False,
        unique_indices=False,
        mode=GatherScatterMode.PROMISE_IN_BOUNDS,
        fill_value=None,
    )


def _extreme_tangent(x: Any, dx: Any, out: Any, axis: int, reverse: bool) -> Any:
    """The tangent of the element that last attained the extreme."""
    shape = aval_of(x).shape
    if not aval_of(x).size:
        return dx
    dtype = dtypes.int32 if shape[axis] < 2**31 else dtypes.int64
    places = iota(dtype=dtype, shape=shape, dimension=axis)
    attained = declared("or")(eq(x, out), ne(x, x))
    never = full(shape, shape[axis] - 1 if reverse else 0, dtype)
    latest = (cummin if reverse else cummax)(
        select_n(attained, never, places), axis=axis, reverse=reverse
    )
    return take_along(dx, latest, axis)


cummax = Cumulative(
    "cummax",
    BOOL_OR_NUMBER,
    """Cumulative maximum along an axis; nan from the first nan on.

    The last of equal elements has the tangent.
    """,
    function=lambda x, axis: np.maximum.accumulate(x, axis),
    combine="max",
    tangent=_extreme_tangent,
)

cummin = Cumulative(
    "cummin",
    BOOL_OR_NUMBER,
    """Cumulative minimum along an axis; nan from the first nan on.

    The last of equal elements has the tangent.
    """,
    function=lambda x, axis: np.minimum.accumulate(x, axis),
    combine="min",
    tangent=_extreme_tangent,
)


# --- log-sum of exponentials


def _logsumexp_tangent(x: Any, dx: Any, out: Any, axis: int, reverse: bool) -> Any:
    # dy_i = exp(y_{i-1} - y_i) dy_{i-1} + exp(x_i - y_i) dx_i, weights that never overflow.
    exp = declared("exp")
    lost = eq(out, full_like(out, -np.inf))
    anchor = select_n(lost, out, zeros(aval_of(out)))
    before = shifted(out, axis, 1, reverse, -np.inf)
    terms = mul(exp(sub(x, anchor)), dx)
    return linear_recurrence(exp(sub(before, anchor)), terms, axis, reverse)


def _accumulate_logaddexp(x: np.ndarray, axis: int) -> np.ndarray:
    return np.logaddexp.accumulate(x, axis)


cumlogsumexp = Cumulative(
    "cumlogsumexp",
    FLOAT,
    """log of the cumulative sum of exponentials along an axis, without overflow.""",
    function=_accumulate_logaddexp,
    combine="logaddexp",
    tangent=_logsumexp_tangent,
)
