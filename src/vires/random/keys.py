"""Random keys: making, splitting, folding, and checking them.

A key is 64 bits: an element of dtype `key<fry>` (`key`), or two words of uint32 (`PRNGKey`). Both
forms are accepted everywhere, and `split`, `fold_in` and `clone` give back the form that they got.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy

from vires import _native
from vires.core import dtypes
from vires.core.dtypes import KEY
from vires.core.trace import Array, Tracer, as_array
from vires.ops.random_bits import (
    random_bits,
    random_fold_in,
    random_seed,
    random_split,
    random_unwrap,
    random_wrap,
)
from vires.random.arguments import Shape, fixed_shape, type_text
from vires.random.reuse import mark_consumed

_IMPLEMENTATIONS = (None, "threefry2x32", "fry", KEY)


def _check_implementation(impl: Any, name: str) -> None:
    if not any(impl is known or impl == known for known in _IMPLEMENTATIONS):
        raise ValueError(
            f"{name}: needs the implementation 'threefry2x32'; got {impl!r}; try impl=None"
        )


def key(seed: Any, *, impl: Any = None, dtype: Any = None) -> Any:
    """A random key from an integer seed: an array of shape () and dtype `key<fry>`.

    Seeds that fit 32 bits (negative ones wrap) give the key (0, seed); wider ones (seed >> 32, seed
    mod 2**32).

    Raises:
        TypeError: when the seed is not one integer.
        OverflowError: when the seed does not fit 64 bits.

    >>> import vires
    >>> vires.random.key_data(vires.random.key(7))
    Array([0, 7], dtype=uint32)
    """
    _check_implementation(impl, "key")
    _check_implementation(dtype, "key")
    words = _seed_words(seed, "key")
    if words is None:
        return random_seed(seed)
    # The first word is the low half of a key's 64 bits.
    bits = numpy.array(words[0] | words[1] << 32, numpy.uint64)
    return _native.wrap_numpy(bits)._view((), 0, KEY)


def PRNGKey(seed: Any, *, impl: Any = None) -> Any:
    """A random key in the older form: an array of two uint32 words. See `key`.

    >>> import vires
    >>> vires.random.PRNGKey(7)
    Array([0, 7], dtype=uint32)
    """
    _check_implementation(impl, "PRNGKey")
    words = _seed_words(seed, "PRNGKey")
    if words is None:
        return random_unwrap(random_seed(seed))
    return _native.wrap_numpy(numpy.array(words, numpy.uint32))


def _seed_words(seed: Any, name: str) -> tuple[int, int] | None:
    """The two words of a seed; None when it is traced, of unknown value."""
    value = seed
    if isinstance(seed, Tracer):
        value = seed.concrete()
        if value is None:
            _check_seed(seed.shape, seed.dtype, seed, name)
            return None
    if value.__class__ is not int and value.__class__ is not bool:
        shape = getattr(value, "shape", None)
        if shape is None or not hasattr(value, "dtype"):
            raise TypeError(f"{name}: needs an integer seed; got {type_text(seed)}; try {name}(0)")
        _check_seed(shape, value.dtype, seed, name)
    number = operator.index(value)
    if not -(1 << 63) <= number < 1 << 64:
        raise OverflowError(f"{name}: needs a seed that fits 64 bits; got {number}")
    high = number >> 32 if not -(1 << 31) <= number < 1 << 32 or _wide() else 0
    return high & 0xFFFFFFFF, number & 0xFFFFFFFF


def _wide() -> bool:
    """In 64-bit mode seeds are 64-bit integers, whose sign fills the high word."""
    return dtypes.default_int() == dtypes.int64


def _check_seed(shape: tuple[int, ...], dtype: Any, seed: Any, name: str) -> None:
    if dtypes.kind(dtype) not in ("signed", "unsigned", "bool"):
        raise TypeError(f"{name}: needs an integer seed; got {type_text(seed)}; try {name}(0)")
    if shape:
        raise TypeError(
            f"{name}: needs one integer seed; got {type_text(seed)}; "
            f"try vires.vmap(vires.random.{name})(seeds)"
        )


# --- checking


def is_typed(x: Any) -> bool:
    """Whether a value is an array of dtype `key<fry>`."""
    return (x.__class__ is Array or isinstance(x, Tracer)) and dtypes.is_key(x.dtype)


def consume(key: Any, name: str) -> Any:
    """The one typed key that a sampler draws from; a second eager use of it is reported."""
    if key.__class__ is Array:
        mark_consumed(key, name)
        if key.dtype is KEY and key.ndim == 0:
            return key
    elif isinstance(key, numpy.ndarray):
        mark_consumed(key, name)
    return single_key(key, name)


def single_key(key: Any, name: str) -> Any:
    """One key of either form as a typed key."""
    typed = as_typed(key, name)
    if typed.ndim:
        raise ValueError(
            f"{name}: needs one random key; got {type_text(key)}, a batch of keys; "
            f"try vires.vmap(lambda key: vires.random.{name}(key, ...))(keys)"
        )
    return typed


def as_typed(key: Any, name: str) -> Any:
    """Keys of either form and any shape as typed keys."""
    if is_typed(key):
        return key
    arraylike = key.__class__ is Array or isinstance(key, (Tracer, numpy.ndarray))
    if not arraylike or key.dtype != dtypes.uint32 or not key.ndim or key.shape[-1] != 2:
        raise TypeError(
            f"{name}: needs a random key (key<fry>[] or uint32[2]); got {type_text(key)}; "
            "try vires.random.key(0)"
        )
    return random_wrap(key)


def _like(typed: Any, original: Any) -> Any:
    """Typed keys in the form of `original`."""
    return typed if is_typed(original) else random_unwrap(typed)


# --- users' functions


def key_data(keys: Any) -> Any:
    """The words of keys: uint32 of shape (*keys.shape, 2).

    >>> import vires
    >>> vires.random.key_data(vires.random.key(0)).shape
    (2,)
    """
    return random_unwrap(keys) if is_typed(keys) else random_unwrap(as_typed(keys, "key_data"))


def wrap_key_data(key_bits_array: Any, *, impl: Any = None, dtype: Any = None) -> Any:
    """Typed keys from their words: the inverse of `key_data`."""
    _check_implementation(impl, "wrap_key_data")
    _check_implementation(dtype, "wrap_key_data")
    return as_typed(key_bits_array, "wrap_key_data")


def key_impl(keys: Any) -> str:
    """The name of the generator behind keys: always "threefry2x32"."""
    as_typed(keys, "key_impl")
    return "threefry2x32"


def key_dtype(impl_spec: Any = None) -> Any:
    """The dtype of typed keys."""
    _check_implementation(impl_spec, "key_dtype")
    return KEY


def split(key: Any, num: int | tuple[int, ...] = 2) -> Any:
    """Independent new keys from one: `num` of them, or an array of keys of shape `num`.

    The key given is not consumed, but no longer of use: replace it by one of the results.

    >>> import vires
    >>> key, subkey = vires.random.split(vires.random.key(0))
    """
    typed = single_key(key, "split")
    return _like(random_split(typed, shape=fixed_shape(num, "split")), key)


def fold_in(key: Any, data: Any) -> Any:
    """The key that an integer picks from the family of a key, another for each integer.

    Raises:
        TypeError: when `data` is not one integer.

    >>> import vires
    >>> step_key = vires.random.fold_in(vires.random.key(0), 17)
    """
    typed = single_key(key, "fold_in")
    if data.__class__ is int or data.__class__ is bool:
        if not -(1 << 31) <= data < 1 << 32:
            raise OverflowError(f"fold_in: needs an integer that fits 32 bits; got {data}")
        word: Any = numpy.asarray(data & 0xFFFFFFFF, numpy.uint32)
    else:
        dtype = getattr(data, "dtype", None)
        if dtype is None or dtypes.kind(dtype) not in ("signed", "unsigned", "bool"):
            raise TypeError(f"fold_in: needs an integer; got {type_text(data)}")
        if data.shape:
            raise TypeError(
                f"fold_in: needs one integer; got {type_text(data)}; "
                "try vires.vmap(vires.random.fold_in, in_axes=(None, 0))(key, data)"
            )
        word = data if isinstance(data, Tracer) else as_array(data)
        if dtype != dtypes.uint32:
            word = word.astype(dtypes.uint32)
    return _like(random_fold_in(typed, word), key)


def clone(key: Any) -> Any:
    """The same key as a new object, to repeat a draw on purpose without a warning.

    >>> import vires
    >>> key = vires.random.key(0)
    >>> x = vires.random.uniform(key)
    >>> bool(x == vires.random.uniform(vires.random.clone(key)))
    True
    """
    as_typed(key, "clone")
    if key.__class__ is Array:
        return key._view(key.shape, 0)
    return key.copy() if isinstance(key, numpy.ndarray) else key


def bits(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Uniform random bits as unsigned integers.

    Args:
        key: a random key.
        shape: of the result.
        dtype: uint8, uint16, uint32 or uint64; uint32 by default (uint64 in 64-bit mode).
    """
    typed = consume(key, "bits")
    if dtype is None:
        chosen = dtypes.uint64 if _wide() else dtypes.uint32
    else:
        chosen = dtypes.canonical(dtype)
    if dtypes.kind(chosen) != "unsigned" or chosen.itemsize * 8 not in (8, 16, 32, 64):
        raise ValueError(
            f"bits: needs an unsigned integer dtype; got {chosen.name}; try dtype=uint32"
        )
    return random_bits(typed, bit_width=8 * chosen.itemsize, shape=fixed_shape(shape, "bits"))
