"""scatter and its combining forms: write slices into an array at positions given by indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, LinearOperand, Primitive, Undefined, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import LoopBuilder, Operand
from vires.ops.accept import ANY, BOOL_OR_NUMBER, DtypeSet, check_dtype, refuse, typed, typed_all
from vires.ops.axes import Axes, without
from vires.ops.compare import eq
from vires.ops.composed import composed
from vires.ops.convert import convert
from vires.ops.elementwise import div, mul
from vires.ops.filled import full, iota, zeros
from vires.ops.gather import gather
from vires.ops.linear import tangent_zero
from vires.ops.reduce import NUMPY_WIDE
from vires.ops.select import select_n
from vires.ops.shape import broadcast_in_dim, map_at, move_axis, reshape
from vires.ops.slices import (
    GatherScatterMode,
    ScatterDimensionNumbers,
    check_numbers,
    gather_numbers,
    in_bounds,
    map_both,
    map_operand,
    places,
)


def slice_sizes(numbers: ScatterDimensionNumbers, rank: int, updates: Axes) -> Axes:
    """How many elements each slice has along each axis of the operand."""
    gone = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    within = iter(numbers.update_window_dims)
    return tuple(1 if d in gone else updates[next(within)] for d in range(rank))


class Scatter(Primitive):
    """Operand, indices, updates -> the operand with each slice of the updates combined in where it
    belongs.

    `combine` is "add", "mul", "min", "max" or None: the last update of an element replaces it.
    """

    def __init__(
        self,
        name: str,
        accepts: DtypeSet,
        doc: str,
        *,
        combine: str | None,
        function: np.ufunc | None,
        jvp: Callable[..., Any],
        transpose: Callable[..., Any] | Undefined,
    ) -> None:
        self.accepts = accepts
        self.combine = combine
        self.function = function
        self.checked = composed(self._checked)
        super().__init__(
            name,
            doc,
            infer=self._infer,
            reference=self._reference,
            jvp=lambda primals, tangents, **params: self._jvp(jvp, primals, tangents, **params),
            transpose=transpose,
            batch=self._batch,
            loops=self._loops,
        )

    def _infer(
        self,
        operand: ShapedArray,
        indices: ShapedArray,
        updates: ShapedArray,
        *,
        dimension_numbers: ScatterDimensionNumbers,
        indices_are_sorted: bool,
        unique_indices: bool,
        mode: GatherScatterMode,
    ) -> ShapedArray:
        numbers, name = dimension_numbers, self.name
        check_dtype(name, operand, self.accepts)
        if updates.dtype != operand.dtype:
            raise refuse(
                name,
                "updates of the operand's dtype",
                typed_all((operand, updates)),
                f"updates.astype({operand.dtype.name})",
            )
        window = numbers.update_window_dims
        gone = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
        rank = updates.ndim
        if (
            list(window) != sorted(set(window))
            or any(not 0 <= d < rank for d in window)
            or len(window) != operand.ndim - len(gone)
            or without(updates.shape, window) != indices.shape[:-1]
        ):
            raise refuse(
                name,
                "updates with the axes of the indices except the last, and at "
                "update_window_dims one axis "
                "for each axis of the operand that is not inserted or batched",
                f"updates {typed(updates)}, update_window_dims {window}, operand "
                f"{typed(operand)} and "
                f"indices {typed(indices)}",
            )
        sizes = slice_sizes(numbers, operand.ndim, updates.shape)
        check_numbers(name, operand, indices, gather_numbers(numbers), sizes)
        return ShapedArray(operand.shape, operand.dtype, operand.weak_type and updates.weak_type)

    def _reference(
        self,
        operand: np.ndarray,
        indices: np.ndarray,
        updates: np.ndarray,
        *,
        dimension_numbers: ScatterDimensionNumbers,
        indices_are_sorted: bool,
        unique_indices: bool,
        mode: GatherScatterMode,
    ) -> np.ndarray:
        numbers = dimension_numbers
        sizes = slice_sizes(numbers, operand.ndim, updates.shape)
        wide = (
            operand.dtype if self.function is None else NUMPY_WIDE.get(operand.dtype, operand.dtype)
        )
        result = operand.astype(wide, order="C", copy=True)
        if updates.size:
            at = places(operand.shape, indices, gather_numbers(numbers), sizes, mode)
            parts = updates.transpose(np.argsort(at.to_result)).astype(wide, copy=False)
            view, arrays = result.transpose(at.order), at.arrays
            if arrays:  # along one axis, so that NumPy writes in order and the last write stays
                full_shape = arrays[0].shape
                arrays = tuple(np.broadcast_to(a, full_shape) for a in arrays)
                if mode is GatherScatterMode.FILL_OR_DROP and not at.valid.all():
                    arrays = tuple(a[at.valid] for a in arrays)
                    parts = parts[at.valid]
                    full_shape = arrays[0].shape
                arrays = tuple(a.reshape(-1) for a in arrays)
                parts = parts.reshape(-1, *parts.shape[len(full_shape) :])
            with np.errstate(all="ignore"):
                self._write(view, arrays, parts)
        return result.astype(operand.dtype, copy=False)

    def _write(self, view: np.ndarray, arrays: tuple[np.ndarray, ...], parts: np.ndarray) -> None:
        if not arrays:  # every slice is the whole array
            for part in parts.reshape(-1, *view.shape):
                view[...] = part if self.function is None else self.function(view, part)
        elif self.function is None:
            view[arrays] = parts
        else:
            self.function.at(view, arrays, parts)

    def _jvp(
        self,
        rule: Callable[..., Any],
        primals: Sequence[Any],
        tangents: Sequence[Any],
        **params: Any,
    ) -> tuple[Any, Any]:
        operand, indices, updates = primals
        out = self(operand, indices, updates, **params)
        d_operand, _, d_updates = tangents
        aval = aval_of(out)
        if not dtypes.is_inexact(aval.dtype) or d_operand.__class__ is d_updates.__class__ is Zero:
            return out, tangent_zero(aval)
        if (
            params["mode"] is GatherScatterMode.ERROR
        ):  # the operation itself has checked the indices
            params["mode"] = GatherScatterMode.PROMISE_IN_BOUNDS
        d_operand, d_updates = (
            zeros(t.aval) if t.__class__ is Zero else t for t in (d_operand, d_updates)
        )
        return out, rule(operand, indices, updates, d_operand, d_updates, out, params)

    def _batch(
        self,
        axis: AxisData,
        operands: Sequence[Any],
        dims: Sequence[int | None],
        *,
        dimension_numbers: ScatterDimensionNumbers,
        **params: Any,
    ) -> tuple[Any, int]:
        operand, indices, updates = operands
        numbers = gather_numbers(dimension_numbers)
        dim, indices_dim, updates_dim = dims
        if dim is None:
            operand, dim = map_at(operand, None, axis.size, 0), 0
        if indices_dim is None:
            numbers, at = map_operand(numbers, dim)
            updates = map_at(updates, updates_dim, axis.size, at)
        else:
            indices = move_axis(indices, indices_dim, 0)
            updates = map_at(updates, updates_dim, axis.size, 0)
            numbers = map_both(numbers, dim)
            params["indices_are_sorted"] = False
        result = self(
            operand, indices, updates, dimension_numbers=ScatterDimensionNumbers(*numbers), **params
        )
        return result, dim

    def _checked(self, operand: Any, indices: Any, updates: Any, **params: Any) -> Any:
        numbers: ScatterDimensionNumbers = params["dimension_numbers"]
        shape = aval_of(operand).shape
        sizes = slice_sizes(numbers, len(shape), aval_of(updates).shape)
        indices = in_bounds(indices, "index", gather_numbers(numbers), shape, sizes)
        return self(
            operand, indices, updates, **{**params, "mode": GatherScatterMode.PROMISE_IN_BOUNDS}
        )

    def _loops(
        self, b: LoopBuilder, operand: Operand, indices: Operand, updates: Operand, **params: Any
    ) -> Any:
        mode: GatherScatterMode = params["mode"]
        if mode is GatherScatterMode.ERROR:
            return self.checked(b, operand, indices, updates, **params)
        numbers: ScatterDimensionNumbers = params["dimension_numbers"]
        return b.block(
            "scatter",
            [operand, indices, updates],
            dimension_numbers=numbers,
            slice_sizes=slice_sizes(numbers, len(operand.shape), updates.shape),
            combine=self.combine,
            drop=mode is GatherScatterMode.FILL_OR_DROP,
            sorted=params["indices_are_sorted"],
            unique=params["unique_indices"],
        )[0]


def _read(x: Any, indices: Any, updates: Axes, params: dict[str, Any]) -> Any:
    """The slices of x where a scatter of updates of the given shape writes; zero where it drops."""
    numbers = params["dimension_numbers"]
    return gather(
        x,
        indices,
        dimension_numbers=gather_numbers(numbers),
        slice_sizes=slice_sizes(numbers, len(aval_of(x).shape), updates),
        indices_are_sorted=params["indices_are_sorted"],
        unique_indices=params["unique_indices"],
        mode=params["mode"],
        fill_value=0,
    )


# --- replacing


def _last_writes(operand: Axes, indices: Any, updates: Axes, params: dict[str, Any]) -> Any:
    """For each element of the updates whether it is the last one written to its place."""
    batch = without(updates, params["dimension_numbers"].update_window_dims)
    count = int(np.prod(batch, dtype=np.int64))
    dtype = dtypes.int32 if count < 2**31 - 1 else dtypes.int64
    numbers = iota(dtype=dtype, shape=(count,), dimension=0)
    kept = without(range(len(updates)), params["dimension_numbers"].update_window_dims)
    order = reshape(numbers, new_sizes=batch, dimensions=None)
    ids = broadcast_in_dim(order, shape=updates, broadcast_dimensions=kept)
    written = scatter(full(operand, -1, dtype), indices, ids, **params)
    return eq(_read(written, indices, updates, params), ids)


def _replace_transpose(
    ct: Any, operand: Any, indices: Any, updates: Any, **params: Any
) -> list[Any]:
    linear_operand = operand.__class__ is LinearOperand
    linear_updates = updates.__class__ is LinearOperand
    shape = aval_of(updates).shape
    ct_operand = ct_updates = None
    if linear_operand:
        ct_operand = scatter(ct, indices, full(shape, 0, ct.aval.dtype), **params)
    if linear_updates:
        ct_updates = _read(ct, indices, shape, params)
        if not params["unique_indices"]:
            last = _last_writes(aval_of(operand).shape, indices, shape, params)
            ct_updates = select_n(last, zeros(ct_updates.aval), ct_updates)
    return [ct_operand, None, ct_updates]


scatter = Scatter(
    "scatter",
    ANY,
    """The operand with slices replaced by the updates.

    Of several updates of one element the last one stays.
    """,
    combine=None,
    function=None,
    jvp=lambda x, indices, updates, dx, du, out, params: scatter(dx, indices, du, **params),
    transpose=_replace_transpose,
)


# --- adding


def _add_transpose(ct: Any, operand: Any, indices: Any, updates: Any, **params: Any) -> list[Any]:
    return [
        ct if operand.__class__ is LinearOperand else None,
        None,
        _read(ct, indices, updates.shape, params) if updates.__class__ is LinearOperand else None,
    ]


scatter_add = Scatter(
    "scatter_add",
    BOOL_OR_NUMBER,
    """The operand with the updates added to its slices.

    Half dtypes may be accumulated in float32.
    """,
    combine="add",
    function=np.add,
    jvp=lambda x, indices, updates, dx, du, out, params: scatter_add(dx, indices, du, **params),
    transpose=_add_transpose,
)


# --- multiplying and extremes

_NOT_LINEAR = Undefined("transpose: needs a linear operation")


def _product_tangent(
    x: Any, indices: Any, updates: Any, dx: Any, du: Any, out: Any, params: dict[str, Any]
) -> Any:
    if not params["unique_indices"]:
        raise NotImplementedError(
            "scatter_mul: needs unique_indices=True to be differentiated; got unique_indices=False"
        )
    through_operand = scatter_mul(dx, indices, updates, **params)
    before = _read(x, indices, aval_of(updates).shape, params)
    return scatter_add(through_operand, indices, mul(before, du), **params)


def _extreme_tangent(
    x: Any, indices: Any, updates: Any, dx: Any, du: Any, out: Any, params: dict[str, Any]
) -> Any:
    """The mean tangent of those among an element and its updates that attain the extreme."""
    dtype = aval_of(out).dtype
    mine = convert(eq(x, out), dtype)
    attained = eq(updates, _read(out, indices, aval_of(updates).shape, params))
    theirs = convert(attained, dtype)
    total = scatter_add(mul(dx, mine), indices, mul(du, theirs), **params)
    return div(total, scatter_add(mine, indices, theirs, **params))


scatter_mul = Scatter(
    "scatter_mul",
    BOOL_OR_NUMBER,
    """The operand with its slices multiplied by the updates.""",
    combine="mul",
    function=np.multiply,
    jvp=_product_tangent,
    transpose=lambda ct, operand, indices, updates, **params: [
        scatter_mul(ct, indices, updates, **params) if operand.__class__ is LinearOperand else None,
        None,
        None,
    ],
)

scatter_min = Scatter(
    "scatter_min",
    BOOL_OR_NUMBER,
    """The operand with its slices replaced by the smaller of them and the updates; nan wins.""",
    combine="min",
    function=np.minimum,
    jvp=_extreme_tangent,
    transpose=_NOT_LINEAR,
)

scatter_max = Scatter(
    "scatter_max",
    BOOL_OR_NUMBER,
    """The operand with its slices replaced by the larger of them and the updates; nan wins.""",
    combine="max",
    function=np.maximum,
    jvp=_extreme_tangent,
    transpose=_NOT_LINEAR,
)
