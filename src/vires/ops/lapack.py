"""LAPACK and BLAS by name, from the OpenBLAS that the package scipy-openblas32 carries.

Each function here works on one matrix and answers new arrays in NumPy's order; `stacked` applies
one to a stack.
A nonzero `info` means that the factorisation does not exist or did not converge.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires import _native
from vires.ops import openblas

#: What the names of routines begin with.
LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
Matrix = np.ndarray


def _call(name: str, dtype: np.dtype[Any], *args: Any) -> int:
    """Call a Fortran routine whose last argument is info, and return that.

    Strings are option letters, integers are passed by reference, arrays by the address of their
    data.
    """
    return _native.call_fortran(openblas.routine(f"{LETTERS[dtype.name]}{name}_"), *args)


def _with_workspace(name: str, dtype: np.dtype[Any], *args: Any, before: int = 0) -> int:
    """Call a routine whose last arguments are work, lwork and `before` more: first to learn
    lwork.
    """
    head, tail = args[: len(args) - before], args[len(args) - before :]
    query = np.zeros(1, dtype)
    _call(name, dtype, *head, query, -1, *tail)
    size = max(1, int(query[0].real))
    return _call(name, dtype, *head, np.empty(size, dtype), size, *tail)


def _fortran(a: Matrix) -> Matrix:
    return np.array(a, order="F")


def _is_complex(a: Matrix) -> bool:
    return a.dtype.kind == "c"


def _real(a: Matrix) -> Any:
    return np.real(np.empty(0, a.dtype)).dtype


def not_finite(a: Matrix) -> bool:
    """Whether a matrix holds nan or inf, on which iterative routines may not stop."""
    return not np.isfinite(a).all()


# --- solving


def triangular_solve(
    a: Matrix, b: Matrix, left: bool, lower: bool, transpose: bool, conjugate: bool, unit: bool
) -> Matrix:
    """X with op(a) X = b (or X op(a) = b): BLAS trsm, which never fails."""
    # Memory in NumPy's order is the transposed matrix in Fortran's: the equation is transposed
    # with it.
    a = np.ascontiguousarray(a.conj() if conjugate and not transpose else a)
    x = np.array(b, order="C")
    rows, columns = x.shape
    if not x.size:
        return x
    letter = "N" if not transpose else "C" if conjugate else "T"
    order = a.shape[0]
    one = np.ones(1, a.dtype)
    _call(
        "trsm", a.dtype, "R" if left else "L", "U" if lower else "L", letter, "U" if unit else "N",
        columns, rows, one, a, max(1, order), x, max(1, columns),
    )  # fmt: skip
    return x


def solve(a: Matrix, b: Matrix) -> Matrix:
    """X with a X = b; nan where a is singular."""
    n, columns = b.shape
    x = _fortran(b)
    if x.size and _call("gesv", a.dtype, n, columns, _fortran(a), n, np.zeros(n, np.int32), x, n):
        return np.full(b.shape, np.nan, b.dtype)
    return np.ascontiguousarray(x)


def tridiagonal_solve(dl: Matrix, d: Matrix, du: Matrix, b: Matrix) -> Matrix:
    """X of a tridiagonal system; dl[0] and du[-1] are not looked at. nan where it is singular."""
    n = d.size
    x = _fortran(b)
    if not x.size:
        return np.ascontiguousarray(x)
    info = _call("gtsv", d.dtype, n, b.shape[1], dl[1:].copy(), d.copy(), du[:-1].copy(), x, n)
    return np.full(b.shape, np.nan, b.dtype) if info else np.ascontiguousarray(x)


# --- factorisations


#: Matrices up to this size have a mask of what lies above their diagonal.
_MOST_MASKED = 128


@functools.lru_cache(maxsize=32)
def _above(n: int) -> np.ndarray:
    return np.triu(np.ones((n, n), bool), 1)


def cholesky(a: Matrix) -> Matrix:
    """Lower L with L L^H = a, of which the lower triangle is read; nan if a is not positive
    definite.
    """
    n = a.shape[0]
    # The upper triangle in Fortran's order is the lower one in NumPy's, conjugated.
    work = np.ascontiguousarray(a.conj() if _is_complex(a) else a).copy()
    if n and _call("potrf", a.dtype, "U", n, work, n):
        work[...] = np.nan
    if n <= _MOST_MASKED:
        np.copyto(work, 0, where=_above(n))
    else:
        for row in range(n - 1):
            work[row, row + 1 :] = 0
    return np.conjugate(work, out=work) if _is_complex(a) else work


def lu(a: Matrix) -> tuple[Matrix, Matrix]:
    """L (below the diagonal) and U of a row permutation of a, and the row exchanges."""
    m, n = a.shape
    work = _fortran(a)
    pivots = np.zeros(min(m, n), np.int32)
    if work.size:
        _call("getrf", a.dtype, m, n, work, max(1, m), pivots)
    return np.ascontiguousarray(work), pivots - 1 if work.size else pivots


def geqrf(a: Matrix) -> tuple[Matrix, Matrix]:
    """R on and above the diagonal, Householder vectors below, and their factors."""
    m, n = a.shape
    work, taus = _fortran(a), np.zeros(min(m, n), a.dtype)
    if work.size:
        _with_workspace("geqrf", a.dtype, m, n, work, m, taus)
    return np.ascontiguousarray(work), taus


def geqp3(a: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """geqrf with column exchanges, so that the diagonal of R decreases; the permutation."""
    m, n = a.shape
    work, taus, order = _fortran(a), np.zeros(min(m, n), a.dtype), np.zeros(n, np.int32)
    if work.size:
        extra = [np.empty(2 * n, _real(a))] if _is_complex(a) else []
        _with_workspace("geqp3", a.dtype, m, n, work, m, order, taus, *extra, before=len(extra))
    else:
        order[:] = np.arange(1, n + 1)
    return np.ascontiguousarray(work), taus, order - 1


def householder_product(a: Matrix, taus: Matrix) -> Matrix:
    """The first columns of the product of Householder reflections (Q of geqrf)."""
    m, n = a.shape
    work = _fortran(a)
    if work.size:
        name = "ungqr" if _is_complex(a) else "orgqr"
        _with_workspace(name, a.dtype, m, n, taus.size, work, m, np.ascontiguousarray(taus))
    return np.ascontiguousarray(work)


# --- eigenvalues and singular values


def eigh(a: Matrix, lower: bool) -> tuple[Matrix, Matrix]:
    """Eigenvectors (columns) and ascending eigenvalues of a Hermitian matrix, one triangle of it
    read.
    """
    n = a.shape[0]
    work, values = _fortran(a), np.empty(n, _real(a))
    triangle = np.tril(a) if lower else np.triu(a)
    if not_finite(triangle):
        return np.full(a.shape, np.nan, a.dtype), np.full(n, np.nan, values.dtype)
    if n:
        side = "L" if lower else "U"
        query, small = np.zeros(1, a.dtype), np.zeros(1, np.int32)
        if _is_complex(a):
            real = np.zeros(1, values.dtype)
            _call("heevd", a.dtype, "V", side, n, work, n, values, query, -1, real, -1, small, -1)
            size, reals, integers = int(query[0].real), int(real[0]), int(small[0])
            info = _call(
                "heevd", a.dtype, "V", side, n, work, n, values, np.empty(size, a.dtype), size,
                np.empty(reals, values.dtype), reals, np.empty(integers, np.int32), integers,
            )  # fmt: skip
        else:
            _call("syevd", a.dtype, "V", side, n, work, n, values, query, -1, small, -1)
            size, integers = int(query[0]), int(small[0])
            info = _call(
                "syevd", a.dtype, "V", side, n, work, n, values, np.empty(size, a.dtype), size,
                np.empty(integers, np.int32), integers,
            )  # fmt: skip
        if info:
            work[...], values[...] = np.nan, np.nan
    return np.ascontiguousarray(work), values


def svd(a: Matrix, full: bool, vectors: bool) -> tuple[Matrix, ...]:
    """Singular values, descending, and (when `vectors`) before them U, after them V^H."""
    m, n = a.shape
    k = min(m, n)
    rows, columns = (m, n) if full else (k, k)
    s = np.empty(k, _real(a))
    u = np.empty((m, rows) if vectors else (1, 1), a.dtype, order="F")
    vh = np.empty((columns, n) if vectors else (1, 1), a.dtype, order="F")
    if not_finite(a):
        info = 1
    elif k:
        job = "N" if not vectors else "A" if full else "S"
        extra = [np.empty(max(5 * k * k + 7 * k, 2 * max(m, n) * k + 2 * k * k + k), s.dtype)]
        tail = [*(extra if _is_complex(a) else []), np.empty(8 * k, np.int32)]
        info = _with_workspace(
            "gesdd", a.dtype, job, m, n, _fortran(a), m, s, u, max(1, u.shape[0]), vh,
            max(1, vh.shape[0]), *tail,
            before=len(tail),
        )  # fmt: skip
    else:
        info = 0
        u[...], vh[...] = np.eye(*u.shape), np.eye(*vh.shape)
    if info:
        s[...], u[...], vh[...] = np.nan, np.nan, np.nan
    return (np.ascontiguousarray(u), s, np.ascontiguousarray(vh)) if vectors else (s,)


def eig(a: Matrix, left: bool, right: bool) -> tuple[Matrix, Matrix, Matrix]:
    """Complex eigenvalues, left and right eigenvectors (columns, of norm 1) of a general matrix."""
    n = a.shape[0]
    complex_dtype = np.result_type(a.dtype, np.complex64)
    w = np.empty(n, complex_dtype)
    vectors = [np.zeros((n, n), a.dtype, order="F") for _ in range(2)]
    if not_finite(a):
        info = 1
    elif not n:
        info = 0
    else:
        jobs = ["V" if wanted else "N" for wanted in (left, right)]
        work = _fortran(a)
        if _is_complex(a):
            info = _with_workspace(
                "geev", a.dtype, *jobs, n, work, n, w, vectors[0], n, vectors[1], n,
                np.empty(2 * n, _real(a)), before=1,
            )  # fmt: skip
        else:
            real, imaginary = np.empty(n, a.dtype), np.empty(n, a.dtype)
            info = _with_workspace(
                "geev", a.dtype, *jobs, n, work, n, real, imaginary, vectors[0], n, vectors[1], n
            )
            w.real, w.imag = real, imaginary
    if info:
        nan = np.full((n, n), np.nan, complex_dtype)
        return np.full(n, np.nan, complex_dtype), nan, nan.copy()
    first, second = (v.astype(complex_dtype) if _is_complex(a) else _paired(v, w) for v in vectors)
    return w, first, second


def _paired(v: Matrix, w: Matrix) -> Matrix:
    """Complex vectors from LAPACK's pairs of columns (real part, imaginary part) of conjugate
    values.
    """
    out = v.astype(w.dtype)
    for j in np.flatnonzero(np.imag(w) > 0):
        out[:, j] = v[:, j] + 1j * v[:, j + 1]
        out[:, j + 1] = out[:, j].conj()
    return out


def schur(a: Matrix, vectors: bool) -> tuple[Matrix, Matrix]:
    """T and Z with a = Z T Z^H, T upper (for real a quasi-) triangular."""
    n = a.shape[0]
    t, z = _fortran(a), np.zeros((n, n), a.dtype, order="F")
    if not_finite(a):
        t[...], z[...] = np.nan, np.nan
    elif n:
        count, flags = np.zeros(1, np.int32), np.zeros(n, np.int32)
        values = (
            [np.empty(n, a.dtype)]
            if _is_complex(a)
            else [np.empty(n, a.dtype), np.empty(n, a.dtype)]
        )
        tail = [*([np.empty(n, _real(a))] if _is_complex(a) else []), flags]
        info = _with_workspace(
            "gees", a.dtype, "V" if vectors else "N", "N", 0, n, t, n, count, *values, z, n, *tail,
            before=len(tail),
        )  # fmt: skip
        if info:
            t[...], z[...] = np.nan, np.nan
    return np.ascontiguousarray(t), np.ascontiguousarray(z)


def hessenberg(a: Matrix) -> tuple[Matrix, Matrix]:
    """The Hessenberg form with Householder vectors below it, and their factors."""
    n = a.shape[0]
    work, taus = _fortran(a), np.zeros(max(n - 1, 0), a.dtype)
    if n > 1:
        _with_workspace("gehrd", a.dtype, n, 1, n, work, n, taus)
    return np.ascontiguousarray(work), taus


def tridiagonal(a: Matrix, lower: bool) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """A Hermitian matrix as tridiagonal: Householder vectors, diagonal, off-diagonal, factors."""
    n = a.shape[0]
    work, taus = _fortran(a), np.zeros(max(n - 1, 0), a.dtype)
    d, e = np.zeros(n, _real(a)), np.zeros(max(n - 1, 0), _real(a))
    if n > 1:
        name = "hetrd" if _is_complex(a) else "sytrd"
        _with_workspace(name, a.dtype, "L" if lower else "U", n, work, n, d, e, taus)
    elif n:
        d[0] = work[0, 0].real
    return np.ascontiguousarray(work), d, e, taus


# --- stacks


def stacked(
    function: Callable[..., Any],
    arrays: Sequence[np.ndarray],
    ranks: Sequence[int],
    types: Sequence[tuple[tuple[int, ...], Any]],
) -> list[np.ndarray]:
    """Apply a function of matrices and vectors to stacks of them.

    `ranks` says how many trailing axes of each array belong to one application; `types` are the
    shape and
    dtype of each result for the whole stack.
    """
    outs = [np.empty(shape, dtype) for shape, dtype in types]
    for place in np.ndindex(*arrays[0].shape[: arrays[0].ndim - ranks[0]]):
        results = function(*(x[place] for x in arrays))
        results = results if isinstance(results, tuple) else (results,)
        for out, result in zip(outs, results, strict=True):
            out[place] = result
    return outs
