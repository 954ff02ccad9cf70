"""Derivatives: grad, value_and_grad, jvp, vjp, linearize, linear_transpose, Jacobians, Hessians."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.api.arguments import as_positions, check_callable, is_arraylike, name_of
from vires.core import dtypes, tree
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, evaluate
from vires.core.primitive import Zero
from vires.core.staging import stage
from vires.core.trace import Tracer, as_array, aval_of
from vires.ops.convert import convert_element_type
from vires.ops.filled import full, zeros
from vires.transform.jvp import push_forward
from vires.transform.linearize import linearize as linearize_flat
from vires.transform.transpose import backward


def values_of(leaves: Sequence[Any], operation: str) -> list[Any]:
    """Leaves as arrays or tracers."""
    for x in leaves:
        if not is_arraylike(x):
            raise TypeError(
                f"{operation}: needs arrays or numbers; got {type(x).__name__} ({x!r:.40})"
            )
    return [x if isinstance(x, Tracer) else as_array(x) for x in leaves]


def check_differentiable(
    leaves: Sequence[Any], operation: str, holomorphic: bool, allow_int: bool
) -> None:
    for x in leaves:
        dtype = aval_of(x).dtype
        kind = dtypes.kind(dtype)
        if holomorphic and kind != "complex":
            raise TypeError(
                f"{operation}: with holomorphic=True needs complex inputs; got {dtype.name}"
            )
        if kind == "complex" and not holomorphic:
            raise TypeError(
                f"{operation}: needs real inputs; got {dtype.name}; try holomorphic=True for a "
                "holomorphic function, or vjp for a general one"
            )
        if kind not in ("float", "complex") and not allow_int:
            raise TypeError(
                f"{operation}: needs real- or complex-valued inputs; got {dtype.name}; "
                "try x.astype(float), or allow_int=True for a float0 gradient"
            )


class Selected:
    """A function seen as one of the arguments at some positions, with the others fixed."""

    def __init__(
        self,
        function: Callable[..., Any],
        argnums: int | Sequence[int],
        args: Sequence[Any],
        kwargs: Any,
        operation: str,
    ):
        self.positions = as_positions(argnums, operation)
        for i in self.positions:
            if not -len(args) <= i < len(args):
                raise TypeError(
                    f"{operation}: needs an argument at position {i} (argnums={argnums}); "
                    f"got {len(args)} positional arguments"
                )
        self.single = not isinstance(argnums, (tuple, list))
        self.function, self.args = function, list(args)
        self.kwargs, self.operation = kwargs, operation
        chosen = tuple(args[i] for i in self.positions)
        self.leaves, self.treedef = tree.flatten(chosen)
        self.out_tree: Any = None
        self.aux: Any = None

    def __call__(self, *leaves: Any, has_aux: bool = False) -> list[Any]:
        args = list(self.args)
        for i, value in zip(self.positions, tree.unflatten(self.treedef, leaves), strict=True):
            args[i] = value
        result = self.function(*args, **self.kwargs)
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError(
                    "has_aux: needs a function that returns a pair (result, aux); got "
                    f"{type(result).__name__}"
                )
            result, self.aux = result
        flat, self.out_tree = tree.flatten(result)
        for x in flat:
            if not is_arraylike(x):
                raise TypeError(
                    f"{self.operation}: needs a function whose results are arrays; got "
                    f"{type(x).__name__} from {name_of(self.function)}"
                )
        return flat

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        chosen = tree.unflatten(self.treedef, leaves)
        return chosen[0] if self.single else chosen


def _float0(aval: Any) -> np.ndarray:
    return np.zeros(aval.shape, dtypes.float0)


def gradient_leaf(primal: Any, ct: Any) -> Any:
    aval = aval_of(primal)
    tangent = aval.to_tangent_aval()
    if tangent.dtype == dtypes.float0:
        return _float0(aval)
    return zeros(aval) if ct.__class__ is Zero else ct


def weak_as(aval: ShapedArray, x: Any) -> Any:
    """The gradient of a Python scalar is as weakly typed as the scalar, as in JAX."""
    if not aval.weak_type or aval_of(x).weak_type:
        return x
    return convert_element_type(x, new_dtype=aval.dtype, weak_type=True)


def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """Make a function that gives the value of `fun` and its gradient.

    `fun` maps arrays or pytrees to a scalar. The gradient has the structure of the argument (a
    tuple of them when `argnums` is a tuple), by reverse mode: one forward and one backward pass,
    whatever the number of inputs.

    Args:
      fun: the function; it returns a scalar, or (scalar, aux) with `has_aux`.
      argnums: which positional argument(s) to differentiate with respect to.
      has_aux: also return auxiliary data: ((value, aux), gradient).
      holomorphic: differentiate a holomorphic complex function.
      allow_int: allow integer inputs, whose gradient is of dtype float0.

    Raises:
      TypeError: inputs that are not real (or complex), or an output that is not a scalar.

    >>> import vires
    >>> vires.value_and_grad(lambda x: x ** 2)(3.0)
    (Array(9., dtype=float32, weak_type=True), Array(6., dtype=float32, weak_type=True))
    """
    check_callable(fun, "value_and_grad")
    return _value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, "value_and_grad")


def _value_and_grad(
    fun: Callable[..., Any],
    argnums: Any,
    has_aux: bool,
    holomorphic: bool,
    allow_int: bool,
    operation: str,
) -> Callable[..., Any]:
    @functools.wraps(fun, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def with_gradient(*args: Any, **kwargs: Any) -> Any:
        selected = Selected(fun, argnums, args, kwargs, operation)
        primals = values_of(selected.leaves, operation)
        check_differentiable(primals, operation, holomorphic, allow_int)
        moving = [dtypes.is_inexact(aval_of(x).dtype) for x in primals]
        results, nonzeros, program = linearize_flat(
            lambda *xs: selected(*xs, has_aux=has_aux), primals, moving
        )
        _check_scalar(results, selected.out_tree, fun, holomorphic, operation)
        value = results[0]
        if nonzeros[0]:
            aval = aval_of(value)
            one = weak_as(aval, full((), 1, aval.dtype))
            cts = iter(backward(program.jaxpr, program.consts, [], [one]))
        else:
            cts = iter([Zero(aval_of(x)) for x, m in zip(primals, moving, strict=True) if m])
        gradient = [
            weak_as(aval_of(x), gradient_leaf(x, next(cts))) if m else _float0(aval_of(x))
            for x, m in zip(primals, moving, strict=True)
        ]
        answer = selected.unflatten(gradient)
        value = tree.unflatten(selected.out_tree, [value])
        return ((value, settle(selected.aux)) if has_aux else value), answer

    return with_gradient


def settle(aux: Any) -> Any:
    """Auxiliary results without the tracers of the differentiation that made them."""
    from_trace = [
        getattr(x, "primal", x) if isinstance(x, Tracer) and x._trace.finished else x
        for x in tree.leaves(aux)
    ]
    return tree.unflatten(tree.structure(aux), from_trace)


def _check_scalar(
    results: Sequence[Any], out_tree: Any, fun: Any, holomorphic: bool, operation: str
) -> None:
    if len(results) != 1:
        raise TypeError(
            f"{operation}: needs a function with a scalar result; got {name_of(fun)} with a "
            f"result of structure {out_tree}; try has_aux=True for auxiliary results, or "
            "jacrev for several results"
        )
    aval = aval_of(results[0])
    if aval.shape != ():
        raise TypeError(
            f"{operation}: needs a function with a scalar result; got {aval.str_short()} from "
            f"{name_of(fun)}; try to sum it, or jacrev / jacfwd / vmap(grad(f)) for derivatives of "
            "an array"
        )
    kind = dtypes.kind(aval.dtype)
    if kind == "complex" and not holomorphic:
        raise TypeError(
            f"{operation}: needs a real result; got {aval.dtype.name} from {name_of(fun)}; "
            "try holomorphic=True, or vjp for a general complex function"
        )
    if kind not in ("float", "complex"):
        raise TypeError(
            f"{operation}: needs a real result; got {aval.dtype.name} from {name_of(fun)}; try "
            "astype(float)"
        )


def grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """Make a function that gives the gradient of `fun`, a function with a scalar result.

    See `value_and_grad` for the arguments. With `has_aux` the new function returns (gradient, aux).

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.grad(np.sin)(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    check_callable(fun, "grad")
    both = _value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, "grad")

    @functools.wraps(fun, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, answer = both(*args, **kwargs)
        return (answer, value[1]) if has_aux else answer

    return gradient


# --- forward mode


def _check_tangents(primals: Sequence[Any], tangents: Sequence[Any], operation: str) -> list[Any]:
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


def _dense(primal: Any, tangent: Any) -> Any:
    if tangent.__class__ is not Zero:
        return tangent
    return _float0(tangent.aval) if tangent.aval.dtype == dtypes.float0 else zeros(tangent.aval)


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
        _check_tangents(values, tangent_leaves, "jvp"),
    )
    value = tree.unflatten(selected.out_tree, results)
    tangent = tree.unflatten(
        selected.out_tree, [_dense(r, t) for r, t in zip(results, out, strict=True)]
    )
    return (value, tangent, settle(selected.aux)) if has_aux else (value, tangent)


def tracked(flat: Sequence[Any]) -> list[Any]:
    """Results as arrays or tracers, so that Python numbers get a type."""
    return [x if isinstance(x, Tracer) else as_array(x) for x in flat]


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
        given = _check_tangents(primal_leaves, leaves, "linearize")
        dense = [_dense(x, t) for x, t, m in zip(primal_leaves, given, moving, strict=True) if m]
        out = iter(evaluate(program.jaxpr, program.consts, *dense))
        flat = [
            next(out) if nz else _dense(r, Zero(aval_of(r).to_tangent_aval()))
            for r, nz in zip(results, nonzeros, strict=True)
        ]
        return tree.unflatten(out_tree, flat)

    value = tree.unflatten(out_tree, results)
    return (
        (value, tangent_function, settle(selected.aux)) if has_aux else (value, tangent_function)
    )


def _linearized(fun: Any, primals: Sequence[Any], has_aux: bool, operation: str) -> Any:
    selected = Selected(fun, tuple(range(len(primals))), primals, {}, operation)
    values = values_of(selected.leaves, operation)
    moving = [dtypes.is_inexact(aval_of(x).dtype) for x in values]
    results, nonzeros, program = linearize_flat(
        lambda *xs: tracked(selected(*xs, has_aux=has_aux)), values, moving
    )
    return selected, values, moving, results, nonzeros, program


# --- reverse mode


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
        given = _check_tangents(results, leaves, "vjp")
        cts = iter(
            backward(
                program.jaxpr,
                program.consts,
                [],
                [t for t, nz in zip(given, nonzeros, strict=True) if nz],
            )
        )
        flat = [
            gradient_leaf(x, next(cts)) if m else _float0(aval_of(x))
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
