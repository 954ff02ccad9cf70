"""Size-generic kernels of elementwise functions, for eager calls: one for dtypes and broadcast
pattern, not for shapes.

A kernel is ``void kernel(void** pointers, int64 n)`` with the addresses of outputs, then
inputs. Bit i of the
pattern says that input i is one element for all n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from vires import _native
from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, Var
from vires.core.staging import stage
from vires.engine.llvm import cache, machine, symbols
from vires.engine.llvm.builder import Builder
from vires.engine.llvm.code import Code, module
from vires.engine.llvm.codes import ENTRY
from vires.engine.llvm.emit import Writer
from vires.engine.llvm.expressions import Expr, walk
from vires.engine.llvm.fingerprint import NotCanonical, fingerprint
from vires.engine.llvm.kinds import INT64
from vires.engine.llvm.lane_choice import choose_lanes
from vires.engine.llvm.pipeline import ProgramBuilder
from vires.engine.llvm.program import Buffer, Kernel, Store
from vires.engine.llvm.ssa import Val

#: Stands for the unknown number of elements.
_MANY = 1 << 40


def resolve(name: str, function: Callable[..., Any], descriptors: Sequence[Any]) -> Any:
    """The kernel of a function of elements for operands of these types; None if it is not
    elementwise.

    `descriptors`: (dtype code, weak) of an array, or a Python scalar type.
    """
    avals = [
        ShapedArray((), dtypes.python_scalar_dtype(d), d is not bool)
        if isinstance(d, type)
        else ShapedArray((), dtypes.CODES[d[0]], bool(d[1]))
        for d in descriptors
    ]

    def flat(*xs: Any) -> Sequence[Any]:
        results = function(*xs)
        return cast(Sequence[Any], results) if isinstance(results, (list, tuple)) else [results]

    try:
        closed = stage(flat, avals, name=name)
    except (TypeError, ValueError, NotImplementedError):
        return None  # refused: the call itself raises, with a message that names the shapes it got
    if any(v.aval.shape for v in closed.jaxpr.outvars):
        return None
    scalars = [isinstance(d, type) for d in descriptors]
    kernel = _Elementwise(name, closed, scalars)
    if not kernel.is_elementwise:
        return None
    return _native.ElementwiseKernel(
        kernel.outputs,
        [code if scalar else None for code, scalar in zip(kernel.codes, scalars, strict=True)],
        kernel.variant,
        kernel,
    )


class _Elementwise:
    """One function for one combination of types; its variants are compiled when first needed."""

    def __init__(self, name: str, closed: ClosedJaxpr, scalars: Sequence[bool]) -> None:
        self.name = name
        self.closed = _adopt_scalars(closed, scalars)
        jaxpr = self.closed.jaxpr
        self.codes = [dtypes.CODE_OF[v.aval.dtype] for v in jaxpr.invars]
        self.outputs = [
            (dtypes.CODE_OF[v.aval.dtype], bool(v.aval.weak_type)) for v in jaxpr.outvars
        ]
        self.linked: list[Any] = []
        self.is_elementwise = self._expressions(0) is not None

    def _expressions(self, pattern: int) -> tuple[Builder, Kernel, list[Buffer]] | None:
        builder = ProgramBuilder()
        jaxpr = self.closed.jaxpr
        inputs = [builder.input(v.aval) for v in jaxpr.invars]
        environment: dict[Any, Any] = dict(zip(jaxpr.invars, inputs, strict=True))
        for var, value in zip(jaxpr.constvars, self.closed.consts, strict=True):
            environment[var] = builder.captured(value, var.aval)
        results = builder.lower(jaxpr, environment)
        if builder.constants or any(n.kind != "pull" or n.size != 1 for n in builder.region.nodes):
            return None
        many = builder.variable(_MANY)
        position, zero = builder.as_index(many), builder.index(0, ())
        kernel = Kernel((_MANY,), 0)
        kernel.loops = kernel.order = [many]
        loads: dict[Any, Expr] = {}
        for i, x in enumerate(inputs):
            loads[x, ()] = builder.load(x.memory, zero if pattern >> i & 1 else position, x.dtype)
        builder.memo.update(loads)
        outputs: list[Buffer] = []
        for node in results:
            buffer = Buffer((), node.dtype, "output")
            outputs.append(buffer)
            kernel.stores.append(Store(buffer, position, builder.element(node, ())))
        return builder, kernel, [*outputs, *[x.memory for x in inputs]]

    def variant(self, pattern: int) -> int:
        """The address of the machine code for a broadcast pattern."""
        try:
            key = cache.key(b"elementwise", fingerprint(self.closed), bytes([pattern]))
        except NotCanonical:
            key = ""
        found = cache.read(key) if key else None
        if found is None:
            text, names = self._text(pattern)
            image = machine.compile_ir(text, 0, name=self.name)
            if key:
                cache.write(key, {"names": names}, image)
                cache.report()
        else:
            names, image = found[0]["names"], found[1]
        linked = machine.load(image, self.name, [ENTRY], symbols.addresses(names))
        self.linked.append(linked)
        return linked.address(ENTRY)

    def _text(self, pattern: int) -> tuple[str, list[str]]:
        """The module of a variant, and the functions that it calls."""
        made = self._expressions(pattern)
        assert made is not None
        _, kernel, buffers = made
        for slot, buffer in enumerate(buffers):
            buffer.slot = slot
        kernel.vector = kernel.loops[0]
        nodes = walk([store.expr for store in kernel.stores])
        kernel.lanes = choose_lanes(kernel, nodes, 100.0, machine.host().vector_bytes)
        if kernel.lanes == 1:
            kernel.vector = None
        # Any n: whole vectors, then the elements left under a mask.
        kernel.exact = True
        kernel.task_var, kernel.task_size = kernel.loops[0], 1 if kernel.lanes > 1 else _MANY
        code = Code()
        code.outlined = True

        def pointer(buffer: Buffer) -> str:
            place = code.value(
                f"getelementptr ptr, ptr %pointers, i64 {buffer.slot}", INT64, 1
            ).name
            return code.value(f"load ptr, ptr {place}", INT64, 1).name

        writer = Writer(code, kernel, pointer)
        writer.bounds = code.index(0), Val(code, "%n", INT64, 1)
        writer.run()
        code.ret()
        text = module([code.define(ENTRY, ["ptr %pointers", "i64 %n"])], [code])
        return text, sorted(code.shared)


def _adopt_scalars(closed: ClosedJaxpr, scalars: Sequence[bool]) -> ClosedJaxpr:
    """Let Python scalars that are only converted arrive in the dtype that they are converted to."""
    jaxpr = closed.jaxpr
    invars: list[Var] = list(jaxpr.invars)
    for number, scalar in enumerate(scalars):
        if not scalar:
            continue
        var = jaxpr.invars[number]
        users = [eqn for eqn in jaxpr.eqns if any(x is var for x in eqn.invars)]
        if any(x is var for x in jaxpr.outvars) or not users:
            continue
        if len(users) == 1 and users[0].primitive.name == "convert_element_type":
            target = users[0].outvars[0]
            invars[number] = target
            eqns = [eqn for eqn in jaxpr.eqns if eqn is not users[0]]
            jaxpr = Jaxpr(jaxpr.constvars, invars, jaxpr.outvars, eqns, jaxpr.names)
            invars = list(jaxpr.invars)
    return ClosedJaxpr(jaxpr, closed.consts)
