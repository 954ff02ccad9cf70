"""The checker of staged programs: what `config.enable_checks` asks of every program that is staged.

A program is well formed when each variable is defined once and before its use, each equation's
results have the types that its primitive infers, and the programs inside are well formed too.
"""

from __future__ import annotations

from vires.core.jaxpr import Atom, ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, subjaxprs
from vires.core.trace import aval_of


class MalformedProgram(AssertionError):
    """A staged program breaks a law of the language: an error of Vires, not of the user."""


def check_program(closed: ClosedJaxpr) -> None:
    """Raise unless a closed program is well formed.

    Raises:
        MalformedProgram: names the law and the equation.
    """
    jaxpr = closed.jaxpr
    if len(jaxpr.constvars) != len(closed.consts):
        raise MalformedProgram(
            f"jaxpr: needs a value for each constant; got {len(closed.consts)} "
            f"for {len(jaxpr.constvars)}"
        )
    for var, value in zip(jaxpr.constvars, closed.consts, strict=True):
        if not aval_of(value).same_type(var.aval):
            raise MalformedProgram(
                f"jaxpr: needs constants of their variables' types; got "
                f"{aval_of(value).str_short()} for {var.aval.str_short()}"
            )
    check_jaxpr(jaxpr)


def check_jaxpr(jaxpr: Jaxpr) -> None:
    """Raise unless a program is well formed, its constants aside."""
    defined: set[Var] = set()
    for var in (*jaxpr.constvars, *jaxpr.invars):
        _define(defined, var, "an argument")
    for eqn in jaxpr.eqns:
        for atom in eqn.invars:
            _use(defined, atom, str(eqn.primitive))
        _check_types(eqn)
        for inner in subjaxprs(eqn.params):
            check_program(inner) if isinstance(inner, ClosedJaxpr) else check_jaxpr(inner)
        for var in eqn.outvars:
            _define(defined, var, f"a result of {eqn.primitive}")
    for atom in jaxpr.outvars:
        _use(defined, atom, "the results")


def _define(defined: set[Var], var: Var, what: str) -> None:
    if var in defined:
        raise MalformedProgram(f"jaxpr: needs one definition of each variable; got two of {what}")
    defined.add(var)


def _use(defined: set[Var], atom: Atom, where: str) -> None:
    if not isinstance(atom, Literal) and atom not in defined:
        raise MalformedProgram(
            f"jaxpr: needs variables that are defined before they are used; got one of type "
            f"{atom.aval.str_short()} in {where} that is not"
        )


def _check_types(eqn: JaxprEqn) -> None:
    inferred = eqn.primitive.infer(*[x.aval for x in eqn.invars], **eqn.params)
    expected = list(inferred) if eqn.primitive.multiple_results else [inferred]
    found = [v.aval for v in eqn.outvars]
    if len(found) != len(expected) or not all(
        a.same_type(b) for a, b in zip(found, expected, strict=True)
    ):
        raise MalformedProgram(
            f"{eqn.primitive}: needs results of the inferred types "
            f"({', '.join(a.str_short() for a in expected)}); "
            f"got ({', '.join(a.str_short() for a in found)}) at {eqn.source}"
        )
