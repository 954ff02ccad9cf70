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
from vires.control.while_call import while_call
from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import Atom, ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from vires.core.trace import as_array
from vires.engine.llvm.numbering import Numbering, Operation
from vires.engine.llvm.periods import LEAST, Run, find_runs, may_have_runs

#: Equations of the body of a loop from which on it is rolled. Elements, or the threads for them, go
#: through all turns of a loop without loops inside at once; they would not any more.
_REPEATED = 2000


@memo.per_program
def roll(closed: ClosedJaxpr, repeated: bool = False) -> ClosedJaxpr:
    """The program with scans in place of equations that repeat; itself where none do.

    `repeated` says that it is the body of a loop.
    """
    jaxpr = closed.jaxpr
    eqns = list(jaxpr.eqns)
    changed = False
    for i, eqn in enumerate(eqns):
        for value in eqn.params.values():
            if value.__class__ is ClosedJaxpr or (value.__class__ is tuple and _programs(value)):
                eqns[i] = _rolled_inside(eqn, repeated)
                changed = changed or eqns[i] is not eqn
                break
    if len(eqns) >= (_REPEATED if repeated else LEAST) and may_have_runs(eqns):
        numbering = Numbering(jaxpr, eqns)
        runs = find_runs(numbering)
        if runs:
            return _Rewriter(closed, numbering, runs).program()
    if not changed:
        return closed
    whole = Jaxpr(jaxpr.constvars, jaxpr.invars, jaxpr.outvars, eqns, jaxpr.names)
    return ClosedJaxpr(whole, closed.consts)


def _programs(values: tuple[Any, ...]) -> bool:
    """Whether they are programs."""
    return bool(values) and values[0].__class__ is ClosedJaxpr


def _rolled_inside(eqn: JaxprEqn, repeated: bool) -> JaxprEqn:
    """An equation with its programs rolled."""
    if eqn.primitive is scan_call:
        merged = _merged(eqn)
        if merged is not None:
            return merged
    repeated = repeated or eqn.primitive in (scan_call, while_call)
    for name, value in eqn.params.items():
        if value.__class__ is ClosedJaxpr:
            rolled: Any = roll(value, repeated)
        elif value.__class__ is tuple and _programs(value):
            programs = tuple([roll(x, repeated) for x in value])
            same = all(a is b for a, b in zip(programs, value, strict=True))
            rolled = value if same else programs
        else:
            continue
        if rolled is not value:
            eqn = eqn.replace(params={**eqn.params, name: rolled})
    return eqn


def _merged(eqn: JaxprEqn) -> JaxprEqn | None:
    """One scan for a scan whose body is nothing but a loop on the same carry; else None."""
    params = eqn.params
    num_consts, length = params["num_consts"], params["length"]
    if 1 < len(params["jaxpr"].eqns) < LEAST:
        return None  # more than one will be left
    body = roll(params["jaxpr"])
    if len(body.eqns) != 1 or body.consts or body is params["jaxpr"]:
        return None
    (inner,) = body.eqns
    own, outer = inner.params, body.jaxpr
    count = own["num_consts"]
    carried, results = outer.invars[num_consts:], outer.outvars
    if len(results) != params["num_carry"] or len(carried) != params["num_carry"]:
        return None
    if inner.primitive is not scan_call or len(inner.outvars) != len(inner.invars) - count:
        return None
    following = dict(zip(inner.invars[count:], own["jaxpr"].jaxpr.outvars, strict=True))
    becomes = dict(zip(inner.invars[count:], inner.outvars, strict=True))
    for variable, result in zip(carried, results, strict=True):
        if result is not becomes.pop(variable, variable):
            return None
    # What the inner loop keeps must not change from one outer turn to the next.
    if becomes or any(x in following for x in inner.invars[:count]):
        return None
    names: dict[Any, Any] = dict(zip(own["jaxpr"].jaxpr.invars, inner.invars, strict=True))
    eqns = [x.replace(invars=[names.get(v, v) for v in x.invars]) for x in own["jaxpr"].eqns]
    outvars = [names.get(x, x) for x in (following.get(v, v) for v in carried)]
    program = ClosedJaxpr(Jaxpr([], outer.invars, outvars, eqns, outer.names))
    return eqn.replace(params={**params, "jaxpr": program, "length": length * own["length"]})


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
