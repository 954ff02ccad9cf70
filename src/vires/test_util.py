"""Checks of derivatives against differences (as `jax.test_util`)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.api.linear_maps import jvp, vjp
from vires.core import dtypes, tree
from vires.core.trace import as_array, aval_of

__all__ = ["check_grads", "check_jvp", "check_vjp"]

_STEP = 1e-4
#: Errors that results of a dtype may have, absolute and relative.
_TOLERANCE = {dtypes.float64: 1e-5, dtypes.complex128: 1e-5, dtypes.float16: 1e-1}
_OF_OTHERS = 2e-2


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Check derivatives of f at `args` up to an order against central differences.

    Args:
      modes: "fwd" (jvp), "rev" (vjp), or both, nested in every way up to `order`.
      atol, rtol: how far a derivative may be off; by default according to its dtype.
      eps: the step of the differences.

    Raises:
      AssertionError: a derivative that is off.

    >>> import numpy as np
    >>> import vires
    >>> check_grads(vires.numpy.sin, (np.float64(0.5),), order=2)
    """
    if order < 1 or not set(modes) <= {"fwd", "rev"}:
        raise ValueError(
            f"check_grads: needs order >= 1 and modes of fwd, rev; got {order}, {modes}"
        )
    args = tuple(args)
    checks = {
        "fwd": (check_jvp, functools.partial(jvp, f), _pushed),
        "rev": (check_vjp, functools.partial(vjp, f), _pulled),
    }
    for mode in modes:
        check, derivative, derived = checks[mode]
        check(f, derivative, args, atol, rtol, _STEP if eps is None else eps)
        if order > 1:
            check_grads(derived(f, args), args, order - 1, modes, atol, rtol, eps)


def _pushed(f: Callable[..., Any], args: tuple[Any, ...]) -> Callable[..., Any]:
    tangents = _random_like(args)
    return lambda *xs: jvp(f, xs, tangents)[1]


def _pulled(f: Callable[..., Any], args: tuple[Any, ...]) -> Callable[..., Any]:
    ct = _random_like(f(*args))

    def pulled(*xs: Any) -> list[Any]:
        leaves = tree.leaves(vjp(f, *xs)[1](ct))
        return [x for x in leaves if getattr(x, "dtype", None) != dtypes.float0]

    return pulled


def check_jvp(
    f: Callable[..., Any],
    f_jvp: Callable[..., Any],
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float = _STEP,
    err_msg: str = "",
) -> None:
    """Check that `f_jvp(args, tangents)` gives f's values and how they move along random
    tangents.
    """
    args = tuple(args)
    tangents = _random_like(args)
    values, moved = f_jvp(args, tangents)
    _close(f(*args), values, atol, rtol, f"{err_msg} values of jvp".strip())
    _close(_difference(f, args, tangents, eps), moved, atol, rtol, f"{err_msg} jvp".strip())


def check_vjp(
    f: Callable[..., Any],
    f_vjp: Callable[..., Any],
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float = _STEP,
    err_msg: str = "",
) -> None:
    """Check that `f_vjp(*args)` gives f's values, and a pullback whose cotangents agree with how
    the values move along random tangents.
    """
    args = tuple(args)
    values, pullback = f_vjp(*args)
    _close(f(*args), values, atol, rtol, f"{err_msg} values of vjp".strip())
    tangents = _random_like(args)
    ct = _random_like(values)
    moved = _inner(ct, _difference(f, args, tangents, eps))
    pulled = _inner(pullback(ct), tangents)
    _near(moved, pulled, values, atol, rtol, f"{err_msg} vjp".strip())


def _random_like(x: Any) -> Any:
    draw = np.random.RandomState(0)

    def leaf(value: Any) -> Any:
        aval = aval_of(value)
        if not dtypes.is_inexact(aval.dtype):
            return np.zeros(aval.shape, dtypes.float0)
        numbers = draw.standard_normal(aval.shape)
        if dtypes.kind(aval.dtype) == "complex":
            numbers = numbers + 1j * draw.standard_normal(aval.shape)
        return as_array(np.asarray(numbers, aval.dtype))

    return tree.map(leaf, x)


def _wide(x: Any) -> np.ndarray:
    value = np.asarray(x)
    if value.dtype == dtypes.float0:
        return np.zeros(value.shape)
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)


def _difference(f: Callable[..., Any], args: tuple[Any, ...], tangents: Any, eps: float) -> Any:
    """(f(args + eps tangents) - f(args - eps tangents)) / 2 eps."""

    def moved(sign: float) -> Any:
        def leaf(x: Any, dx: Any) -> Any:
            aval = aval_of(x)
            if not dtypes.is_inexact(aval.dtype):
                return x
            return as_array((_wide(x) + sign * eps * _wide(dx)).astype(aval.dtype))

        return f(*tree.map(leaf, args, tangents))

    return tree.map(lambda a, b: (_wide(a) - _wide(b)) / (2 * eps), moved(1.0), moved(-1.0))


def _inner(x: Any, y: Any) -> Any:
    """The sum of the real parts of the products of corresponding elements."""
    pairs = zip(tree.leaves(x), tree.leaves(y), strict=True)
    return sum(np.sum(np.real(_wide(a) * _wide(b))) for a, b in pairs)


def _close(want: Any, found: Any, atol: Any, rtol: Any, what: str) -> None:
    for a, b in zip(tree.leaves(want), tree.leaves(found), strict=True):
        _near(_wide(a), _wide(b), b, atol, rtol, what)


def _near(want: Any, found: Any, typed: Any, atol: Any, rtol: Any, what: str) -> None:
    types = [aval_of(x).dtype for x in tree.leaves(typed)]
    own = max((_TOLERANCE.get(dtype, _OF_OTHERS) for dtype in types), default=0.0)
    np.testing.assert_allclose(
        found,
        want,
        atol=own if atol is None else atol,
        rtol=own if rtol is None else rtol,
        err_msg=what,
    )
