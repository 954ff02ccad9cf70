"""Operations on bits; on bool the logical ones. None has a derivative."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vires.ops.accept import BOOL_OR_INTEGER, BYTES
from vires.ops.families import ZERO, Elementwise


def _binary(name: str, doc: str, reference: Callable[..., np.ndarray]) -> Elementwise:
    return Elementwise(
        name,
        BOOL_OR_INTEGER,
        doc,
        reference=reference,
        jvp=(ZERO, ZERO),
        loops=lambda b, x, y: b.op(name, x, y),
    )


and_ = _binary("and", """Bits set in both x and y.""", np.bitwise_and)
or_ = _binary("or", """Bits set in x or y.""", np.bitwise_or)
xor = _binary("xor", """Bits set in one of x and y.""", np.bitwise_xor)

not_ = Elementwise(
    "not",
    BOOL_OR_INTEGER,
    """All bits changed; on bool, the other value.""",
    reference=np.invert,
    jvp=ZERO,
    loops=lambda b, x: b.op("not", x),
)

# --- shifts


def _width(x: np.ndarray) -> int:
    return x.dtype.itemsize * 8


def _unsigned(x: np.ndarray) -> np.ndarray:
    return x.view(f"u{x.dtype.itemsize}")


def _shift(
    name: str, doc: str, shifted: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Elementwise:
    def reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        amount = _unsigned(y)  # negative amounts are large ones
        largest = np.asarray(_width(x) - 1, amount.dtype)
        inside = shifted(x, np.minimum(amount, largest).astype(x.dtype))
        if name == "shift_right_arithmetic":
            return inside
        return np.where(amount > largest, np.zeros_like(x), inside)

    return Elementwise(
        name,
        BYTES,
        doc,
        reference=reference,
        jvp=(ZERO, ZERO),
        loops=lambda b, x, y: b.op(name, x, y),
        widen=False,
    )


shift_left = _shift(
    "shift_left",
    """x 2^y modulo the width; 0 when y is negative or at least the width.""",
    np.left_shift,
)
shift_right_logical = _shift(
    "shift_right_logical",
    """Bits moved down by y, zeros from above; 0 when y is negative or at least the width.""",
    lambda x, y: np.right_shift(_unsigned(x), _unsigned(y)).view(x.dtype),
)
shift_right_arithmetic = _shift(
    "shift_right_arithmetic",
    """Bits moved down by y, copies of the highest bit from above.""",
    lambda x, y: np.right_shift(
        x.view(f"i{x.dtype.itemsize}"), y.view(f"i{x.dtype.itemsize}")
    ).view(x.dtype),
)

# --- counting


def _leading_zeros(x: np.ndarray) -> np.ndarray:
    rest, count = _unsigned(x).astype(np.uint64), np.full(x.shape, _width(x), np.uint64)
    for _ in range(_width(x)):
        count = np.where(rest != 0, count - 1, count)
        rest = rest >> np.uint64(1)
    return count.astype(x.dtype)


population_count = Elementwise(
    "population_count",
    BYTES,
    """The number of bits that are set.""",
    reference=lambda x: np.bitwise_count(_unsigned(x)).astype(x.dtype),
    jvp=ZERO,
    loops=lambda b, x: b.op("population_count", x),
    widen=False,
)

clz = Elementwise(
    "clz",
    BYTES,
    """The number of leading zero bits.""",
    reference=_leading_zeros,
    jvp=ZERO,
    loops=lambda b, x: b.op("clz", x),
    widen=False,
)

# --- wide product


def _mulhi_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wide = np.asarray(x.astype(object) * y.astype(object), object)
    return np.asarray(wide >> _width(x), object).astype(x.dtype)


mulhi = Elementwise(
    "mulhi",
    BYTES,
    """The upper half of the bits of the full product x y.""",
    reference=_mulhi_reference,
    jvp=(ZERO, ZERO),
    loops=lambda b, x, y: b.op("mulhi", x, y),
    widen=False,
)
