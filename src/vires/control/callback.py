"""Calls of Python from programs: pure_callback, io_callback, and callbacks for debugging.

The host function receives NumPy arrays. Each call is a `host` block of the program; calls with
effects run in the order in which they were written, and are never removed.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from vires.control.functions import as_operands, check_callables, name_of
from vires.control.scan import scan_call
from vires.core import dtypes, tree
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.staging import stage
from vires.core.trace import aval_of
from vires.ops.shape import expand_dims, map_at, move_axis

Dims = Sequence[int | None]
_METHODS = ("sequential", "sequential_unrolled", "expand_dims", "broadcast_all")


class HostFunction:
    """A function of pytrees as one of lists of NumPy arrays; equal to others that call the same."""

    def __init__(
        self, operation: str, function: Callable[..., Any], in_tree: Any, out_tree: Any
    ) -> None:
        self.operation, self.function = operation, function
        self.in_tree, self.out_tree = in_tree, out_tree

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, HostFunction)
            and self.function is other.function
            and (self.operation, self.in_tree, self.out_tree)
            == (other.operation, other.in_tree, other.out_tree)
        )

    def __hash__(self) -> int:
        return hash((self.operation, id(self.function), self.in_tree))

    def __repr__(self) -> str:
        return f"{self.operation} {name_of(self.function)}"

    def __call__(self, avals: Sequence[ShapedArray], *arrays: np.ndarray) -> list[np.ndarray]:
        """Results of these types."""
        args, kwargs = tree.unflatten(self.in_tree, arrays)
        answer = self.function(*args, **kwargs)
        if not avals:
            return []
        leaves, out_tree = tree.flatten(answer)
        if out_tree != self.out_tree:
            raise TypeError(
                f"{self.operation}: needs {name_of(self.function)} to return a value of the "
                "structure that was "
                f"declared, {self.out_tree}; got {out_tree}"
            )
        return [
            self._result(x, aval, k) for k, (x, aval) in enumerate(zip(leaves, avals, strict=True))
        ]

    def _result(self, value: Any, aval: ShapedArray, number: int) -> np.ndarray:
        array = np.asarray(value)
        if array.shape != aval.shape or not np.can_cast(array.dtype, aval.dtype, "same_kind"):
            raise TypeError(
                f"{self.operation}: needs {name_of(self.function)} to return the types that were "
                "declared; got "
                f"{array.dtype.name}{list(array.shape)} for result {number}, {aval.str_short()}"
            )
        return np.ascontiguousarray(array, aval.dtype).reshape(aval.shape)


def _infer(
    *avals: ShapedArray,
    callback: HostFunction,
    result_avals: tuple[ShapedArray, ...],
    **params: Any,
) -> Any:
    return list(result_avals)


def _reference(
    *arrays: np.ndarray,
    callback: HostFunction,
    result_avals: tuple[ShapedArray, ...],
    **params: Any,
) -> list[np.ndarray]:
    return callback(result_avals, *arrays)


def _loops(
    b: Any,
    *operands: Any,
    callback: HostFunction,
    result_avals: tuple[ShapedArray, ...],
    **params: Any,
) -> Any:
    def function(*arrays: np.ndarray) -> list[np.ndarray]:
        return callback(result_avals, *arrays)

    return b.block(
        "host", operands, function=function, outs=list(result_avals), reason=repr(callback)
    )


def _mapped_result(aval: ShapedArray, size: int) -> ShapedArray:
    return ShapedArray((size, *aval.shape), aval.dtype, aval.weak_type)


def _one_by_one(
    primitive: Primitive,
    axis: AxisData,
    operands: Sequence[Any],
    dims: Dims,
    params: dict[str, Any],
) -> tuple[list[Any], list[int]]:
    """Call once for each example, in order."""
    fixed = [x for x, d in zip(operands, dims, strict=True) if d is None]
    sliced = [move_axis(x, d, 0) for x, d in zip(operands, dims, strict=True) if d is not None]
    mapped = [d is not None for d in dims]

    def body(*args: Any) -> list[Any]:
        same, own = iter(args[: len(fixed)]), iter(args[len(fixed) :])
        return primitive(*(next(own) if m else next(same) for m in mapped), **params)

    own_avals = [aval_of(x) for x in sliced]
    avals = [*(aval_of(x) for x in fixed), *(a.update(shape=a.shape[1:]) for a in own_avals)]
    out = scan_call(
        *fixed,
        *sliced,
        jaxpr=stage(body, avals, name=primitive.name),
        length=axis.size,
        reverse=False,
        num_consts=len(fixed),
        num_carry=0,
        linear=(False,) * len(operands),
        unroll=1,
        _split_transpose=False,
    )
    return out, [0] * len(out)


def _pure_batch(axis: AxisData, operands: Sequence[Any], dims: Dims, **params: Any) -> Any:
    method = params["vmap_method"]
    if method is None:
        raise NotImplementedError(
            f"pure_callback: needs vmap_method under vmap; got None for {params['callback']}; try "
            f"vmap_method='sequential' (one call for each example), or one of {_METHODS[2:]} (one "
            "call for all)"
        )
    if method.startswith("sequential"):
        return _one_by_one(pure_callback_call, axis, operands, dims, params)
    if method == "expand_dims":
        wide = [
            expand_dims(x, (0,)) if d is None else move_axis(x, d, 0)
            for x, d in zip(operands, dims, strict=True)
        ]
    else:
        wide = [map_at(x, d, axis.size, 0) for x, d in zip(operands, dims, strict=True)]
    results = tuple(_mapped_result(a, axis.size) for a in params["result_avals"])
    out = pure_callback_call(*wide, **{**params, "result_avals": results})
    return out, [0] * len(out)


_NO_TRANSPOSE = Undefined("callback: needs an operation that is linear in the operand")

pure_callback_call = Primitive(
    "pure_callback",
    """The results of a Python function without effects.""",
    infer=_infer,
    reference=_reference,
    jvp=Undefined(
        "pure_callback: needs a derivative rule, since Python code cannot be differentiated; got "
        "none; "
        "try custom_jvp or custom_vjp around the function that calls it"
    ),
    transpose=_NO_TRANSPOSE,
    batch=_pure_batch,
    loops=_loops,
    multiple_results=True,
)


def _io_batch(axis: AxisData, operands: Sequence[Any], dims: Dims, **params: Any) -> Any:
    if params["ordered"]:
        raise ValueError(
            "io_callback: needs ordered=False under vmap, where the order of examples is not "
            "defined; got ordered=True"
        )
    return _one_by_one(io_callback_call, axis, operands, dims, params)


io_callback_call = Primitive(
    "io_callback",
    """The results of a Python function that may have effects.""",
    infer=_infer,
    reference=_reference,
    jvp=Undefined(
        "io_callback: needs a derivative rule, since Python code cannot be differentiated; got "
        "none; "
        "try lax.stop_gradient on its operands, or custom_jvp"
    ),
    transpose=_NO_TRANSPOSE,
    batch=_io_batch,
    loops=_loops,
    multiple_results=True,
    effectful=True,
)


def _debug_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[list[Any], list[Zero]]:
    debug_callback_call(*primals, **params)
    return [], []


debug_callback_call = Primitive(
    "debug_callback",
    """A call of a Python function for its effects only; derivatives pass it by.""",
    infer=_infer,
    reference=_reference,
    jvp=_debug_jvp,
    transpose=lambda cts, *operands, **params: [None] * len(operands),
    batch=lambda axis, operands, dims, **params: _one_by_one(
        debug_callback_call, axis, operands, dims, params
    ),
    loops=_loops,
    multiple_results=True,
    effectful=True,
)


# --- what users call


def _result_types(operation: str, declared: Any) -> tuple[tuple[ShapedArray, ...], Any]:
    leaves, out_tree = tree.flatten(declared)
    avals = []
    for leaf in leaves:
        if not (hasattr(leaf, "shape") and hasattr(leaf, "dtype")):
            raise TypeError(
                f"{operation}: needs result_shape_dtypes made of objects with a shape and a dtype; "
                "got "
                f"{type(leaf).__name__}; try vires.ShapeDtypeStruct(shape, dtype)"
            )
        avals.append(ShapedArray(tuple(leaf.shape), dtypes.canonical(leaf.dtype)))
    return tuple(avals), out_tree


def _host(
    operation: str, callback: Callable[..., Any], args: Any, kwargs: Any, out_tree: Any
) -> tuple[HostFunction, list[Any]]:
    check_callables(operation, callback=callback)
    leaves, in_tree = tree.flatten((tuple(args), kwargs))
    operands = as_operands(leaves, operation, "arguments")
    return HostFunction(operation, callback, in_tree, out_tree), operands


def pure_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: Any = None,
    vmap_method: str | None = None,
    **kwargs: Any,
) -> Any:
    """Call a Python function without effects: `callback(*args, **kwargs)` on NumPy arrays.

    It may be called any number of times, or not at all where its result is not used.

    Args:
      callback: takes NumPy arrays and returns what `result_shape_dtypes` declares.
      result_shape_dtypes: a pytree of objects with a shape and a dtype, such as `ShapeDtypeStruct`.
      vmap_method: what vmap does: "sequential" calls once for each example; "expand_dims" and
        "broadcast_all" call
        once with a leading axis, of size 1 or of the number of examples for arguments that are not
        mapped.

    Raises:
      TypeError: a result that is not as declared, or differentiation.

    >>> import numpy, vires
    >>> shape = vires.ShapeDtypeStruct((), numpy.float32)
    >>> vires.jit(lambda x: vires.pure_callback(numpy.sin, shape, x))(0.0)
    Array(0., dtype=float32)
    """
    if vmap_method is not None and vmap_method not in _METHODS:
        raise ValueError(
            f"pure_callback: needs vmap_method None or one of {_METHODS}; got {vmap_method!r}"
        )
    avals, out_tree = _result_types("pure_callback", result_shape_dtypes)
    host, operands = _host("pure_callback", callback, args, kwargs, out_tree)
    out = pure_callback_call(*operands, callback=host, result_avals=avals, vmap_method=vmap_method)
    return tree.unflatten(out_tree, out)


def io_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: Any = None,
    ordered: bool = False,
    **kwargs: Any,
) -> Any:
    """Call a Python function that may have effects: `callback(*args, **kwargs)`, once for each run.

    Calls happen in the order in which they are written, with or without `ordered`.

    Args:
      callback: takes NumPy arrays and returns what `result_shape_dtypes` declares.
      result_shape_dtypes: a pytree of objects with a shape and a dtype, or None.
      ordered: refuse vmap, where the order of examples is not defined.
    """
    avals, out_tree = _result_types("io_callback", result_shape_dtypes)
    host, operands = _host("io_callback", callback, args, kwargs, out_tree)
    out = io_callback_call(*operands, callback=host, result_avals=avals, ordered=ordered)
    return tree.unflatten(out_tree, out)


def debug_callback(
    callback: Callable[..., Any], *args: Any, ordered: bool = False, **kwargs: Any
) -> None:
    """Call a Python function for its effects; under vmap once for each example, under grad too.

    >>> import vires
    >>> seen = []
    >>> f = vires.jit(lambda x: (vires.debug.callback(seen.append, x), 2 * x)[1])
    >>> f(3), seen
    (Array(6, dtype=int32, weak_type=True), [array(3, dtype=int32)])
    """
    host, operands = _host("debug.callback", callback, args, kwargs, tree.structure(()))
    debug_callback_call(*operands, callback=host, result_avals=(), ordered=ordered)


def debug_print(
    fmt: str, *args: Any, ordered: bool = False, skip_format_check: bool = False, **kwargs: Any
) -> None:
    """Print values while a program runs: `print(fmt.format(*args, **kwargs))`.

    Raises:
      ValueError: a format without a place for each argument.

    >>> import vires
    >>> @vires.jit
    ... def f(x):
    ...     vires.debug.print("x = {}", x)
    ...     return x
    >>> _ = f(1.0)
    x = 1.0
    """
    if not skip_format_check:
        _check_format(fmt, args, kwargs)
    debug_callback(_Printer(fmt), *args, ordered=ordered, **kwargs)


class _Printer:
    """Prints in one format; one object for each format, so that programs are found again."""

    _known: ClassVar[dict[str, _Printer]] = {}
    __name__ = "print"

    def __new__(cls, fmt: str) -> _Printer:
        printer = cls._known.get(fmt)
        if printer is None:
            printer = cls._known[fmt] = super().__new__(cls)
            printer.fmt = fmt
        return printer

    fmt: str

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        print(self.fmt.format(*args, **kwargs))


def _check_format(fmt: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    names = [
        field.split(".")[0].split("[")[0]
        for _, field, _, _ in string.Formatter().parse(fmt)
        if field is not None
    ]
    automatic = sum(not name for name in names)
    numbers = {int(name) for name in names if name.isdigit()}
    if (automatic and automatic != len(args)) or numbers - set(range(len(args))):
        raise ValueError(
            f"debug.print: needs one place for each argument; got {fmt!r} for {len(args)} arguments"
        )
    if not automatic and args and numbers != set(range(len(args))):
        raise ValueError(
            f"debug.print: needs one place for each argument; got {fmt!r} for {len(args)} arguments"
        )
    wanted = {name for name in names if name and not name.isdigit()}
    if wanted != set(kwargs):
        raise ValueError(
            f"debug.print: needs the keyword arguments that {fmt!r} names, {sorted(wanted)}; got "
            f"{sorted(kwargs)}"
        )
