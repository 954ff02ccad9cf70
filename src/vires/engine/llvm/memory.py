"""Loads and stores of vectors of any dtype, masked and indexed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vires.engine.llvm.convert import repack
from vires.engine.llvm.kinds import BOOL, INT8, INT64, Kind
from vires.engine.llvm.ssa import Builder, ComplexVal, Val


def element(code: Builder, pointer: str, kind: Kind, index: Val | int) -> str:
    """The address of an element."""
    position = f"i64 {index}" if isinstance(index, int) else index.typed
    text = f"getelementptr {kind.memory}, ptr {pointer}, {position}"
    return code.value(text, kind, 1).name


def load(code: Builder, pointer: str, kind: Kind, lanes: int, mask: Val | None) -> Val:
    """Consecutive elements, aligned as one element is."""
    if kind.part is not None:
        return _load_complex(code, pointer, kind, lanes, mask)
    if kind.group == "b" or kind.is_packed:
        return _from_memory(code, load(code, pointer, INT8, lanes, mask), kind)
    if mask is None:
        text = f"load {kind.type(lanes)}, ptr {pointer}, align {kind.size}"
        return code.impure(text, kind, lanes)
    if lanes == 1:
        text = f"load {kind.scalar}, ptr {_guarded(code, pointer, mask)}, align {kind.size}"
        return code.impure(text, kind, 1)
    vector = kind.type(lanes)
    text = (
        f"call {vector} @llvm.masked.load.{kind.suffix(lanes)}.p0(ptr {pointer}, i32 {kind.size}, "
        f"{mask.typed}, {vector} zeroinitializer)"
    )
    return code.impure(text, kind, lanes)


def store(code: Builder, pointer: str, x: Val, mask: Val | None) -> None:
    """Consecutive elements, aligned as one element is."""
    if isinstance(x, ComplexVal):
        return _store_complex(code, pointer, x, mask)
    if x.kind.group == "b" or x.kind.is_packed:
        x = _to_memory(code, x)
    kind, lanes = x.kind, x.lanes
    if mask is None:
        code.emit(f"store {x.typed}, ptr {pointer}, align {kind.size}")
    elif lanes == 1:
        with_scratch = _guarded(code, pointer, mask, written=True)
        code.emit(f"store {x.typed}, ptr {with_scratch}, align {kind.size}")
    else:
        code.emit(
            f"call void @llvm.masked.store.{kind.suffix(lanes)}.p0({x.typed}, ptr {pointer}, "
            f"i32 {kind.size}, {mask.typed})"
        )


def gather(code: Builder, pointer: str, index: Val, kind: Kind, mask: Val | None) -> Val:
    """The element at each lane's index."""
    lanes = index.lanes
    if kind.part is not None:
        # Two gathers of the parts, at 2 i and 2 i + 1.
        twice = index + index
        real = gather(code, pointer, twice, kind.part, mask)
        return ComplexVal(kind, real, gather(code, pointer, twice + 1, kind.part, mask))
    if kind.group == "b" or kind.is_packed:
        return _from_memory(code, gather(code, pointer, index, INT8, mask), kind)
    if lanes == 1:
        return load(code, element(code, pointer, kind, index), kind, 1, mask)
    vector, places = kind.type(lanes), addresses(code, pointer, kind, index)
    active = code.number(True, BOOL, lanes) if mask is None else mask
    text = (
        f"call {vector} @llvm.masked.gather.{kind.suffix(lanes)}.v{lanes}p0({places}, "
        f"i32 {kind.size}, {active.typed}, {vector} zeroinitializer)"
    )
    return code.impure(text, kind, lanes)


def scatter(code: Builder, pointer: str, index: Val, x: Val, mask: Val | None) -> None:
    """Each lane to its index; of equal indices the last lane stays."""
    if isinstance(x, ComplexVal):
        twice = index + index
        scatter(code, pointer, twice, x.re, mask)
        return scatter(code, pointer, twice + 1, x.im, mask)
    if x.kind.group == "b" or x.kind.is_packed:
        x = _to_memory(code, x)
    kind, lanes = x.kind, x.lanes
    if lanes == 1:
        return store(code, element(code, pointer, kind, index), x, mask)
    active = code.number(True, BOOL, lanes) if mask is None else mask
    code.emit(
        f"call void @llvm.masked.scatter.{kind.suffix(lanes)}.v{lanes}p0({x.typed}, "
        f"{addresses(code, pointer, kind, index)}, i32 {kind.size}, {active.typed})"
    )


def elsewhere(code: Builder, addresses: str, mask: Val) -> str:
    """The addresses where the mask holds, others of memory that nobody reads, for 128 bytes."""
    code.helpers["vires_elsewhere"] = (
        "@vires_elsewhere = private global [128 x i8] zeroinitializer, align 64"
    )
    kind = f"<{mask.lanes} x ptr>"
    other = f"{kind} splat (ptr @vires_elsewhere)"
    return f"{kind} {code.value(f'select {mask.typed}, {addresses}, {other}', INT64, 1).name}"


def lane_address(code: Builder, addresses: str, lane: int) -> str:
    """One lane of addresses (given with their type)."""
    return code.value(f"extractelement {addresses}, i64 {lane}", INT64, 1).name


def part(code: Builder, x: Val, start: int, lanes: int) -> Val:
    """Some consecutive lanes of a vector, as a vector or scalar."""
    if isinstance(x, ComplexVal):
        real = part(code, x.re, start, lanes)
        return ComplexVal(x.kind, real, part(code, x.im, start, lanes))
    if lanes == 1:
        return code.extract(x, start)
    return _shuffle(code, x, x, range(start, start + lanes))


def repeat(code: Builder, x: Val, lanes: int) -> Val:
    """The lanes of a vector again and again, until there are so many."""
    return _shuffle(code, x, x, [lane % x.lanes for lane in range(lanes)])


def join(code: Builder, parts: Sequence[Val]) -> Val:
    """Vectors of the same number of lanes, one after the other; a power of two of them."""
    while len(parts) > 1:
        count = 2 * parts[0].lanes
        parts = [
            _shuffle(code, a, b, range(count)) for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def _shuffle(code: Builder, a: Val, b: Val, order: Iterable[int]) -> Val:
    lanes = [f"i32 {lane}" for lane in order]
    text = f"shufflevector {a.typed}, {b.typed}, <{len(lanes)} x i32> <{', '.join(lanes)}>"
    return code.value(text, a.kind, len(lanes))


def addresses(code: Builder, pointer: str, kind: Kind, index: Val) -> str:
    """The addresses of elements, with their type."""
    text = f"getelementptr {kind.memory}, ptr {pointer}, {index.typed}"
    return f"<{index.lanes} x ptr> {code.value(text, kind, index.lanes).name}"


def _from_memory(code: Builder, x: Val, kind: Kind) -> Val:
    """A byte of memory as a bool or packed integer."""
    if kind.group == "b":
        return x.compare("ne", 0)
    return repack(code, Val(code, x.name, kind, x.lanes))


def _to_memory(code: Builder, x: Val) -> Val:
    """A bool or packed integer as a byte; the unused bits of packed ones are 0."""
    if x.kind.group == "b":
        return code.cast("zext", x, INT8)
    return Val(code, (x & ((1 << x.kind.bits) - 1)).name, INT8, x.lanes)


def _guarded(code: Builder, pointer: str, mask: Val, *, written: bool = False) -> str:
    """The pointer where the mask holds, else one to memory that nobody looks at."""
    name = "vires_scratch" if written else "vires_zeros"
    what = "global" if written else "constant"
    code.helpers[name] = f"@{name} = private {what} [16 x i8] zeroinitializer, align 16"
    return code.value(f"select {mask.typed}, ptr {pointer}, ptr @{name}", mask.kind, 1).name


def within_reach(code: Builder, pointer: str, some: Val) -> str:
    """The address of a masked vector if some of its lanes are active.

    Processors take hundreds of cycles for a vector without active lanes at an address that is not
    mapped, as one beyond the edge of an array may be. The page that is read instead must have been
    touched: that is why its first byte is no zero.
    """
    code.helpers["vires_nowhere"] = (
        "@vires_nowhere = private global { i8, [511 x i8] } "
        "{ i8 1, [511 x i8] zeroinitializer }, align 64"
    )
    text = f"select {some.typed}, ptr {pointer}, ptr @vires_nowhere"
    return code.value(text, some.kind, 1).name


def _pairs(code: Builder, mask: Val) -> Val:
    """Each lane of a mask twice."""
    return _shuffle(code, mask, mask, [lane // 2 for lane in range(2 * mask.lanes)])


def _load_complex(code: Builder, pointer: str, kind: Kind, lanes: int, mask: Val | None) -> Val:
    assert kind.part is not None
    if lanes == 1:
        second = element(code, pointer, kind.part, 1)
        real = load(code, pointer, kind.part, 1, mask)
        return ComplexVal(kind, real, load(code, second, kind.part, 1, mask))
    both = load(code, pointer, kind.part, 2 * lanes, None if mask is None else _pairs(code, mask))
    real = _shuffle(code, both, both, range(0, 2 * lanes, 2))
    return ComplexVal(kind, real, _shuffle(code, both, both, range(1, 2 * lanes, 2)))


def _store_complex(code: Builder, pointer: str, x: ComplexVal, mask: Val | None) -> None:
    lanes = x.lanes
    if lanes == 1:
        store(code, pointer, x.re, mask)
        store(code, element(code, pointer, x.re.kind, 1), x.im, mask)
        return
    order = [lane // 2 + lanes * (lane % 2) for lane in range(2 * lanes)]
    both = _shuffle(code, x.re, x.im, order)
    store(code, pointer, both, None if mask is None else _pairs(code, mask))
