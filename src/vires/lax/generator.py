"""Random bits from a bare state, by the algorithms that compilers know; prefer vires.random."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from vires.control.callback import io_callback
from vires.core import dtypes
from vires.core.trace import aval_of
from vires.lax.arguments import array
from vires.lax.contract import one_dtype
from vires.lax.shape import broadcast, concatenate, reshape, slice_in_dim, stack, transpose
from vires.ops.accept import refuse, typed, typed_all
from vires.ops.bits import and_, mulhi, or_, shift_left, shift_right_logical, xor
from vires.ops.convert import bitcast_convert_type, convert
from vires.ops.elementwise import add, mul
from vires.ops.filled import full, iota
from vires.ops.random_bits import threefry2x32


class RandomAlgorithm(IntEnum):
    """Algorithms of `rng_bit_generator`; the default is Philox."""

    RNG_DEFAULT = 0
    RNG_THREE_FRY = 1
    RNG_PHILOX = 2


_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_STEPS = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_BITS = {8 * n: np.dtype(f"uint{8 * n}") for n in (1, 2, 4, 8)}


def rng_bit_generator(
    key: Any,
    shape: Sequence[int],
    dtype: Any = dtypes.uint32,
    algorithm: RandomAlgorithm = RandomAlgorithm.RNG_DEFAULT,
) -> tuple[Any, Any]:
    """The next state, and an array of random bits.

    `key` is a state of four uint32: two words of key and a counter of 64 bits, low word first,
    which goes on by the number of blocks used (Philox: 4 words each, Threefry: 2). Elements
    narrower than 32 bits are the low bits of a word, wider ones two words.

    >>> import numpy as np
    >>> from vires import lax
    >>> state, bits = lax.rng_bit_generator(np.array([1, 2, 3, 4], np.uint32), (2,))
    >>> state.tolist(), bits.tolist()
    ([1, 2, 4, 4], [512747620, 1298009047])
    """
    state = array(key)
    aval = aval_of(state)
    wanted = dtypes.canonical(dtype)
    signed = dtypes.kind(wanted) == "signed"
    if aval.shape != (4,) or aval.dtype != dtypes.uint32:
        raise refuse("rng_bit_generator", "a state of 4 uint32", typed(aval), "vires.random")
    if dtypes.kind(wanted) not in ("signed", "unsigned"):
        raise refuse("rng_bit_generator", "an integer dtype", wanted.name, "vires.random.bits")
    sizes = tuple(int(n) for n in shape)
    width = 8 * wanted.itemsize
    words = math.prod(sizes) * (2 if width == 64 else 1)
    by_threefry = RandomAlgorithm(algorithm) is RandomAlgorithm.RNG_THREE_FRY
    pairs = _pairs(sizes) if by_threefry and width < 64 else None
    in_block = 2 if by_threefry else 4
    blocks = -(-words // in_block) if pairs is None else math.prod(pairs)
    words64 = [convert(x, dtypes.uint64) for x in _parts(state)]
    start = or_(words64[2], shift_left(words64[3], _number(32, (), dtypes.uint64)))
    counter = add(broadcast(start, (blocks,)), _counting(blocks))
    block = _threefry_block if by_threefry else _philox_block
    stream = reshape(block(_parts(state), counter), (blocks * in_block,))
    following = add(start, _number(blocks, (), dtypes.uint64))
    next_state = concatenate([slice_in_dim(state, 0, 2), reshape(_low_high(following), (2,))], 0)
    unsigned = _BITS[width]
    if width == 64:
        two = reshape(slice_in_dim(stream, 0, words), (*sizes, 2))
        bits = bitcast_convert_type(two, new_dtype=unsigned)
    elif pairs is not None:
        bits = convert(_side_by_side(stream, pairs, sizes), unsigned)
    else:
        bits = reshape(convert(slice_in_dim(stream, 0, words), unsigned), sizes)
    return next_state, bitcast_convert_type(bits, new_dtype=wanted) if signed else bits


def _pairs(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """How many blocks of Threefry lie along each axis: two words follow each other along the first
    axis of even size, or else along the longest one.
    """
    if not sizes:
        return (1,)
    even = [d for d, n in enumerate(sizes) if n % 2 == 0]
    along = even[0] if even else sizes.index(max(sizes))
    return (*sizes[:along], -(-sizes[along] // 2), *sizes[along + 1 :])


def _side_by_side(stream: Any, pairs: tuple[int, ...], sizes: tuple[int, ...]) -> Any:
    """The two words of each block as neighbours along the axis that was halved."""
    if not sizes:
        return reshape(slice_in_dim(stream, 0, 1), ())
    along = next((d for d, n in enumerate(sizes) if pairs[d] != n), 0)
    order = (*range(along + 1), len(sizes), *range(along + 1, len(sizes)))
    turned = transpose(reshape(stream, (*pairs, 2)), order)
    merged = reshape(turned, (*sizes[:along], 2 * pairs[along], *sizes[along + 1 :]))
    return slice_in_dim(merged, 0, sizes[along], axis=along)


def _parts(state: Any) -> list[Any]:
    return [reshape(slice_in_dim(state, i, i + 1), ()) for i in range(4)]


def _number(value: int, shape: tuple[int, ...], dtype: Any) -> Any:
    return full(shape, np.array(value, dtype), dtype)


def _counting(blocks: int) -> Any:
    return iota(dtype=dtypes.uint64, shape=(blocks,), dimension=0)


def _low_high(x: Any) -> Any:
    """uint64 as two uint32 along a new last axis, the low one first."""
    return bitcast_convert_type(x, new_dtype=dtypes.uint32)


def _halves(x: Any) -> tuple[Any, Any]:
    shape = aval_of(x).shape
    mask = and_(x, _number(0xFFFFFFFF, shape, dtypes.uint64))
    high = shift_right_logical(x, _number(32, shape, dtypes.uint64))
    return convert(mask, dtypes.uint32), convert(high, dtypes.uint32)


def _philox_block(state: Sequence[Any], counter: Any) -> Any:
    """Blocks of four words, (blocks, 4): Philox 4x32 in 10 rounds."""
    shape = aval_of(counter).shape
    keys = [broadcast(x, shape) for x in state[:2]]
    c = [*_halves(counter), *keys]
    for _ in range(_ROUNDS):
        factors = [_number(factor, shape, dtypes.uint32) for factor in _MULTIPLIERS]
        low = [mul(x, factor) for x, factor in zip((c[0], c[2]), factors, strict=True)]
        high = [mulhi(x, factor) for x, factor in zip((c[0], c[2]), factors, strict=True)]
        c = [
            xor(xor(high[1], c[1]), keys[0]),
            low[1],
            xor(xor(high[0], c[3]), keys[1]),
            low[0],
        ]
        steps = [_number(step, shape, dtypes.uint32) for step in _STEPS]
        keys = [add(k, step) for k, step in zip(keys, steps, strict=True)]
    return stack(c, 1)


def _threefry_block(state: Sequence[Any], counter: Any) -> Any:
    """Blocks of two words, (blocks, 2): Threefry 2x32 in 20 rounds."""
    shape = aval_of(counter).shape
    keys = [broadcast(x, shape) for x in state[:2]]
    return stack(threefry2x32(*keys, *_halves(counter)), 1)


def rng_uniform(a: Any, b: Any, shape: Sequence[int]) -> Any:
    """Uniform numbers in [a, b) from a generator with hidden state: other ones at every call.

    a and b are numbers of one dtype. For numbers that can be had again, use vires.random.uniform.
    """
    low, high = one_dtype(a, b)
    avals = aval_of(low), aval_of(high)
    kind = dtypes.kind(avals[0].dtype)
    if any(x.shape for x in avals) or kind not in ("float", "signed", "unsigned"):
        raise refuse("rng_uniform", "two real numbers", typed_all(avals), "vires.random.uniform")
    sizes = tuple(int(n) for n in shape)
    out = avals[0].update(shape=sizes, weak_type=False)
    return io_callback(_draw(sizes, kind == "float"), out, low, high)


_hidden = np.random.default_rng()


def _draw(sizes: tuple[int, ...], real: bool) -> Callable[[Any, Any], np.ndarray]:
    def draw(low: Any, high: Any) -> np.ndarray:
        a, b = np.asarray(low), np.asarray(high)
        if not real:
            return _hidden.integers(a, b, sizes, dtype=a.dtype)
        wide = a.astype(np.float64) + (b - a) * _hidden.random(sizes)
        return np.minimum(wide, np.nextafter(b, a).astype(np.float64)).astype(a.dtype)

    return draw


__all__ = ["RandomAlgorithm", "rng_bit_generator", "rng_uniform"]
