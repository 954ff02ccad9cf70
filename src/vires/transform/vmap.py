"""Vectorisation: a function of one example becomes a function of many.

Each value may carry an extra axis; each primitive's batch rule says how the operation acts along
with it.
"""

# pyright: reportPrivateUsage=false
# `_trace` is private for users; interpreters look at whose tracer a value is.

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import AxisData, Primitive
from vires.core.source import here
from vires.core.staging import stage
from vires.core.trace import Trace, Tracer, aval_of, leaked, set_trace, thread
from vires.ops.shape import broadcast, move_axis


class BatchTracer(Tracer):
    """An array of examples, seen as one example: axis `dim` of `value` is hidden."""

    __slots__ = ("dim", "value")
    value: Any
    dim: int

    def __init__(self, trace: Trace, value: Any, dim: int) -> None:
        self._trace = trace
        self.value = value
        self.dim = dim
        aval = aval_of(value)
        shape = aval.shape
        self.aval = ShapedArray(shape[:dim] + shape[dim + 1 :], aval.dtype, aval.weak_type)

    def origin(self) -> str:
        return f"(one of {self.value.shape[self.dim]} mapped by vmap)"


class BatchTrace(Trace):
    """Runs each operation for all examples at once.

    `stands_for` are other such interpreters whose tracers count as this one's own: a function with
    custom derivatives is run again under a new interpreter, but may close over tracers of the
    earlier ones.
    """

    def __init__(self, axis: AxisData, stands_for: BatchTrace | None = None) -> None:
        self.parent = thread.trace
        self.axis = axis
        self.stands_for: tuple[BatchTrace, ...] = (
            (stands_for, *stands_for.stands_for) if stands_for is not None else ()
        )

    def _split(self, operands: Sequence[Any]) -> tuple[list[Any], list[int | None], bool]:
        values: list[Any] = []
        dims: list[int | None] = []
        mapped = False
        for x in operands:
            if x.__class__ is BatchTracer and (x._trace is self or x._trace in self.stands_for):
                values.append(x.value)
                dims.append(x.dim)
                mapped = True
            else:
                if isinstance(x, Tracer) and x._trace.finished:
                    raise leaked(x)
                values.append(x)
                dims.append(None)
        return values, dims, mapped

    def _wrap(self, result: Any, dim: int | None) -> Any:
        return result if dim is None else BatchTracer(self, result, dim)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        values, dims, mapped = self._split(operands)
        rules: Any = primitive  # those over named axes have two more
        collective = (
            self.axis.name is not None
            and hasattr(rules, "batch_collective")
            and self.axis.name in rules.axis_names(params)
        )
        before = set_trace(self.parent)
        source = thread.source
        try:
            if collective:
                result, dim = rules.batch_collective(self.axis, values, dims, **params)
            elif not mapped:
                return self.parent.process(primitive, values, params)
            else:
                thread.source = source or here()
                result, dim = primitive.batch(self.axis, values, dims, **params)
        finally:
            thread.source = source
            set_trace(before)
        if primitive.multiple_results:
            return [self._wrap(r, d) for r, d in zip(result, dim, strict=True)]
        return self._wrap(result, dim)

    def process_custom_jvp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        return self._custom("process_custom_jvp", call, operands)

    def process_custom_vjp(self, call: Any, operands: Sequence[Any]) -> list[Any]:
        return self._custom("process_custom_vjp", call, operands)

    def _custom(self, method: str, call: Any, operands: Sequence[Any]) -> list[Any]:
        values, dims, mapped = self._split(operands)
        before = set_trace(self.parent)
        try:
            handle = getattr(self.parent, method)
            if not mapped and not call.closes_over(self, values):
                return handle(call, values)
            batched, out_dims = call.batched(self.axis, tuple(dims), self)
            results = handle(batched, values)
            found: Any = out_dims() if callable(out_dims) else out_dims
        finally:
            set_trace(before)
        return [self._wrap(r, d) for r, d in zip(results, found, strict=True)]


def bring_to(axis: AxisData, value: Any, source: int | None, target: int | None) -> Any:
    """A result with its mapped axis moved or broadcast to `target`; None needs an unmapped one."""
    if source == target or target is None:
        return value
    if source is None:
        shape = list(aval_of(value).shape)
        target = target if target >= 0 else target + len(shape) + 1
        shape.insert(target, axis.size)
        return broadcast(value, tuple(shape), tuple(i for i in range(len(shape)) if i != target))
    rank = len(aval_of(value).shape)
    return move_axis(value, source, target if target >= 0 else target + rank)


def batch(
    function: Callable[..., Sequence[Any]],
    axis: AxisData,
    values: Sequence[Any],
    dims: Sequence[int | None],
    stands_for: BatchTrace | None = None,
) -> tuple[list[Any], list[int | None]]:
    """Results and mapped dims of a function of flat arguments for all examples."""
    trace = BatchTrace(axis, stands_for)
    arguments = [
        x if d is None else BatchTracer(trace, x, d) for x, d in zip(values, dims, strict=True)
    ]
    axes = thread.axes
    named = axes if axis.name is None else {**axes, axis.name: axis.size}
    before = set_trace(trace)
    try:
        thread.axes = named
        outputs = function(*arguments)
    finally:
        thread.axes = axes
        set_trace(before)
        trace.finished = True
    results: list[Any] = []
    out_dims: list[int | None] = []
    for y in outputs:
        mine = y.__class__ is BatchTracer and (y._trace is trace or y._trace in trace.stands_for)
        results.append(y.value if mine else y)
        out_dims.append(y.dim if mine else None)
    return results, out_dims


@memo.per_program
def batch_jaxpr(
    closed: ClosedJaxpr,
    axis: AxisData,
    in_dims: tuple[int | None, ...],
    forced: bool | tuple[bool, ...] = False,
) -> tuple[ClosedJaxpr, tuple[int | None, ...]]:
    """The program for all examples, and its results' dims: 0 where mapped or forced, else None."""
    avals = [
        a
        if d is None
        else ShapedArray((*a.shape[:d], axis.size, *a.shape[d:]), a.dtype, a.weak_type)
        for a, d in zip(closed.in_avals, in_dims, strict=True)
    ]
    out_dims: tuple[int | None, ...] = ()

    def function(*args: Any) -> list[Any]:
        nonlocal out_dims
        results, dims = batch(
            lambda *xs: evaluate(closed.jaxpr, closed.consts, *xs), axis, args, in_dims
        )
        force = (forced,) * len(results) if isinstance(forced, bool) else forced
        out_dims = tuple(
            0 if d is not None or f else None for d, f in zip(dims, force, strict=True)
        )
        return [
            bring_to(axis, r, d, target)
            for r, d, target in zip(results, dims, out_dims, strict=True)
        ]

    return stage(function, avals, name="vmap"), out_dims
