"""Matrices with a structure, made of vectors or of a size. Leading axes are batch axes."""

from __future__ import annotations

import math
import operator
from functools import reduce
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy.creation import asarray
from vires.numpy.float_parts import conj
from vires.numpy.joining import concatenate
from vires.numpy.operands import (
    ShapeError,
    broadcast,
    common_shape,
    operand,
    promote,
    promote_inexact,
    shape_text,
)
from vires.numpy.planned import planned
from vires.ops.filled import scalar
from vires.ops.join import pad
from vires.scipy.linalg.arguments import vector

__all__ = [
    "block_diag", "circulant", "companion", "convolution_matrix", "dft", "fiedler",
    "fiedler_companion", "hadamard", "hankel", "helmert", "hilbert", "invhilbert", "invpascal",
    "leslie", "pascal", "toeplitz",
]  # fmt: skip


def _picked(x: Any, index: np.ndarray) -> Any:
    """Elements along the last axis at fixed places."""
    return x.at[..., index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _padded(x: Any, *sides: tuple[int, int]) -> Any:
    """Zeros before and after along the last axes."""
    free = x.aval.ndim - len(sides)
    config = tuple([(0, 0, 0)] * free + [(low, high, 0) for low, high in sides])
    return pad(x, scalar(0, x.aval.dtype), padding_config=config)


def _grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(rows)[:, None], np.arange(columns)[None, :]


def block_diag(*arrs: Any) -> Any:
    """The matrix with the arrays along its diagonal and zeros elsewhere; a vector is one row.

    >>> from vires.scipy import linalg
    >>> linalg.block_diag(1., 2.).tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    if not arrs:
        return asarray(np.zeros((1, 0), dtypes.default_float()))
    xs = promote(*[operand(x, "block_diag", f"arrs[{i}]") for i, x in enumerate(arrs)])
    for x in xs:
        if x.aval.ndim > 2:
            raise ShapeError(f"block_diag: needs arrays of at most 2 axes; got {shape_text(x)}")
    blocks = [x if x.aval.ndim == 2 else x.reshape((1, -1)) for x in xs]
    width = sum(x.aval.shape[1] for x in blocks)
    rows, before = [], 0
    for x in blocks:
        after = width - before - x.aval.shape[1]
        rows.append(_padded(x, (before, after)))
        before += x.aval.shape[1]
    return concatenate(rows)


def _first_column_and_row(function: str, c: Any, r: Any) -> tuple[Any, Any]:
    x, y = promote(vector(function, c, "c"), vector(function, r, "r"))
    batch = common_shape(function, x.aval.shape[:-1], y.aval.shape[:-1])
    return (
        broadcast(x, (*batch, x.aval.shape[-1])),
        broadcast(y, (*batch, y.aval.shape[-1])),
    )


def _along_last(x: Any) -> Any:
    """A 0-d array as a vector of one element."""
    x = operand(x, "toeplitz", "c")
    return x if x.aval.ndim else x.reshape((1,))


def toeplitz(c: Any, r: Any = None) -> Any:
    """The matrix with constant diagonals, first column c and first row r (default: conj(c)); r[0]
    is not used.

    >>> from vires.scipy import linalg
    >>> from vires import numpy as np
    >>> linalg.toeplitz(np.array([1, 2]), np.array([1, 3])).tolist()
    [[1, 3], [2, 1]]
    """
    c = _along_last(c)
    return _toeplitz(c, conj(c) if r is None else _along_last(r))


@planned("c", "r")
def _toeplitz(c: Any, r: Any) -> Any:
    x, y = _first_column_and_row("toeplitz", c, r)
    m, n = x.aval.shape[-1], y.aval.shape[-1]
    if not m * n:
        return x[..., :, None] * y[..., None, :]
    values = concatenate([x[..., ::-1], y[..., 1:]], axis=-1)
    i, j = _grid(m, n)
    return _picked(values, m - 1 + j - i)


def hankel(c: Any, r: Any = None) -> Any:
    """The matrix with constant anti-diagonals, first column c and last row r (default: zeros);
    r[0] is not used."""
    c = _along_last(c)
    return _hankel(c, c * 0 if r is None else _along_last(r))


@planned("c", "r")
def _hankel(c: Any, r: Any) -> Any:
    x, y = _first_column_and_row("hankel", c, r)
    m, n = x.aval.shape[-1], y.aval.shape[-1]
    if not m * n:
        return x[..., :, None] * y[..., None, :]
    i, j = _grid(m, n)
    return _picked(concatenate([x, y[..., 1:]], axis=-1), i + j)


@planned("c")
def circulant(c: Any) -> Any:
    """The square matrix whose columns are c turned by 0, 1, ... places; its first column is c."""
    x = vector("circulant", c, "c")
    i, j = _grid(x.aval.shape[-1], x.aval.shape[-1])
    return _picked(x, (i - j) % max(1, x.aval.shape[-1]))


@planned("a")
def companion(a: Any) -> Any:
    """The matrix whose characteristic polynomial has the coefficients a, the highest first."""
    (x,) = promote_inexact(vector("companion", a))
    n = x.aval.shape[-1] - 1
    if n < 1:
        raise ShapeError(f"companion: needs at least 2 coefficients; got {shape_text(x)}")
    first = (-x[..., 1:] / x[..., :1])[..., None, :]
    shifted = asarray(np.eye(n - 1, n).astype(x.aval.dtype))
    shifted = broadcast(shifted, (*x.aval.shape[:-1], n - 1, n))
    return concatenate([first, shifted], axis=-2)


def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """The matrix A with A v = convolve(a, v, mode) for vectors v of n elements."""
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolution_matrix: needs mode 'full', 'same' or 'valid'; got {mode!r}")
    if operator.index(n) < 1:
        raise ValueError(f"convolution_matrix: needs n >= 1; got {n}")
    return _convolution_matrix(a, operator.index(n), mode)


@planned("a")
def _convolution_matrix(a: Any, n: int, mode: str) -> Any:
    x = vector("convolution_matrix", a)
    m = x.aval.shape[-1]
    if not m:
        raise ShapeError(f"convolution_matrix: needs at least 1 element; got {shape_text(x)}")
    i, j = _grid(m + n - 1, n)
    place = i - j
    inside = (place >= 0) & (place < m)
    full = _picked(_padded(x, (0, 1)), np.where(inside, place, m))
    if mode == "full":
        return full
    size = max(m, n) if mode == "same" else max(m, n) - min(m, n) + 1
    start = (min(m, n) - 1) // 2 if mode == "same" else min(m, n) - 1
    return full[..., start : start + size, :]


@planned("a")
def fiedler(a: Any) -> Any:
    """|a_i - a_j|."""
    x = vector("fiedler", a)
    return abs(x[..., :, None] - x[..., None, :])


@planned("a")
def fiedler_companion(a: Any) -> Any:
    """A matrix of five diagonals whose characteristic polynomial has the coefficients a, the
    highest first."""
    (x,) = promote_inexact(vector("fiedler_companion", a))
    n = x.aval.shape[-1] - 1
    if n < 1:
        return broadcast(asarray(np.zeros((0, 0), x.aval.dtype)), (*x.aval.shape[:-1], 0, 0))
    c = x / x[..., :1]
    values = concatenate([-c, c[..., :1], c[..., :1] * 0], axis=-1)
    return _picked(values, _fiedler_places(n))


def _fiedler_places(n: int) -> np.ndarray:
    """Where each element of Fiedler's companion matrix comes from: k for -a_k / a_0, n + 1 for 1,
    n + 2 for 0."""
    places = np.full((n, n), n + 2)
    for k in range(0, n, 2):  # even rows hold coefficients beside the diagonal
        if k:
            places[k, k - 1] = k + 1
        if k + 1 < n:
            places[k, k + 1] = k + 2
        if k + 2 < n:
            places[k, k + 2] = n + 1
        if k + 3 < n:
            places[k + 3, k + 1] = n + 1
    places[0, 0] = 1
    places[1:2, 0] = n + 1
    return places


def leslie(f: Any, s: Any) -> Any:
    """The Leslie matrix of populations: fecundities f in the first row, survival rates s below
    the diagonal."""
    return _leslie(f, s)


@planned("f", "s")
def _leslie(f: Any, s: Any) -> Any:
    x, y = promote(vector("leslie", f, "f"), vector("leslie", s, "s"))
    n = x.aval.shape[-1]
    if y.aval.shape[-1] != n - 1 or n < 2:
        raise ShapeError(
            f"leslie: needs f of at least 2 elements and s of one less; "
            f"got {shape_text(x)} and {shape_text(y)}"
        )
    batch = common_shape("leslie", x.aval.shape[:-1], y.aval.shape[:-1])
    x, y = broadcast(x, (*batch, n)), broadcast(y, (*batch, n - 1))
    lower = _padded(y[..., :, None] * np.eye(n - 1).astype(x.aval.dtype), (0, 0), (0, 1))
    return concatenate([x[..., None, :], lower], axis=-2)


# --- matrices of a size


def _size(function: str, n: Any) -> int:
    size = operator.index(n)
    if size < 0:
        raise ValueError(f"{function}: needs n >= 0; got {size}")
    return size


def _floats(values: np.ndarray) -> Any:
    return asarray(values.astype(dtypes.default_float()))


def dft(n: int, scale: str | None = None, *, dtype: Any = None) -> Any:
    """The matrix of the discrete Fourier transform, exp(-2 pi i j k / n); divided by sqrt(n) for
    scale "sqrtn", by n for "n"."""
    if scale not in (None, "sqrtn", "n"):
        raise ValueError(f"dft: needs scale None, 'sqrtn' or 'n'; got {scale!r}")
    size = _size("dft", n)
    j, k = _grid(size, size)
    # Angles of less than half a turn are exact to the last bit.
    turns = (j * k) % max(size, 1)
    values = np.exp(-2j * np.pi / max(size, 1) * np.where(2 * turns > size, turns - size, turns))
    values *= {None: 1.0, "sqrtn": 1 / math.sqrt(max(size, 1)), "n": 1 / max(size, 1)}[scale]
    target = dtypes.complex_of(dtypes.default_float()) if dtype is None else dtypes.canonical(dtype)
    return asarray(values.astype(target))


def hadamard(n: int, dtype: Any = int) -> Any:
    """Hadamard's matrix of n rows, n a power of 2: elements +-1, orthogonal rows."""
    size = _size("hadamard", n)
    if size < 1 or size & (size - 1):
        raise ValueError(f"hadamard: needs n a power of 2; got {size}")
    step = np.array([[1, 1], [1, -1]])
    values = reduce(np.kron, [step] * (size.bit_length() - 1), np.ones((1, 1), np.int64))
    return asarray(values.astype(dtypes.default_int() if dtype is int else dtypes.canonical(dtype)))


def helmert(n: int, full: bool = False) -> Any:
    """Helmert's matrix: orthonormal rows, each after the first (left out unless `full`) a contrast
    of one element with the mean of those before."""
    size = _size("helmert", n)
    values = np.tril(np.ones((size, size)), -1) - np.diag(np.arange(size))
    values[:1] = 1
    lengths = np.arange(size) * np.arange(1, size + 1)
    lengths[:1] = size
    values /= np.sqrt(lengths)[:, None]
    return _floats(values if full else values[1:])


def hilbert(n: int) -> Any:
    """1 / (i + j + 1)."""
    i, j = _grid(_size("hilbert", n), _size("hilbert", n))
    return _floats(1.0 / (i + j + 1))


def invhilbert(n: int) -> Any:
    """The inverse of Hilbert's matrix, whose elements are integers."""
    size = _size("invhilbert", n)
    values = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            values[i, j] = float(
                (-1) ** (i + j) * (i + j + 1) * math.comb(size + i, size - j - 1)
                * math.comb(size + j, size - i - 1) * math.comb(i + j, i) ** 2
            )  # fmt: skip
    return _floats(values)


def _kind(function: str, kind: str | None) -> str:
    if kind not in (None, "symmetric", "lower", "upper"):
        raise ValueError(f"{function}: needs kind 'symmetric', 'lower' or 'upper'; got {kind!r}")
    return kind or "symmetric"


def _lower_pascal(size: int) -> np.ndarray:
    values = [[float(math.comb(i, j)) for j in range(size)] for i in range(size)]
    return np.array(values).reshape(size, size)


def pascal(n: int, kind: str | None = None) -> Any:
    """Binomial coefficients: binom(i + j, i) ("symmetric"), or Pascal's triangle as "lower" or
    "upper"."""
    size = _size("pascal", n)
    shape = _kind("pascal", kind)
    lower = _lower_pascal(size)
    return _floats({"lower": lower, "upper": lower.T}.get(shape, lower @ lower.T))


def invpascal(n: int, kind: str | None = None) -> Any:
    """The inverse of `pascal`."""
    size = _size("invpascal", n)
    shape = _kind("invpascal", kind)
    i, j = _grid(size, size)
    lower = _lower_pascal(size) * (1 - 2 * ((i + j) % 2))
    return _floats({"lower": lower, "upper": lower.T}.get(shape, lower.T @ lower))
