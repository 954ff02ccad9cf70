"""Uniform draws: real numbers, integers, coin flips and signs."""

from __future__ import annotations

import functools
from typing import Any

import ml_dtypes
import numpy

import vires.numpy as np
from vires import lax
from vires.core import dtypes
from vires.core.dtypes import DType
from vires.core.trace import aval_of
from vires.ops.convert import convert
from vires.ops.random_bits import random_bits, random_split
from vires.random.arguments import (
    Shape,
    broadcast_shape,
    fixed_shape,
    float_dtype,
    int_dtype,
    parameter,
    type_text,
)
from vires.random.keys import consume
from vires.random.samplers import sampler

# --- building blocks, on one typed key, for use inside compiled samplers


def split_keys(key: Any, count: int) -> list[Any]:
    """`count` new keys, one by one."""
    keys = random_split(key, shape=(count,))
    return [keys[i] for i in range(count)]


def draw_bits(key: Any, shape: tuple[int, ...], width: int) -> Any:
    """Random words of `width` bits."""
    return random_bits(key, bit_width=width, shape=shape)


def draw_unit(key: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    """Uniform numbers of [0, 1): random bits as the mantissa of a number of [1, 2), less 1."""
    width = 8 * dtype.itemsize
    one = numpy.ones((), dtype)
    word = numpy.dtype(f"uint{width}")
    mantissa = int(ml_dtypes.finfo(dtype).nmant)
    # Few mantissa bits are worth no more than 8 random ones.
    drawn = 8 if mantissa < 8 else width
    bits = draw_bits(key, shape, drawn)
    if drawn != width:
        bits = lax.convert_element_type(bits, word)
    shifted = lax.shift_right_logical(bits, word.type(drawn - mantissa))
    floats = lax.bitcast_convert_type(shifted | one.view(word)[()], dtype)
    return floats - numpy.ones((), dtype)


def draw_uniform(key: Any, shape: tuple[int, ...], dtype: DType, minval: Any, maxval: Any) -> Any:
    """Uniform numbers of [minval, maxval)."""
    low = lax.convert_element_type(minval, dtype)
    high = lax.convert_element_type(maxval, dtype)
    unit, span = draw_unit(key, shape, dtype), high - low
    if dtype == dtypes.float32 and not _scales_exactly(minval, maxval):
        # One rounding, as in JAX's compiled code: with two of them numbers near 0 differ from
        # JAX's by more than a few units in the last place. 53 bits hold the product.
        wide = convert(unit, dtypes.float64) * convert(span, dtypes.float64)
        scaled = convert(wide + convert(low, dtypes.float64), dtype)
    else:
        scaled = unit * span + low
    # Rounding may give less than minval, never more than it should.
    return np.maximum(low, scaled)


def _scales_exactly(minval: Any, maxval: Any) -> bool:
    """Whether the span is known to be a power of two, whose products are exact."""
    if not all(isinstance(x, (numpy.ndarray, numpy.generic)) for x in (minval, maxval)):
        return False
    mantissa, _ = numpy.frexp(maxval - minval)
    return bool(numpy.all(mantissa == 0.5))


def draw_integers(
    key: Any, shape: tuple[int, ...], dtype: DType, minval: Any, maxval: Any, above: Any
) -> Any:
    """Integers of [minval, maxval), or of [minval, maxval] where `above` is true.

    Two random words make a number of twice the width, high * 2**width + low, whose remainder by the
    span is nearly free of bias; the multiplier 2**width is taken modulo the span, so that nothing
    exceeds one word.
    """
    width = 8 * dtype.itemsize
    word = numpy.dtype(f"uint{width}")
    high_key, low_key = split_keys(key, 2)
    high = draw_bits(high_key, shape, width)
    low = draw_bits(low_key, shape, width)
    one = numpy.ones((), word)
    minval = lax.convert_element_type(minval, dtype)
    maxval = lax.convert_element_type(maxval, dtype)
    span = lax.convert_element_type(maxval - minval, word)
    span = np.where(maxval <= minval, one, span)
    span = np.where(above & (maxval > minval), span + one, span)
    whole = span == 0  # all words are in the range: the remainder would be by 2**width
    divisor = np.broadcast_to(np.where(whole, one, span), shape)
    half = np.broadcast_to(numpy.asarray(1 << width // 2, word), shape)
    half = lax.rem(half, divisor)
    multiplier = lax.rem(half * half, divisor)
    offset = lax.rem(high, divisor) * multiplier + lax.rem(low, divisor)
    offset = np.where(whole, low, lax.rem(offset, divisor))
    return minval + lax.convert_element_type(offset, dtype)


# --- users' functions


def uniform(
    key: Any, shape: Shape = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0
) -> Any:
    """Uniform random numbers of [minval, maxval).

    Args:
        key: a random key.
        shape: of the result; minval and maxval broadcast to it.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
        minval: the smallest value, differentiable.
        maxval: the bound above, excluded, differentiable.

    >>> import vires
    >>> vires.random.uniform(vires.random.key(0), (3,))
    Array([0.947667  , 0.9785799 , 0.33229148], dtype=float32)
    """
    key = consume(key, "uniform")
    dtype = float_dtype(dtype, "uniform")
    shape = fixed_shape(shape, "uniform")
    if minval.__class__ is float and maxval.__class__ is float and minval == 0 and maxval == 1:
        return _unit(key, shape, dtype)
    minval = parameter(minval, "uniform", "minval")
    maxval = parameter(maxval, "uniform", "maxval")
    broadcast_shape("uniform", shape, ("minval", "maxval"), (minval, maxval))
    return _uniform(key, shape, dtype, minval, maxval)


def randint(key: Any, shape: Shape, minval: Any, maxval: Any, dtype: Any = None) -> Any:
    """Uniform random integers of [minval, maxval).

    Where maxval <= minval the result is minval. A bound outside the dtype's range is clipped to it,
    and maxval = (largest value) + 1 or more means all values up to the largest.

    Args:
        key: a random key.
        shape: of the result; minval and maxval broadcast to it.
        minval: the smallest value.
        maxval: the bound above, excluded.
        dtype: an integer dtype; int32 by default (int64 in 64-bit mode).

    >>> import vires
    >>> vires.random.randint(vires.random.key(0), (6,), 0, 10)
    Array([9, 0, 2, 3, 1, 7], dtype=int32)
    """
    key = consume(key, "randint")
    dtype = int_dtype(dtype, "randint")
    shape = fixed_shape(shape, "randint")
    # Narrow integers are drawn as 32-bit ones, of which their bounds are in range.
    drawn = dtype
    if dtype.itemsize < 4:
        drawn = dtypes.int32
    low, _ = _bound(minval, dtype, drawn, "minval")
    high, above = _bound(maxval, dtype, drawn, "maxval")
    broadcast_shape("randint", shape, ("minval", "maxval"), (low, high))
    return _randint(key, shape, drawn, dtype, low, high, above)


@functools.cache
def _limits(dtype: DType) -> tuple[int, int]:
    """The smallest and the largest value of an integer dtype."""
    limits = ml_dtypes.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _bound(value: Any, dtype: DType, drawn: DType, argument: str) -> tuple[Any, Any]:
    """A bound clipped to the range of `dtype`, as `drawn`, and whether it lies above that range."""
    least, most = _limits(dtype)
    # When the arithmetic is in a wider type, one more than the largest value is in range.
    wide = drawn != dtype
    reach = most + 1 if wide else most
    if value.__class__ is int or isinstance(value, numpy.integer):
        number = int(value)
        number, above = min(max(number, least), reach), number > reach and not wide
        # A Python int is the faster argument where it fits the default int.
        return (number if drawn == dtypes.int32 else numpy.asarray(number, drawn)), above
    value = parameter(value, "randint", argument)
    own = aval_of(value).dtype
    if dtypes.kind(own) not in ("signed", "unsigned", "bool"):
        if dtypes.kind(own) != "float":
            raise TypeError(f"randint: needs an integer {argument}; got {type_text(value)}")
        value, own = np.asarray(value).astype(dtypes.int32), dtypes.int32
    value = np.asarray(value)
    if own == dtypes.bool_:
        value, own = value.astype(dtypes.int32), dtypes.int32
    own_least, own_most = _limits(own)
    above: Any = False
    if own_most > reach:
        above = False if wide else value > reach
        value = np.minimum(value, numpy.asarray(reach, own))
    if own_least < least:
        value = np.maximum(value, numpy.asarray(least, own))
    return value.astype(drawn), above


def bernoulli(key: Any, p: Any = 0.5, shape: Shape | None = None, mode: str = "low") -> Any:
    """Random booleans, true with probability p.

    Args:
        key: a random key.
        p: probability, a float or an array of floats.
        shape: of the result; by default that of p.
        mode: "low" compares with one uniform number, of 2**-23 resolution in float32; "high" with
            two, so that probabilities below that resolution are kept.

    >>> import vires
    >>> vires.random.bernoulli(vires.random.key(0), 0.3, (8,)).dtype
    dtype('bool')
    """
    key = consume(key, "bernoulli")
    if mode not in ("low", "high"):
        raise ValueError(f"bernoulli: needs mode 'low' or 'high'; got {mode!r}")
    p = parameter(p, "bernoulli", "p")
    dtype = aval_of(p).dtype
    if dtypes.kind(dtype) != "float":
        raise TypeError(f"bernoulli: needs a float probability p; got {type_text(p)}; try p=0.5")
    shape = broadcast_shape("bernoulli", shape, ("p",), (p,))
    return _bernoulli(key, shape, dtype, mode, p)


def draw_bernoulli(key: Any, shape: tuple[int, ...], dtype: DType, mode: str, p: Any) -> Any:
    """Booleans that are true with probability p."""
    if mode == "low":
        return draw_unit(key, shape, dtype) < p
    coarse, fine = draw_unit(key, (2, *shape), dtype)
    return fine * ml_dtypes.finfo(dtype).eps < p - coarse


def rademacher(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Random signs: -1 or 1, each with probability 1/2.

    Args:
        key: a random key.
        shape: of the result.
        dtype: any number dtype; int32 by default (int64 in 64-bit mode).
    """
    key = consume(key, "rademacher")
    dtype = dtypes.default_int() if dtype is None else dtypes.canonical(dtype)
    return _rademacher(key, fixed_shape(shape, "rademacher"), dtype)


def draw_signs(key: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    """-1 or 1."""
    heads = draw_bernoulli(key, shape, dtypes.default_float(), "low", 0.5)
    return 2 * lax.convert_element_type(heads, dtype) - 1


def _integers(
    key: Any, shape: tuple[int, ...], drawn: DType, dtype: DType, low: Any, high: Any, above: Any
) -> Any:
    return lax.convert_element_type(draw_integers(key, shape, drawn, low, high, above), dtype)


_unit = sampler(draw_unit, static_argnums=(1, 2))
_uniform = sampler(draw_uniform, static_argnums=(1, 2))
_randint = sampler(_integers, static_argnums=(1, 2, 3))
_bernoulli = sampler(draw_bernoulli, static_argnums=(1, 2, 3))
_rademacher = sampler(draw_signs, static_argnums=(1, 2))
