"""Value numbering of a jaxpr: equal values get equal numbers, repeated operations are dropped."""

from __future__ import annotations

from itertools import compress
from typing import Any, NamedTuple

from vires.control.call import jit_call
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from vires.core.trace import as_array
from vires.engine.llvm.builder import live_equations
from vires.ops.families import Elementwise
from vires.ops.select import select_n
from vires.ops.shape import broadcast_in_dim


class Operation(NamedTuple):
    """An equation that is needed and computes something new."""

    #: Equal codes: the same operation with results of the same type; negative: it may not repeat.
    code: int
    #: Numbers of variables, and negative ones of scalars (see `Scalar`).
    operands: tuple[int, ...]
    #: The number of the first result.
    number: int
    eqn: JaxprEqn


class Scalar(NamedTuple):
    """A literal, or its broadcast, which is no operation here; its number is -1 - its place."""

    #: Equal kinds have equal types.
    kind: int
    literal: Literal
    #: The broadcast.
    eqn: JaxprEqn | None


class Numbering:
    """A program as operations on numbers. `eqns` are the program's, perhaps with other inner
    programs.
    """

    def __init__(self, jaxpr: Jaxpr, eqns: list[JaxprEqn]) -> None:
        operations = self.operations = list[Operation]()
        #: A variable for each number.
        self.variables: list[Var] = []
        self.scalars: list[Scalar] = []
        self._scalar_numbers: dict[Any, int] = {}
        self._codes: dict[Any, int] = {}
        self._types: dict[int, int] = {}
        numbers: dict[Any, int] = {}
        for variable in (*jaxpr.constvars, *jaxpr.invars):
            numbers[variable] = len(self.variables)
            self.variables.append(variable)
        known: dict[Any, int] = {}
        needed = live_equations(jaxpr)
        for eqn in compress(eqns, needed):
            invars, outvars, primitive = eqn.invars, eqn.outvars, eqn.primitive
            if primitive is broadcast_in_dim and invars[0].__class__ is Literal:
                numbers[outvars[0]] = self._scalar(invars[0], eqn)
                continue
            operands = tuple(
                [numbers[x] if x.__class__ is not Literal else self._scalar(x) for x in invars]
            )
            code = self._code(eqn)
            number = len(self.variables)
            if code >= 0:
                found = known.setdefault((code, operands), number)
                if found != number:
                    for i, variable in enumerate(outvars):
                        numbers[variable] = found + i
                    continue
            operations.append(Operation(code, operands, number, eqn))
            for variable in outvars:
                numbers[variable] = len(self.variables)
                self.variables.append(variable)
        self.results = [
            numbers[x] if x.__class__ is not Literal else self._scalar(x) for x in jaxpr.outvars
        ]

    def same_kind(self, x: int, y: int) -> bool:
        """Whether two numbers are of scalars of one type."""
        return x < 0 and y < 0 and self.scalars[-1 - x].kind == self.scalars[-1 - y].kind

    def same_type(self, x: int, y: int) -> bool:
        """Whether the values of two numbers have one type."""
        return self._aval(x).same_type(self._aval(y))

    def _aval(self, number: int) -> ShapedArray:
        if number >= 0:
            return self.variables[number].aval
        scalar = self.scalars[-1 - number]
        return scalar.literal.aval if scalar.eqn is None else scalar.eqn.outvars[0].aval

    def _type(self, aval: ShapedArray) -> int:
        """A number of a type. Most types are few objects: to hash them all would take longer."""
        found = self._types.get(id(aval))
        if found is None:
            found = self._types[id(aval)] = self._codes.setdefault(aval, len(self._codes))
        return found

    def _scalar(self, literal: Any, eqn: JaxprEqn | None = None) -> int:
        kind = self._type(literal.aval)
        spread = -1 if eqn is None else self._type(eqn.outvars[0].aval)
        key = (kind, spread, as_array(literal.val)._numpy().tobytes())
        found = self._scalar_numbers.get(key)
        if found is None:
            kind = self._codes.setdefault(key[:2], len(self._codes))
            self.scalars.append(Scalar(kind, literal, eqn))
            found = self._scalar_numbers[key] = -len(self.scalars)
        return found

    def _code(self, eqn: JaxprEqn) -> int:
        """What an operation does, as a number; a new negative one where it may not repeat."""
        primitive = eqn.primitive
        key: Any = (primitive, self._type(eqn.outvars[0].aval) if eqn.outvars else -1)
        if eqn.params:
            program = eqn.params.get("jaxpr") if primitive is jit_call else None
            key = (*key, id(program)) if program is not None else (*key, *eqn.params.items())
        try:
            found = self._codes.get(key)
        except TypeError:  # parameters without a hash
            return -1
        if found is None:
            found = len(self._codes) if may_repeat(eqn) else -1
            self._codes[key] = found
        return found


def may_repeat(eqn: JaxprEqn) -> bool:
    """Whether an equation computes each element of its results from the same elements of its
    operands.
    """
    shapes = {x.aval.shape for x in (*eqn.invars, *eqn.outvars)}
    primitive = eqn.primitive
    if primitive is jit_call:
        program: ClosedJaxpr = eqn.params["jaxpr"]
        return len(shapes - {()}) <= 1 and not program.consts and all(map(may_repeat, program.eqns))
    if primitive is broadcast_in_dim:
        return not eqn.invars[0].aval.shape
    if primitive is select_n:
        return len(shapes - {()}) <= 1
    return isinstance(primitive, Elementwise) and len(shapes) == 1
