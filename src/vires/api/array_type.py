"""`vires.Array`: the type of arrays for `isinstance` and annotations; traced values count too."""

from __future__ import annotations

from typing import Any

from vires import _native
from vires.core.trace import Tracer


class _ArrayMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return instance.__class__ is _native.Array or isinstance(instance, (_native.Array, Tracer))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls or issubclass(subclass, (_native.Array, Tracer))


class Array(metaclass=_ArrayMeta):
    """An immutable array. Made by functions such as `vires.numpy.array`, not by calling this class.

    `isinstance(x, vires.Array)` is true for arrays and for values that are being traced.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Array:
        raise TypeError(
            "Array: needs to be made by a function; got a call of the class; try vires.numpy.array"
        )
