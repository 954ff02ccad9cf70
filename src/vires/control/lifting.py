"""Operations that hold programs, and the traced values that such programs refer to.

A program in a parameter closes over nothing. A derived one may, though: a derivative rule that a
user wrote runs when the derivative is made, and may refer to values of an enclosing transformation.
Binding the operation turns these into operands, so that each interpreter meets them as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires.control.axes import axes_of_params
from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, Var
from vires.core.primitive import Primitive
from vires.core.trace import Tracer, aval_of, thread

#: Operands and parameters with lifted values: `lift(values, operands, params)`.
Lift = Callable[[Sequence[Any], Sequence[Any], dict[str, Any]], tuple[list[Any], dict[str, Any]]]


class ProgramPrimitive(Primitive):
    """An operation that holds programs.

    * `programs(params)`: the programs that take the operands.
    * `lift(values, operands, params)`: the operands and the parameters of the same operation when
      every program has `values` as leading arguments (see `with_lifted`).

    vmap asks it for the named axes that its programs refer to: it depends on the example where it
    has a collective over the mapped axis, even if none of its operands does.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        *,
        programs: Callable[[dict[str, Any]], Sequence[ClosedJaxpr | None]],
        lift: Lift,
        **rules: Any,
    ) -> None:
        super().__init__(name, doc, multiple_results=True, **rules)
        self._programs = programs
        self._lift = lift
        self.axis_names = axes_of_params
        self.batch_collective = self.batch

    def bind(self, *operands: Any, **params: Any) -> Any:
        for program in self._programs(params):
            if program is not None and program.consts:
                values = traced_constants(self._programs(params))
                if values:
                    lifted, params = self._lift(values, operands, params)
                    return thread.trace.process(self, lifted, params)
        return thread.trace.process(self, operands, params)

    __call__ = bind


def traced_constants(programs: Sequence[ClosedJaxpr | None]) -> list[Tracer]:
    """The traced values that programs refer to, each once."""
    found: dict[int, Tracer] = {}
    for program in programs:
        for const in program.consts if program is not None else ():
            if isinstance(const, Tracer):
                found[id(const)] = const
    return list(found.values())


def with_lifted(closed: ClosedJaxpr, values: Sequence[Tracer]) -> ClosedJaxpr:
    """The program with the values as leading arguments instead of constants."""
    own = {id(c): i for i, c in enumerate(closed.consts)}
    positions = tuple(own.get(id(value), -1) for value in values)
    return _opened(closed, positions, tuple(aval_of(value) for value in values))


@memo.per_program
def _opened(
    closed: ClosedJaxpr, positions: tuple[int, ...], avals: tuple[ShapedArray, ...]
) -> ClosedJaxpr:
    """The program whose constants at `positions` are leading arguments; -1 is an ignored one."""
    jaxpr = closed.jaxpr
    leading = [
        jaxpr.constvars[i] if i >= 0 else Var(aval)
        for i, aval in zip(positions, avals, strict=True)
    ]
    kept = [i for i in range(len(closed.consts)) if i not in positions]
    return ClosedJaxpr(
        Jaxpr(
            [jaxpr.constvars[i] for i in kept],
            [*leading, *jaxpr.invars],
            jaxpr.outvars,
            jaxpr.eqns,
        ),
        [closed.consts[i] for i in kept],
    )


def leading(program: str, counts: str | None = None) -> Lift:
    """How values become operands of an operation with one program that takes all operands.

    `counts` is the parameter that says how many of them are constants, if there is one.
    """

    def lift(
        values: Sequence[Any], operands: Sequence[Any], params: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        changed = {**params, program: with_lifted(params[program], values)}
        if counts is not None:
            changed[counts] += len(values)
        return [*values, *operands], changed

    return lift
