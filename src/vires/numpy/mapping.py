"""Python functions of few elements applied to many: `vectorize`, `apply_along_axis`,
`frompyfunc`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from vires import _native
from vires.api.vectorize import vmap
from vires.numpy.creation import asarray
from vires.numpy.operands import axis_index, common_shape, operand
from vires.numpy.shaping import moveaxis
from vires.ops.shape import expand_dims, reshape

__all__ = ["apply_along_axis", "frompyfunc", "ufunc", "vectorize"]

_ARGUMENT = r"\([\w\s,]*\)"
_SIGNATURE = re.compile(f"^{_ARGUMENT}(,{_ARGUMENT})*->{_ARGUMENT}(,{_ARGUMENT})*$")


def _core_dimensions(signature: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The names of the core axes of arguments and results: "(m,n),(n)->(m)"."""
    text = signature.replace(" ", "")
    if not _SIGNATURE.match(text):
        raise ValueError(
            f"vectorize: needs a signature such as '(m,n),(n)->(m)'; got {signature!r}"
        )

    def names(side: str) -> list[tuple[str, ...]]:
        return [tuple(filter(None, part.split(","))) for part in re.findall(r"\(([^)]*)\)", side)]

    inputs, outputs = text.split("->")
    return names(inputs), names(outputs)


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Any = frozenset(), signature: str | None = None
) -> Any:
    """A function of single elements as one of arrays that broadcast, by vmap; `signature` names
    axes that it takes whole.

    Args:
      pyfunc: the function.
      excluded: positions and names of arguments that are handed through as they are.
      signature: such as "(n),(n)->()" for a function of two vectors.
    """
    skipped = set(excluded)

    @functools.wraps(pyfunc)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        named = {name: value for name, value in kwargs.items() if name in skipped}
        mapped_names = [name for name in kwargs if name not in skipped]
        places = [i for i in range(len(args)) if i not in skipped]
        mapped = [args[i] for i in places] + [kwargs[name] for name in mapped_names]
        arrays = [operand(x, "vectorize", f"argument {i}") for i, x in enumerate(mapped)]

        def call(*values: Any) -> Any:
            whole = list(args)
            for i, value in zip(places, values, strict=False):
                whole[i] = value
            rest = dict(zip(mapped_names, values[len(places) :], strict=True))
            return pyfunc(*whole, **rest, **named)

        if signature is None:
            cores: list[tuple[str, ...]] = [()] * len(arrays)
        else:
            cores, outputs = _core_dimensions(signature)
            if len(cores) != len(arrays):
                raise TypeError(
                    f"vectorize: needs {len(cores)} arguments for the signature {signature!r}; "
                    f"got {len(arrays)}"
                )
            call = _checked(call, outputs, _sizes(arrays, cores, signature), signature)
        return _map(call, arrays, [len(core) for core in cores])

    return wrapped


def _sizes(arrays: list[Any], cores: list[tuple[str, ...]], signature: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for x, core in zip(arrays, cores, strict=True):
        if x.aval.ndim < len(core):
            raise ValueError(
                f"vectorize: needs at least {len(core)} axes for {signature!r}; got shape "
                f"{x.aval.shape}"
            )
        for name, size in zip(core, x.aval.shape[x.aval.ndim - len(core) :], strict=True):
            if sizes.setdefault(name, size) != size:
                raise ValueError(
                    f"vectorize: needs one size for axis '{name}' of {signature!r}; got "
                    f"{sizes[name]} and {size}"
                )
    return sizes


def _checked(
    call: Callable[..., Any], outputs: list[tuple[str, ...]], sizes: dict[str, int], signature: str
) -> Callable[..., Any]:
    def checked(*values: Any) -> Any:
        result = call(*values)
        results = result if isinstance(result, tuple) else (result,)
        if len(results) != len(outputs):
            raise TypeError(
                f"vectorize: needs {len(outputs)} results for {signature!r}; got {len(results)}"
            )
        for x, core in zip(results, outputs, strict=True):
            shape = operand(x, "vectorize", "the result").aval.shape
            if len(shape) != len(core) or any(
                sizes.setdefault(name, n) != n for name, n in zip(core, shape, strict=True)
            ):
                raise ValueError(
                    f"vectorize: needs a result with axes {core} for {signature!r}; got shape "
                    f"{shape}"
                )
        return result

    return checked


def _map(call: Callable[..., Any], arrays: list[Any], core_ranks: list[int]) -> Any:
    """vmap over all leading axes; an argument that lacks one, or has it with size 1, is the same
    along it."""
    leading = [
        x.aval.shape[: x.aval.ndim - rank] for x, rank in zip(arrays, core_ranks, strict=True)
    ]
    batch = common_shape("vectorize", (), *leading)
    squeezed, maps = [], []
    for x, shape in zip(arrays, leading, strict=True):
        padded = (1,) * (len(batch) - len(shape)) + shape
        maps.append([n == size and not (n == 1 and size == 1 and d < len(batch) - len(shape)) for d,
        (n, size) in
                     enumerate(zip(padded, batch, strict=True))])  # fmt: skip
        kept = tuple(n for n, mapped in zip(padded, maps[-1], strict=True) if mapped)
        core = x.aval.shape[len(shape) :]
        squeezed.append(
            x
            if (*kept, *core) == x.aval.shape
            else reshape(x, new_sizes=(*kept, *core), dimensions=None)
        )
    for d in reversed(range(len(batch))):
        in_axes = tuple(0 if mapped[d] else None for mapped in maps)
        call = vmap(call, in_axes) if 0 in in_axes else _with_axis(call)
    return call(*squeezed)


def _with_axis(call: Callable[..., Any]) -> Callable[..., Any]:
    """An axis of size 1 that no argument has."""

    def wrapped(*values: Any) -> Any:
        result = call(*values)
        if isinstance(result, tuple):
            return tuple(expand_dims(operand(x, "vectorize"), (0,)) for x in result)
        return expand_dims(operand(result, "vectorize"), (0,))

    return wrapped


def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """A function of 1-d arrays applied to each line along an axis; the axes of its result take that
    axis' place."""
    x = operand(arr, "apply_along_axis", "arr")
    axis = axis_index("apply_along_axis", axis, x.aval.ndim)
    lines = moveaxis(x, axis, -1)

    def call(line: Any) -> Any:
        return asarray(func1d(line, *args, **kwargs))

    for _ in range(x.aval.ndim - 1):
        call = vmap(call)
    result = call(lines)
    rank = result.aval.ndim - (x.aval.ndim - 1)
    return moveaxis(
        result, tuple(range(x.aval.ndim - 1, result.aval.ndim)), tuple(range(axis, axis + rank))
    )


class _UfuncMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return type.__instancecheck__(cls, instance) or isinstance(instance, _native.EagerOp)


class ufunc(metaclass=_UfuncMeta):
    """An elementwise function of `nin` operands made from a function of single elements.

    `isinstance(np.add, np.ufunc)` is true of the namespace's own elementwise functions too.
    """

    def __init__(
        self, func: Callable[..., Any], /, nin: int, nout: int, *, name: str | None = None,
        nargs: int | None = None,
        identity: Any = None,
    ) -> None:  # fmt: skip
        self.func = func
        self.nin, self.nout, self.nargs = nin, nout, nin
        self.identity = identity
        self.__name__ = name or getattr(func, "__name__", "ufunc")
        self.__doc__ = func.__doc__
        self._vectorized = vectorize(func)

    def __repr__(self) -> str:
        return f"<vires.numpy.ufunc '{self.__name__}'>"

    def __call__(self, *args: Any, out: None = None, where: None = None) -> Any:
        if len(args) != self.nin:
            raise TypeError(f"{self.__name__}: needs {self.nin} operands; got {len(args)}")
        return self._vectorized(*args)


def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, *, identity: Any = None) -> ufunc:
    """A function of single elements, made of traceable operations, as a `ufunc`."""
    return ufunc(func, nin, nout, identity=identity)
