"""Polynomials given by their coefficients, the highest power first."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy import linalg
from vires.numpy.arithmetic import add, multiply, negative, sqrt, subtract
from vires.numpy.contraction import dot, outer
from vires.numpy.creation import asarray
from vires.numpy.float_parts import real
from vires.numpy.joining import concatenate
from vires.numpy.operands import convert, inexact_of, operand, promote, promote_inexact
from vires.numpy.reductions import sum as sum_
from vires.numpy.sets import trim_zeros
from vires.numpy.shaping import atleast_1d
from vires.numpy.signal import convolve
from vires.numpy.triangles import diag, vander
from vires.ops.join import pad

__all__ = [
    "poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub",
    "polyval", "roots",
]  # fmt: skip


def _coefficients(function: str, p: Any, argument: str = "p") -> Any:
    x = atleast_1d(asarray(p) if isinstance(p, (list, tuple)) else operand(p, function, argument))
    if x.aval.ndim != 1:
        raise ValueError(f"{function}: needs 1-d coefficients; got shape {x.aval.shape}")
    return x


def polyval(p: Any, x: Any, *, unroll: int = 16) -> Any:
    """The value at x of the polynomial with coefficients p, by Horner's rule; further axes of p are
    kept in front.

    >>> from vires import numpy as np
    >>> np.polyval(np.array([1, 0, -1]), 3)
    Array(8, dtype=int32)
    """
    c, x = promote(asarray(p), asarray(x))
    if not c.aval.ndim:
        raise ValueError("polyval: needs coefficients along at least 1 axis; got a 0-d array")
    result = multiply(x, 0) if not c.aval.size else None
    for k in range(c.aval.shape[0]):
        coefficient = c[k]
        if (coefficient.aval.ndim and x.aval.ndim and result is None) or (
            coefficient.aval.ndim and x.aval.ndim
        ):
            coefficient = coefficient.reshape((*coefficient.aval.shape, *(1,) * x.aval.ndim))
        result = (
            add(multiply(x, 0), coefficient)
            if result is None
            else add(multiply(result, x), coefficient)
        )
    return result


def _aligned(function: str, a1: Any, a2: Any) -> tuple[Any, Any]:
    x, y = promote(_coefficients(function, a1, "a1"), _coefficients(function, a2, "a2"))
    size = max(x.aval.size, y.aval.size)
    zero = convert(asarray(0), x.aval.dtype)
    x, y = (
        z if z.aval.size == size else pad(z, zero, padding_config=((size - z.aval.size, 0, 0),))
        for z in (x, y)
    )
    return x, y


def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials."""
    return add(*_aligned("polyadd", a1, a2))


def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials."""
    return subtract(*_aligned("polysub", a1, a2))


def _trimmed(function: str, *polynomials: Any) -> list[Any]:
    for p in polynomials:
        if isinstance(p, Tracer) and p.concrete() is None:
            raise ConcretizationTypeError(
                p, f"{function} (trim_leading_zeros=True: the zeros decide the shape)"
            )
    return [trim_zeros(p, "f") if bool((p != 0).any()) else p[-1:] for p in polynomials]


def polymul(a1: Any, a2: Any, *, trim_leading_zeros: bool = False) -> Any:
    """The product of two polynomials."""
    x, y = promote(_coefficients("polymul", a1, "a1"), _coefficients("polymul", a2, "a2"))
    if trim_leading_zeros and x.aval.size > 1 and y.aval.size > 1:
        x, y = _trimmed("polymul", x, y)
    if not x.aval.size:
        x = asarray(np.zeros(1, y.aval.dtype))
    if not y.aval.size:
        y = asarray(np.zeros(1, x.aval.dtype))
    return convolve(x, y)


def polydiv(u: Any, v: Any, *, trim_leading_zeros: bool = False) -> tuple[Any, Any]:
    """(quotient, remainder) of two polynomials; leading zeros of the remainder stay unless they are
    trimmed."""
    x, y = promote_inexact(_coefficients("polydiv", u, "u"), _coefficients("polydiv", v, "v"))
    steps = x.aval.size - y.aval.size + 1
    if steps < 1:
        return asarray(np.zeros(1, x.aval.dtype)), x
    quotient = []
    rest = x
    for k in range(steps):
        factor = rest[k] / y[0]
        quotient.append(factor)
        rest = rest.at[k : k + y.aval.size].add(negative(factor * y))
    if trim_leading_zeros:
        (rest,) = _trimmed("polydiv", rest)
    return asarray(quotient), rest


def polyder(p: Any, m: int = 1) -> Any:
    """The m-th derivative."""
    x = _coefficients("polyder", p)
    m = operator.index(m)
    if m < 0:
        raise ValueError(f"polyder: needs m >= 0; got {m}")
    if m == 0:
        return x
    if not dtypes.is_inexact(x.aval.dtype):
        x = convert(x, inexact_of(x.aval.dtype))
    size = x.aval.size
    factors = np.ones(max(size - m, 0))
    for k in range(m):
        factors = factors * (np.arange(size - m)[::-1] + k + 1)
    return x[: max(size - m, 0)] * asarray(factors.astype(dtypes.real_of(x.aval.dtype)))


def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The m-th antiderivative, with constants of integration k (default 0), the first integration's
    first."""
    (x,) = promote_inexact(_coefficients("polyint", p))
    m = operator.index(m)
    if m < 0:
        raise ValueError(f"polyint: needs m >= 0; got {m}")
    constants = atleast_1d(asarray(0 if k is None else k))
    if constants.aval.size not in (1, m) and m:
        raise ValueError(f"polyint: needs 1 or {m} constants; got {constants.aval.size}")
    for step in range(m):
        divisors = np.arange(x.aval.size, 0, -1).astype(dtypes.real_of(x.aval.dtype))
        constant = constants[step if constants.aval.size > 1 else 0]
        x = concatenate([x / asarray(divisors), convert(constant, x.aval.dtype)[None]])
    return x


def poly(seq_of_zeros: Any) -> Any:
    """The coefficients of the polynomial with these roots, or the characteristic polynomial of a
    matrix."""
    (x,) = promote_inexact(atleast_1d(operand(seq_of_zeros, "poly", "seq_of_zeros")))
    if x.aval.ndim == 2:
        if x.aval.shape[0] != x.aval.shape[1] or not x.aval.size:
            raise ValueError(
                f"poly: needs a 1-d array or a square matrix; got shape {x.aval.shape}"
            )
        x = linalg.eigvals(x)
    elif x.aval.ndim != 1:
        raise ValueError(f"poly: needs a 1-d array or a square matrix; got shape {x.aval.shape}")
    result = asarray(np.ones(1, x.aval.dtype))
    for k in range(x.aval.size):
        result = concatenate([result, result[:1] * 0]) - concatenate(
            [result[:1] * 0, result * x[k]]
        )
    return result


def roots(p: Any, *, strip_zeros: bool = True) -> Any:
    """The roots, complex, as eigenvalues of the companion matrix. Under jit: strip_zeros=False and
    p[0] != 0."""
    (x,) = promote_inexact(_coefficients("roots", p))
    zeros = 0
    if strip_zeros:
        if isinstance(x, Tracer) and x.concrete() is None:
            raise ConcretizationTypeError(
                x, "roots (zeros decide the shape: try strip_zeros=False)"
            )
        found = np.flatnonzero(np.asarray(x) != 0)
        if not found.size:
            return asarray(np.zeros(0, dtypes.complex_of(x.aval.dtype)))
        zeros = x.aval.size - int(found[-1]) - 1
        x = x[int(found[0]) : int(found[-1]) + 1]
    n = x.aval.size - 1
    complex_dtype = dtypes.complex_of(x.aval.dtype)
    if n < 1:
        return asarray(np.zeros(zeros, complex_dtype))
    companion = diag(asarray(np.ones(n - 1, x.aval.dtype)), -1).at[0].set(negative(x[1:]) / x[0])
    values = convert(linalg.eigvals(companion), complex_dtype)
    return concatenate([values, asarray(np.zeros(zeros, complex_dtype))]) if zeros else values


def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """The coefficients of the polynomial of degree deg that fits the points (x, y) best in the
    least-squares sense.

    `full` adds (residuals, rank, singular values, rcond); `cov` the covariance matrix of the
    coefficients.
    """
    xs, ys = promote_inexact(operand(x, "polyfit"), operand(y, "polyfit", "y"))
    deg = operator.index(deg)
    if deg < 0:
        raise ValueError(f"polyfit: needs deg >= 0; got {deg}")
    if (
        xs.aval.ndim != 1
        or not xs.aval.size
        or ys.aval.ndim not in (1, 2)
        or ys.aval.shape[0] != xs.aval.size
    ):
        raise ValueError(
            f"polyfit: needs points x of shape (n,), n > 0, and y; got {xs.aval.shape}, "
            f"{ys.aval.shape}"
        )
    order = deg + 1
    if rcond is None:
        rcond = xs.aval.size * float(np.finfo(xs.aval.dtype).eps)
    lhs, rhs = vander(xs, order), ys
    if w is not None:
        weights = convert(operand(w, "polyfit", "w"), xs.aval.dtype)
        lhs = lhs * weights[:, None]
        rhs = rhs * (weights[:, None] if rhs.aval.ndim == 2 else weights)
    scale = sqrt(sum_(real(lhs * lhs.conj()), 0))
    lhs = lhs / scale
    c, residuals, rank, singular = linalg.lstsq(lhs, rhs, rcond)
    c = (c.T / scale).T
    if full:
        return c, residuals, rank, singular, asarray(rcond)
    if not cov:
        return c
    inverse = linalg.inv(dot(lhs.T.conj(), lhs)) / outer(scale, scale)
    if cov == "unscaled":
        return c, inverse
    if xs.aval.size <= order:
        raise ValueError(
            f"polyfit: needs more than {order} points for the covariance; got {xs.aval.size}"
        )
    factor = (
        sum_(residuals) / (xs.aval.size - order)
        if ys.aval.ndim == 1
        else residuals / (xs.aval.size - order)
    )
    if ys.aval.ndim == 1:
        return c, inverse * factor
    return c, inverse[:, :, None] * factor
