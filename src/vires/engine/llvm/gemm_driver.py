"""The tasks of a packed matrix product, generic in all sizes: packing, and blocks of the result.

A product is described by a table of int64 (`FIELDS`, then the axes of the operands), made with the
program. The partition into tasks and the order of sums follow from it alone.
"""

from __future__ import annotations

from typing import Any

from vires.engine.llvm.code import Code, Val, module
from vires.engine.llvm.gemm_kernel import micro_kernel, near_kernel, tile_of
from vires.engine.llvm.gemm_near import RUN, bounded_function, points_function
from vires.engine.llvm.gemm_pack import (
    NEAR,
    argument,
    axes_function,
    fill_function,
    least,
    pack_function,
    times,
)
from vires.engine.llvm.kinds import INT64, kind_of

#: Fields of the table. `step` is the distance of the right operand's rows if it is not packed, else
#: 0; `padded_rows` and `padded_columns` the numbers of them in packed panels, 0 rows if the left
#: operand is not packed beforehand; `leading` the distance of the result's rows; `run` the terms
#: that lie in a row if the left operand is read where it lies; `shift` to `inside` its bounds; the
#: last fields are positions of axes.
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
    "run",
    "shift",
    "start",
    "stop",
    "inside",
    "left_batch",
    "left_rows",
    "left_sums",
    "left_runs",
    "batch_places",
    "row_places",
    "sum_places",
    "run_places",
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


class _Left:
    """The left operand as a function reads it: tables of offsets and coordinates."""

    def __init__(self, code: Code, table: _Table, dtype: Any, batch: Val, lanes: int) -> None:
        self._code, self._table, self._dtype = code, table, dtype
        offset = _offset(code, table.axes("left_batch"), batch) + table["shift"]
        self.source = code.gep("%a", dtype, offset)
        self.lanes, self._places = _local(code, "i64", lanes), _local(code, "i64", lanes)
        self._sums, self._sum_places, self._bounded = (_local(code, "i64", TERMS) for _ in range(3))
        kind = kind_of(dtype).scalar
        self._zeros = _local(code, kind, TERMS)
        self._start = table["start"] + _offset(code, table.axes("batch_places"), batch)
        self._stop, self._inside = table["stop"], table["inside"]
        self._has_bounds = self._inside.compare("ne", 0)
        size = tile_of(dtype).lanes
        nothing = code.number(0.0, kind_of(dtype), size)
        times(
            code, code.index(0), self._if_bounds(code.index(TERMS)), size,
            lambda i: code.store(code.gep(self._zeros, dtype, i), nothing),
        )  # fmt: skip

    def _if_bounds(self, count: Val) -> Val:
        return self._code.select(self._has_bounds, count, self._code.index(0))

    def _fill(self, table: str, axes: str, start: Val, count: Val, limit: Val) -> None:
        self._code.emit(
            f"call void @fill(ptr {table}, ptr {self._table.axes(axes)}, {start.typed}, "
            f"{count.typed}, {limit.typed})"
        )

    def fill_rows(self, start: Val, count: Val) -> None:
        """Find some rows."""
        rows = self._table["rows"]
        self._fill(self.lanes, "left_rows", start, count, rows)
        self._fill(self._places, "row_places", start, self._if_bounds(count), rows)

    def fill_sums(self, start: Val, count: Val) -> None:
        """Find some terms of the sum."""
        length = self._table["length"]
        self._fill(self._sums, "left_sums", start, count, length)
        self._fill(self._sum_places, "sum_places", start, self._if_bounds(count), length)

    def pack(self, i: Val, target: str, valid: Val, terms: Val) -> None:
        """Pack the rows from row i of the tables on."""
        code, dtype = self._code, self._dtype
        lanes = code.gep(self.lanes, "int64", i)
        start = code.load(code.gep(self._places, "int64", i), "int64") + self._start
        source = code.gep(self.source, dtype, code.load(lanes, "int64"))
        code.emit(
            f"call void @bounded(ptr {self._bounded}, ptr {self._sums}, ptr {self._sum_places}, "
            f"{self._if_bounds(terms).typed}, ptr {source}, ptr {self._zeros}, {start.typed}, "
            f"{self._stop.typed}, {self._inside.typed})"
        )
        text = f"select {self._has_bounds.typed}, ptr {self._bounded}, ptr {self._sums}"
        sums = code.value(text, INT64, 1).name
        code.emit(
            f"call void @pack(ptr {self.source}, ptr {target}, ptr {lanes}, ptr {sums}, "
            f"{valid.typed}, i64 {tile_of(dtype).rows}, {terms.typed}, "
            f"{self._table['left_mode'].typed})"
        )

    def point(self, target: str, height: Val, start: Val, runs: Val) -> None:
        """Find the runs of the rows in the tables."""
        # The tables of sums serve for runs, of which there are fewer.
        total = (self._table["length"] + (self._table["run"] - 1)).binary(
            "udiv", self._table["run"]
        )
        self._fill(self._sums, "left_runs", start, runs, total)
        self._fill(self._sum_places, "run_places", start, self._if_bounds(runs), total)
        self._code.emit(
            f"call void @points(ptr {target}, ptr {self.lanes}, ptr {self._places}, "
            f"ptr {self._sums}, ptr {self._sum_places}, {height.typed}, {runs.typed}, "
            f"ptr {self.source}, ptr {self._zeros}, {self._start.typed}, {self._stop.typed}, "
            f"{self._inside.typed})"
        )


def left_function(dtype: Any) -> tuple[str, Code]:
    """``left(table, a, packed, task)``: panels of the left operand, for one part of the sum."""
    code, width = Code(), tile_of(dtype).rows
    part = _Part(code, "left", "rows")
    left = _Left(code, part.table, dtype, part.batch, width)
    left.fill_sums(part.start, part.terms)

    def panel(j: Val) -> None:
        left.fill_rows(j, code.index(width))
        valid = least(code, part.count - j, width)
        left.pack(code.index(0), part.target(dtype, j), valid, part.terms)

    times(code, part.first, part.stop, width, panel)
    code.ret()
    return code.define("left", ["ptr %table", "ptr %a", "ptr %packed", "i64 %task"]), code


def right_function(dtype: Any) -> tuple[str, Code]:
    """``right(table, source, packed, task)``: panels of the right operand, likewise."""
    code, tile = Code(), tile_of(dtype)
    part = _Part(code, "right", "columns")
    table, terms, count = part.table, part.terms, part.count
    lanes, sums = _local(code, "i64", tile.columns), _local(code, "i64", TERMS)
    source = code.gep("%source", dtype, _offset(code, table.axes("right_batch"), part.batch))
    axes, mode = table.axes("right_columns"), table["right_mode"]
    code.emit(
        f"call void @fill(ptr {sums}, ptr {table.axes('right_sums')}, {part.start.typed}, "
        f"{terms.typed}, {table['length'].typed})"
    )

    def panel(j: Val) -> None:
        valid = least(code, count - j, tile.columns)
        whole = (valid + (tile.lanes - 1)) & -tile.lanes
        code.emit(
            f"call void @fill(ptr {lanes}, ptr {axes}, {j.typed}, {whole.typed}, {count.typed})"
        )
        code.emit(
            f"call void @pack(ptr {source}, ptr {part.target(dtype, j)}, ptr {lanes}, ptr {sums}, "
            f"{valid.typed}, {whole.typed}, {terms.typed}, {mode.typed})"
        )

    times(code, part.first, part.stop, tile.columns, panel)
    code.ret()
    return code.define("right", ["ptr %table", "ptr %source", "ptr %packed", "i64 %task"]), code


class _Part:
    """What a task packs: some lanes of an operand, for one part of the sum."""

    def __init__(self, code: Code, side: str, lanes: str) -> None:
        self._code = code
        self.table = table = _Table(code)
        groups, chunks = table[f"{side}_groups"], table["sum_chunks"]
        task = argument(code, "task")
        rest = task.binary("udiv", groups)
        self.batch = rest.binary("udiv", chunks)
        self.count = table[lanes]
        self.start = (rest - self.batch * chunks) * table["sum_chunk"]
        self.terms = least(code, table["sum_chunk"], table["length"] - self.start)
        self.first = (task - rest * groups) * table[f"{side}_group"]
        self.stop = least(code, self.first + table[f"{side}_group"], self.count)
        self._padded = table[f"padded_{lanes}"]

    def target(self, dtype: Any, j: Val) -> str:
        """Where the panel of lane j is packed."""
        begin = (self.batch * self.table["length"] + self.start) * self._padded
        return self._code.gep("%packed", dtype, begin + j * self.terms)


def block_function(dtype: Any) -> tuple[str, Code]:
    """``block(table, a, b, c, packed_a, packed_b, task)``: one block of the result, whole sums."""
    code, tile = Code(), tile_of(dtype)
    table = _Table(code)
    kind = kind_of(dtype).scalar
    panels = _local(code, kind, ROWS * TERMS)
    points = _local(code, "ptr", ROWS * (TERMS // RUN))
    rows, columns, length = table["rows"], table["columns"], table["length"]
    across, down = table["column_chunks"], table["row_chunks"]
    task = argument(code, "task")
    rest = task.binary("udiv", across)
    column = (task - rest * across) * table["column_chunk"]
    batch = rest.binary("udiv", down)
    row = (rest - batch * down) * table["row_chunk"]
    height = least(code, table["row_chunk"], rows - row)
    breadth = least(code, table["column_chunk"], columns - column)
    left = _Left(code, table, dtype, batch, ROWS)
    right_offset = _offset(code, table.axes("right_batch"), batch)
    leading = table["leading"]
    place = _offset(code, table.axes("result_batch"), batch) + row * leading + column
    result = code.gep("%c", dtype, place)
    step, padded = table["step"], table["padded_columns"]
    chunk, run = table["sum_chunk"], table["run"]
    is_packed = step.compare("eq", 0)
    straight = code.gep("%b", dtype, right_offset + column)
    packed = code.gep("%packed_b", dtype, batch * length * padded)
    padded_rows = table["padded_rows"]
    packed_left = code.gep("%packed_a", dtype, batch * length * padded_rows)
    has_left = padded_rows.compare("ne", 0)
    is_near = table["left_mode"].compare("eq", NEAR)
    padded_height = (height + (tile.rows - 1)) & -tile.rows
    zero = code.index(0)
    # What is packed already, or never, takes no turns.
    own_height = code.select(has_left | is_near, zero, height)
    left.fill_rows(row, code.select(has_left, zero, padded_height))

    def part(number: Val) -> None:
        start = number * chunk
        terms = least(code, chunk, length - start)
        left.fill_sums(start, code.select(has_left | is_near, zero, terms))

        def pack(i: Val) -> None:
            target = code.gep(panels, dtype, i * terms)
            left.pack(i, target, least(code, height - i, tile.rows), terms)

        times(code, zero, own_height, tile.rows, pack)
        runs = (terms + (run - 1)).binary("udiv", run)
        near_height = code.select(is_near, padded_height, zero)
        left.point(points, near_height, start.binary("udiv", run), code.select(is_near, runs, zero))
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

                def near(i: Val) -> None:
                    point = code.gep(points, "int64", i * runs)
                    here = code.gep(target, dtype, i * leading)
                    high = height - i
                    code.emit(
                        f"call void @near{vector}(ptr {point}, ptr {source}, ptr {here}, "
                        f"{terms.typed}, {run.typed}, {distance.typed}, {high.typed}, "
                        f"{last.typed}, {leading.typed}, {first.typed})"
                    )

                times(code, zero, code.select(is_near, zero, height), tile.rows, call)
                times(code, zero, code.select(is_near, height, zero), tile.rows, near)

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
    kernels = [make(dtype, number) for make in (micro_kernel, near_kernel) for number in numbers]
    packing = [
        axes_function(),
        fill_function(),
        pack_function(dtype),
        points_function(dtype),
        bounded_function(dtype),
    ]
    parts = [left_function(dtype), right_function(dtype), block_function(dtype)]
    types = "ptr, ptr, ptr, i64, i64, i64, i64, i64, i1"
    declared = [f"declare void @micro{number}({types})" for number in numbers]
    types = "ptr, ptr, ptr, i64, i64, i64, i64, i64, i64, i1"
    declared += [f"declare void @near{number}({types})" for number in numbers]
    declared += [
        f"declare void @points({', '.join(['ptr'] * 5 + ['i64'] * 2 + ['ptr'] * 2 + ['i64'] * 3)})",
        f"declare void @bounded({', '.join(['ptr'] * 3 + ['i64'] + ['ptr'] * 2 + ['i64'] * 3)})",
    ]
    declared.append("declare void @pack(ptr, ptr, ptr, ptr, i64, i64, i64, i64)")
    declared.append("declare void @fill(ptr, ptr, i64, i64, i64)")
    declared.append("declare i64 @offset(ptr, i64)")
    return [
        (module([text for text, _ in kernels], [code for _, code in kernels]), 1),
        (module([text for text, _ in packing], [code for _, code in packing]), 1),
        (module([*declared, *[text for text, _ in parts]], [code for _, code in parts]), 0),
    ]
