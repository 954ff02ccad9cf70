"""Constant and linear trends of signals."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from vires.numpy.contraction import matmul
from vires.numpy.joining import concatenate
from vires.numpy.operands import axis_index, operand, promote_inexact
from vires.numpy.planned import planned
from vires.numpy.shaping import moveaxis
from vires.numpy.statistics import mean

__all__ = ["detrend"]


def detrend(
    data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: None = None
) -> Any:
    """The data less its mean ("constant"), or less the straight lines of least squares ("linear")
    between the break points bp."""
    if overwrite_data is not None:
        raise NotImplementedError(
            "detrend: needs overwrite_data=None, since arrays are immutable; got "
            f"{overwrite_data}; try the returned array"
        )
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError(f"detrend: needs type 'linear' or 'constant'; got {type!r}")
    breaks = tuple(sorted({operator.index(b) for b in np.atleast_1d(bp)}))
    return _detrend(data, axis, type[0], breaks)


@planned("data")
def _detrend(data: Any, axis: int, type: str, breaks: tuple[int, ...]) -> Any:
    (x,) = promote_inexact(operand(data, "detrend", "data"))
    place = axis_index("detrend", axis, x.aval.ndim)
    if type == "c":
        return x - mean(x, place, keepdims=True)
    n = x.aval.shape[place]
    ends = sorted({0, *breaks, n})
    if ends[-1] > n or ends[0] < 0:
        raise ValueError(f"detrend: needs break points from 0 to {n}; got {breaks}")
    lines = moveaxis(x, place, -1)
    pieces = []
    for begin, end in itertools.pairwise(ends):
        count = end - begin
        # An orthonormal basis of the constant and linear functions.
        ramp = np.arange(count) - (count - 1) / 2
        basis = [np.full(count, count**-0.5)]
        if count > 1:
            basis.append(ramp / np.linalg.norm(ramp))
        frame = np.stack(basis).astype(x.aval.dtype)
        piece = lines[..., begin:end]
        pieces.append(piece - matmul(matmul(piece, frame.T), frame))
    return moveaxis(concatenate(pieces, -1), -1, place)
