"""Says which operations of the user's program could not be compiled, and where they stand.

Nothing is kept for this while all goes well: the operations are found on the stack of the error, or
by the line of the text that LLVM refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from traceback import walk_tb
from typing import Any

from vires.core.jaxpr import JaxprEqn
from vires.engine.llvm import machine
from vires.engine.llvm.modules import Unit
from vires.engine.llvm.program import Block, Kernel, Node, Region, Step

#: Names under which the passes hold what they work on.
_HOLDERS = ("eqn", "step", "kernel", "node")
#: Operations and lines that a message lists.
_LISTED = 4


def compile_error(
    error: Exception, name: str, region: Region | None, units: Sequence[Unit]
) -> machine.CompileError:
    """The error to raise when the program `name` cannot be compiled because of another error."""
    by_llvm = isinstance(error, machine.CompileError)
    found = _in_text(units, region) if by_llvm else _on_stack(error)
    primitives = dict.fromkeys(eqn.primitive.name for eqn in found)
    lines = dict.fromkeys(str(eqn.source) for eqn in found if eqn.source is not None)
    what = _listed(primitives) or "its operations"
    where = f" of {_listed(lines)}" if lines else ""
    said = str(error).removeprefix(f"{name}: ") if by_llvm else f"{type(error).__name__}: {error}"
    return machine.CompileError(
        f"{name}: cannot compile {what}{where}; got {said}; "
        "try config.update('engine', 'reference'), and please report this"
    )


def _listed(names: dict[str, None]) -> str:
    shown = list(names)[:_LISTED]
    return ", ".join([*shown, "..."] if len(names) > _LISTED else shown)


def _on_stack(error: Exception) -> list[JaxprEqn]:
    """The equations of what the innermost pass was working on."""
    found: list[JaxprEqn] = []
    for frame, _ in walk_tb(error.__traceback__):
        held = frame.f_locals
        for key in _HOLDERS:
            equations = list(_equations(held.get(key)))
            if any(eqn.source is not None for eqn in equations):
                found = equations
    return found


def _equations(thing: Any) -> Iterator[JaxprEqn]:
    """The equations that something in the compiler comes from."""
    if isinstance(thing, JaxprEqn):
        yield thing
    elif isinstance(thing, Kernel):
        yield from _of_nodes(thing.nodes)
    elif isinstance(thing, Node):
        yield from _of_nodes([thing])
    elif isinstance(thing, Block):
        yield from [x for x in (thing.equation,) if x is not None]
        yield from _of_nodes(thing.results)


def _of_nodes(nodes: Sequence[Node]) -> Iterator[JaxprEqn]:
    """The equations of values and of those that are computed in their place."""
    seen: set[Node] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.origin is not None:
            yield node.origin
        stack += [x for x in node.operands if x.kind == "pull" and x.buffer is None]


# --- by the text


def _in_text(units: Sequence[Unit], region: Region | None) -> list[JaxprEqn]:
    """The equations of the function that LLVM refuses."""
    for unit in units:
        text, level = unit.hurried()
        try:
            machine.compile_ir(text, level)
        except machine.CompileError as error:
            place = re.search(r":(\d+):\d+: ", str(error))
            before = text.split("\n")[: int(place[1])] if place else []
            heads = [line for line in before if line.startswith("define ")]
            function = re.search(r"@(\w+)\(", heads[-1]) if heads else None
            steps = list(_steps(region)) if region is not None else []
            kernels = [
                x for x in steps if function and isinstance(x, Kernel) and x.name == function[1]
            ]
            return [eqn for step in kernels or steps for eqn in _equations(step)]
    return []


def _steps(region: Region) -> Iterator[Step]:
    """The steps of a region, of those inside it, and the kernels that steps hold."""
    for step in region.steps:
        yield step
        if isinstance(step, Block):
            for value in step.params.values():
                kernel = value if isinstance(value, Kernel) else getattr(value, "kernel", None)
                if isinstance(kernel, Kernel):
                    yield kernel
            for inner in step.regions:
                yield from _steps(inner)


__all__ = ["compile_error"]
