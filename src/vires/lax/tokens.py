"""Tokens, which order operations elsewhere, and sending along named axes by their means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import tree
from vires.core.trace import EVAL, aval_of, thread
from vires.lax.arguments import array
from vires.lax.collective import AxisName, ppermute
from vires.lax.shape import optimization_barrier
from vires.ops.accept import refuse, typed_all


class Token:
    """What an operation leaves for a later one to wait for; it carries what `psend` sent.

    Programs here do what has effects in the order in which it was written, with or without tokens.
    """

    def __init__(self, values: Any = None) -> None:
        self.values = values

    def __repr__(self) -> str:
        return "Token()"

    def block_until_ready(self) -> Token:
        """The token: nothing runs late."""
        return self


tree.register_node(Token, lambda t: ((t.values,), None), lambda _, children: Token(*children))


def after_all(*operands: Token) -> Token:
    """One token for several."""
    if not all(isinstance(x, Token) for x in operands):
        raise TypeError(f"after_all: needs tokens; got {operands!r:.80}")
    return Token()


def psend(x: Any, axis_name: AxisName, perm: Sequence[tuple[int, int]]) -> Token:
    """Send values along a named axis as (source, destination) pairs say; `precv` receives them.

    >>> import numpy as np
    >>> import vires
    >>> from vires import lax
    >>> def f(x):
    ...     token = lax.psend(x, "i", [(0, 1), (1, 0)])
    ...     return lax.precv(token, x, "i", [(0, 1), (1, 0)])
    >>> vires.vmap(f, axis_name="i")(np.array([1.0, 2.0])).tolist()
    [2.0, 1.0]
    """
    return Token(ppermute(x, axis_name, perm))


def precv(token: Token, out_shape: Any, axis_name: AxisName, perm: Sequence[Any]) -> Any:
    """What was sent along a named axis with `psend`, of the types of `out_shape`.

    Raises:
      TypeError: a token of no `psend`, or values of other types.
    """
    if not isinstance(token, Token) or token.values is None:
        raise TypeError(f"precv: needs the token of a psend; got {token!r:.80}")
    wanted, structure = tree.flatten(out_shape)
    found = tree.leaves(token.values)
    avals = [aval_of(x) for x in found]
    if tree.structure(token.values) != structure or any(
        (a.shape, a.dtype) != (tuple(w.shape), w.dtype) for a, w in zip(avals, wanted, strict=True)
    ):
        raise refuse(
            "precv", f"an out_shape like what was sent, {typed_all(tuple(avals))}", f"{out_shape!r}"
        )
    return token.values


def stage(x: Any, /) -> Any:
    """x as a value of the program that is being traced; outside of one, x as an array.

    >>> from vires import lax
    >>> lax.stage(2.0)
    Array(2., dtype=float32, weak_type=True)
    """
    value = array(x)
    return value if thread.trace is EVAL else optimization_barrier(value)


def with_sharding_constraint(x: Any, shardings: Any) -> Any:
    """x, which lies whole on the one device that there is."""
    return tree.map(array, x)


__all__ = ["after_all", "precv", "psend", "stage", "with_sharding_constraint"]
