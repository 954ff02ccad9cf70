"""Products in which runs of rows, of one axis cut into groups, have a matrix of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from vires.control.scan_loop import scan
from vires.core import dtypes
from vires.core.trace import aval_of
from vires.lax.arguments import array, axes
from vires.lax.contract import PrecisionLike, dot_general, one_dtype
from vires.ops.accept import refuse, typed
from vires.ops.bits import and_
from vires.ops.compare import ge, lt
from vires.ops.convert import convert
from vires.ops.cumulative import cumsum
from vires.ops.elementwise import sub
from vires.ops.filled import iota, zeros
from vires.ops.select import select_n
from vires.ops.shape import broadcast, move_axis


class RaggedDotDimensionNumbers(NamedTuple):
    """Which axes `ragged_dot_general` contracts, cuts into groups, and finds the groups along.

    * `dot_dimension_numbers`: as for `dot_general`, without the group axis.
    * `lhs_ragged_dimensions`: the one axis of lhs that is cut into groups.
    * `rhs_group_dimensions`: the axis of rhs with one matrix for each group, if any.
    """

    dot_dimension_numbers: Any
    lhs_ragged_dimensions: Sequence[int]
    rhs_group_dimensions: Sequence[int]


def free_axes(rank: int, contract: Sequence[int], batch: Sequence[int]) -> tuple[int, ...]:
    """The axes of an operand that are neither contracted nor batch axes."""
    return tuple(d for d in range(rank) if d not in (*contract, *batch))


def ragged_dot(
    lhs: Any,
    rhs: Any,
    group_sizes: Any,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    group_offset: Any = None,
) -> Any:
    """lhs[i] @ rhs[g] for each row i of lhs, the rows being cut into groups g of given sizes.

    lhs is (m, k), rhs (groups, k, n), `group_sizes` (groups,); rows after the last group give
    zeros. Each group costs a product of the whole lhs.

    >>> import numpy as np
    >>> from vires import lax
    >>> x = np.ones((3, 1), np.float32)
    >>> w = np.array([[[1.0]], [[10.0]]], np.float32)
    >>> lax.ragged_dot(x, w, np.array([2, 1])).ravel().tolist()
    [1.0, 1.0, 10.0]
    """
    numbers = RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), (0,), (0,))
    return ragged_dot_general(
        lhs, rhs, group_sizes, numbers, precision, preferred_element_type, group_offset
    )


def ragged_dot_general(
    lhs: Any,
    rhs: Any,
    group_sizes: Any,
    ragged_dot_dimension_numbers: RaggedDotDimensionNumbers,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    group_offset: Any = None,
) -> Any:
    """`dot_general` with one axis of lhs cut into groups of given sizes.

    * A free axis: each group has its own part of rhs, along `rhs_group_dimensions`; elements after
      the last group give zeros.
    * A contracted axis: one result for each group, along a new leading axis.
    * A batch axis: the product, whatever the groups.

    `group_sizes` is (groups,), or has the batch axes (or for a free or contracted axis also those
    of its kind that come before it) in front. Products that belong to no group do not count, nan
    and inf included.

    Raises:
      NotImplementedError: a `group_offset`.
    """
    name = "ragged_dot_general"
    if group_offset is not None:
        raise NotImplementedError(f"{name}: needs group_offset=None; got {group_offset!r}")
    x, y = one_dtype(lhs, rhs)
    numbers = ragged_dot_dimension_numbers
    ragged = axes(name, numbers.lhs_ragged_dimensions, x.ndim)
    grouped = axes(name, numbers.rhs_group_dimensions, y.ndim)
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = numbers.dot_dimension_numbers
    contract = axes(name, lhs_contract, x.ndim), axes(name, rhs_contract, y.ndim)
    batch = axes(name, lhs_batch, x.ndim), axes(name, rhs_batch, y.ndim)
    free = ragged[0] not in (*contract[0], *batch[0]) if len(ragged) == 1 else None
    if free is None or len(grouped) != (1 if free else 0):
        raise refuse(
            name,
            "one ragged axis of lhs, and one group axis of rhs if that is a free axis",
            f"ragged axes {ragged} of {typed(x.aval)} and group axes {grouped} of {typed(y.aval)}",
            "",
            ValueError,
        )
    of_kind = (
        contract[0]
        if ragged[0] in contract[0]
        else batch[0]
        if ragged[0] in batch[0]
        else free_axes(x.ndim, contract[0], batch[0])
    )
    outer = of_kind[: of_kind.index(ragged[0])]
    if ragged[0] not in batch[0]:
        outer = (*batch[0], *outer)
    starts = _starts(name, group_sizes, tuple(x.shape[d] for d in outer))
    kinds = _Parts(x, y, contract, batch, precision, preferred_element_type)
    masks = _Masks(starts, x.shape, ragged[0], outer)
    if free:
        return kinds.of_free(masks, ragged[0], grouped[0])
    if ragged[0] in contract[0]:
        position = contract[0].index(ragged[0])
        return kinds.of_contracted(masks, contract[1][position])
    return kinds.product(x, y)


def _starts(name: str, group_sizes: Any, outer: tuple[int, ...]) -> Any:
    """Where groups begin and end, groups leading: (groups + 1, *outer)."""
    sizes = array(group_sizes)
    aval = aval_of(sizes)
    if dtypes.kind(aval.dtype) not in ("signed", "unsigned") or aval.shape[:-1] not in ((), outer):
        raise refuse(
            name,
            f"integer group_sizes of shape (groups,) or ({', '.join(map(str, outer))}, groups)",
            typed(aval),
        )
    sizes = move_axis(convert(sizes, dtypes.int32), aval.ndim - 1, 0)
    if aval.ndim == 1:
        sizes = broadcast(sizes, (aval.shape[0], *outer), (0,))
    ends = cumsum(sizes, axis=0, reverse=False)
    return sub(ends, sizes), ends


class _Masks:
    """Which elements of lhs belong to a group."""

    def __init__(
        self, bounds: Any, shape: tuple[int, ...], ragged: int, outer: tuple[int, ...]
    ) -> None:
        self.starts, self.ends = bounds
        self.shape, self.ragged, self.outer = shape, ragged, outer

    def of(self, start: Any, end: Any, shape: tuple[int, ...], places: Sequence[int]) -> Any:
        """Whether elements are in [start, end).

        `places`: where in `shape` the outer axes and then the ragged one are.
        """
        *outer, ragged = places
        at = iota(dtype=dtypes.int32, shape=shape, dimension=ragged)
        low, high = (broadcast(bound, shape, tuple(outer)) for bound in (start, end))
        return and_(ge(at, low), lt(at, high))


class _Parts(NamedTuple):
    """A product whose groups are taken one by one."""

    x: Any
    y: Any
    contract: tuple[tuple[int, ...], tuple[int, ...]]
    batch: tuple[tuple[int, ...], tuple[int, ...]]
    precision: PrecisionLike
    preferred: Any

    def product(self, x: Any, y: Any) -> Any:
        numbers = (self.contract, self.batch)
        return dot_general(x, y, numbers, self.precision, self.preferred)

    def of_free(self, masks: _Masks, ragged: int, grouped: int) -> Any:
        """The result of each group where its rows are."""
        matrices = move_axis(self.y, grouped, 0)
        contract, batch = (
            (left, tuple(d - (d > grouped) for d in right))
            for left, right in (self.contract, self.batch)
        )
        parts = self._replace(contract=contract, batch=batch)
        order = [*self.batch[0], *free_axes(self.x.ndim, self.contract[0], self.batch[0])]
        places = [order.index(d) for d in (*masks.outer, ragged)]

        def step(total: Any, group: Any) -> tuple[Any, None]:
            start, end, matrix = group
            result = parts.product(self.x, matrix)
            here = masks.of(start, end, aval_of(result).shape, places)
            return select_n(here, total, result), None

        aval = aval_of(parts.product(self.x, _first(matrices)))
        return scan(step, zeros(aval.strip_weak_type()), (masks.starts, masks.ends, matrices))[0]

    def of_contracted(self, masks: _Masks, other: int) -> Any:
        """A result for each group, of what both operands have in it."""
        outer = masks.outer
        partner = dict(zip(self.contract[0], self.contract[1], strict=True))
        partner.update(zip(self.batch[0], self.batch[1], strict=True))

        def step(carry: None, bounds: Any) -> tuple[None, Any]:
            kept: list[Any] = []
            start, end = bounds
            for value, places in (
                (self.x, (*outer, masks.ragged)),
                (self.y, (*(partner[d] for d in outer), other)),
            ):
                aval = aval_of(value)
                here = masks.of(start, end, aval.shape, places)
                kept.append(select_n(here, zeros(aval), value))
            return None, self.product(*kept)

        return scan(step, None, (masks.starts, masks.ends))[1]


def _first(stack: Any) -> Any:
    """A value of the type of one element of a stack."""
    aval = aval_of(stack)
    return zeros(aval.update(shape=aval.shape[1:]))


__all__ = ["RaggedDotDimensionNumbers", "ragged_dot", "ragged_dot_general"]
