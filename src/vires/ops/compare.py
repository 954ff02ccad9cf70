"""Comparisons and predicates: the result is bool and has no derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core import dtypes
from vires.dialect.loops import LoopBuilder, Value
from vires.ops.accept import ANY, BOOL_OR_REAL, FLOAT, DtypeSet
from vires.ops.families import ZERO, Elementwise, to_bool


def _comparison(name: str, accepts: DtypeSet, doc: str, reference: Any, loops: Any) -> Elementwise:
    return Elementwise(
        name, accepts, doc, reference=reference, result=to_bool, jvp=(ZERO, ZERO), loops=loops
    )


eq = _comparison(
    "eq",
    ANY,
    """x = y; false for nan, true for 0.0 and -0.0.""",
    np.equal,
    lambda b, x, y: b.op("eq", x, y),
)
ne = _comparison(
    "ne", ANY, """x != y; true for nan.""", np.not_equal, lambda b, x, y: b.op("ne", x, y)
)
lt = _comparison(
    "lt", BOOL_OR_REAL, """x < y; false for nan.""", np.less, lambda b, x, y: b.op("lt", x, y)
)
le = _comparison(
    "le",
    BOOL_OR_REAL,
    """x <= y; false for nan.""",
    np.less_equal,
    lambda b, x, y: b.op("le", x, y),
)
gt = _comparison(
    "gt", BOOL_OR_REAL, """x > y; false for nan.""", np.greater, lambda b, x, y: b.op("gt", x, y)
)
ge = _comparison(
    "ge",
    BOOL_OR_REAL,
    """x >= y; false for nan.""",
    np.greater_equal,
    lambda b, x, y: b.op("ge", x, y),
)

# --- total order: -nan < -inf < ... < -0.0 < 0.0 < ... < inf < nan


def _rank(x: np.ndarray) -> np.ndarray:
    """Integers in the total order of the floats."""
    if dtypes.kind(x.dtype) != "float":
        return x.astype(np.int8) if x.dtype.kind == "V" else x
    if x.dtype.name == "float8_e8m0fnu":  # it has no sign
        return x.view(np.uint8)
    bits = x.view(f"i{x.dtype.itemsize}")
    if x.dtype.name == "float4_e2m1fn":  # the sign is the fourth bit
        return np.where(bits & 8, ~(bits & 7), bits)
    return np.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)


def _total(name: str, doc: str, compare: Any) -> Elementwise:
    def loops(b: LoopBuilder, x: Value, y: Value) -> Value:
        return b.op(name if dtypes.kind(x.dtype) == "float" else name[:2], x, y)

    return Elementwise(
        name,
        BOOL_OR_REAL,
        doc,
        reference=lambda x, y: compare(_rank(x), _rank(y)),
        result=to_bool,
        jvp=(ZERO, ZERO),
        loops=loops,
        widen=False,
    )


eq_to = _total("eq_to", """x and y are the same number in the total order.""", np.equal)
le_to = _total("le_to", """x <= y in the total order.""", np.less_equal)
lt_to = _total("lt_to", """x < y in the total order.""", np.less)

# --- predicates

is_finite = Elementwise(
    "is_finite",
    FLOAT,
    """Whether x is neither infinite nor nan.""",
    reference=np.isfinite,
    result=to_bool,
    jvp=ZERO,
    loops=lambda b, x: b.op("is_finite", x),
)
