"""Decompositions of stacks of small matrices by NumPy's own loops over LAPACK.

To call LAPACK from Python takes 10 to 20 microseconds a matrix, many times what a small one needs.
Each function here answers what the one for single matrices would, or None where it cannot.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

#: The size of matrices up to which the calls matter.
SMALL = 32

Stack = np.ndarray


def _is_stack_of_small(a: Stack) -> bool:
    """Whether an array holds several small matrices."""
    return (
        a.ndim > 2
        and math.prod(a.shape[:-2]) > 1
        and min(a.shape) > 0
        and max(a.shape[-2:]) <= SMALL
    )


def _decomposed(
    function: Callable[[Stack], tuple[Stack, ...]], a: Stack, looked_at: Stack
) -> tuple[Stack, ...] | None:
    """The results for a stack: nan for matrices with nan or inf, on which routines may not stop."""
    if not _is_stack_of_small(a):
        return None
    bad = ~np.isfinite(looked_at).all(axis=(-2, -1))
    any_bad = bool(bad.any())
    if any_bad:
        a = a.copy()
        a[bad] = 0
    try:
        with np.errstate(all="ignore"):
            results = function(a)
    except np.linalg.LinAlgError:  # it does not say for which of them there is no result
        return None
    if any_bad:
        results = tuple(np.array(x) for x in results)
        for x in results:
            x[bad] = np.nan
    return results


def eigh(a: Stack, *, lower: bool) -> tuple[Stack, ...] | None:
    """Eigenvectors and values."""

    def function(a: Stack) -> tuple[Stack, ...]:
        values, vectors = np.linalg.eigh(a, UPLO="L" if lower else "U")
        return vectors, values

    return _decomposed(function, a, np.tril(a) if lower else np.triu(a))


def svd(a: Stack, *, full_matrices: bool, compute_uv: bool) -> tuple[Stack, ...] | None:
    """Singular values, U and V^H."""

    def function(a: Stack) -> tuple[Stack, ...]:
        if not compute_uv:
            return (np.linalg.svd(a, compute_uv=False),)
        u, s, vh = np.linalg.svd(a, full_matrices=full_matrices)
        return s, u, vh

    return _decomposed(function, a, a)


def eig(
    a: Stack, *, compute_left_eigenvectors: bool, compute_right_eigenvectors: bool
) -> tuple[Stack, ...] | None:
    """Eigenvalues and right eigenvectors."""
    if compute_left_eigenvectors:
        return None
    dtype = np.result_type(a.dtype, np.complex64)

    def function(a: Stack) -> tuple[Stack, ...]:
        if not compute_right_eigenvectors:
            return (np.linalg.eigvals(a).astype(dtype, copy=False),)
        return tuple(x.astype(dtype, copy=False) for x in np.linalg.eig(a))

    return _decomposed(function, a, a)


def qr(a: Stack, *, full_matrices: bool, pivoting: bool) -> tuple[Stack, ...] | None:
    """Q and R."""
    if pivoting or not _is_stack_of_small(a):
        return None
    with np.errstate(all="ignore"):
        q, r = np.linalg.qr(a, mode="complete" if full_matrices else "reduced")
    return q, r


__all__ = ["eig", "eigh", "qr", "svd"]
