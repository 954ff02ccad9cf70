"""Factorisations and solvers for stacks of matrices, in float32, float64, complex64 and
complex128.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from vires.core import dtypes
from vires.core.trace import aval_of
from vires.lax.arguments import array
from vires.lax.contract import one_dtype
from vires.lax.shape import slice_in_dim
from vires.ops import eigen, factor, triangular
from vires.ops.accept import refuse, typed
from vires.ops.convert import convert
from vires.ops.elementwise import add, mul
from vires.ops.factor import part
from vires.ops.filled import full_like
from vires.ops.matrices import adjoint, matmul, rows_of, swapped
from vires.ops.shape import expand_dims, squeeze


class EighImplementation(Enum):
    """Algorithms for Hermitian eigenvalues; all choices are LAPACK's QR algorithm here."""

    QR = "qr"
    JACOBI = "jacobi"
    QDWH = "qdwh"


class EigImplementation(Enum):
    """Libraries for general eigenvalues; all choices are LAPACK here."""

    CUSOLVER = "cusolver"
    MAGMA = "magma"
    LAPACK = "lapack"


class SvdAlgorithm(Enum):
    """Algorithms for singular values; all choices are LAPACK's divide and conquer here."""

    DEFAULT = "default"
    QR = "QR"
    JACOBI = "Jacobi"
    POLAR = "polar"
    DIVIDE_AND_CONQUER = "divide_and_conquer"


def symmetrize(a: Any) -> Any:
    """(a + a^H) / 2."""
    total = add(a, adjoint(a))
    return mul(total, full_like(total, 0.5))


def cholesky(x: Any, *, symmetrize_input: bool = True) -> Any:
    """Lower triangular L with L L^H = x for Hermitian positive definite x; nan where it is not.

    x is replaced by (x + x^H) / 2 first, or, with `symmetrize_input=False`, its lower triangle is
    read.
    """
    a = array(x)
    return triangular.cholesky(symmetrize(a) if symmetrize_input else a)


def cholesky_update(r_matrix: Any, w_vector: Any) -> Any:
    """Upper triangular R' with R'^T R' = R^T R + w w^T for real upper triangular R."""
    r, w = one_dtype(r_matrix, w_vector)
    column = expand_dims(w, (w.ndim,))
    total = add(matmul(adjoint(r), r), matmul(column, adjoint(column)))
    return swapped(triangular.cholesky(total))


def symmetric_product(
    a_matrix: Any,
    c_matrix: Any,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    symmetrize_output: bool = False,
) -> Any:
    """alpha a a^T + beta c."""
    a, c = one_dtype(a_matrix, c_matrix)
    product = matmul(a, swapped(a))
    result = add(mul(product, full_like(product, alpha)), mul(c, full_like(c, beta)))
    return symmetrize(result) if symmetrize_output else result


def triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """X with op(a) X = b (left_side) or X op(a) = b for lower or upper triangular a.

    op transposes and conjugates as asked. Only one triangle of a is read; with `unit_diagonal` the
    diagonal counts as ones. A vector b (one axis less than a) is a column (left_side) or a row.
    """
    x, y = one_dtype(a, b)
    vector = y.ndim == x.ndim - 1
    if vector:
        y = expand_dims(y, (y.ndim if left_side else y.ndim - 1,))
    result = triangular.triangular_solve(
        x,
        y,
        left_side=bool(left_side),
        lower=bool(lower),
        transpose_a=bool(transpose_a),
        conjugate_a=bool(conjugate_a) and dtypes.kind(x.dtype) == "complex",
        unit_diagonal=bool(unit_diagonal),
    )
    return (
        squeeze(result, dimensions=(y.ndim - 1 if left_side else y.ndim - 2,)) if vector else result
    )


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any, *, perturb_singular: bool = False) -> Any:
    """X of systems with diagonals dl[1:] (below), d and du[:-1] (above); nan where singular."""
    if perturb_singular:
        raise NotImplementedError("tridiagonal_solve: needs perturb_singular=False; got True")
    return triangular.tridiagonal_solve(*one_dtype(dl, d, du, b))


# --- LU and QR


def lu(x: Any) -> tuple[Any, Any, Any]:
    """P x = L U: L (unit lower, without its diagonal) and U in one matrix, row exchanges,
    permutation.
    """
    factors, pivots, order = factor.lu(array(x))
    return factors, pivots, order


def lu_pivots_to_permutation(pivots: Any, permutation_size: int) -> Any:
    """The permutation that exchanging row i with row pivots[i], for all i in order, makes."""
    exchanges = array(pivots)
    return factor.pivots_to_permutation(exchanges, permutation_size=int(permutation_size))


def solve(a: Any, b: Any) -> Any:
    """X with a X = b for general square a, b a stack of matrices; nan where a is singular."""
    x, y = one_dtype(a, b)
    return factor.solve(x, y, transpose_a=False)


def qr(
    x: Any, *, pivoting: bool = False, full_matrices: bool = True, use_magma: bool | None = None
) -> tuple[Any, ...]:
    """Q with orthonormal columns and upper triangular R, x = Q R; with pivoting x[:, p] = Q R, and
    p.
    """
    return tuple(factor.qr(array(x), full_matrices=bool(full_matrices), pivoting=bool(pivoting)))


def geqrf(x: Any) -> tuple[Any, Any]:
    """R on and above the diagonal, Householder vectors below it, and their factors."""
    compact, taus = factor.geqrf(array(x))
    return compact, taus


def householder_product(a: Any, taus: Any) -> Any:
    """The first columns of the product of Householder reflections given by vectors and factors."""
    return factor.householder_product(*one_dtype(a, taus))


def ormqr(a: Any, taus: Any, c: Any, *, left: bool = True, transpose: bool = False) -> Any:
    """The product of c with the square matrix Q of Householder reflections, or with Q^H."""
    vectors, factors, x = one_dtype(a, taus, c)
    m, n = vectors.shape[-2:]
    if m < n:
        vectors = part(vectors, (0, m), (0, m))
    elif m > n:
        vectors = factor.grown(vectors, m, m)
    q = factor.householder_product(vectors, factors)
    q = adjoint(q) if transpose else q
    return matmul(q, x) if left else matmul(x, q)


# --- eigenvalues and singular values


def _subset(name: str, subset: tuple[int, int] | None, count: int) -> tuple[int, int]:
    """The first wanted number and the end; all by default."""
    first, end = (0, count) if subset is None else subset
    if not 0 <= first < end <= count and (first, end) != (0, count):
        raise refuse(
            name, f"subset_by_index (first, end) within 0 to {count}", f"{subset}", "", ValueError
        )
    return first, end


def _chosen(name: str, given: Any, known: type[Enum]) -> None:
    """Refuse a choice that there is not."""
    if given is not None and not isinstance(given, known):
        raise refuse(name, f"a {known.__name__} or None", f"{given!r}", "", ValueError)


def eigh(
    x: Any,
    *,
    lower: bool = True,
    symmetrize_input: bool = True,
    sort_eigenvalues: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    implementation: Any = None,
) -> tuple[Any, Any]:
    """Orthonormal eigenvectors (columns) and ascending eigenvalues of Hermitian matrices.

    x is replaced by (x + x^H) / 2 first, or, with `symmetrize_input=False`, one triangle of it is
    read. `subset_by_index=(first, end)` gives eigenvalues first to end - 1 and their vectors only.
    Tangents of vectors that belong to equal eigenvalues have no part within their span.
    """
    _chosen("eigh", implementation, EighImplementation)
    a = array(x)
    v, w = eigen.eigh(symmetrize(a) if symmetrize_input else a, lower=bool(lower))
    if subset_by_index is None:
        return v, w
    n = a.shape[-1]
    wanted = _subset("eigh", subset_by_index, n)
    return part(v, (0, n), wanted), slice_in_dim(w, *wanted, axis=-1)


def svd(
    x: Any,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    algorithm: Any = None,
) -> Any:
    """U, s and V^H with x = U diag(s) V^H, s descending; or s alone.

    `subset_by_index=(first, end)` gives singular values first to end - 1 and their vectors only;
    it needs `full_matrices=False` when vectors are wanted.
    """
    _chosen("svd", algorithm, SvdAlgorithm)
    a = array(x)
    if subset_by_index is not None:
        if full_matrices and compute_uv:
            raise refuse(
                "svd", "full_matrices=False with subset_by_index", "full_matrices=True", "",
                ValueError,
            )  # fmt: skip
        wanted = _subset("svd", subset_by_index, min(a.shape[-2:]))
        if not compute_uv:
            s = svd(a, full_matrices=False, compute_uv=False)
            return slice_in_dim(s, *wanted, axis=-1)
        u, s, vh = svd(a, full_matrices=False)
        return (
            part(u, (0, a.shape[-2]), wanted),
            slice_in_dim(s, *wanted, axis=-1),
            part(vh, wanted, (0, a.shape[-1])),
        )
    results = eigen.svd(
        a,
        full_matrices=bool(full_matrices) and bool(compute_uv),
        compute_uv=bool(compute_uv),
    )
    if not compute_uv:
        return results[0]
    s, u, vh = results
    return u, s, vh


def eig(
    x: Any,
    *,
    compute_left_eigenvectors: bool = True,
    compute_right_eigenvectors: bool = True,
    enable_eigvec_derivs: bool = False,
    implementation: Any = None,
    use_magma: bool | None = None,
) -> list[Any]:
    """Complex eigenvalues of general matrices, then left and right eigenvectors if wanted.

    Vectors have norm 1 and a real largest component. Eigenvalues and right eigenvectors are
    differentiable
    when the left ones are not asked for.
    """
    _chosen("eig", implementation, EigImplementation)
    return list(
        eigen.eig(
            array(x),
            compute_left_eigenvectors=bool(compute_left_eigenvectors),
            compute_right_eigenvectors=bool(compute_right_eigenvectors),
        )
    )


def schur(
    x: Any,
    *,
    compute_schur_vectors: bool = True,
    sort_eig_vals: bool = False,
    select_callable: Callable[..., Any] | None = None,
) -> tuple[Any, ...]:
    """T, upper triangular (for real x with blocks of 2), and unitary Z with x = Z T Z^H."""
    if sort_eig_vals or select_callable is not None:
        raise NotImplementedError(
            f"schur: needs sort_eig_vals=False and select_callable=None; got {sort_eig_vals} and "
            f"{select_callable}; try sorting the eigenvalues of lax.linalg.eig"
        )
    return tuple(eigen.schur(array(x), compute_schur_vectors=bool(compute_schur_vectors)))


def hessenberg(a: Any) -> tuple[Any, Any]:
    """The Hessenberg form on and above the first subdiagonal, Householder vectors below, their
    factors.
    """
    compact, taus = eigen.hessenberg(array(a))
    return compact, taus


def tridiagonal(a: Any, *, lower: bool = True) -> tuple[Any, Any, Any, Any]:
    """Hermitian matrices as tridiagonal: Householder vectors, diagonal, off-diagonal, factors."""
    compact, d, e, taus = eigen.tridiagonal(array(a), lower=bool(lower))
    return compact, d, e, taus


def qdwh(
    x: Any,
    *,
    is_hermitian: bool = False,
    max_iterations: int | None = None,
    eps: float | None = None,
    dynamic_shape: tuple[int, int] | None = None,
) -> tuple[Any, Any, int, bool]:
    """The polar decomposition x = U H, U with orthonormal columns, H Hermitian; by singular values.

    Also a number of iterations and whether they converged, which are 0 and True.
    """
    a = array(x)
    if a.ndim != 2 or a.shape[0] < a.shape[1]:
        raise refuse("qdwh", "a matrix with at least as many rows as columns", typed(aval_of(a)))
    u, s, vh = svd(a, full_matrices=False)
    v = adjoint(vh)
    stretched = mul(v, rows_of(convert(s, a.dtype), aval_of(v)))
    return matmul(u, vh), matmul(stretched, vh), 0, True
