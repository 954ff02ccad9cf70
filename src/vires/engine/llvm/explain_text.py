"""A report as text."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from vires.engine.llvm.explain import Array, Report, Source, StepReport

_WIDTH = 100
_BAR = 20


def number(value: float, unit: str = "", base: float = 1000.0) -> str:
    """A number with three digits and a prefix: ``1.23 M``."""
    prefixes = ("", "k", "M", "G", "T", "P") if base == 1000.0 else ("", "Ki", "Mi", "Gi", "Ti")
    place = 0
    while place < len(prefixes) - 1 and value >= 999.5:
        value /= base
        place += 1
    digits = f"{value:.3g}"
    return f"{digits} {prefixes[place]}{unit}".rstrip()


def seconds(value: float) -> str:
    """A time with three digits in the fitting unit."""
    if value <= 0:
        return "0"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= 0.9995 * scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def primitives(step: StepReport) -> str:
    """What was fused: ``sin, mul x2``."""
    return ", ".join(f"{k} x{n}" if n > 1 else k for k, n in step.primitives.items()) or "-"


def array(x: Array) -> str:
    """``x float32[3,4]``, with the bytes where they are not those of the whole array."""
    return f"{x.name} {x.dtype}[{','.join(map(str, x.shape))}]"


def source(x: Source) -> str:
    """``file.py:3``, with the named scope where there is one: ``file.py:3 encoder``."""
    return f"{os.path.basename(x.filename)}:{x.line}{' ' + x.scope if x.scope else ''}"


def how(step: StepReport) -> str:
    """Tasks, vector width and effort of the compiler."""
    parts = [f"{step.tasks} tasks" if step.tasks > 1 else "1 task"]
    if step.lanes > 1:
        parts.append(f"{step.lanes} lanes")
    if step.level is not None:
        parts.append(f"-O{step.level}")
    if step.compile_seconds is not None:
        parts.append(f"compiled in {seconds(step.compile_seconds)}")
    return ", ".join(parts)


def reached(step: StepReport) -> str:
    """The fraction of the machine's limit."""
    return "-" if step.reached is None else f"{100.0 * step.reached:.0f}%"


def flatten(steps: list[StepReport]) -> Iterator[StepReport]:
    """Steps with those inside them."""
    for step in steps:
        yield step
        yield from flatten(step.inner)


def compilation(report: Report) -> list[tuple[str, float]]:
    """The passes and their seconds."""
    return [*report.passes.items(), ("all", sum(report.passes.values()))]


def report_text(report: Report) -> str:
    """The report for a terminal."""
    steps = list(flatten(report.steps))
    total = sum(step.seconds for step in report.steps)
    kernels = f"{len(steps)} step{'s' if len(steps) != 1 else ''}"
    lines = [f"{report.name}: {kernels}, {seconds(report.call)} a call", ""]
    for step in steps:
        lines += _step_lines(step, total)
    lines += ["memory   " + ", ".join(f"{k} {number(v, 'B')}" for k, v in report.memory.items())]
    passes = ", ".join(f"{k} {seconds(v)}" for k, v in compilation(report))
    lines.append(f"compile  {passes}; {number(report.code_bytes, 'B')} of object code")
    if report.cached is not None:
        lines.append(f"         in the disk cache: loads in {seconds(report.cached)}")
    bounds = report.limits
    lines.append(
        f"machine  {bounds.threads} threads, memory {number(bounds.memory, 'B/s')}, cache "
        f"{number(bounds.cache, 'B/s')}, float32 {number(bounds.single, 'flop/s')}, float64 "
        f"{number(bounds.double, 'flop/s')}"
    )
    return "\n".join(lines)


def _step_lines(step: StepReport, total: float) -> list[str]:
    indent = "  " * step.place.count(".")
    share = step.seconds / total if total else 0.0
    bar = "#" * min(math.ceil(share * _BAR), _BAR)
    runs = f" in {step.runs} runs" if step.runs != 1 else ""
    title = f"{indent}{step.place} {step.name}: {primitives(step)}"
    lines = [title if len(title) <= _WIDTH else f"{title[: _WIDTH - 3]}..."]

    def line(label: str, text: str) -> None:
        lines.append(f"{indent}    {label:<8} {text}")

    if step.note:
        line("note", step.note)
    for x in step.sources[:8]:
        line("from", f"{source(x)}  {x.text}"[:_WIDTH])
    if len(step.sources) > 8:
        line("from", f"and {len(step.sources) - 8} more lines")
    for label, arrays in (("reads", step.reads), ("writes", step.writes)):
        if arrays:
            line(label, f"{', '.join(map(array, arrays))}: {number(_bytes(arrays), 'B')}")
    counted = "" if step.operations is None else f"{number(step.operations, 'flop')}, "
    line("code", counted + how(step))
    limit = "" if step.limit is None else f", limit {seconds(step.limit)}, reached {reached(step)}"
    line("time", f"{seconds(step.seconds)}{runs}{limit}  {bar}".rstrip())
    lines.append("")
    return lines


def _bytes(arrays: list[Array]) -> int:
    return sum(x.nbytes for x in arrays)
