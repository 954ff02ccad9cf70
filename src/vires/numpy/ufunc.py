"""The decorator of elementwise functions: operands accepted, promoted and broadcast, eager calls native.

On concrete arrays a call goes through `_native.EagerOp`: a compiled kernel for each combination of dtypes, promotion
included. Everything else (tracers, NumPy arrays, keywords, errors) takes the Python path written here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.trace import EVAL, Tracer, engine_slot, thread
from vires.numpy import operands
from vires.numpy.operands import SCALARS, broadcast, common_shape, convert, operand

Body = Callable[..., Any]


def _common(*xs: Any) -> list[Any]:
    return operands.promote(*xs)


def _inexact(*xs: Any) -> list[Any]:
    return operands.promote_inexact(*xs)


def _as_given(*xs: Any) -> list[Any]:
    return list(xs)


#: How operands are promoted: to their common dtype; to a common float or complex dtype; not at all.
PROMOTIONS: dict[str, Callable[..., list[Any]]] = {"common": _common, "inexact": _inexact, "none": _as_given}


def elementwise(promotion: str = "common", *, name: str | None = None) -> Callable[[Body], Any]:
    """Make a function of promoted operands of one shape into an elementwise function of the namespace.

    `promotion` is a key of `PROMOTIONS`. The body binds primitives; it sees arrays or tracers with one dtype (but for
    "none") and one shape, and gives one result, or a tuple.
    """
    promoted = PROMOTIONS[promotion]
    needs_inexact = promotion == "inexact"

    def decorate(body: Body) -> Any:
        function = name or body.__name__
        arguments = [
            argument.name
            for argument in inspect.signature(body).parameters.values()
            if argument.kind is not argument.KEYWORD_ONLY
        ]
        count = len(arguments)

        def general(*args: Any, **keywords: Any) -> Any:
            if keywords:
                args = _with_keywords(function, arguments, args, keywords)
            if len(args) != count:
                raise TypeError(f"{function}: needs {count} operands ({', '.join(arguments)}); got {len(args)}")
            if thread.trace is EVAL and not any(isinstance(x, Tracer) for x in args):
                converted = [x if x.__class__ in SCALARS else operand(x, function, a) for x, a in zip(args, arguments)]
                if all(x.__class__ in SCALARS for x in converted):
                    converted[0] = operand(converted[0], function)
                if any(x is not y for x, y in zip(args, converted)):
                    return op(*converted)
            xs = [operand(x, function, a) for x, a in zip(args, arguments, strict=True)]
            if promotion != "none":
                xs = promoted(*xs)
            shapes = [x.aval.shape for x in xs]
            shape = common_shape(function, *shapes)
            if any(own != shape for own in shapes):
                operands.check_rank_promotion(function, shapes)
                xs = [x if own == shape else broadcast(x, shape) for x, own in zip(xs, shapes, strict=True)]
            return body(*xs)

        def unary(*args: Any, **keywords: Any) -> Any:
            if len(args) == 1 and not keywords:
                (x,) = args
                if isinstance(x, Tracer) and (not needs_inexact or x.aval.dtype in _INEXACT):
                    return body(x)
            return general(*args, **keywords)

        def binary(*args: Any, **keywords: Any) -> Any:
            if len(args) == 2 and not keywords:
                x, y = args
                try:
                    a, b = x.aval, y.aval
                except AttributeError:
                    return general(x, y)
                if (
                    a is b
                    or (a.dtype is b.dtype and a.shape == b.shape and a.weak_type == b.weak_type)
                ) and (not needs_inexact or a.dtype in _INEXACT):
                    return body(x, y)
            return general(*args, **keywords)

        fallback = {1: unary, 2: binary}.get(count, general)

        def traced(*xs: Any) -> Any:
            """What the engine compiles: 0-d tracers in, primitives recorded."""
            return body(*promoted(*xs))

        def resolve(descriptors: tuple[Any, ...]) -> Any:
            return engine_slot.resolve_elementwise(function, traced, descriptors)

        op = _native.EagerOp(function, fallback, resolve)
        op.__doc__ = body.__doc__
        op.__module__ = "vires.numpy"
        op.__wrapped__ = body
        op.__signature__ = _signature(arguments)
        op.__qualname__ = function
        op.nin = count
        #: The Python path, for bodies of other elementwise functions: no detour through the native call.
        op.traced = fallback
        return op

    return decorate


_INEXACT = frozenset(dtype for dtype in dtypes.CODES if dtypes.is_inexact(dtype))


def _signature(arguments: list[str]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(argument, kind) for argument in arguments])


def _with_keywords(
    function: str, arguments: list[str], args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[Any, ...]:
    """Positional arguments of a call that names some of them; `out=` and `where=` are refused."""
    operands.no_out(function, keywords.pop("out", None))
    if keywords.pop("where", None) is not None:
        raise NotImplementedError(f"{function}: needs where=None; try numpy.where(mask, {function}(...), other)")
    rest = list(args)
    for argument in arguments[len(args) :]:
        if argument not in keywords:
            break
        rest.append(keywords.pop(argument))
    if keywords:
        unknown = ", ".join(keywords)
        raise TypeError(f"{function}: needs the arguments {', '.join(arguments)}; got unexpected {unknown}")
    return tuple(rest)


def is_ufunc(x: Any) -> bool:
    """Whether `x` is an elementwise function of the namespace."""
    return isinstance(x, _native.EagerOp)


__all__ = ["Array", "convert", "elementwise", "is_ufunc", "np"]
