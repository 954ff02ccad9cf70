"""How arrays are written: NumPy's layout, with the dtype and weak type that users of JAX know."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.trace import Tracer

get_printoptions, set_printoptions, printoptions = (
    np.get_printoptions,
    np.set_printoptions,
    np.printoptions,
)


def _printable(x: Any) -> np.ndarray:
    """The elements as NumPy can print them: keys as their two words."""
    values = x._numpy()
    if dtypes.is_key(x.dtype):
        words = values.astype(np.uint64)
        return np.stack([words & 0xFFFFFFFF, words >> 32], -1).astype(np.uint32)
    return values


def array_repr(arr: Any, max_line_width: int | None = None, precision: int | None = None,
               suppress_small: bool | None = None) -> str:  # fmt: skip
    """`Array([1., 2.], dtype=float32)`."""
    if isinstance(arr, Tracer):
        return repr(arr)
    if dtypes.is_key(arr.dtype):
        return f"Array({arr.shape}, dtype={arr.dtype}) overlaying:\n{_printable(arr)}"
    prefix = "Array("
    suffix = f", dtype={arr.dtype.name}{', weak_type=True' if arr.weak_type else ''})"
    if arr.size == 0:
        return f"{prefix}[], shape={arr.shape}{suffix}"
    # Without its suffix here: a long one would move the line breaks.
    text = np.array2string(
        _printable(arr),
        max_line_width,
        precision,
        suppress_small,
        separator=", ",
        prefix=prefix,
        suffix=",",
    )
    width = np.get_printoptions()["linewidth"] if max_line_width is None else max_line_width
    last = text.rpartition("\n")[2] if "\n" in text else prefix + text
    joint = ",\n" + " " * len(prefix) + suffix[2:] if len(last) + len(suffix) > width else suffix
    return prefix + text + joint


def array_str(a: Any, max_line_width: int | None = None, precision: int | None = None,
              suppress_small: bool | None = None) -> str:  # fmt: skip
    """`[1. 2.]`."""
    if isinstance(a, Tracer):
        return str(a)
    if dtypes.is_key(a.dtype):
        return array_repr(a)
    if not a.shape:
        return str(a._numpy()[()])
    return (
        np.array2string(_printable(a), max_line_width, precision, suppress_small)
        if a.size
        else "[]"
    )


__all__ = ["array_repr", "array_str", "get_printoptions", "printoptions", "set_printoptions"]
