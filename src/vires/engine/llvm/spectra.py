"""Fourier transforms of real numbers that the program converts to complex ones: half the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import dtypes
from vires.engine.llvm.program import Node
from vires.ops.fft import FftType

#: What the native routine calls the complex transform of real numbers.
_WHOLE_OF_REAL = 4


def of_real(
    operands: Sequence[Node], params: dict[str, Any]
) -> tuple[Sequence[Node], dict[str, Any]]:
    """Operands and parameters of a routine; of a transform of converted numbers, those of the
    transform of the numbers themselves.
    """
    if params["name"] != "fft" or params["args"][1] != FftType.FFT:
        return operands, params
    (x,) = operands
    if x.kind != "pull" or x.name != "convert_element_type":
        return operands, params
    (source,) = x.operands
    if source.dtype.kind != "f" or source.dtype != dtypes.real_of(x.dtype):
        return operands, params
    size, _, *rest = params["args"]
    return [source], {**params, "args": [size, _WHOLE_OF_REAL, *rest]}
