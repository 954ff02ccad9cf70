"""linear_call: a linear function that brings its own transpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.control.call import call_program
from vires.control.functions import as_operands, check_callables, trace_function
from vires.control.lifting import ProgramPrimitive, with_lifted
from vires.control.programs import array_of, call_block, is_linear, run_reference, split
from vires.core import tree
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr
from vires.core.primitive import AxisData, Zero
from vires.core.trace import aval_of
from vires.ops.linear import declared
from vires.ops.shape import map_at
from vires.transform.jvp import jvp_jaxpr
from vires.transform.vmap import batch_jaxpr


def linear_call(
    fun: Callable[[Any, Any], Any],
    fun_transpose: Callable[[Any, Any], Any],
    residual_args: Any,
    linear_args: Any,
) -> Any:
    """`fun(residuals, x)`, linear in x, whose transpose is `fun_transpose(residuals, ct)`.

    `fun` must be linear in its second argument; derivatives with respect to `residual_args` are
    those of `fun`.

    >>> import vires
    >>> from vires.control.linear_call import linear_call
    >>> f = lambda x: linear_call(lambda r, x: x / r, lambda r, ct: ct / r, 2.0, x)
    >>> vires.grad(f)(4.0)
    Array(0.5, dtype=float32, weak_type=True)
    """
    check_callables("linear_call", fun=fun, fun_transpose=fun_transpose)
    leaves = tree.leaves(residual_args)
    linear_leaves, linear_tree = tree.flatten(linear_args)
    residuals = as_operands(leaves, "linear_call", "residual_args")
    operands = as_operands(linear_leaves, "linear_call", "linear_args")
    residual_avals = [aval_of(x) for x in residuals]
    avals = [aval_of(x) for x in operands]
    forward = trace_function(
        fun, tree.structure((residual_args, linear_args)), [*residual_avals, *avals], "linear_call"
    )
    result = tree.unflatten(forward.out_tree, range(forward.out_tree.num_leaves))
    back = trace_function(
        fun_transpose,
        tree.structure((residual_args, result)),
        [*residual_avals, *(a.to_tangent_aval() for a in forward.out_avals)],
        "linear_call",
    )
    found = back.out_avals
    if back.out_tree != linear_tree or not all(
        a.same_type(b) for a, b in zip(found, avals, strict=True)
    ):
        raise TypeError(
            "linear_call: needs fun_transpose to return a value of the type of linear_args, "
            f"({', '.join(a.str_short() for a in avals)}); got "
            f"({', '.join(a.str_short() for a in found)})"
        )
    out = linear_call_primitive(
        *forward.consts,
        *back.consts,
        *residuals,
        *operands,
        callee=forward.closed,
        transpose=back.closed,
        num_callee_consts=len(forward.consts),
        num_transpose_consts=len(back.consts),
        num_res=len(residuals),
    )
    return tree.unflatten(forward.out_tree, out)


def _groups(params: dict[str, Any], items: Sequence[Any]) -> list[list[Any]]:
    """Constants of the function, constants of the transpose, residuals, linear operands."""
    return list(
        split(items, params["num_callee_consts"], params["num_transpose_consts"], params["num_res"])
    )


def _infer(*avals: ShapedArray, **params: Any) -> list[ShapedArray]:
    return params["callee"].out_avals


def _reference(*arrays: np.ndarray, **params: Any) -> list[np.ndarray]:
    consts, _, residuals, operands = _groups(params, arrays)
    return run_reference(params["callee"], *consts, *residuals, *operands)


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
    results = linear_call_primitive(*primals, **params)
    consts, back_consts, residuals, operands = _groups(params, primals)
    const_dots, _, residual_dots, dots = _groups(params, tangents)
    totals: list[Any] = [Zero(aval_of(r).to_tangent_aval()) for r in results]
    if any(t.__class__ is not Zero for t in dots):
        moved = linear_call_primitive(
            *consts, *back_consts, *residuals, *(array_of(t) for t in dots), **params
        )
        totals = list(moved)
    own = [*const_dots, *residual_dots]
    flags = tuple(t.__class__ is not Zero for t in own)
    if any(flags):
        callee: ClosedJaxpr = params["callee"]
        program, out_nonzeros = jvp_jaxpr(callee, (*flags, *(False,) * len(operands)))
        given = [t for t in own if t.__class__ is not Zero]
        out = call_program(
            *consts, *residuals, *operands, *given, jaxpr=program, name="linear_call"
        )
        more = iter(out[len(results) :])
        for k, nz in enumerate(out_nonzeros):
            if nz:
                term = next(more)
                totals[k] = (
                    term if totals[k].__class__ is Zero else declared("add")(totals[k], term)
                )
    return results, totals


def _transpose(cts: Sequence[Any], *operands: Any, **params: Any) -> list[Any]:
    consts, back_consts, residuals, linear = _groups(params, operands)
    if not all(map(is_linear, linear)) or any(map(is_linear, [*consts, *back_consts, *residuals])):
        raise NotImplementedError(
            "linear_call: needs to be transposed in all of linear_args and in nothing else; got "
            "another choice"
        )
    answers = linear_call_primitive(
        *back_consts,
        *consts,
        *residuals,
        *(array_of(ct) for ct in cts),
        callee=params["transpose"],
        transpose=params["callee"],
        num_callee_consts=params["num_transpose_consts"],
        num_transpose_consts=params["num_callee_consts"],
        num_res=params["num_res"],
    )
    return [*(None for _ in (*consts, *back_consts, *residuals)), *answers]


def _batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], **params: Any
) -> Any:
    consts, back_consts, residuals, linear = _groups(params, operands)
    const_dims, back_dims, residual_dims, linear_dims = _groups(params, dims)
    # Linear operands and results are all mapped at axis 0, so that each program is the transpose
    # of the other.
    callee, _ = batch_jaxpr(
        params["callee"], axis, (*const_dims, *residual_dims, *(0,) * len(linear)), True
    )
    count = len(params["callee"].out_avals)
    back, _ = batch_jaxpr(
        params["transpose"], axis, (*back_dims, *residual_dims, *(0,) * count), True
    )
    mapped = [map_at(x, d, axis.size, 0) for x, d in zip(linear, linear_dims, strict=True)]
    out = linear_call_primitive(
        *consts,
        *back_consts,
        *residuals,
        *mapped,
        **{**params, "callee": callee, "transpose": back},
    )
    return out, [0] * len(out)


def _loops(b: Any, *operands: Any, **params: Any) -> Any:
    consts, _, residuals, linear = _groups(params, operands)
    return call_block(b, [*consts, *residuals, *linear], params["callee"])


def _lift(
    values: Sequence[Any], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    consts, back_consts, residuals, linear = _groups(params, operands)
    changed = {
        **params,
        "callee": with_lifted(params["callee"], values),
        "transpose": with_lifted(params["transpose"], values),
        "num_callee_consts": len(values) + len(consts),
        "num_transpose_consts": len(values) + len(back_consts),
    }
    return [*values, *consts, *values, *back_consts, *residuals, *linear], changed


linear_call_primitive = ProgramPrimitive(
    "linear_call",
    """A program that is linear in its last operands, with the program of its transpose.""",
    programs=lambda params: (params["callee"], params["transpose"]),
    lift=_lift,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=_loops,
)
