"""Cuts long stretches of scalar code off from vectors, for the code generator's sake.

With little effort LLVM selects instructions one by one, from the end of a block on, until it meets
one that this way of selecting does not know, a vector mostly. The rest of the block is then
selected as a graph, which takes several times as long. In a block of its own, scalar code does not
suffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

#: Scalar instructions that are worth a block.
_LONG = 24


def cut(lines: Sequence[str]) -> list[str]:
    """The lines of a function with such stretches in blocks of their own."""
    lines = "\n".join(lines).split("\n") if lines else []  # some are several, with labels in them
    if len(lines) <= _LONG:
        return lines
    made: list[str] = []
    #: For a block that was cut, the last part of it: where its successors come from.
    last: dict[str, str] = {}
    parts, start = 0, 0
    for end in [*[i for i, line in enumerate(lines) if line[0] != " "], len(lines)]:
        block = lines[start:end]
        start = end
        if len(block) > _LONG and any("<" in line for line in block):
            name = block[0][:-1] if block[0][0] != " " else "entry"
            for position, stretch in enumerate(_stretches(block)):
                if position:
                    parts += 1
                    last[name] = f"part{parts}"
                    made += [f"  br label %part{parts}", f"part{parts}:"]
                made += stretch
        else:
            made += block
    return [_renamed(line, last) for line in made] if last else made


def _stretches(block: Sequence[str]) -> list[list[str]]:
    """A block in parts: long stretches of scalar code, and what lies between them."""
    found: list[list[str]] = []
    closed = True
    for scalar, group in groupby(block, _is_scalar):
        stretch = list(group)
        long = scalar and len(stretch) >= _LONG
        if long or closed:
            found.append(stretch)
        else:
            found[-1] += stretch
        closed = long
    return found


def _is_scalar(line: str) -> bool:
    return line[0] == " " and "<" not in line and " = phi " not in line


def _renamed(line: str, last: dict[str, str]) -> str:
    """A phi with the blocks that its values come from now."""
    if " = phi " not in line:
        return line
    renamed: list[str] = []
    for source in line.split(" ], [ "):
        text, _, label = source.rpartition("%")
        name = label.removesuffix(" ]")
        renamed.append(f"{text}%{last.get(name, name)}{label[len(name) :]}")
    return " ], [ ".join(renamed)
