"""scan, while_loop, fori_loop and map, as users call them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.functions import (
    FlatFunction,
    TracedFunction,
    as_operands,
    check_callables,
    convert,
    joined_aval,
    leaf_label,
    trace_function,
    with_result_types,
)
from vires.control.scan import scan_call
from vires.control.while_call import bind_while
from vires.core import dtypes, memo, tree
from vires.core.avals import ShapedArray
from vires.core.config import config
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import AxisData
from vires.core.staging import stage
from vires.core.trace import Tracer, aval_of
from vires.ops.compare import lt
from vires.ops.elementwise import add
from vires.ops.filled import full_like
from vires.ops.join import concatenate
from vires.ops.parts import slice as slice_
from vires.ops.shape import broadcast_in_dim, reshape
from vires.transform.vmap import batch, bring_to

# --- carries


def _check_structure(operation: str, what: str, function: str, before: Any, after: Any) -> None:
    if before != after:
        raise TypeError(
            f"{operation}: needs a {what} of one structure from step to step; got {before} going "
            f"in and {after} "
            f"coming out of {function}"
        )


def _settle_carry(
    operation: str,
    init: Sequence[Any],
    init_tree: Any,
    trace: Callable[[Sequence[ShapedArray]], tuple[TracedFunction, Any]],
) -> tuple[list[Any], TracedFunction]:
    """Trace a body until its carry's types agree; Python numbers take the dtype that comes out.

    `trace` gives the traced body, whose first results are the carry, and the structure of that
    carry.
    """
    paths = tree.paths(tree.unflatten(init_tree, range(init_tree.num_leaves)))
    avals = [aval_of(x) for x in init]
    while True:
        traced, out_tree = trace(avals)
        _check_structure(operation, "carry", traced.name, init_tree, out_tree)
        settled: list[ShapedArray] = []
        for path, before, after in zip(paths, avals, traced.out_avals, strict=False):
            joined = joined_aval(before, after)
            if joined is None or (not before.weak_type and joined.dtype != before.dtype):
                raise TypeError(
                    f"{operation}: needs a carry of one type from step to step; got "
                    f"{leaf_label('carry', path)} "
                    f"{before.str_short()} going in and {after.str_short()} coming out of "
                    f"{traced.name}"
                    + ("; try x.astype(...) in the function" if before.shape == after.shape else "")
                )
            settled.append(joined if before.weak_type else before)
        if settled == avals:
            break
        avals = settled
    results = traced.out_avals
    wanted = [
        before if before.dtype != after.dtype else after
        for before, after in zip(avals, results, strict=False)
    ]
    closed = with_result_types(traced.closed, (*wanted, *results[len(wanted) :]))
    settled_init = [convert(x, aval) for x, aval in zip(init, avals, strict=True)]
    return settled_init, TracedFunction(traced.name, closed, traced.consts, traced.out_tree)


# --- scan


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
    steps = _length(slices, length)
    if config.disable_jit:
        return _unrolled_scan(f, carry, init_tree, slices, xs_tree, steps, reverse)
    num_steps_unrolled = steps if unroll is True else int(unroll)
    if num_steps_unrolled < 1 and steps:
        raise ValueError(f"scan: needs unroll of at least 1; got {unroll}")
    avals = [aval_of(x) for x in slices]
    inner = [ShapedArray(a.shape[1:], a.dtype, a.weak_type) for a in avals]

    def trace(carry_avals: Sequence[ShapedArray]) -> tuple[TracedFunction, Any]:
        in_tree = tree.structure((init, xs))
        traced = trace_function(f, in_tree, [*carry_avals, *inner], "scan")
        return traced, _pair_of(traced)[0]

    start, traced = _settle_carry("scan", carry, init_tree, trace)
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


def _length(xs: Sequence[Any], given: int | None) -> int:
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


def _unrolled_scan(
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


# --- while_loop


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any
) -> Any:
    """Apply `val = body_fun(val)` as long as `cond_fun(val)` holds.

    Differentiable in forward mode only, since the number of steps is not known beforehand. Under
    vmap the loop runs until it has ended for all examples; each keeps the value it ended with.

    Args:
      cond_fun: from the value to a 0-d bool.
      body_fun: from the value to a value of the same structure, shapes and dtypes.
      init_val: the first value, a pytree.

    Raises:
      TypeError: a value that changes its structure or type, or a condition that is no 0-d bool.
      ValueError: reverse mode through the loop.

    >>> from vires import lax
    >>> lax.while_loop(lambda x: x < 100, lambda x: 3 * x, 1)
    Array(243, dtype=int32, weak_type=True)
    """
    check_callables("while_loop", cond_fun=cond_fun, body_fun=body_fun)
    leaves, init_tree = tree.flatten(init_val)
    init = as_operands(leaves, "while_loop", "init_val")
    if config.disable_jit and not any(isinstance(x, Tracer) for x in init):
        value = tree.unflatten(init_tree, init)
        while cond_fun(value):
            value = body_fun(value)
        return value
    in_tree = tree.structure((init_val,))

    def trace(avals: Sequence[ShapedArray]) -> tuple[TracedFunction, Any]:
        traced = trace_function(body_fun, in_tree, avals, "while_loop")
        return traced, traced.out_tree

    start, body = _settle_carry("while_loop", init, init_tree, trace)
    condition = trace_function(cond_fun, in_tree, [aval_of(x) for x in start], "while_loop")
    found = condition.out_avals
    if (
        len(found) != 1
        or found[0].shape
        or found[0].dtype != dtypes.bool_
        or condition.out_tree != tree.leaf_structure()
    ):
        got = ", ".join(aval.str_short() for aval in found)
        raise TypeError(
            f"while_loop: needs cond_fun to return a 0-d bool; got ({got}) from {condition.name}; "
            "try a comparison, or .any() or .all() for arrays"
        )
    out = bind_while(condition.consts, body.consts, start, condition.closed, body.closed)
    return tree.unflatten(init_tree, out)


# --- fori_loop


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable[[Any, Any], Any],
    init_val: Any,
    *,
    unroll: int | bool | None = None,
) -> Any:
    """Apply `val = body_fun(i, val)` for i = lower, ..., upper - 1.

    With bounds that are known while tracing the loop is a `scan` and differentiable in both modes;
    otherwise it is a `while_loop`.

    Args:
      lower, upper: 0-d integers. No step is made when `upper <= lower`.
      body_fun: from the index and the value to a value of the same structure, shapes and dtypes.
      init_val: the first value, a pytree.
      unroll: how many steps to write out in the loop's body (known bounds only).

    Raises:
      TypeError: bounds that are no integers, or a value that changes its structure or type.

    >>> from vires import lax
    >>> lax.fori_loop(0, 5, lambda i, total: total + i, 0)
    Array(10, dtype=int32, weak_type=True)
    """
    check_callables("fori_loop", body_fun=body_fun)
    bounds = as_operands([lower, upper], "fori_loop", "bounds")
    for bound in bounds:
        aval = aval_of(bound)
        if aval.shape or not dtypes.is_integer(aval.dtype):
            raise TypeError(
                f"fori_loop: needs bounds that are 0-d integers; got {aval.str_short()}"
            )
    pairs = [(aval_of(b).dtype, aval_of(b).weak_type) for b in bounds]
    dtype, _ = dtypes.promote(*pairs)
    # The index is weakly typed, so that it adapts to the arrays that it meets.
    index_aval = ShapedArray((), dtype, True)
    first, last = (convert(b, index_aval) for b in bounds)
    known = [_known(b) for b in bounds]
    leaves, init_tree = tree.flatten(init_val)
    init = as_operands(leaves, "fori_loop", "init_val")
    if config.disable_jit and None not in known:
        return _unrolled_fori(known, body_fun, tree.unflatten(init_tree, init))
    in_tree = tree.structure((0, init_val))

    def trace(avals: Sequence[ShapedArray]) -> tuple[TracedFunction, Any]:
        traced = trace_function(body_fun, in_tree, [index_aval, *avals], "fori_loop")
        return traced, traced.out_tree

    start, body = _settle_carry("fori_loop", init, init_tree, trace)
    program = _counting(body.closed, len(body.consts))
    if known[0] is not None and known[1] is not None:
        steps = max(known[1] - known[0], 0)
        count = 1 if unroll is None or unroll is False else steps if unroll is True else int(unroll)
        out = scan_call(
            *body.consts,
            first,
            *start,
            jaxpr=program,
            length=steps,
            reverse=False,
            num_consts=len(body.consts),
            num_carry=len(start) + 1,
            linear=(False,) * len(program.in_avals),
            unroll=max(count, 1),
            _split_transpose=False,
        )
    else:
        if unroll is not None and unroll is not False:
            raise ValueError(
                "fori_loop: needs bounds known while tracing for unroll; got traced ones"
            )
        out = bind_while(
            [last], body.consts, [first, *start], _below(program, len(body.consts)), program
        )
    return tree.unflatten(init_tree, out[1:])


def _known(bound: Any) -> int | None:
    value = bound.concrete() if isinstance(bound, Tracer) else bound
    return None if value is None else int(value)


def _unrolled_fori(bounds: Sequence[Any], body_fun: Callable[..., Any], value: Any) -> Any:
    for i in range(*bounds):
        value = body_fun(i, value)
    return value


@memo.per_program
def _counting(body: ClosedJaxpr, num_consts: int) -> ClosedJaxpr:
    """consts, i, values -> i + 1, values."""

    def function(*args: Any) -> list[Any]:
        i = args[num_consts]
        return [add(i, full_like(i, 1)), *evaluate(body.jaxpr, body.consts, *args)]

    return stage(function, body.in_avals, name="fori_loop")


@memo.per_program
def _below(body: ClosedJaxpr, num_consts: int) -> ClosedJaxpr:
    """upper, i, values -> whether i < upper."""
    carry = body.in_avals[num_consts:]
    return stage(lambda upper, i, *values: [lt(i, upper)], [carry[0], *carry], name="fori_loop")


# --- map


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
    total = _length(values, None)
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
    steps = _length(values, None)
    if config.disable_jit:
        return _unrolled_scan(
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
