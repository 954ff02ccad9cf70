"""Entropies, logistic functions, powers: functions made of logarithms and exponentials.

Where a factor of 0 meets an infinite logarithm the product is 0, and derivatives are the limits.
"""

from __future__ import annotations

import math
from typing import Any

from vires.control.custom_jvp import custom_jvp
from vires.nn.normalization import log_softmax as _log_softmax
from vires.nn.normalization import logsumexp
from vires.nn.normalization import softmax as _softmax
from vires.numpy.choosing import where
from vires.numpy.transcendental import expm1, log, log1p
from vires.numpy.ufunc import elementwise
from vires.ops import math as math_ops

__all__ = [
    "boxcox", "boxcox1p", "entr", "expit", "kl_div", "log_softmax", "logit", "logsumexp",
    "rel_entr", "softmax", "xlog1py", "xlogy",
]  # fmt: skip


@custom_jvp
def _xlogy(x: Any, y: Any) -> Any:
    none = (x == 0) & (y == y)
    return where(none, 0, x * log(where(none, 1, y)))


_xlogy.defjvps(lambda dx, out, x, y: dx * log(y), lambda dy, out, x, y: dy * (x / y))


@custom_jvp
def _xlog1py(x: Any, y: Any) -> Any:
    none = (x == 0) & (y == y)
    return where(none, 0, x * log1p(where(none, 0, y)))


_xlog1py.defjvps(lambda dx, out, x, y: dx * log1p(y), lambda dy, out, x, y: dy * (x / (1 + y)))


@elementwise("inexact")
def xlogy(x, y):
    """x log(y), 0 where x = 0."""
    return _xlogy(x, y)


@elementwise("inexact")
def xlog1py(x, y):
    """x log(1 + y), 0 where x = 0."""
    return _xlog1py(x, y)


@custom_jvp
def _entr(x: Any) -> Any:
    inside = where(x < 0, -math.inf, -x * log(where(x == 0, 1, x)))
    return where(x != x, x, inside)


_entr.defjvps(lambda dx, out, x: dx * (-1 - log(x)))


@elementwise("inexact")
def entr(x):
    """-x log(x); 0 at 0, -inf below."""
    return _entr(x)


def _rel_entr(p: Any, q: Any) -> Any:
    usual = (p > 0) & (q > 0)
    safe_p, safe_q = where(usual, p, 1), where(usual, q, 1)
    # A ratio close to 1 is measured by its distance from 1.
    ratio = safe_p / safe_q
    near = (ratio > 0.5) & (ratio < 2)
    distance = where(near, (safe_p - safe_q) / safe_q, 0)
    far = log(safe_p) - log(safe_q)
    value = safe_p * where(near, log1p(distance), far)
    edge = where((p == 0) & (q >= 0), 0, math.inf)
    return where(usual, value, where((p != p) | (q != q), math.nan, edge))


@elementwise("inexact")
def rel_entr(p, q):
    """p log(p / q) for p, q > 0; 0 for p = 0 and q >= 0; else inf."""
    return _rel_entr(p, q)


@elementwise("inexact")
def kl_div(p, q):
    """p log(p / q) - p + q for p, q > 0; q for p = 0 and q >= 0; else inf."""
    usual = (p >= 0) & (q >= 0)
    distance = where(usual, q, 0) - where(usual, p, 0)
    return _rel_entr(p, q) + where(distance == distance, distance, 0)


@elementwise("inexact")
def expit(x):
    """1 / (1 + e^-x)."""
    return math_ops.logistic(x)


@custom_jvp
def _logit(x: Any) -> Any:
    # Near 1/2 the logarithm of the ratio is that of 1 + (2 x - 1) / (1 - x).
    near = (x > 0.25) & (x < 0.75)
    middle = where(near, x, 0.5)
    return where(near, log1p((2 * middle - 1) / (1 - middle)), log(x) - log1p(-x))


_logit.defjvps(lambda dx, out, x: dx / (x * (1 - x)))


@elementwise("inexact")
def logit(x):
    """log(x / (1 - x)); -+inf at 0 and 1, nan outside."""
    return _logit(x)


def _power_transform(logarithm: Any, lmbda: Any) -> Any:
    zero = lmbda == 0
    safe = where(zero, 1, lmbda)
    return where(zero, logarithm, expm1(safe * logarithm) / safe)


@elementwise("inexact")
def boxcox(x, lmbda):
    """(x^lmbda - 1) / lmbda, log(x) for lmbda = 0."""
    return _power_transform(log(x), lmbda)


@elementwise("inexact")
def boxcox1p(x, lmbda):
    """((1 + x)^lmbda - 1) / lmbda, log(1 + x) for lmbda = 0."""
    return _power_transform(log1p(x), lmbda)


def softmax(x: Any, /, *, axis: Any = None) -> Any:
    """exp(x) / sum(exp(x)) over axes (None: all), without overflow."""
    return _softmax(x, axis)


def log_softmax(x: Any, /, *, axis: Any = None) -> Any:
    """log(softmax(x)) over axes (None: all)."""
    return _log_softmax(x, axis)
