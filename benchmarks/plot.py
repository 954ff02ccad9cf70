"""A plot of ratios as SVG: a row a workload, a mark a peer, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

_LEFT, _WIDTH, _ROW, _TOP = 170, 560, 16, 46
_COLORS = {
    "jax": "#b4561d", "numpy": "#2b6cb0", "torch": "#6b46c1", "torch.compile": "#b83280",
}  # fmt: skip


def plot(ratios: Mapping[str, Mapping[str, float]], title: str) -> str:
    """An SVG of how many times faster something is than each peer, by workload."""
    values = [r for peers in ratios.values() for r in peers.values()]
    low = min(-1, math.floor(math.log10(min(values, default=1.0))))
    high = max(2, math.ceil(math.log10(max(values, default=1.0))))
    height = _TOP + _ROW * len(ratios) + 24

    def place(ratio: float) -> float:
        return _LEFT + _WIDTH * (math.log10(ratio) - low) / (high - low)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" '
        f'height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="white" /><title>{escape(title)}</title>',
        f'<text x="{_LEFT}" y="14" font-size="13">{escape(title)}</text>',
    ]
    for number, (peer, color) in enumerate(_COLORS.items()):
        x = _LEFT + 110 * number
        lines.append(f'<circle cx="{x + 5}" cy="26" r="4" fill="{color}" />')
        lines.append(f'<text x="{x + 13}" y="30">{peer}</text>')
    bottom = _TOP + _ROW * len(ratios)
    for exponent in range(low, high + 1):
        x = place(10.0**exponent)
        color = "#000" if exponent == 0 else "#ddd"
        lines.append(f'<path d="M{x:.1f} {_TOP - 6}V{bottom}" stroke="{color}" />')
        label = f"{10**exponent:g}x"
        lines.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{label}</text>')
    for number, (name, peers) in enumerate(ratios.items()):
        y = _TOP + _ROW * number + _ROW / 2
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        lines.append(f'<path d="M{_LEFT} {y}H{_LEFT + _WIDTH}" stroke="#f0f0f0" />')
        for peer, ratio in peers.items():
            text = escape(f"{name}: {ratio:.3g}x {peer}")
            lines.append(
                f'<circle cx="{place(ratio):.1f}" cy="{y}" r="4" fill="{_COLORS[peer]}" '
                f'fill-opacity="0.8"><title>{text}</title></circle>'
            )
    return "\n".join([*lines, "</svg>", ""])
