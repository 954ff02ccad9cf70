"""Prints what each pass made, on standard error: ``VIRES_DUMP=all``, or some of its `STAGES` with
commas between them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from vires.engine.llvm.blocks import ON_HOST, written_as
from vires.engine.llvm.expressions import Expr, Index, LoopVar
from vires.engine.llvm.program import Block, Kernel, Region

#: What the environment asked for when the latest compilation began.
_wanted: frozenset[str] = frozenset()

STAGES = ("jaxpr", "roll", "simplify", "fuse", "schedule", "memory", "calls", "llvm", "asm")


def begin() -> frozenset[str]:
    """Read, for the compilation that begins, the stages that the environment asks for."""
    global _wanted
    asked = os.environ.get("VIRES_DUMP")
    _wanted = stages(asked) if asked else frozenset()
    return _wanted


def stages(asked: str) -> frozenset[str]:
    """The stages of a text."""
    wanted = frozenset(asked.replace(" ", "").split(",")) - {""}
    unknown = wanted - {*STAGES, "all"}
    if unknown:
        raise ValueError(
            f"VIRES_DUMP: needs stages among {', '.join(STAGES)}, all; "
            f"got {', '.join(sorted(unknown))}; try VIRES_DUMP=all"
        )
    return frozenset(STAGES) if "all" in wanted else wanted


def show(stage: str, name: str, text: Callable[[], str]) -> None:
    """Print a stage if it is wanted; `text` is called only then."""
    if stage in _wanted:
        print(f"--- {stage}: {name}\n{text()}", file=sys.stderr)


def nodes_text(region: Region) -> str:
    """The values of a region before fusion."""
    lines: list[str] = []
    for node in region.nodes:
        shape = ",".join(map(str, node.shape))
        operands = " ".join(map(repr, node.operands))
        lines.append(f"{node!r}: {node.dtype.name}[{shape}] = {node.kind} {operands}")
    return "\n".join(lines)


def fused_text(region: Region) -> str:
    """Which values share a kernel, and which blocks stand between the kernels."""
    lines: list[str] = []
    for step in region.steps:
        if isinstance(step, Kernel):
            shape = ",".join(map(str, step.domain))
            lines.append(f"kernel over [{shape}]: {' '.join(map(repr, step.nodes))}")
        else:
            lines.append(repr(step))
    return "\n".join(lines)


def region_text(region: Region, indent: str = "") -> str:
    """The steps of a region."""
    lines: list[str] = []
    for step in region.steps:
        if isinstance(step, Kernel):
            lines += [indent + line for line in kernel_text(step).splitlines()]
            continue
        reason = host_reason(step)
        lines.append(f"{indent}{step!r}{f'  on the host: {reason}' if reason else ''}")
        if "kernel" in step.params:
            lines += [
                indent + "    " + line for line in kernel_text(step.params["kernel"]).splitlines()
            ]
        if "epilogue" in step.params:
            text = kernel_text(step.params["epilogue"].kernel)
            lines += [f"{indent}    {line}" for line in text.splitlines()]
        for inner in step.regions:
            lines.append(indent + "  region")
            lines.append(region_text(inner, indent + "    "))
    return "\n".join(lines)


def host_reason(block: Block) -> str:
    """Why a block runs on the host, or an empty text."""
    if written_as(block) != "host":
        return ""
    return str(block.params.get("reason") or ON_HOST.get(block.kind, ""))


def kernel_text(kernel: Kernel) -> str:
    """Loops, then stores and folds with their expressions."""
    loops = " ".join(
        f"{'reduce ' if v in kernel.reduced else ''}{_atom(v)}<{v.size}"
        + (f" by {kernel.lanes}" if v is kernel.vector else "")
        + (f" in bands of {kernel.band}" if kernel.band and v in kernel.reduced else "")
        + (f" in {kernel.tasks} tasks of {kernel.task_size}" if v is kernel.task_var else "")
        for v in (kernel.order or [*kernel.loops, *kernel.reduced])
    )
    lines = [f"kernel {kernel.name} for {loops or '(once)'}, cost {kernel.work:.0f}"]
    names: dict[Expr, str] = {}
    for x in kernel.expressions():
        if x.op in ("const", "var", "index", "argument"):
            continue
        names[x] = f"t{len(names)}"
        lines.append(f"    {names[x]} = {_operation(x, names)}")
    for store in kernel.stores:
        how = f" {store.combine}=" if store.combine else " ="
        where = f" if {_name(store.mask, names)}" if store.mask is not None else ""
        lines.append(
            f"    {store.buffer!r}[{_index(store.offset, names)}]{how} "
            f"{_name(store.expr, names)}{where}"
        )
    for fold in kernel.folds:
        values = ", ".join(_name(x, names) for x in fold.exprs)
        how = fold.combine if isinstance(fold.combine, str) else "combine"
        targets = ", ".join(f"{b!r}" for b in fold.buffers)
        lines.append(
            f"    {targets}[{_index(fold.offset, names)}] = {how}({values})"
            f"{' prefix' if fold.prefix else ''}"
        )
    return "\n".join(lines)


def _atom(x: LoopVar) -> str:
    return f"i{x.bit.bit_length() - 1}"


def _name(x: Expr, names: dict[Expr, str]) -> str:
    if x.op == "const":
        return f"{x.attr}:{x.dtype.name}"
    if isinstance(x, Index):
        return f"({_index(x, names)})"
    return _atom(x) if isinstance(x, LoopVar) else names.get(x, x.op)


def _index(x: Index, names: dict[Expr, str]) -> str:
    parts = [
        f"{factor}*{_name(atom, names)}" if factor != 1 else _name(atom, names)
        for atom, factor in x.terms
    ]
    if x.const or not parts:
        parts.append(str(x.const))
    return " + ".join(parts)


def _operation(x: Expr, names: dict[Expr, str]) -> str:
    if x.op == "load":
        mask = f" if {_name(x.args[1], names)}" if len(x.args) > 1 else ""
        return f"load {x.attr!r}[{_index(x.offset, names)}]{mask}"
    attr = f" {x.attr}" if x.attr is not None else ""
    return f"{x.op}:{x.dtype.name}{attr} {' '.join(_name(a, names) for a in x.args)}"
