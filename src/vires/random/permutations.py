"""Random order and random selection."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy

import vires.numpy as np
from vires import lax
from vires.api.jit import jit
from vires.core import dtypes
from vires.core.dtypes import DType
from vires.core.errors import TracerIntegerConversionError
from vires.random.arguments import Shape, fixed_shape, parameter, promoted_float, type_text
from vires.random.continuous import draw_gumbel, gumbel_mode
from vires.random.keys import consume
from vires.random.uniforms import draw_bits, draw_integers, draw_unit, split_keys


def _shuffled(key: Any, x: Any, axis: int) -> Any:
    """Sort by random words, often enough that equal words leave no trace in the order."""
    rounds = math.ceil(3 * math.log(max(1, x.size)) / math.log(2**32 - 1))
    for _ in range(rounds):
        key, word_key = split_keys(key, 2)
        words = draw_bits(word_key, tuple(x.shape), 32)
        _, x = lax.sort_key_val(words, x, axis)
    return x


def draw_order(key: Any, n: int) -> Any:
    """The integers 0 ... n - 1 in random order."""
    return _shuffled(key, np.arange(n, dtype=dtypes.default_int()), 0)


def draw_permutation(key: Any, axis: int, independent: bool, x: Any) -> Any:
    if independent or x.ndim == 1:
        return _shuffled(key, x, axis)
    return _pick(x, draw_order(key, x.shape[axis]), axis)


def _pick(x: Any, index: Any, axis: int) -> Any:
    """Entries of x along an axis, at indices known to be in range."""
    where = (slice(None),) * axis + (index,)
    return x.at[where].get(mode="promise_in_bounds")


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """The entries of x along an axis in random order, or the integers 0 ... x - 1.

    Args:
        key: a random key.
        x: an array, or a number of integers.
        axis: along which to permute.
        independent: order each vector along the axis by itself, instead of all alike.

    >>> import vires
    >>> vires.random.permutation(vires.random.key(0), 10)
    Array([0, 1, 8, 5, 6, 4, 3, 2, 7, 9], dtype=int32)
    """
    key = consume(key, "permutation")
    x, axis, count = _population(x, axis, "permutation", "x")
    if count is not None:
        return _order(key, count)
    return _permutation(key, axis, bool(independent), x)


def _population(x: Any, axis: int, name: str, argument: str) -> tuple[Any, int, int | None]:
    """What to draw from: an array and an axis of it, or a count of integers."""
    if x.__class__ is not int:
        x = parameter(x, name, argument)
    if not numpy.shape(x):
        try:
            count = operator.index(x)
        except TracerIntegerConversionError:
            raise  # says which value was traced, and where it comes from
        except TypeError:
            raise TypeError(
                f"{name}: needs an array or an integer known before tracing; got {type_text(x)}"
            ) from None
        if count < 0:
            raise ValueError(f"{name}: needs a non-negative number of integers; got {count}")
        if axis not in (0, -1):
            raise ValueError(f"{name}: needs axis 0 for an integer {argument}; got axis {axis}")
        return None, 0, count
    x = np.asarray(x)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"{name}: needs an axis of {argument}; got axis {axis} for shape {tuple(x.shape)}"
        )
    return x, axis + x.ndim if axis < 0 else axis, None


def choice(
    key: Any,
    a: Any,
    shape: Shape = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    mode: str | None = None,
) -> Any:
    """Random entries of an array along an axis, or of the integers 0 ... a - 1.

    Args:
        key: a random key.
        a: an array, or a number of integers.
        shape: of the draws, in place of the axis: the result has shape (*a.shape[:axis], *shape,
            *a.shape[axis+1:]).
        replace: whether one entry may come several times.
        p: probabilities of the entries, of shape (n,); uniform by default.
        axis: along which to choose.
        mode: of the Gumbel numbers that draw by p without replacement: see `gumbel`.

    Raises:
        ValueError: when there is nothing to choose from, or fewer entries than draws without
            replacement.

    >>> import vires
    >>> vires.random.choice(vires.random.key(0), 10, (4,))
    Array([9, 0, 2, 3], dtype=int32)
    """
    key = consume(key, "choice")
    shape = fixed_shape(shape, "choice")
    a, axis, count = _population(a, axis, "choice", "a")
    n = a.shape[axis] if count is None else count
    draws = math.prod(shape)
    if n == 0 and draws:
        raise ValueError("choice: needs at least one entry to choose from; got none")
    if not replace and draws > n:
        raise ValueError(
            "choice: needs at least as many entries as draws without replacement; got "
            f"{n} entries and {draws} draws; try replace=True"
        )
    mode = gumbel_mode(mode, "choice")
    if p is None:
        if replace:
            index = _uniform_index(key, shape, n, dtypes.default_int())
        elif count is None:
            # The whole array is permuted, so that a one-dimensional one needs no indices.
            index = None
        else:
            index = _order(key, n)[:draws].reshape(shape)
    else:
        p = np.asarray(parameter(p, "choice", "p"))
        if tuple(p.shape) != (n,):
            raise ValueError(
                f"choice: needs p of shape ({n},), one for each entry; got {tuple(p.shape)}"
            )
        index = _weighted_index(key, shape, promoted_float(p), bool(replace), mode, p)
    if count is not None:
        return index
    if index is None:
        return _subset(key, axis, shape, a)
    return _entries(axis, a, index)


def draw_index(key: Any, shape: tuple[int, ...], n: int, dtype: DType) -> Any:
    low, high = numpy.zeros((), dtype), numpy.asarray(n, dtype)
    return draw_integers(key, shape, dtype, low, high, False)


def draw_weighted(
    key: Any, shape: tuple[int, ...], dtype: DType, replace: bool, mode: str, p: Any
) -> Any:
    """By the inverse of the cumulated p; without replacement, by largest log p + Gumbel."""
    p = lax.convert_element_type(p, dtype)
    if replace:
        cumulated = np.cumsum(p)
        u = cumulated[-1] * (1 - draw_unit(key, shape, dtype))
        return np.searchsorted(cumulated, u).astype(dtypes.default_int())
    noisy = draw_gumbel(key, tuple(p.shape), dtype, mode) + np.log(p)
    _, index = lax.top_k(noisy, math.prod(shape))
    return index.reshape(shape).astype(dtypes.default_int())


def draw_subset(key: Any, axis: int, shape: tuple[int, ...], a: Any) -> Any:
    permuted = draw_permutation(key, axis, False, a)
    some = lax.slice_in_dim(permuted, 0, math.prod(shape), axis=axis)
    return some.reshape((*a.shape[:axis], *shape, *a.shape[axis + 1 :]))


_order = jit(draw_order, static_argnums=(1,))
_permutation = jit(draw_permutation, static_argnums=(1, 2))
_uniform_index = jit(draw_index, static_argnums=(1, 2, 3))
_weighted_index = jit(draw_weighted, static_argnums=(1, 2, 3, 4))
_subset = jit(draw_subset, static_argnums=(1, 2))
_entries = jit(lambda axis, a, index: _pick(a, index, axis), static_argnums=(0,))
