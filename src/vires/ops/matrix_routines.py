"""Stacks of matrices: the native routines that take them instead of LAPACK.

A routine works on matrices of at most `MOST` rows and columns, one after the other without a call
for each, on all threads. Larger ones are divided into tiles, for all threads too. Each function
here gives the name and the static integers of the call, or None where LAPACK is to do it.
"""

from __future__ import annotations

import math

from vires.core import dtypes
from vires.dialect.loops import Operand
from vires.ops.host import Routine

MOST = 32
#: Right-hand sides of a solve that are better divided into blocks, which LAPACK does.
MOST_COLUMNS = 256


def _stack(a: Operand) -> list[int]:
    """Code of the dtype and number of matrices."""
    return [dtypes.CODE_OF[a.dtype], math.prod(a.shape[:-2])]


def solve(a: Operand, b: Operand, *, transpose_a: bool) -> Routine | None:
    """LU with row exchanges, and two triangular solves."""
    n, columns = b.shape[-2:]
    if n > MOST or columns > MOST_COLUMNS:
        return None
    return "small_solve", [*_stack(a), n, columns, transpose_a]


def lu(a: Operand) -> Routine | None:
    """LU with row exchanges."""
    m, n = a.shape[-2:]
    return None if max(m, n) > MOST else ("small_lu", [*_stack(a), m, n])


def cholesky(a: Operand) -> Routine:
    """The lower factor."""
    n = a.shape[-1]
    return ("tiled_cholesky" if n > MOST else "small_cholesky"), [*_stack(a), n]


def triangular_solve(
    a: Operand,
    b: Operand,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> Routine:
    """Substitution, forward or back."""
    large = a.shape[-1] > MOST or max(b.shape[-2:]) > MOST_COLUMNS
    flags = [left_side, lower, transpose_a, conjugate_a, unit_diagonal]
    return ("tiled_triangular" if large else "small_triangular"), [
        *_stack(a),
        *b.shape[-2:],
        *flags,
    ]
