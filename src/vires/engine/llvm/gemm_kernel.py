"""The micro-kernels of matrix products: a tile of the result held in registers.

A tile is `rows` by up to three vectors. The left operand comes as a panel [sum, rows], whose
elements are broadcast; the right one as rows of vectors, packed or where they lie in memory. For
each number of vectors there is one function, generic in all sizes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from vires.engine.llvm import machine
from vires.engine.llvm.code import Code, Val
from vires.engine.llvm.kinds import BOOL, INT64, kind_of


class Tile(NamedTuple):
    """Sizes of a tile: rows, vectors at most, and lanes of a vector."""

    rows: int
    vectors: int
    lanes: int

    @property
    def columns(self) -> int:
        """Columns of a full tile."""
        return self.vectors * self.lanes


def tile_of(dtype: Any) -> Tile:
    """The tile of a float dtype on this machine: as many registers as it has, less a few."""
    host = machine.host()
    lanes = host.vector_bytes // np.dtype(dtype).itemsize
    # 32 registers: 24 sums, 3 columns, and a broadcast; 16 registers: 12 or 8 sums.
    if host.vector_bytes == 64 or host.triple.startswith("aarch64"):
        return Tile(8, 3, lanes)
    return Tile(4, 3 if host.vector_bytes == 32 else 2, lanes)


def has_fma(code: Code) -> bool:
    """Whether a fused multiply-add is one instruction here."""
    return code.has("fma") or machine.host().triple.startswith("aarch64")


def micro_kernel(dtype: Any, vectors: int) -> tuple[str, Code]:
    """``micro{vectors}(a, b, c, k, step, rows, last, leading, first)``: a tile of the result.

    ``c[i, j] (+)= sum_p a[p, i] b[p, j]`` for i < rows and all columns of the tile, of which the
    last vector has `last`. `step` is the distance of b's rows, `leading` that of c's; with
    `first`, what c holds is not read. Sums run over p in order.
    """
    tile, kind, code = tile_of(dtype), kind_of(dtype), Code()
    rows, lanes = tile.rows, tile.lanes
    count = Val(code, "%k", INT64, 1)
    zero = code.number(0.0, kind, lanes)
    head, body, done = (code.fresh_label(hint) for hint in ("head", "body", "done"))
    code.br(head)
    code.label(head)
    counter = code.phi(np.int64, 1, [(code.index(0), "entry")])
    left, right = (_PointerPhi(code, name) for name in ("%a", "%b"))
    places = [(i, j) for i in range(rows) for j in range(vectors)]
    sums = {at: code.phi(dtype, lanes, [(zero, "entry")]) for at in places}
    code.cond_br(counter.compare("slt", count), body, done)
    code.label(body)
    columns = [
        code.load(code.gep(right.name, dtype, j * lanes), dtype, lanes) for j in range(vectors)
    ]
    for i in range(rows):
        element = code.splat(code.load(code.gep(left.name, dtype, i), dtype), lanes)
        for j in range(vectors):
            after = multiplied(code, element, columns[j], sums[i, j])
            code.add_incoming(sums[i, j], after, body)
    code.add_incoming(counter, counter + 1, body)
    left.advance(code, code.gep(left.name, dtype, rows), body)
    right.advance(code, code.gep(right.name, dtype, Val(code, "%step", INT64, 1)), body)
    code.br(head)
    code.label(done)
    finish(code, dtype, sums)
    parameters = [
        "ptr %a", "ptr %b", "ptr %c", "i64 %k", "i64 %step", "i64 %rows", "i64 %last",
        "i64 %leading", "i1 %first",
    ]  # fmt: skip
    return code.define(f"micro{vectors}", parameters), code


def near_kernel(dtype: Any, vectors: int) -> tuple[str, Code]:
    """``near{vectors}(points, b, c, k, run, step, rows, last, leading, first)``: a tile of the
    result, of a left operand where it lies.

    Each row of it lies in runs of `run` elements of the sum, the last of which may be shorter;
    `points` has the addresses of a run for each row, then those of the next one.
    """
    tile, kind, code = tile_of(dtype), kind_of(dtype), Code()
    rows, lanes = tile.rows, tile.lanes
    zero = code.number(0.0, kind, lanes)
    head, begin, body, following, done = (
        code.fresh_label(hint) for hint in ("head", "begin", "body", "following", "done")
    )
    places = [(i, j) for i in range(rows) for j in range(vectors)]
    code.br(head)
    code.label(head)
    left = code.phi(np.int64, 1, [(Val(code, "%k", INT64, 1), "entry")])
    points, right = (_PointerPhi(code, name) for name in ("%points", "%b"))
    sums = {at: code.phi(dtype, lanes, [(zero, "entry")]) for at in places}
    code.cond_br(left.compare("sgt", 0), begin, done)
    code.label(begin)
    length = code.smaller(Val(code, "%run", INT64, 1), left)
    sources: list[str] = []
    for i in range(rows):
        sources.append(code.fresh())
        place = code.gep(points.name, "int64", i)
        code.emit(f"{sources[i]} = load ptr, ptr {place}")
    code.br(body)
    code.label(body)
    counter = code.phi(np.int64, 1, [(code.index(0), begin)])
    inner = _PointerPhi(code, right.name, begin)
    partial = {at: code.phi(dtype, lanes, [(sums[at], begin)]) for at in places}
    columns = [
        code.load(code.gep(inner.name, dtype, j * lanes), dtype, lanes) for j in range(vectors)
    ]
    for i in range(rows):
        element = code.splat(code.load(code.gep(sources[i], dtype, counter), dtype), lanes)
        for j in range(vectors):
            after = multiplied(code, element, columns[j], partial[i, j])
            code.add_incoming(partial[i, j], after, body)
            code.add_incoming(sums[i, j], after, following)
    after = counter + 1
    code.add_incoming(counter, after, body)
    beyond = code.gep(inner.name, dtype, Val(code, "%step", INT64, 1))
    inner.advance(code, beyond, body)
    code.cond_br(after.compare("slt", length), body, following)
    code.label(following)
    code.add_incoming(left, left - length, following)
    points.advance(code, code.gep(points.name, "int64", rows), following)
    right.advance(code, beyond, following)
    code.br(head)
    code.label(done)
    finish(code, dtype, sums)
    parameters = [
        "ptr %points", "ptr %b", "ptr %c", "i64 %k", "i64 %run", "i64 %step", "i64 %rows",
        "i64 %last", "i64 %leading", "i1 %first",
    ]  # fmt: skip
    return code.define(f"near{vectors}", parameters), code


def multiplied(code: Code, a: Val, b: Val, c: Val) -> Val:
    """``a b + c``, fused where that is one instruction."""
    return code.fma(a, b, c) if has_fma(code) else a * b + c


def finish(code: Code, dtype: Any, sums: dict[tuple[int, int], Val]) -> None:
    """Write a tile and return: `rows` of it, of the last vector `last` lanes; it is added to what
    is there unless it is the `first` part of the sum.
    """
    lanes = tile_of(dtype).lanes
    mask = code.tail_mask(Val(code, "%last", INT64, 1), lanes)
    never = code.number(False, BOOL, lanes)
    old = code.select(Val(code, "%first", BOOL, 1), never, code.number(True, BOOL, lanes))
    old_mask = mask & old
    rows, vectors = (1 + max(at[axis] for at in sums) for axis in (0, 1))
    target, end = "%c", code.fresh_label("finish")
    for i in range(rows):
        for j in range(vectors):
            place = code.gep(target, dtype, j * lanes)
            whole = j + 1 < vectors
            before = code.load(place, dtype, lanes, old if whole else old_mask)
            code.store(place, sums[i, j] + before, None if whole else mask)
        if i + 1 < rows:
            target = code.gep(target, dtype, Val(code, "%leading", INT64, 1))
            following = code.fresh_label("row")
            more = Val(code, "%rows", INT64, 1).compare("sgt", i + 1)
            code.cond_br(more, following, end)
            code.label(following)
    code.br(end)
    code.label(end)
    code.ret()


class _PointerPhi:
    """A pointer that moves in a loop."""

    def __init__(self, code: Code, start: str, label: str = "entry") -> None:
        self.name = code.fresh()
        self._start = f"[ {start}, %{label} ]"
        self._line = len(code.lines)
        code.emit("")

    def advance(self, code: Code, following: str, label: str) -> None:
        """Say where it is after a turn that ends in a block."""
        code.lines[self._line] = f"  {self.name} = phi ptr {self._start}, [ {following}, %{label} ]"
