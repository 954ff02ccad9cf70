"""How the operands of a scan are arranged, and binding one like another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.control.dce import dce, keep_inputs
from vires.control.programs import split
from vires.core import memo
from vires.core.jaxpr import ClosedJaxpr
from vires.ops.linear import declared

Dims = Sequence[int | None]
Params = dict[str, Any]


def bind_scan(
    consts: Sequence[Any],
    init: Sequence[Any],
    xs: Sequence[Any],
    jaxpr: ClosedJaxpr,
    params: Params,
    reverse: bool | None = None,
    linear_carry: bool = False,
) -> tuple[list[Any], list[Any]]:
    """Bind a scan like another one (`params`): the final carry and the stacked results.

    `linear_carry` says that the body is linear in the carry, so that a carry which starts from a
    known value starts from zero: transposing need not ask where the carry comes from.
    """
    out = declared("scan")(
        *consts,
        *init,
        *xs,
        jaxpr=jaxpr,
        length=params["length"],
        reverse=params["reverse"] if reverse is None else reverse,
        num_consts=len(consts),
        num_carry=len(init),
        linear=(*(False,) * len(consts), *(linear_carry,) * len(init), *(False,) * len(xs)),
        unroll=params["unroll"],
        _split_transpose=params["_split_transpose"],
    )
    return out[: len(init)], out[len(init) :]


def parts_of(params: Params, items: Sequence[Any]) -> list[list[Any]]:
    """Constants, carry, xs."""
    return list(split(items, params["num_consts"], params["num_carry"]))


@memo.per_program
def live_body(
    jaxpr: ClosedJaxpr, num_consts: int, num_carry: int, used: tuple[bool, ...]
) -> tuple[list[bool], list[bool], ClosedJaxpr]:
    """Which carries and arguments of the body the used results need, and the body of these."""
    used_carry, used_ys = list(used[:num_carry]), used[num_carry:]
    while True:
        body, inputs = dce(jaxpr, (*used_carry, *used_ys))
        needed = inputs[num_consts : num_consts + num_carry]
        if all(u or not n for u, n in zip(used_carry, needed, strict=True)):
            break
        used_carry = [a or b for a, b in zip(used_carry, needed, strict=True)]
    # A carry that is used stays an argument even if the body overwrites it.
    full = [*inputs[:num_consts], *used_carry, *inputs[num_consts + num_carry :]]
    return used_carry, full, keep_inputs(jaxpr, body, tuple(full))
