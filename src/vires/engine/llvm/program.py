"""The compiler's view of a program: values (`Node`), where they live (`Buffer`), and the steps that
make them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.engine.llvm import costs
from vires.engine.llvm.expressions import Expr, Index, LoopVar, canonical, walk

Shape = tuple[int, ...]
_WIDE = np.dtype(np.float32)


class Buffer:
    """A row-major array in memory. `root` is the buffer whose memory it shares, or itself."""

    __slots__ = ("dtype", "first", "kind", "last", "offset", "root", "shape", "size", "slot")

    def __init__(self, shape: Shape, dtype: Any, kind: str = "temporary") -> None:
        self.shape = shape
        self.dtype = canonical(dtype)
        self.size = math.prod(shape)
        #: "input", "constant", "output", "temporary", or "pointer" (set by the loop around it).
        self.kind = kind
        self.root: Buffer = self
        self.slot = -1
        self.offset = 0
        self.first = self.last = -1

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def find(self) -> Buffer:
        """The buffer that owns the memory."""
        root = self
        while root.root is not root:
            root = root.root
        return root

    def __repr__(self) -> str:
        root = self.find()
        place = f"{self.kind[0]}{root.slot}" + (f"+{root.offset}" if root.offset else "")
        return f"{place}:{self.dtype.name}[{','.join(map(str, self.shape))}]"


def _not_pulled(index: Any) -> Any:
    raise TypeError(f"a value of the program: needs memory to be read at {index}")


#: Blocks that write only a part of their first operand's copy.
UPDATES = frozenset(("update_slice", "scatter"))


class Node:
    """A value of the program: how its elements come about and, once decided, the buffer that holds
    them.
    """

    __slots__ = (
        "alias",
        "aval",
        "buffer",
        "builder",
        "cheap",
        "definition",
        "demand",
        "depth",
        "dtype",
        "element",
        "far",
        "flat",
        "kind",
        "level",
        "name",
        "near",
        "number",
        "operands",
        "origin",
        "output",
        "passed",
        "pointwise",
        "real",
        "same",
        "shape",
        "size",
        "store",
        "taken",
        "used",
        "view",
        "weight",
    )  # fmt: skip

    aval: Any
    shape: Shape
    dtype: Any
    size: int
    #: Elements wanted by consumers that inline it, by domain, path of index maps, and level.
    demand: dict[tuple[Shape, tuple[int, ...], int], int]

    def __init__(
        self, kind: str, element: Callable[..., Any] = _not_pulled, definition: Any = None
    ) -> None:
        #: "memory" (an input or a block's result), "literal", "pull" or "reduce".
        self.kind = kind
        self.element = element
        self.definition = definition
        self.buffer: Buffer | None = None
        self.builder: Any = None
        self.operands: tuple[Node, ...] = ()
        #: The equation of the user's program that it came from.
        self.origin: Any = None
        self.pointwise = False
        self.cheap = True
        self.used = 0
        self.depth = 0
        #: How many kernels and blocks must have run, one after the other, before it can be made.
        self.level = 0
        #: Cost of what consumers compute again since this value is to be stored in their place.
        self.passed = 0.0
        self.near = self.far = 0
        self.flat = False
        self.alias = self.output = self.taken = False
        self.number = -1
        self.name = ""
        self.weight = 0.0
        self.store = False
        #: For a transpose, its permutation.
        self.view: tuple[int, ...] | None = None
        #: Whether the elements are the operand's in the same order, so that memory can be shared.
        self.same = False
        #: The real parts of complex elements whose imaginary parts are 0.
        self.real: Node | None = None

    def at(self, index: Sequence[Expr | int]) -> Expr:
        """The element at an index: a load where the node is in memory, else its expression."""
        return self.builder.element(self, index)

    @property
    def memory(self) -> Buffer:
        """The buffer, which has been decided."""
        assert self.buffer is not None, self
        return self.buffer

    def typed(self, aval: Any) -> Node:
        """Give the node its type."""
        self.aval = aval
        self.shape = aval.shape
        self.dtype = canonical(aval.dtype)
        self.size = math.prod(self.shape)
        return self

    def __repr__(self) -> str:
        return f"{self.name or self.kind}#{self.number}"


class Reduction:
    """Sources combined over some axes; one result node for each source."""

    __slots__ = (
        "axes", "combine", "contraction", "element", "elsewhere", "identities", "prefix", "results",
        "shape", "sources",
    )  # fmt: skip

    def __init__(
        self,
        sources: Sequence[Node],
        axes: tuple[int, ...],
        combine: Any,
        identities: Sequence[Any],
        element: Callable[..., Any] | None,
        shape: Shape,
    ) -> None:
        self.sources = tuple(sources)
        self.axes = axes
        self.combine = combine
        self.identities = tuple(identities)
        self.element = element
        self.shape = shape
        #: A sum of products of floats, which may be rounded once for each term.
        self.contraction = False
        #: Whether `element` reads its operands at other indices than its own.
        self.elsewhere = False
        #: "forward" or "reverse": all partial results along the one axis are wanted, from its start
        #: or its end.
        self.prefix = ""
        #: Results that the operation does not give are untyped and have no memory.
        self.results: list[Node] = []


class Block:
    """An algorithm on operands in memory. Regions are the programs that it runs, if any."""

    __slots__ = ("effect", "equation", "kind", "operands", "params", "regions", "results", "serial")

    def __init__(self, kind: str, operands: Sequence[Node], params: dict[str, Any]) -> None:
        self.kind = kind
        self.operands = tuple(operands)
        self.params = params
        self.results: list[Node] = []
        self.regions: list[Region] = []
        #: Position among the blocks of the program.
        self.serial = -1
        #: Whether it runs even if nothing uses its results.
        self.effect = False
        #: The equation that it came from.
        self.equation: Any = None

    def __repr__(self) -> str:
        operands, results = (", ".join(map(repr, x)) for x in (self.operands, self.results))
        return f"{self.kind} {operands} -> {results}"


def leader(definition: Reduction | Block) -> Node:
    """The first of the results that the program has."""
    return next(x for x in definition.results if x.number >= 0)


class Store:
    """An expression written at an offset of a buffer."""

    __slots__ = ("buffer", "combine", "expr", "mask", "offset")

    def __init__(
        self,
        buffer: Buffer,
        offset: Index,
        expr: Expr,
        combine: str | None = None,
        mask: Expr | None = None,
    ) -> None:
        self.buffer = buffer
        self.offset = offset
        self.expr = expr
        #: How the new value is combined with the one in memory; None: it replaces it.
        self.combine = combine
        #: Where the store takes place; None: everywhere.
        self.mask = mask

    def roots(self) -> tuple[Expr, ...]:
        """The expressions that the store needs."""
        return (
            (self.expr, self.offset) if self.mask is None else (self.expr, self.offset, self.mask)
        )


class Fold:
    """A reduction inside a kernel: expressions combined over its reduced loops, then written at an
    offset.

    With a `prefix`, what has been combined so far is written at every step.

    A `combine` that is no name is given as expressions `combined` of `arguments` (those of the
    left, then right).
    """

    __slots__ = (
        "arguments",
        "buffers",
        "combine",
        "combined",
        "contraction",
        "dtypes",
        "exprs",
        "identities",
        "offset",
        "prefix",
    )

    def __init__(
        self,
        buffers: Sequence[Buffer | None],
        offset: Index,
        exprs: list[Expr],
        combine: Any,
        identities: tuple[Any, ...],
    ) -> None:
        self.buffers = buffers
        self.offset = offset
        self.exprs = exprs
        self.combine = combine
        self.identities = identities
        self.contraction = False
        self.prefix = ""
        self.arguments: tuple[Expr, ...] = ()
        self.combined: list[Expr] = []
        # Sums and products of half precision are accumulated in float32.
        self.dtypes = [
            _WIDE
            if combine in ("add", "mul")
            and x.dtype.itemsize < 4
            and dtypes.kind(x.dtype) == "float"
            else x.dtype
            for x in exprs
        ]

    def dtype(self, number: int) -> Any:
        """The dtype of an accumulator."""
        return self.dtypes[number]

    def roots(self) -> tuple[Expr, ...]:
        """The expressions that the fold needs."""
        return (*self.exprs, self.offset)


class Turns:
    """What a loop in registers does: arguments (the carried values) and, made of them, the next
    ones.

    The values after the last turn are written to `targets` (those of the last arguments, if there
    are fewer). With a `test`, turns go on as long as
    it holds.
    """

    __slots__ = ("arguments", "exprs", "inits", "targets", "test")

    def __init__(self) -> None:
        self.arguments: list[Expr] = []
        self.inits: list[Expr] = []
        self.exprs: list[Expr] = []
        self.targets: list[tuple[Buffer, Index]] = []
        self.test: Expr | None = None

    def roots(self) -> list[Expr]:
        """The expressions that the loop needs."""
        tests = [] if self.test is None else [self.test]
        return [*self.inits, *self.exprs, *tests, *[offset for _, offset in self.targets]]


class Kernel:
    """Loops over a domain with stores and folds inside."""

    __slots__ = (
        "apart",
        "available",
        "axes",
        "band",
        "domain",
        "exact",
        "flat",
        "folds",
        "lanes",
        "level",
        "loops",
        "name",
        "near",
        "nodes",
        "one_by_one",
        "order",
        "part",
        "quick",
        "reduced",
        "scatters",
        "searched",
        "stores",
        "task_size",
        "task_var",
        "tasks",
        "turns",
        "vector",
        "weight",
        "work",
    )  # fmt: skip

    def __init__(self, domain: Shape, available: int) -> None:
        self.domain = domain
        self.nodes: list[Node] = []
        # While kernels are formed: nodes in memory before it runs, nodes that it computes (both as
        # bits),
        # reduced axes of the domain, whether its index may be one number, and the cost of an
        # element.
        self.available = available
        self.near = 0
        self.axes: tuple[int, ...] | None = None
        self.flat = True
        self.weight = 0.0
        self.stores: list[Store] = []
        self.folds: list[Fold] = []
        #: A loop in registers (its variable is the one in `reduced`).
        self.turns: Turns | None = None
        self.loops: list[LoopVar] = []
        self.reduced: list[LoopVar] = []
        self.name = ""
        # The schedule.
        self.order: list[LoopVar] = []
        self.vector: LoopVar | None = None
        self.lanes = 1
        self.tasks = 1
        self.task_size = 0
        self.task_var: LoopVar | None = None
        #: A fold whose lanes are kept reads so many rows for all vectors before it reads the next
        #: ones; 0: all rows for one vector after the other.
        self.band = 0
        #: The number of the task, where partial results are written at it.
        self.part: LoopVar | None = None
        #: The effort of the code generator: in the end, and when somebody waits.
        self.level = self.quick = 0
        self.work = 0.0
        #: What was found of expressions: the roots, all below them, the buffers that they load.
        self.searched: tuple[list[Expr], list[Expr], list[Buffer]] = [], [], []
        #: Stores may meet: the loops keep their order, but for those whose turns are known to write
        #: different elements.
        self.scatters = False
        self.apart: list[LoopVar] = []
        #: Lanes are written one after the other, since they may meet.
        self.one_by_one = False
        #: No element may be computed twice (a result overwrites an operand).
        self.exact = False

    def is_long(self) -> bool:
        """Whether its tasks take so long that they ask for signals (loops in registers do too)."""
        return self.turns is None and self.work > costs.LONG_TASK * self.tasks

    def expressions(self) -> list[Expr]:
        """All expressions of the kernel, operands before what uses them."""
        return self._search()[1]

    def loaded(self) -> list[Buffer]:
        """The buffers that its expressions load from."""
        return self._search()[2]

    def _search(self) -> tuple[list[Expr], list[Expr], list[Buffer]]:
        roots = self.roots()
        if self.searched[0] != roots:
            below = walk(roots)
            loaded = list(dict.fromkeys([x.attr for x in below if x.op == "load"]))
            self.searched = roots, below, loaded
        return self.searched

    def roots(self) -> list[Expr]:
        """The expressions that the kernel needs."""
        found: list[Expr] = []
        for store in self.stores:
            found += store.roots()
        for fold in self.folds:
            found += fold.roots()
        if self.turns is not None:
            found += self.turns.roots()
        return found


class Region:
    """A program: the main one or the body of a loop or branch."""

    __slots__ = ("blocks", "inputs", "nodes", "outputs", "rare", "steps")

    def __init__(self) -> None:
        self.inputs: list[Node] = []
        self.nodes: list[Node] = []
        self.outputs: list[Node] = []
        #: Kernels and blocks in the order of execution, once fused.
        self.steps: list[Kernel | Block] = []
        #: It runs before an error, if ever: its code is to be small.
        self.rare = False


Step = Kernel | Block
