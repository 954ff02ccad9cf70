"""Poisson and geometric counts, and draws from categories."""

from __future__ import annotations

import math
from typing import Any

import numpy

import vires.numpy as np
from vires import lax
from vires.api.jit import jit
from vires.core import dtypes
from vires.core.dtypes import DType
from vires.random.arguments import (
    Shape,
    broadcast_shape,
    common_shape,
    int_dtype,
    parameter,
    promoted_float,
)
from vires.random.continuous import draw_gumbel, gumbel_mode
from vires.random.keys import consume
from vires.random.rejection import last_accepted
from vires.random.uniforms import draw_unit, split_keys


def poisson(key: Any, lam: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Poisson random counts, of probability lam**k exp(-lam) / k!.

    Args:
        key: a random key.
        lam: mean, not negative.
        shape: of the result; by default that of lam.
        dtype: an integer dtype; int32 by default (int64 in 64-bit mode).
    """
    key = consume(key, "poisson")
    dtype = int_dtype(dtype, "poisson")
    lam = parameter(lam, "poisson", "lam")
    shape = broadcast_shape("poisson", shape, ("lam",), (lam,))
    return _poisson(key, shape, dtype, lam)


def draw_poisson(key: Any, shape: tuple[int, ...], dtype: DType, lam: Any) -> Any:
    """Small means by Knuth's method, others by rejection; each with a harmless mean elsewhere."""
    lam = lax.stop_gradient(lax.convert_element_type(lam, dtypes.float32))
    lam = np.broadcast_to(lam, shape)
    small = np.isnan(lam) | (lam < 10)
    counted = _poisson_knuth(key, shape, dtype, np.where(small, lam, 0.0))
    rejected = _poisson_rejection(key, shape, dtype, np.where(small, 1e5, lam), np.all(small))
    return np.where(lam == 0, numpy.zeros((), dtype), np.where(small, counted, rejected))


def _poisson_knuth(key: Any, shape: tuple[int, ...], dtype: DType, lam: Any) -> Any:
    """Count uniform numbers until their product is at most exp(-lam)."""

    def more(state: Any) -> Any:
        return np.any(state[2] > -lam)

    def step(state: Any) -> Any:
        key, count, log_product = state
        key, u_key = split_keys(key, 2)
        going = log_product > -lam
        further = log_product + np.log(draw_unit(u_key, shape, dtypes.float32))
        # What is done stays as it is, so that the loop needs no memory.
        return key, np.where(going, count + 1, count), np.where(going, further, log_product)

    start = (key, np.zeros(shape, dtype), np.zeros(shape, dtypes.float32))
    return lax.while_loop(more, step, start)[1] - 1


def _poisson_rejection(
    key: Any, shape: tuple[int, ...], dtype: DType, lam: Any, unwanted: Any
) -> Any:
    """Transformed rejection, algorithm PTRS of Hormann (1993); no rounds where all is unwanted."""
    log_lam = np.log(lam)
    b = 0.931 + 2.53 * np.sqrt(lam)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_limit = 0.9277 - 3.6224 / (b - 2)

    def propose(key: Any) -> tuple[Any, Any]:
        u_key, v_key = split_keys(key, 3)[1:]
        u = draw_unit(u_key, shape, dtypes.float32) - 0.5
        v = draw_unit(v_key, shape, dtypes.float32)
        distance = 0.5 - np.abs(u)
        k = np.floor((2 * a / distance + b) * u + lam + 0.43)
        height = np.log(v * inverse_alpha / (a / (distance * distance) + b))
        log_probability = -lam + k * log_lam - lax.lgamma(k + 1)
        inside = (distance >= 0.07) & (v <= v_limit)
        outside = (k < 0) | ((distance < 0.013) & (v > distance))
        return k, inside | (~outside & (height <= log_probability))

    result = last_accepted(key, np.full(shape, -1, dtypes.float32), propose, unwanted)
    return result.astype(dtype)


def geometric(key: Any, p: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Geometric random counts: trials until the first success, k >= 1 with p (1 - p)**(k - 1).

    Args:
        key: a random key.
        p: probability of success, of (0, 1].
        shape: of the result; by default that of p.
        dtype: an integer dtype; int32 by default (int64 in 64-bit mode).
    """
    key = consume(key, "geometric")
    dtype = int_dtype(dtype, "geometric")
    p = parameter(p, "geometric", "p")
    shape = broadcast_shape("geometric", shape, ("p",), (p,))
    return _geometric(key, shape, dtype, promoted_float(p), p)


def draw_geometric(key: Any, shape: tuple[int, ...], dtype: DType, drawn: DType, p: Any) -> Any:
    p = lax.stop_gradient(lax.convert_element_type(p, drawn))
    u = draw_unit(key, shape, drawn)
    log_u = np.log(np.where(u == 0, numpy.ones((), drawn), u))
    return (np.floor(log_u / np.log1p(-p)) + 1).astype(dtype)


def categorical(
    key: Any,
    logits: Any,
    axis: int = -1,
    shape: Shape | None = None,
    replace: bool = True,
    mode: str | None = None,
) -> Any:
    """Random categories: indices along `axis`, of probability softmax(logits, axis).

    Args:
        key: a random key.
        logits: unnormalised log-probabilities.
        axis: the axis of the categories.
        shape: of the result; its last dimensions are those of logits without `axis`, to which these
            broadcast. By default just those.
        replace: whether one category may come several times; without, draws along the leading
            dimensions of `shape` are distinct.
        mode: of the Gumbel numbers: see `gumbel`.

    >>> import vires
    >>> logits = vires.numpy.array([0.0, 1.0, 2.0])
    >>> vires.random.categorical(vires.random.key(0), logits, shape=(6,))
    Array([1, 1, 2, 1, 2, 2], dtype=int32)
    """
    key = consume(key, "categorical")
    logits = np.asarray(parameter(logits, "categorical", "logits"))
    if not -logits.ndim <= axis < logits.ndim:
        raise ValueError(
            f"categorical: needs an axis of logits; got axis {axis} for shape {tuple(logits.shape)}"
        )
    axis = axis + logits.ndim if axis < 0 else axis
    batch = tuple(logits.shape[:axis]) + tuple(logits.shape[axis + 1 :])
    full = common_shape("categorical", shape, ("a batch of logits",), (batch,))
    prefix = full[: len(full) - len(batch)]
    count = math.prod(prefix)
    if not replace and count > logits.shape[axis]:
        raise ValueError(
            "categorical: needs at least as many categories as draws without replacement; got "
            f"{logits.shape[axis]} categories and {count} draws; try replace=True"
        )
    own = full[len(prefix) :]
    expanded = (*own[:axis], logits.shape[axis], *own[axis:])
    dtype = promoted_float(logits)
    mode = gumbel_mode(mode, "categorical")
    return _categorical(key, prefix, expanded, axis, dtype, bool(replace), mode, logits)


def draw_categories(
    key: Any,
    prefix: tuple[int, ...],
    shape: tuple[int, ...],
    axis: int,
    dtype: DType,
    replace: bool,
    mode: str,
    logits: Any,
) -> Any:
    """The largest of logits plus Gumbel numbers is a category of the wanted distribution."""
    logits = lax.convert_element_type(logits, dtype)
    if replace:
        noisy = draw_gumbel(key, (*prefix, *shape), dtype, mode) + logits
        return lax.argmax(noisy, len(prefix) + axis, dtypes.default_int())
    noisy = draw_gumbel(key, shape, dtype, mode) + logits
    _, best = lax.top_k(np.moveaxis(noisy, axis, -1), math.prod(prefix))
    rest = shape[:axis] + shape[axis + 1 :]
    return np.moveaxis(best, -1, 0).reshape((*prefix, *rest))


_poisson = jit(draw_poisson, static_argnums=(1, 2))
_geometric = jit(draw_geometric, static_argnums=(1, 2, 3))
_categorical = jit(draw_categories, static_argnums=(1, 2, 3, 4, 5, 6))
