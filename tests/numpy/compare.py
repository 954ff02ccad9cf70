"""Comparison with NumPy, used by all tests of the namespace."""

from __future__ import annotations

from typing import Any

import numpy as onp

import vires
import vires.numpy as np

#: Relative tolerance by dtype of the result, in units of its precision.
ULPS = 8


def to_host(x: Any) -> Any:
    """Results as NumPy arrays, containers kept."""
    if isinstance(x, (tuple, list)):
        return [to_host(item) for item in x]
    return onp.asarray(x)


def narrow(x: onp.ndarray) -> onp.ndarray:
    """NumPy's 64-bit results in the dtype that vires gives by default."""
    smaller = {
        "int64": "int32",
        "uint64": "uint32",
        "float64": "float32",
        "complex128": "complex64",
    }
    return x.astype(smaller.get(x.dtype.name, x.dtype))


def assert_close(
    actual: Any, expected: Any, ulps: float = ULPS, scale: float = 0.0, dtype: bool = True
) -> None:
    """Equal shapes, and values within some units in the last place; nan, inf and (for scale 0)
    signs of zero agree.

    `scale` adds an absolute tolerance: that many units of the given magnitude.
    """
    if isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            assert_close(a, e, ulps, scale, dtype)
        return
    a, e = onp.asarray(actual), onp.asarray(expected)
    assert a.shape == e.shape, (a.shape, e.shape)
    if dtype:
        assert a.dtype == narrow(e).dtype or a.dtype == e.dtype, (a.dtype, e.dtype)
    if a.dtype.kind in "biu":
        onp.testing.assert_array_equal(a, e.astype(a.dtype))
        return
    if a.dtype.kind == "V":
        eps, a = 2.0**-7, a.astype(onp.float32)
        e = e.astype(onp.float32)
    else:
        eps = float(onp.finfo(a.dtype).eps)
    onp.testing.assert_allclose(a, e, rtol=ulps * eps, atol=scale * eps, equal_nan=True)


def _holds_arrays(x: Any) -> bool:
    leaves = x if isinstance(x, list) else [x]
    return bool(leaves) and all(isinstance(item, (onp.ndarray, list)) for item in leaves)


def check(function: str, *args: Any, ulps: float = ULPS, scale: float = 0.0, jit: bool = True,
    dtype: bool = True,
          reference: Any = None, **keywords: Any) -> None:  # fmt: skip
    """The function of the namespace equals NumPy's on NumPy arguments, eagerly and under jit."""
    ours: Any = np
    theirs: Any = onp
    for part in function.split("."):
        ours = getattr(ours, part)
        theirs = getattr(theirs, part, None)
    with onp.errstate(all="ignore"):
        expected = (reference or theirs)(*args, **keywords)
    arrays = [vires.tree.map(np.asarray, a) if _holds_arrays(a) else a for a in args]
    actual = ours(*arrays, **keywords)
    assert_close(to_host(actual), to_host(expected), ulps, scale, dtype)
    if jit:
        traced = [i for i, a in enumerate(args) if _holds_arrays(a)]

        def call(*values: Any) -> Any:
            whole = list(arrays)
            for i, value in zip(traced, values, strict=True):
                whole[i] = value
            return ours(*whole, **keywords)

        compiled = vires.jit(call)(*[arrays[i] for i in traced])
        assert_close(to_host(compiled), to_host(expected), ulps, scale, dtype)
