"""Products that need not be done turn by turn in a scan.

A product of a slice of the inputs with a constant of the loop is one product of the whole input,
before the loop. A carried value that only adds up products, as gradients of weights do, is one
product too, after the loop: its operands are stacked, and the turns are one more axis of the sum.
One large product is faster than many small ones, whose weights are packed again in every turn, and
the sum is not written in every turn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from vires.control.dce import dce_equations
from vires.core import memo
from vires.core.avals import ShapedArray
from vires.core.jaxpr import Atom, ClosedJaxpr, Jaxpr, JaxprEqn, Var
from vires.core.primitive import AxisData
from vires.core.staging import stage
from vires.ops.contract import dot_general
from vires.ops.elementwise import add
from vires.ops.reduce import reduce_sum
from vires.ops.shape import move_axis, transpose

#: Multiplications of one turn, and terms of a sum, from which a product is worth its place outside.
_WORTH, _TERMS = 32_768, 8
#: A stacked value may be so much larger than what a turn reads or writes otherwise; bytes at most.
_SPREAD, _BYTES = 8, 1 << 28


class Hoisted(NamedTuple):
    """A program (slices, constant) or (constant, slices) -> stacked results."""

    program: ClosedJaxpr
    #: Positions among the arguments of the loop.
    operands: tuple[int, int]


class Sunk(NamedTuple):
    """A program (first value, stacked operands) -> last value of a carried value."""

    carry: int
    program: ClosedJaxpr
    #: For each operand ("xs" or "ys", number).
    sources: tuple[tuple[str, int], ...]


class Plan(NamedTuple):
    """What is done before and after a loop, and what is left inside."""

    hoisted: tuple[Hoisted, ...]
    body: ClosedJaxpr
    #: The carried values that are left.
    kept: tuple[int, ...]
    sunk: tuple[Sunk, ...]


@memo.per_program
def plan_products(closed: ClosedJaxpr, length: int, num_consts: int, num_carry: int) -> Plan | None:
    """What can be taken out of the body of a scan; None if that is nothing."""
    eqns = closed.jaxpr.eqns
    if length < 2 or not any(eqn.primitive is dot_general for eqn in eqns):
        return None
    plan = _Planner(closed, length, num_consts, num_carry).plan()
    return plan if plan.hoisted or plan.sunk else None


class _Planner:
    """One body: who makes its values and who uses them."""

    def __init__(self, closed: ClosedJaxpr, length: int, num_consts: int, num_carry: int) -> None:
        jaxpr = closed.jaxpr
        self.closed, self.jaxpr, self.length = closed, jaxpr, length
        self.num_consts, self.num_carry = num_consts, num_carry
        self.consts: dict[Atom, int] = {v: i for i, v in enumerate(jaxpr.invars[:num_consts])}
        self.slices = jaxpr.invars[num_consts + num_carry :]
        self.xs: dict[Atom, int] = {v: i for i, v in enumerate(self.slices)}
        self.stacked: dict[Atom, int] = {
            v: i for i, v in enumerate(jaxpr.outvars[num_carry:]) if isinstance(v, Var)
        }
        self.ys = list(jaxpr.outvars[num_carry:])
        self.makers: dict[Atom, JaxprEqn] = {v: eqn for eqn in jaxpr.eqns for v in eqn.outvars}
        self.uses: Counter[Any] = Counter(v for eqn in jaxpr.eqns for v in eqn.invars)
        self.uses.update(jaxpr.outvars)

    def plan(self) -> Plan:
        """Find what can be taken out, and the body without it."""
        jaxpr, num_consts, num_carry = self.jaxpr, self.num_consts, self.num_carry
        hoisted: list[Hoisted] = []
        given: list[Var] = []
        for eqn in jaxpr.eqns:
            found = self._hoist(eqn)
            if found is not None:
                hoisted.append(found)
                given += eqn.outvars
        sunk = [x for i in range(num_carry) if (x := self._sink_product(i)) is not None]
        sunk += [x for i in range(num_carry) if (x := self._sink_sum(i)) is not None]
        gone = {x.carry for x in sunk}
        kept = [i for i in range(num_carry) if i not in gone]
        arguments = [
            *jaxpr.invars[:num_consts],
            *[jaxpr.invars[num_consts + i] for i in kept],
            *self.slices,
            *given,
        ]
        results = [*[jaxpr.outvars[i] for i in kept], *self.ys]
        known = set(given)
        left = [eqn for eqn in jaxpr.eqns if known.isdisjoint(eqn.outvars)]
        whole = Jaxpr(jaxpr.constvars, arguments, results, left)
        needed, _ = dce_equations(whole, [True] * len(results))
        body = ClosedJaxpr(Jaxpr(jaxpr.constvars, arguments, results, needed), self.closed.consts)
        return Plan(tuple(hoisted), body, tuple(kept), tuple(sunk))

    def _hoist(self, eqn: JaxprEqn) -> Hoisted | None:
        """A product of a slice and a constant of the loop."""
        if eqn.primitive is not dot_general:
            return None
        lhs, rhs = eqn.invars
        if lhs in self.xs and rhs in self.consts:
            dims: tuple[int | None, int | None] = (0, None)
        elif lhs in self.consts and rhs in self.xs:
            dims = (None, 0)
        else:
            return None
        piece, out = (lhs if dims[0] == 0 else rhs).aval, eqn.outvars[0].aval
        nbytes = self.length * out.size * out.dtype.itemsize
        if not _is_worth(eqn) or out.size > _SPREAD * piece.size or nbytes > _BYTES:
            return None
        axis = AxisData(None, self.length)
        params = eqn.params

        def function(x: Any, y: Any) -> list[Any]:
            result, at = dot_general.batch(axis, (x, y), dims, **params)
            return [move_axis(result, at, 0)]

        avals = [
            v.aval if d is None else self._whole(v) for v, d in zip(eqn.invars, dims, strict=True)
        ]
        start = self.num_consts + self.num_carry
        operands = [
            start + self.xs[v] if d == 0 else self.consts[v]
            for v, d in zip(eqn.invars, dims, strict=True)
        ]
        return Hoisted(stage(function, avals), (operands[0], operands[1]))

    def _added(self, number: int) -> Var | None:
        """What a carried value adds to itself and does nothing else with."""
        carried = self.jaxpr.invars[self.num_consts + number]
        after = self.jaxpr.outvars[number]
        eqn = self.makers.get(after)
        if eqn is None or eqn.primitive is not add or self.uses[carried] != 1:
            return None
        if self.uses[after] != 1 or carried not in eqn.invars:
            return None
        term = eqn.invars[1] if eqn.invars[0] is carried else eqn.invars[0]
        return term if isinstance(term, Var) and self.uses[term] == 1 else None

    def _sink_product(self, number: int) -> Sunk | None:
        term = self._added(number)
        permutations: list[tuple[int, ...]] = []
        eqn = None if term is None else self.makers.get(term)
        while eqn is not None and eqn.primitive is transpose and self.uses[eqn.invars[0]] == 1:
            permutations.append(eqn.params["permutation"])
            eqn = self.makers.get(eqn.invars[0])
        if eqn is None or eqn.primitive is not dot_general or not _is_worth(eqn):
            return None
        lhs, rhs = eqn.invars
        if any(v in self.consts or not isinstance(v, Var) for v in eqn.invars):
            return None
        new = [v for v in {lhs, rhs} if v not in self.xs and v not in self.stacked]
        size = sum(v.aval.size for v in new)
        nbytes = self.length * size * eqn.outvars[0].aval.dtype.itemsize
        if size > 2 * eqn.outvars[0].aval.size or nbytes > _BYTES:
            return None
        (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = eqn.params["dimension_numbers"]
        contracting = (_past(lhs_contract), _past(rhs_contract))
        contracting = ((0, *contracting[0]), (0, *contracting[1]))
        numbers = (contracting, (_past(lhs_batch), _past(rhs_batch)))
        params = {**eqn.params, "dimension_numbers": numbers}

        def function(first: Any, x: Any, y: Any) -> list[Any]:
            result = dot_general(x, y, **params)
            for permutation in reversed(permutations):
                result = transpose(result, permutation=permutation)
            return [add(first, result)]

        carried = self.jaxpr.invars[self.num_consts + number].aval
        program = stage(function, [carried, self._whole(lhs), self._whole(rhs)])
        return Sunk(number, program, (self._source(lhs), self._source(rhs)))

    def _sink_sum(self, number: int) -> Sunk | None:
        """A sum of a value that is stacked anyway."""
        term = self._added(number)
        eqn = None if term is None else self.makers.get(term)
        if eqn is None or eqn.primitive is not reduce_sum:
            return None
        x, axes = eqn.invars[0], eqn.params["axes"]
        if x not in self.stacked and x not in self.xs:
            return None
        params = {**eqn.params, "axes": (0, *_past(axes))}

        def function(first: Any, x: Any) -> list[Any]:
            return [add(first, reduce_sum(x, **params))]

        carried = self.jaxpr.invars[self.num_consts + number].aval
        program = stage(function, [carried, self._whole(x)])
        return Sunk(number, program, (self._source(x),))

    def _source(self, x: Atom) -> tuple[str, int]:
        """Where the stacked values of a variable are."""
        if x in self.xs:
            return "xs", self.xs[x]
        if x not in self.stacked:
            self.stacked[x] = len(self.ys)
            self.ys.append(x)
        return "ys", self.stacked[x]

    def _whole(self, x: Atom) -> ShapedArray:
        return ShapedArray((self.length, *x.aval.shape), x.aval.dtype)


def _past(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple([d + 1 for d in axes])


def _is_worth(eqn: JaxprEqn) -> bool:
    """Whether a product is large enough to be done elsewhere."""
    lhs, out = eqn.invars[0].aval, eqn.outvars[0].aval
    contracting: tuple[int, ...] = eqn.params["dimension_numbers"][0][0]
    terms = math.prod([lhs.shape[d] for d in contracting])
    return terms >= _TERMS and out.size * terms >= _WORTH
