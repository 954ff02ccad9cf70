"""Packed matrix products: what a program says of one, and its calls.

The code is generic in all sizes and shared by all programs (`gemm_code`); a program holds a table
of integers for each product, which says where elements lie and how the work is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from vires.engine.llvm.calls import Call, Known, Table, kernel_call
from vires.engine.llvm.gemm_code import PREFIX, prepare
from vires.engine.llvm.gemm_driver import FIELDS, ROWS, TERMS
from vires.engine.llvm.gemm_kernel import tile_of
from vires.engine.llvm.gemm_near import RUN, Axes, Bounds
from vires.engine.llvm.gemm_pack import LANES, NEAR, SCATTERED, SUMS, square
from vires.engine.llvm.program import Block, Buffer, Node

if TYPE_CHECKING:
    from vires.engine.llvm.emit_program import ProgramWriter

#: The dtypes that have packed products.
DTYPES = ("float32", "float64")
#: Operations of a task at least, tasks of one product that are enough, and those that are worth
#: small tiles.
_TASK_FLOPS, _TASKS, _FEW = 1_500_000.0, 64, 8
#: A left operand is read where it lies for so many tiles of columns at most, unless its rows are
#: apart by a multiple of so many bytes, so that they compete for the same places of the cache.
_NEAR_TILES, _NEAR_PAGE = 8, 2048
#: Elements that a task packs.
_GROUP = 1 << 14
#: A right operand in memory is packed if more rows than this read it, or a quarter of them where
#: all of its own rows compete for the same places of the cache; rows of few bytes never are.
_STRAIGHT_ROWS, _PAGE, _STRAIGHT_BYTES = 256, 4096, 512


class View(NamedTuple):
    """An operand: batch, lanes (rows of the left one, columns of the right one) and sum, in axes of
    (size, stride in elements). Only left operands may have bounds.
    """

    node: Node
    batch: Axes
    lanes: Axes
    sums: Axes
    bounds: Bounds | None = None


class Layout(NamedTuple):
    """Where a product writes: its batch, and the distance of its rows. Columns are neighbours."""

    batch: Axes
    leading: int


def merged(axes: Sequence[tuple[int, int]]) -> Axes:
    """The same elements with as few axes as possible, at least one."""
    result: list[tuple[int, int]] = []
    for size, stride in axes:
        if size == 1:
            continue
        if result and result[-1][1] == size * stride:
            result[-1] = (result[-1][0] * size, stride)
        else:
            result.append((size, stride))
    return tuple(result) or ((1, 0),)


def merged_pairs(axes: Sequence[tuple[int, int, int]]) -> tuple[Axes, Axes]:
    """The same for axes with two strides each: the axes with the first ones and with the second."""
    result: list[tuple[int, int, int]] = []
    for size, stride, other in axes:
        if size == 1:
            continue
        if result and result[-1][1:] == (size * stride, size * other):
            result[-1] = (result[-1][0] * size, stride, other)
        else:
            result.append((size, stride, other))
    result = result or [(1, 0, 0)]
    return tuple([(n, stride) for n, stride, _ in result]), tuple([(n, x) for n, _, x in result])


class Product(NamedTuple):
    """How a product is done: its table, the number of tasks, and what is packed beforehand."""

    dtype: Any
    table: tuple[int, ...]
    tasks: int
    left_tasks: int
    right_tasks: int
    #: Memory for the panels of the left and of the right operand.
    packed: tuple[Buffer | None, ...]
    flops: float
    batch: int
    #: Whether the result is a stack of matrices without gaps.
    plain: bool

    def field(self, name: str) -> int:
        """A field of the table."""
        return self.table[FIELDS.index(name)]


def product(
    block: Block,
    sides: tuple[View, View],
    sizes: Sequence[int],
    dtype: Any,
    layout: Layout | None = None,
) -> None:
    """Make a block one of a packed product of (count, rows, columns, length)."""
    prepare(dtype)
    count, rows, columns, length = sizes
    if layout is None:
        layout = Layout(((count, rows * columns),), columns)
    left, right = sides
    tile = tile_of(dtype)
    # Parts of the sum are whole runs, whichever operand is the left one.
    pieces = [_run_of(view) for view in sides]
    unit = max([8, *[run for view, run in zip(sides, pieces, strict=True) if view.sums[1:]]])
    terms = _even(length, -(-length // (TERMS // unit * unit)), unit)
    is_near, run, runs = _is_near(left, columns, dtype), 1, ((1, 0),)
    if is_near:
        # A sum of one axis has one run in each part.
        run = pieces[0] if left.sums[1:] else terms
        runs = _runs(left.sums, run, 1)
    bounds = left.bounds or Bounds(((1, 0),), ((1, 0),), ((1, 0),), 0, 0, 0, 0)
    sum_chunks = -(-length // terms)
    padded_columns = -(-columns // tile.lanes) * tile.lanes
    flops = 2.0 * rows * padded_columns * length
    row_chunk, column_chunk = _chunks(count, rows, columns, flops, tile.rows, tile.columns)
    row_chunks, column_chunks = -(-rows // row_chunk), -(-columns // column_chunk)
    step = _step(right, rows, columns, tile.lanes, dtype.itemsize)
    padded_rows = -(-rows // tile.rows) * tile.rows if column_chunks > 1 and not is_near else 0
    left_group, right_group = (_group(terms, width) for width in (tile.rows, tile.columns))
    left_groups, right_groups = -(-rows // left_group), -(-columns // right_group)
    fields = {
        "rows": rows, "columns": columns, "length": length, "sum_chunk": terms,
        "row_chunk": row_chunk, "row_chunks": row_chunks, "column_chunk": column_chunk,
        "column_chunks": column_chunks, "step": step, "padded_rows": padded_rows,
        "padded_columns": padded_columns, "sum_chunks": sum_chunks, "left_group": left_group,
        "left_groups": left_groups, "right_group": right_group, "right_groups": right_groups,
        "left_mode": NEAR if is_near else _mode(left, tile.rows, square(dtype)),
        "right_mode": _mode(right, tile.columns, square(dtype)),
        "leading": layout.leading, "run": run, "shift": bounds.shift, "start": bounds.start,
        "stop": bounds.stop, "inside": bounds.inside,
    }  # fmt: skip
    table: list[int] = []
    for name, axes in (
        ("left_batch", left.batch), ("left_rows", left.lanes), ("left_sums", left.sums),
        ("left_runs", runs), ("batch_places", bounds.batch), ("row_places", bounds.lanes),
        ("sum_places", bounds.sums), ("run_places", _runs(bounds.sums, run, 0)),
        ("right_batch", right.batch), ("right_columns", right.lanes), ("right_sums", right.sums),
        ("result_batch", layout.batch),
    ):  # fmt: skip
        fields[name] = len(FIELDS) + len(table)
        table += [len(axes), *[number for axis in axes for number in axis]]
    tasks = count * row_chunks * column_chunks
    left_tasks = count * sum_chunks * left_groups if padded_rows else 0
    right_tasks = 0 if step else count * sum_chunks * right_groups
    values = (*[fields[name] for name in FIELDS], *table)
    packed = tuple([
        Buffer((count * length * padded,), dtype) if number else None
        for number, padded in ((left_tasks, padded_rows), (right_tasks, padded_columns))
    ])  # fmt: skip
    plain = layout.leading == columns and (count == 1 or layout.batch[0][1] == rows * columns)
    block.params["product"] = Product(
        dtype, values, tasks, left_tasks, right_tasks, packed, count * flops, count,
        plain and len(layout.batch) == 1,
    )  # fmt: skip
    block.params["buffers"] = [buffer for buffer in packed if buffer is not None]


def _group(terms: int, width: int) -> int:
    """Lanes that a task packs."""
    return max(_GROUP // (terms * width), 1) * width


def _even(size: int, parts: int, multiple: int) -> int:
    """The size of about equal parts, a multiple of something."""
    part = -(-size // parts)
    return -(-part // multiple) * multiple


def _chunks(
    count: int, rows: int, columns: int, flops: float, height: int, width: int
) -> tuple[int, int]:
    """Rows and columns of a task: a power of two of them, so that any number of threads has about
    equally much to do.
    """
    wanted = min(flops * count / _TASK_FLOPS, _TASKS)
    down, across = 1, 1
    while rows > ROWS * down:
        down *= 2
    while count * down * across < wanted:
        if columns >= 8 * width * across:
            across *= 2
        elif rows >= 6 * height * down:
            down *= 2
        elif columns >= 4 * width * across:
            across *= 2
        elif rows >= 2 * height * down and count * down * across < _FEW:
            down *= 2
        else:
            break
    return _even(rows, down, height), _even(columns, across, width)


def _step(right: View, rows: int, columns: int, lanes: int, size: int) -> int:
    """The distance of the rows of a right operand that is used where it lies; 0 to pack it."""
    if columns % lanes or len(right.lanes) != 1 or len(right.sums) != 1:
        return 0
    step = right.sums[0][1]
    most = _STRAIGHT_ROWS if step * size % _PAGE else _STRAIGHT_ROWS // 4
    is_few = rows <= most or step * size <= _STRAIGHT_BYTES
    return step if right.lanes[0][1] == 1 and is_few else 0


def _run_of(view: View) -> int:
    """The terms of the sum that a view has in a row, as far as they are read together; 0 if few."""
    size, stride = view.sums[-1]
    if stride != 1 or size < RUN:
        return 0
    pieces = -(-size // TERMS)
    while size % pieces:
        pieces += 1
    return size // pieces if size >= RUN * pieces else 0


def _runs(sums: Axes, run: int, stride: int) -> Axes:
    """The axes of whole runs; the last one may end in a shorter run."""
    return (*sums[:-1], (-(-sums[-1][0] // run), run * stride))


def _is_near(view: View, columns: int, dtype: Any) -> bool:
    """Whether a left operand is read where it lies instead of being packed."""
    rows, leading = view.lanes[-1]
    is_few = columns <= _NEAR_TILES * tile_of(dtype).columns
    has_runs = view.sums[-1][1] == 1 and (
        _run_of(view) if view.sums[1:] else view.sums[0][0] >= RUN
    )
    is_steady = view.bounds is None or view.bounds.sums[-1][1] == 0
    far = leading * dtype.itemsize % _NEAR_PAGE != 0 or rows == 1
    return bool(is_few and has_runs and is_steady and far)


def takes_bounds(view: View, columns: int, dtype: Any) -> bool:
    """Whether a left operand may have its bounds."""
    assert view.bounds is not None
    if _is_near(view, columns, dtype):
        return True
    rows = tile_of(dtype).rows
    return _mode(view, rows, square(dtype)) == LANES and view.bounds.lanes[-1][1] == 0


def _mode(view: View, width: int, size: int) -> int:
    """How the elements of panels lie in memory."""
    for axes, multiple, mode in ((view.lanes, width, LANES), (view.sums, size, SUMS)):
        inner, stride = axes[-1]
        if stride == 1 and (len(axes) == 1 or inner % multiple == 0):
            return mode
    return SCATTERED


def emit_product(writer: ProgramWriter, block: Block) -> None:
    """Call the tasks of a product: those that pack operands, then the blocks."""
    work: Product = block.params["product"]
    table = Table(8, tuple(work.table))
    (result,) = [x for x in block.results if x.number >= 0]
    left, right = (x.memory for x in block.operands)
    symbol = f"{PREFIX}{work.dtype.name}_"
    epilogue = block.params.get("epilogue")
    after = None if epilogue is None else epilogue.function(writer, work)
    sides = (
        ("left", left, work.packed[0], work.left_tasks),
        ("right", right, work.packed[1], work.right_tasks),
    )
    for side, source, packed, tasks in sides:
        if packed is not None:
            packing = Call(f"{symbol}{side}", (table, source, packed, Known.TASK))
            writer.run([packing], tasks, threads=tasks > 1 and packed.size > _GROUP)
    own = [Known.NULL if x is None else x for x in work.packed]
    calls = [Call(f"{symbol}block", (table, left, right, result.memory, *own, Known.TASK))]
    if after is not None:
        body, buffers = after
        calls.append(kernel_call(body.name, buffers))
    writer.run(calls, work.tasks, threads=work.tasks > 1 and work.flops >= _TASK_FLOPS)
