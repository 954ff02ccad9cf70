"""Operations at once: size-generic kernels for elementwise ones, NumPy where it is native, programs
for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires import _native
from vires._native import Array
from vires.core import dtypes
from vires.core.jaxpr import ClosedJaxpr, JaxprEqn, Literal
from vires.core.primitive import Primitive
from vires.core.staging import stage
from vires.core.trace import as_array
from vires.engine.llvm import elementwise
from vires.engine.reference import concrete, to_array
from vires.ops.contract import plain_product
from vires.ops.families import Elementwise

#: Operations whose program holds programs, or that NumPy has no fast form of: these are compiled.
COMPILED = frozenset(
    "jit closed_call remat checkpoint cond while scan custom_jvp_call custom_vjp_call custom_lin "
    "custom_linear_solve linear_call custom_vmap_call "
    "random_bits threefry2x32 random_split random_fold_in random_seed reduce reduce_window "
    "conv_general_dilated igamma igammac igamma_grad_a random_gamma_grad "
    "regularized_incomplete_beta".split()
)
#: Operations that are compiled where their operands have at least LARGE elements in all: threads
#: pay there.
LARGE_COMPILED = frozenset(
    "reduce_sum reduce_prod reduce_max reduce_min reduce_and reduce_or reduce_xor argmax argmin "
    "cumsum cumprod cummax cummin cumlogsumexp sort".split()
)
LARGE = 1 << 16
#: A plan of exact operations that ran so many times is compiled.
HOT = 100
#: Operations that compute nothing, or nothing that is rounded.
_EXACT = frozenset(
    "broadcast_in_dim reshape transpose squeeze rev slice concatenate pad iota dynamic_slice "
    "dynamic_update_slice reduce_max reduce_min reduce_and reduce_or reduce_xor argmax argmin "
    "sort select_n copy split".split()
)
#: Operations that the native core does at once, in the order of its kinds.
REDUCTIONS = (
    "reduce_sum",
    "reduce_prod",
    "reduce_max",
    "reduce_min",
    "reduce_and",
    "reduce_or",
    "reduce_xor",
)
#: Operations that change the shape of an array and nothing else.
_VIEWS = frozenset(("reshape", "squeeze", "expand_dims"))

Runner = Callable[..., Any]
#: Decisions that are kept, one for each operation, its parameters and the types of its operands.
_MOST_RUNNERS = 4096


class Eager:
    """What was decided for each operation: by primitive, parameters and operand types."""

    def __init__(self, compile_program: Callable[..., Any]) -> None:
        self._compile = compile_program
        self._operations: dict[Any, Any] = {}
        self._runners: dict[Any, Runner] = {}

    def __call__(
        self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        for x in operands:
            if x.__class__ is not Array:
                operands = concrete(operands)
                break
        key = (primitive, *params.items()) if params else primitive
        if isinstance(primitive, Elementwise) and primitive.name not in COMPILED:
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
            runner = self._runner(primitive, params, [x.aval for x in operands], out)
            if len(self._runners) >= _MOST_RUNNERS:
                self._runners.pop(next(iter(self._runners)), None)
            self._runners[types] = runner
        return runner(*operands)

    def plan(self, closed: ClosedJaxpr) -> Runner:
        """A function of the program's inputs that runs its equations one after the other, each
        resolved beforehand.
        """
        jaxpr = closed.jaxpr
        places: dict[Any, int] = {}
        values: list[Any] = []

        def place(atom: Any, value: Any = None) -> int:
            key = id(atom) if atom.__class__ is Literal else atom
            if key not in places:
                places[key] = len(values)
                values.append(as_array(atom.val) if atom.__class__ is Literal else value)
            return places[key]

        inputs = [place(v) for v in jaxpr.invars]
        for v, value in zip(jaxpr.constvars, closed.consts, strict=True):
            place(v, as_array(value))
        steps: list[tuple[Runner, tuple[int, ...], Any]] = []
        for eqn in jaxpr.eqns:
            operands = tuple(place(x) for x in eqn.invars)
            results = [place(v) for v in eqn.outvars]
            runner = self._resolved(eqn)
            steps.append(
                (runner, operands, results if eqn.primitive.multiple_results else results[0])
            )
        outputs = [place(v) for v in jaxpr.outvars]
        if len(steps) == 1 and outputs == [steps[0][2]] and list(steps[0][1]) == inputs:
            only = steps[0][0]
            run: Runner = lambda *arrays: (only(*arrays),)  # noqa: E731
        else:
            run = _sequence(len(inputs), values, steps, outputs)
        return self._tiered(closed, run) if all(map(_is_exact, jaxpr.eqns)) else run

    def _tiered(self, closed: ClosedJaxpr, plan: Runner) -> Runner:
        """The plan at first, machine code when it runs hot. For operations whose bits are the same
        either way.
        """
        calls, compiled = 0, None

        def run(*arrays: Array) -> Any:
            nonlocal calls, compiled
            if compiled is not None:
                return compiled([*arrays])
            calls += 1
            if calls == HOT:
                compiled = self._compile(closed, name="eager").execute
            return plan(*arrays)

        return run

    def _resolved(self, eqn: JaxprEqn) -> Runner:
        primitive, params = eqn.primitive, eqn.params
        if isinstance(primitive, Elementwise) and primitive.name not in COMPILED:
            return _operation(primitive, params)
        avals = [x.aval for x in eqn.invars]
        out = [v.aval for v in eqn.outvars]
        return self._runner(primitive, params, avals, out if primitive.multiple_results else out[0])

    def _runner(
        self, primitive: Primitive, params: dict[str, Any], avals: Sequence[Any], out: Any
    ) -> Runner:
        name = primitive.name
        if name in _VIEWS:
            return lambda x: x._view(out.shape, 0, None, out.weak_type)
        large = sum(a.size for a in avals) >= LARGE and name in LARGE_COMPILED
        if large or name in COMPILED:
            return _Program(self._compile, primitive, params, avals)
        if name in REDUCTIONS:
            kind, axes = REDUCTIONS.index(name), sum(1 << i for i in params["axes"])
            nothing = _native.empty((0,) * avals[0].ndim, dtypes.CODE_OF[avals[0].dtype])
            if _native.reduce(nothing, kind, axes) is not None:  # it knows the dtype
                return lambda x: _native.reduce(x, kind, axes)
        if name == "dot_general" and (product := plain_product(*avals, **params)) is not None:
            return lambda x, y: to_array(product(x._numpy(), y._numpy()), out)
        reference, several = primitive.reference, primitive.multiple_results

        def run(*arrays: Array) -> Any:
            results = reference(*[x._numpy() for x in arrays], **params)
            if several:
                return [to_array(r, aval) for r, aval in zip(results, out, strict=True)]
            return to_array(results, out)

        return run


def _is_exact(eqn: JaxprEqn) -> bool:
    return isinstance(eqn.primitive, Elementwise) or eqn.primitive.name in _EXACT


def _sequence(
    count: int,
    values: list[Any],
    steps: list[tuple[Runner, tuple[int, ...], Any]],
    outputs: list[int],
) -> Runner:
    """Runs steps on a table of values whose first `count` places are the arguments."""
    fixed = values[count:]

    def run(*arrays: Array) -> tuple[Any, ...]:
        table = [*arrays, *fixed]
        for runner, operands, results in steps:
            found = runner(*[table[i] for i in operands])
            if results.__class__ is int:
                table[results] = found
            else:
                for i, value in zip(results, found, strict=True):
                    table[i] = value
        return tuple([table[i] for i in outputs])

    return run


def _operation(primitive: Elementwise, params: dict[str, Any]) -> Any:
    """The native operation of an elementwise primitive; falls back to NumPy where no kernel can be
    made.
    """

    def fallback(*operands: Any) -> Any:
        arrays = concrete(operands)
        out = primitive.infer(*[x.aval for x in arrays], **params)
        results = primitive.reference(*[x._numpy() for x in arrays], **params)
        if primitive.multiple_results:
            return [to_array(r, aval) for r, aval in zip(results, out, strict=True)]
        return to_array(results, out)

    def resolve(descriptors: tuple[Any, ...]) -> Any:
        return elementwise.resolve(
            primitive.name, lambda *xs: primitive.bind(*xs, **params), descriptors
        )

    return _native.EagerOp(primitive.name, fallback, resolve)


class _Program:
    """An operation as a program of one equation."""

    def __init__(
        self,
        compile_program: Callable[..., Any],
        primitive: Primitive,
        params: dict[str, Any],
        avals: Sequence[Any],
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
