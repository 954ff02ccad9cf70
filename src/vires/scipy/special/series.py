"""Sums of polynomials with fixed coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Horner's rule, the constant first."""
    total = x * 0 + coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def chebyshev(x: Any, coefficients: Sequence[float]) -> Any:
    """Clenshaw's rule for c_0 + the sum of c_k T_k(x)."""
    twice = x + x
    high = twice * 0 + coefficients[-1]
    higher = twice * 0
    for c in reversed(coefficients[1:-1]):
        high, higher = twice * high - higher + c, high
    return x * high - higher + coefficients[0]
