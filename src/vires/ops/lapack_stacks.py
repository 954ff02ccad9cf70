"""Stacks of matrices and systems: a LAPACK routine called for each of them without Python between.

Each function here answers bit for bit what `vires.ops.lapack` answers for the matrices alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vires import _native
from vires.ops import lapack, openblas

Stack = np.ndarray


def _turned(a: Stack) -> Stack:
    """A copy with each matrix transposed: NumPy's order of it is Fortran's of the matrix."""
    return np.array(a.swapaxes(-1, -2), order="C")


def _call(
    name: str, a: Stack, *args: Any, before: int = 0, workspace: bool = True
) -> np.ndarray | None:
    """Call a routine for each matrix of a stack: the infos, or None where all are 0.

    Arrays in tuples of one are stacks. Work and lwork come before the last `before` arguments.
    """
    infos = np.zeros(a.shape[:-2], np.int32)
    address = openblas.routine(f"{lapack.LETTERS[a.dtype.name]}{name}_")
    if workspace:
        head, tail = args[: len(args) - before], args[len(args) - before :]
        query = np.zeros(1, a.dtype)
        alone = [x[0] if isinstance(x, tuple) else x for x in head]
        _native.call_fortran(address, *alone, query, -1, *tail)
        size = max(1, int(query[0].real))
        args = (*head, np.empty(size, a.dtype), size, *tail)
    _native.call_fortran_stack(infos, address, *args)
    return infos if infos.any() else None


def schur(a: Stack, *, compute_schur_vectors: bool) -> tuple[Stack, ...] | None:
    """T and, if wanted, Z."""
    if not a.size:
        return None
    n, real = a.shape[-1], np.real(a[:0]).dtype
    t, z = _turned(a), np.zeros(a.shape if compute_schur_vectors else (1, 1), a.dtype)
    bad = ~np.isfinite(a).all(axis=(-2, -1))  # routines may not stop on nan or inf
    t[bad] = 0
    values, tail = [np.empty(n, a.dtype)], [np.zeros(n, np.int32)]
    if a.dtype.kind == "c":
        tail.insert(0, np.empty(n, real))
    else:
        values.append(np.empty(n, a.dtype))
    infos = _call(
        "gees", a, "V" if compute_schur_vectors else "N", "N", 0, n, (t,), n, np.zeros(1, np.int32),
        *values, (z,) if compute_schur_vectors else z, n, *tail, before=len(tail),
    )  # fmt: skip
    if infos is not None:
        bad |= infos != 0
    results = (t, z) if compute_schur_vectors else (t,)
    for x in results:
        x[bad] = np.nan
    return tuple(_turned(x) for x in results)


def hessenberg(a: Stack) -> tuple[Stack, ...] | None:
    """The Hessenberg form with Householder vectors below it, and their factors."""
    n = a.shape[-1]
    if n < 2 or not a.size:
        return None
    work, taus = _turned(a), np.zeros((*a.shape[:-2], n - 1), a.dtype)
    _call("gehrd", a, n, 1, n, (work,), n, (taus,))
    return _turned(work), taus


def tridiagonal(a: Stack, *, lower: bool) -> tuple[Stack, ...] | None:
    """Householder vectors, diagonal, off-diagonal, factors."""
    n, outer, real = a.shape[-1], a.shape[:-2], np.real(a[:0]).dtype
    if n < 2 or not a.size:
        return None
    work, taus = _turned(a), np.zeros((*outer, n - 1), a.dtype)
    d, e = np.zeros((*outer, n), real), np.zeros((*outer, n - 1), real)
    name = "hetrd" if a.dtype.kind == "c" else "sytrd"
    _call(name, a, "L" if lower else "U", n, (work,), n, (d,), (e,), (taus,))
    return _turned(work), d, e, taus


def tridiagonal_solve(dl: Stack, d: Stack, du: Stack, b: Stack) -> tuple[Stack] | None:
    """X of tridiagonal systems; nan where they are singular."""
    if not b.size:
        return None
    n, columns = b.shape[-2:]
    x = _turned(b)
    # The routine overwrites the diagonals; its first one begins at dl[1], and du[-1] is not read.
    below, on, above = np.ascontiguousarray(np.roll(dl, -1, axis=-1)), d.copy(), du.copy()
    infos = _call("gtsv", b, n, columns, (below,), (on,), (above,), (x,), n, workspace=False)
    if infos is not None:
        x[infos != 0] = np.nan
    return (_turned(x),)


__all__ = ["hessenberg", "schur", "tridiagonal", "tridiagonal_solve"]
