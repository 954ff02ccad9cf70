"""Named axes that programs refer to.

An operation whose program has a collective over the axis that vmap maps depends on the example even
if none of its operands does.
"""

from __future__ import annotations

from typing import Any

from vires.core import memo
from vires.core.jaxpr import ClosedJaxpr, subjaxprs


@memo.per_program
def axes_of_program(closed: ClosedJaxpr) -> frozenset[Any]:
    """The named axes that a program refers to."""
    found: set[Any] = set()
    for eqn in closed.eqns:
        names = getattr(eqn.primitive, "axis_names", None)
        if names is not None:
            found.update(names(eqn.params))
    return frozenset(found)


def axes_of_params(params: dict[str, Any]) -> frozenset[Any]:
    """The named axes that the programs among an operation's parameters refer to."""
    return frozenset().union(
        *(
            axes_of_program(p if isinstance(p, ClosedJaxpr) else ClosedJaxpr(p))
            for p in subjaxprs(params)
        )
    )
