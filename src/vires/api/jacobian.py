"""Jacobians and Hessians: derivatives of all results in all arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.api.arguments import check_callable
from vires.api.differentiate import check_differentiable
from vires.api.selected import Selected, gradient_leaf, settle, tracked, values_of, weak_as
from vires.api.vectorize import vmap
from vires.core import dtypes, tree
from vires.core.jaxpr import evaluate
from vires.core.trace import aval_of
from vires.ops.compare import eq
from vires.ops.convert import convert_element_type
from vires.ops.elementwise import add
from vires.ops.filled import full, iota
from vires.ops.parts import slice as slice_
from vires.ops.shape import reshape
from vires.transform.linearize import linearize as linearize_flat
from vires.transform.transpose import backward


def _basis(leaves: Sequence[Any], treedef: Any) -> Any:
    """For each leaf, the unit tangents of all elements of the tree: leading axis = total size.

    Made by operations, so that a compiled program holds no arrays of mostly zeros.
    """
    sizes = [aval_of(x).size for x in leaves]
    total = sum(sizes)
    rows: list[Any] = []
    start = 0
    for x, size in zip(leaves, sizes, strict=True):
        aval = aval_of(x)
        shape = (total, size)
        row, column = (iota(dtype=dtypes.int32, shape=shape, dimension=d) for d in (0, 1))
        unit = convert_element_type(
            eq(row, add(column, full(shape, start, dtypes.int32)) if start else column),
            new_dtype=aval.dtype,
            weak_type=False,
        )
        start += size
        unit = reshape(unit, new_sizes=(total, *aval.shape), dimensions=None)
        rows.append(weak_as(aval, unit))
    return tree.unflatten(treedef, rows)


def _split_axis(x: Any, axis: int, leaves: Sequence[Any]) -> list[Any]:
    """Cut an axis of total size into the leaves' shapes."""
    shape = aval_of(x).shape
    pieces: list[Any] = []
    start = 0
    for leaf in leaves:
        aval = aval_of(leaf)
        starts = [0] * len(shape)
        limits = list(shape)
        starts[axis], limits[axis] = start, start + aval.size
        start += aval.size
        piece = slice_(x, start_indices=tuple(starts), limit_indices=tuple(limits), strides=None)
        pieces.append(
            reshape(
                piece, new_sizes=(*shape[:axis], *aval.shape, *shape[axis + 1 :]), dimensions=None
            )
        )
    return pieces


def jacfwd(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """The Jacobian by forward mode, best for few inputs: shape (*result.shape, *argument.shape).

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.jacfwd(lambda x: x * x)(np.array([1.0, 2.0]))
    Array([[2., 0.],
           [0., 4.]], dtype=float32)
    """
    check_callable(fun, "jacfwd")

    @functools.wraps(fun, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        selected = Selected(fun, argnums, args, kwargs, "jacfwd")
        primals = values_of(selected.leaves, "jacfwd")
        check_differentiable(primals, "jacfwd", holomorphic, False, real=True)
        moving = [True] * len(primals)
        results, _, program = linearize_flat(
            lambda *xs: tracked(selected(*xs, has_aux=has_aux)), primals, moving, True
        )
        basis = tree.leaves(_basis(primals, selected.treedef))
        columns = vmap(
            lambda *ts: tuple(evaluate(program.jaxpr, program.consts, *ts)), out_axes=-1
        )(*basis)
        blocks = [
            selected.unflatten(_split_axis(c, len(aval_of(r).shape), primals))
            for c, r in zip(columns, results, strict=True)
        ]
        answer = tree.unflatten(selected.out_tree, blocks)
        return (answer, settle(selected.aux)) if has_aux else answer

    return jacobian


def jacrev(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """The Jacobian by reverse mode, best for few outputs: shape (*result.shape, *argument.shape).

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.jacrev(lambda x: x.sum() * x)(np.array([1.0, 2.0]))
    Array([[4., 1.],
           [2., 5.]], dtype=float32)
    """
    check_callable(fun, "jacrev")

    @functools.wraps(fun, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        selected = Selected(fun, argnums, args, kwargs, "jacrev")
        primals = values_of(selected.leaves, "jacrev")
        check_differentiable(primals, "jacrev", holomorphic, allow_int)
        moving = [dtypes.is_inexact(aval_of(x).dtype) for x in primals]
        results, _, program = linearize_flat(
            lambda *xs: tracked(selected(*xs, has_aux=has_aux)), primals, moving, True
        )
        for r in results:
            if dtypes.kind(aval_of(r).dtype) == "complex" and not holomorphic:
                raise TypeError(
                    f"jacrev: needs real results; got {aval_of(r).dtype.name}; try holomorphic=True"
                )
        basis = tree.leaves(_basis(results, selected.out_tree))

        def pull(*cts: Any) -> tuple[Any, ...]:
            found = iter(backward(program.jaxpr, program.consts, [], cts))
            return tuple(
                weak_as(aval_of(x), gradient_leaf(x, next(found)))
                for x, m in zip(primals, moving, strict=True)
                if m
            )

        rows = iter(vmap(pull)(*basis))
        by_argument = [
            _split_axis(next(rows), 0, results)
            if m
            else [np.zeros(aval_of(r).shape + aval_of(x).shape, dtypes.float0) for r in results]
            for x, m in zip(primals, moving, strict=True)
        ]
        blocks = [selected.unflatten([c[k] for c in by_argument]) for k in range(len(results))]
        answer = tree.unflatten(selected.out_tree, blocks)
        return (answer, settle(selected.aux)) if has_aux else answer

    return jacobian


def hessian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """The Hessian, forward over reverse: shape (*result.shape, *argument.shape, *argument.shape).

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.hessian(lambda x: (x ** 3).sum())(np.array([1.0, 2.0]))
    Array([[ 6.,  0.],
           [ 0., 12.]], dtype=float32)
    """
    return jacfwd(
        jacrev(fun, argnums, has_aux=has_aux, holomorphic=holomorphic),
        argnums,
        has_aux=has_aux,
        holomorphic=holomorphic,
    )


jacobian = jacrev
