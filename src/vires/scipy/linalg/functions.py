"""Functions of matrices: exponential, square root, general functions, Sylvester's equation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vires.api.linear_maps import jvp
from vires.core import dtypes
from vires.lax import linalg as lax_linalg
from vires.lax.control import cond, fori_loop
from vires.numpy import linalg as numpy_linalg
from vires.numpy.arithmetic import maximum, sqrt
from vires.numpy.choosing import where
from vires.numpy.contraction import matmul
from vires.numpy.float_parts import ceil, real
from vires.numpy.mapping import vectorize
from vires.numpy.operands import ShapeError, convert, shape_text
from vires.numpy.planned import planned
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import sum as sum_
from vires.numpy.transcendental import exp2, log2
from vires.numpy.triangles import diagonal, eye, triu
from vires.scipy.linalg.arguments import adjoint, check_square, is_complex, matrices, square

__all__ = ["expm", "expm_frechet", "funm", "solve_sylvester", "sqrtm"]

# --- the exponential: a diagonal Pade approximant of the matrix divided by 2^s, squared s times

#: Coefficients of the numerators, and the 1-norm up to which the approximant has full accuracy.
_PADE = {
    4: ((17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1), 3.925724783138660),
    8: (
        (
            64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800,
            129060195264000, 10559470521600, 670442572800, 33522128640, 1323241920, 40840800,
            960960, 16380, 182, 1,
        ),
        5.371920351148152,
    ),
}  # fmt: skip


def expm(A: Any, *, upper_triangular: bool = False, max_squarings: int = 16) -> Any:
    """The exponential of square matrices, the sum of A^k / k!.

    nan where A is so large that more than `max_squarings` squarings are needed.

    >>> from vires.scipy import linalg
    >>> from vires import numpy as np
    >>> linalg.expm(np.array([[0., 1.], [0., 0.]])).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return _expm(A, bool(upper_triangular), int(max_squarings))


@planned("A")
def _expm(A: Any, upper_triangular: bool, max_squarings: int) -> Any:
    x = square("expm", A)
    if x.aval.ndim == 2:
        return _expm_of_one(x, upper_triangular, max_squarings)
    one = lambda matrix: _expm_of_one(matrix, upper_triangular, max_squarings)  # noqa: E731
    return vectorize(one, signature="(n,n)->(n,n)")(x)


def _expm_of_one(x: Any, upper_triangular: bool, max_squarings: int) -> Any:
    dtype = x.aval.dtype
    if not x.aval.size:
        return x
    coefficients, limit = _PADE[np.finfo(dtype).dtype.itemsize]
    norm = max_(sum_(abs(x), 0))
    times = maximum(0, ceil(log2(norm / limit)))
    scaled = x * convert(exp2(-times), dtypes.real_of(dtype))
    even, odd = _pade(scaled, coefficients)
    if upper_triangular:
        result = lax_linalg.triangular_solve(even - odd, even + odd, left_side=True)
    else:
        result = numpy_linalg.solve(even - odd, even + odd)

    def step(k: Any, power: Any) -> Any:
        return cond(k < times, lambda p: matmul(p, p), lambda p: p, power)

    result = fori_loop(0, max_squarings, step, result)
    return where(times > max_squarings, math.nan, result)


def _pade(x: Any, coefficients: tuple[int, ...]) -> tuple[Any, Any]:
    """The even and the odd part of the polynomial with these coefficients, the constant first."""
    identity = eye(x.aval.shape[-1], dtype=x.aval.dtype)
    square_ = matmul(x, x)
    powers = [identity, square_]
    while len(powers) < min(4, len(coefficients) // 2):
        powers.append(matmul(powers[-1], square_))

    def combine(chosen: tuple[int, ...]) -> Any:
        total = sum(powers[k] * float(c) for k, c in enumerate(chosen[: len(powers)]))
        high = chosen[len(powers) :]
        if high:
            rest = sum(powers[k + 1] * float(c) for k, c in enumerate(high))
            total = total + matmul(powers[-1], rest)
        return total

    return combine(coefficients[::2]), matmul(x, combine(coefficients[1::2]))


def expm_frechet(A: Any, E: Any, *, method: str | None = None, compute_expm: bool = True) -> Any:
    """(expm(A), its derivative at A in the direction E), or the derivative alone."""
    x, e = matrices("expm_frechet", ("A", A), ("E", E))
    check_square("expm_frechet", x)
    if x.aval.shape != e.aval.shape:
        raise ShapeError(
            f"expm_frechet: needs A and E of one shape; got {shape_text(x)} and {shape_text(e)}"
        )
    value, derivative = jvp(expm, (x,), (e,))
    return (value, derivative) if compute_expm else derivative


# --- functions of Schur's triangular form, column by column


def _complex_schur(x: Any) -> tuple[Any, Any]:
    wide = convert(x, dtypes.complex_of(dtypes.real_of(x.aval.dtype)))
    triangular, vectors = lax_linalg.schur(wide)
    return triangular, vectors


def _columns(t: Any, diagonal_values: Any, column: Callable[[Any, Any], tuple[Any, Any]]) -> Any:
    """The upper triangular F with a given diagonal whose column j solves, above the diagonal,
    M f = r for the matrix and right-hand side that `column(j, F)` gives."""
    n = t.aval.shape[-1]
    rows = np.arange(n)
    identity = eye(n, dtype=t.aval.dtype)

    def step(j: Any, f: Any) -> Any:
        system, right = column(j, f)
        inside = (rows < j)[:, None] & (rows < j)[None, :]
        above = rows < j
        solved = lax_linalg.triangular_solve(
            where(inside, system, identity), where(above, right, 0)[:, None], left_side=True
        )[:, 0]
        return where((rows == j)[None, :] & above[:, None], solved[:, None], f)

    return fori_loop(1, n, step, identity * diagonal_values[:, None])


def _function_of_triangular(t: Any, values: Any) -> Any:
    """F with T F = F T and the given diagonal (Parlett), for distinct eigenvalues."""
    identity = eye(t.aval.shape[-1], dtype=t.aval.dtype)

    def column(j: Any, f: Any) -> tuple[Any, Any]:
        own = t[:, j]
        return t - t[j, j] * identity, matmul(f, own) - own * f[j, j]

    return _columns(t, values, column)


def funm(A: Any, func: Callable[[Any], Any], disp: bool = True) -> Any:
    """A function of a matrix with distinct eigenvalues, given as a function of numbers; complex.

    With `disp=False` also an estimate of the relative error in the 1-norm.
    """
    x = square("funm", A, "A")
    if x.aval.ndim != 2:
        raise ShapeError(f"funm: needs one matrix; got {shape_text(x)}; try vires.vmap")
    t, z = _complex_schur(x)
    f = _function_of_triangular(t, convert(func(diagonal(t)), t.aval.dtype))
    result = matmul(matmul(z, f), adjoint(z))
    if disp:
        return result
    n = t.aval.shape[-1]
    off = abs(diagonal(t)[:, None] - diagonal(t)[None, :]) + np.diag(np.full(n, np.inf))
    smallest = min_gap(off)
    epsilon = float(np.finfo(dtypes.real_of(t.aval.dtype)).eps)
    strict = max_(sum_(abs(triu(t, 1)), 0), initial=0)
    error = maximum(epsilon, epsilon / smallest * strict)
    return result, error


def min_gap(differences: Any) -> Any:
    """The smallest of some distances, 1 where that is 0."""
    smallest = differences.min(initial=np.inf)
    return where(smallest == 0, 1, smallest)


def sqrtm(A: Any, blocksize: int = 1) -> Any:
    """The principal square root of square matrices, complex: R with R R = A whose eigenvalues have
    real parts >= 0."""
    return _sqrtm(A)


@planned("A")
def _sqrtm(A: Any) -> Any:
    x = square("sqrtm", A, "A")
    return vectorize(_sqrtm_of_one, signature="(n,n)->(n,n)")(x)


def _sqrtm_of_one(x: Any) -> Any:
    t, z = _complex_schur(x)
    if not x.aval.size:
        return t
    roots = sqrt(diagonal(t))
    identity = eye(t.aval.shape[-1], dtype=t.aval.dtype)
    root = _columns(t, roots, lambda j, r: (r + roots[j] * identity, t[:, j]))
    # A pair of zero eigenvalues without coupling has coupling 0, not 0 / 0.
    root = where((t == 0) & (root != root), 0, root)
    return matmul(matmul(z, root), adjoint(z))


def solve_sylvester(A: Any, B: Any, C: Any, *, method: str = "schur", tol: float = 1e-8) -> Any:
    """X with A X + X B = C for square A and B; nan where A and -B share an eigenvalue, up to `tol`.

    Both methods, "schur" and "eigen", use Schur's form.
    """
    if method not in ("schur", "eigen"):
        raise ValueError(f"solve_sylvester: needs method 'schur' or 'eigen'; got {method!r}")
    return _solve_sylvester(A, B, C, float(tol))


@planned("A", "B", "C")
def _solve_sylvester(A: Any, B: Any, C: Any, tol: float) -> Any:
    a, b, c = matrices("solve_sylvester", ("A", A), ("B", B), ("C", C))
    check_square("solve_sylvester", a)
    check_square("solve_sylvester", b)
    if {a.aval.ndim, b.aval.ndim, c.aval.ndim} != {2} or c.aval.shape != (
        a.aval.shape[0], b.aval.shape[0],
    ):  # fmt: skip
        raise ShapeError(
            "solve_sylvester: needs C with as many rows as A and columns as B; "
            f"got {shape_text(a)}, {shape_text(b)} and {shape_text(c)}"
        )
    if not c.aval.size:
        return c
    (r, u), (s, v) = _complex_schur(a), _complex_schur(b)
    f = matmul(matmul(adjoint(u), convert(c, u.aval.dtype)), v)
    identity = eye(r.aval.shape[0], dtype=r.aval.dtype)
    columns = np.arange(s.aval.shape[0])

    def step(j: Any, y: Any) -> Any:
        right = f[:, j] - matmul(y, s[:, j])
        solved = lax_linalg.triangular_solve(r + s[j, j] * identity, right[:, None], left_side=True)
        return where(columns[None, :] == j, solved, y)

    y = fori_loop(0, s.aval.shape[0], step, f * 0)
    x = matmul(matmul(u, y), adjoint(v))
    gaps = abs(diagonal(r)[:, None] + diagonal(s)[None, :])
    x = where(gaps.min() < tol, math.nan, x)
    return x if is_complex(c) else real(x)
