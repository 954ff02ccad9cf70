"""Running sums and products, differences, integrals."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy.arithmetic import multiply, subtract, where_
from vires.numpy.comparison import bitwise_xor, truth
from vires.numpy.creation import asarray, flat
from vires.numpy.float_parts import isnan
from vires.numpy.operands import (
    axis_index,
    broadcast,
    convert,
    no_out,
    operand,
    promote,
    promote_inexact,
)
from vires.numpy.planned import planned
from vires.numpy.reductions import sum as sum_
from vires.ops import cumulative
from vires.ops.filled import full, full_like
from vires.ops.join import concatenate
from vires.ops.parts import slice as slice_p
from vires.ops.shape import expand_dims


def _running(function: str, primitive: Any, a: Any, axis: Any, dtype: Any, out: Any) -> Any:
    no_out(function, out)
    x = operand(a, function, "a")
    weak = x.aval.weak_type and dtype is None
    own = x.aval.dtype
    if dtype is None:
        dtype = dtypes.default_int() if own == dtypes.bool_ else own
    dtype = dtypes.canonical(dtype)
    if dtype == dtypes.bool_:
        dtype, x = dtypes.default_int(), truth(x)
        return convert(_running(function, primitive, x, axis, dtype, None), dtypes.bool_)
    x = convert(x, dtype, weak)
    if axis is None:
        x, axis = flat(x) if x.aval.ndim else expand_dims(x, (0,)), 0
    return primitive(x, axis=axis_index(function, axis, x.aval.ndim), reverse=False)


@planned("a")
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    """Running sums along an axis (None: of the flattened array), in the dtype of `a`; bool
    counts."""
    return _running("cumsum", cumulative.cumsum, a, axis, dtype, out)


@planned("a")
def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    """Running products along an axis (None: of the flattened array), in the dtype of `a`."""
    return _running("cumprod", cumulative.cumprod, a, axis, dtype, out)


def _replace_nan(function: str, a: Any, value: int) -> Any:
    x = operand(a, function, "a")
    return where_(isnan(x), full_like(x, value), x) if dtypes.is_inexact(x.aval.dtype) else x


def nancumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    """Running sums along an axis, nan counted as 0."""
    return cumsum(_replace_nan("nancumsum", a, 0), axis, dtype, out)


def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    """Running products along an axis, nan counted as 1."""
    return cumprod(_replace_nan("nancumprod", a, 1), axis, dtype, out)


def _standard(
    function: str,
    running: Any,
    first: int,
    x: Any,
    axis: int | None,
    dtype: Any,
    include_initial: bool,
) -> Any:
    x = operand(x, function)
    if axis is None:
        if x.aval.ndim != 1:
            raise ValueError(
                f"{function}: needs axis= for an array of {x.aval.ndim} dimensions; got None"
            )
        axis = 0
    axis = axis_index(function, axis, x.aval.ndim)
    if dtype is None and dtypes.is_integer(x.aval.dtype):
        default = dtypes.default_int()
        if x.aval.dtype.itemsize < default.itemsize:
            signed = dtypes.kind(x.aval.dtype) == "signed"
            dtype = default if signed else np.dtype(f"uint{8 * default.itemsize}")
    result = running(x, axis, dtype)
    if not include_initial:
        return result
    shape = tuple(1 if d == axis else n for d, n in enumerate(result.aval.shape))
    return concatenate(
        full(shape, first, result.aval.dtype), convert(result, result.aval.dtype), dimension=axis
    )


def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Running sums along an axis, small integers in 32 bits; a leading 0 when `include_initial`."""
    return _standard("cumulative_sum", cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Running products along an axis, small integers in 32 bits; a leading 1 when
    `include_initial`."""
    return _standard("cumulative_prod", cumprod, 1, x, axis, dtype, include_initial)


# --- differences and integrals


def along(x: Any, axis: int, start: int, stop: int) -> Any:
    """The slices from start to stop along one axis."""
    starts = tuple(start if d == axis else 0 for d in range(x.aval.ndim))
    limits = tuple(stop if d == axis else n for d, n in enumerate(x.aval.shape))
    return slice_p(x, start_indices=starts, limit_indices=limits, strides=None)


@planned("a", "prepend", "append")
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along an axis, n times over."""
    x = operand(a, "diff", "a")
    n = operator.index(n)
    if n < 0:
        raise ValueError(f"diff: needs n >= 0; got {n}")
    if not x.aval.ndim:
        raise ValueError("diff: needs at least 1 axis; got a 0-d array")
    axis = axis_index("diff", axis, x.aval.ndim)
    if n == 0:
        return x
    parts = []
    for part in (prepend, x, append):
        if part is None:
            continue
        part = operand(part, "diff", "prepend and append")
        if not part.aval.ndim:
            part = broadcast(part, tuple(1 if d == axis else m for d, m in enumerate(x.aval.shape)))
        parts.append(part)
    x = concatenate(*promote(*parts), dimension=axis) if len(parts) > 1 else x
    for _ in range(n):
        size = x.aval.shape[axis]
        if size < 1:
            break
        later, earlier = along(x, axis, 1, size), along(x, axis, 0, size - 1)
        x = (
            bitwise_xor(later, earlier)
            if x.aval.dtype == dtypes.bool_
            else subtract(later, earlier)
        )
    return x


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours in the flattened array, with values before and after."""
    x = flat(operand(ary, "ediff1d", "ary"))
    size = x.aval.size
    parts = [subtract(along(x, 0, 1, size), along(x, 0, 0, size - 1)) if size else x]
    if to_begin is not None:
        parts.insert(0, flat(asarray(to_begin)))
    if to_end is not None:
        parts.append(flat(asarray(to_end)))
    return (
        concatenate(*(convert(part, x.aval.dtype) for part in parts), dimension=0)
        if len(parts) > 1
        else parts[0]
    )


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of samples by the trapezoidal rule, at places `x` or `dx` apart."""
    (y,) = promote_inexact(operand(y, "trapezoid", "y"))
    axis = axis_index("trapezoid", axis, y.aval.ndim)
    size = y.aval.shape[axis]
    means = (along(y, axis, 1, size) + along(y, axis, 0, size - 1)) * 0.5
    if x is None:
        return multiply(sum_(means, axis), dx)
    places = operand(x, "trapezoid", "x")
    if places.aval.ndim == 1:
        widths = diff(places)
        widths = expand_dims(widths, tuple(range(1, y.aval.ndim - axis)))
    else:
        widths = diff(places, axis=axis)
    return sum_(multiply(means, widths), axis)


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int | None = None) -> Any:
    """Derivatives of samples along axes by central differences, one-sided at the ends; a list for
    several axes.

    `varargs` are the spacings: none (1), one for all axes, or one each, a number or the places
    along the axis.
    """
    if edge_order not in (None, 1):
        raise NotImplementedError(f"gradient: needs edge_order=1; got {edge_order}")
    (x,) = promote_inexact(operand(f, "gradient", "f"))
    given = (
        tuple(range(x.aval.ndim))
        if axis is None
        else axis
        if isinstance(axis, (tuple, list))
        else (axis,)
    )
    axes = [axis_index("gradient", d, x.aval.ndim) for d in given]
    spacings = (
        list(varargs)
        if len(varargs) == len(axes)
        else list(varargs) * len(axes)
        if varargs
        else [1.0] * len(axes)
    )
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError(
            f"gradient: needs no spacing, one, or one for each of {len(axes)} axes; got "
            f"{len(varargs)}"
        )
    results = [_gradient_along(x, d, spacing) for d, spacing in zip(axes, spacings, strict=True)]
    return (
        results[0]
        if len(axes) == 1 and (axis is None or not isinstance(axis, (tuple, list)))
        else results
    )


def _gradient_along(x: Any, axis: int, spacing: Any) -> Any:
    size = x.aval.shape[axis]
    if size < 2:
        raise ValueError(f"gradient: needs at least 2 samples along axis {axis}; got {size}")
    steps = operand(spacing, "gradient", "varargs")
    if steps.aval.ndim:
        widths = diff(steps)
        widths = expand_dims(widths, tuple(range(1, x.aval.ndim - axis)))
        before, after = along(widths, 0, 0, size - 2), along(widths, 0, 1, size - 1)
        first, last = along(widths, 0, 0, 1), along(widths, 0, size - 2, size - 1)
        inner = (
            along(x, axis, 0, size - 2) * (-after / (before * (before + after)))
            + along(x, axis, 1, size - 1) * ((after - before) / (before * after))
            + along(x, axis, 2, size) * (before / (after * (before + after)))
        )
    else:
        first = last = steps
        inner = (along(x, axis, 2, size) - along(x, axis, 0, size - 2)) * 0.5 / steps
    low = (along(x, axis, 1, 2) - along(x, axis, 0, 1)) / first
    high = (along(x, axis, size - 1, size) - along(x, axis, size - 2, size - 1)) / last
    return concatenate(*promote(low, inner, high), dimension=axis)


__all__ = [
    "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "diff", "ediff1d", "gradient",
    "nancumprod", "nancumsum", "trapezoid",
]  # fmt: skip
