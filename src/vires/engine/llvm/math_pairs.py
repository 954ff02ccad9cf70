"""Sums and products with their rounding errors: numbers held as the sum of two floats."""

from __future__ import annotations

from vires.engine.llvm.ssa import Builder, Val

Pair = tuple[Val, Val]


def fast_sum(a: Val, b: Val | float) -> Pair:
    """a + b and its error, for |a| >= |b| or a = 0."""
    total = a + b
    rest = total - a
    return total, b - rest


def two_sum(a: Val, b: Val | float) -> Pair:
    """a + b and its error."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


def two_product(code: Builder, a: Val, b: Val | float) -> Pair:
    """a b and its error."""
    product = a * b
    return product, code.fma(a, b, -product)


def quotient(code: Builder, numerator: Pair, denominator: Pair) -> Pair:
    """The quotient of two pairs, to about twice the precision of a float."""
    (n, n_low), (d, d_low) = numerator, denominator
    q = n / d
    rest = code.fma(-q, d, n) + code.fma(-q, d_low, n_low)
    return q, rest / d


def root(code: Builder, x: Pair) -> Pair:
    """The square root of a positive pair."""
    s = code.intrinsic("sqrt", x[0])
    rest = code.fma(-s, s, x[0]) + x[1]
    return s, rest / (s + s)
