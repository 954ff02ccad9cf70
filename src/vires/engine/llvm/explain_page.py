"""A report as one HTML page without other resources."""

from __future__ import annotations

from vires.engine.llvm.explain import Report, StepReport
from vires.engine.llvm.explain_text import (
    array,
    compilation,
    flatten,
    how,
    number,
    primitives,
    reached,
    seconds,
    source,
)

_STYLE = """
.vires { font: 14px/1.45 system-ui, sans-serif; color: #222; max-width: 1200px; }
.vires h1 { font-size: 20px; } .vires h2 { font-size: 16px; margin-top: 28px; }
.vires table { border-collapse: collapse; width: 100%; }
.vires th, .vires td { text-align: left; vertical-align: top; padding: 5px 10px;
  border-bottom: 1px solid #ddd; }
.vires td.n, .vires th.n { text-align: right; white-space: nowrap; }
.vires code, .vires pre { font: 12px/1.4 ui-monospace, monospace; }
.vires pre { background: #f6f6f6; padding: 8px; overflow-x: auto; max-height: 400px; }
.vires .dim { color: #777; } .vires svg { display: block; }
@media (prefers-color-scheme: dark) { .vires { color: #ddd; } .vires pre { background: #222; } }
"""
_WIDTH, _HEIGHT = 160, 12


def escape(text: str) -> str:
    """Text as HTML shows it (`html` takes long to import)."""
    for character, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot")):
        text = text.replace(character, f"&{name};")
    return text


def report_page(report: Report) -> str:
    """The page."""
    name = escape(report.name)
    total = sum(step.seconds for step in report.steps)
    rows = "\n".join(_row(step, total) for step in flatten(report.steps))
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8" /><title>{name}</title><style>{_STYLE}</style></head>
<body><div class="vires">
<h1>{name}: {seconds(report.call)} a call</h1>
<p class="dim">Bars are shares of the time of all steps; the dark part is the least time that this
machine could need.</p>
<table>
<tr><th>step</th><th>fused, and from where</th><th>reads and writes</th>
<th class="n">bytes</th><th class="n">flop</th><th>code</th><th class="n">time</th>
<th class="n">of limit</th><th>share</th></tr>
{rows}
</table>
{_table("Memory", [(k, number(v, "B")) for k, v in report.memory.items()])}
{_table("Compilation", _compilation(report))}
{_table("Machine", _machine(report))}
</div></body>
</html>
"""


def _row(step: StepReport, total: float) -> str:
    indent = 16 * step.place.count(".")
    lines = "<br />".join(
        f"<span class='dim'>{escape(source(x))}</span> <code>{escape(x.text)}</code>"
        for x in step.sources
    )
    note = f"<br /><em>{escape(step.note)}</em>" if step.note else ""
    arrays = "<br />".join(
        f"<span class='dim'>{label}</span> <code>{escape(array(x))}</code>"
        for label, found in (("r", step.reads), ("w", step.writes))
        for x in found
    )
    runs = f"<br /><span class='dim'>{step.runs} runs</span>" if step.runs != 1 else ""
    counted = "-" if step.operations is None else number(step.operations)
    return f"""<tr>
<td style="padding-left: {indent + 10}px"><strong>{step.place}</strong> {escape(step.name)}</td>
<td>{escape(primitives(step))}{note}<br />{lines}
<details><summary class="dim">loops</summary><pre>{escape(step.text)}</pre></details></td>
<td>{arrays}</td><td class="n">{number(step.nbytes)}</td><td class="n">{counted}</td>
<td>{escape(how(step))}</td><td class="n">{seconds(step.seconds)}{runs}</td>
<td class="n">{reached(step)}</td><td>{_bar(step, total)}</td>
</tr>"""


def _bar(step: StepReport, total: float) -> str:
    """The step's share of the time, and in it the least time that the machine could need."""
    share = min(step.seconds / total, 1.0) if total else 0.0
    width = max(share * _WIDTH, 1.0)
    least = min(step.reached or 0.0, 1.0) * width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" role="img">'
        f"<title>{100 * share:.1f}% of the time</title>"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#8883" />'
        f'<rect width="{width:.1f}" height="{_HEIGHT}" fill="#e8a33d" />'
        f'<rect width="{least:.1f}" height="{_HEIGHT}" fill="#b4561d" /></svg>'
    )


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    lines = "\n".join(
        f"<tr><td>{escape(k)}</td><td class='n'>{escape(v)}</td></tr>" for k, v in rows
    )
    return f"<h2>{escape(title)}</h2>\n<table style='width: auto'>\n{lines}\n</table>"


def _compilation(report: Report) -> list[tuple[str, str]]:
    rows = [(name, seconds(value)) for name, value in compilation(report)]
    rows.append(("object code", number(report.code_bytes, "B")))
    if report.cached is not None:
        rows.append(("loading it from the disk cache", seconds(report.cached)))
    return rows


def _machine(report: Report) -> list[tuple[str, str]]:
    bounds = report.limits
    return [
        ("threads", str(bounds.threads)),
        ("memory", number(bounds.memory, "B/s")),
        ("cache", number(bounds.cache, "B/s")),
        ("float32", number(bounds.single, "flop/s")),
        ("float64", number(bounds.double, "flop/s")),
    ]
