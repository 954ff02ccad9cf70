"""`add.reduce`, `multiply.outer`, `maximum.accumulate`, `add.at`: what binary elementwise functions
do along axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vires.numpy import arithmetic, comparison, float_parts, transcendental
from vires.numpy.cumulative import cumprod, cumsum
from vires.numpy.joining import stack, unstack
from vires.numpy.operands import axis_index, no_out, operand
from vires.numpy.reductions import all as all_
from vires.numpy.reductions import any as any_
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import min as min_
from vires.numpy.reductions import prod as prod_
from vires.numpy.reductions import sum as sum_
from vires.ops import cumulative
from vires.ops.shape import expand_dims

#: Functions whose reduction along axes has an operation of its own.
_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "add": sum_, "multiply": prod_, "maximum": max_, "minimum": min_, "logical_and": all_,
    "logical_or": any_,
}  # fmt: skip
_UPDATES = {"add": "add", "multiply": "multiply", "maximum": "max", "minimum": "min",
    "subtract": "subtract",
            "divide": "divide", "power": "power"}  # fmt: skip


def _fold(function: Any, name: str) -> Callable[..., Any]:
    """A reduction along one axis, element by element from the front."""

    def reduce(
        a: Any, axis: int = 0, dtype: Any = None, out: None = None, keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Any:  # fmt: skip
        no_out(f"{name}.reduce", out)
        if where is not None:
            raise NotImplementedError(
                f"{name}.reduce: needs where=None; got {type(where).__name__}; "
                f"try {name}.reduce of numpy.where(mask, x, the identity)"
            )
        x = operand(a, f"{name}.reduce", "a")
        x = x if dtype is None else x.astype(dtype)
        axis = axis_index(f"{name}.reduce", axis, x.aval.ndim)
        parts = list(unstack(x, axis=axis))
        if initial is not None:
            parts.insert(0, operand(initial, f"{name}.reduce", "initial"))
        if not parts:
            raise ValueError(
                f"{name}.reduce: needs at least one element along axis {axis}; got shape "
                f"{x.aval.shape}; try initial=..."
            )
        total = parts[0]
        for part in parts[1:]:
            total = function(total, part)
        return expand_dims(total, (axis,)) if keepdims else total

    return reduce


def _with_default_axis(name: str, reduction: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(
        a: Any, axis: Any = 0, dtype: Any = None, out: None = None, keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Any:  # fmt: skip
        options = {"keepdims": keepdims, "where": where}
        if initial is not None:
            options["initial"] = initial
        x = operand(a, f"{name}.reduce", "a")
        return reduction(x if dtype is None else x.astype(dtype), axis, out=out, **options)

    return reduce


def _running(function: Any, name: str) -> Callable[..., Any]:
    known = {"add": cumsum, "multiply": cumprod}

    def accumulate(a: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Any:
        no_out(f"{name}.accumulate", out)
        x = operand(a, f"{name}.accumulate", "a")
        x = x if dtype is None else x.astype(dtype)
        axis = axis_index(f"{name}.accumulate", axis, x.aval.ndim)
        if name in known:
            return known[name](x, axis)
        if name in ("maximum", "minimum"):
            primitive = cumulative.cummax if name == "maximum" else cumulative.cummin
            return primitive(x, axis=axis, reverse=False)
        parts = list(unstack(x, axis=axis))
        for k in range(1, len(parts)):
            parts[k] = function(parts[k - 1], parts[k])
        return stack(parts, axis) if parts else x

    return accumulate


def _outer(function: Any, name: str) -> Callable[..., Any]:
    def outer(a: Any, b: Any, /) -> Any:
        x, y = operand(a, f"{name}.outer", "a"), operand(b, f"{name}.outer", "b")
        return function(expand_dims(x, tuple(range(x.aval.ndim, x.aval.ndim + y.aval.ndim))), y)

    return outer


def _at(function: Any, name: str) -> Callable[..., Any]:
    def at(a: Any, indices: Any, b: Any = None, /, *, inplace: bool = True) -> Any:
        if inplace:
            raise NotImplementedError(
                f"{name}.at: needs inplace=False, since arrays are immutable; got True; "
                f"try x = {name}.at(x, ..., inplace=False)"
            )
        x = operand(a, f"{name}.at", "a")
        if name in _UPDATES:
            return getattr(x.at[indices], _UPDATES[name])(b)
        return x.at[indices].set(function(x[indices], operand(b, f"{name}.at", "b")))

    return at


def attach() -> None:
    """Give each binary elementwise function of the namespace its methods."""
    for module in (arithmetic, comparison, transcendental, float_parts):
        for function in vars(module).values():
            if getattr(function, "nin", None) != 2 or hasattr(function, "outer"):
                continue
            name = function.__name__
            known = _REDUCTIONS.get(name)
            function.reduce = (
                _fold(function, name) if known is None else _with_default_axis(name, known)
            )
            function.accumulate = _running(function, name)
            function.outer = _outer(function, name)
            function.at = _at(function, name)
            for method in ("reduce", "accumulate", "outer", "at"):
                getattr(function, method).__name__ = method
