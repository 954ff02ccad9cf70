"""Convolution, correlation, phases, and the Bessel function of `kaiser`."""

from __future__ import annotations

import math
from typing import Any

from vires.core import dtypes
from vires.numpy.arithmetic import remainder
from vires.numpy.choosing import where
from vires.numpy.cumulative import cumsum, diff
from vires.numpy.float_parts import conj
from vires.numpy.operands import convert, operand, promote, promote_inexact
from vires.numpy.ufunc import elementwise
from vires.ops.convolve import ConvDimensionNumbers, conv_general_dilated
from vires.ops.elementwise import abs as abs_p
from vires.ops.elementwise import mul
from vires.ops.join import concatenate
from vires.ops.math import exp
from vires.ops.parts import rev
from vires.ops.shape import expand_dims, squeeze
from vires.ops.special import bessel_i0e

__all__ = ["convolve", "correlate", "i0", "unwrap"]


def _slide(
    function: str, a: Any, v: Any, mode: str, precision: Any, preferred: Any, correlation: bool
) -> Any:
    x, y = promote(operand(a, function, "a"), operand(v, function, "v"))
    if x.aval.ndim != 1 or y.aval.ndim != 1:
        raise ValueError(
            f"{function}: needs two 1-d arrays; got shapes {x.aval.shape} and {y.aval.shape}"
        )
    if not x.aval.size or not y.aval.size:
        raise ValueError(
            f"{function}: needs arrays with elements; got sizes {x.aval.size} and {y.aval.size}"
        )
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"{function}: needs mode 'full', 'same' or 'valid'; got {mode!r}")
    swapped = x.aval.size < y.aval.size
    if correlation:
        y = conj(y)
        if swapped:
            x, y = rev(y, dimensions=(0,)), rev(x, dimensions=(0,))
    else:
        if swapped:
            x, y = y, x
        y = rev(y, dimensions=(0,))
    n = y.aval.size
    before, after = {"valid": (0, 0), "full": (n - 1, n - 1), "same": (n // 2, n - 1 - n // 2)}[
        mode
    ]
    if mode == "same" and correlation and swapped:
        before, after = after, before
    return convert(_convolve(x, y, (before, after), precision, preferred),
        x.aval.dtype if preferred is None else
                   dtypes.canonical(preferred))  # fmt: skip


def _convolve(x: Any, y: Any, padding: tuple[int, int], precision: Any, preferred: Any) -> Any:
    own = x.aval.dtype
    if own == dtypes.bool_:
        x, y = convert(x, dtypes.default_int()), convert(y, dtypes.default_int())
    x, y = expand_dims(x, (0, 1)), expand_dims(y, (0, 1))
    result = conv_general_dilated(
        x,
        y,
        window_strides=(1,),
        padding=(padding,),
        lhs_dilation=(1,),
        rhs_dilation=(1,),
        dimension_numbers=ConvDimensionNumbers((0, 1, 2), (0, 1, 2), (0, 1, 2)),
        feature_group_count=1,
        batch_group_count=1,
        precision=precision,
        preferred_element_type=None if preferred is None else dtypes.canonical(preferred),
    )
    return squeeze(result, dimensions=(0, 1))


def convolve(
    a: Any, v: Any, mode: str = "full", *, precision: Any = None, preferred_element_type: Any = None
) -> Any:
    """sum_k a_k v_(n - k) of two 1-d arrays, where they overlap at all ("full"), entirely
    ("valid"), or for the size of
    the longer one ("same")."""
    return _slide("convolve", a, v, mode, precision, preferred_element_type, correlation=False)


def correlate(
    a: Any,
    v: Any,
    mode: str = "valid",
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """sum_k a_(n + k) conj(v_k) of two 1-d arrays; the modes are those of `convolve`."""
    return _slide("correlate", a, v, mode, precision, preferred_element_type, correlation=True)


def unwrap(p: Any, discont: Any = None, axis: int = -1, period: Any = 2 * math.pi) -> Any:
    """Phases along an axis with multiples of the period added so that neighbours differ by at most
    half of it."""
    x = operand(p, "unwrap", "p")
    if not dtypes.is_integer(x.aval.dtype) or not isinstance(period, int):
        (x,) = promote_inexact(x)
    if not x.aval.ndim:
        return x
    axis = axis % x.aval.ndim
    steps = diff(x, axis=axis)
    half = period // 2 if dtypes.is_integer(x.aval.dtype) else period / 2
    limit = half if discont is None else discont
    low = (
        -half if not dtypes.is_integer(x.aval.dtype) else -(period - half) if period % 2 else -half
    )
    folded = remainder(steps - low, period) + low
    exact_half = (folded == low) & (steps > 0)
    if not (dtypes.is_integer(x.aval.dtype) and period % 2):
        folded = where(exact_half, -low, folded)
    correction = where(abs(steps) < limit, 0, folded - steps)
    first = x[(slice(None),) * axis + (slice(0, 1),)]
    rest = x[(slice(None),) * axis + (slice(1, None),)]
    return concatenate(
        first, convert(rest + cumsum(correction, axis), x.aval.dtype), dimension=axis
    )


@elementwise("inexact")
def i0(x):
    """The modified Bessel function of the first kind of order 0."""
    size = abs_p(x)
    return mul(exp(size), bessel_i0e(x))
