"""From a jaxpr to a region of nodes: the engine's side of the loop dialect.

`Builder` is what a primitive's ``loops`` rule receives. Calls are inlined, equations that nothing
uses are
left out, and equal equations give one node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.control.dce import has_effects
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from vires.core.primitive import Undefined
from vires.dialect.loops import BLOCKS
from vires.engine.llvm import control, costs, simplify, structured
from vires.engine.llvm.contract import contract
from vires.engine.llvm.convolve import convolve
from vires.engine.llvm.expressions import Expr, Index, LoopVar, canonical
from vires.engine.llvm.graph import Graph
from vires.engine.llvm.program import Block, Buffer, Node, Reduction, Region
from vires.engine.llvm.update_blocks import scatter, update_slice

#: Primitives whose result at an index is made of their operands at the same index.
_NOT_POINTWISE_PULLS = frozenset(
    [
        "broadcast_in_dim",
        "reshape",
        "transpose",
        "squeeze",
        "expand_dims",
        "rev",
        "slice",
        "split",
        "iota",
        "concatenate",
        "pad",
        "gather",
        "dynamic_slice",
        "reduce_window",
        "select_and_gather_add",
        "random_bits",
        "windows",
        "kernels",
        "convolve",
        "conv_general_dilated",
    ]
)
#: Primitives whose result has the elements of the operand in the same order.
_SAME_ORDER = frozenset(("reshape", "squeeze", "expand_dims"))


class NotInRegisters(Exception):
    """A loop needs memory: its values are used at other places than their own."""


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([n for n in shape if n != 1])


#: The name of the node that stands for the effect of a block without results.
EFFECT = "effect"
#: Values in an expression above which its parts are pulled first.
DEEP = 40
#: Blocks that are defined as reductions.
_DEFINED: dict[str, Callable[..., Any]] = {
    "contract": contract,
    "convolve": convolve,
    "window": structured.window,
    "cumulate": structured.cumulate,
    "check": structured.check,
    "scatter": scatter,
    "update_slice": update_slice,
}


class Builder(Graph):
    """The loop dialect over a graph of expressions."""

    rules = simplify.RULES

    def __init__(self) -> None:
        super().__init__()
        self.region = Region()
        self.number = 0
        #: Elements found in the kernel being built, by node, index and guard.
        self.memo: dict[Any, Expr] = {}
        #: Whether the parts of a deep expression are being pulled, one after the other.
        self._below = False
        #: The index of the domain itself, and the offset of a row-major buffer at it.
        self.identity: tuple[Index, ...] = ()
        self.identity_offset: Index | None = None
        self.identity_shape: tuple[int, ...] = ()
        # The types of the results of the equation being lowered, and whether it has effects.
        self._expected: Sequence[ShapedArray] = ()
        self.effect = False
        #: The innermost equation being lowered that has a line in the user's program.
        self.origin: JaxprEqn | None = None
        #: Values of a loop in registers: for each node the indices at which it is known.
        self.registers: dict[Node, dict[Any, Expr]] = {}
        #: All blocks, in the order of the program.
        self.blocks: list[Block] = []
        #: Literals that blocks need in memory.
        self.written: dict[Expr, tuple[Region, Node]] = {}
        #: One loop variable for each axis of the domain.
        self.axis_variables: list[LoopVar] = []

    # --- elements

    def element(self, node: Node, index: Sequence[Expr | int]) -> Expr:
        place = self.identity
        if index is not place:
            wanted = tuple([i if isinstance(i, Index) else self.as_index(i) for i in index])
            if wanted != place:
                place = wanted
        memo = self.memo
        key: Any = (node, place)
        found = memo.get(key)
        if found is not None:
            return found
        guard = self.guard
        if guard is not None:
            key = (node, place, guard)
            found = memo.get(key)
            if found is not None:
                return found
        if self.registers and node in self.registers:
            found = self._register(node, place)
        elif node.buffer is not None:
            found = self.load(node.buffer, self.offset(node.shape, place), node.dtype)
        elif node.kind == "literal":
            found = node.definition
        else:
            if node.depth > DEEP and not self._below:
                self._pull_below(node)
            found = node.element(place)
        memo[key] = found
        return found

    def _pull_below(self, node: Node) -> None:
        """Pull the scalars that a deep expression is made of, from the bottom up: arrays are cut
        by values in memory, but scalars stay expressions, and to pull is recursive.
        """
        zero = self.index(0, ())
        scalars: list[tuple[Node, tuple[Index, ...]]] = []
        seen, stack = {node}, [node]
        while stack:
            for x in stack.pop().operands:
                if x.kind == "pull" and x.buffer is None and x.depth > DEEP and x not in seen:
                    seen.add(x)
                    place = (zero,) * len(x.shape)
                    if x.size == 1 and (x, place) not in self.memo:
                        stack.append(x)
                        scalars.append((x, place))
        self._below = True
        try:
            for x, place in sorted(scalars, key=lambda scalar: scalar[0].depth):
                self.element(x, place)
        finally:
            self._below = False

    def _register(self, node: Node, index: tuple[Index, ...]) -> Expr:
        """An element of a value in registers; chosen among all where the index is not known now."""
        known = self.registers[node]
        found = known.get(index)
        if found is not None:
            return found
        if not known or (len(known) == 1 and node.size != 1):
            raise NotInRegisters
        if any(x.terms for place in known for x in place):
            raise NotInRegisters
        place = self.offset(node.shape, index)
        *others, last = known.values()
        result = last
        for position in range(len(others) - 1, -1, -1):
            result = self.select(
                self.op("eq", place, self.index(position, ())), others[position], result
            )
        return result

    def offset(self, shape: tuple[int, ...], index: Sequence[Index]) -> Index:
        """The position of an index in a row-major buffer."""
        if (
            index is self.identity
            and shape == self.identity_shape
            and self.identity_offset is not None
        ):
            return self.identity_offset
        result, stride = None, 1
        for size, i in zip(reversed(shape), reversed(index), strict=True):
            if size != 1:
                term = i if stride == 1 else self.index_product(i, stride)
                result = term if result is None else self.index_sum(result, term, 1)
                stride *= size
        return self.index(0, ()) if result is None else result

    # --- definitions

    def pull(
        self, element: Callable[[Any], Expr], *, cheap: bool = True, real: Node | None = None
    ) -> Node:
        node = Node("pull", element)
        node.cheap = cheap
        node.real = real
        node.builder = self
        return node

    def real_parts(self, x: Node) -> Node | None:
        return x.real

    def reduce(
        self,
        sources: Sequence[Node],
        axes: Sequence[int],
        combine: str | Callable[..., Any],
        identities: Sequence[Any],
        element: Callable[..., Sequence[Expr]] | None = None,
    ) -> list[Node]:
        shape = sources[0].shape
        group = Reduction(sources, tuple(sorted(axes)), combine, identities, element, shape)
        return [self.result("reduce", group) for _ in identities]

    def block(self, kind: str, operands: Sequence[Node], **params: Any) -> list[Node]:
        if kind not in BLOCKS:
            raise ValueError(f"block: needs one of {', '.join(sorted(BLOCKS))}; got {kind!r}")
        if kind == "call":
            return self.inline(params["jaxpr"], operands)
        define = _DEFINED.get(kind)
        if define is not None:
            return define(self, *operands, **params)
        effect = self.effect
        block, results = self._block(kind, operands, params)
        if effect and block is not None:
            block.effect = True
            if not block.results:
                self.adopt(
                    self.result("memory", block), ShapedArray((0,), canonical(np.bool_)), EFFECT, ()
                )
        return list(results)

    def _block(
        self, kind: str, operands: Sequence[Node], params: dict[str, Any]
    ) -> tuple[Block | None, Sequence[Node]]:
        """The block (None where its program was inlined) and its results."""
        if kind == "scan":
            return control.scan(self, operands, **params)
        if kind == "while":
            return control.while_loop(self, operands, **params)
        if kind == "branch":
            index, *arguments = operands
            return control.branch(self, [index, *arguments], **params)
        block = Block(kind, [self.in_memory(x) for x in operands], params)
        return block, [self.result("memory", block) for _ in self._expected]

    def derived(
        self, name: str, x: Node, shape: tuple[int, ...], dtype: Any, element: Callable[[Any], Expr]
    ) -> Node:
        """A pull of one operand that is no equation of the program."""
        return self.adopt(self.pull(element), ShapedArray(shape, dtype), name, (x,))

    def adopt(self, node: Node, aval: ShapedArray, name: str, operands: Sequence[Node]) -> Node:
        """Make a definition a node of the region. It may know its operands better than the equation
        does.
        """
        node.typed(aval)
        operands = node.operands or tuple(operands)
        node.name, node.operands, node.weight = name, operands, costs.PRIMITIVES.get(name, 1.0)
        node.origin = self.origin
        node.pointwise = node.kind == "pull" and (
            _squeezed(operands[0].shape) == _squeezed(node.shape)
            if node.same
            else name not in _NOT_POINTWISE_PULLS and all(x.shape == node.shape for x in operands)
        )
        node.number = self.number = self.number + 1
        self.region.nodes.append(node)
        return node

    def in_memory(self, x: Node) -> Node:
        """A node that a block can take: literals are written to memory."""
        if x.kind != "literal":
            return x
        found = self.written.get(x.definition)
        if found is None or found[0] is not self.region:
            node = self.adopt(self.pull(lambda index: x.definition), x.aval, "constant", ())
            found = self.written[x.definition] = (self.region, node)
        return found[1]

    def result(self, kind: str, definition: Any) -> Node:
        node = Node(kind, definition=definition)
        node.builder = self
        if not definition.results and definition.__class__ is Block:
            definition.serial = len(self.blocks)
            self.blocks.append(definition)
        definition.results.append(node)
        return node

    # --- programs

    def input(self, aval: ShapedArray, kind: str = "input") -> Node:
        """A value that is in memory from the start."""
        node = Node("memory").typed(aval)
        node.builder = self
        node.buffer = Buffer(node.shape, node.dtype, kind)
        node.number = self.number = self.number + 1
        return node

    def literal(self, value: Any, aval: ShapedArray) -> Node:
        """A scalar known now."""
        numpy_value = value._numpy() if hasattr(value, "_numpy") else np.asarray(value)
        return self.scalar(
            numpy_value.item() if numpy_value.dtype.kind in "biufc" else numpy_value[()], aval
        )

    def scalar(self, value: Any, aval: ShapedArray) -> Node:
        known = self.constant(value, canonical(aval.dtype))
        node = Node("literal", definition=known).typed(aval)
        node.builder = self
        node.name = str(value)
        node.number = self.number = self.number + 1
        return node

    def inline(self, closed: ClosedJaxpr | Jaxpr, operands: Sequence[Node]) -> list[Node]:
        """The results of a program on nodes, as part of the current region."""
        jaxpr = closed if isinstance(closed, Jaxpr) else closed.jaxpr
        consts = () if isinstance(closed, Jaxpr) else closed.consts
        if len(operands) != len(jaxpr.invars):
            raise ValueError(f"call: needs {len(jaxpr.invars)} operands; got {len(operands)}")
        environment: dict[Var, Node] = dict(zip(jaxpr.invars, operands, strict=True))
        for var, value in zip(jaxpr.constvars, consts, strict=True):
            environment[var] = self.captured(value, var.aval)
        return self.lower(jaxpr, environment)

    def captured(self, value: Any, aval: ShapedArray) -> Node:
        """A constant array of the program; the pipeline's builder keeps a list of them."""
        raise NotImplementedError

    def lower(self, jaxpr: Jaxpr, environment: dict[Var, Node]) -> list[Node]:
        """Nodes for the equations that are needed; gives the results."""
        needed = live_equations(jaxpr)
        known: dict[Any, list[Node]] = {}
        for position, eqn in enumerate(jaxpr.eqns):
            if not needed[position]:
                continue
            operands = [
                self.literal(x.val, x.aval) if isinstance(x, Literal) else environment[x]
                for x in eqn.invars
            ]
            key = self._key(eqn, operands)
            found = known.get(key) if key is not None else None
            if found is None:
                found = self.equation(eqn, operands)
                if key is not None:
                    known[key] = found
            environment.update(zip(eqn.outvars, found, strict=True))
        return [
            self.literal(x.val, x.aval) if isinstance(x, Literal) else environment[x]
            for x in jaxpr.outvars
        ]

    @staticmethod
    def _key(eqn: JaxprEqn, operands: list[Node]) -> Any:
        """Equal keys mean equal results; None for operations with effects or unhashable
        parameters.
        """
        if has_effects(eqn):
            return None
        identities = tuple([x.definition if x.kind == "literal" else x for x in operands])
        key = (eqn.primitive, identities, tuple(eqn.params.items()))
        try:
            hash(key)
        except TypeError:
            return None
        return key

    def equation(self, eqn: JaxprEqn, operands: list[Node]) -> list[Node]:
        primitive = eqn.primitive
        avals = [v.aval for v in eqn.outvars]
        before = self._expected, self.effect, self.origin
        self._expected, self.effect = avals, has_effects(eqn)
        if eqn.source is not None:
            self.origin = eqn
        if isinstance(primitive.loops, Undefined):
            definitions = self.block(
                "host", operands, function=reference_of(eqn), outs=avals, reason="no loops rule"
            )
        else:
            made = primitive.loops(self, *operands, **eqn.params)
            definitions = [made] if isinstance(made, Node) else made
        self._expected, self.effect = before[:2]
        if len(definitions) != len(avals):
            raise ValueError(
                f"{primitive}: its loops rule gives {len(definitions)} results of {len(avals)}"
            )
        for node, aval in zip(definitions, avals, strict=True):
            if node.definition.__class__ is Block and node.definition.equation is None:
                node.definition.equation = eqn
            if (
                node.number >= 0
            ):  # a node that exists already: the operation is the identity, or a call
                continue
            self.adopt(node, aval, primitive.name, operands)
            if primitive.name == "transpose":
                node.view = eqn.params["permutation"]
            elif primitive.name in _SAME_ORDER and node.kind == "pull":
                node.same = True
        self.origin = before[2]
        return [*definitions]


def reference_of(eqn: JaxprEqn) -> Callable[..., Any]:
    """The NumPy implementation of an equation, always giving a list."""
    primitive, params = eqn.primitive, eqn.params

    def reference(*arrays: np.ndarray) -> Sequence[np.ndarray]:
        results = primitive.reference(*arrays, **params)
        return results if primitive.multiple_results else [results]

    return reference


def live_equations(jaxpr: Jaxpr) -> list[bool]:
    """Which equations are needed for the results or for their effects."""
    live: set[Any] = set(jaxpr.outvars)
    needed = [False] * len(jaxpr.eqns)
    for position in range(len(jaxpr.eqns) - 1, -1, -1):
        eqn = jaxpr.eqns[position]
        if not live.isdisjoint(eqn.outvars) or has_effects(eqn):
            needed[position] = True
            live.update(eqn.invars)  # literals among them do no harm
    return needed
