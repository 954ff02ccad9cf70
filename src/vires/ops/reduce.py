"""Reductions: sums, products, extremes and logic along axes, and positions of extremes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, LoopBuilder, Operand, Value
from vires.ops.accept import (
    BOOL_OR_INTEGER,
    BOOL_OR_NUMBER,
    BOOL_OR_REAL,
    NUMBER,
    DtypeSet,
    check_dtype,
    refuse,
    typed,
)
from vires.ops.axes import Axes, check_axes, past, without
from vires.ops.compare import eq
from vires.ops.composed import composed
from vires.ops.convert import convert
from vires.ops.elementwise import div, mul
from vires.ops.extremes import highest, lowest
from vires.ops.filled import scalar
from vires.ops.join import pad
from vires.ops.linear import declared, tangent_zero
from vires.ops.shape import broadcast_in_dim, reshape, transpose

#: Dtypes whose sums and products are accumulated in a wider one and rounded once at the end.
ACCUMULATORS: dict[DType, DType] = dict.fromkeys(
    (*dtypes.FLOAT8, dtypes.float16, dtypes.bfloat16), dtypes.float32
)
#: What NumPy computes with, for dtypes that it has no fast or no correct loops for.
NUMPY_WIDE: dict[DType, DType] = {
    dtype: dtypes.int32 if dtypes.is_integer(dtype) else dtypes.float32
    for dtype in dtypes.CODES
    if not dtypes.is_key(dtype) and (dtype.kind == "V" or dtype in (dtypes.float16, *dtypes.FLOAT8))
}


def numpy_products(operands: DType, result: DType) -> DType:
    """The dtype in which NumPy sums products: wide enough for the operands and for the result, as
    integers must not wrap before they are widened; those of two kinds wrap alike.
    """
    wide = NUMPY_WIDE.get(operands, operands)
    if result == operands:
        return wide
    if operands.kind in "iu" and result.kind in "iu":
        return max(result, operands, key=lambda dtype: dtype.itemsize)
    return np.result_type(wide, NUMPY_WIDE.get(result, result))


def on_numpy(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Run a NumPy function of one array without warnings, narrow dtypes widened and rounded at the
    end.
    """

    def reference(x: np.ndarray, **params: Any) -> np.ndarray:
        wide = NUMPY_WIDE.get(x.dtype)
        with np.errstate(all="ignore"):
            if wide is None:
                return np.asarray(function(x, **params), x.dtype)
            return np.asarray(function(x.astype(wide), **params)).astype(x.dtype)

    return reference


def _inference(name: str, accepts: DtypeSet) -> Callable[..., ShapedArray]:
    def infer(x: ShapedArray, *, axes: Axes) -> ShapedArray:
        check_dtype(name, x, accepts)
        check_axes(name, x, axes)
        return ShapedArray(without(x.shape, axes), x.dtype, x.weak_type)

    return infer


def back(result: Any, shape: Axes, axes: Axes) -> Any:
    """A result repeated along the axes that were reduced."""
    kept = tuple(d for d in range(len(shape)) if d not in axes)
    return broadcast_in_dim(result, shape=shape, broadcast_dimensions=kept)


NOT_A_SUM = Undefined("transpose: needs a sum; got another reduction")


class Reduction(Primitive):
    """Combines the elements along `axes` with an associative operation.

    `combine` is the dialect's name of it or a function on tuples of values; `identity(dtype)` its
    neutral element;
    `jvp(x, dx, out, axes)` gives the tangent.
    """

    def __init__(
        self,
        name: str,
        accepts: DtypeSet,
        doc: str,
        *,
        reference: Callable[..., Any],
        jvp: Callable[..., Any] | Undefined,
        transpose: Callable[..., Any] | Undefined = NOT_A_SUM,
        combine: Any,
        identity: Callable[[DType], Any],
    ) -> None:
        self.tangent = jvp
        self.combine = combine
        self.identity = identity
        self.composition = composed(self._wide)
        super().__init__(
            name,
            doc,
            infer=_inference(name, accepts),
            reference=on_numpy(reference),
            jvp=self._jvp,
            transpose=transpose,
            batch=self._batch,
            loops=self._loops,
        )

    def _jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, axes: Axes
    ) -> tuple[Any, Any]:
        (x,), (dx,) = primals, tangents
        out = self(x, axes=axes)
        if dx.__class__ is Zero or self.tangent.__class__ is Undefined:
            return out, tangent_zero(aval_of(out))
        return out, self.tangent(x, dx, out, axes)

    def _batch(
        self, axis: AxisData, operands: Sequence[Any], dims: Sequence[Any], *, axes: Axes
    ) -> tuple[Any, int]:
        (x,), (dim,) = operands, dims
        moved = past(axes, dim)
        return self(x, axes=moved), dim - sum(d < dim for d in moved)

    def _wide(self, x: Any, *, axes: Axes) -> Any:
        return convert(self(convert(x, ACCUMULATORS[x.dtype]), axes=axes), x.dtype)

    def _loops(self, b: LoopBuilder, x: Operand, *, axes: Axes) -> Any:
        if self.combine in ("add", "mul") and x.dtype in ACCUMULATORS:
            return self.composition(b, x, axes=axes)
        combine = self.combine
        if dtypes.kind(x.dtype) == "complex" and combine in ("max", "min"):
            combine = _lexicographic(b, combine)
        elif x.dtype == dtypes.bool_:
            combine = {"max": "or", "min": "and"}.get(combine, combine)
        return b.reduce([x], axes, combine, [self.identity(x.dtype)])[0]


def _lexicographic(b: LoopBuilder, end: str) -> Callable[..., Sequence[Value]]:
    """max or min of complex elements: by real part, then imaginary part; nan wins."""
    before = "gt" if end == "max" else "lt"

    def is_nan(z: Value) -> Value:
        return b.op("or", b.op("is_nan", b.op("real", z)), b.op("is_nan", b.op("imag", z)))

    def combine(first: Sequence[Value], second: Sequence[Value]) -> Sequence[Value]:
        (x,), (y,) = first, second
        xr, yr, xi, yi = b.op("real", x), b.op("real", y), b.op("imag", x), b.op("imag", y)
        tie = b.op("and", b.op("eq", xr, yr), b.op(before, xi, yi))
        wins = b.op("or", is_nan(x), b.op("or", b.op(before, xr, yr), tie))
        return [b.select(b.op("and", wins, b.op("or", is_nan(x), b.op("not", is_nan(y)))), x, y)]

    return combine


# --- sums and products


def _sum_reference(x: np.ndarray, *, axes: Axes) -> np.ndarray:
    return np.sum(x, axis=axes, dtype=x.dtype)


reduce_sum = Reduction(
    "reduce_sum",
    NUMBER,
    """Sum along axes.

    float16 and bfloat16 are accumulated in float32 and rounded once; integers wrap around.
    """,
    reference=_sum_reference,
    jvp=lambda x, dx, out, axes: reduce_sum(dx, axes=axes),
    transpose=lambda ct, x, *, axes: [back(ct, x.aval.shape, axes)],
    combine="add",
    identity=lambda dtype: 0,
)


def _product_tangent(x: Any, dx: Any, out: Any, axes: Axes) -> Any:
    """Each tangent times the product of all other elements, which division could not give at
    zeros.
    """
    cumprod = declared("cumprod")
    aval = aval_of(x)
    kept = tuple(d for d in range(aval.ndim) if d not in axes)
    flat = (*without(aval.shape, axes), math.prod(aval.shape[d] for d in axes))
    last = len(kept)

    def rows(y: Any) -> Any:
        return reshape(transpose(y, permutation=(*kept, *axes)), new_sizes=flat, dimensions=None)

    one, still = scalar(1, aval.dtype), ((0, 0, 0),) * last
    before = pad(rows(x), one, padding_config=(*still, (1, -1, 0)))
    after = pad(rows(x), one, padding_config=(*still, (-1, 1, 0)))
    others = mul(cumprod(before, axis=last, reverse=False), cumprod(after, axis=last, reverse=True))
    return reduce_sum(mul(rows(dx), others), axes=(last,))


reduce_prod = Reduction(
    "reduce_prod",
    NUMBER,
    """Product along axes. float16 and bfloat16 are accumulated in float32 and rounded once.""",
    reference=lambda x, *, axes: np.prod(x, axis=axes, dtype=x.dtype),
    jvp=_product_tangent,
    combine="mul",
    identity=lambda dtype: 1,
)


# --- extremes


def _extreme_tangent(x: Any, dx: Any, out: Any, axes: Axes) -> Any:
    """The mean tangent of the elements that attain the extreme; of no elements, zero."""
    if any(aval_of(x).shape[d] == 0 for d in axes):
        return tangent_zero(aval_of(out))
    weights = convert(eq(x, back(out, aval_of(x).shape, axes)), aval_of(dx).dtype)
    total = reduce_sum(mul(dx, weights), axes=axes)
    return div(total, reduce_sum(weights, axes=axes))


reduce_max = Reduction(
    "reduce_max",
    BOOL_OR_NUMBER,
    """Greatest element along axes; nan when there is one. No elements: -inf or the least integer.

    Complex numbers are ordered by real part, then imaginary part. Equal elements share the tangent.
    """,
    reference=lambda x, *, axes: np.max(x, axis=axes, initial=lowest(x.dtype)),
    jvp=_extreme_tangent,
    combine="max",
    identity=lowest,
)

reduce_min = Reduction(
    "reduce_min",
    BOOL_OR_NUMBER,
    """Least element along axes; nan when there is one. No elements: inf or the greatest integer.

    Complex numbers are ordered by real part, then imaginary part. Equal elements share the tangent.
    """,
    reference=lambda x, *, axes: np.min(x, axis=axes, initial=highest(x.dtype)),
    jvp=_extreme_tangent,
    combine="min",
    identity=highest,
)


# --- logic

_NO_TANGENT = Undefined("bool or integer valued")


def _ones(dtype: DType) -> Any:
    if dtype == dtypes.bool_:
        return True
    return -1 if dtypes.kind(dtype) == "signed" else highest(dtype)


def _logic(
    name: str, operation: str, function: np.ufunc, identity: Callable[[DType], Any]
) -> Reduction:
    return Reduction(
        name,
        BOOL_OR_INTEGER,
        f"""Bitwise (for bool logical) {operation} along axes.""",
        reference=lambda x, *, axes: function.reduce(x, axis=axes),
        jvp=_NO_TANGENT,
        combine=operation,
        identity=identity,
    )


reduce_and = _logic("reduce_and", "and", np.bitwise_and, _ones)
reduce_or = _logic("reduce_or", "or", np.bitwise_or, lambda dtype: 0)
reduce_xor = _logic("reduce_xor", "xor", np.bitwise_xor, lambda dtype: 0)


# --- positions of extremes


class Position(Primitive):
    """Index of the greatest or least element along one axis: the first on ties; nan wins."""

    def __init__(
        self,
        name: str,
        doc: str,
        *,
        function: Callable[..., Any],
        better: str,
        identity: Callable[..., Any],
    ) -> None:
        self.function = function
        self.better = better
        self.identity = identity
        super().__init__(
            name,
            doc,
            infer=self._infer,
            reference=self._reference,
            jvp=self._jvp,
            transpose=Undefined("integer valued"),
            batch=self._batch,
            loops=self._loops,
        )

    def _infer(self, x: ShapedArray, *, axes: Axes, index_dtype: DType) -> ShapedArray:
        check_dtype(self.name, x, BOOL_OR_REAL)
        check_axes(self.name, x, axes)
        if len(axes) != 1:
            raise refuse(self.name, "one axis", f"axes {axes}", "x.reshape(-1) first", ValueError)
        if not dtypes.is_integer(index_dtype):
            raise refuse(
                self.name, "an integer index_dtype", dtypes.canonical(index_dtype).name, "int32"
            )
        if x.shape[axes[0]] == 0:
            raise refuse(
                self.name, "at least one element", f"axis {axes[0]} of {typed(x)}", "", ValueError
            )
        return ShapedArray(without(x.shape, axes), index_dtype)

    def _reference(self, x: np.ndarray, *, axes: Axes, index_dtype: DType) -> np.ndarray:
        wide = NUMPY_WIDE.get(x.dtype)
        values = x if wide is None else x.astype(wide)
        return np.asarray(self.function(values, axis=axes[0])).astype(index_dtype)

    def _jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        out = self(*primals, **params)
        return out, tangent_zero(aval_of(out))

    def _batch(
        self,
        axis: AxisData,
        operands: Sequence[Any],
        dims: Sequence[Any],
        *,
        axes: Axes,
        index_dtype: DType,
    ) -> tuple[Any, int]:
        (x,), (dim,) = operands, dims
        moved = past(axes, dim)
        return self(x, axes=moved, index_dtype=index_dtype), dim - (moved[0] < dim)

    def _loops(self, b: LoopBuilder, x: Operand, *, axes: Axes, index_dtype: DType) -> Definition:
        floating = dtypes.kind(x.dtype) == "float"

        def element(index: Sequence[Value]) -> Sequence[Value]:
            return [x.at(index), b.convert(index[axes[0]], index_dtype)]

        def combine(first: Sequence[Value], second: Sequence[Value]) -> Sequence[Value]:
            (v, i), (w, j) = first, second
            wins, ties = b.op(self.better, v, w), b.op("eq", v, w)
            if floating:
                v_nan, w_nan = b.op("is_nan", v), b.op("is_nan", w)
                wins = b.op("or", wins, b.op("and", v_nan, b.op("not", w_nan)))
                ties = b.op("or", ties, b.op("and", v_nan, w_nan))
            # An order of combination other than the elements' must not matter: the smaller index
            # wins a tie.
            first_wins = b.op("or", wins, b.op("and", ties, b.op("lt", i, j)))
            return [b.select(first_wins, v, w), b.select(first_wins, i, j)]

        identities = [self.identity(x.dtype), highest(index_dtype)]
        return b.reduce([x], axes, combine, identities, element)[1]


argmax = Position(
    "argmax",
    """Index of the greatest element along an axis: the first of equal ones, the first nan when
    there is one.
    """,
    function=np.argmax,
    better="gt",
    identity=lowest,
)

argmin = Position(
    "argmin",
    """Index of the least element along an axis: the first of equal ones, the first nan when there
    is one.
    """,
    function=np.argmin,
    better="lt",
    identity=highest,
)
