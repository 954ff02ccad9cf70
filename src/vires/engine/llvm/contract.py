"""Contractions: a loop nest for small ones and for dtypes without a library, OpenBLAS for large float ones.

The library gets strides, so that transposed operands and operands with batch axes in the middle need no copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vires.core.avals import ShapedArray
from vires.engine.llvm.expressions import canonical
from vires.engine.llvm.program import Block, Node, Reduction

if TYPE_CHECKING:
    from vires.engine.llvm.builder import Builder
    from vires.engine.llvm.emit_program import ProgramWriter

#: Products of the sizes of rows, columns and sum from which the library is worth its call.
_LIBRARY = 8192
_ROUTINES = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
_LLVM = {"float32": "float", "float64": "double"}
Axes = tuple[int, ...]


class Side(NamedTuple):
    """One operand in memory: for each axis of the batch a stride; one matrix with its leading dimension."""

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
) -> Node | list[Node]:
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
    wide = np.dtype(np.float32) if dtype.name in ("float16", "bfloat16") else dtype
    if (
        wide.name in _ROUTINES
        and rows > 1
        and columns > 1
        and rows * columns * length >= _LIBRARY
        and count * rows * columns * length < 1 << 62
        and max(rows, columns, length) < 1 << 31
    ):
        return _library(builder, (lhs, rhs), contracting, batch, free, sizes, dtype, wide)
    return _loops(builder, lhs, rhs, contracting, batch, free, sizes, dtype)


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
    accumulator = np.dtype(np.float32) if dtype.itemsize < 4 and dtype.kind in "fV" else dtype

    def element(index: Any) -> list[Any]:
        a = builder.convert(lhs.at([index[p] for p in places[0]]), accumulator)  # type: ignore[attr-defined]
        b = builder.convert(rhs.at([index[p] for p in places[1]]), accumulator)  # type: ignore[attr-defined]
        return [builder.node("and" if is_bool else "mul", (a, b), accumulator)]

    axes = tuple(range(start_sum, len(shape)))
    identity = False if is_bool else 0
    group = Reduction((), axes, "or" if is_bool else "add", [identity], element, shape)
    group.contraction = accumulator.kind == "f"
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
    sides = []
    for i, x in enumerate(operands):
        if x.dtype != wide:
            x = builder.derived("convert", x, x.shape, wide, lambda index, x=x: builder.convert(x.at(index), wide))
        sides.append(_side(builder, x, batch[i], free[i], contracting[i], i == 1))
    shape = (*sizes[0], *sizes[1], *sizes[2])
    block = Block("contract", [side.node for side in sides], {"sides": tuple(sides), "sizes": tuple(sizes)})
    result = builder.result("memory", block)
    if wide == dtype:
        return [result]
    # Half precision: the block's result is one more node, rounded afterwards.
    inner = builder.adopt(result, ShapedArray(shape, wide), "contract", operands)
    rounded = builder.pull(lambda index: builder.convert(inner.at(index), dtype))  # type: ignore[attr-defined]
    rounded.operands = (inner,)
    return [rounded]


def _side(builder: Builder, x: Node, batch: Axes, free: Axes, contracting: Axes, is_right: bool) -> Side:
    """Find strides of the operand, looking through transposes; copy it if no strides fit."""
    source, axes = x, tuple(range(len(x.shape)))
    while source.view is not None:
        permutation = source.view
        source = source.operands[0]
        axes = tuple([permutation[d] for d in axes])
    strides = [1] * len(source.shape)
    for d in range(len(source.shape) - 2, -1, -1):
        strides[d] = strides[d + 1] * source.shape[d + 1]
    here = {d: (x.shape[d], strides[axes[d]]) for d in range(len(x.shape))}
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
    copy = builder.derived("transpose", x, shape, x.dtype, lambda index: x.at([index[p] for p in inverse]))  # type: ignore[attr-defined]
    sizes = [x.shape[d] for d in batch]
    matrix = rows * length
    batch_strides = tuple([matrix * math.prod(sizes[i + 1 :]) for i in range(len(sizes))])
    return Side(copy, batch_strides, max(rows if is_right else length, 1), False)


def _one_stride(axes: Sequence[tuple[int, int]]) -> int | None:
    """The stride of axes (size, stride) taken as one; None if they are not one."""
    axes = [axis for axis in axes if axis[0] != 1]
    if not axes:
        return 1
    for (_, outer), (size, inner) in zip(axes[:-1], axes[1:], strict=True):
        if outer != size * inner:
            return None
    return axes[-1][1]


def emit_contract(writer: ProgramWriter, block: Block) -> None:
    """Call the library's product for each index of the batch."""
    sides, sizes = block.params["sides"], block.params["sizes"]
    (result,) = block.results
    assert result.buffer is not None
    rows, columns, length = (math.prod(sizes[i]) for i in (1, 2, 3))
    dtype = result.dtype
    letter = _ROUTINES[dtype.name]
    pointers = [writer.main_pointer(x.buffer) for x in (sides[0].node, sides[1].node, result)]  # type: ignore[arg-type]
    matrix = rows * columns
    batch = sizes[0]
    batch_strides = [
        sides[0].batch,
        sides[1].batch,
        tuple([matrix * math.prod(batch[i + 1 :]) for i in range(len(batch))]),
    ]

    def call(addresses: Sequence[str]) -> None:
        a, b, c = addresses
        trans = [112 if side.transposed else 111 for side in sides]
        if dtype.kind == "c":
            one, zero = writer.table(dtype, 1), writer.table(dtype, 0)
            alpha, beta = f"ptr {one}", f"ptr {zero}"
        else:
            kind = _LLVM[dtype.name]
            alpha, beta = f"{kind} 1.0", f"{kind} 0.0"
        writer.call(
            f"cblas_{letter}gemm", "void", "i32 101", f"i32 {trans[0]}", f"i32 {trans[1]}", f"i32 {rows}",
            f"i32 {columns}", f"i32 {length}", alpha, f"ptr {a}", f"i32 {sides[0].leading}", f"ptr {b}",
            f"i32 {sides[1].leading}", beta, f"ptr {c}", f"i32 {columns}",
        )  # fmt: skip

    writer.batch_loop(batch, batch_strides, [x.dtype for x in (sides[0].node, sides[1].node, result)], pointers, call)
