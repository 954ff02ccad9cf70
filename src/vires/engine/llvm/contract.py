"""Contractions: a loop nest for small ones and for dtypes without a library, OpenBLAS for large
float ones.

The library gets strides, so that transposed operands and operands with batch axes in the middle
need no copy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.engine.llvm import gemm
from vires.engine.llvm.code import Code, Val
from vires.engine.llvm.expressions import canonical
from vires.engine.llvm.gemm import DTYPES, View, merged, product
from vires.engine.llvm.kinds import INT64
from vires.engine.llvm.program import Block, Node, Reduction

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder
    from vires.engine.llvm.emit_entry import EntryWriter

#: Products of the sizes of rows, columns and sum from which the library is worth its call.
_LIBRARY = 1000
#: Float products from this size in all are ours; the code for them takes a while to compile.
_PACKED = 200_000
#: A sum of so many terms and more is made in parts, of so many terms at least, so many parts at
#: most, if the result has no more elements than this and there are so many multiplications.
_LONG, _PART, _PARTS, _SMALL_RESULT, _PARTED = 2048, 256, 16, 1 << 17, 4_000_000
_ROUTINES = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
_LLVM = {"float32": "float", "float64": "double"}
Axes = tuple[int, ...]


class Side(NamedTuple):
    """One operand in memory: for each axis of the batch a stride; one matrix with its leading
    dimension.
    """

    node: Node
    batch: tuple[int, ...]
    leading: int
    transposed: bool


def contract(
    builder: Builder,
    lhs: Node,
    rhs: Node,
    contracting: tuple[Axes, Axes],
    batch: tuple[Axes, Axes],
    dtype: Any,
) -> list[Node]:
    """The result of a contraction as nodes: a reduction, or a block that calls the library."""
    dtype = canonical(dtype)
    free = [_rest(x, contracting[i], batch[i]) for i, x in enumerate((lhs, rhs))]
    sizes = [
        tuple([lhs.shape[d] for d in batch[0]]),
        tuple([lhs.shape[d] for d in free[0]]),
        tuple([rhs.shape[d] for d in free[1]]),
        tuple([lhs.shape[d] for d in contracting[0]]),
    ]
    count, rows, columns, length = (math.prod(n) for n in sizes)
    wide = working_dtype(dtype)
    if (
        wide.name in _ROUTINES
        and count
        and rows > 1
        and columns > 1
        and rows * columns * length >= _LIBRARY
        and count * rows * columns * length < 1 << 62
        and max(rows, columns, length) < 1 << 31
    ):
        make = _packed if is_packed(dtype, count, rows, columns, length) else _library
        return make(builder, (lhs, rhs), contracting, batch, free, sizes, dtype, wide)
    return _loops(builder, lhs, rhs, contracting, batch, free, sizes, dtype)


def working_dtype(dtype: Any) -> Any:
    """The dtype that products are made in."""
    return np.dtype(np.float32) if dtype.name in ("float16", "bfloat16") else canonical(dtype)


def is_packed(dtype: Any, count: int, rows: int, columns: int, length: int) -> bool:
    """Whether a product of such sizes is a packed one."""
    volume = rows * columns * length
    return (
        working_dtype(dtype).name in DTYPES
        and rows > 1
        and columns > 1
        and volume >= _LIBRARY
        and count * volume >= _PACKED
    )


def _rest(x: Node, contracting: Axes, batch: Axes) -> Axes:
    return tuple([d for d in range(len(x.shape)) if d not in contracting and d not in batch])


def _loops(
    builder: Builder,
    lhs: Node,
    rhs: Node,
    contracting: tuple[Axes, Axes],
    batch: tuple[Axes, Axes],
    free: list[Axes],
    sizes: list[tuple[int, ...]],
    dtype: Any,
) -> list[Node]:
    """A sum (`or` for bool) of products over the loops batch, rows, columns, sum."""
    shape = (*sizes[0], *sizes[1], *sizes[2], *sizes[3])
    start_rows, start_columns = len(sizes[0]), len(sizes[0]) + len(sizes[1])
    start_sum = start_columns + len(sizes[2])
    places: list[list[int]] = [[0] * len(lhs.shape), [0] * len(rhs.shape)]
    for side in (0, 1):
        for position, d in enumerate(batch[side]):
            places[side][d] = position
        for position, d in enumerate(free[side]):
            places[side][d] = (start_rows if side == 0 else start_columns) + position
        for position, d in enumerate(contracting[side]):
            places[side][d] = start_sum + position
    is_bool = dtype.kind == "b"
    is_narrow_float = dtype.itemsize < 4 and dtypes.kind(dtype) == "float"
    accumulator = np.dtype(np.float32) if is_narrow_float else dtype

    def element(index: Any) -> list[Any]:
        a = builder.convert(lhs.at([index[p] for p in places[0]]), accumulator)
        b = builder.convert(rhs.at([index[p] for p in places[1]]), accumulator)
        return [builder.node("and" if is_bool else "mul", (a, b), accumulator)]

    axes = tuple(range(start_sum, len(shape)))
    identity = False if is_bool else 0
    group = Reduction((), axes, "or" if is_bool else "add", [identity], element, shape)
    group.contraction = accumulator.kind == "f"
    # Dot products of vectors read both at the index of the sum; others do not.
    group.elsewhere = len(shape) > 1
    return [builder.result("reduce", group)]


def _library(
    builder: Builder,
    operands: tuple[Node, Node],
    contracting: tuple[Axes, Axes],
    batch: tuple[Axes, Axes],
    free: list[Axes],
    sizes: list[tuple[int, ...]],
    dtype: Any,
    wide: Any,
) -> list[Node]:
    sides: list[Side] = []
    for i, x in enumerate(operands):
        x = converted(builder, x, wide)
        sides.append(_side(builder, x, batch[i], free[i], contracting[i], i == 1))
    shape = (*sizes[0], *sizes[1], *sizes[2])
    block = Block(
        "contract", [side.node for side in sides], {"sides": tuple(sides), "sizes": tuple(sizes)}
    )
    return _rounded(builder, builder.result("memory", block), operands, shape, dtype, wide)


def _packed(
    builder: Builder,
    operands: tuple[Node, Node],
    contracting: tuple[Axes, Axes],
    batch: tuple[Axes, Axes],
    free: list[Axes],
    sizes: list[tuple[int, ...]],
    dtype: Any,
    wide: Any,
) -> list[Node]:
    """A packed product of operands where they lie."""
    views: list[View] = []
    for i, x in enumerate(operands):
        x = converted(builder, x, wide)
        source, strides = strides_of(x)
        groups = [[(x.shape[d], strides[d]) for d in g[i]] for g in (batch, free, contracting)]
        batches, lanes, sums = (merged(axes) for axes in groups)
        views.append(View(source, batches, lanes, sums))
    return packed_product(builder, (views[0], views[1]), operands, sizes, dtype, wide)


def packed_product(
    builder: Builder,
    views: tuple[View, View],
    operands: tuple[Node, Node],
    sizes: Sequence[tuple[int, ...]],
    dtype: Any,
    wide: Any,
) -> list[Node]:
    """The packed product of two views, in axes (batch, rows, columns) of some sizes."""
    numbers = tuple([math.prod(n) for n in sizes])
    ranks = tuple([len(n) for n in sizes[:3]])
    shape = (*sizes[0], *sizes[1], *sizes[2])
    parts = parts_of_sum(views, numbers)
    if parts > 1:
        # Each part of the sum is one more product; then these are added up, in order.
        views = (_in_parts(views[0], parts), _in_parts(views[1], parts))
        numbers, ranks = (parts, *numbers[1:3], numbers[3] // parts), (1 + ranks[0], *ranks[1:])
    params = {"views": views, "sizes": numbers, "ranks": ranks}
    block = Block("contract", [builder.in_memory(view.node) for view in views], params)
    product(block, views, numbers, wide)
    if parts == 1:
        return _rounded(builder, builder.result("memory", block), operands, shape, dtype, wide)
    partial = ShapedArray((parts, *shape), wide)
    whole = builder.adopt(builder.result("memory", block), partial, "contract", operands)
    (total,) = builder.reduce([whole], (0,), "add", [0])
    total.operands = (whole,)
    return _rounded(builder, total, (whole, whole), shape, dtype, wide)


def parts_of_sum(views: tuple[View, View], sizes: Sequence[int]) -> int:
    """How many parts a long sum of a small result is made in, so that threads have something to do
    and each part of the operands is read once.
    """
    count, rows, columns, length = sizes
    outer = [view.sums[0][0] for view in views]
    most = min(length // _PART, _PARTS)
    is_small = rows * columns <= _SMALL_RESULT and 2 * max(rows, columns) <= length
    if count != 1 or not is_small or length < _LONG or rows * columns * length < _PARTED:
        return 1
    return next((n for n in range(most, 1, -1) if not any(size % n for size in outer)), 1)


def _in_parts(view: View, parts: int) -> View:
    """A view whose sum is cut into some parts, which are its batch."""
    batch, sums = _cut(view.sums, parts)
    bounds = view.bounds
    if bounds is not None:
        places = _cut(bounds.sums, parts)
        bounds = bounds._replace(batch=places[0], sums=places[1])
    return View(view.node, batch, view.lanes, sums, bounds)


def _cut(axes: gemm.Axes, parts: int) -> tuple[gemm.Axes, gemm.Axes]:
    """Axes whose first one is cut into parts: the parts, and what a part has."""
    (size, stride), *inner = axes
    return ((parts, size // parts * stride),), ((size // parts, stride), *inner)


def converted(builder: Builder, x: Node, wide: Any) -> Node:
    """An operand in the dtype that products are made in."""
    if x.dtype == wide:
        return x
    return builder.derived(
        "convert", x, x.shape, wide, lambda index: builder.convert(x.at(index), wide)
    )


def _rounded(
    builder: Builder,
    result: Node,
    operands: tuple[Node, Node],
    shape: tuple[int, ...],
    dtype: Any,
    wide: Any,
) -> list[Node]:
    """A result in the dtype that is wanted."""
    if wide == dtype:
        return [result]
    # Half precision: the result is one more node, rounded afterwards.
    inner = builder.adopt(result, ShapedArray(shape, wide), "contract", operands)
    rounded = builder.pull(lambda index: builder.convert(inner.at(index), dtype))
    rounded.operands = (inner,)
    return [rounded]


def strides_of(x: Node) -> tuple[Node, list[int]]:
    """What a value is a transpose of, and the strides of its axes there."""
    source, axes = x, tuple(range(len(x.shape)))
    while source.view is not None:
        permutation = source.view
        source = source.operands[0]
        axes = tuple([permutation[d] for d in axes])
    strides = [1] * len(source.shape)
    for d in range(len(source.shape) - 2, -1, -1):
        strides[d] = strides[d + 1] * source.shape[d + 1]
    return source, [strides[d] for d in axes]


def _side(
    builder: Builder, x: Node, batch: Axes, free: Axes, contracting: Axes, is_right: bool
) -> Side:
    """Find strides of the operand, looking through transposes; copy it if no strides fit."""
    source, strides = strides_of(x)
    here = {d: (x.shape[d], strides[d]) for d in range(len(x.shape))}
    free_stride = _one_stride([here[d] for d in free])
    sum_stride = _one_stride([here[d] for d in contracting])
    rows = math.prod([x.shape[d] for d in free])
    length = math.prod([x.shape[d] for d in contracting])
    if free_stride is not None and sum_stride is not None:
        # The left matrix is rows by sum, the right one sum by columns.
        outer, inner = (sum_stride, free_stride) if is_right else (free_stride, sum_stride)
        outer_size, inner_size = (length, rows) if is_right else (rows, length)
        batch_strides = tuple([here[d][1] for d in batch])
        if (inner == 1 or inner_size == 1) and (outer >= inner_size or outer_size == 1):
            return Side(source, batch_strides, max(outer, inner_size, 1), False)
        if (outer == 1 or outer_size == 1) and (inner >= outer_size or inner_size == 1):
            return Side(source, batch_strides, max(inner, outer_size, 1), True)
    order = (*batch, *((*contracting, *free) if is_right else (*free, *contracting)))
    shape = tuple([x.shape[d] for d in order])
    inverse = [order.index(d) for d in range(len(order))]
    copy = builder.derived(
        "transpose", x, shape, x.dtype, lambda index: x.at([index[p] for p in inverse])
    )
    sizes = [x.shape[d] for d in batch]
    matrix = rows * length
    batch_strides = tuple([matrix * math.prod(sizes[i + 1 :]) for i in range(len(sizes))])
    return Side(copy, batch_strides, max(rows if is_right else length, 1), False)


def _one_stride(axes: Sequence[tuple[int, int]]) -> int | None:
    """The stride of axes (size, stride) taken as one; None if they are not one."""
    axes = [axis for axis in axes if axis[0] != 1]
    if not axes:
        return 1
    for (_, outer), (size, inner) in itertools.pairwise(axes):
        if outer != size * inner:
            return None
    return axes[-1][1]


def emit_contract(writer: EntryWriter, block: Block) -> None:
    """Call the library's product for each index of the batch, in tasks of rows or columns when
    there is much to do.

    The library runs on the calling thread; the partition into tasks depends on the shapes alone.
    """
    sizes = block.params["sizes"]
    count, rows, columns, length = (math.prod(n) for n in sizes)
    by_rows = rows >= columns
    extent = rows if by_rows else columns
    flops = 2.0 * rows * columns * length
    chunk = extent
    if flops > _TASK_FLOPS:
        wanted = min(int(flops / _TASK_FLOPS), -(-_TASKS // count))
        chunk = max(-(-extent // max(wanted, 1)), _CHUNK)
        chunk = min(-(-chunk // 16) * 16, extent)
    pieces = -(-extent // chunk)
    tasks = count * pieces
    product = _Product(writer, block, by_rows, chunk, pieces)
    if count * flops <= _TASK_FLOPS or tasks == 1:
        writer.loop(tasks, lambda task: product.call(writer.main, task, writer.main_pointer))
        return
    code = Code()
    product.call(code, Val(code, "%task", INT64, 1), writer.pointer(code))
    code.ret()
    name = writer.local_function(code)
    writer.parallel(name, tasks)


#: Operations of a task of the library's product, tasks of one product at most, and rows of a task
#: at least.
_TASK_FLOPS, _TASKS, _CHUNK = 4_000_000.0, 64, 96


class _Product:
    """One matrix product for each task: a chunk of rows or columns at one index of the batch."""

    def __init__(
        self, writer: EntryWriter, block: Block, by_rows: bool, chunk: int, pieces: int
    ) -> None:
        self.writer = writer
        self.sides: tuple[Side, Side] = block.params["sides"]
        self.sizes: tuple[tuple[int, ...], ...] = block.params["sizes"]
        (self.result,) = [x for x in block.results if x.number >= 0]
        self.by_rows = by_rows
        self.chunk = chunk
        self.pieces = pieces

    def call(self, code: Code, task: Val, pointer: Callable[[Any], str]) -> None:
        """Write the call of one task."""
        left, right = self.sides
        rows, columns, length = (math.prod(self.sizes[i]) for i in (1, 2, 3))
        extent = rows if self.by_rows else columns
        dtype = self.result.dtype
        batch, piece = task, code.index(0)
        if self.pieces > 1:
            batch = task.binary("udiv", self.pieces)
            piece = task - batch * self.pieces
        start = piece * self.chunk
        here = f"i32 {extent}"
        if self.pieces > 1:
            left_over = code.index(extent) - start
            size = code.smaller(left_over, code.index(self.chunk))
            here = f"i32 {code.value(f'trunc {size.typed} to i32', INT64, 1).name}"
        matrix = rows * columns
        batch_sizes = self.sizes[0]
        whole = tuple([matrix * math.prod(batch_sizes[i + 1 :]) for i in range(len(batch_sizes))])
        addresses: list[str] = []
        for node, strides in (
            (left.node, left.batch),
            (right.node, right.batch),
            (self.result, whole),
        ):
            offset = self._batch_offset(code, batch, batch_sizes, strides)
            address = pointer(node.buffer)
            addresses.append(code.gep(address, dtype, offset) if offset is not None else address)
        if self.pieces > 1:
            moved, side = (0, left) if self.by_rows else (1, right)
            # Rows of the left matrix, columns of the right one: apart by the leading dimension, or
            # neighbours.
            step = side.leading if side.transposed != self.by_rows else 1
            addresses[moved] = code.gep(addresses[moved], dtype, start * step)
            addresses[2] = code.gep(addresses[2], dtype, start * (columns if self.by_rows else 1))
        a, b, c = addresses
        trans = [112 if side.transposed else 111 for side in self.sides]
        if dtype.kind == "c":
            alpha, beta = (f"ptr {self.writer.number(code, dtype, value)}" for value in (1, 0))
        else:
            kind = _LLVM[dtype.name]
            alpha, beta = f"{kind} 1.0", f"{kind} 0.0"
        self.writer.call(
            f"cblas_{_ROUTINES[dtype.name]}gemm",
            "void",
            "i32 101",
            f"i32 {trans[0]}",
            f"i32 {trans[1]}",
            here if self.by_rows else f"i32 {rows}",
            f"i32 {columns}" if self.by_rows else here,
            f"i32 {length}",
            alpha,
            f"ptr {a}",
            f"i32 {left.leading}",
            f"ptr {b}",
            f"i32 {right.leading}",
            beta,
            f"ptr {c}",
            f"i32 {columns}",
            code=code,
        )

    @staticmethod
    def _batch_offset(
        code: Code, batch: Val, sizes: Sequence[int], strides: Sequence[int]
    ) -> Val | None:
        """Where the matrix of a batch index begins."""
        total: Val | None = None
        rest = batch
        for position in range(len(sizes) - 1, -1, -1):
            if sizes[position] == 1:
                continue
            if position and math.prod(sizes[:position]) > 1:
                quotient = rest.binary("udiv", sizes[position])
                index, rest = rest - quotient * sizes[position], quotient
            else:
                index = rest
            term = index * strides[position]
            total = term if total is None else total + term
        return total
