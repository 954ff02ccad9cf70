"""What a step of a program has to do: the memory that it reads and writes, and its operations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from vires.core.jaxpr import JaxprEqn
from vires.engine.llvm import costs
from vires.engine.llvm.expressions import Expr, Index, walk
from vires.engine.llvm.program import Block, Buffer, Kernel

#: Operations that move or choose values, and those on indices.
_FREE = frozenset(
    "load const var index argument floordiv select convert bitcast real imag complex".split()
)


class Access(NamedTuple):
    """A buffer, and how many of its bytes a step reads or writes."""

    buffer: Buffer
    nbytes: int


def sizes_of(kernel: Kernel) -> dict[int, int]:
    """The lengths of a kernel's loops by their bits. A loop of unknown length counts one turn."""
    loops = [*kernel.loops, *kernel.reduced]
    # Where tasks store elements of their own, the task follows from the element.
    if kernel.part is not None and (kernel.scatters or kernel.task_var not in kernel.loops):
        loops.append(kernel.part)
    unknown = kernel.reduced if has_unknown_length(kernel) else []
    return {v.bit: 1 if v in unknown else v.size for v in loops}


def has_unknown_length(kernel: Kernel) -> bool:
    """Whether the kernel is a loop that runs until a condition fails."""
    return kernel.turns is not None and kernel.turns.test is not None


def _times(bits: int, sizes: dict[int, int]) -> int:
    """How many values something takes that depends on some loops."""
    return math.prod([size for bit, size in sizes.items() if bits & bit])


def kernel_reads(kernel: Kernel) -> list[Access]:
    """The buffers that a kernel reads; of each, the elements that its loops reach."""
    sizes = sizes_of(kernel)
    places: dict[Buffer, set[Expr]] = {}
    shown: dict[Buffer, Buffer] = {}
    for x in kernel.expressions():
        if x.op == "load":
            root = x.attr.find()
            shown.setdefault(root, x.attr)
            places.setdefault(root, set()).add(x.args[0])
    for store in kernel.stores:
        if store.combine is not None:
            root = store.buffer.find()
            shown.setdefault(root, store.buffer)
            places.setdefault(root, set()).add(store.offset)
    found: list[Access] = []
    for root, offsets in places.items():
        count = min(sum(_times(x.vars, sizes) for x in offsets), root.size)
        found.append(Access(shown[root], count * root.dtype.itemsize))
    return found


def kernel_writes(kernel: Kernel) -> list[Access]:
    """The buffers that a kernel writes."""
    sizes = sizes_of(kernel)
    written: dict[Buffer, int] = {}

    def write(buffer: Buffer | None, offset: Index) -> None:
        if buffer is not None:
            written[buffer] = written.get(buffer, 0) + _times(offset.vars, sizes)

    for store in kernel.stores:
        write(store.buffer, store.offset)
    for fold in kernel.folds:
        for buffer in fold.buffers:
            write(buffer, fold.offset)
    if kernel.turns is not None:
        for buffer, offset in kernel.turns.targets:
            write(buffer, offset)
    return [
        Access(buffer, min(count, buffer.size) * buffer.dtype.itemsize)
        for buffer, count in written.items()
    ]


def kernel_operations(kernel: Kernel) -> float:
    """Operations of a kernel, in additions (`costs`). Those of a loop until a condition fails are
    for one turn.
    """
    sizes = sizes_of(kernel)
    total = sum(_cost(x) * _times(x.vars, sizes) for x in kernel.expressions())
    # Partial results divide a loop among them: they are no loop besides.
    everywhere = math.prod([sizes[v.bit] for v in (*kernel.loops, *kernel.reduced)])
    for fold in kernel.folds:
        steps = len(fold.exprs) if not fold.combined else sum(map(_cost, walk(fold.combined)))
        total += steps * everywhere
    return total


def _cost(x: Expr) -> float:
    if x.op in _FREE:
        return 0.0
    cost = costs.OPERATIONS.get(x.op, 1.0)
    if x.dtype.kind != "c":
        return cost
    return cost * (6.0 if x.op in ("mul", "div") else 2.0)


def block_reads(block: Block) -> list[Access]:
    """The operands of a block, each once."""
    found = {x.buffer.find(): x.buffer for x in block.operands if x.buffer is not None}
    return [Access(buffer, buffer.nbytes) for buffer in found.values()]


def block_writes(block: Block) -> list[Access]:
    """The results of a block."""
    found = [x.buffer for x in block.results if x.buffer is not None and x.buffer.size]
    return [Access(buffer, buffer.nbytes) for buffer in found]


def copied(block: Block, donors: Mapping[Buffer, Buffer]) -> list[Access]:
    """What a block copies before it updates a part of it, from and to; nothing where it works in
    place. `donors` gives results that take over an argument's memory.
    """
    source, result = block.operands[0].buffer, block.results[0].buffer
    if source is None or result is None:
        return []
    root = result.find()
    if source.find() in (root, donors.get(root)):
        return []
    return [Access(source, result.nbytes), Access(result, result.nbytes)]


def equation_operations(eqn: JaxprEqn | None) -> float | None:
    """Operations of an equation that is one step, by the textbook; None where there is no count."""
    if eqn is None:
        return None
    avals = [v.aval for v in eqn.invars]
    name, params = eqn.primitive.name, eqn.params
    scale = 4.0 if avals and avals[0].dtype.kind == "c" else 1.0
    if name == "dot_general":
        (axes, _), _ = params["dimension_numbers"]
        length = math.prod([avals[0].shape[int(d)] for d in axes])
        return 2.0 * scale * length * math.prod(eqn.outvars[0].aval.shape)
    if name == "conv_general_dilated":
        features = avals[1].shape[_features(params["dimension_numbers"])]
        places = math.prod(avals[1].shape) / max(features, 1)
        return 2.0 * scale * places * math.prod(eqn.outvars[0].aval.shape)
    if name == "cholesky":
        shape = avals[0].shape
        return scale * math.prod(shape[:-2]) * shape[-1] ** 3 / 3.0
    if name == "lu":
        shape = avals[0].shape
        small, large = sorted(shape[-2:])
        return scale * math.prod(shape[:-2]) * small**2 * (large - small / 3.0)
    if name == "fft":
        lengths = math.prod(params["fft_lengths"])
        return 5.0 * math.prod(avals[0].shape) * math.log2(max(lengths, 2))
    return None


def _features(numbers: Any) -> int:
    """The axis of the filters that counts the features of the result."""
    return numbers.rhs_spec[0]
