"""Operations that give their operands back: copy and optimization_barrier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Zero
from vires.ops.accept import ANY
from vires.ops.families import SAME, Elementwise, is_linear
from vires.ops.filled import zeros
from vires.ops.linear import tangent_zero

copy = Elementwise(
    "copy",
    ANY,
    """x in memory of its own.""",
    reference=np.array,
    jvp=SAME,
    transpose=lambda ct, x: [ct],
    loops=lambda b, x: x,
    widen=False,
)


def _barrier_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    results = optimization_barrier(*primals)
    known = [t for t in tangents if t.__class__ is not Zero]
    kept = iter(optimization_barrier(*known) if known else ())
    return results, [
        tangent_zero(x.aval) if t.__class__ is Zero else next(kept)
        for x, t in zip(results, tangents, strict=True)
    ]


def _barrier_transpose(cts: Sequence[Any], *operands: Any) -> list[Any]:
    linear = [is_linear(x) for x in operands]
    given = [
        zeros(ct.aval) if ct.__class__ is Zero else ct
        for ct, is_in in zip(cts, linear, strict=True)
        if is_in
    ]
    passed = iter(optimization_barrier(*given))
    return [next(passed) if is_in else None for is_in in linear]


def _barrier_batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None]
) -> tuple[list[Any], list[int | None]]:
    return optimization_barrier(*operands), list(dims)


def _barrier_infer(*avals: ShapedArray) -> list[ShapedArray]:
    return list(avals)


optimization_barrier = Primitive(
    "optimization_barrier",
    """The operands, none of which is used before all are computed.""",
    infer=_barrier_infer,
    reference=lambda *arrays: list(arrays),
    jvp=_barrier_jvp,
    transpose=_barrier_transpose,
    batch=_barrier_batch,
    loops=lambda b, *operands: [b.pull(x.at) for x in operands],
    multiple_results=True,
)
