"""The tasks of a packed matrix product, generic in all sizes: packing, and blocks of the result.

A product is described by a table of int64 (`FIELDS`, then the axes of the operands), made with the
program. The partition into tasks and the order of sums follow from it alone.
"""

from __future__ import annotations

from typing import Any

from vires.engine.llvm.code import Code, Val, module
from vires.engine.llvm.gemm_kernel import micro_kernel, tile_of
from vires.engine.llvm.gemm_pack import (
    argument,
    axes_function,
    fill_function,
    least,
    pack_function,
    times,
)
from vires.engine.llvm.kinds import INT64

#: Fields of the table. `step` is the distance of the right operand's rows if it is not packed, else
#: 0; `padded_rows` and `padded_columns` the numbers of them in packed panels, 0 rows if the left
#: operand is packed by each block for itself; `leading` the distance of the result's rows; the last
#: fields are positions of axes.
FIELDS = [
    "rows",
    "columns",
    "length",
    "sum_chunk",
    "row_chunk",
    "row_chunks",
    "column_chunk",
    "column_chunks",
    "step",
    "padded_rows",
    "padded_columns",
    "sum_chunks",
    "left_group",
    "left_groups",
    "right_group",
    "right_groups",
    "left_mode",
    "right_mode",
    "leading",
    "left_batch",
    "left_rows",
    "left_sums",
    "right_batch",
    "right_columns",
    "right_sums",
    "result_batch",
]
#: Rows and terms of the sums of a block at most.
ROWS, TERMS = 96, 256


class _Table:
    """The fields of a product, as a function reads them."""

    def __init__(self, code: Code) -> None:
        self._code = code

    def __getitem__(self, name: str) -> Val:
        place = self._code.gep("%table", "int64", FIELDS.index(name))
        return self._code.load(place, "int64")

    def axes(self, name: str) -> str:
        """The address of some axes."""
        return self._code.gep("%table", "int64", self[name])


def _offset(code: Code, axes: str, at: Val) -> Val:
    return code.impure(f"call i64 @offset(ptr {axes}, {at.typed})", INT64, 1)


def _local(code: Code, kind: str, count: int) -> str:
    name = code.fresh()
    code.emit(f"{name} = alloca {kind}, i64 {count}, align 64")
    return name


def side_function(dtype: Any, side: str) -> tuple[str, Code]:
    """``left`` or ``right(table, source, packed, task)``: panels of an operand, for one part of the
    sum.
    """
    code, tile = Code(), tile_of(dtype)
    width, multiple, lanes_of = (
        (tile.rows, tile.rows, "rows") if side == "left" else (tile.columns, tile.lanes, "columns")
    )
    table = _Table(code)
    lanes, sums = _local(code, "i64", width), _local(code, "i64", TERMS)
    groups, chunks = table[f"{side}_groups"], table["sum_chunks"]
    padded = table[f"padded_{lanes_of}"]
    task = argument(code, "task")
    rest = task.binary("udiv", groups)
    number = task - rest * groups
    batch = rest.binary("udiv", chunks)
    length, count = table["length"], table[lanes_of]
    start = (rest - batch * chunks) * table["sum_chunk"]
    terms = least(code, table["sum_chunk"], length - start)
    source = code.gep("%source", dtype, _offset(code, table.axes(f"{side}_batch"), batch))
    packed = code.gep("%packed", dtype, batch * length * padded + start * padded)
    mode = table[f"{side}_mode"]
    axes = table.axes(f"{side}_{lanes_of}")
    code.emit(
        f"call void @fill(ptr {sums}, ptr {table.axes(f'{side}_sums')}, {start.typed}, "
        f"{terms.typed}, {length.typed})"
    )
    first = number * table[f"{side}_group"]
    stop = least(code, first + table[f"{side}_group"], count)

    def panel(j: Val) -> None:
        valid = least(code, count - j, width)
        whole = (valid + (multiple - 1)) & -multiple
        code.emit(
            f"call void @fill(ptr {lanes}, ptr {axes}, {j.typed}, {whole.typed}, {count.typed})"
        )
        target = code.gep(packed, dtype, j * terms)
        code.emit(
            f"call void @pack(ptr {source}, ptr {target}, ptr {lanes}, ptr {sums}, {valid.typed}, "
            f"{whole.typed}, {terms.typed}, {mode.typed})"
        )

    times(code, first, stop, width, panel)
    code.ret()
    return code.define(side, ["ptr %table", "ptr %source", "ptr %packed", "i64 %task"]), code


def block_function(dtype: Any) -> tuple[str, Code]:
    """``block(table, a, b, c, packed_a, packed_b, task)``: one block of the result, whole sums."""
    code, tile = Code(), tile_of(dtype)
    table = _Table(code)
    kind = "float" if dtype.itemsize == 4 else "double"
    lanes, sums = _local(code, "i64", ROWS), _local(code, "i64", TERMS)
    panels = _local(code, kind, ROWS * TERMS)
    rows, columns, length = table["rows"], table["columns"], table["length"]
    across, down = table["column_chunks"], table["row_chunks"]
    task = argument(code, "task")
    rest = task.binary("udiv", across)
    column = (task - rest * across) * table["column_chunk"]
    batch = rest.binary("udiv", down)
    row = (rest - batch * down) * table["row_chunk"]
    height = least(code, table["row_chunk"], rows - row)
    breadth = least(code, table["column_chunk"], columns - column)
    left = code.gep("%a", dtype, _offset(code, table.axes("left_batch"), batch))
    right_offset = _offset(code, table.axes("right_batch"), batch)
    leading = table["leading"]
    place = _offset(code, table.axes("result_batch"), batch) + row * leading + column
    result = code.gep("%c", dtype, place)
    step, padded = table["step"], table["padded_columns"]
    mode, chunk = table["left_mode"], table["sum_chunk"]
    is_packed = step.compare("eq", 0)
    straight = code.gep("%b", dtype, right_offset + column)
    packed = code.gep("%packed_b", dtype, batch * length * padded)
    padded_rows = table["padded_rows"]
    packed_left = code.gep("%packed_a", dtype, batch * length * padded_rows)
    has_left = padded_rows.compare("ne", 0)
    axes = table.axes("left_sums")
    padded_height = (height + (tile.rows - 1)) & -tile.rows
    zero = code.index(0)
    # What is packed already takes no turns.
    own_height = code.select(has_left, zero, height)
    own_lanes = code.select(has_left, zero, padded_height)
    code.emit(
        f"call void @fill(ptr {lanes}, ptr {table.axes('left_rows')}, {row.typed}, "
        f"{own_lanes.typed}, {rows.typed})"
    )

    def part(number: Val) -> None:
        start = number * chunk
        terms = least(code, chunk, length - start)
        code.emit(
            f"call void @fill(ptr {sums}, ptr {axes}, {start.typed}, "
            f"{code.select(has_left, zero, terms).typed}, {length.typed})"
        )

        def pack(i: Val) -> None:
            target = code.gep(panels, dtype, i * terms)
            place = code.gep(lanes, "int64", i)
            valid = least(code, height - i, tile.rows)
            code.emit(
                f"call void @pack(ptr {left}, ptr {target}, ptr {place}, ptr {sums}, "
                f"{valid.typed}, i64 {tile.rows}, {terms.typed}, {mode.typed})"
            )

        times(code, zero, own_height, tile.rows, pack)
        far_left = code.gep(packed_left, dtype, start * padded_rows + row * terms)
        text = f"select {has_left.typed}, ptr {far_left}, ptr {panels}"
        left_panels = code.value(text, INT64, 1).name
        first = start.compare("eq", 0)

        def panel(j: Val) -> None:
            valid = least(code, breadth - j, tile.columns)
            vectors = (valid + (tile.lanes - 1)).binary("udiv", tile.lanes)
            last = valid - (vectors - 1) * tile.lanes
            near = code.gep(straight, dtype, start * step + j)
            far = code.gep(packed, dtype, start * padded + (column + j) * terms)
            text = f"select {is_packed.typed}, ptr {far}, ptr {near}"
            source = code.value(text, INT64, 1).name
            distance = code.select(is_packed, vectors * tile.lanes, step)
            target = code.gep(result, dtype, j)

            def micro(vector: int) -> None:
                def call(i: Val) -> None:
                    panel = code.gep(left_panels, dtype, i * terms)
                    here = code.gep(target, dtype, i * leading)
                    high = height - i
                    code.emit(
                        f"call void @micro{vector}(ptr {panel}, ptr {source}, ptr {here}, "
                        f"{terms.typed}, {distance.typed}, {high.typed}, {last.typed}, "
                        f"{leading.typed}, {first.typed})"
                    )

                times(code, zero, height, tile.rows, call)

            done = code.fresh_label("panel")
            for vector in range(tile.vectors, 0, -1):
                here, other = code.fresh_label("tile"), code.fresh_label("other")
                if vector > 1:
                    code.cond_br(vectors.compare("eq", vector), here, other)
                    code.label(here)
                micro(vector)
                code.br(done)
                if vector > 1:
                    code.label(other)
            code.label(done)

        times(code, zero, breadth, tile.columns, panel)

    times(code, zero, table["sum_chunks"], 1, part)
    code.ret()
    parameters = [
        "ptr %table", "ptr %a", "ptr %b", "ptr %c", "ptr %packed_a", "ptr %packed_b", "i64 %task",
    ]  # fmt: skip
    return code.define("block", parameters), code


def driver_modules(dtype: Any) -> list[tuple[str, int]]:
    """The texts of three modules with the effort of the compiler: the micro-kernels; packing; what
    calls them.
    """
    numbers = range(1, tile_of(dtype).vectors + 1)
    kernels = [micro_kernel(dtype, number) for number in numbers]
    packing = [axes_function(), fill_function(), pack_function(dtype)]
    parts = [
        side_function(dtype, "left"),
        side_function(dtype, "right"),
        block_function(dtype),
    ]
    types = "ptr, ptr, ptr, i64, i64, i64, i64, i64, i1"
    declared = [f"declare void @micro{number}({types})" for number in numbers]
    declared.append("declare void @pack(ptr, ptr, ptr, ptr, i64, i64, i64, i64)")
    declared.append("declare void @fill(ptr, ptr, i64, i64, i64)")
    declared.append("declare i64 @offset(ptr, i64)")
    return [
        (module([text for text, _ in kernels], [code for _, code in kernels]), 1),
        (module([text for text, _ in packing], [code for _, code in packing]), 1),
        (module([*declared, *[text for text, _ in parts]], [code for _, code in parts]), 0),
    ]
