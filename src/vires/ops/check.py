"""A condition that must hold at run time: the operation that lets compiled programs raise."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, LoopBuilder, Operand
from vires.ops.accept import refuse, typed_all
from vires.ops.linear import tangent_zero
from vires.ops.shape import map_at


class Failure(Hashable, Protocol):
    """Makes the exception for the first element whose condition is false."""

    def error(self, position: int, shown: int) -> Exception:
        """`position`: of the element in row-major order; `shown`: its element of the third
        operand.
        """
        ...


class OutOfBounds(NamedTuple):
    """Start indices of a gather or scatter outside their axes."""

    operation: str
    axes: tuple[int, ...]  #: the axis that each component of an index vector runs along
    sizes: tuple[int, ...]  #: the size of that axis
    slice_sizes: tuple[int, ...]  #: how many elements are taken from there

    def error(self, position: int, shown: int) -> IndexError:
        """The error of the component at `position`, whose index is `shown`."""
        k = position % len(self.axes)
        size, taken = self.sizes[k], self.slice_sizes[k]
        slices = f" for a slice of size {taken}" if taken != 1 else ""
        return IndexError(
            f"{self.operation}: needs an index from 0 to {size - taken}{slices}; got index "
            f"{shown} for axis "
            f"{self.axes[k]} of size {size}; try mode='clip' or mode='fill'"
        )


def _infer(
    x: ShapedArray, condition: ShapedArray, shown: ShapedArray, *, failure: Failure
) -> ShapedArray:
    if (
        condition.dtype != dtypes.bool_
        or shown.dtype != dtypes.int64
        or condition.shape != shown.shape
    ):
        raise refuse(
            "check", "a bool condition and int64 values of one shape", typed_all((condition, shown))
        )
    return x


def _reference(
    x: np.ndarray, condition: np.ndarray, shown: np.ndarray, *, failure: Failure
) -> np.ndarray:
    if not condition.all():
        position = int(np.argmin(condition))
        raise failure.error(position, int(shown.reshape(-1)[position]))
    return x


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], *, failure: Failure) -> tuple[Any, Any]:
    out = check(*primals, failure=failure)
    tangent = tangents[0]
    return out, tangent_zero(aval_of(out)) if tangent.__class__ is Zero else tangent


def _batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], *, failure: Failure
) -> tuple[Any, int | None]:
    x, condition, shown = operands
    if dims[1] is not None or dims[2] is not None:
        condition = map_at(condition, dims[1], axis.size, 0)
        shown = map_at(shown, dims[2], axis.size, 0)
    return check(x, condition, shown, failure=failure), dims[0]


def _loops(
    b: LoopBuilder, x: Operand, condition: Operand, shown: Operand, *, failure: Failure
) -> Definition:
    return b.block("check", [x, condition, shown], failure=failure)[0]


check = Primitive(
    "check",
    """The first operand, after every element of the second, a bool array, has been seen to be true.

    Otherwise raises `failure.error(position, shown)`, where `shown` is the int64 element of the
    third operand
    at the position of the first false one.
    """,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=lambda ct, x, condition, shown, *, failure: [ct, None, None],
    batch=_batch,
    loops=_loops,
)
