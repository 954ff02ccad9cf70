"""Initial values of parameters: functions of a random key, a shape and a dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from vires import random
from vires.core import dtypes
from vires.numpy import linalg
from vires.numpy.arithmetic import sign
from vires.numpy.creation import full
from vires.numpy.creation import ones as ones_array
from vires.numpy.creation import zeros as zeros_array
from vires.numpy.operands import operand
from vires.numpy.shaping import moveaxis
from vires.numpy.triangles import diag

__all__ = [
    "Initializer", "constant", "delta_orthogonal", "glorot_normal", "glorot_uniform", "he_normal",
    "he_uniform", "kaiming_normal", "kaiming_uniform", "lecun_normal", "lecun_uniform", "normal",
    "ones", "orthogonal", "truncated_normal", "uniform", "variance_scaling", "xavier_normal",
    "xavier_uniform", "zeros",
]  # fmt: skip

Axes = int | Sequence[int]


class Initializer(Protocol):
    """A function from a random key, a shape and a dtype to an array."""

    def __call__(
        self, key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None
    ) -> Any: ...


def _dtype(dtype: Any, default: Any) -> Any:
    chosen = default if dtype is None else dtype
    return dtypes.default_float() if chosen is None else dtypes.canonical(chosen)


def zeros(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Any:
    """Zeros; the key is not used."""
    return zeros_array(shape, _dtype(dtype, None))


def ones(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Any:
    """Ones; the key is not used."""
    return ones_array(shape, _dtype(dtype, None))


def constant(value: Any, dtype: Any = None) -> Initializer:
    """One repeated value."""
    default = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Any:
        return full(shape, value, _dtype(dtype, default))

    return init


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Uniform numbers from [0, scale)."""
    default = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Any:
        target = _dtype(dtype, default)
        return random.uniform(key, tuple(shape), target) * operand(
            scale, "uniform", "scale"
        ).astype(target)

    return init


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Normal numbers of mean 0 and a standard deviation."""
    default = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Any:
        target = _dtype(dtype, default)
        return random.normal(key, tuple(shape), target) * operand(
            stddev, "normal", "stddev"
        ).astype(target)

    return init


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """stddev times normal numbers that are drawn again until they lie in [lower, upper]."""
    default = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Any:
        target = _dtype(dtype, default)
        draws = random.truncated_normal(key, lower, upper, tuple(shape), target)
        return draws * operand(stddev, "truncated_normal", "stddev").astype(target)

    return init


def _sizes(shape: Sequence[int], axes: Axes) -> int:
    given = (axes,) if isinstance(axes, int) else axes
    return math.prod(shape[d] for d in given)


def _fans(
    shape: Sequence[int], in_axis: Axes, out_axis: Axes, batch_axis: Axes
) -> tuple[float, float]:
    """How many inputs an output sums over, and how many outputs an input reaches."""
    if len(shape) <= 1:
        raise ValueError(f"variance_scaling: needs a shape of at least 2 axes; got {tuple(shape)}")
    ins, outs, batch = _sizes(shape, in_axis), _sizes(shape, out_axis), _sizes(shape, batch_axis)
    window = math.prod(shape) / ins / outs / batch
    return ins * window, outs * window


#: Standard deviation of the standard normal distribution cut to [-2, 2].
_CUT_DEVIATION = 0.87962566103423978


def variance_scaling(
    scale: Any, mode: str, distribution: str, in_axis: Axes = -2, out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:  # fmt: skip
    """Random numbers of variance scale / n, where `mode` says what n is: "fan_in", "fan_out",
    "fan_avg", "fan_geo_avg".

    distribution: "truncated_normal", "normal" or "uniform".
    """
    default = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Any:
        target = _dtype(dtype, default)
        if not dtypes.is_inexact(target):
            raise TypeError(f"variance_scaling: needs a float or complex dtype; got {target.name}")
        fan_in, fan_out = _fans(shape, in_axis, out_axis, batch_axis)
        counts = {
            "fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2,
            "fan_geo_avg": math.sqrt(fan_in * fan_out),
        }  # fmt: skip
        if mode not in counts:
            raise ValueError(
                f"variance_scaling: needs a mode among {', '.join(counts)}; got {mode!r}"
            )
        variance = (operand(scale, "variance_scaling", "scale") / counts[mode]).astype(
            dtypes.real_of(target)
        )
        sizes = tuple(shape)
        if distribution == "normal":
            return random.normal(key, sizes, target) * variance**0.5
        if distribution == "uniform":
            return random.uniform(key, sizes, target, -1) * (3 * variance) ** 0.5
        if distribution == "truncated_normal":
            return random.truncated_normal(key, -2, 2, sizes, target) * (
                variance**0.5 / _CUT_DEVIATION
            )
        raise ValueError(
            "variance_scaling: needs distribution 'truncated_normal', 'normal' or 'uniform'; got "
            f"{distribution!r}"
        )

    return init


def glorot_uniform(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Uniform numbers of variance 2 / (fan in + fan out)."""
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Truncated normal numbers of variance 2 / (fan in + fan out)."""
    return variance_scaling(
        1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype
    )


def lecun_uniform(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Uniform numbers of variance 1 / fan in."""
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def lecun_normal(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Truncated normal numbers of variance 1 / fan in."""
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def he_uniform(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Uniform numbers of variance 2 / fan in."""
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Truncated normal numbers of variance 2 / fan in."""
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Uniformly distributed matrices with orthonormal columns (or rows, whichever are fewer), times
    scale."""
    default = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Any:
        if len(shape) < 2:
            raise ValueError(f"orthogonal: needs a shape of at least 2 axes; got {tuple(shape)}")
        target = _dtype(dtype, default)
        columns = shape[column_axis]
        rows = math.prod(shape) // columns
        draws = random.normal(key, (max(rows, columns), min(rows, columns)), target)
        q, r = linalg.qr(draws)
        q = q * sign(diag(r))
        q = q.T if rows < columns else q
        rest = [n for d, n in enumerate(shape) if d != column_axis % len(shape)]
        return operand(scale, "orthogonal", "scale").astype(target) * moveaxis(
            q.reshape((*rest, columns)), -1, column_axis
        )

    return init


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """A convolution kernel that is orthogonal at its centre and zero elsewhere; last axes: in <=
    out channels."""
    default = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Any:
        target = _dtype(dtype, default)
        if len(shape) not in (3, 4, 5):
            raise ValueError(
                f"delta_orthogonal: needs a shape of 3, 4 or 5 axes; got {tuple(shape)}"
            )
        if shape[-1] < shape[-2]:
            raise ValueError(f"delta_orthogonal: needs shape[-1] >= shape[-2]; got {tuple(shape)}")
        matrix = orthogonal(scale, column_axis, target)(key, tuple(shape[-2:]))
        centre = tuple((n - 1) // 2 for n in shape[:-2])
        return zeros_array(shape, target).at[centre].set(matrix)

    return init
