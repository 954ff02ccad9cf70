"""map, as users call it: a scan without a carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.functions import FlatFunction, as_operands, check_callables, trace_function
from vires.control.scan import scan_call
from vires.control.scan_loop import common_length, scan, unrolled_scan
from vires.core import tree
from vires.core.avals import ShapedArray
from vires.core.config import config
from vires.core.primitive import AxisData
from vires.core.trace import aval_of
from vires.ops.join import concatenate
from vires.ops.parts import slice as slice_
from vires.ops.shape import reshape
from vires.transform.vmap import batch, bring_to


def map(f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply `f` to each slice of `xs` along axis 0, one after the other, and stack the results.

    Like `vmap(f)(xs)`, with the memory of one application at a time, or of `batch_size` at a time.

    >>> import vires.numpy as np
    >>> from vires import lax
    >>> lax.map(lambda x: x * x, np.array([1, 2, 3]))
    Array([1, 4, 9], dtype=int32)
    """
    check_callables("map", f=f)
    if batch_size is None:
        return _one_by_one(f, xs)
    if batch_size < 1:
        raise ValueError(f"map: needs a batch_size of at least 1; got {batch_size}")
    values = as_operands(tree.leaves(xs), "map", "xs")
    total = common_length(values, None)
    whole = total // batch_size * batch_size
    parts: list[list[Any]] = []
    out_tree: Any = None

    def together(rows: Sequence[Any]) -> list[Any]:
        nonlocal out_tree
        flat = FlatFunction(f, tree.structure((xs,)), "map")
        size = aval_of(rows[0]).shape[0]
        axis = AxisData(None, size)
        results, dims = batch(flat, axis, rows, [0] * len(rows))
        out_tree = flat.out_tree
        return [bring_to(axis, r, d, 0) for r, d in zip(results, dims, strict=True)]

    if whole or not total:
        shaped = [
            reshape(
                _rows(x, 0, whole),
                new_sizes=(whole // batch_size, batch_size, *aval_of(x).shape[1:]),
                dimensions=None,
            )
            for x in values
        ]
        _, stacked = scan(lambda _, rows: ((), together(rows)), (), shaped)
        parts.append(
            [reshape(y, new_sizes=(whole, *aval_of(y).shape[2:]), dimensions=None) for y in stacked]
        )
    if whole < total:
        parts.append(together([_rows(x, whole, total) for x in values]))
    joined = [
        column[0] if len(column) == 1 else concatenate(*column, dimension=0)
        for column in zip(*parts, strict=True)
    ]
    return tree.unflatten(out_tree, joined)


def _one_by_one(f: Callable[[Any], Any], xs: Any) -> Any:
    leaves, xs_tree = tree.flatten(xs)
    values = as_operands(leaves, "map", "xs")
    steps = common_length(values, None)
    if config.disable_jit:
        return unrolled_scan(
            lambda _, x: ((), f(x)), [], tree.structure(()), values, xs_tree, steps, False
        )[1]
    avals = [aval_of(x) for x in values]
    inner = [ShapedArray(a.shape[1:], a.dtype, a.weak_type) for a in avals]
    traced = trace_function(f, tree.structure((xs,)), inner, "map")
    num_consts = len(traced.consts)
    out = scan_call(
        *traced.consts,
        *values,
        jaxpr=traced.closed,
        length=steps,
        reverse=False,
        num_consts=num_consts,
        num_carry=0,
        linear=(False,) * (num_consts + len(values)),
        unroll=1,
        _split_transpose=False,
    )
    return tree.unflatten(traced.out_tree, out)


def _rows(x: Any, start: int, stop: int) -> Any:
    shape = aval_of(x).shape
    if (start, stop) == (0, shape[0]):
        return x
    return slice_(
        x,
        start_indices=(start, *(0,) * (len(shape) - 1)),
        limit_indices=(stop, *shape[1:]),
        strides=None,
    )
