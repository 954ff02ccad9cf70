"""Derivatives as linear maps of tangents and cotangents: jvp, linearize, vjp, linear_transpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.api.arguments import check_callable, is_arraylike, name_of
from vires.api.selected import Selected, float0_like, gradient_leaf, settle, tracked, values_of
from vires.control.custom_calls import dense
from vires.core import dtypes, tree
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import Zero
from vires.core.staging import stage
from vires.core.trace import Tracer, as_array, aval_of
from vires.ops.convert import convert_element_type
from vires.ops.filled import zeros
from vires.transform.jvp import push_forward
from vires.transform.linearize import linearize as linearize_flat
from vires.transform.transpose import backward


def check_tangents(primals: Sequence[Any], tangents: Sequence[Any], operation: str) -> list[Any]:
    checked: list[Any] = []
    for x, t in zip(primals, tangents, strict=True):
        if t is None or t.__class__ is Zero:
            checked.append(Zero(aval_of(x).to_tangent_aval()))
            continue
        expected = aval_of(x).to_tangent_aval()
        if expected.dtype == dtypes.float0:
            if getattr(t, "dtype", None) != dtypes.float0:
                raise TypeError(
                    f"{operation}: needs a float0 tangent for an integer primal; got "
                    f"{aval_of(t).str_short()}; try numpy.zeros(shape, vires.dtypes.float0)"
                )
            checked.append(Zero(expected))
            continue
        found = aval_of(t)
        if found.shape != expected.shape or (found.dtype != expected.dtype and not found.weak_type):
            raise TypeError(
                f"{operation}: needs tangents of the primals' types; got primal "
                f"{aval_of(x).str_short()} with tangent {found.str_short()}"
            )
        t = t if isinstance(t, Tracer) else as_array(t)
        checked.append(
            t
            if found.dtype == expected.dtype
            else convert_element_type(t, new_dtype=expected.dtype, weak_type=expected.weak_type)
        )
    return checked


def jvp(
    fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """The value of `fun` at `primals` and its derivative along `tangents`: (f(x), df(x) . t).

    `primals` and `tangents` are tuples of arguments of one structure. With `has_aux` a third answer
    is the aux.

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.jvp(np.sin, (0.0,), (2.0,))
    (Array(0., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True))
    """
    check_callable(fun, "jvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            f"jvp: needs primals and tangents as tuples or lists; got {type(primals).__name__} and "
            f"{type(tangents).__name__}"
        )
    leaves, treedef = tree.flatten(tuple(primals))
    tangent_leaves, tangent_tree = tree.flatten(tuple(tangents))
    if treedef != tangent_tree:
        raise TypeError(
            f"jvp: needs tangents of the primals' structure; got {treedef} and {tangent_tree}"
        )
    values = values_of(leaves, "jvp")
    selected = Selected(fun, tuple(range(len(primals))), primals, {}, "jvp")
    results, out = push_forward(
        lambda *xs: tracked(selected(*xs, has_aux=has_aux)),
        values,
        check_tangents(values, tangent_leaves, "jvp"),
    )
    value = tree.unflatten(selected.out_tree, results)
    tangent = tree.unflatten(selected.out_tree, [dense(t) for t in out])
    return (value, tangent, settle(selected.aux)) if has_aux else (value, tangent)


def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of `fun` at `primals` and its linear map of tangents, without evaluating it again.

    >>> import vires
    >>> import vires.numpy as np
    >>> y, f_jvp = vires.linearize(np.sin, 0.0)
    >>> f_jvp(3.0)
    Array(3., dtype=float32, weak_type=True)
    """
    check_callable(fun, "linearize")
    selected, primal_leaves, moving, results, nonzeros, program = _linearized(
        fun, primals, has_aux, "linearize"
    )
    out_tree = selected.out_tree

    def tangent_function(*tangents: Any) -> Any:
        leaves, treedef = tree.flatten(tuple(tangents))
        if treedef != selected.treedef:
            raise TypeError(
                f"linearize: needs tangents of the primals' structure; got {treedef}, not "
                f"{selected.treedef}"
            )
        given = check_tangents(primal_leaves, leaves, "linearize")
        moved = [dense(t) for t, m in zip(given, moving, strict=True) if m]
        out = iter(evaluate(program.jaxpr, program.consts, *moved))
        flat = [
            next(out) if nz else dense(Zero(aval_of(r).to_tangent_aval()))
            for r, nz in zip(results, nonzeros, strict=True)
        ]
        return tree.unflatten(out_tree, flat)

    value = tree.unflatten(out_tree, results)
    return (value, tangent_function, settle(selected.aux)) if has_aux else (value, tangent_function)


def _linearized(fun: Any, primals: Sequence[Any], has_aux: bool, operation: str) -> Any:
    selected = Selected(fun, tuple(range(len(primals))), primals, {}, operation)
    values = values_of(selected.leaves, operation)
    moving = [dtypes.is_inexact(aval_of(x).dtype) for x in values]
    results, nonzeros, program = linearize_flat(
        lambda *xs: tracked(selected(*xs, has_aux=has_aux)), values, moving
    )
    return selected, values, moving, results, nonzeros, program


def vjp(
    fun: Callable[..., Any], *primals: Any, has_aux: bool = False, reduce_axes: Sequence[Any] = ()
) -> Any:
    """The value of `fun` and a function from the result's cotangents to the arguments'.

    The pullback maps ct to (J^T ct for each argument) as a tuple, and can be called many times.

    >>> import vires
    >>> y, pull = vires.vjp(lambda x, y: x * y, 2.0, 3.0)
    >>> pull(1.0)
    (Array(3., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True))
    """
    check_callable(fun, "vjp")
    selected, values, moving, results, nonzeros, program = _linearized(fun, primals, has_aux, "vjp")
    out_tree = selected.out_tree

    def pullback(ct: Any) -> Any:
        leaves, treedef = tree.flatten(ct)
        if treedef != out_tree:
            raise TypeError(
                f"vjp: needs cotangents of the result's structure {out_tree}; got {treedef}"
            )
        given = check_tangents(results, leaves, "vjp")
        cts = iter(
            backward(
                program.jaxpr,
                program.consts,
                [],
                [t for t, nz in zip(given, nonzeros, strict=True) if nz],
            )
        )
        flat = [
            gradient_leaf(x, next(cts)) if m else float0_like(aval_of(x))
            for x, m in zip(values, moving, strict=True)
        ]
        return tree.unflatten(selected.treedef, flat)

    value = tree.unflatten(out_tree, results)
    return (value, pullback, settle(selected.aux)) if has_aux else (value, pullback)


def linear_transpose(
    fun: Callable[..., Any], *primals: Any, reduce_axes: Sequence[Any] = ()
) -> Callable[[Any], Any]:
    """The transpose of a linear function; arguments or ShapeDtypeStructs give the types.

    >>> import vires
    >>> vires.linear_transpose(lambda x: 3.0 * x, 1.0)(2.0)
    (Array(6., dtype=float32, weak_type=True),)
    """
    leaves, treedef = tree.flatten(tuple(primals))
    out_tree: Any = None

    def flat_function(*xs: Any) -> list[Any]:
        nonlocal out_tree
        flat, out_tree = tree.flatten(fun(*tree.unflatten(treedef, xs)))
        return tracked(flat)

    avals = [_type_of(x) for x in leaves]
    program: ClosedJaxpr = stage(flat_function, avals, name=name_of(fun))

    def transposed(ct: Any) -> Any:
        ct_leaves, ct_tree = tree.flatten(ct)
        if ct_tree != out_tree:
            raise TypeError(
                f"linear_transpose: needs cotangents of structure {out_tree}; got {ct_tree}"
            )
        cts = backward(program.jaxpr, program.consts, [], values_of(ct_leaves, "linear_transpose"))
        return tree.unflatten(treedef, [zeros(c.aval) if c.__class__ is Zero else c for c in cts])

    return transposed


def _type_of(x: Any) -> Any:
    if is_arraylike(x):
        return aval_of(x)
    return ShapedArray(tuple(x.shape), dtypes.canonical(x.dtype))
