"""Left operands of products that are read where they lie, and those that end somewhere.

An element of an operand is inside where its coordinates are within bounds; outside it is 0, so that
the padding of a convolution needs no memory. All coordinates are fields of one int64, `FIELD` bits
each, that are added up for lanes and sums as offsets are. A field holds ``v + BIAS``; it and
``2 BIAS + size - 1`` less itself have the bit `BIAS` where ``0 <= v < size``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from vires.engine.llvm.code import Code, Val
from vires.engine.llvm.gemm_kernel import tile_of
from vires.engine.llvm.gemm_pack import argument, times
from vires.engine.llvm.kinds import INT64, kind_of

#: Terms of a run at least.
RUN = 16
FIELD, BIAS = 16, 1 << 14
#: Coordinates at most, and what they are less than, inside and out.
RANK, EXTENT = 3, BIAS >> 1

#: Axes, from the outermost one: (size, distance).
Axes = tuple[tuple[int, int], ...]


class Bounds(NamedTuple):
    """Where an operand has elements: axes as those of its view, with distances of coordinates."""

    batch: Axes
    lanes: Axes
    sums: Axes
    #: Offset and coordinates of the first element, the upper ends, and the bits to be compared.
    shift: int
    start: int
    stop: int
    inside: int


def limits(sizes: Sequence[int], first: Sequence[int]) -> tuple[int, int, int]:
    """Start, stop and bits of bounds with some sizes, for the first coordinates."""
    start = stop = inside = 0
    for d, (size, low) in enumerate(zip(sizes, first, strict=True)):
        start += (BIAS + low) << FIELD * d
        stop += (2 * BIAS + size - 1) << FIELD * d
        inside += BIAS << FIELD * d
    return start, stop, inside


def _is_inside(code: Code, place: Val) -> Val:
    """Whether coordinates are inside, in each lane."""
    lanes = place.lanes
    stop, inside = (code.splat(argument(code, name), lanes) for name in ("stop", "inside"))
    return (place & (stop - place) & inside).compare("eq", inside)


def _address(code: Code, pointer: str) -> Val:
    return code.value(f"ptrtoint ptr {pointer} to i64", INT64, 1)


def points_function(dtype: Any) -> tuple[str, Code]:
    """``points(target, lanes, lane_places, runs, run_places, height, count, source, zeros, start,
    stop, inside)``: for each tile of rows and each run, where the run of each row begins.
    """
    code, size = Code(), tile_of(dtype).rows
    source, zeros = (code.splat(_address(code, name), size) for name in ("%source", "%zeros"))
    start = code.splat(argument(code, "start"), size)
    count = argument(code, "count")

    def tile(i: Val) -> None:
        lanes, places = (
            code.load(code.gep(name, "int64", i), "int64", size)
            for name in ("%lanes", "%lane_places")
        )
        address = lanes * kind_of(dtype).size + source
        target = code.gep("%target", "int64", i * count)

        def run(r: Val) -> None:
            offset, place = (
                code.splat(code.load(code.gep(name, "int64", r), "int64"), size)
                for name in ("%runs", "%run_places")
            )
            inside = _is_inside(code, places + start + place)
            point = code.select(inside, address + offset * kind_of(dtype).size, zeros)
            code.store(code.gep(target, "int64", r * size), point)

        times(code, code.index(0), count, 1, run)

    times(code, code.index(0), argument(code, "height"), size, tile)
    code.ret()
    parameters = [
        "ptr %target", "ptr %lanes", "ptr %lane_places", "ptr %runs", "ptr %run_places",
        "i64 %height", "i64 %count", "ptr %source", "ptr %zeros", "i64 %start", "i64 %stop",
        "i64 %inside",
    ]  # fmt: skip
    return code.define("points", parameters), code


def bounded_function(dtype: Any) -> tuple[str, Code]:
    """``bounded(target, sums, places, count, source, zeros, start, stop, inside)``: offsets of sums
    from a source for lanes of one place, those outside leading to zeros.
    """
    code, size = Code(), tile_of(dtype).rows
    distance = _address(code, "%zeros") - _address(code, "%source")
    outside = code.splat(distance.binary("sdiv", kind_of(dtype).size), size)
    start = code.splat(argument(code, "start"), size)

    def some(p: Val) -> None:
        sums, places = (
            code.load(code.gep(name, "int64", p), "int64", size) for name in ("%sums", "%places")
        )
        offset = code.select(_is_inside(code, places + start), sums, outside)
        code.store(code.gep("%target", "int64", p), offset)

    times(code, code.index(0), argument(code, "count"), size, some)
    code.ret()
    parameters = [
        "ptr %target", "ptr %sums", "ptr %places", "i64 %count", "ptr %source", "ptr %zeros",
        "i64 %start", "i64 %stop", "i64 %inside",
    ]  # fmt: skip
    return code.define("bounded", parameters), code
