"""Programs as text: arguments with their values, and lines that give names to results."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as onp

import vires
import vires.numpy as np
from vires import lax

_NAME = re.compile(r"\bv\d+\b")


@dataclass(frozen=True)
class Step:
    """Some lines that define one name, and the operation they show."""

    name: str
    text: str
    operation: str = ""

    @property
    def uses(self) -> set[str]:
        return set(_NAME.findall(self.text)) - {self.name}


@dataclass(frozen=True)
class Program:
    """A function of arrays: `result` are the names that it returns."""

    arguments: dict[str, onp.ndarray]
    steps: Sequence[Step]
    result: Sequence[str]
    seed: int = 0
    #: Values that the generator saw, by name.
    seen: dict[str, onp.ndarray] = field(default_factory=dict, compare=False)

    def source(self) -> str:
        """The function `program` as Python."""
        lines = [f"def program({', '.join(self.arguments)}):"]
        lines += [textwrap.indent(step.text, "    ") for step in self.steps]
        lines.append(f"    return ({', '.join(self.result)},)")
        return "\n".join(lines)

    def function(self) -> Callable[..., Any]:
        """The function itself."""
        scope = dict(SCOPE)
        exec(compile(self.source(), "<program>", "exec"), scope)
        return scope["program"]

    def without_dead_steps(self) -> Program:
        """The same results from the steps that they need."""
        wanted = set(self.result)
        kept: list[Step] = []
        for step in reversed(self.steps):
            if step.name in wanted:
                kept.append(step)
                wanted |= step.uses
        arguments = {k: v for k, v in self.arguments.items() if k in wanted}
        return replace(self, arguments=arguments, steps=kept[::-1])

    def script(self, compare: str) -> str:
        """A script that shows the failure."""
        lines = [
            f"# seed {self.seed}: {compare}",
            "import numpy as onp",
            "import vires, vires.numpy as np",
            "from vires import lax",
            "from numpy import array, inf, nan",
            "",
        ]
        for name, value in self.arguments.items():
            lines.append(f"{name} = {literal(value)}")
        lines += ["", self.source(), ""]
        arguments = ", ".join(self.arguments)
        for engine in ("llvm", "reference"):
            lines.append(f'with vires.config.override("engine", "{engine}"):')
            lines.append(f"    print(vires.jit(program)({arguments}))")
        return "\n".join(lines)


#: What the text of programs may name.
SCOPE: dict[str, Any] = {"vires": vires, "np": np, "lax": lax, "onp": onp}


def literal(value: onp.ndarray) -> str:
    """An array as Python text, in full."""
    text = repr(value.astype(onp.float64).tolist() if value.dtype.kind == "V" else value.tolist())
    if value.size == 0:
        return f'onp.zeros({value.shape}, "{value.dtype.name}")'
    if value.dtype.kind not in "biufc":
        return f'onp.array({value.astype(onp.float64).tolist()}, "float64").astype("{value.dtype}")'
    return f'onp.array({text}, "{value.dtype.name}")'
