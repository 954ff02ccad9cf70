"""Operations at once: size-generic kernels for elementwise ones, NumPy where it is native, programs for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.jaxpr import ClosedJaxpr
from vires.core.primitive import Primitive
from vires.core.staging import stage
from vires.engine.llvm import elementwise
from vires.engine.reference import concrete, to_array
from vires.ops.families import Elementwise

#: Operations whose program holds programs, or that NumPy has no fast form of: these are compiled.
COMPILED = frozenset(
    "jit closed_call remat checkpoint cond while scan custom_jvp_call custom_vjp_call custom_lin "
    "random_bits threefry2x32 random_split random_fold_in random_seed reduce reduce_window "
    "conv_general_dilated".split()
)
#: Operations that change the shape of an array and nothing else.
_VIEWS = frozenset(("reshape", "squeeze", "expand_dims"))

Runner = Callable[..., Any]


class Eager:
    """What was decided for each operation: by primitive, parameters and operand types."""

    def __init__(self, compile_program: Callable[..., Any]) -> None:
        self._compile = compile_program
        self._operations: dict[Any, Any] = {}
        self._runners: dict[Any, Runner] = {}

    def __call__(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        for x in operands:
            if x.__class__ is not Array:
                operands = concrete(operands)
                break
        key = (primitive, *params.items()) if params else primitive
        if isinstance(primitive, Elementwise):
            operation = self._operations.get(key)
            if operation is None:
                operation = self._operations[key] = _operation(primitive, params)
            shape = operands[0].shape
            for x in operands:
                if x.shape != shape:
                    primitive.infer(*[x.aval for x in operands], **params)
            return operation(*operands)
        types = (key, *[x.aval for x in operands])
        runner = self._runners.get(types)
        if runner is None:
            out = primitive.infer(*[x.aval for x in operands], **params)
            runner = self._runners[types] = self._runner(primitive, params, [x.aval for x in operands], out)
        return runner(*operands)

    def _runner(self, primitive: Primitive, params: dict[str, Any], avals: Sequence[Any], out: Any) -> Runner:
        name = primitive.name
        if name in _VIEWS:
            return lambda x: x._view(out.shape, 0, None, out.weak_type)
        if name in COMPILED:
            return _Program(self._compile, primitive, params, avals)
        reference, several = primitive.reference, primitive.multiple_results

        def run(*arrays: Array) -> Any:
            results = reference(*[x._numpy() for x in arrays], **params)
            if several:
                return [to_array(r, aval) for r, aval in zip(results, out, strict=True)]
            return to_array(results, out)

        return run


def _operation(primitive: Elementwise, params: dict[str, Any]) -> Any:
    """The native operation of an elementwise primitive; falls back to NumPy where no kernel can be made."""

    def fallback(*operands: Any) -> Any:
        arrays = concrete(operands)
        out = primitive.infer(*[x.aval for x in arrays], **params)
        results = primitive.reference(*[x._numpy() for x in arrays], **params)
        if primitive.multiple_results:
            return [to_array(r, aval) for r, aval in zip(results, out, strict=True)]
        return to_array(results, out)

    def resolve(descriptors: tuple[Any, ...]) -> Any:
        return elementwise.resolve(primitive.name, lambda *xs: primitive.bind(*xs, **params), descriptors)

    return _native.EagerOp(primitive.name, fallback, resolve)


class _Program:
    """An operation as a program of one equation."""

    def __init__(
        self, compile_program: Callable[..., Any], primitive: Primitive, params: dict[str, Any], avals: Sequence[Any]
    ) -> None:
        def flat(*xs: Any) -> Any:
            results = primitive.bind(*xs, **params)
            return results if primitive.multiple_results else [results]

        closed: ClosedJaxpr = stage(flat, list(avals), name=primitive.name)
        self._executable = compile_program(closed, name=primitive.name)
        self._several = primitive.multiple_results

    def __call__(self, *operands: Array) -> Any:
        results = self._executable.execute(list(operands))
        return results if self._several else results[0]


def is_supported(dtype: Any) -> bool:
    """Whether kernels compute with a dtype."""
    return dtype != dtypes.float0
