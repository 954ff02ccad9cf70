"""Iterative solutions of A x = b for operators A, on pytrees of arrays.

The solutions are differentiable in b and in what the operator uses: their derivatives are solutions
of the same kind.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from vires.core import dtypes, tree
from vires.lax.control import custom_linear_solve, stop_gradient, while_loop
from vires.numpy.arithmetic import maximum, sqrt
from vires.numpy.choosing import where
from vires.numpy.contraction import matmul, vdot
from vires.numpy.creation import asarray, zeros_like
from vires.numpy.float_parts import conj, real
from vires.numpy.joining import concatenate, stack
from vires.numpy.linalg import lstsq
from vires.numpy.operands import ShapeError, promote_inexact

__all__ = ["bicgstab", "cg", "gmres"]


def _dot(x: Any, y: Any) -> Any:
    """The inner product, conjugate in x, of two trees."""
    total: Any = 0
    for a, b in zip(tree.leaves(x), tree.leaves(y), strict=True):
        total = total + vdot(a, b)
    return total


def _square(x: Any) -> Any:
    """The squared Euclidean norm."""
    return real(_dot(x, x))


def _plus(x: Any, factor: Any, y: Any) -> Any:
    """x + factor y."""
    return tree.map(lambda a, b: a + factor * b, x, y)


def _minus(x: Any, y: Any) -> Any:
    return tree.map(lambda a, b: a - b, x, y)


def _operator(name: str, A: Any) -> Callable[[Any], Any]:
    """A function from a function, or from a square matrix."""
    if callable(A):
        return A
    if getattr(A, "ndim", None) != 2 or A.shape[0] != A.shape[1]:
        raise ShapeError(
            f"{name}: needs a function or a square matrix; got {getattr(A, 'shape', type(A))}"
        )
    return functools.partial(matmul, asarray(A))


def _solution(
    name: str, A: Any, b: Any, x0: Any, M: Any, solver: Callable[..., Any], symmetric: bool = False
) -> tuple[Any, None]:
    b = tree.map(asarray, b)
    common = promote_inexact(*tree.leaves(b))
    b = tree.unflatten(tree.structure(b), common)
    x0 = tree.map(zeros_like, b) if x0 is None else tree.map(asarray, x0)
    if tree.structure(x0) != tree.structure(b):
        raise ValueError(f"{name}: needs x0 of the structure of b; got {x0!r}")
    shapes = [x.shape for x in tree.leaves(x0)], [x.shape for x in tree.leaves(b)]
    if shapes[0] != shapes[1]:
        raise ShapeError(f"{name}: needs x0 of the shapes of b; got {shapes[0]} and {shapes[1]}")
    x0 = tree.map(lambda x, y: x.astype(y.dtype), x0, b)
    preconditioner = (lambda x: x) if M is None else _operator(name, M)
    start = stop_gradient(x0)

    def solve(matvec: Callable[[Any], Any], right: Any) -> Any:
        return solver(matvec, right, start, preconditioner)

    def transpose_solve(matvec: Callable[[Any], Any], right: Any) -> Any:
        return solver(matvec, right, tree.map(zeros_like, right), preconditioner)

    x = custom_linear_solve(_operator(name, A), b, solve, transpose_solve, symmetric=symmetric)
    return x, None


def _iterations(b: Any, maxiter: int | None) -> int:
    return 10 * sum(x.size for x in tree.leaves(b)) if maxiter is None else maxiter


def _threshold(b: Any, tol: Any, atol: Any) -> Any:
    """The squared norm of a residual that is small enough."""
    return maximum(tol * tol * _square(b), atol * atol)


def cg(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0,
    maxiter: int | None = None, M: Any = None,
) -> tuple[Any, None]:  # fmt: skip
    """(x, None) with A x = b by conjugate gradients, for Hermitian positive definite A.

    Args:
      A: a function of trees like b, linear; or a matrix.
      b: the right-hand side, a tree of arrays.
      x0: where to begin (default: 0).
      tol, atol: the norm of the residual is at most max(tol |b|, atol).
      maxiter: the largest number of iterations (default: 10 times the number of unknowns).
      M: an approximate inverse of A, a function or a matrix.
    """

    def solver(matvec: Any, right: Any, start: Any, precondition: Any) -> Any:
        limit, most = _threshold(right, tol, atol), _iterations(right, maxiter)
        residual = _minus(right, matvec(start))
        direction = precondition(residual)
        gamma = real(_dot(residual, direction))

        def going(state: Any) -> Any:
            _, r, _, gamma, k = state
            size = gamma if M is None else _square(r)
            return (size > limit) & (k < most)

        def step(state: Any) -> Any:
            x, r, p, gamma, k = state
            image = matvec(p)
            alpha = gamma / real(_dot(p, image))
            x, r = _plus(x, alpha, p), _plus(r, -alpha, image)
            z = precondition(r)
            new = real(_dot(r, z))
            return x, r, _plus(z, new / gamma, p), new, k + 1

        return while_loop(going, step, (start, residual, direction, gamma, 0))[0]

    return _solution("cg", A, b, x0, M, solver, symmetric=True)


def bicgstab(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0,
    maxiter: int | None = None, M: Any = None,
) -> tuple[Any, None]:  # fmt: skip
    """(x, None) with A x = b by stabilised biconjugate gradients, for general A.

    The arguments are those of `cg`.
    """

    def solver(matvec: Any, right: Any, start: Any, precondition: Any) -> Any:
        limit, most = _threshold(right, tol, atol), _iterations(right, maxiter)
        shadow = _minus(right, matvec(start))
        one = _dot(shadow, shadow) * 0 + 1

        def going(state: Any) -> Any:
            _, r, *_, broken, k = state
            return (_square(r) > limit) & (k < most) & ~broken

        def step(state: Any) -> Any:
            x, r, p, image, alpha, omega, rho, _, k = state
            new = _dot(shadow, r)
            beta = new / rho * alpha / omega
            p = _plus(r, beta, _plus(p, -omega, image))
            p_hat = precondition(p)
            image = matvec(p_hat)
            alpha = new / _dot(shadow, image)
            s = _plus(r, -alpha, image)
            s_hat = precondition(s)
            t = matvec(s_hat)
            done = _square(s) <= limit
            squared = _dot(t, t)
            omega = where(done | (squared == 0), 0, _dot(t, s) / where(squared == 0, 1, squared))
            x = _plus(_plus(x, alpha, p_hat), omega, s_hat)
            r = _plus(s, -omega, t)
            # Without one of these numbers there is no next step.
            broken = (omega == 0) | (new == 0) | (alpha != alpha)
            return x, r, p, image, alpha, omega, new, broken, k + 1

        zero = tree.map(zeros_like, start)
        state = (start, shadow, zero, zero, one, one, one, one != one, 0)
        return while_loop(going, step, state)[0]

    return _solution("bicgstab", A, b, x0, M, solver)


def gmres(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0, restart: int = 20,
    maxiter: int | None = None, M: Any = None, solve_method: str = "batched",
) -> tuple[Any, None]:  # fmt: skip
    """(x, None) with A x = b by the method of generalised minimal residuals, for general A.

    Args:
      restart: the number of directions that are kept (at most the number of unknowns).
      maxiter: the largest number of restarts.
      solve_method: "batched" or "incremental", which differ in nothing but name here.
      The others are those of `cg`.
    """
    if solve_method not in ("batched", "incremental"):
        raise ValueError(
            f"gmres: needs solve_method 'batched' or 'incremental'; got {solve_method!r}"
        )

    def solver(matvec: Any, right: Any, start: Any, precondition: Any) -> Any:
        limit, most = _threshold(right, tol, atol), _iterations(right, maxiter)
        flat, rebuild = _flattened(right)
        size = min(restart, flat.shape[0])

        def image(x: Any) -> Any:
            return _flattened(matvec(rebuild(x)))[0].astype(flat.dtype)

        def better(x: Any) -> Any:
            return _flattened(precondition(rebuild(x)))[0].astype(flat.dtype)

        def residual(x: Any) -> Any:
            return flat - image(x)

        def going(state: Any) -> Any:
            _, r, k = state
            return (_square(r) > limit) & (k < most)

        def cycle(state: Any) -> Any:
            x, r, k = state
            x = x + better(_krylov_correction(lambda v: image(better(v)), r, size))
            return x, residual(x), k + 1

        x = _flattened(start)[0].astype(flat.dtype)
        return rebuild(while_loop(going, cycle, (x, residual(x), 0))[0])

    return _solution("gmres", A, b, x0, M, solver)


def _flattened(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The elements of a tree as one vector, and the way back."""
    leaves, structure = tree.flatten(x)
    flat = promote_inexact(*[asarray(leaf) for leaf in leaves])
    sizes = [leaf.size for leaf in flat]
    joined = concatenate([leaf.reshape((-1,)) for leaf in flat])

    def rebuild(vector: Any) -> Any:
        parts, begin = [], 0
        for leaf, size in zip(flat, sizes, strict=True):
            parts.append(vector[begin : begin + size].reshape(leaf.shape))
            begin += size
        return tree.unflatten(structure, parts)

    return joined, rebuild


def _krylov_correction(image: Callable[[Any], Any], r: Any, size: int) -> Any:
    """The combination of r, A r, ... of `size` vectors that makes |r - A x| smallest, by Arnoldi's
    process with twice repeated orthogonalisation."""
    epsilon = float(np.finfo(dtypes.real_of(r.dtype)).eps)
    norm = sqrt(_square(r))
    rows = [r / where(norm == 0, 1, norm)]
    columns = []
    for k in range(size):
        w = image(rows[k])
        scale = sqrt(_square(w))
        basis = stack(rows)
        total = zeros_like(basis[:, 0])
        for _ in range(2):
            part = matmul(conj(basis), w)
            w = w - matmul(part, basis)
            total = total + part
        length = sqrt(_square(w))
        # What is left after cancellation of all digits is no direction.
        exhausted = length <= scale * epsilon
        length = where(exhausted, 0, length)
        columns.append((total, length))
        rows.append(where(exhausted, 0, w / where(exhausted, 1, length)))
    basis = stack(rows[:-1])
    hessenberg = zeros_like(basis, shape=(size + 1, size))
    for k, (coefficients, length) in enumerate(columns):
        hessenberg = hessenberg.at[: k + 1, k].set(coefficients).at[k + 1, k].set(length)
    goal = zeros_like(r, shape=(size + 1,)).at[0].set(norm)
    combination = lstsq(hessenberg, goal)[0]
    return matmul(combination, basis)
