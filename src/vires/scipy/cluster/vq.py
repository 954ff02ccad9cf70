"""Vector quantisation."""

from __future__ import annotations

from typing import Any

from vires.numpy.arithmetic import sqrt
from vires.numpy.operands import ShapeError, operand, promote_inexact, shape_text
from vires.numpy.planned import planned
from vires.numpy.reductions import argmin
from vires.numpy.reductions import min as min_
from vires.numpy.reductions import sum as sum_

__all__ = ["vq"]


def vq(obs: Any, code_book: Any, check_finite: bool = True) -> tuple[Any, Any]:
    """For each observation (row) the number of the nearest code (row) and the distance to it.

    Arrays with one axis are observations and codes of one component.
    """
    return _vq(obs, code_book)


@planned("obs", "code_book")
def _vq(obs: Any, code_book: Any) -> tuple[Any, Any]:
    x, codes = promote_inexact(operand(obs, "vq", "obs"), operand(code_book, "vq", "code_book"))
    if x.aval.ndim != codes.aval.ndim or x.aval.ndim not in (1, 2):
        raise ShapeError(
            "vq: needs observations and codes of as many axes, 1 or 2; "
            f"got {shape_text(x)} and {shape_text(codes)}"
        )
    if x.aval.ndim == 1:
        x, codes = x[:, None], codes[:, None]
    if x.aval.shape[1] != codes.aval.shape[1]:
        raise ShapeError(
            "vq: needs observations and codes of as many components; "
            f"got {shape_text(x)} and {shape_text(codes)}"
        )
    difference = x[:, None, :] - codes[None, :, :]
    distances = sum_(difference * difference, -1)
    return argmin(distances, -1), sqrt(min_(distances, -1))
