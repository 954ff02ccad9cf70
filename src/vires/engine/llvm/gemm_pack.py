"""Packing of operands for the micro-kernels: index maps made of two tables of offsets.

An operand of a product is seen as a matrix (lanes, sum), where lanes are rows of the left operand
or columns of the right one. Its element lies at ``lanes[i] + sums[p]``, each of them a sum over the
axes of the operand, so that transposes, batches and the windows of a convolution are packed from
where they lie. A panel is [sum, width]; lanes beyond the last one repeat it, and count for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vires.engine.llvm.code import Code, Val
from vires.engine.llvm.gemm_kernel import tile_of
from vires.engine.llvm.kinds import INT64, kind_of

#: How the elements of a panel lie: anywhere; lanes in a row; sums in runs of whole squares; or in
#: runs that are read where they lie.
SCATTERED, LANES, SUMS, NEAR = 0, 1, 2, 3
#: Terms of a turn where lanes are copied.
_TERMS = 4


def square(dtype: Any) -> int:
    """The size of the squares that are transposed in registers; panels are whole ones of them."""
    tile = tile_of(dtype)
    return min(tile.rows, tile.lanes, 32 // kind_of(dtype).size)


def times(code: Code, start: Val, stop: Val, step: int, body: Callable[[Val], None]) -> None:
    """A loop of a function, which may run no turn."""
    before = code.block
    head, inside, done = (code.fresh_label(hint) for hint in ("times", "turn", "end"))
    code.br(head)
    code.label(head)
    counter = code.phi("int64", 1, [(start, before)])
    code.cond_br(counter.compare("slt", stop), inside, done)
    code.label(inside)
    body(counter)
    code.add_incoming(counter, counter + step, code.block)
    code.br(head)
    code.label(done)


def least(code: Code, a: Val, b: Val | int) -> Val:
    """The smaller of two int64."""
    b = code.index(b) if isinstance(b, int) else b
    return code.smaller(a, b)


def argument(code: Code, name: str) -> Val:
    """An int64 parameter."""
    return Val(code, f"%{name}", INT64, 1)


def axes_function() -> tuple[str, Code]:
    """``offset(axes, i)``: where element i of some axes lies; axes is (count, (size, stride)...).

    The first axis has no end.
    """
    code = Code()
    innermost = code.load("%axes", "int64") - 1
    before = code.block
    head, inside, done = (code.fresh_label(hint) for hint in ("axis", "inner", "first"))
    code.br(head)
    code.label(head)
    axis = code.phi("int64", 1, [(innermost, before)])
    rest = code.phi("int64", 1, [(argument(code, "i"), before)])
    total = code.phi("int64", 1, [(code.index(0), before)])
    code.cond_br(axis.compare("sgt", 0), inside, done)
    code.label(inside)
    place = code.gep("%axes", "int64", axis * 2)
    size, stride = (code.load(code.gep(place, "int64", d), "int64") for d in (1, 2))
    quotient = rest.binary("udiv", size)
    after = total + (rest - quotient * size) * stride
    for phi, x in ((axis, axis - 1), (rest, quotient), (total, after)):
        code.add_incoming(phi, x, code.block)
    code.br(head)
    code.label(done)
    outer = code.load(code.gep("%axes", "int64", 2), "int64")
    result = total + rest * outer
    code.emit(f"ret {result.typed}")
    return code.define("offset", ["ptr %axes", "i64 %i"], "i64"), code


def fill_function() -> tuple[str, Code]:
    """``fill(table, axes, start, count, limit)``: offsets of consecutive elements; those from
    `limit` on repeat the last one.

    Within a run of the innermost axis, only the stride is added.
    """
    code = Code()
    start, count, limit = (argument(code, name) for name in ("start", "count", "limit"))
    rank = code.load("%axes", "int64")
    innermost = code.gep("%axes", "int64", rank * 2 - 1)
    size, stride = (code.load(code.gep(innermost, "int64", d), "int64") for d in (0, 1))
    # The first axis has no end.
    size = code.select(rank.compare("eq", 1), limit, size)
    before = code.block
    head, inside, done = (code.fresh_label(hint) for hint in ("run", "offsets", "filled"))
    code.br(head)
    code.label(head)
    i = code.phi("int64", 1, [(code.index(0), before)])
    code.cond_br(i.compare("slt", count), inside, done)
    code.label(inside)
    at = least(code, start + i, limit - 1)
    offset = code.impure(f"call i64 @offset(ptr %axes, {at.typed})", INT64, 1)
    left = least(code, size - (at - at.binary("udiv", size) * size), limit - at)
    stop = least(code, i + left, count)

    def turn(j: Val) -> None:
        code.store(code.gep("%table", "int64", j), offset + (j - i) * stride)

    times(code, i, stop, 1, turn)
    code.add_incoming(i, stop, code.block)
    code.br(head)
    code.label(done)
    code.ret()
    parameters = ["ptr %table", "ptr %axes", "i64 %start", "i64 %count", "i64 %limit"]
    return code.define("fill", parameters), code


def pack_function(dtype: Any) -> tuple[str, Code]:
    """``pack(source, target, lanes, sums, valid, width, count, mode)``: one panel."""
    code, size = Code(), square(dtype)
    width, count = argument(code, "width"), argument(code, "count")
    mode = argument(code, "mode")
    lanes, squares, rest = (code.fresh_label(hint) for hint in ("lanes", "squares", "rest"))
    other, whole = code.fresh_label("other"), code.fresh_label("whole")
    # Incomplete panels of neighbouring lanes are packed one by one.
    code.cond_br(mode.compare("eq", LANES), whole, other)
    code.label(whole)
    code.cond_br(argument(code, "valid").compare("eq", width), lanes, rest)
    code.label(other)
    code.cond_br(mode.compare("eq", SUMS), squares, rest)

    code.label(lanes)
    first = code.gep("%source", dtype, code.load("%lanes", "int64"))

    def copy(p: Val, j: Val | int, target: str) -> None:
        source = code.gep(first, dtype, code.load(code.gep("%sums", "int64", p), "int64"))
        code.store(target, code.load(code.gep(source, dtype, j), dtype, size))

    # Panels of one vector, as those of the left operand are, take several terms a turn.
    few = code.select(width.compare("eq", size), count & -_TERMS, code.index(0))

    def narrow(p: Val) -> None:
        for d in range(_TERMS):
            copy(p + d, 0, code.gep("%target", dtype, (p + d) * size))

    times(code, code.index(0), few, _TERMS, narrow)

    def row(p: Val) -> None:
        target = code.gep("%target", dtype, p * width)
        times(
            code, code.index(0), width, size, lambda j: copy(p, j, code.gep(target, dtype, j))
        )  # fmt: skip

    times(code, few, count, 1, row)
    code.ret()

    code.label(squares)
    even = count & -size

    def group(j: Val) -> None:
        sources: list[str] = []
        for i in range(size):
            place = code.gep("%lanes", "int64", j + i)
            sources.append(code.gep("%source", dtype, code.load(place, "int64")))

        def turn(p: Val) -> None:
            offset = code.load(code.gep("%sums", "int64", p), "int64")
            rows = [code.load(code.gep(source, dtype, offset), dtype, size) for source in sources]
            target = code.gep("%target", dtype, p * width + j)
            for x in transposed(code, rows):
                code.store(target, x)
                target = code.gep(target, dtype, width)

        times(code, code.index(0), even, size, turn)

    times(code, code.index(0), width, size, group)
    after = code.block
    code.br(rest)

    code.label(rest)
    begin = code.phi("int64", 1, [(code.index(0), whole), (code.index(0), other), (even, after)])

    def single(p: Val) -> None:
        source = code.gep("%source", dtype, code.load(code.gep("%sums", "int64", p), "int64"))
        target = code.gep("%target", dtype, p * width)

        def some(j: Val) -> None:
            for i in range(size):
                place = code.load(code.gep("%lanes", "int64", j + i), "int64")
                x = code.load(code.gep(source, dtype, place), dtype)
                code.store(code.gep(target, dtype, j + i), x)

        times(code, code.index(0), width, size, some)

    times(code, begin, count, 1, single)
    code.ret()
    parameters = [
        "ptr %source", "ptr %target", "ptr %lanes", "ptr %sums", "i64 %valid", "i64 %width",
        "i64 %count", "i64 %mode",
    ]  # fmt: skip
    return code.define("pack", parameters), code


def transposed(code: Code, rows: list[Val]) -> list[Val]:
    """A square of elements, one vector for each row, as one vector for each column."""
    size = len(rows)
    distance = size // 2
    while distance:
        for i in range(size):
            if i & distance:
                continue
            a, b = rows[i], rows[i + distance]
            orders: tuple[list[int], list[int]] = ([], [])
            for lane in range(size):
                second = bool(lane & distance)
                orders[0].append(lane - distance + size if second else lane)
                orders[1].append(lane + size if second else lane + distance)
            rows[i], rows[i + distance] = (_shuffle(code, a, b, order) for order in orders)
        distance //= 2
    return rows


def _shuffle(code: Code, a: Val, b: Val, order: list[int]) -> Val:
    listed = ", ".join(f"i32 {lane}" for lane in order)
    text = f"shufflevector {a.typed}, {b.typed}, <{len(order)} x i32> <{listed}>"
    return code.value(text, a.kind, a.lanes)
