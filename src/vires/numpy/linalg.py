"""Linear algebra: decompositions, solutions, norms, with NumPy's names. Leading axes are batch
axes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vires.core import dtypes
from vires.lax import linalg as lax_linalg
from vires.numpy import contraction, triangles
from vires.numpy.arithmetic import absolute, divide, multiply, power, sqrt, subtract
from vires.numpy.choosing import where
from vires.numpy.contraction import (
    dot,
)
from vires.numpy.contraction import (
    matmul as _matmul,
)
from vires.numpy.contraction import (
    outer as _outer,
)
from vires.numpy.contraction import (
    tensordot as _tensordot,
)
from vires.numpy.contraction import (
    vecdot as _vecdot,
)
from vires.numpy.creation import asarray
from vires.numpy.float_parts import conj, imag, isnan, real
from vires.numpy.operands import (
    ShapeError,
    axes_tuple,
    axis_index,
    broadcast,
    common_shape,
    convert,
    integer,
    operand,
    promote_inexact,
    shape_text,
)
from vires.numpy.planned import planned
from vires.numpy.reductions import any as any_
from vires.numpy.reductions import max as max_
from vires.numpy.reductions import min as min_
from vires.numpy.reductions import prod as prod_
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import matrix_transpose, moveaxis
from vires.numpy.sorting import argsort
from vires.numpy.transcendental import log
from vires.ops.filled import full_like
from vires.ops.math import square
from vires.ops.shape import expand_dims, reshape

__all__ = [
    "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv",
    "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose",
    "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip


class EighResult(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Any
    eigenvectors: Any


class EigResult(NamedTuple):
    """What `eig` gives."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What `qr` gives."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """What `svd` gives."""

    U: Any
    S: Any
    Vh: Any


class SlogdetResult(NamedTuple):
    """What `slogdet` gives."""

    sign: Any
    logabsdet: Any


def _matrix(function: str, a: Any, square_matrix: bool = False) -> Any:
    """The operand in a float or complex dtype of at least 32 bits per number, with at least two
    axes."""
    (x,) = promote_inexact(operand(a, function, "a"))
    if x.aval.ndim < 2:
        raise ShapeError(f"{function}: needs matrices, at least 2 axes; got {shape_text(x)}")
    if square_matrix and x.aval.shape[-1] != x.aval.shape[-2]:
        raise ShapeError(f"{function}: needs square matrices; got {shape_text(x)}")
    return convert(x, dtypes.float32, x.aval.weak_type) if x.aval.dtype.itemsize < 4 else x


def _adjoint(x: Any) -> Any:
    return conj(matrix_transpose(x))


def _tiny(dtype: Any) -> float:
    return float(np.finfo(dtypes.real_of(dtype)).eps)


# --- decompositions


@planned("a")
def cholesky(a: Any, *, upper: bool = False, symmetrize_input: bool = True) -> Any:
    """Lower triangular L with L L^H = a (upper triangular U with U^H U = a); nan where a is not
    positive definite."""
    x = _matrix("cholesky", a, square_matrix=True)
    lower = lax_linalg.cholesky(x, symmetrize_input=symmetrize_input)
    return _adjoint(lower) if upper else lower


@planned("a")
def qr(a: Any, mode: str = "reduced") -> Any:
    """(Q, R) with orthonormal columns of Q, upper triangular R and a = Q R.

    mode: "reduced", "complete" (square Q), "r" (R alone) or "raw" (Householder vectors, transposed,
    and factors).
    """
    x = _matrix("qr", a)
    if mode == "raw":
        vectors, factors = lax_linalg.geqrf(x)
        return QRResult(matrix_transpose(vectors), factors)
    if mode not in ("reduced", "complete", "r", "full"):
        raise ValueError(f"qr: needs mode 'reduced', 'complete', 'r' or 'raw'; got {mode!r}")
    q, r = lax_linalg.qr(x, full_matrices=mode in ("complete", "full"))
    return r if mode == "r" else QRResult(q, r)


@planned("a")
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False,
    subset_by_index: tuple[int, int] | None = None,
) -> Any:  # fmt: skip
    """(U, S, Vh) with a = U diag(S) Vh, S descending; or S alone."""
    x = _matrix("svd", a)
    if not hermitian:
        results = lax_linalg.svd(
            x, full_matrices=full_matrices, compute_uv=compute_uv, subset_by_index=subset_by_index
        )
        return SVDResult(*results) if compute_uv else results
    values, vectors = eigh(x)
    size = absolute(values)
    order = argsort(size, descending=True)
    size = _pick(size, order)
    if not compute_uv:
        return size
    values = _pick(values, order)
    vectors = _pick(vectors, order[..., None, :])
    signs = where(values < 0, -1, 1)
    return SVDResult(
        vectors,
        size,
        _adjoint(multiply(vectors, convert(signs, dtypes.real_of(x.aval.dtype))[..., None, :])),
    )


def _pick(x: Any, order: Any) -> Any:
    """Elements along the last axis in an order."""
    order = broadcast(order, x.aval.shape)
    grid = [
        np.arange(n, dtype=np.int32).reshape([-1 if e == d else 1 for e in range(x.aval.ndim)])
        for d, n in enumerate(x.aval.shape[:-1])
    ]
    return x.at[(*grid, order)].get(mode="promise_in_bounds", wrap_negative_indices=False)


@planned("x")
def svdvals(x: Any, /) -> Any:
    """The singular values, descending."""
    return svd(x, compute_uv=False)


@planned("a")
def eigh(a: Any, UPLO: str | None = None, symmetrize_input: bool = True) -> EighResult:
    """(eigenvalues, eigenvectors) of Hermitian matrices: ascending values, orthonormal columns."""
    x = _matrix("eigh", a, square_matrix=True)
    if UPLO not in (None, "L", "U"):
        raise ValueError(f"eigh: needs UPLO None, 'L' or 'U'; got {UPLO!r}")
    vectors, values = lax_linalg.eigh(x, lower=UPLO != "U", symmetrize_input=symmetrize_input)
    return EighResult(values, vectors)


@planned("a")
def eigvalsh(a: Any, UPLO: str | None = "L", *, symmetrize_input: bool = True) -> Any:
    """The eigenvalues of Hermitian matrices, ascending."""
    return eigh(a, UPLO, symmetrize_input).eigenvalues


def eig(a: Any) -> EigResult:
    """(eigenvalues, eigenvectors) of general matrices, complex; the columns have norm 1."""
    x = _matrix("eig", a, square_matrix=True)
    values, vectors = lax_linalg.eig(x, compute_left_eigenvectors=False)
    return EigResult(values, vectors)


def eigvals(a: Any) -> Any:
    """The eigenvalues of general matrices, complex."""
    x = _matrix("eigvals", a, square_matrix=True)
    return lax_linalg.eig(x, compute_left_eigenvectors=False, compute_right_eigenvectors=False)[0]


# --- determinants, inverses, solutions


def _parity(pivots: Any) -> Any:
    """1 for an even number of row exchanges, -1 for an odd one."""
    own = np.arange(pivots.aval.shape[-1], dtype=np.int32)
    return 1 - 2 * (sum_(pivots != own, -1) % 2)


@planned("a")
def slogdet(a: Any, *, method: str | None = None) -> SlogdetResult:
    """(sign, log |det|); sign 0 and -inf where a is singular."""
    if method not in (None, "lu", "qr"):
        raise ValueError(f"slogdet: needs method None, 'lu' or 'qr'; got {method!r}")
    x = _matrix("slogdet", a, square_matrix=True)
    factors, pivots, _ = lax_linalg.lu(x)
    diagonal_ = triangles.diagonal(factors, 0, -2, -1)
    size = absolute(diagonal_)
    singular = any_(diagonal_ == 0, -1)
    safe = where(diagonal_ == 0, 1, diagonal_)
    signs = (
        divide(safe, absolute(safe))
        if dtypes.kind(x.aval.dtype) == "complex"
        else where(safe < 0, -1, 1)
    )
    sign = prod_(convert(signs, x.aval.dtype), -1) * convert(
        _parity(pivots), dtypes.real_of(x.aval.dtype)
    )
    total = sum_(log(where(diagonal_ == 0, 1, size)), -1)
    return SlogdetResult(
        where(singular, full_like(sign, 0), sign),
        where(singular, full_like(total, -math.inf), total),
    )


@planned("a")
def det(a: Any) -> Any:
    """The determinant; also its derivative at singular matrices is right up to 3 x 3."""
    x = _matrix("det", a, square_matrix=True)
    n = x.aval.shape[-1]
    if n == 0:
        return broadcast(asarray(np.ones((), x.aval.dtype)), x.aval.shape[:-2])
    if n == 1:
        return x[..., 0, 0]
    if n == 2:
        return x[..., 0, 0] * x[..., 1, 1] - x[..., 0, 1] * x[..., 1, 0]
    if n == 3:
        return (
            x[..., 0, 0] * (x[..., 1, 1] * x[..., 2, 2] - x[..., 1, 2] * x[..., 2, 1])
            - x[..., 0, 1] * (x[..., 1, 0] * x[..., 2, 2] - x[..., 1, 2] * x[..., 2, 0])
            + x[..., 0, 2] * (x[..., 1, 0] * x[..., 2, 1] - x[..., 1, 1] * x[..., 2, 0])
        )
    factors, pivots, _ = lax_linalg.lu(x)
    product = prod_(triangles.diagonal(factors, 0, -2, -1), -1)
    return product * convert(_parity(pivots), dtypes.real_of(x.aval.dtype))


@planned("a", "b")
def solve(a: Any, b: Any) -> Any:
    """X with a X = b for square a; b is a vector (1 axis) or a stack of matrices. nan or inf where
    a is singular."""
    x, y = operand(a, "solve", "a"), operand(b, "solve", "b")
    x, y = promote_inexact(x, y)
    x = _matrix("solve", x, square_matrix=True)
    y = convert(y, x.aval.dtype)
    vector = y.aval.ndim == 1
    if vector:
        y = expand_dims(y, (1,))
    if y.aval.ndim < 2 or y.aval.shape[-2] != x.aval.shape[-1]:
        raise ShapeError(
            f"solve: needs b with {x.aval.shape[-1]} rows; got {shape_text(operand(b, 'solve'))} "
            f"for a of {shape_text(x)}"
        )
    batch = common_shape("solve", x.aval.shape[:-2], y.aval.shape[:-2])
    x = broadcast(x, (*batch, *x.aval.shape[-2:]))
    y = broadcast(y, (*batch, *y.aval.shape[-2:]))
    result = lax_linalg.solve(x, y)
    return result[..., 0] if vector else result


@planned("a")
def inv(a: Any) -> Any:
    """The inverse of square matrices; nan or inf where a is singular."""
    x = _matrix("inv", a, square_matrix=True)
    identity = broadcast(triangles.eye(x.aval.shape[-1], dtype=x.aval.dtype), x.aval.shape)
    return solve(x, identity)


def _cutoff(values: Any, tolerance: Any) -> Any:
    """The singular values that count, given a tolerance relative to the largest."""
    relative = convert(operand(tolerance, "linalg", "rtol"), values.aval.dtype)
    if relative.aval.ndim:
        relative = expand_dims(relative, (relative.aval.ndim,))
    return values > relative * max_(values, -1, keepdims=True, initial=0)


def pinv(a: Any, rtol: Any = None, hermitian: bool = False, *, rcond: Any = None) -> Any:
    """The pseudo-inverse; singular values below rtol times the largest count as 0."""
    x = _matrix("pinv", a)
    tolerance = rcond if rtol is None else rtol
    if tolerance is None:
        tolerance = 10 * max(*x.aval.shape[-2:], 1) * _tiny(x.aval.dtype)
    if not x.aval.size:
        shape = (*x.aval.shape[:-2], x.aval.shape[-1], x.aval.shape[-2])
        return asarray(np.zeros(shape, x.aval.dtype))
    u, s, vh = svd(x, full_matrices=False, hermitian=hermitian)
    counts = _cutoff(s, tolerance)
    inverse = where(counts, 1 / where(counts, s, 1), 0)
    scaled = multiply(_adjoint(vh), convert(inverse, s.aval.dtype)[..., None, :])
    return _matmul(scaled, _adjoint(u))


def matrix_rank(M: Any, rtol: Any = None, *, hermitian: bool = False, tol: Any = None) -> Any:
    """The number of singular values above a tolerance relative to the largest."""
    x = operand(M, "matrix_rank", "M")
    if x.aval.ndim < 2:
        return convert(any_(x != 0), dtypes.default_int())
    x = _matrix("matrix_rank", x)
    s = absolute(eigvalsh(x)) if hermitian else svdvals(x)
    tolerance = tol if rtol is None else rtol
    if tolerance is None:
        tolerance = max(*x.aval.shape[-2:]) * _tiny(x.aval.dtype)
    return sum_(_cutoff(s, tolerance), -1)


def lstsq(
    a: Any, b: Any, rcond: float | None = None, *, numpy_resid: bool = False
) -> tuple[Any, Any, Any, Any]:
    """(x, residuals, rank, singular values) for the x of least norm that makes |b - a x|
    smallest."""
    x, y = promote_inexact(operand(a, "lstsq", "a"), operand(b, "lstsq", "b"))
    x = _matrix("lstsq", x)
    if x.aval.ndim != 2 or y.aval.ndim not in (1, 2) or x.aval.shape[0] != y.aval.shape[0]:
        raise ShapeError(
            f"lstsq: needs a matrix a and b with as many rows; got {shape_text(x)} and "
            f"{shape_text(y)}"
        )
    y = convert(y, x.aval.dtype)
    vector = y.aval.ndim == 1
    y = expand_dims(y, (1,)) if vector else y
    m, n = x.aval.shape
    if rcond is None:
        rcond = max(m, n) * _tiny(x.aval.dtype)
    elif not hasattr(rcond, "aval") and rcond < 0:
        rcond = _tiny(x.aval.dtype)
    u, s, vh = svd(x, full_matrices=False)
    counts = _cutoff(s, rcond)
    inverse = convert(where(counts, 1 / where(counts, s, 1), 0), s.aval.dtype)
    rank = sum_(counts)
    solution = _matmul(_adjoint(vh), multiply(inverse[:, None], _matmul(_adjoint(u), y)))
    rest = subtract(y, _matmul(x, solution))
    residuals = sum_(_squares(rest), 0)
    if numpy_resid and (m <= n or int(rank) < n):
        residuals = residuals[:0]
    return solution[:, 0] if vector else solution, residuals, rank, s


def matrix_power(a: Any, n: int) -> Any:
    """The product of n copies of square matrices, of inverses for n < 0."""
    x = operand(a, "matrix_power", "a")
    if x.aval.ndim < 2 or x.aval.shape[-1] != x.aval.shape[-2]:
        raise ShapeError(f"matrix_power: needs square matrices; got {shape_text(x)}")
    n = integer("matrix_power", "n", n)
    if n < 0:
        x, n = inv(x), -n
    if n == 0:
        return broadcast(triangles.eye(x.aval.shape[-1], dtype=x.aval.dtype), x.aval.shape)
    result, factor = None, x
    while n:
        if n % 2:
            result = factor if result is None else _matmul(result, factor)
        n //= 2
        if n:
            factor = _matmul(factor, factor)
    return result


def multi_dot(arrays: Sequence[Any], *, precision: Any = None) -> Any:
    """The product of several matrices in the cheapest order; the first and last may be vectors."""
    xs = [operand(x, "multi_dot", "arrays") for x in arrays]
    if len(xs) < 2:
        raise ValueError(f"multi_dot: needs at least 2 arrays; got {len(xs)}")
    if (
        {x.aval.ndim for x in xs[1:-1]} - {2}
        or xs[0].aval.ndim not in (1, 2)
        or xs[-1].aval.ndim not in (1, 2)
    ):
        raise ShapeError(
            "multi_dot: needs matrices, and vectors at the ends only; got "
            + ", ".join(map(shape_text, xs))
        )
    left, right = xs[0].aval.ndim == 1, xs[-1].aval.ndim == 1
    sizes = [1 if left else xs[0].aval.shape[0],
        *(x.aval.shape[0 if x.aval.ndim == 1 and k == 0 else -1] if not (
        k == len(xs) - 1 and right) else 1 for k, x in enumerate(xs))]  # fmt: skip
    order = _cheapest(tuple(sizes))

    def product(i: int, j: int) -> Any:
        if i == j:
            return xs[i]
        k = order[i, j]
        return dot(product(i, k), product(k + 1, j), precision=precision)

    return product(0, len(xs) - 1)


@functools.lru_cache(maxsize=256)
def _cheapest(sizes: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """Where to split each chain of matrices, by dynamic programming on the number of
    multiplications."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = {
                k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            }
            split[i, j] = min(options, key=options.__getitem__)
            cost[i, j] = options[split[i, j]]
    return split


def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse with respect to tensordot over `ind` axes."""
    x = operand(a, "tensorinv", "a")
    if ind <= 0:
        raise ValueError(f"tensorinv: needs ind > 0; got {ind}")
    shape = x.aval.shape
    n = math.prod(shape[ind:])
    if n * n != x.aval.size:
        raise ShapeError(
            f"tensorinv: needs axes that form a square matrix; got {shape_text(x)} with ind {ind}"
        )
    matrix = inv(reshape(x, new_sizes=(x.aval.size // n, n), dimensions=None))
    return reshape(matrix, new_sizes=(*shape[ind:], *shape[:ind]), dimensions=None)


def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    """x with tensordot(a, x, x.ndim) = b."""
    x, y = operand(a, "tensorsolve", "a"), operand(b, "tensorsolve", "b")
    if axes is not None:
        given = [axis_index("tensorsolve", d, x.aval.ndim) for d in axes]
        x = moveaxis(x, given, list(range(x.aval.ndim - len(given), x.aval.ndim)))
    shape = x.aval.shape[y.aval.ndim :]
    n = math.prod(shape)
    if n != y.aval.size or x.aval.size != n * n:
        raise ShapeError(
            f"tensorsolve: needs axes that form a square matrix; got {shape_text(x)} and "
            f"{shape_text(y)}"
        )
    flat = solve(
        reshape(x, new_sizes=(n, n), dimensions=None), reshape(y, new_sizes=(n,), dimensions=None)
    )
    return reshape(flat, new_sizes=shape, dimensions=None)


# --- norms


def _squares(x: Any) -> Any:
    if dtypes.kind(x.aval.dtype) == "complex":
        return square(real(x)) + square(imag(x))
    return square(x)


def _vector_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if order is None or order == 2:
        return sqrt(sum_(_squares(x), axes, keepdims=keepdims))
    size = absolute(x)
    if order == math.inf:
        return max_(size, axes, keepdims=keepdims, initial=0)
    if order == -math.inf:
        return min_(size, axes, keepdims=keepdims)
    if order == 1:
        return sum_(size, axes, keepdims=keepdims)
    if order == 0:
        return sum_(convert(x != 0, size.aval.dtype), axes, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(f"norm: needs a number as ord for vectors; got {order!r}")
    return power(sum_(power(size, order), axes, keepdims=keepdims), 1.0 / order)


def _matrix_norm(x: Any, order: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    rows, columns = axes
    if order is None or order == "fro":
        return sqrt(sum_(_squares(x), axes, keepdims=keepdims))
    if order in (1, -1, math.inf, -math.inf):
        first, second = (rows, columns) if abs(order) == 1 else (columns, rows)
        sums = sum_(absolute(x), first, keepdims=True)
        result = (
            max_(sums, second, keepdims=True, initial=0)
            if order > 0
            else min_(sums, second, keepdims=True)
        )
        return result if keepdims else result.squeeze(axes)
    if order not in (2, -2, "nuc"):
        raise ValueError(
            "norm: needs ord None, 'fro', 'nuc', 1, -1, 2, -2, inf or -inf for matrices; got "
            f"{order!r}"
        )
    s = svdvals(moveaxis(x, axes, (-2, -1)))
    result = (
        sum_(s, -1) if order == "nuc" else max_(s, -1, initial=0) if order == 2 else min_(s, -1)
    )
    return expand_dims(result, tuple(sorted(axes))) if keepdims else result


@planned("x")
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors along one axis, or of matrices along two: Euclidean and Frobenius by
    default.

    >>> from vires import numpy as np
    >>> np.linalg.norm(np.array([3., 4.]))
    Array(5., dtype=float32)
    """
    (value,) = promote_inexact(operand(x, "norm"))
    ndim = value.aval.ndim
    if axis is None:
        axes = tuple(range(ndim))
        if ord is None:
            return _vector_norm(value, None, axes, keepdims)
        if ndim > 2:
            raise ValueError(f"norm: needs axis= for an array of {ndim} axes and ord={ord!r}")
    else:
        given = axis if isinstance(axis, (tuple, list)) else (axis,)
        axes = tuple(axis_index("norm", d, ndim) for d in given)
    if len(axes) == 1:
        return _vector_norm(value, ord, axes, keepdims)
    if len(axes) == 2:
        if axes[0] == axes[1]:
            raise ValueError(f"norm: needs two different axes; got {axis}")
        return _matrix_norm(value, ord, axes, keepdims)
    raise ValueError(f"norm: needs 1 or 2 axes; got {axes}")


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The norm of the elements along axes (None: all), taken as one vector."""
    (value,) = promote_inexact(operand(x, "vector_norm"))
    return _vector_norm(value, ord, axes_tuple("vector_norm", axis, value.aval.ndim), keepdims)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norm of the matrices in the last two axes."""
    value = _matrix("matrix_norm", x)
    ndim = value.aval.ndim
    return _matrix_norm(value, ord, (ndim - 2, ndim - 1), keepdims)


def cond(x: Any, p: Any = None) -> Any:
    """The condition number: the ratio of the extreme singular values, or |x| |x^-1| in the norm
    p."""
    value = _matrix("cond", x)
    if not value.aval.size:
        raise ValueError(f"cond: needs matrices with elements; got {shape_text(value)}")
    if p in (None, 2, -2):
        s = svdvals(value)
        result = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    else:
        result = norm(value, p, (-2, -1)) * norm(inv(value), p, (-2, -1))
    # Of a singular matrix it is infinite, of a matrix with nan it is nan.
    spoiled = any_(isnan(value), (-2, -1))
    return where(isnan(result) & ~spoiled, math.inf, result)


# --- the same functions under the names of the array API standard


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """The cross product of vectors of 3 components."""
    x, y = operand(x1, "cross", "x1"), operand(x2, "cross", "x2")
    if x.aval.shape[axis] != 3 or y.aval.shape[axis] != 3:
        raise ShapeError(
            f"cross: needs vectors of 3 components; got {shape_text(x)} and {shape_text(y)}"
        )
    return contraction.cross(x, y, axis=axis)


def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonals of the matrices in the last two axes."""
    return triangles.diagonal(x, offset, -2, -1)


def matmul(
    x1: Any, x2: Any, /, *, precision: Any = None, preferred_element_type: Any = None
) -> Any:
    """The matrix product over the last two axes."""
    return _matmul(x1, x2, precision=precision, preferred_element_type=preferred_element_type)


def outer(x1: Any, x2: Any, /) -> Any:
    """The products of the elements of two 1-d arrays."""
    x, y = operand(x1, "outer", "x1"), operand(x2, "outer", "x2")
    if x.aval.ndim != 1 or y.aval.ndim != 1:
        raise ShapeError(f"outer: needs two 1-d arrays; got {shape_text(x)} and {shape_text(y)}")
    return _outer(x, y)


def tensordot(
    x1: Any, x2: Any, /, *, axes: Any = 2, precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:  # fmt: skip
    """The sum of products over axes of both arrays."""
    return _tensordot(
        x1, x2, axes, precision=precision, preferred_element_type=preferred_element_type
    )


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sums of the diagonals of the matrices in the last two axes."""
    return triangles.trace(x, offset, -2, -1, dtype)


def vecdot(
    x1: Any,
    x2: Any,
    /,
    *,
    axis: int = -1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The sum of conj(x1) x2 along an axis."""
    return _vecdot(
        x1, x2, axis=axis, precision=precision, preferred_element_type=preferred_element_type
    )
