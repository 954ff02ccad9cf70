"""A function applied to each element as often as an array says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vires.control.loops import while_loop
from vires.core.trace import Tracer, aval_of
from vires.ops.compare import gt, lt
from vires.ops.elementwise import add
from vires.ops.filled import scalar
from vires.ops.reduce import reduce_max
from vires.ops.select import select_n
from vires.ops.shape import broadcast

#: Rounds that are written out where it is known how many there are; these have all derivatives.
_WRITTEN = 16


def apply_repeatedly(function: Callable[[Any], Any], values: Any, times: Any) -> Any:
    """`function` applied to each element of `values` as often as the int32 array `times` of the
    same shape says, but at least once.
    """
    aval, counts = aval_of(values), aval_of(times)
    values = function(values)
    if not aval.size:
        return values

    def round_of(k: Any, values: Any) -> Any:
        again = gt(times, broadcast(k, counts.shape, ()))
        return select_n(again, values, function(values))

    known = times.concrete() if isinstance(times, Tracer) else times
    rounds = None if known is None else int(np.max(np.asarray(known)))
    if rounds is not None and rounds <= _WRITTEN:
        for k in range(1, rounds):
            values = round_of(scalar(k, counts.dtype), values)
        return values
    most = reduce_max(times, axes=tuple(range(counts.ndim)))
    one = scalar(1, counts.dtype)
    return while_loop(
        lambda state: lt(state[0], most),
        lambda state: (add(state[0], one), round_of(state[0], state[1])),
        (one, values),
    )[1]
