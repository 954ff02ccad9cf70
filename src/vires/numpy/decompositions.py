"""Decompositions of matrices: Cholesky, QR, singular values, eigenvalues."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from vires.core import dtypes
from vires.lax import linalg as lax_linalg
from vires.numpy.arithmetic import absolute, multiply
from vires.numpy.choosing import where
from vires.numpy.matrix_operands import adjoint, matrix
from vires.numpy.operands import broadcast, convert
from vires.numpy.planned import planned
from vires.numpy.shaping import matrix_transpose
from vires.numpy.sorting import argsort


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


@planned("a")
def cholesky(a: Any, *, upper: bool = False, symmetrize_input: bool = True) -> Any:
    """Lower triangular L with L L^H = a (upper triangular U with U^H U = a); nan where a is not
    positive definite."""
    x = matrix("cholesky", a, square_matrix=True)
    lower = lax_linalg.cholesky(x, symmetrize_input=symmetrize_input)
    return adjoint(lower) if upper else lower


@planned("a")
def qr(a: Any, mode: str = "reduced") -> Any:
    """(Q, R) with orthonormal columns of Q, upper triangular R and a = Q R.

    mode: "reduced", "complete" (square Q), "r" (R alone) or "raw" (Householder vectors, transposed,
    and factors).
    """
    x = matrix("qr", a)
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
    x = matrix("svd", a)
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
        adjoint(multiply(vectors, convert(signs, dtypes.real_of(x.aval.dtype))[..., None, :])),
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
    x = matrix("eigh", a, square_matrix=True)
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
    x = matrix("eig", a, square_matrix=True)
    values, vectors = lax_linalg.eig(x, compute_left_eigenvectors=False)
    return EigResult(values, vectors)


def eigvals(a: Any) -> Any:
    """The eigenvalues of general matrices, complex."""
    x = matrix("eigvals", a, square_matrix=True)
    return lax_linalg.eig(x, compute_left_eigenvectors=False, compute_right_eigenvectors=False)[0]
