"""Matrices as operands of the functions of `vires.numpy.linalg`, and what several of them compute
of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires.core import dtypes
from vires.numpy.float_parts import conj, imag, real
from vires.numpy.operands import ShapeError, convert, operand, promote_inexact, shape_text
from vires.numpy.shaping import matrix_transpose
from vires.ops.math import square


def matrix(function: str, a: Any, square_matrix: bool = False) -> Any:
    """The operand in a float or complex dtype of at least 32 bits per number, with at least two
    axes."""
    (x,) = promote_inexact(operand(a, function, "a"))
    if x.aval.ndim < 2:
        raise ShapeError(f"{function}: needs matrices, at least 2 axes; got {shape_text(x)}")
    if square_matrix and x.aval.shape[-1] != x.aval.shape[-2]:
        raise ShapeError(f"{function}: needs square matrices; got {shape_text(x)}")
    return convert(x, dtypes.float32, x.aval.weak_type) if x.aval.dtype.itemsize < 4 else x


def adjoint(x: Any) -> Any:
    """Conjugate transpose."""
    return conj(matrix_transpose(x))


def epsilon(dtype: Any) -> float:
    """The distance from 1 to the next number of a dtype."""
    return float(np.finfo(dtypes.real_of(dtype)).eps)


def squares(x: Any) -> Any:
    """|x|^2, real."""
    if dtypes.kind(x.aval.dtype) == "complex":
        return square(real(x)) + square(imag(x))
    return square(x)
