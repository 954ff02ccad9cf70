"""scan, as users call it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.carries import settle_carry
from vires.control.functions import TracedFunction, as_operands, check_callables, trace_function
from vires.control.scan import scan_call
from vires.core import tree
from vires.core.avals import ShapedArray
from vires.core.config import config
from vires.core.errors import TracerIntegerConversionError
from vires.core.trace import aval_of
from vires.ops.join import concatenate
from vires.ops.parts import slice as slice_
from vires.ops.shape import broadcast_in_dim, reshape


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
) -> tuple[Any, Any]:
    """Apply `carry, y = f(carry, x)` for each slice x of `xs`; the last carry, and all y stacked.

    Differentiable in both modes; the loop is compiled once, however many steps it has.

    Args:
      f: a function of the carry and one slice; it returns a pair. The carry keeps its structure,
        shapes and dtypes.
      init: the first carry, a pytree.
      xs: a pytree of arrays with equal leading axes, or None together with `length`.
      length: the number of steps, needed when `xs` has no leaves.
      reverse: whether to go from the last slice to the first; y[i] still belongs to xs[i].
      unroll: how many steps to write out in the loop's body; True for all.

    Raises:
      TypeError: a carry that changes its structure or type, or an `f` that returns no pair.
      ValueError: lengths that differ, or none.

    >>> import vires.numpy as np
    >>> from vires import lax
    >>> total, partial = lax.scan(lambda s, x: (s + x, s + x), 0, np.array([1, 2, 3]))
    >>> partial
    Array([1, 3, 6], dtype=int32)
    """
    check_callables("scan", f=f)
    init_leaves, init_tree = tree.flatten(init)
    xs_leaves, xs_tree = tree.flatten(xs)
    carry = as_operands(init_leaves, "scan", "init")
    slices = as_operands(xs_leaves, "scan", "xs")
    steps = common_length(slices, length)
    if config.disable_jit:
        return unrolled_scan(f, carry, init_tree, slices, xs_tree, steps, reverse)
    num_steps_unrolled = steps if unroll is True else int(unroll)
    if num_steps_unrolled < 1 and steps:
        raise ValueError(f"scan: needs unroll of at least 1; got {unroll}")
    avals = [aval_of(x) for x in slices]
    inner = [ShapedArray(a.shape[1:], a.dtype, a.weak_type) for a in avals]

    def trace(carry_avals: Sequence[ShapedArray]) -> tuple[TracedFunction, Any]:
        in_tree = tree.structure((init, xs))
        traced = trace_function(f, in_tree, [*carry_avals, *inner], "scan")
        return traced, _pair_of(traced)[0]

    start, traced = settle_carry("scan", carry, init_tree, trace)
    num_consts, num_carry = len(traced.consts), len(start)
    out = scan_call(
        *traced.consts,
        *start,
        *slices,
        jaxpr=traced.closed,
        length=steps,
        reverse=bool(reverse),
        num_consts=num_consts,
        num_carry=num_carry,
        linear=(False,) * (num_consts + num_carry + len(slices)),
        unroll=num_steps_unrolled,
        _split_transpose=_split_transpose,
    )
    return tree.unflatten(traced.out_tree, out)


def _pair_of(traced: TracedFunction) -> tuple[Any, Any]:
    """The structures of the carry and of y."""
    parts = traced.out_tree.children()
    if traced.out_tree.type not in (tuple, list) or len(parts) != 2:
        raise TypeError(
            "scan: needs f to return a pair (carry, y); got a result of structure "
            f"{traced.out_tree} from {traced.name}"
        )
    return parts[0], parts[1]


def common_length(xs: Sequence[Any], given: int | None) -> int:
    avals = [aval_of(x) for x in xs]
    for aval in avals:
        if not aval.shape:
            raise ValueError(
                f"scan: needs xs with a leading axis to go along; got the 0-d {aval.str_short()}"
            )
    sizes = [aval.shape[0] for aval in avals]
    if given is not None:
        try:
            given = given.__index__()
        except TracerIntegerConversionError:
            raise  # says which value was traced, and where it comes from
        except (AttributeError, TypeError) as error:
            raise TypeError(f"scan: needs length as an int; got {given!r:.60}") from error
        if given < 0:
            raise ValueError(f"scan: needs a length of at least 0; got {given}")
    if len(set(sizes)) > 1:
        shapes = ", ".join(aval.str_short() for aval in avals)
        raise ValueError(f"scan: needs xs with equal leading axes; got {shapes}")
    if not sizes and given is None:
        raise ValueError("scan: needs xs, or length; got neither; try scan(f, init, length=n)")
    if sizes and given is not None and sizes[0] != given:
        raise ValueError(
            f"scan: needs length equal to the leading axis of xs, {sizes[0]}; got length={given}"
        )
    return sizes[0] if sizes else given  # type: ignore[return-value] - one of them is there


def _take(x: Any, i: int) -> Any:
    """x[i] along axis 0."""
    shape = aval_of(x).shape
    starts = (i, *(0,) * (len(shape) - 1))
    row = slice_(x, start_indices=starts, limit_indices=(i + 1, *shape[1:]), strides=None)
    return reshape(row, new_sizes=shape[1:], dimensions=None)


def _stack(rows: Sequence[Any]) -> Any:
    inner = aval_of(rows[0]).shape
    kept = tuple(range(1, len(inner) + 1))
    wide = [broadcast_in_dim(r, shape=(1, *inner), broadcast_dimensions=kept) for r in rows]
    return concatenate(*wide, dimension=0)


def unrolled_scan(
    f: Callable[..., Any],
    init: Any,
    init_tree: Any,
    xs: Any,
    xs_tree: Any,
    steps: int,
    reverse: bool,
) -> tuple[Any, Any]:
    """Step by step in Python (config.disable_jit)."""
    if not steps:
        raise ValueError(
            "scan: needs at least one step with disable_jit=True, since f has to run; got length 0"
        )
    carry = tree.unflatten(init_tree, init)
    rows: list[list[Any]] = [[]] * steps
    out_tree: Any = None
    for i in reversed(range(steps)) if reverse else range(steps):
        carry, y = f(carry, tree.unflatten(xs_tree, [_take(x, i) for x in xs]))
        flat, out_tree = tree.flatten(y)
        rows[i] = as_operands(flat, "scan", "results")
    return carry, tree.unflatten(out_tree, [_stack(column) for column in zip(*rows, strict=True)])
