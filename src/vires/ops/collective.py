"""Operations across a named axis of vmap: sums, extremes, and the place along the axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.trace import aval_of, thread
from vires.ops.accept import BOOL_OR_REAL, NUMBER, DtypeSet, check_dtype
from vires.ops.axes import without
from vires.ops.compare import eq
from vires.ops.convert import convert
from vires.ops.elementwise import div, mul
from vires.ops.filled import full, iota
from vires.ops.linear import tangent_zero
from vires.ops.reduce import reduce_max, reduce_min, reduce_sum

Name = Any  # any hashable object names an axis


def named_size(operation: str, name: Name) -> int:
    """The size of a named axis in scope."""
    try:
        size = thread.axes.get(name)
    except TypeError:  # it has no hash: nothing has that name
        size = None
    if size is None:
        known = ", ".join(map(repr, thread.axes)) or "none"
        raise NameError(
            f"{operation}: needs the name of an axis in scope ({known}); got {name!r}; "
            f"try vmap(..., axis_name={name!r}) around the function"
        )
    return size


class Collective(Primitive):
    """An operation across named axes.

    Where the axis that vmap maps is among `axis_names(params)`, vmap calls
    `batch_collective(axis, operands, dims, **params)` instead of `batch`. Without such an axis
    around
    it, the operation cannot run.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        *,
        infer: Callable[..., Any],
        jvp: Callable[..., Any],
        transpose: Callable[..., Any] | Undefined,
        batch: Callable[..., Any] | Undefined,
        batch_collective: Callable[..., Any],
    ) -> None:
        self._batch_collective = batch_collective
        unbound = Undefined(f"{name}: needs a named axis around it; try vmap(..., axis_name=...)")
        super().__init__(
            name,
            doc,
            infer=infer,
            reference=unbound,
            jvp=jvp,
            transpose=transpose,
            batch=batch,
            loops=unbound,
        )

    def batch_collective(
        self,
        mapped: AxisData,
        operands: Sequence[Any],
        dims: Sequence[int | None],
        /,
        **params: Any,
    ) -> tuple[Any, Any]:
        """The operation across the mapped axis; checks types, as no program records it."""
        avals = []
        for x, dim in zip(operands, dims, strict=True):
            aval = aval_of(x)
            avals.append(aval if dim is None else aval.update(shape=without(aval.shape, (dim,))))
        self.infer(*avals, **params)
        return self._batch_collective(mapped, operands, dims, **params)

    def axis_names(self, params: dict[str, Any]) -> tuple[Name, ...]:
        """The names of the axes that an application with these parameters works across."""
        return params["axes"] if "axes" in params else (params["axis_name"],)


def linear_jvp(primitive: Callable[[], Collective]) -> Callable[..., tuple[Any, Any]]:
    def jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        out = primitive()(*primals, **params)
        if tangents[0].__class__ is Zero:
            return out, tangent_zero(aval_of(out))
        return out, primitive()(tangents[0], **params)

    return jvp


# --- sums and extremes


def _across(name: str, accepts: DtypeSet) -> Callable[..., ShapedArray]:
    def infer(x: ShapedArray, *, axes: tuple[Name, ...]) -> ShapedArray:
        check_dtype(name, x, accepts)
        for axis in axes:
            named_size(name, axis)
        return x

    return infer


def _rest(axis: AxisData, axes: tuple[Name, ...]) -> tuple[Name, ...]:
    return tuple(name for name in axes if name != axis.name)


def _batch_across(primitive: Callable[[], Collective]) -> Callable[..., tuple[Any, Any]]:
    return lambda axis, operands, dims, *, axes: (primitive()(*operands, axes=axes), dims[0])


def psum_batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], *, axes: tuple[Name, ...]
) -> tuple[Any, None]:
    (x,), (dim,) = operands, dims
    if dim is None:
        aval = aval_of(x)
        x = mul(x, full(aval.shape, axis.size, aval.dtype))
    else:
        x = reduce_sum(x, axes=(dim,))
    rest = _rest(axis, axes)
    return psum(x, axes=rest) if rest else x, None


def _extreme_batch(
    reduce: Primitive, primitive: Callable[[], Collective]
) -> Callable[..., tuple[Any, None]]:
    def batch(
        axis: AxisData,
        operands: Sequence[Any],
        dims: Sequence[int | None],
        *,
        axes: tuple[Name, ...],
    ) -> tuple[Any, None]:
        (x,), (dim,) = operands, dims
        if dim is not None:
            x = reduce(x, axes=(dim,))
        rest = _rest(axis, axes)
        return primitive()(x, axes=rest) if rest else x, None

    return batch


def _extreme_jvp(primitive: Callable[[], Collective]) -> Callable[..., tuple[Any, Any]]:
    def jvp(
        primals: Sequence[Any], tangents: Sequence[Any], *, axes: tuple[Name, ...]
    ) -> tuple[Any, Any]:
        (x,), (dx,) = primals, tangents
        out = primitive()(x, axes=axes)
        if dx.__class__ is Zero:
            return out, tangent_zero(aval_of(out))
        weights = convert(eq(x, out), aval_of(dx).dtype)
        return out, div(psum(mul(dx, weights), axes=axes), psum(weights, axes=axes))

    return jvp


psum = Collective(
    "psum",
    """Sum across named axes.""",
    infer=_across("psum", NUMBER),
    jvp=linear_jvp(lambda: psum),
    transpose=lambda ct, x, *, axes: [psum(ct, axes=axes)],
    batch=_batch_across(lambda: psum),
    batch_collective=psum_batch,
)

pmax = Collective(
    "pmax",
    """Greatest element across named axes. Equal elements share the tangent.""",
    infer=_across("pmax", BOOL_OR_REAL),
    jvp=_extreme_jvp(lambda: pmax),
    transpose=Undefined("transpose: pmax is not linear"),
    batch=_batch_across(lambda: pmax),
    batch_collective=_extreme_batch(reduce_max, lambda: pmax),
)

pmin = Collective(
    "pmin",
    """Least element across named axes. Equal elements share the tangent.""",
    infer=_across("pmin", BOOL_OR_REAL),
    jvp=_extreme_jvp(lambda: pmin),
    transpose=Undefined("transpose: pmin is not linear"),
    batch=_batch_across(lambda: pmin),
    batch_collective=_extreme_batch(reduce_min, lambda: pmin),
)


# --- the place along an axis


def _index_infer(*, axis_name: Name) -> ShapedArray:
    named_size("axis_index", axis_name)
    return ShapedArray((), dtypes.int32)


axis_index = Collective(
    "axis_index",
    """The place along a named axis, from 0.""",
    infer=_index_infer,
    jvp=lambda primals, tangents, *, axis_name: (
        axis_index(axis_name=axis_name),
        tangent_zero(ShapedArray((), dtypes.int32)),
    ),
    transpose=Undefined("axis_index: has no operands"),
    batch=Undefined("axis_index: has no operands"),
    batch_collective=lambda axis, operands, dims, *, axis_name: (
        iota(dtype=dtypes.int32, shape=(axis.size,), dimension=0),
        0,
    ),
)
