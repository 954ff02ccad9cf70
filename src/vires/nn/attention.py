"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vires.nn.normalization import softmax
from vires.numpy.choosing import where
from vires.numpy.einsum import einsum
from vires.numpy.operands import ShapeError, convert, operand, shape_text
from vires.ops.filled import full_like

__all__ = ["dot_product_attention"]


def dot_product_attention(
    query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, *,
    scale: float | None = None,
    is_causal: bool = False, query_seq_lengths: Any = None, key_value_seq_lengths: Any = None,
    local_window_size: Any = None, implementation: str | None = None, return_residual: bool = False,
) -> Any:  # fmt: skip
    """softmax(scale Q K^T + bias) V for each batch entry and head, masked entries left out.

    Args:
      query: (batch, T, heads, size) or (T, heads, size).
      key, value: (batch, S, key heads, size); several query heads may share one key head.
      bias, mask: broadcast to (batch, heads, T, S); false entries of the mask are left out.
      scale: 1 / sqrt(size) by default.
      is_causal: position t sees positions up to t only.
      query_seq_lengths, key_value_seq_lengths: (batch,) lengths of padded sequences.
      local_window_size: how many positions before and after t are seen: a number or a pair.

    Returns: an array of the shape and dtype of `query`.
    """
    if implementation not in (None, "xla"):
        raise ValueError(
            f"dot_product_attention: needs implementation None; got {implementation!r}"
        )
    if return_residual:
        raise NotImplementedError(
            "dot_product_attention: needs return_residual=False; got True; try logsumexp of the "
            "scaled logits, which is what the residual is"
        )
    q, k, v = (
        operand(x, "dot_product_attention", name)
        for x, name in ((query, "query"), (key, "key"), (value, "value"))
    )
    batched = q.aval.ndim == 4
    if not batched:
        q, k, v = q[None], k[None], v[None]
    if not q.aval.ndim == k.aval.ndim == v.aval.ndim == 4:
        raise ShapeError(
            f"dot_product_attention: needs arrays of 3 or 4 axes; got {shape_text(q)}, "
            f"{shape_text(k)}, {shape_text(v)}"
        )
    batch, length, heads, size = q.aval.shape
    sources, groups = k.aval.shape[1:3]
    if v.aval.shape[1:3] != (sources, groups) or k.aval.shape[3] != size or heads % groups:
        raise ShapeError(
            "dot_product_attention: needs key and value for the query's heads; got "
            f"{shape_text(q)}, {shape_text(k)}, "
            f"{shape_text(v)}"
        )
    grouped = q.reshape(batch, length, groups, heads // groups, size)
    wide = np.float32 if q.aval.dtype.itemsize < 4 else q.aval.dtype
    scores = einsum("btghd,bsgd->bghts", grouped.astype(wide), k.astype(wide)).reshape(
        batch, heads, length, sources
    )
    scores = scores * (1 / math.sqrt(size) if scale is None else scale)
    if bias is not None:
        scores = scores + operand(bias, "dot_product_attention", "bias")
    allowed = _visible(
        mask,
        length,
        sources,
        is_causal,
        local_window_size,
        query_seq_lengths,
        key_value_seq_lengths,
    )
    if allowed is not None:
        scores = where(allowed, scores, full_like(scores, float(np.finfo(np.float32).min) * 0.7))
    weights = softmax(scores, -1).reshape(batch, groups, heads // groups, length, sources)
    result = einsum("bghts,bsgd->btghd", weights, v.astype(wide))
    result = convert(result.reshape(batch, length, heads, v.aval.shape[3]), q.aval.dtype)
    if query_seq_lengths is not None:
        inside = (
            np.arange(length)[None, :]
            < operand(query_seq_lengths, "dot_product_attention")[:, None]
        )
        result = where(inside[:, :, None, None], result, full_like(result, 0))
    return result if batched else result[0]


def _visible(
    mask: Any,
    length: int,
    sources: int,
    is_causal: bool,
    window: Any,
    query_lengths: Any,
    key_lengths: Any,
) -> Any:
    """Which sources each position sees, or None for all."""
    rows, columns = np.arange(length)[:, None], np.arange(sources)[None, :]
    allowed: Any = None if mask is None else operand(mask, "dot_product_attention", "mask")

    def both(condition: Any) -> Any:
        return condition if allowed is None else allowed & condition

    if is_causal:
        allowed = both(columns <= rows)
    if window is not None:
        before, after = (window, window) if isinstance(window, int) else window
        allowed = both((columns >= rows - before) & (columns <= rows + after))
    if query_lengths is not None:
        allowed = both(
            rows[None, None] < operand(query_lengths, "dot_product_attention")[:, None, None, None]
        )
    if key_lengths is not None:
        allowed = both(
            columns[None, None] < operand(key_lengths, "dot_product_attention")[:, None, None, None]
        )
    return allowed
