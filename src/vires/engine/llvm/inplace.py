"""Sharing memory: results written over operands that nothing needs any more, and carried values of
loops.
"""

from __future__ import annotations

from collections.abc import Sequence

from vires.engine.llvm.control import Carry
from vires.engine.llvm.plan import reads, writes
from vires.engine.llvm.program import UPDATES, Block, Buffer, Kernel, Region, Store


def share(region: Region, keep: Sequence[Buffer] = ()) -> None:
    """Decide which buffers are one, in a region and those inside it. `keep`: buffers that are read
    afterwards.
    """
    for step in region.steps:
        if isinstance(step, Block):
            _share_block(step)
    last = _last_reads(region, keep)
    for position, step in enumerate(region.steps):
        if isinstance(step, Block) and step.kind in UPDATES:
            operand, result = step.operands[0].buffer, step.results[0].buffer
            assert operand is not None and result is not None
            root = operand.find()
            made_here = any(root is b.find() for s in region.steps[:position] for b in writes(s))
            if (
                made_here
                and root.kind == "temporary"
                and last.get(root, -1) <= position
                and not any(b.find() is root for b in _read_besides(step))
            ):
                root.root = result.find()


def drop_copies(region: Region) -> None:
    """Leave out, in a region and those inside it, stores of what is in that memory already."""
    kept: list[Kernel | Block] = []
    for step in region.steps:
        if isinstance(step, Block):
            for inner in step.regions:
                drop_copies(inner)
        elif step.turns is None and any(_stays(store) for store in step.stores):
            step.stores = [store for store in step.stores if not _stays(store)]
            if not step.stores and not step.folds:
                continue
        kept.append(step)
    region.steps = kept


def _stays(store: Store) -> bool:
    x = store.expr
    return (
        x.op == "load"
        and len(x.args) == 1
        and x.args[0] is store.offset
        and store.combine is None
        and x.attr.find() is store.buffer.find()
    )


def donations(region: Region, donated: Sequence[int]) -> dict[int, int]:
    """For outputs of the region, the donated input whose memory each may take."""
    found: dict[int, int] = {}
    for j in donated:
        old = region.inputs[j].buffer
        assert old is not None
        for k, node in enumerate(region.outputs):
            new = node.buffer
            if (
                k in found
                or new is None
                or new.find() is not new
                or new.nbytes != old.nbytes
                or not old.nbytes
            ):
                continue
            if _may_overwrite(region, old, new):
                found[k] = j
                break
    return found


def _read_besides(update: Block) -> list[Buffer]:
    """What an update reads besides the array that it writes into."""
    others = [x.buffer for x in update.operands[1:] if x.buffer is not None]
    return [*others, *reads(update.params["kernel"])]


def _last_reads(region: Region, keep: Sequence[Buffer]) -> dict[Buffer, int]:
    last: dict[Buffer, int] = {}
    for position, step in enumerate(region.steps):
        for buffer in reads(step):
            last[buffer.find()] = position
    for buffer in keep:
        last[buffer.find()] = len(region.steps)
    for node in region.outputs:
        if node.buffer is not None:
            last[node.buffer.find()] = len(region.steps)
    return last


def _share_block(block: Block) -> None:
    carries: list[Carry] = block.params.get("carries", [])
    for region in block.regions:
        share(region)
    if block.kind == "branch":
        for region in block.regions:
            # A branch that runs for its effects alone has a result that its regions do not give.
            for inner, result in zip(region.outputs, block.results, strict=False):
                _join(inner.buffer, result.buffer)
        return
    for inner, _ in block.params.get("stacked", ()):
        inner.buffer.find().kind = "pointer"
    if not carries:
        return
    body = block.regions[-1]
    extra: list[Buffer] = []
    for carry in carries:
        old, new, result = carry.inside.buffer, carry.following.buffer, carry.result.buffer
        assert old is not None and new is not None and result is not None
        if new.find().kind == "temporary" and _may_overwrite(body, old, new.find()):
            _join(new, result)
            old.root = result
        else:
            new.find().kind = "pointer"
            carry.spare = Buffer(old.shape, old.dtype)
            extra.append(carry.spare)
    block.params["buffers"] = extra


def _join(inner: Buffer | None, outer: Buffer | None) -> None:
    assert inner is not None and outer is not None
    inner.find().root = outer.find()


def _may_overwrite(region: Region, old: Buffer, new: Buffer) -> bool:
    """Whether the memory of `old` can take `new`: nothing reads `old` once `new` is being
    written.
    """
    first = next(
        (i for i, step in enumerate(region.steps) if any(b.find() is new for b in writes(step))),
        len(region.steps),
    )
    for position, step in enumerate(region.steps):
        if not any(b.find() is old for b in reads(step)):
            continue
        if position > first:
            return False
        if position == first and not _same_place(step, old, new):
            return False
    return True


def _shares(buffer: Buffer | None, owner: Buffer) -> bool:
    return buffer is not None and buffer.find() is owner


def _same_place(step: Kernel | Block, old: Buffer, new: Buffer) -> bool:
    """Whether a step reads each element of `old` before it writes it in `new`, and not later."""
    if isinstance(step, Block):
        if step.kind in UPDATES:
            overwritten = step.operands[0].buffer
            return _shares(overwritten, old) and not any(
                _shares(b, old) for b in _read_besides(step)
            )
        if step.kind == "branch":
            return not _shares(step.operands[0].buffer, old) and all(
                _may_overwrite(region, old, new) for region in step.regions
            )
        if "epilogue" in step.params:
            others = any(_shares(x.buffer, old) for x in (*step.operands, *step.results))
            return not others and _same_place(step.params["epilogue"].kernel, old, new)
        inner: list[Carry] = step.params.get("carries", [])
        if not inner:
            return False
        return sum(_shares(x.buffer, old) for x in step.operands) == 1 and any(
            _shares(c.init.buffer, old) and _shares(c.result.buffer, new) for c in inner
        )
    store = next((s for s in step.stores if s.buffer.find() is new), None)
    if store is None or step.folds:  # a fold in bands writes before it has read all
        return False
    for x in step.expressions():
        if x.op == "load" and x.attr.find() is old and x.args[0] is not store.offset:
            return False
    step.exact = True
    return True
