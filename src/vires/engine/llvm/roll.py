"""Rolls unrolled loops again: equations that repeat become one scan.

A Python loop under ``jit`` is recorded turn by turn; 2,000 turns of 3 operations would be 6,000
equations to lower, fuse, write and compile, for the machine code of 3. Where turns differ only in
scalar constants, these become an array of the program. The scan computes the same bits, and
carries one vector of elements in registers through all turns (see `sequential`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.control.scan import scan_call
from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import Atom, ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from vires.core.trace import as_array
from vires.engine.llvm.numbering import Numbering, Operation
from vires.engine.llvm.periods import LEAST, Run, find_runs, may_have_runs


@memo.per_program
def roll(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The program with scans in place of equations that repeat; itself where none do."""
    jaxpr = closed.jaxpr
    eqns, inner_changed = _roll_inside(jaxpr.eqns)
    if len(eqns) < LEAST or not may_have_runs(eqns):
        return _with(closed, eqns) if inner_changed else closed
    numbering = Numbering(jaxpr, eqns)
    runs = find_runs(numbering)
    if not runs:
        return _with(closed, eqns) if inner_changed else closed
    return _Rewriter(closed, numbering, runs).program()


def _roll_inside(eqns: list[JaxprEqn]) -> tuple[list[JaxprEqn], bool]:
    """Equations with their programs rolled, and whether that changed anything."""
    changed = False
    made: list[JaxprEqn] = []
    for eqn in eqns:
        for name, value in eqn.params.items():
            if value.__class__ is ClosedJaxpr or value.__class__ is tuple:
                rolled = _rolled(value)
                if rolled is not value:
                    eqn = eqn.replace(params={**eqn.params, name: rolled})
                    changed = True
        made.append(eqn)
    return (made, True) if changed else (eqns, False)


def _rolled(value: Any) -> Any:
    """A parameter with the programs in it rolled."""
    if value.__class__ is ClosedJaxpr:
        return roll(value)
    if not value or value[0].__class__ is not ClosedJaxpr:
        return value
    programs = tuple([roll(x) for x in value])
    return programs if any(a is not b for a, b in zip(programs, value, strict=True)) else value


def _with(closed: ClosedJaxpr, eqns: list[JaxprEqn]) -> ClosedJaxpr:
    """The program with other equations."""
    old = closed.jaxpr
    return ClosedJaxpr(
        Jaxpr(old.constvars, old.invars, old.outvars, eqns, old.names), closed.consts
    )


class _Rewriter:
    """Writes the equations of a program whose repetitions are known."""

    def __init__(self, closed: ClosedJaxpr, numbering: Numbering, runs: Sequence[Run]) -> None:
        self.closed = closed
        self.numbering = numbering
        self.runs = runs
        self.eqns: list[JaxprEqn] = []
        #: Arrays of scalars that differ from turn to turn.
        self.variables: list[Var] = []
        self.values: list[Any] = []
        self._spread: set[int] = set()

    def program(self) -> ClosedJaxpr:
        operations = self.numbering.operations
        at = 0
        for run in self.runs:
            for operation in operations[at : run.start]:
                self._keep(operation)
            self._scan(run)
            at = run.end
        for operation in operations[at:]:
            self._keep(operation)
        old = self.closed.jaxpr
        outvars = [self._atom(x) for x in self.numbering.results]
        constvars = [*old.constvars, *self.variables]
        jaxpr = Jaxpr(constvars, old.invars, outvars, self.eqns, old.names)
        return ClosedJaxpr(jaxpr, [*self.closed.consts, *self.values])

    def _keep(self, operation: Operation) -> None:
        """An equation as it is, on the variables that stand for its operands now."""
        eqn = operation.eqn
        atoms = [self._atom(x) for x in operation.operands]
        same = all(a is b for a, b in zip(atoms, eqn.invars, strict=True))
        self.eqns.append(eqn if same else eqn.replace(invars=atoms))

    def _atom(self, number: int) -> Atom:
        """The variable or literal of a number; a literal's broadcast is written before its first
        use.
        """
        if number >= 0:
            return self.numbering.variables[number]
        scalar = self.numbering.scalars[-1 - number]
        if scalar.eqn is None:
            return scalar.literal
        if number not in self._spread:
            self._spread.add(number)
            self.eqns.append(scalar.eqn)
        return scalar.eqn.outvars[0]

    def _scan(self, run: Run) -> None:
        """One equation for all turns of a run."""
        numbering = self.numbering
        body = _Body(numbering, run)
        consts: list[Atom] = [self._atom(x) for x in body.consts]
        inits: list[Atom] = [self._atom(x) for x in body.inits]
        slices: list[Atom] = []
        for literals in body.varying:
            aval = literals[0].aval
            column = np.stack([as_array(x.val)._numpy() for x in literals])
            variable = Var(ShapedArray((run.turns, *aval.shape), aval.dtype))
            self.variables.append(variable)
            self.values.append(as_array(column))
            slices.append(variable)
        outvars = [numbering.variables[number] for number in body.finals]
        params = {
            "jaxpr": ClosedJaxpr(body.jaxpr),
            "length": run.turns,
            "reverse": False,
            "num_consts": len(consts),
            "num_carry": len(inits),
            "linear": (False,) * (len(consts) + len(inits) + len(slices)),
            "unroll": 1,
            "_split_transpose": False,
        }
        source = numbering.operations[run.start].eqn.source
        self.eqns.append(JaxprEqn([*consts, *inits, *slices], outvars, scan_call, params, source))


class _Body:
    """The program of one turn, written from one that reads only what other turns made."""

    def __init__(self, numbering: Numbering, run: Run) -> None:
        self._numbering = numbering
        self._run = run
        self._eqns: list[JaxprEqn] = []
        self._known: dict[Any, Var] = {}
        #: Numbers of the operands, and the literals of each slice.
        self.consts: list[int] = []
        self.inits: list[int] = []
        self.varying: list[list[Literal]] = []
        #: Numbers of the carries after the last turn.
        self.finals: list[int] = []
        constants: list[Var] = []
        slices: list[Var] = []
        first = numbering.operations[run.start].number
        base = first + run.template * run.stride
        carried: dict[tuple[int, int], Var] = {}
        for produced, depth in run.carries:
            carried[produced, depth] = Var(numbering.variables[first + produced].aval)
            self.inits.append(run.inits[produced, -depth])
        place = run.start + run.template * run.period
        for t, operation in enumerate(numbering.operations[place : place + run.period]):
            atoms: list[Atom] = []
            for position, number in enumerate(operation.operands):
                if number < 0:
                    atoms.append(self._scalar(t, position, number, slices))
                elif number < first:
                    atoms.append(self._constant(number, constants))
                elif number >= base:
                    atoms.append(numbering.variables[number])
                else:
                    turns, produced = divmod(number - base, run.stride)
                    atoms.append(carried[produced, -turns])
            eqn = operation.eqn
            self._eqns.append(JaxprEqn(atoms, eqn.outvars, eqn.primitive, eqn.params, eqn.source))
        results: list[Atom] = []
        end = first + run.turns * run.stride
        for produced, depth in run.carries:
            results.append(
                numbering.variables[base + produced] if depth == 1 else carried[produced, depth - 1]
            )
            self.finals.append(end - depth * run.stride + produced)
        invars = [*constants, *carried.values(), *slices]
        self.jaxpr = Jaxpr([], invars, results, self._eqns)

    def _constant(self, number: int, constants: list[Var]) -> Var:
        found = self._known.get(number)
        if found is None:
            found = self._known[number] = Var(self._numbering.variables[number].aval)
            constants.append(found)
            self.consts.append(number)
        return found

    def _scalar(self, t: int, position: int, number: int, slices: list[Var]) -> Atom:
        """A literal, or its broadcast, that may differ from turn to turn."""
        numbering, run = self._numbering, self._run
        numbers = [
            numbering.operations[place].operands[position]
            for place in range(run.start + t, run.end, run.period)
        ]
        scalar = numbering.scalars[-1 - number]
        if any(x != number for x in numbers):
            key = tuple(numbers)
            atom: Atom | None = self._known.get(key)
            if atom is None:
                literals = [numbering.scalars[-1 - x].literal for x in numbers]
                atom = self._known[key] = Var(scalar.literal.aval)
                slices.append(atom)
                self.varying.append(literals)
        else:
            key = number
            atom = scalar.literal
        if scalar.eqn is None:
            return atom
        spread = self._known.get(("spread", key))
        if spread is None:
            spread = self._known["spread", key] = Var(scalar.eqn.outvars[0].aval)
            self._eqns.append(JaxprEqn([atom], [spread], scalar.eqn.primitive, scalar.eqn.params))
        return spread
