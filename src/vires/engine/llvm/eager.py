"""Operations at once: size-generic kernels for elementwise ones, NumPy where it is native, programs
for the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from vires import _native
from vires._native import Array
from vires.control.dce import has_effects
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal
from vires.core.primitive import Primitive, flat_results
from vires.core.staging import stage
from vires.core.trace import as_array
from vires.engine.llvm import elementwise
from vires.engine.llvm.eager_steps import native_step, split_parts, widened_sum
from vires.engine.reference import concrete, to_array
from vires.ops.families import Elementwise
from vires.ops.matrices import MatrixOperation

#: Operations whose program holds programs, or that NumPy has no fast form of: these are compiled.
COMPILED = frozenset(
    "jit closed_call remat checkpoint cond while scan custom_jvp_call custom_vjp_call custom_lin "
    "custom_linear_solve linear_call custom_vmap_call "
    "threefry2x32 reduce reduce_window "
    "conv_general_dilated igamma igammac igamma_grad_a random_gamma_grad "
    "regularized_incomplete_beta".split()
)
#: A plan of exact operations on arrays of so many elements in all is compiled when it has run so
#: often: fused, it reads and writes less memory.
LARGE = 1 << 18
HOT = 8
#: Results of operations on constants that are computed once, when the plan is made, have at most
#: so many elements; repeated values fewer, since repeating them costs nothing.
_MOST_FOLDED = 1024
_MOST_REPEATED = 64
#: Operations that compute nothing, or nothing that is rounded.
_EXACT = frozenset(
    "broadcast_in_dim reshape transpose squeeze rev slice concatenate pad iota dynamic_slice "
    "dynamic_update_slice reduce_max reduce_min reduce_and reduce_or reduce_xor argmax argmin "
    "sort select_n copy split random_bits random_split random_fold_in".split()
)
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

    def plan(self, closed: ClosedJaxpr, skeleton: Any = None) -> Runner:
        """A function of the program's inputs that runs its equations one after the other, each
        resolved beforehand. Its results are built along `skeleton`, by default a tuple.
        """
        jaxpr = closed.jaxpr
        if skeleton is None:
            skeleton = tuple(range(len(jaxpr.outvars)))
        table = _Table(jaxpr.invars)
        for v, value in zip(jaxpr.constvars, closed.consts, strict=True):
            table.constants[v] = as_array(value)
        work = 0
        eqns = _with_scalars(jaxpr)
        sums = _widened_sums(eqns, jaxpr.outvars)
        for eqn in eqns:
            if eqn in sums:
                step, x = sums[eqn]
                if step is not None:
                    table.add(step, [x], eqn.outvars, False)
                continue
            outs = [v.aval for v in eqn.outvars]
            size = sum(out.size for out in outs)
            runner = self._resolved(eqn)
            if size <= _MOST_FOLDED and table.knows(eqn.invars) and not has_effects(eqn):
                table.fold(eqn, runner)
                continue
            work += size
            if eqn.primitive.name == "split":
                parts = split_parts([x.aval for x in eqn.invars], eqn.params, outs)
                for part, v in zip(parts, eqn.outvars, strict=True):
                    table.add(part, eqn.invars, [v], False)
            else:
                table.add(runner, eqn.invars, eqn.outvars, eqn.primitive.multiple_results)
        run = table.plan(jaxpr.outvars, skeleton)
        several = sum(isinstance(eqn.primitive, Elementwise) for eqn in jaxpr.eqns) > 1
        if work >= LARGE and several and all(map(_is_exact, jaxpr.eqns)):
            return self._tiered(closed, run, skeleton)
        return run

    def _tiered(self, closed: ClosedJaxpr, plan: Runner, skeleton: Any) -> Runner:
        """The plan at first, machine code when it runs hot. For operations whose bits are the same
        either way.
        """
        calls, compiled = 0, None

        def run(*arrays: Array) -> Any:
            nonlocal calls, compiled
            if compiled is not None:
                return compiled(*arrays)
            calls += 1
            if calls == HOT:
                compiled = _along(self._compile(closed, name="eager"), skeleton)
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
        if name in COMPILED:
            return _Program(self._compile, primitive, params, avals)
        if name == "select_n" and len({a.shape for a in avals}) == 1:
            return _operation(primitive, params)
        outs = list(flat_results(primitive, out))
        step = native_step(name, avals, params, outs)
        if step is not None:
            return step
        reference, several = primitive.reference, primitive.multiple_results
        if isinstance(primitive, MatrixOperation) and primitive.on_one(avals):
            reference = primitive.function  # its types were checked, and there is no stack

        def run(*arrays: Array) -> Any:
            results = reference(*[x._numpy() for x in arrays], **params)
            if several:
                return [to_array(r, aval) for r, aval in zip(results, out, strict=True)]
            return to_array(results, out)

        return run


def _is_exact(eqn: JaxprEqn) -> bool:
    return isinstance(eqn.primitive, Elementwise) or eqn.primitive.name in _EXACT


def _with_scalars(jaxpr: Jaxpr) -> list[JaxprEqn]:
    """The equations, with elementwise operations that take scalars as they are, not spread over an
    array: the native operation broadcasts.
    """
    spread: dict[Any, Any] = {}
    eqns: list[JaxprEqn] = []
    used: set[Any] = {v for v in jaxpr.outvars if v.__class__ is not Literal}
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "broadcast_in_dim" and not eqn.invars[0].aval.shape:
            spread[eqn.outvars[0]] = eqn.invars[0]
        elif isinstance(eqn.primitive, Elementwise) and eqn.primitive.name not in COMPILED:
            shape = eqn.outvars[0].aval.shape
            operands = [spread.get(x, x) for x in eqn.invars]
            if any(x.aval.shape == shape for x in operands):
                eqn = eqn.replace(invars=operands)
        used.update(x for x in eqn.invars if x.__class__ is not Literal)
        eqns.append(eqn)
    return [eqn for eqn in eqns if eqn.outvars[0] not in spread or eqn.outvars[0] in used]


def _widened_sums(
    eqns: Sequence[JaxprEqn], outvars: Sequence[Any]
) -> dict[JaxprEqn, tuple[Any, Any]]:
    """Sums of small integers that are converted for nothing else: the step that converts and adds,
    and what it reads. The conversions have no step.
    """
    uses = Counter(id(x) for eqn in eqns for x in eqn.invars)
    uses.update(id(v) for v in outvars)
    converted: dict[Any, JaxprEqn] = {}
    found: dict[JaxprEqn, tuple[Any, Any]] = {}
    for eqn in eqns:
        x = eqn.invars[0] if eqn.invars else None
        if eqn.primitive.name == "convert_element_type":
            converted[eqn.outvars[0]] = eqn
        elif eqn.primitive.name == "reduce_sum" and x in converted and uses[id(x)] == 1:
            narrow = converted[x].invars[0]
            step = widened_sum(narrow.aval, eqn.params["axes"], eqn.outvars[0].aval)
            if step is not None:
                found[eqn] = step, narrow
                found[converted[x]] = None, None
    return found


class _Table:
    """The values of a plan while it is made: arguments, constants, results of operations."""

    def __init__(self, arguments: Sequence[Any]) -> None:
        self.arguments = list(arguments)
        self.constants: dict[Any, Array] = {}
        self.operations: list[tuple[Runner, list[Any], list[Any], bool]] = []

    def constant(self, atom: Any) -> Array | None:
        """The value of a literal or a variable that is known."""
        return as_array(atom.val) if atom.__class__ is Literal else self.constants.get(atom)

    def knows(self, atoms: Sequence[Any]) -> bool:
        return all(self.constant(x) is not None for x in atoms)

    def fold(self, eqn: JaxprEqn, runner: Runner) -> None:
        """Run an operation on constants now."""
        results = runner(*[self.constant(x) for x in eqn.invars])
        results = results if eqn.primitive.multiple_results else [results]
        self.constants.update(zip(eqn.outvars, results, strict=True))

    def add(
        self, runner: Runner, operands: Sequence[Any], results: Sequence[Any], several: bool
    ) -> None:
        self.operations.append((runner, list(operands), list(results), several))

    def plan(self, outputs: Sequence[Any], skeleton: Any) -> Runner:
        """The native plan."""
        outputs = list(outputs)
        for k, atom in enumerate(outputs):
            value = self.constant(atom)
            if value is not None:  # each call gives an array of its own
                aval = atom.aval
                outputs[k] = object()
                view = native_step("reshape", [aval], {}, [aval])
                self.add(view, [atom], [outputs[k]], False)
        places = {v: i for i, v in enumerate(self.arguments)}
        constants: list[Array] = []
        for _, operands, _, _ in self.operations:
            for i, atom in enumerate(operands):
                key = id(atom) if atom.__class__ is Literal else atom
                value = self.constant(atom)
                if value is not None and key not in places:
                    places[key] = len(self.arguments) + len(constants)
                    constants.append(value)
                operands[i] = key
        for _, _, results, _ in self.operations:
            for v in results:
                places[v] = len(places)
        operations = [
            (runner, [places[x] for x in operands], [places[v] for v in results], several)
            for runner, operands, results, several in self.operations
        ]
        return _native.Plan(
            len(self.arguments),
            constants,
            len(places),
            operations,
            [places[v] for v in outputs],
            skeleton,
        )


def _along(executable: Any, skeleton: Any) -> Any:
    """An executable whose call gives its results along a skeleton."""

    def run(*arrays: Array) -> Any:
        return _fill(skeleton, executable.execute(list(arrays)))

    return run


def _fill(skeleton: Any, leaves: Sequence[Any]) -> Any:
    if isinstance(skeleton, (tuple, list)):
        parts = [_fill(part, leaves) for part in cast(Sequence[Any], skeleton)]
        return parts if isinstance(skeleton, list) else tuple(parts)
    return None if skeleton is None else leaves[skeleton]


def _operation(primitive: Primitive, params: dict[str, Any]) -> Any:
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
