"""What `x[index]` means: NumPy's index expressions taken apart, for a shape, into one plan.

A plan is static: slices, integers and new axes are numbers; arrays of indices, concrete or traced,
are parts of it.
`getitem.py` reads it as slices or a gather, `at.py` as an update or a scatter.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vires._native import Array
from vires.core import dtypes
from vires.core.errors import NonConcreteBooleanIndexError, describe
from vires.core.trace import Tracer
from vires.numpy.operands import Shape, ShapeError, common_shape


@dataclass
class Strided:
    """A slice of an axis: `size` elements from `start` on, `step` apart (negative steps run
    backwards)."""

    axis: int
    start: int
    size: int
    step: int


@dataclass
class Looked:
    """An axis looked up by an integer or an array of integers."""

    axis: int
    index: Any  #: an int, a NumPy array of integers, or a tracer


@dataclass
class NewAxis:
    """None in the index."""


@dataclass
class Plan:
    """An index expression for an array of shape `shape`.

    `items` follows the order of the expression. `looked` are its `Looked` items when at least one
    of them holds an array
    (`advanced`); their common shape `batch` comes in the result at position `place` of the other
    result axes.
    """

    shape: Shape
    items: list[Any]
    looked: list[Looked] = field(default_factory=list)
    advanced: bool = False
    batch: Shape = ()
    place: int = 0
    operation: str = "getitem"  #: for messages: that, "at.set" and its kin, or "take" and its

    @property
    def basic_shape(self) -> Shape:
        """Sizes of the result axes that come from slices and new axes, in order."""
        return tuple(
            1 if isinstance(item, NewAxis) else item.size
            for item in self.items
            if not isinstance(item, Looked)
        )

    @property
    def result_shape(self) -> Shape:
        basic = self.basic_shape
        return basic[: self.place] + self.batch + basic[self.place :]

    @property
    def traced(self) -> bool:
        return any(isinstance(item.index, Tracer) for item in self.looked)


def _refuse(entry: Any) -> TypeError | IndexError:
    if isinstance(entry, str):
        return TypeError(
            "getitem: needs integers, slices, None, ... or arrays as index; got the string "
            f"{entry!r}"
        )
    if isinstance(entry, (list, tuple)):
        return TypeError(
            "getitem: needs integers, slices, None, ... or arrays as index; got "
            f"{type(entry).__name__} {entry!r:.60}; "
            "try x[numpy.array(index)], or a tuple to index several axes"
        )
    return TypeError(
        "getitem: needs integers, slices, None, ... or arrays as index; got "
        f"{type(entry).__name__} {entry!r:.60}"
    )


def _entry(entry: Any) -> Any:
    """An entry in one of the forms: int, slice, None, Ellipsis, bool, NumPy array of bool or
    integers, tracer."""
    cls = entry.__class__
    if cls is int or cls is slice or entry is None or entry is Ellipsis or cls is bool:
        return entry
    if isinstance(entry, Tracer):
        value = entry.concrete()
        if value is not None:
            return _entry(value)
        kind = dtypes.kind(entry.aval.dtype)
        if kind == "bool":
            raise NonConcreteBooleanIndexError(entry)
        if kind not in ("signed", "unsigned"):
            raise TypeError(
                f"getitem: needs an index of integers or bools; got {entry.aval.dtype.name}"
            )
        return entry
    if cls is Array:
        entry = entry._numpy()
    elif isinstance(entry, np.bool_):
        return bool(entry)
    elif isinstance(entry, np.integer):
        return int(entry)
    elif not isinstance(entry, np.ndarray):
        if isinstance(entry, (list, tuple, str, float, complex)) or not hasattr(entry, "__index__"):
            if hasattr(entry, "__array__") and not isinstance(entry, (list, tuple, str)):
                return _entry(np.asarray(entry))
            raise _refuse(entry)
        return operator.index(entry)
    if entry.dtype.kind not in "biu":
        if entry.size == 0 and isinstance(entry, np.ndarray) and entry.dtype == np.float64:
            return entry.astype(np.int32)  # numpy.array([]) as an index
        raise TypeError(f"getitem: needs an index of integers or bools; got {entry.dtype.name}")
    if entry.dtype.kind == "b":
        return bool(entry) if not entry.ndim else entry
    return int(entry) if not entry.ndim else entry


def _expanded(entries: list[Any], ndim: int) -> list[Any]:
    """Entries for every axis: Ellipsis replaced by full slices, masks by their indices."""
    used = 0
    for entry in entries:
        if isinstance(entry, np.ndarray) and entry.dtype == bool:
            used += entry.ndim
        elif entry is not None and entry is not Ellipsis and not isinstance(entry, bool):
            used += 1
    ellipses = sum(entry is Ellipsis for entry in entries)
    if ellipses > 1:
        raise IndexError("getitem: needs at most one ellipsis (...); got several")
    if used > ndim:
        raise IndexError(
            f"getitem: needs at most {ndim} indices for an array of {ndim} dimensions; got {used}"
        )
    fill = [slice(None)] * (ndim - used)
    if ellipses:
        at = next(i for i, entry in enumerate(entries) if entry is Ellipsis)
        # An ellipsis of length 0 still separates indices, as in NumPy.
        entries = [*entries[:at], *(fill or [_GAP]), *entries[at + 1 :]]
    else:
        entries = [*entries, *fill]
    result: list[Any] = []
    for entry in entries:
        if isinstance(entry, np.ndarray) and entry.dtype == bool:
            result.append(_Mask(entry))
        else:
            result.append(entry)
    return result


class _Gap:
    """An ellipsis that stands for no axis."""


_GAP = _Gap()


@dataclass
class _Mask:
    mask: np.ndarray


def _whole_slice(entry: slice, axis: int, size: int) -> Strided:
    if entry.step.__class__ is int and not entry.step:
        raise ValueError(f"getitem: needs a slice step other than 0; got {entry}")
    try:
        start, stop, step = entry.indices(size)
    except TypeError as error:
        bad = next(
            (x for x in (entry.start, entry.stop, entry.step) if isinstance(x, Tracer)), None
        )
        if bad is not None:
            raise IndexError(
                "getitem: needs static start, stop and step of a slice; got "
                f"{describe(bad)}; "
                "try lax.dynamic_slice_in_dim(x, start, size), or numpy.where with a mask"
            ) from error
        raise TypeError(f"getitem: needs integers in a slice; got {entry}") from error
    return Strided(axis, start, len(range(start, stop, step)), step)


def check_bounds(index: int, axis: int, size: int, operation: str) -> int:
    """A static index as a number in [0, size)."""
    if not -size <= index < size:
        raise out_of_bounds(index, axis, size, operation)
    return index + size if index < 0 else index


#: What functions that look elements up have for an index outside the array.
_REMEDIES = {
    "take": 'take(..., mode="clip") or mode="fill"',
    "take_along_axis": 'take_along_axis(..., mode="clip") or mode="fill"',
    "put": 'put(..., mode="clip") or mode="drop"',
    "put_along_axis": 'put_along_axis(..., mode="clip") or mode="drop"',
}


def out_of_bounds(index: Any, axis: int, size: int, operation: str) -> IndexError:
    """The error of an index that an axis does not have."""
    needed = f"an index from {-size} to {size - 1}" if size else "no index"
    method = operation.removeprefix("at.")
    if operation == "getitem":
        remedy = 'x.at[index].get(mode="clip") or .get(mode="fill")'
    elif method != operation:
        remedy = f'x.at[index].{method}(..., mode="drop") or .{method}(..., mode="clip")'
    else:
        remedy = _REMEDIES[operation]
    return IndexError(
        f"{operation}: needs {needed} for axis {axis} of size {size}; got {index}; try {remedy} "
        "if that is meant"
    )


def make_plan(shape: Shape, index: Any, checked: bool = True, operation: str = "getitem") -> Plan:
    """The plan of an index expression. `checked`: concrete indices outside their axis raise
    IndexError."""
    if isinstance(index, list):
        raise _refuse(index)
    entries = [_entry(entry) for entry in (index if isinstance(index, tuple) else (index,))]
    entries = _expanded(entries, len(shape))
    items: list[Any] = []
    groups: list[int] = []  # positions in the expression of what is advanced
    arrays = False
    axis = 0
    for position, entry in enumerate(entries):
        if entry is None:
            items.append(NewAxis())
        elif entry is _GAP:
            items.append(entry)
        elif isinstance(entry, bool):
            # A 0-d mask: a batch axis of size 1 or 0 that looks nothing up.
            items.append(Looked(-1, np.zeros(int(entry), np.intp)))
            groups.append(position)
            arrays = True
        elif isinstance(entry, slice):
            items.append(_whole_slice(entry, axis, shape[axis]))
            axis += 1
        elif isinstance(entry, _Mask):
            sizes = shape[axis : axis + entry.mask.ndim]
            if entry.mask.shape != sizes:
                raise IndexError(
                    f"getitem: needs a boolean mask of shape {sizes}; got shape {entry.mask.shape}"
                )
            for k, found in enumerate(np.nonzero(entry.mask)):
                items.append(Looked(axis + k, found))
            groups.append(position)
            arrays = True
            axis += entry.mask.ndim
        else:
            items.append(Looked(axis, _index(entry, axis, shape[axis], checked, operation)))
            groups.append(position)
            arrays = arrays or not isinstance(entry, int)
            axis += 1
    looked = [item for item in items if isinstance(item, Looked)]
    if not arrays:
        items = [item for item in items if item is not _GAP]
        return Plan(shape, items, looked, operation=operation)
    shapes = [
        np.shape(item.index) if not isinstance(item.index, Tracer) else item.index.aval.shape
        for item in looked
    ]
    try:
        batch = common_shape("getitem", *shapes)
    except ShapeError as error:
        raise IndexError(
            "getitem: needs index arrays that broadcast together; got shapes "
            f"{', '.join(map(str, shapes))}"
        ) from error
    contiguous = groups == list(range(groups[0], groups[-1] + 1))
    before = sum(not isinstance(item, (Looked, _Gap)) for item in items[: _first_looked(items)])
    items = [item for item in items if item is not _GAP]
    looked = [item for item in looked if item.axis >= 0]
    return Plan(shape, items, looked, True, batch, before if contiguous else 0, operation)


def _first_looked(items: list[Any]) -> int:
    return next(i for i, item in enumerate(items) if isinstance(item, Looked))


def _index(entry: Any, axis: int, size: int, checked: bool, operation: str) -> Any:
    """An integer index, counted from the start of the axis when it is concrete."""
    if isinstance(entry, Tracer):
        if checked and not size and entry.aval.size:
            raise out_of_bounds("an index", axis, size, operation)
        return entry
    if isinstance(entry, int):
        if checked:
            return check_bounds(entry, axis, size, operation)
        return entry + size if entry < 0 else entry
    if entry.size and checked:
        low, high = int(entry.min()), int(entry.max())
        if low < -size or high >= size:
            raise out_of_bounds(low if low < -size else high, axis, size, operation)
    if entry.dtype.kind == "u":
        return entry
    return np.where(entry < 0, entry + np.asarray(size, np.int64), entry)
