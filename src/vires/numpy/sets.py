"""Sets of numbers: `unique`, `isin`, `union1d`, `intersect1d`, ...

The number of results depends on the values. Under jit it must be given as `size`; the rest is then
filled up.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from vires.core import dtypes
from vires.core.errors import ConcretizationTypeError
from vires.core.trace import Tracer
from vires.numpy.arithmetic import clip
from vires.numpy.choosing import nonzero, where
from vires.numpy.comparison import logical_and, logical_not, not_equal
from vires.numpy.creation import asarray, flat
from vires.numpy.cumulative import cumsum
from vires.numpy.float_parts import isnan
from vires.numpy.joining import concatenate
from vires.numpy.operands import axis_index, convert, operand, promote, size_argument
from vires.numpy.planned import shortcut
from vires.numpy.reductions import any as any_
from vires.numpy.shaping import moveaxis
from vires.numpy.sorting import searchsorted, sort
from vires.ops.filled import iota
from vires.ops.shape import reshape
from vires.ops.sort import sort as sort_p

__all__ = [
    "intersect1d", "isin", "setdiff1d", "setxor1d", "trim_zeros", "union1d", "unique",
    "unique_all", "unique_counts", "unique_inverse", "unique_values",
]  # fmt: skip


def _need_size(function: str, size: int | None, *xs: Any) -> None:
    for x in xs:
        if size is None and isinstance(x, Tracer) and x.concrete() is None:
            raise ConcretizationTypeError(
                x, f"{function} (the number of distinct elements decides the shape: try size=...)"
            )


def _sorted_rows(rows: Any) -> tuple[Any, Any]:
    """Rows in lexicographic order, and the permutation; a 1-d array is its own column."""
    n = rows.aval.shape[0]
    places = iota(dtype=dtypes.default_int(), shape=(n,), dimension=0)
    if rows.aval.ndim == 1:
        ordered, order = sort_p(rows, places, dimension=0, is_stable=True, num_keys=1)
        return ordered, order
    columns = [rows[:, k] for k in range(rows.aval.shape[1])]
    if not columns:
        return rows, places
    *_, order = sort_p(*columns, places, dimension=0, is_stable=True, num_keys=len(columns))
    return rows[order], order


def _is_new(ordered: Any, equal_nan: bool) -> Any:
    """Whether each element of a sorted array differs from the one before."""
    different = not_equal(ordered[1:], ordered[:-1])
    if equal_nan and dtypes.is_inexact(ordered.aval.dtype):
        different = logical_and(
            different, logical_not(logical_and(isnan(ordered[1:]), isnan(ordered[:-1])))
        )
    if different.aval.ndim > 1:
        different = any_(different, tuple(range(1, different.aval.ndim)))
    return concatenate([asarray(np.ones(min(ordered.aval.shape[0], 1), bool)), different])


def _unique(
    ar: Any, axis: int | None, equal_nan: bool, size: int | None, fill_value: Any
) -> tuple[Any, Any, Any, Any]:
    """(values, first indices, inverse, counts)."""
    x = operand(ar, "unique", "ar")
    size = None if size is None else size_argument("unique", size)
    _need_size("unique", size, x)
    if axis is None:
        rows, shape = flat(x), None
    else:
        axis = axis_index("unique", axis, x.aval.ndim)
        moved = moveaxis(x, axis, 0)
        shape = moved.aval.shape
        width = 1
        for n in shape[1:]:
            width *= n
        rows = reshape(moved, new_sizes=(shape[0], width), dimensions=None)
    n = rows.aval.shape[0]
    index_dtype = dtypes.default_int()
    if not n:
        if size:
            raise ValueError(f"unique: needs elements to fill size={size}; got an empty array")
        empty = asarray(np.zeros(0, index_dtype))
        return rows if shape is None else x, empty, empty, empty
    ordered, order = _sorted_rows(rows)
    new = _is_new(ordered, equal_nan)
    (starts,) = nonzero(new, size=size, fill_value=n)
    count = starts.aval.size
    if size is not None:
        found = convert(cumsum(convert(new, index_dtype))[-1], index_dtype)
        valid = np.arange(count, dtype=index_dtype) < found
    else:
        valid = None
    at = clip(starts, 0, n - 1)
    values, indices = ordered.at[at].get(mode="clip"), order.at[at].get(mode="clip")
    ends = concatenate([starts[1:], asarray(np.full(1, n, index_dtype))]) if count else starts
    counts = clip(ends, 0, n) - clip(starts, 0, n)
    if valid is not None:
        # Missing entries hold the fill value, by default the smallest element.
        filler = (
            values[:1] if fill_value is None else convert(asarray(fill_value), values.aval.dtype)
        )
        mask = valid if values.aval.ndim == 1 else valid[:, None]
        values = where(mask, values, filler)
        indices = where(valid, indices, indices[:1] if count else indices)
        counts = where(valid, counts, 0)
    rank = convert(cumsum(convert(new, index_dtype)) - 1, index_dtype)
    inverse = asarray(np.zeros(n, index_dtype)).at[order].set(rank, unique_indices=True)
    if axis is None:
        return values, indices, reshape(inverse, new_sizes=x.aval.shape, dimensions=None), counts
    assert shape is not None
    values = moveaxis(reshape(values, new_sizes=(count, *shape[1:]), dimensions=None), 0, axis)
    return values, indices, inverse, counts


@shortcut("unique")
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True, size: int | None = None,
    fill_value: Any = None,
    sorted: bool = True,
) -> Any:  # fmt: skip
    """The distinct elements (slices along `axis`) in order, and on request the index of the first
    of each, the number
    of each element's value among them, and how often each occurs.

    >>> from vires import numpy as np
    >>> np.unique(np.array([3, 1, 3]), return_counts=True)
    (Array([1, 3], dtype=int32), Array([1, 2], dtype=int32))
    """
    values, indices, inverse, counts = _unique(ar, axis, equal_nan, size, fill_value)
    wanted = (
        (True, values),
        (return_index, indices),
        (return_inverse, inverse),
        (return_counts, counts),
    )
    results = tuple(result for flag, result in wanted if flag)
    return results if len(results) > 1 else values


class UniqueAll(NamedTuple):
    """What `unique_all` gives."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What `unique_counts` gives."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `unique_inverse` gives."""

    values: Any
    inverse_indices: Any


def unique_all(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueAll:
    """Distinct elements, first indices, inverse and counts; every nan is distinct."""
    return UniqueAll(*_unique(x, None, False, size, fill_value))


def unique_counts(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueCounts:
    """Distinct elements and counts; every nan is distinct."""
    values, _, _, counts = _unique(x, None, False, size, fill_value)
    return UniqueCounts(values, counts)


def unique_inverse(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueInverse:
    """Distinct elements and the number of each element's value among them; every nan is
    distinct."""
    values, _, inverse, _ = _unique(x, None, False, size, fill_value)
    return UniqueInverse(values, inverse)


def unique_values(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Distinct elements; every nan is distinct."""
    return _unique(x, None, False, size, fill_value)[0]


# --- membership


def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    method: str = "auto",
) -> Any:
    """Whether each element is among the test elements; nan never is."""
    x, tests = promote(
        operand(element, "isin", "element"), operand(test_elements, "isin", "test_elements")
    )
    tests = flat(tests)
    n = tests.aval.size
    if not n:
        found = (
            not_equal(x, x) if not dtypes.is_inexact(x.aval.dtype) else logical_and(isnan(x), False)
        )
    else:
        ordered = sort(tests)
        place = clip(searchsorted(ordered, x), 0, n - 1)
        found = ordered.at[place].get(mode="promise_in_bounds", wrap_negative_indices=False) == x
    return logical_not(found) if invert else found


def union1d(ar1: Any, ar2: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """The distinct elements of both arrays, in order."""
    x, y = (flat(operand(ar, "union1d", name)) for ar, name in ((ar1, "ar1"), (ar2, "ar2")))
    _need_size("union1d", size, x, y)
    return unique(concatenate([x, y]), size=size, fill_value=fill_value)


def _kept(values: Any, keep: Any, size: int | None, fill_value: Any) -> Any:
    """The values that are to be kept, cut to `size` or filled up."""
    (places,) = nonzero(keep, size=size, fill_value=values.aval.size)
    if size is None:
        return values[places]
    fill = 0 if fill_value is None else fill_value
    if not values.aval.size:
        return asarray(np.full(size, fill, values.aval.dtype))
    taken = values.at[places].get(mode="clip")
    return where(places < values.aval.size, taken, convert(asarray(fill), values.aval.dtype))


def setdiff1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements of the first array that are not in the second."""
    x, y = flat(operand(ar1, "setdiff1d", "ar1")), operand(ar2, "setdiff1d", "ar2")
    _need_size("setdiff1d", size, x, y)
    if not assume_unique:
        return _kept_of_sorted(x, isin(x, y, invert=True), size, fill_value)
    return _kept(x, isin(x, y, invert=True), size, fill_value)


def _kept_of_sorted(x: Any, keep: Any, size: int | None, fill_value: Any) -> Any:
    """Distinct kept elements in order."""
    if not x.aval.size:
        return _kept(x, keep, size, fill_value)
    ordered, flags = sort_p(x, keep, dimension=0, is_stable=True, num_keys=1)
    return _kept(ordered, logical_and(flags, _is_new(ordered, True)), size, fill_value)


def setxor1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements that are in one of the arrays only."""
    x, y = promote(flat(operand(ar1, "setxor1d", "ar1")), flat(operand(ar2, "setxor1d", "ar2")))
    _need_size("setxor1d", size, x, y)
    whole = concatenate([x, y])
    keep = concatenate([isin(x, y, invert=True), isin(y, x, invert=True)])
    return _kept_of_sorted(whole, keep, size, fill_value)


def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False, *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:  # fmt: skip
    """The distinct elements of both arrays, in order; on request the indices of their first
    occurrences in each."""
    x, y = promote(
        flat(operand(ar1, "intersect1d", "ar1")), flat(operand(ar2, "intersect1d", "ar2"))
    )
    _need_size("intersect1d", size, x, y)
    if not x.aval.size or not y.aval.size:
        values = _kept(x, isin(x, y), size, fill_value)
        none = asarray(np.zeros(values.aval.size, dtypes.default_int()))
        return (values, none, none) if return_indices else values
    ordered, order = _sorted_rows(x)
    keep = logical_and(isin(ordered, y), _is_new(ordered, True))
    values = _kept(ordered, keep, size, fill_value)
    if not return_indices:
        return values
    first = _kept(order, keep, size, x.aval.size)
    other, other_order = _sorted_rows(y)
    other_keep = logical_and(isin(other, x), _is_new(other, True))
    return values, first, _kept(other_order, other_keep, size, y.aval.size)


def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """The array without the zeros at its front ("f") and back ("b"), along each of `axis` (None:
    all)."""
    x = operand(filt, "trim_zeros", "filt")
    _need_size("trim_zeros", None, x)
    nonzeros = nonzero(x)
    axes = range(x.aval.ndim) if axis is None else [axis_index("trim_zeros", d,
        x.aval.ndim) for d in (
        axis if isinstance(axis, (tuple, list)) else (axis,)
    )]  # fmt: skip
    cuts = [slice(None)] * x.aval.ndim
    for d in axes:
        where_ = np.asarray(nonzeros[d])
        start = (
            int(where_.min())
            if where_.size and "f" in trim.lower()
            else 0
            if where_.size
            else x.aval.shape[d]
        )
        stop = int(where_.max()) + 1 if where_.size and "b" in trim.lower() else x.aval.shape[d]
        cuts[d] = slice(start, stop)
    return x[tuple(cuts)]
