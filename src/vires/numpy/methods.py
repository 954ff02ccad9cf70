"""The array's methods and operators: the functions of the namespace, attached to arrays and tracers
alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.trace import EVAL, Tracer, thread
from vires.numpy import (
    arithmetic,
    choosing,
    comparison,
    contraction,
    creation,
    cumulative,
    float_parts,
    joining,
    printing,
    reductions,
    repeating,
    shaping,
    sorting,
    statistics,
    triangles,
    ufunc_methods,
)
from vires.numpy.at import At
from vires.numpy.getitem import getitem
from vires.numpy.operands import SCALARS
from vires.numpy.planned import planned, shortcut
from vires.ops.convert import bitcast_convert_type
from vires.ops.shape import reshape as reshape_p

# --- operators


def _iterate(x: Any) -> Iterator[Any]:
    """The slices along the first axis."""
    if not x.aval.shape:
        raise TypeError("iter: needs an array of at least 1 axis; got a 0-d array")
    if x.__class__ is Array and thread.trace is EVAL:
        key = x.dtype if dtypes.is_key(x.dtype) else None
        weak = x.weak_type
        values = x._numpy()
        return (_native.from_numpy(values[i, ...], weak, key) for i in range(values.shape[0]))
    return iter(joining.unstack(x))


_BINARY: dict[str, Any] = {
    "add": arithmetic.add, "sub": arithmetic.subtract, "mul": arithmetic.multiply,
    "truediv": arithmetic.divide,
    "floordiv": arithmetic.floor_divide, "mod": arithmetic.remainder, "divmod": arithmetic.divmod,
    "pow": arithmetic.power, "matmul": contraction.matmul, "lshift": comparison.left_shift,
    "rshift": comparison.right_shift, "and": comparison.bitwise_and, "or": comparison.bitwise_or,
    "xor": comparison.bitwise_xor,
}  # fmt: skip
_COMPARISONS: dict[str, Any] = {
    "lt": comparison.less, "le": comparison.less_equal, "eq": comparison.equal,
    "ne": comparison.not_equal,
    "gt": comparison.greater, "ge": comparison.greater_equal,
}  # fmt: skip
_UNARY: dict[str, Any] = {
    "neg": arithmetic.negative, "pos": arithmetic.positive, "abs": arithmetic.absolute,
    "invert": comparison.invert,
}  # fmt: skip


def _accepts(other: Any) -> bool:
    return (
        isinstance(other, Tracer)
        or other.__class__ is Array
        or other.__class__ in SCALARS
        or isinstance(other, (np.ndarray, np.generic))
        or hasattr(other, "__jax_array__")
    )


def _python_path(function: Any) -> Callable[..., Any]:
    """What a tracer calls: not the native eager call, which would only hand it back."""
    return getattr(function, "traced", function)


def _operator(function: Any, name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    call = _python_path(function)

    def forward(self: Any, other: Any) -> Any:
        return call(self, other) if _accepts(other) else NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        return call(other, self) if _accepts(other) else NotImplemented

    forward.__name__ = f"__{name}__"
    reflected.__name__ = f"__r{name}__"
    forward.__doc__ = reflected.__doc__ = function.__doc__
    return forward, reflected


# --- methods that are not functions of the namespace


def _reshape(
    self: Any, *args: Any, order: str = "C", out_sharding: Any = None, **keywords: Any
) -> Any:
    """The elements in row-major order in another shape: `x.reshape(2, -1)` or `x.reshape((2,
    -1))`."""
    shape = keywords.pop("shape", keywords.pop("newshape", None))
    keywords.pop("copy", None)
    if keywords:
        raise TypeError(f"reshape: needs a shape and order; got unexpected {', '.join(keywords)}")
    if args:
        shape = args[0] if len(args) == 1 else args
    return shaping.reshape(self, () if shape is None else shape, order)


def _transpose(self: Any, *args: Any) -> Any:
    """The axes in reverse order, or in the order given: `x.transpose(1, 0)` or `x.transpose((1,
    0))`."""
    if not args or (len(args) == 1 and args[0] is None):
        return shaping.transpose(self)
    return shaping.transpose(
        self, args[0] if len(args) == 1 and not isinstance(args[0], int) else args
    )


@planned("self")
def _astype(self: Any, dtype: Any, copy: bool = False, device: Any = None) -> Any:
    """The array converted to a dtype: floats truncate to integers, != 0 to bool; complex gives its
    real part."""
    return creation.astype(self, dtype)


def _flatten(self: Any, order: str = "C", *, out_sharding: Any = None) -> Any:
    """All elements along one axis."""
    return shaping.ravel(self, order)


def _clip(self: Any, min: Any = None, max: Any = None) -> Any:
    """min(max(x, min), max) for each element."""
    return arithmetic.clip(self, min, max)


def _copy(self: Any) -> Any:
    """A copy of the array."""
    return creation.copy(self)


def _view(self: Any, dtype: Any = None, type: None = None) -> Any:
    """The same bits as another dtype; the last axis changes its size when the width differs."""
    if type is not None:
        raise NotImplementedError("view: needs type=None; got a type; try dtype")
    if dtype is None:
        return self
    target, own = dtypes.canonical(dtype), self.aval.dtype
    if own == target:
        return self
    old, new = own.itemsize, target.itemsize
    source = self.astype(np.uint8) if own == dtypes.bool_ else self
    if own == dtypes.bool_ and target == np.dtype(np.uint8):
        return source
    if target == dtypes.bool_:
        return source.view(np.uint8) != 0
    if old == new:
        return bitcast_convert_type(source, new_dtype=target)
    shape = self.aval.shape
    if not shape:
        raise ValueError(
            f"view: needs dtypes of one width for a 0-d array; got {own.name} and {target.name}"
        )
    if new < old:
        split = bitcast_convert_type(source, new_dtype=target)
        return reshape_p(split, new_sizes=(*shape[:-1], shape[-1] * (old // new)), dimensions=None)
    if shape[-1] % (new // old):
        raise ValueError(f"view: needs a last axis divisible by {new // old}; got shape {shape}")
    grouped = reshape_p(
        source, new_sizes=(*shape[:-1], shape[-1] // (new // old), new // old), dimensions=None
    )
    return bitcast_convert_type(grouped, new_dtype=target)


def _byteswap(self: Any) -> Any:
    """The bytes of each element in reverse order."""
    if self.aval.dtype.itemsize == 1:
        return self
    if self.aval.dtype.kind == "c":
        return float_parts.real(self).byteswap() + 1j * float_parts.imag(self).byteswap()
    pieces = bitcast_convert_type(self, new_dtype=np.dtype(np.uint8))
    return bitcast_convert_type(shaping.flip(pieces, -1), new_dtype=self.aval.dtype)


def _tobytes(self: Any, order: Literal["K", "A", "C", "F"] | None = "C") -> bytes:
    """The elements in memory order, as bytes."""
    return np.asarray(self).tobytes(order)


def _contains(self: Any, other: Any) -> bool:
    return bool(reductions.any(comparison.equal(self, other)))


def _round(self: Any, ndigits: int | None = None) -> Any:
    result = float_parts.round(self, 0 if ndigits is None else ndigits)
    return (
        result.astype(dtypes.default_int()) if ndigits is None and not result.aval.shape else result
    )


def _reversed(self: Any) -> Iterator[Any]:
    return _iterate(shaping.flip(self, 0))


def _namespace(self: Any, *, api_version: str | None = None) -> Any:
    """The module of the functions on arrays, as the array API standard asks."""
    return sys.modules["vires.numpy"]


def _at(self: Any) -> At:
    """Changed copies: `x.at[i].set(y)`, `.add(y)`, `.get(mode="fill")`, ..."""
    return At(self)


_METHODS: dict[str, Any] = {
    "all": reductions.all, "any": reductions.any, "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "argpartition": sorting.argpartition, "argsort": sorting.argsort, "astype": _astype,
    "byteswap": _byteswap,
    "choose": choosing.choose, "clip": _clip, "conj": float_parts.conj,
    "conjugate": float_parts.conj, "copy": _copy,
    "cumprod": cumulative.cumprod, "cumsum": cumulative.cumsum, "diagonal": triangles.diagonal,
    "dot": contraction.dot,
    "flatten": _flatten, "max": reductions.max, "mean": statistics.mean, "min": reductions.min,
    "nonzero": choosing.nonzero, "prod": reductions.prod, "ptp": reductions.ptp,
    "ravel": shaping.ravel,
    "repeat": repeating.repeat, "reshape": _reshape, "round": float_parts.round,
    "searchsorted": sorting.searchsorted,
    "sort": sorting.sort, "squeeze": shaping.squeeze, "std": statistics.std, "sum": reductions.sum,
    "swapaxes": shaping.swapaxes, "take": choosing.take, "tobytes": _tobytes,
    "trace": triangles.trace,
    "transpose": _transpose, "var": statistics.var, "view": _view, "__round__": _round,
    "__contains__": _contains,
    "__reversed__": _reversed, "__array_namespace__": _namespace, "clone": _copy,
}  # fmt: skip


def _compress(self: Any, condition: Any, axis: int | None = None, *, out: None = None,
    size: int | None = None,
              fill_value: Any = 0) -> Any:  # fmt: skip
    """The slices along an axis where the condition holds."""
    return choosing.compress(condition, self, axis, out=out, size=size, fill_value=fill_value)


_PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "T": shaping.transpose, "mT": shaping.matrix_transpose, "real": float_parts.real,
    "imag": float_parts.imag, "at": _at,
}  # fmt: skip


#: What the native core answers for concrete arrays, by its word for it.
_SHORTCUTS = {
    "reshape": "reshape", "ravel": "ravel", "flatten": "ravel", "transpose": "transpose",
    "swapaxes": "swapaxes", "squeeze": "squeeze", "copy": "copy", "clone": "copy",
    "T": "transpose", "mT": "matrix_transpose", "real": "real", "at": "at",
}  # fmt: skip


def _always(value: Any) -> Callable[..., Any]:
    return lambda self: value


def _on_host(array_type: type) -> None:
    """What the one host device makes trivial."""
    for name in ("committed", "is_fully_addressable", "is_fully_replicated"):
        setattr(array_type, name, property(_always(name != "committed")))
    array_type.copy_to_host_async = _always(None)
    array_type.is_ready = _always(True)
    array_type.platform = _always("cpu")
    array_type.on_device_size_in_bytes = lambda self: self.nbytes
    array_type.addressable_data = lambda self, index: self


def attach(array_type: type = Array, tracer_type: type = Tracer, native: Any = _native) -> None:
    """Give arrays and tracers their operators, methods and text."""
    native.set_operators(_BINARY | _COMPARISONS | _UNARY | {"getitem": getitem, "iter": _iterate})
    ufunc_methods.attach()
    native.set_array_text(printing.array_repr, printing.array_str)
    for name, function in _BINARY.items():
        forward, reflected = _operator(function, name)
        setattr(tracer_type, forward.__name__, forward)
        setattr(tracer_type, reflected.__name__, reflected)
    for name, function in _COMPARISONS.items():
        setattr(tracer_type, f"__{name}__", _operator(function, name)[0])
    for name, function in _UNARY.items():
        setattr(tracer_type, f"__{name}__", _unary_method(_python_path(function)))
    tracer_type.__getitem__ = getitem
    tracer_type.__iter__ = _iterate
    for each in (array_type, tracer_type):
        for name, method in _METHODS.items():
            setattr(each, name, method)
        each.compress = _compress
        for name, getter in _PROPERTIES.items():
            setattr(each, name, property(_getter(getter)))
    for name, word in _SHORTCUTS.items():
        if name in _METHODS:
            setattr(array_type, name, shortcut(word)(_METHODS[name]))
        else:
            setattr(array_type, name, shortcut(word, property=True)(_PROPERTIES[name]))
    _on_host(array_type)


def _unary_method(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda self: call(self)


def _getter(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def get(self: Any) -> Any:
        return function(self)

    get.__doc__ = function.__doc__
    return get
