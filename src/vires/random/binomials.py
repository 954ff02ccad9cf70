"""Binomial and multinomial counts."""

from __future__ import annotations

from typing import Any

import numpy

import vires.numpy as np
from vires import lax
from vires.api.jit import jit
from vires.core.dtypes import DType
from vires.ops.random_bits import random_split
from vires.random.arguments import (
    Shape,
    broadcast_shape,
    common_shape,
    float_dtype,
    parameter,
    promoted_float,
)
from vires.random.keys import consume
from vires.random.rejection import last_accepted
from vires.random.uniforms import draw_unit, split_keys

#: log k! less Stirling's approximation of it, for k = 0 ... 9.
_STIRLING_TAIL = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.0207906721037650,
    0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
    0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def _stirling_tail(k: Any, dtype: DType) -> Any:
    """log k! less Stirling's approximation: a table, then the first terms of the series."""
    table = np.asarray(numpy.asarray(_STIRLING_TAIL, dtype))
    bounded = np.clip(k, 0.0, 9.0)
    square = (bounded + 1) * (bounded + 1)
    series = (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (bounded + 1)
    exact = table.at[np.floor(bounded).astype("int32")].get(mode="promise_in_bounds")
    return np.where(k <= 9, exact, series)


def _inversion(key: Any, shape: tuple[int, ...], dtype: DType, n: Any, p: Any) -> Any:
    """Count geometric gaps between successes until they exceed n trials; for small n p."""
    log_failure = np.log1p(-p)

    def more(state: Any) -> Any:
        return np.any(state[2] <= n)

    def step(state: Any) -> Any:
        key, gaps, trials = state
        u_key, key = split_keys(key, 2)
        going = trials <= n
        gap = np.ceil(np.log(draw_unit(u_key, shape, dtype)) / log_failure)
        # What is done stays as it is, so that the loop needs no memory.
        return key, np.where(going, gaps + 1, gaps), np.where(going, trials + gap, trials)

    start = (key, np.zeros(shape, dtype), np.zeros(shape, dtype))
    return lax.while_loop(more, step, start)[1] - 1


def _rejection(
    key: Any, shape: tuple[int, ...], dtype: DType, n: Any, p: Any, unwanted: Any
) -> Any:
    """Transformed rejection, algorithm BTRS of Hormann (1993), for p <= 1/2 and n p >= 10.

    Where all results are unwanted there are no rounds.
    """
    deviation = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c = n * p + 0.5
    v_limit = 0.92 - 4.2 / b
    odds = p / (1 - p)
    alpha = (2.83 + 5.1 / b) * deviation
    mode = np.floor((n + 1) * p)

    def propose(key: Any) -> tuple[Any, Any]:
        u_key, v_key = split_keys(key, 3)[1:]
        u = draw_unit(u_key, shape, dtype) - 0.5
        v = draw_unit(v_key, shape, dtype)
        distance = 0.5 - np.abs(u)
        inside = (distance >= 0.07) & (v <= v_limit)
        k = np.floor((2 * a / distance + b) * u + c)
        outside = (k < 0) | (k > n)
        height = np.log(v * alpha / (a / (distance * distance) + b))
        bound = (
            (mode + 0.5) * np.log((mode + 1) / (odds * (n - mode + 1)))
            + (n + 1) * np.log((n - mode + 1) / (n - k + 1))
            + (k + 0.5) * np.log(odds * (n - k + 1) / (k + 1))
            + _stirling_tail(mode, dtype)
            + _stirling_tail(n - mode, dtype)
            - _stirling_tail(k, dtype)
            - _stirling_tail(n - k, dtype)
        )
        return k, inside | (~outside & (height <= bound))

    return last_accepted(key, np.full(shape, -1, dtype), propose, unwanted)


def draw_binomial(
    key: Any, shape: tuple[int, ...], drawn: DType, dtype: DType, n: Any, p: Any
) -> Any:
    """Counts for min(p, 1 - p), turned round where p >= 1/2.

    Small means by inversion, others by rejection, in the dtype `drawn`; the counts are given as
    `dtype`.
    """
    n = np.broadcast_to(lax.stop_gradient(lax.convert_element_type(n, drawn)), shape)
    p = np.broadcast_to(lax.stop_gradient(lax.convert_element_type(p, drawn)), shape)
    rare = p < 0.5
    q = np.where(rare, p, 1 - p)
    bad_n = np.isnan(n) | (n < 0)
    infinite = np.isinf(n)
    bad_q = np.isnan(q) | (q < 0)
    q = np.where(bad_q, numpy.asarray(0.01, drawn), q)
    mean = n * q
    # inf * 0 is nan: rejection would go on for ever.
    small = bad_n | (mean <= 10) | np.isnan(mean)
    whole = np.floor(n)
    counted = _inversion(key, shape, drawn, np.where(small & ~infinite, whole, 0.0), q)
    rejected = _rejection(
        key, shape, drawn, np.where(small, 1e4, whole), np.where(small, 0.5, q), np.all(small)
    )
    result = np.where(small, counted, rejected).astype(dtype)
    invalid = bad_q | bad_n
    result = np.where(invalid, numpy.nan, result)
    result = np.where(infinite & ~invalid, numpy.inf, result)
    unturned = rare | bad_n | np.isnan(p) | infinite
    return np.where(unturned, result, whole.astype(dtype) - result)


def binomial(key: Any, n: Any, p: Any, shape: Shape | None = None, dtype: Any = None) -> Any:
    """Binomial random counts, as floats: successes in n trials of probability p each.

    Args:
        key: a random key.
        n: number of trials; nan where negative or nan.
        p: probability of success; nan where it is outside [0, 1].
        shape: of the result; by default that to which n and p broadcast.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
    """
    key = consume(key, "binomial")
    n, p = parameter(n, "binomial", "n"), parameter(p, "binomial", "p")
    drawn = promoted_float(n, p)
    dtype = float_dtype(dtype, "binomial")
    shape = broadcast_shape("binomial", shape, ("n", "p"), (n, p))
    return _binomial(key, shape, drawn, dtype, n, p)


def multinomial(
    key: Any,
    n: Any,
    p: Any,
    *,
    shape: Shape | None = None,
    dtype: Any = None,
    unroll: int | bool = 1,
) -> Any:
    """Multinomial random counts, as floats: how often each of k outcomes comes in n trials.

    Args:
        key: a random key.
        n: number of trials; its shape broadcasts to the batch.
        p: probabilities of shape (..., k), summing to 1 along the last axis.
        shape: of the result, ending in k; by default the batch to which n and p broadcast, and k.
        dtype: a float dtype; float32 by default (float64 in 64-bit mode).
        unroll: of the loop over outcomes: see `lax.scan`.
    """
    key = consume(key, "multinomial")
    n = np.asarray(parameter(n, "multinomial", "n"))
    p = np.asarray(parameter(p, "multinomial", "p"))
    if p.ndim < 1:
        raise ValueError("multinomial: needs p of at least one dimension; got shape ()")
    drawn = promoted_float(n, p)
    dtype = float_dtype(dtype, "multinomial")
    k = p.shape[-1]
    full = common_shape("multinomial", shape, ("n", "p"), ((*n.shape, 1), p.shape))
    if not full or full[-1] != k:
        raise ValueError(
            f"multinomial: needs a shape that ends in the number of outcomes, {k}; got {full}"
        )
    return _multinomial(key, full[:-1], drawn, dtype, unroll, n, p)


def draw_multinomial(
    key: Any,
    batch: tuple[int, ...],
    drawn: DType,
    dtype: DType,
    unroll: int | bool,
    n: Any,
    p: Any,
) -> Any:
    """Each outcome in turn is binomial among the trials that the earlier ones left."""
    p = np.broadcast_to(lax.stop_gradient(p.astype(drawn)), (*batch, p.shape[-1]))
    n = np.broadcast_to(lax.stop_gradient(n.astype(drawn)), batch)
    left = lax.cumsum(p, axis=p.ndim - 1, reverse=True)
    ratios = p / np.where(left == 0, numpy.ones((), drawn), left)
    keys = random_split(key, shape=(p.shape[-1],))

    def outcome(trials: Any, inputs: Any) -> tuple[Any, Any]:
        ratio, own_key = inputs
        ratio = np.clip(ratio, 0.0, 1.0)
        count = draw_binomial(own_key, batch, drawn, dtype, trials, ratio)
        return trials - count.astype(drawn), count

    _, counts = lax.scan(outcome, n, (np.moveaxis(ratios, -1, 0), keys), unroll=unroll)
    return np.moveaxis(counts, 0, -1)


_binomial = jit(draw_binomial, static_argnums=(1, 2, 3))
_multinomial = jit(draw_multinomial, static_argnums=(1, 2, 3, 4))
