"""A checker of the loop IR, run after the passes under ``config.enable_checks``."""

from __future__ import annotations

from vires.core.config import config
from vires.engine.llvm.expressions import Expr, Index, LoopVar
from vires.engine.llvm.graph import PREDICATES
from vires.engine.llvm.program import Block, Buffer, Kernel, Region, Store


class BrokenProgram(AssertionError):
    """A pass of the compiler made something that cannot be right."""


def check_region(region: Region, passed: str) -> None:
    """Look at all steps of a region; `passed` names the pass that made them."""
    if not config.enable_checks:
        return
    for step in region.steps:
        if isinstance(step, Kernel):
            check_kernel(step, passed)
            continue
        _check_block(step, passed)
        for inner in step.regions:
            check_region(inner, passed)


def need(condition: bool, passed: str, what: str) -> None:
    """Raise unless a condition holds after the pass that is named."""
    if not condition:
        raise BrokenProgram(f"after {passed}: {what}")


def _check_block(block: Block, passed: str) -> None:
    for x in block.operands:
        need(x.buffer is not None, passed, f"{block!r}: its operand {x!r} is not in memory")


def check_kernel(kernel: Kernel, passed: str) -> None:
    """Raise if a kernel is not one that can be written after the pass that is named."""
    variables = {*kernel.loops, *kernel.reduced}
    if kernel.part is not None:
        variables.add(kernel.part)
    need(bool(kernel.stores or kernel.folds), passed, f"kernel {kernel.domain} writes nothing")
    if kernel.order:
        need(
            set(kernel.order) == {*kernel.loops, *kernel.reduced},
            passed,
            "the order is not one of the loops",
        )
    need(
        kernel.task_var not in kernel.reduced
        or kernel.part is not None
        or all(fold.prefix for fold in kernel.folds),
        passed,
        f"the tasks of kernel {kernel.domain} fold parts that nobody combines",
    )
    if any(v.size == 0 for v in variables):
        return
    for x in kernel.expressions():
        if isinstance(x, LoopVar):
            known = x in variables or x.size == 1
            need(
                known, passed, f"a variable of size {x.size} belongs to no loop of {kernel.domain}"
            )
        elif x.op == "load":
            _check_range(x.attr, x.offset, len(x.args) > 1, passed)
        _check_types(x, passed)
    for store in kernel.stores:
        _check_store(store, passed)


def _check_store(store: Store, passed: str) -> None:
    need(
        store.expr.dtype == store.buffer.dtype,
        passed,
        f"{store.expr.dtype} stored in {store.buffer!r}",
    )
    _check_range(store.buffer, store.offset, store.mask is not None, passed)


def _check_range(buffer: Buffer, offset: Index, guarded: bool, passed: str) -> None:
    """An offset whose range is known must lie in the buffer, unless a condition guards it."""
    if offset.range is None or guarded:
        return
    low, high = offset.range
    need(low < max(buffer.size, 1) and high >= 0, passed, f"offset {low}..{high} misses {buffer!r}")
    exact = all(atom.op == "var" for atom, _ in offset.terms)
    if exact and buffer.size:
        need(low >= 0 and high < buffer.size, passed, f"offset {low}..{high} leaves {buffer!r}")


def _check_types(x: Expr, passed: str) -> None:
    if x.op in PREDICATES:
        need(x.dtype.kind == "b", passed, f"{x.op} gives {x.dtype}")
    elif x.op in ("add", "sub", "mul", "div", "max", "min"):
        need(
            all(a.dtype == x.dtype for a in x.args),
            passed,
            f"{x.op} of {[a.dtype.name for a in x.args]}",
        )
    elif x.op == "select":
        need(
            x.args[0].dtype.kind == "b" and x.args[1].dtype == x.args[2].dtype == x.dtype,
            passed,
            "select types",
        )
