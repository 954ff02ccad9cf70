"""Random bits: the Threefry 2x32 function in counter mode, keyed by arrays of dtype `key<fry>`.

A stream for shape s encrypts the 64-bit row-major positions of s, high and low word, so each
element depends on its own position only: any part of a stream can be computed alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, Index, LoopBuilder, Operand, Value
from vires.ops.accept import INTEGER, check_dtype, check_one_type, refuse, typed
from vires.ops.linear import NOT_LINEAR, tangent_zero
from vires.ops.shape import align, move_axis

# --- threefry2x32

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def _rounds(
    op: Callable[..., Any], constant: Callable[[int], Any], k1: Any, k2: Any, x1: Any, x2: Any
) -> tuple[Any, Any]:
    """Twenty rounds of Threefry 2x32 over whatever `op` computes with."""
    keys = (k1, k2, op("xor", op("xor", k1, k2), constant(_PARITY)))
    x1, x2 = op("add", x1, k1), op("add", x2, k2)
    for step in range(5):
        for distance in _ROTATIONS[step % 2]:
            x1 = op("add", x1, x2)
            left = op("shift_left", x2, constant(distance))
            right = op("shift_right_logical", x2, constant(32 - distance))
            x2 = op("xor", op("or", left, right), x1)
        x1 = op("add", x1, keys[(step + 1) % 3])
        x2 = op("add", x2, op("add", keys[(step + 2) % 3], constant(step + 1)))
    return x1, x2


_NUMPY_WORDS: dict[str, Callable[..., np.ndarray]] = {
    "xor": np.bitwise_xor,
    "or": np.bitwise_or,
    "add": np.add,
    "shift_left": np.left_shift,
    "shift_right_logical": np.right_shift,
}


def threefry_numpy(k1: Any, k2: Any, x1: Any, x2: Any) -> tuple[np.ndarray, np.ndarray]:
    """Threefry 2x32 of uint32 arrays, which broadcast."""
    k1, k2, x1, x2 = (np.atleast_1d(np.asarray(x, np.uint32)) for x in (k1, k2, x1, x2))
    shape = np.broadcast_shapes(k1.shape, k2.shape, x1.shape, x2.shape)
    out = _rounds(lambda name, x, y: _NUMPY_WORDS[name](x, y), np.uint32, k1, k2, x1, x2)
    return np.broadcast_to(out[0], shape), np.broadcast_to(out[1], shape)


def _threefry_values(
    b: LoopBuilder, k1: Value, k2: Value, x1: Value, x2: Value
) -> tuple[Value, Value]:
    return _rounds(b.op, lambda c: b.constant(c, dtypes.uint32), k1, k2, x1, x2)


def _threefry_infer(*avals: ShapedArray) -> list[ShapedArray]:
    check_one_type("threefry2x32", avals)
    if avals[0].dtype != dtypes.uint32:
        raise refuse("threefry2x32", "uint32 operands", typed(avals[0]), "x.astype(uint32)")
    return [ShapedArray(avals[0].shape, dtypes.uint32)] * 2


def _threefry_reference(*arrays: np.ndarray) -> list[np.ndarray]:
    return [out.reshape(arrays[0].shape) for out in threefry_numpy(*arrays)]


def _no_tangents(results: Sequence[Any]) -> list[Zero]:
    return [tangent_zero(aval_of(x)) for x in results]


def _threefry_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Zero]]:
    results = threefry2x32(*primals)
    return results, _no_tangents(results)


def _threefry_batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None]
) -> tuple[list[Any], list[int]]:
    aligned, dim = align(axis, operands, dims)
    return threefry2x32(*aligned), [dim, dim]


def _threefry_loops(b: LoopBuilder, *operands: Operand) -> list[Definition]:
    def result(k: int) -> Definition:
        return b.pull(
            lambda index: _threefry_values(b, *(x.at(index) for x in operands))[k], cheap=False
        )

    return [result(0), result(1)]


threefry2x32 = Primitive(
    "threefry2x32",
    """The Threefry 2x32 block function (20 rounds): key words k1, k2 and counter words x1, x2 to
    two words.""",
    infer=_threefry_infer,
    reference=_threefry_reference,
    jvp=_threefry_jvp,
    transpose=NOT_LINEAR,
    batch=_threefry_batch,
    loops=_threefry_loops,
    multiple_results=True,
)

# --- keys as two words: word 0 is the low half of the 64 bits of an element


def _unpack(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    words = np.asarray(keys, np.uint64)
    return words.astype(np.uint32), (words >> np.uint64(32)).astype(np.uint32)


def _pack(word0: Any, word1: Any) -> np.ndarray:
    return np.asarray(word0, np.uint64) | np.asarray(word1, np.uint64) << np.uint64(32)


def _unpack_value(b: LoopBuilder, key: Value) -> tuple[Value, Value]:
    bits = b.bitcast(key, dtypes.uint64)
    high = b.op("shift_right_logical", bits, b.constant(32, dtypes.uint64))
    return b.convert(bits, dtypes.uint32), b.convert(high, dtypes.uint32)


def _pack_value(b: LoopBuilder, word0: Value, word1: Value) -> Value:
    high = b.op("shift_left", b.convert(word1, dtypes.uint64), b.constant(32, dtypes.uint64))
    return b.bitcast(b.op("or", b.convert(word0, dtypes.uint64), high), dtypes.KEY)


def _check_key(name: str, aval: ShapedArray) -> None:
    if not dtypes.is_key(aval.dtype):
        raise refuse(name, "random keys", typed(aval), "vires.random.key(0)")


class _OfKeys(Primitive):
    """An operation on each element of its first operand, without derivative."""

    def __init__(self, name: str, doc: str, *, infer: Any, reference: Any, loops: Any) -> None:
        super().__init__(
            name,
            doc,
            infer=infer,
            reference=reference,
            jvp=self._jvp,
            transpose=NOT_LINEAR,
            batch=self._batch,
            loops=loops,
        )

    def _jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Zero]:
        out = self(*primals, **params)
        return out, tangent_zero(aval_of(out))

    def _batch(
        self, axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, int]:
        # New axes are added behind those of the keys, so the mapped axis goes to the front.
        if len(operands) == 1:
            return self(move_axis(operands[0], dims[0] or 0, 0), **params), 0
        aligned, dim = align(axis, operands, dims)
        return self(*(move_axis(x, dim, 0) for x in aligned), **params), 0


def _unwrap_infer(keys: ShapedArray) -> ShapedArray:
    _check_key("random_unwrap", keys)
    return ShapedArray((*keys.shape, 2), dtypes.uint32)


def _unwrap_loops(b: LoopBuilder, keys: Operand) -> Definition:
    def element(index: Index) -> Value:
        word0, word1 = _unpack_value(b, keys.at(index[:-1]))
        return b.select(b.op("eq", index[-1], b.constant(0, dtypes.int64)), word0, word1)

    return b.pull(element)


random_unwrap = _OfKeys(
    "random_unwrap",
    """The two words of each key along a new last axis.""",
    infer=_unwrap_infer,
    reference=lambda keys: np.stack(_unpack(keys), -1),
    loops=_unwrap_loops,
)


def _wrap_infer(words: ShapedArray) -> ShapedArray:
    if words.dtype != dtypes.uint32 or not words.shape or words.shape[-1] != 2:
        raise refuse(
            "random_wrap",
            "uint32 words with a last axis of size 2",
            typed(words),
            "vires.random.key(0)",
        )
    return ShapedArray(words.shape[:-1], dtypes.KEY)


random_wrap = _OfKeys(
    "random_wrap",
    """Keys from pairs of words along the last axis.""",
    infer=_wrap_infer,
    reference=lambda words: _pack(words[..., 0], words[..., 1]),
    loops=lambda b, words: b.pull(
        lambda index: _pack_value(b, words.at((*index, 0)), words.at((*index, 1)))
    ),
)


def _seed_infer(seeds: ShapedArray) -> ShapedArray:
    check_dtype("random_seed", seeds, INTEGER)
    return ShapedArray(seeds.shape, dtypes.KEY)


def _seed_reference(seeds: np.ndarray) -> np.ndarray:
    if seeds.dtype.itemsize < 8:
        return _pack(np.zeros(seeds.shape, np.uint32), seeds.astype(np.uint32))
    bits = seeds.astype(np.uint64)
    return _pack(bits >> np.uint64(32), bits & np.uint64(0xFFFFFFFF))


def _seed_loops(b: LoopBuilder, seeds: Operand) -> Definition:
    def element(index: Index) -> Value:
        seed = seeds.at(index)
        if seeds.dtype.itemsize < 8:
            return _pack_value(b, b.constant(0, dtypes.uint32), b.convert(seed, dtypes.uint32))
        bits = b.convert(seed, dtypes.uint64)
        high = b.op("shift_right_logical", bits, b.constant(32, dtypes.uint64))
        return _pack_value(b, b.convert(high, dtypes.uint32), b.convert(bits, dtypes.uint32))

    return b.pull(element)


random_seed = _OfKeys(
    "random_seed",
    """Keys from integers: the words (seed >> 32, seed mod 2**32), the first 0 for seeds of up to 32
    bits.""",
    infer=_seed_infer,
    reference=_seed_reference,
    loops=_seed_loops,
)

# --- streams


def _counters(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    positions = np.arange(math.prod(shape), dtype=np.uint64).reshape(shape)
    return (positions >> np.uint64(32)).astype(np.uint32), positions.astype(np.uint32)


def _stream_numpy(keys: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The two output words at each position of `shape` for each key."""
    aligned = keys.reshape(keys.shape + (1,) * len(shape))
    first, second = threefry_numpy(*_unpack(aligned), *_counters(shape))
    return first.reshape(keys.shape + shape), second.reshape(keys.shape + shape)


def _stream_value(
    b: LoopBuilder, keys: Operand, index: Index, shape: tuple[int, ...]
) -> tuple[Value, Value]:
    rank = len(keys.shape)
    position: Any = b.constant(0, dtypes.int64)
    for i, size in zip(index[rank:], shape, strict=True):
        position = position * size + i
    bits = b.convert(position, dtypes.uint64)
    low = b.convert(bits, dtypes.uint32)
    if math.prod(shape) <= 1 << 32:
        high = b.constant(0, dtypes.uint32)
    else:
        shifted = b.op("shift_right_logical", bits, b.constant(32, dtypes.uint64))
        high = b.convert(shifted, dtypes.uint32)
    return _threefry_values(b, *_unpack_value(b, keys.at(index[:rank])), high, low)


_UNSIGNED = {8: np.dtype(np.uint8), 16: np.dtype(np.uint16), 32: dtypes.uint32, 64: dtypes.uint64}


def _bits_infer(keys: ShapedArray, *, bit_width: int, shape: tuple[int, ...]) -> ShapedArray:
    _check_key("random_bits", keys)
    if bit_width not in _UNSIGNED:
        raise refuse(
            "random_bits", "a bit_width of 8, 16, 32 or 64", str(bit_width), error=ValueError
        )
    return ShapedArray((*keys.shape, *shape), _UNSIGNED[bit_width])


def _bits_reference(keys: np.ndarray, *, bit_width: int, shape: tuple[int, ...]) -> np.ndarray:
    word1, word2 = _stream_numpy(keys, shape)
    if bit_width == 64:
        return _pack(word2, word1)
    return (word1 ^ word2).astype(_UNSIGNED[bit_width])


def _bits_loops(
    b: LoopBuilder, keys: Operand, *, bit_width: int, shape: tuple[int, ...]
) -> Definition:
    def element(index: Index) -> Value:
        word1, word2 = _stream_value(b, keys, index, shape)
        if bit_width < 64:
            mixed = b.op("xor", word1, word2)
            return mixed if bit_width == 32 else b.convert(mixed, _UNSIGNED[bit_width])
        high = b.op("shift_left", b.convert(word1, dtypes.uint64), b.constant(32, dtypes.uint64))
        return b.op("or", high, b.convert(word2, dtypes.uint64))

    return b.pull(element, cheap=False)


random_bits = _OfKeys(
    "random_bits",
    """Uniform unsigned integers of `bit_width` bits, an array of `shape` for each key.""",
    infer=_bits_infer,
    reference=_bits_reference,
    loops=_bits_loops,
)


def _split_infer(keys: ShapedArray, *, shape: tuple[int, ...]) -> ShapedArray:
    _check_key("random_split", keys)
    return ShapedArray((*keys.shape, *shape), dtypes.KEY)


random_split = _OfKeys(
    "random_split",
    """New keys, an array of `shape` for each key.""",
    infer=_split_infer,
    reference=lambda keys, *, shape: _pack(*_stream_numpy(keys, shape)),
    loops=lambda b, keys, *, shape: b.pull(
        lambda index: _pack_value(b, *_stream_value(b, keys, index, shape)), cheap=False
    ),
)


def _fold_infer(keys: ShapedArray, data: ShapedArray) -> ShapedArray:
    _check_key("random_fold_in", keys)
    if data.dtype != dtypes.uint32 or data.shape != keys.shape:
        raise refuse(
            "random_fold_in",
            "uint32 data of the shape of the keys",
            f"{typed(keys)} and {typed(data)}",
            "data.astype(uint32)",
        )
    return keys


def _fold_reference(keys: np.ndarray, data: np.ndarray) -> np.ndarray:
    out = threefry_numpy(*_unpack(keys), np.zeros(data.shape, np.uint32), data)
    return _pack(*out).reshape(keys.shape)


def _fold_loops(b: LoopBuilder, keys: Operand, data: Operand) -> Definition:
    def element(index: Index) -> Value:
        words = _unpack_value(b, keys.at(index))
        return _pack_value(
            b, *_threefry_values(b, *words, b.constant(0, dtypes.uint32), data.at(index))
        )

    return b.pull(element, cheap=False)


random_fold_in = _OfKeys(
    "random_fold_in",
    """A new key for each key and integer.""",
    infer=_fold_infer,
    reference=_fold_reference,
    loops=_fold_loops,
)
