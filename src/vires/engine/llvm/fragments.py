"""Fragments: pieces of functions whose text is built once in a process and then copied.

Building the text of an elementary function costs Python a microsecond or two an instruction;
copying it with fresh names costs next to nothing. A fragment is a function of the code, values and
static arguments that returns a value or a tuple of values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from functools import wraps
from typing import Any, cast

from vires.engine.llvm.kinds import Kind
from vires.engine.llvm.ssa import Builder, ComplexVal, Val

_templates: dict[Hashable, _Template] = {}
_PLACE = re.compile(r"\$(\d+)\$")


def fragment(build: Callable[..., Any]) -> Callable[..., Any]:
    """Remember the text that a function of (code, values and static arguments...) writes.

    The result is a value or a tuple of values. Calls with the same operands in a block share them.
    """

    @wraps(build)
    def emit(code: Builder, *arguments: Any) -> Any:
        operands: list[Val] = []
        signature: list[Hashable] = [build, code.features]
        identity: list[Hashable] = [build]
        for x in arguments:
            if isinstance(x, ComplexVal):
                operands += (x.re, x.im)
                signature.append((x.kind, x.lanes))
                identity += (x.re.name, x.im.name, x.kind)
            elif isinstance(x, Val):
                operands.append(x)
                signature.append((x.kind, x.lanes))
                identity += (x.name, x.kind)
            else:
                signature.append(x)
                identity.append(x)
        key = tuple(identity)
        found = code.fragments.get(key)
        if found is None:
            shape = tuple(signature)
            template = _templates.get(shape)
            if template is None:
                template = _templates[shape] = _Template(
                    type(code), build, code.features, arguments
                )
            found = code.fragments[key] = template.copy_into(code, operands)
        return found

    return emit


class _Template:
    """A fragment's text, with places for the names of its operands and the current block."""

    def __init__(
        self,
        builder: type[Builder],
        build: Callable[..., Any],
        features: str,
        arguments: Sequence[Any],
    ) -> None:
        inner = builder(features, prefix="~")
        inner.block = "$0$"
        self._places = 1

        def place(x: Any) -> Any:
            if isinstance(x, ComplexVal):
                return ComplexVal(x.kind, place(x.re), place(x.im))
            if isinstance(x, Val):
                name = f"${self._places}$"
                self._places += 1
                return Val(inner, name, x.kind, x.lanes)
            return x

        result = build(inner, *[place(x) for x in arguments])
        self._is_tuple = isinstance(result, tuple)
        results = cast("tuple[Val, ...]", result if self._is_tuple else (result,))
        self._results: list[tuple[Kind, int, list[str]]] = [
            (x.kind, x.lanes, [x.re.name, x.im.name] if isinstance(x, ComplexVal) else [x.name])
            for x in results
        ]
        self._block = inner.block
        self._helpers = inner.helpers
        parts = _PLACE.split("\n".join(inner.lines))
        self._texts, self._order = parts[::2], [int(place) for place in parts[1::2]]

    def copy_into(self, code: Builder, operands: Sequence[Val]) -> Any:
        unique = code.fresh_prefix()
        names = [code.block.replace("%", ""), *[x.name for x in operands]]
        texts = self._texts
        pieces = [texts[0].replace("~", unique)]
        for text, place in zip(texts[1:], self._order, strict=True):
            pieces.append(names[place])
            pieces.append(text.replace("~", unique))
        if texts[0] or self._order:
            code.lines.append("".join(pieces))
        if self._block != "$0$":
            code.block = self._block.replace("~", unique)
        if self._helpers:
            code.helpers.update(self._helpers)

        def named(name: str, kind: Kind, lanes: int) -> Val:
            if name[0] == "$":
                return Val(code, names[int(name[1:-1])], kind, lanes)
            return Val(code, name.replace("~", unique), kind, lanes)

        results: list[Val] = []
        for kind, lanes, parts in self._results:
            if kind.part is None:
                results.append(named(parts[0], kind, lanes))
            else:
                real, imag = (named(part, kind.part, lanes) for part in parts)
                results.append(ComplexVal(kind, real, imag))
        return tuple(results) if self._is_tuple else results[0]
