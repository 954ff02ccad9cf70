"""vmap: a function of one example becomes a function of many."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from vires.api.arguments import (
    argument_names,
    check_callable,
    is_arraylike,
    is_hashable,
    name_of,
)
from vires.core import tree
from vires.core.errors import describe
from vires.core.primitive import AxisData
from vires.core.trace import Tracer, as_array, aval_of
from vires.transform.vmap import batch, bring_to


def vmap(
    fun: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Any = None,
    axis_size: int | None = None,
    spmd_axis_name: Any = None,
) -> Callable[..., Any]:
    """Vectorise a function of one example over an axis of its arguments.

    `vmap(f)(xs)[i]` equals `f(xs[i])`; the loop is pushed down into each operation.

    Args:
      fun: the function of one example.
      in_axes: which axis of each argument holds the examples: an int, None (the same for all
        examples), or a pytree of them that is a prefix of the arguments' tuple. Keyword arguments
        are mapped over axis 0.
      out_axes: where the axis of examples goes in each result; None for results that are the same
        for all.
      axis_name: a name for the axis, for `lax.psum` and its kin.
      axis_size: the number of examples, needed only when no argument is mapped.

    Raises:
      ValueError: sizes that differ, axes out of range, structures that do not match, a mapped
        result with out_axes None.

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.vmap(np.dot)(np.ones((3, 2)), np.ones((3, 2)))
    Array([2., 2., 2.], dtype=float32)
    """
    check_callable(fun, "vmap")
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    known = in_axes is None or isinstance(in_axes, (int, tuple, dict))
    if not known and not tree.leaves(in_axes, is_leaf=_none):
        raise TypeError(f"vmap: needs in_axes as an int, None or a tuple of them; got {in_axes!r}")
    if not is_hashable(axis_name):
        raise TypeError(
            f"vmap: needs a hashable axis_name; got {type(axis_name).__name__} {axis_name!r}; "
            "try a string"
        )

    @functools.wraps(fun, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, treedef = tree.flatten((args, kwargs))
        axes = _axes_of_leaves(in_axes, args, kwargs, treedef)
        values = [_value(x) for x in leaves]
        dims = [
            _normal(axis, x, i, fun, args, kwargs)
            for i, (axis, x) in enumerate(zip(axes, values, strict=True))
        ]
        size = _size(values, dims, axis_size, fun, args, kwargs)
        out_tree: Any = None

        def flat(*xs: Any) -> list[Any]:
            nonlocal out_tree
            call_args, call_kwargs = tree.unflatten(treedef, xs)
            results, out_tree = tree.flatten(fun(*call_args, **call_kwargs))
            return [_value(x) for x in results]

        axis = AxisData(axis_name, size)
        results, out_dims = batch(flat, axis, values, dims)
        targets = _out_axes(out_axes, out_tree)
        placed = [
            _place(axis, r, d, t, fun) for r, d, t in zip(results, out_dims, targets, strict=True)
        ]
        return tree.unflatten(out_tree, placed)

    return mapped


def _none(x: Any) -> bool:
    return x is None


def _value(x: Any) -> Any:
    if not is_arraylike(x):
        raise TypeError(f"vmap: needs arrays or numbers; got {type(x).__name__} ({x!r:.40})")
    return x if isinstance(x, Tracer) else as_array(x)


def _axes_of_leaves(in_axes: Any, args: Any, kwargs: Any, treedef: Any) -> list[int | None]:
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise ValueError(
            f"vmap: needs in_axes for each positional argument; got in_axes={in_axes!r} with "
            f"{len(args)} argument{'s' * (len(args) != 1)}"
        )
    prefix = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
    found = _broadcast(prefix, tuple(args), "in_axes")
    return found + [0] * (treedef.num_leaves - len(found))


def _broadcast(prefix: Any, full: Any, label: str) -> list[int | None]:
    """For each leaf of `full` the axis of `prefix` above it; None there covers a whole subtree."""
    if prefix is None or isinstance(prefix, int):
        return [prefix] * len(tree.leaves(full))
    wrapped = tree.map(lambda axis: _Axis(axis), prefix, is_leaf=_none)
    try:
        return [axis.value for axis in tree.broadcast_prefix(wrapped, full)]
    except ValueError as error:
        raise ValueError(
            f"vmap: needs {label} whose structure is a prefix of the values'; got "
            f"{label}={prefix!r} for {tree.structure(full)}"
        ) from error


class _Axis:
    """An axis or None as a leaf, since None is a container for pytrees."""

    __slots__ = ("value",)

    def __init__(self, value: int | None) -> None:
        if value is not None and not isinstance(value, int):
            got = describe(value) if isinstance(value, Tracer) else repr(value)
            raise TypeError(f"vmap: needs axes as int or None; got {got}")
        self.value = value


def _normal(
    axis: int | None, x: Any, position: int, fun: Any, args: Any, kwargs: Any
) -> int | None:
    if axis is None:
        return None
    rank = len(aval_of(x).shape)
    if not -rank <= axis < rank:
        name = argument_names(fun, args, kwargs)[position]
        raise ValueError(
            f"vmap: needs an axis of the argument; got axis {axis} for {name}, "
            f"{aval_of(x).str_short()}; try in_axes=None for an argument that is the same for all "
            "examples"
        )
    return axis + rank if axis < 0 else axis


def _size(
    values: Sequence[Any],
    dims: Sequence[int | None],
    given: int | None,
    fun: Any,
    args: Any,
    kwargs: Any,
) -> int:
    sizes = {aval_of(x).shape[d] for x, d in zip(values, dims, strict=True) if d is not None}
    if given is not None:
        sizes.add(given)
    if len(sizes) == 1:
        return sizes.pop()
    if not sizes:
        raise ValueError(
            f"vmap: needs at least one mapped argument, or axis_size; got none for {name_of(fun)}; "
            "try in_axes=0 for one of the arguments"
        )
    names = argument_names(fun, args, kwargs)
    rows = [
        f"{aval_of(x).shape[d]} (axis {d} of {name}, {aval_of(x).str_short()})"
        for x, d, name in zip(values, dims, names, strict=True)
        if d is not None
    ]
    extra = f", axis_size={given}" if given is not None else ""
    raise ValueError(f"vmap: needs one size for all mapped axes; got {', '.join(rows)}{extra}")


def _out_axes(out_axes: Any, out_tree: Any) -> list[int | None]:
    skeleton = tree.unflatten(out_tree, [0] * out_tree.num_leaves)
    if isinstance(out_axes, list):
        out_axes = tuple(out_axes)
    return _broadcast(out_axes, skeleton, "out_axes")


def _place(axis: AxisData, result: Any, dim: int | None, target: int | None, fun: Any) -> Any:
    if target is None and dim is not None:
        raise ValueError(
            "vmap: needs a result that is the same for all examples where out_axes is None; got "
            f"one of {name_of(fun)} that depends on a mapped argument; try out_axes=0"
        )
    rank = len(aval_of(result).shape) + (dim is None)
    if target is not None and not -rank <= target < rank:
        raise ValueError(f"vmap: needs out_axes within the result's {rank} axes; got {target}")
    return bring_to(axis, result, dim, target)
