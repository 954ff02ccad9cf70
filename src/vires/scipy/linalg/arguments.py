"""Matrices as operands of the functions of `vires.scipy.linalg`."""

from __future__ import annotations

from typing import Any

from vires.core import dtypes
from vires.numpy.float_parts import conj
from vires.numpy.operands import ShapeError, convert, operand, promote_inexact, shape_text
from vires.numpy.shaping import matrix_transpose


def matrices(function: str, *named: tuple[str, Any]) -> list[Any]:
    """Operands in a common float or complex dtype of at least 32 bits a number."""
    xs = promote_inexact(*[operand(x, function, name) for name, x in named])
    narrow = xs[0].aval.dtype.itemsize < 4
    return [convert(x, dtypes.float32, x.aval.weak_type) if narrow else x for x in xs]


def matrix(function: str, a: Any, name: str = "a") -> Any:
    """One operand with at least two axes."""
    (x,) = matrices(function, (name, a))
    if x.aval.ndim < 2:
        raise ShapeError(f"{function}: needs a matrix, at least 2 axes; got {shape_text(x)}")
    return x


def square(function: str, a: Any, name: str = "a") -> Any:
    """One operand whose last two axes have one size."""
    x = matrix(function, a, name)
    check_square(function, x)
    return x


def check_square(function: str, x: Any) -> None:
    """Refuse what is not a stack of square matrices."""
    if x.aval.ndim < 2 or x.aval.shape[-1] != x.aval.shape[-2]:
        raise ShapeError(f"{function}: needs square matrices; got {shape_text(x)}")


def vector(function: str, a: Any, name: str = "a") -> Any:
    """One operand with at least one axis, of any number dtype."""
    x = operand(a, function, name)
    if not x.aval.ndim:
        raise ShapeError(f"{function}: needs a 1-d array for {name}; got {shape_text(x)}")
    return x


def adjoint(x: Any) -> Any:
    """Conjugate transpose."""
    return conj(matrix_transpose(x))


def is_complex(x: Any) -> bool:
    """Whether an operand has a complex dtype."""
    return dtypes.kind(x.aval.dtype) == "complex"
