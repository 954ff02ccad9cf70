"""Samplers: compiled for a shape under transformations, free of shapes when called eagerly.

Many draws are a function of each element's random bits and parameters. Such a draw is staged once,
for one element, and its program is cut into what makes keys of the key, and what makes the element
of its bits. Eagerly the bits of any shape come from the native core, and the rest is one
elementwise kernel for all shapes. Other draws are compiled for each shape, and so is a shape that
is drawn often: the numbers are the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from vires import _native
from vires.api.jit import jit
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.config import config
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, evaluate
from vires.core.staging import stage
from vires.core.trace import EVAL, Tracer, as_array, engine_slot, thread
from vires.ops.random_bits import random_bits

_MOST_FORMS = 1024
#: A shape that was drawn so often is compiled: its calls cost less.
_HOT = 64


class _NoKernel(Exception):
    """The engine has no kernel for a draw."""


class _Elementwise:
    """A draw that is elementwise in its bits, for one choice of static arguments and types."""

    def __init__(
        self, name: str, closed: ClosedJaxpr, words: Sequence[JaxprEqn], key_part: set[int]
    ) -> None:
        jaxpr = closed.jaxpr
        key, *parameters = jaxpr.invars
        sources = [eqn.invars[0] for eqn in words]
        self.widths = [eqn.params["bit_width"] for eqn in words]
        self.keys = None
        if any(source is not key for source in sources):
            made = [eqn for eqn in jaxpr.eqns if id(eqn) in key_part]
            program = Jaxpr(jaxpr.constvars, [key], sources, made)
            self.keys = engine_slot.plan(ClosedJaxpr(program, closed.consts))
        drawn = {id(eqn) for eqn in words} | key_part
        rest = [eqn for eqn in jaxpr.eqns if id(eqn) not in drawn]
        bits = [eqn.outvars[0] for eqn in words]
        element = Jaxpr(jaxpr.constvars, [*bits, *parameters], jaxpr.outvars, rest)

        def draw(*operands: Any) -> Any:
            (result,) = evaluate(element, closed.consts, *operands)
            return result

        def resolve(descriptors: tuple[Any, ...]) -> Any:
            return engine_slot.resolve_elementwise(name, draw, descriptors)

        self.draw = _native.EagerOp(name, _refuse, resolve)

    def works(self, parameters: Sequence[ShapedArray]) -> bool:
        """Whether there is a kernel for it."""
        types = [ShapedArray((), dtypes.canonical(f"uint{width}")) for width in self.widths]
        one = [
            _native.empty((), dtypes.CODE_OF[aval.dtype], aval.weak_type)
            for aval in (*types, *parameters)
        ]
        try:
            self.draw(*one)
        except _NoKernel:
            return False
        return True

    def __call__(self, key: Any, shape: tuple[int, ...], parameters: Sequence[Any]) -> Any:
        keys = (key,) if self.keys is None else self.keys(key)
        bits = [
            random_bits(k, bit_width=width, shape=shape)
            for k, width in zip(keys, self.widths, strict=True)
        ]
        return self.draw(*bits, *parameters)


def _refuse(*operands: Any) -> Any:
    raise _NoKernel


def _ancestors(jaxpr: Jaxpr, variables: Sequence[Any]) -> set[int]:
    """The equations that variables follow from, by identity."""
    wanted = set(variables)
    found: set[int] = set()
    for eqn in reversed(jaxpr.eqns):
        if any(v in wanted for v in eqn.outvars):
            found.add(id(eqn))
            wanted.update(x for x in eqn.invars if x.__class__ is not Literal)
    return found


def _form(
    draw: Callable[..., Any], static: Sequence[Any], avals: Sequence[ShapedArray]
) -> _Elementwise | None:
    """The draw of one element, taken apart; None where it is not elementwise in its bits."""

    def one(*operands: Any) -> Any:
        key, *parameters = operands
        return [draw(key, (), *static, *parameters)]

    closed = stage(one, [ShapedArray((), dtypes.KEY), *avals], name=draw.__name__)
    jaxpr = closed.jaxpr
    words = [eqn for eqn in jaxpr.eqns if eqn.primitive is random_bits]
    if not words or any(eqn.params["shape"] or eqn.invars[0].aval.shape for eqn in words):
        return None
    key_part = _ancestors(jaxpr, [eqn.invars[0] for eqn in words])
    parameters = set(jaxpr.invars[1:])
    for eqn in jaxpr.eqns:
        variables = [x for x in eqn.invars if x.__class__ is not Literal]
        if id(eqn) in key_part:
            if eqn.primitive is random_bits or any(x in parameters for x in variables):
                return None
        elif eqn.primitive is not random_bits and any(
            dtypes.is_key(x.aval.dtype) for x in variables
        ):
            return None
    form = _Elementwise(draw.__name__, closed, words, key_part)
    return form if form.works(avals) else None


def sampler(draw: Callable[..., Any], static_argnums: tuple[int, ...]) -> Callable[..., Any]:
    """`draw(key, shape, *static arguments, *parameters)` as a sampler; `static_argnums` are the
    numbers of the shape and the static arguments.
    """
    compiled = jit(draw, static_argnums=static_argnums)
    count = len(static_argnums) - 1
    forms: dict[Any, _Elementwise | None] = {}
    calls: dict[tuple[int, ...], int] = {}

    @functools.wraps(draw)
    def sample(key: Any, shape: tuple[int, ...], *arguments: Any) -> Any:
        drawn = calls.get(shape, 0)
        if drawn >= _HOT:
            return compiled(key, shape, *arguments)
        static, parameters = arguments[:count], arguments[count:]
        if (
            thread.trace is not EVAL
            or isinstance(key, Tracer)
            or any(isinstance(x, Tracer) for x in parameters)
            or config.debug_nans
            or config.debug_infs
            or config.disable_jit
        ):
            return compiled(key, shape, *arguments)
        parameters = tuple(map(as_array, parameters))
        types = tuple((x.dtype, x.weak_type) for x in parameters)
        signature = (static, types, config.state)
        if signature in forms:
            form = forms[signature]
        else:
            if len(forms) >= _MOST_FORMS:
                forms.clear()
            avals = [ShapedArray((), dtype, weak) for dtype, weak in types]
            form = forms[signature] = _form(draw, static, avals)
        if form is None:
            return compiled(key, shape, *arguments)
        if len(calls) >= _MOST_FORMS:
            calls.clear()
        calls[shape] = drawn + 1
        return form(key, shape, parameters)

    return sample
