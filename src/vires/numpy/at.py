"""Changed copies: `x.at[index].set(y)`, `.add(y)`, `.get(mode=...)`, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vires import _native
from vires._native import Array
from vires.control.repeats import apply_repeatedly
from vires.core import dtypes
from vires.core.trace import EVAL, Tracer, current_trace, thread
from vires.numpy import arithmetic
from vires.numpy.creation import asarray
from vires.numpy.getitem import getitem, read
from vires.numpy.index_plan import make_plan
from vires.numpy.index_update import bounded, parse_mode, update, wrapped
from vires.numpy.operands import convert
from vires.numpy.planned import shortcut
from vires.ops.filled import full, full_like
from vires.ops.slices import GatherScatterMode


class At(_native.At):
    """`x.at`: `x.at[index]` names the elements that the methods of the result change or read."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"At({self.array!r})"


class IndexUpdate(_native.IndexUpdate):
    """`x.at[index]`: methods that give a changed copy of x, or read the elements.

    `mode` says what an index outside the array does: None raises IndexError, "drop" leaves it out,
    "fill" reads
    `fill_value`, "clip" takes the nearest element, "promise_in_bounds" leaves it undefined, "wrap"
    counts around.
    `unique_indices` and `indices_are_sorted` are promises. Values are broadcast to the shape of
    x[index] and converted
    to the dtype of x.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"IndexUpdate({self.array!r}, {self.index!r})"

    def get(
        self, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
        fill_value: Any = None, wrap_negative_indices: bool = True, out_sharding: Any = None,
    ) -> Any:  # fmt: skip
        """x[index], with a mode for indices outside the array.

        >>> from vires import numpy as np
        >>> np.arange(3.).at[np.array([1, 7])].get(mode="fill", fill_value=-1)
        Array([ 1., -1.], dtype=float32)
        """
        if mode is None and fill_value is None and not indices_are_sorted and not unique_indices:
            return self.array[self.index]
        return get(
            self.array,
            self.index,
            "getitem",
            indices_are_sorted=indices_are_sorted,
            unique_indices=unique_indices,
            mode=mode,
            fill_value=fill_value,
            wrap_negative_indices=wrap_negative_indices,
        )

    @shortcut("at_set")
    def set(self, values: Any, **options: Any) -> Any:
        """A copy of x with x[index] replaced by the values; of several for one element the last one
        stays.

        >>> from vires import numpy as np
        >>> np.zeros(3).at[1].set(5)
        Array([0., 5., 0.], dtype=float32)
        """
        return update("set", self.array, self.index, values, **options)

    @shortcut("at_add")
    def add(self, values: Any, **options: Any) -> Any:
        """A copy of x with the values added to x[index]; several values for one element add up."""
        return update("add", self.array, self.index, values, **options)

    def subtract(self, values: Any, **options: Any) -> Any:
        """A copy of x with the values subtracted from x[index]."""
        return update("add", self.array, self.index, -asarray(values), **options)

    sub = subtract

    @shortcut("at_multiply")
    def multiply(self, values: Any, **options: Any) -> Any:
        """A copy of x with x[index] multiplied by the values; several values for one element
        multiply."""
        return update("multiply", self.array, self.index, values, **options)

    mul = multiply

    def divide(self, values: Any, **options: Any) -> Any:
        """A copy of x with x[index] divided by the values."""
        factors = update("multiply", full_like(self.array, 1), self.index, values, **options)
        return convert(arithmetic.divide(self.array, factors), self.array.aval.dtype)

    def power(self, values: Any, **options: Any) -> Any:
        """A copy of x with x[index] raised to the powers of the values."""
        exponents = update("multiply", full_like(self.array, 1), self.index, values, **options)
        return arithmetic.power(self.array, exponents)

    def min(self, values: Any, **options: Any) -> Any:
        """A copy of x with the smaller of x[index] and the values."""
        return update("min", self.array, self.index, values, **options)

    def max(self, values: Any, **options: Any) -> Any:
        """A copy of x with the larger of x[index] and the values."""
        return update("max", self.array, self.index, values, **options)

    def apply(self, func: Callable[[Any], Any], **options: Any) -> Any:
        """A copy of x with a function applied to the elements x[index], as often as each occurs,
        like ``ufunc.at``."""
        mode = options.get("mode")
        reads = "clip" if mode in ("drop", "fill") else mode
        values = self.get(mode=reads)
        if not options.get("unique_indices") and values.size and _may_repeat(self.index):
            traced = any(isinstance(x, Tracer) for x in _entries(self.index))
            with current_trace(thread.trace if traced else EVAL):
                none = full(self.array.aval.shape, 0, dtypes.int32)
                counts = update("add", none, self.index, 1, **options)
                times = IndexUpdate(counts, self.index).get(mode=reads)
            values = apply_repeatedly(func, values, times)
        else:
            values = func(values)
        return update("set", self.array, self.index, values, **options)


def _entries(index: Any) -> tuple[Any, ...]:
    return index if index.__class__ is tuple else (index,)


def _may_repeat(index: Any) -> bool:
    """Whether an index may name an element twice: by arrays of integers."""
    return any(
        isinstance(x, (np.ndarray, Array, Tracer)) and x.ndim and x.dtype != bool
        for x in _entries(index)
    )


def _is_plain(x: Any, index: Any) -> bool:
    """Whether array and indices are concrete."""
    return x.__class__ is Array and not any(isinstance(i, Tracer) for i in _entries(index))


_native.set_update_types(At, IndexUpdate)


def get(
    x: Any, index: Any, operation: str, *, mode: Any = None, fill_value: Any = None,
    indices_are_sorted: bool = False, unique_indices: bool = False,
    wrap_negative_indices: bool = True,
) -> Any:  # fmt: skip
    """`x.at[index].get(...)`, with errors in the name of `operation`."""
    if mode is None and fill_value is not None:
        mode = "fill"
    if mode is None or mode == "promise_in_bounds":  # an index that breaks the promise raises
        if thread.trace is EVAL and (x.__class__ is Array if mode is None else _is_plain(x, index)):
            try:
                return x[index]
            except IndexError:
                make_plan(x.aval.shape, index, operation=operation)  # says so in that name
                raise
        if mode is None and not indices_are_sorted and not unique_indices:
            return getitem(x, index, operation)
    index, mode = wrapped(x, index, mode)
    parsed = parse_mode(mode)
    checked = parsed is GatherScatterMode.ERROR
    plan = bounded(make_plan(x.aval.shape, index, checked, operation), parsed)
    fill = _static_fill(fill_value)
    return read(x, plan, parsed, fill, indices_are_sorted, unique_indices, wrap_negative_indices)


def put(x: Any, index: Any, values: Any, operation: str, mode: Any) -> Any:
    """`x.at[index].set(values, mode=mode)`, with errors of indices in the name of `operation`."""
    if not _is_plain(x, index):
        return update("set", x, index, values, mode=mode, name=operation)
    try:
        return x.at[index].set(values, mode=mode)
    except IndexError:
        make_plan(x.aval.shape, index, operation=operation)  # says so in that name
        raise


def _static_fill(value: Any) -> Any:
    return (
        value
        if value is None or isinstance(value, (bool, int, float, complex))
        else np.asarray(value).item()
    )
