"""The decorator of elementwise functions: operands accepted, promoted and broadcast, eager calls
native.

On concrete arrays a call goes through `_native.EagerOp`: a compiled kernel for each combination of
dtypes, promotion
included. Everything else (tracers, NumPy arrays, keywords, errors) takes the Python path written
here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from vires import _native
from vires.core import config, dtypes
from vires.core.avals import ShapedArray
from vires.core.trace import EVAL, Tracer, as_array, engine_slot, thread
from vires.numpy import operands
from vires.numpy.operands import (
    SCALARS,
    broadcast,
    common_shape,
    operand,
    scalar_of,
    value_or_operand,
)
from vires.ops.filled import full

Body = Callable[..., Any]
_ALL = frozenset(dtypes.CODES)
_INEXACT = frozenset(dtype for dtype in dtypes.CODES if dtypes.is_inexact(dtype))
_NONE: frozenset[Any] = frozenset()


def _common(*xs: Any) -> list[Any]:
    return operands.promote(*xs)


def _inexact(*xs: Any) -> list[Any]:
    return operands.promote_inexact(*xs)


def _as_given(*xs: Any) -> list[Any]:
    return [as_array(x) if x.__class__ in SCALARS else x for x in xs]


#: How operands are promoted: to their common dtype; to a common float or complex dtype; not at all.
PROMOTIONS: dict[str, Callable[..., list[Any]]] = {
    "common": _common,
    "inexact": _inexact,
    "none": _as_given,
}


def elementwise(
    promotion: str | Callable[..., list[Any]] = "common", *, name: str | None = None
) -> Callable[[Body], Any]:
    """Make a function of promoted operands of one shape into an elementwise function of the
    namespace.

    `promotion` is a key of `PROMOTIONS`, or a function from operands to promoted ones. The body
    binds primitives; it
    sees arrays or tracers of one shape, promoted, and gives one result, or a tuple.
    """
    promoted = PROMOTIONS[promotion] if isinstance(promotion, str) else promotion
    # Operands of one dtype need no promotion if that dtype is among these.
    direct = (
        {"common": _ALL, "inexact": _INEXACT}.get(promotion, _NONE)
        if isinstance(promotion, str)
        else _NONE
    )

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
                raise TypeError(
                    f"{function}: needs {count} operands ({', '.join(arguments)}); got {len(args)}"
                )
            if thread.trace is EVAL and not any(isinstance(x, Tracer) for x in args):
                converted = [
                    x if x.__class__ in SCALARS else operand(x, function, a)
                    for x, a in zip(args, arguments, strict=True)
                ]
                if all(x.__class__ in SCALARS for x in converted):
                    converted[0] = operand(converted[0], function)
                if any(x is not y for x, y in zip(args, converted, strict=True)):
                    return op(*converted)
            xs = [value_or_operand(x, function, a) for x, a in zip(args, arguments, strict=True)]
            xs = promoted(*xs)
            for i, x in enumerate(args):
                if x.__class__ is float and xs[i].aval.dtype == dtypes.float64:
                    xs[i] = scalar_of(
                        x, dtypes.float64, xs[i].aval.weak_type
                    )  # with all its digits
            shapes = [x.aval.shape for x in xs]
            shape = common_shape(function, *shapes)
            if any(own != shape for own in shapes):
                operands.check_rank_promotion(function, shapes)
                xs = [
                    x if own == shape else broadcast(x, shape)
                    for x, own in zip(xs, shapes, strict=True)
                ]
            return body(*xs)

        def unary(*args: Any, **keywords: Any) -> Any:
            if len(args) == 1 and not keywords:
                (x,) = args
                if isinstance(x, Tracer) and x.aval.dtype in direct:
                    return body(x)
            return general(*args, **keywords)

        def binary(*args: Any, **keywords: Any) -> Any:
            if len(args) != 2 or keywords:
                return general(*args, **keywords)
            x, y = args
            if isinstance(x, Tracer):
                a = x.aval
                if a.dtype in direct:
                    if isinstance(y, Tracer):
                        b = y.aval
                        if a is b or (a.dtype is b.dtype and a.shape == b.shape):
                            return body(x, y)
                    elif y.__class__ in SCALARS and adopts(a.dtype, y.__class__):
                        return body(x, _repeated(y, a))
            elif isinstance(y, Tracer) and x.__class__ in SCALARS:
                b = y.aval
                if b.dtype in direct and adopts(b.dtype, x.__class__):
                    return body(_repeated(x, b), y)
            return general(x, y)

        fallback = {1: unary, 2: binary}.get(count, general)

        def traced(*xs: Any) -> Any:
            """What the engine compiles: 0-d tracers in, primitives recorded."""
            return body(*promoted(*xs))

        def resolve(descriptors: tuple[Any, ...]) -> Any:
            if config.config._options["numpy_rank_promotion"].value != "allow":
                return None  # shapes have to be looked at
            return engine_slot.resolve_elementwise(function, traced, descriptors)

        op = _native.EagerOp(function, fallback, resolve)
        op.__doc__ = body.__doc__
        op.__module__ = "vires.numpy"
        op.__wrapped__ = body
        op.__signature__ = _signature(arguments)
        op.__qualname__ = function
        op.nin = count
        #: The Python path, for bodies of other elementwise functions: no detour through the native
        #: call.
        op.traced = fallback
        return op

    return decorate


def _repeated(value: Any, aval: ShapedArray) -> Any:
    """A Python scalar with an operand's type."""
    return full(aval.shape, value, aval.dtype, aval.weak_type, scalar_of)


@functools.cache
def adopts(dtype: Any, scalar_type: type) -> bool:
    """Whether a Python scalar next to an operand of this dtype leaves the dtype as it is."""
    rank = {"bool": 0, "signed": 1, "unsigned": 1, "float": 2, "complex": 3}.get(
        dtypes.kind(dtype), -1
    )
    return rank >= {bool: 0, int: 1, float: 2, complex: 3}[scalar_type]


def _signature(arguments: list[str]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(argument, kind) for argument in arguments])


def _with_keywords(
    function: str, arguments: list[str], args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[Any, ...]:
    """Positional arguments of a call that names some of them; `out=` and `where=` are refused."""
    operands.no_out(function, keywords.pop("out", None))
    mask = keywords.pop("where", None)
    if mask is not None:
        raise NotImplementedError(
            f"{function}: needs where=None; got {type(mask).__name__}; "
            f"try numpy.where(mask, {function}(...), other)"
        )
    rest = list(args)
    for argument in arguments[len(args) :]:
        if argument not in keywords:
            break
        rest.append(keywords.pop(argument))
    if keywords:
        unknown = ", ".join(keywords)
        raise TypeError(
            f"{function}: needs the arguments {', '.join(arguments)}; got unexpected {unknown}"
        )
    return tuple(rest)


def is_ufunc(x: Any) -> bool:
    """Whether `x` is an elementwise function of the namespace."""
    return isinstance(x, _native.EagerOp)
