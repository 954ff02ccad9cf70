"""Complex numbers and their parts.

Transposes are without conjugation: the cotangent w of z pairs with a tangent dz as Re(w dz).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.ops.accept import COMPLEX, DtypeSet, check_dtype, check_one_type
from vires.ops.families import SAME, Elementwise, declared, is_linear
from vires.ops.filled import full_like

PARTS = DtypeSet("float32 or float64", "x.astype(float32)", (dtypes.float32, dtypes.float64))


def _of_parts(x: ShapedArray, y: ShapedArray) -> ShapedArray:
    check_one_type("complex", (x, y))
    check_dtype("complex", x, PARTS)
    return ShapedArray(x.shape, dtypes.complex_of(x.dtype), x.weak_type and y.weak_type)


complex = Elementwise(
    "complex",
    PARTS,
    """x + i y.""",
    reference=lambda x, y: _join(x, y),
    infer=_of_parts,
    jvp=(
        lambda x, y, dx: complex(dx, full_like(dx, 0)),
        lambda x, y, dy: complex(full_like(dy, 0), dy),
    ),
    transpose=lambda ct, x, y: [
        real(ct) if is_linear(x) else None,
        _minus(imag(ct)) if is_linear(y) else None,
    ],
    loops=lambda b, x, y: b.op("complex", x, y),
)


def _join(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    out = np.empty(x.shape, dtypes.complex_of(x.dtype))
    out.real, out.imag = x, y
    return out


def _minus(x: Any) -> Any:
    return declared("neg")(x)


real = Elementwise(
    "real",
    COMPLEX,
    """The real part.""",
    reference=np.real,
    result=dtypes.real_of,
    jvp=SAME,
    transpose=lambda ct, x: [complex(ct, full_like(ct, 0))],
    loops=lambda b, x: b.op("real", x),
)

imag = Elementwise(
    "imag",
    COMPLEX,
    """The imaginary part.""",
    reference=np.imag,
    result=dtypes.real_of,
    jvp=SAME,
    transpose=lambda ct, x: [complex(full_like(ct, 0), _minus(ct))],
    loops=lambda b, x: b.op("imag", x),
)

conj = Elementwise(
    "conj",
    COMPLEX,
    """The complex conjugate.""",
    reference=np.conj,
    jvp=SAME,
    transpose=lambda ct, x: [conj(ct)],
    loops=lambda b, x: b.op("conj", x),
)
