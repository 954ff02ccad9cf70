"""Products of numbers in few bits, where blocks along the contracted axis share a scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vires import numpy as vnp
from vires.control.custom_vjp import custom_vjp
from vires.core import dtypes
from vires.lax.contract import dot_general
from vires.lax.ragged import free_axes
from vires.lax.scaled import dequantised, widened
from vires.numpy.operands import ShapeError, operand, shape_text

__all__ = [
    "BlockScaleConfig", "get_scaled_dot_general_config", "scaled_dot_general", "scaled_matmul",
]  # fmt: skip

#: The greatest number of each type of elements and of scales.
_MOST = {"float8_e4m3fn": 448.0, "float4_e2m1fn": 6.0}
_MODES = ("nvfp4", "mxfp8")


@dataclass(frozen=True, eq=False)
class BlockScaleConfig:
    """How an operand is rounded: `block_size` elements in a row share a scale.

    mxfp8: elements of float8_e4m3fn, scales that are powers of two. nvfp4: elements of
    float4_e2m1fn, scales of float8_e4m3fn times one `global_scale`.
    """

    mode: str
    block_size: int
    data_type: str
    scale_type: str
    global_scale: Any = None
    infer_only: bool = False


def get_scaled_dot_general_config(mode: str, global_scale: Any = None) -> BlockScaleConfig:
    """The configuration of an operand for `scaled_dot_general`: mode "mxfp8" or "nvfp4".

    >>> get_scaled_dot_general_config("mxfp8").block_size
    32
    """
    if mode not in _MODES:
        raise ValueError(f"get_scaled_dot_general_config: needs a mode of {_MODES}; got {mode!r}")
    if mode == "mxfp8":
        if global_scale is not None:
            raise ValueError(
                "get_scaled_dot_general_config: needs global_scale=None with mode 'mxfp8'; got "
                f"{global_scale!r:.40}; try mode 'nvfp4'"
            )
        return BlockScaleConfig(mode, 32, "float8_e4m3fn", "float8_e8m0fnu")
    scale = vnp.ones((1,), dtypes.float32) if global_scale is None else global_scale
    return BlockScaleConfig(mode, 16, "float4_e2m1fn", "float8_e4m3fn", scale)


def scaled_matmul(
    lhs: Any,
    rhs: Any,
    lhs_scales: Any,
    rhs_scales: Any,
    preferred_element_type: Any = dtypes.float32,
) -> Any:
    """The products over k of lhs (b, m, k) and rhs (b, n, k), whose elements have scales.

    Scales are (b, m, k / block) and (b, n, k / block'): elements of a block share one.

    Returns: (b, m, n) of `preferred_element_type`, computed in float32.

    >>> import numpy as np
    >>> a, s = np.ones((1, 1, 2), np.float32), np.full((1, 1, 1), 0.5, np.float32)
    >>> scaled_matmul(a, a, s, s).item()
    0.5
    """
    x, y, s, t = (widened(v) for v in (lhs, rhs, lhs_scales, rhs_scales))
    if not x.ndim == y.ndim == s.ndim == t.ndim == 3 or x.shape[2] != y.shape[2]:
        raise ShapeError(
            "scaled_matmul: needs lhs (b, m, k), rhs (b, n, k) and scales of 3 axes; got "
            f"{', '.join(shape_text(v) for v in (x, y, s, t))}"
        )
    values = dequantised("scaled_matmul", x, s, 2), dequantised("scaled_matmul", y, t, 2)
    return _products(*values).astype(preferred_element_type)


def _products(x: Any, y: Any) -> Any:
    return dot_general(x, y, (((2,), (2,)), ((0,), (0,))))


def scaled_dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: Any,
    preferred_element_type: Any = dtypes.float32,
    configs: Sequence[BlockScaleConfig] | None = None,
    implementation: str | None = None,
) -> Any:
    """`lax.dot_general` of operands that are rounded to few bits with a scale for each block.

    `configs` say how lhs, rhs and the cotangents are rounded (`get_scaled_dot_general_config`);
    without them nothing is. Derivatives take the rounding for the identity (for nvfp4: zero where
    an operand was out of range); in mode mxfp8 they are products of rounded operands as well. Each
    contracted size must be a multiple of the block size.
    """
    x, y = (operand(v, "scaled_dot_general", n) for v, n in ((lhs, "lhs"), (rhs, "rhs")))
    if configs is None:
        return dot_general(x, y, dimension_numbers, preferred_element_type=preferred_element_type)
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    sides = []
    for value, contract, batch in ((x, lhs_contract, lhs_batch), (y, rhs_contract, rhs_batch)):
        free = free_axes(value.ndim, contract, batch)
        moved = value.transpose((*batch, *free, *contract))
        sizes = [[value.shape[d] for d in group] for group in (batch, free, contract)]
        sides.append((moved.reshape([math.prod(group) for group in sizes]), sizes))
    (left, (batches, rows, _)), (right, (_, columns, _)) = sides
    product = _rounded_product(tuple(configs), left, right)
    shape = (*batches, *rows, *columns)
    return product.reshape(shape).astype(preferred_element_type or left.dtype)


def _rounded_product(configs: tuple[BlockScaleConfig, ...], x: Any, y: Any) -> Any:
    """The product of rounded (b, m, k) and (b, n, k), in float32."""
    first, second, third = configs

    @custom_vjp
    def product(x: Any, y: Any) -> Any:
        return _products(_quantised(x, first), _quantised(y, second))

    def forward(x: Any, y: Any) -> tuple[Any, Any]:
        return product(x, y), (x, y)

    def backward(operands: Any, ct: Any) -> tuple[Any, Any]:
        x, y = operands
        turned = ct.swapaxes(1, 2)
        if third.mode == "mxfp8":
            dx = _products(_quantised(ct, third), _quantised(y.swapaxes(1, 2), second))
            dy = _products(_quantised(turned, third), _quantised(x.swapaxes(1, 2), first))
        else:
            dx, dy = _products(ct, y.swapaxes(1, 2)), _products(turned, x.swapaxes(1, 2))
            dx, dy = _within(x, first, dx), _within(y, second, dy)
        return dx.astype(x.dtype), dy.astype(y.dtype)

    product.defvjp(forward, backward)
    return product(x, y)


def _within(x: Any, config: BlockScaleConfig, ct: Any) -> Any:
    """The cotangent of a rounded operand: zero where it was beyond what can be represented."""
    if config.global_scale is None:
        return ct
    most = _MOST[config.data_type] * _MOST[config.scale_type]
    return vnp.where(vnp.abs(x) <= config.global_scale * most, ct, 0)


def _quantised(x: Any, config: BlockScaleConfig) -> Any:
    """The operand as it is after rounding along the last axis, in float32."""
    size, length = config.block_size, x.shape[-1]
    if length % size or not length:
        raise ShapeError(
            f"scaled_dot_general: needs a contracted size that is a multiple of {size} in mode "
            f"{config.mode}; got {length}"
        )
    blocks = x.astype(dtypes.float32).reshape((*x.shape[:-1], length // size, size))
    most = _MOST[config.data_type]
    scale = vnp.ones((), dtypes.float32) if config.global_scale is None else config.global_scale
    blocks = blocks / scale
    scales = vnp.abs(blocks).max(axis=-1, keepdims=True) / most
    if config.mode == "mxfp8":
        scales = _power_of_two_above(scales)
        elements = vnp.clip(blocks / scales, -most, most).astype(config.data_type)
        rounded = elements.astype(dtypes.float32)
    else:
        limit = _MOST[config.scale_type]
        scales = vnp.clip(scales, 0, limit).astype(config.scale_type).astype(dtypes.float32)
        rounded = _to_float4(vnp.clip(blocks / scales, -most, most))
    rounded = vnp.where(scales == 0, 0, rounded)
    return (rounded * scales * scale).reshape(x.shape)


def _power_of_two_above(x: Any) -> Any:
    """The least power of two from 2^-127 to 2^127 that is not below x."""
    fraction, exponent = vnp.frexp(x)
    exponent = vnp.where(fraction == 0.5, exponent - 1, exponent)
    exponent = vnp.where(x == 0, -127, vnp.clip(exponent, -127, 127))
    return vnp.ldexp(vnp.ones_like(x), exponent)


def _to_float4(x: Any) -> Any:
    """x of at most 6 in size rounded to the nearest of 0, 0.5, 1, 1.5, 2, 3, 4, 6; ties to even."""
    size = vnp.abs(x)
    step = vnp.where(size < 2, 0.5, vnp.where(size < 4, 1.0, 2.0)).astype(x.dtype)
    return vnp.round(x / step) * step
