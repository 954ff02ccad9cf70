"""A list of calls as text, for those who look at what was compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vires.engine.llvm.calls import Kinds, Steps

_NAMES = {Kinds.TASK: "task", Kinds.FRAME: "frame", Kinds.RUNTIME: "runtime"}


def calls_text(calls: Mapping[str, Any]) -> str:
    """A line for each call; `[n]` is the address in a slot of the table of buffers."""
    return "\n".join(_Reader(calls).steps(""))


class _Reader:
    """Reads the numbers that `call_list.ListWriter` wrote."""

    def __init__(self, calls: Mapping[str, Any]) -> None:
        self._functions: list[str] = calls["functions"]
        self._tables: list[list[Any]] = calls["tables"]
        self._words: Iterator[int] = iter(calls["words"])

    def steps(self, indent: str) -> list[str]:
        """The steps of a list, which follow their number."""
        return [line for _ in range(next(self._words)) for line in self._step(indent)]

    def _step(self, indent: str) -> list[str]:
        match next(self._words):
            case Steps.TASKS:
                return self._tasks(indent)
            case Steps.COPY:
                return [
                    f"{indent}copy to {self._place()} from {self._place()}, {self._word()} bytes"
                ]
            case Steps.HOST:
                return [f"{indent}host function {self._word()} of {self._places(self._word())}"]
            case Steps.CHECK:
                condition, position, shown = (self._place() for _ in range(3))
                error = f"error {self._word()} of {position}, {shown}"
                head = f"{indent}check {condition}, else {error}"
                return [head, *self.steps(indent + "    ")]
            case _:
                head = f"{indent}branch by {self._place()}"
                lines = [head]
                self._skip(2)
                for number in range(self._word()):
                    lines += [f"{indent}  case {number}", *self.steps(indent + "    ")]
                return lines

    def _tasks(self, indent: str) -> list[str]:
        tasks, threads, count = self._word(), self._word(), self._word()
        how = f"  {tasks} tasks{' on all threads' if threads else ''}" if tasks != 1 else ""
        lines: list[str] = []
        for _ in range(count):
            name, failure = self._functions[self._word()], self._word()
            operands = ", ".join([self._operand() for _ in range(self._word())])
            error = f", or error {failure}" if failure >= 0 else ""
            lines.append(f"{indent}{name}({operands}){error}{how}")
        return lines

    def _operand(self) -> str:
        match self._word():
            case Kinds.NUMBER:
                value, _ = self._word(), self._word()
                return str(value)
            case Kinds.TABLE:
                number, _ = self._word(), self._word()
                itemsize, values = self._tables[number]
                shown = ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")
                return f"int{8 * itemsize}[{shown}]"
            case Kinds.PLACE:
                return self._place()
            case Kinds.PLACES:
                count, _ = self._word(), self._word()
                return self._places(count)
            case kind:
                self._skip(2)
                return _NAMES[kind]

    def _places(self, count: int) -> str:
        return "{" + ", ".join([self._place() for _ in range(count)]) + "}"

    def _place(self) -> str:
        slot, offset = self._word(), self._word()
        return f"[{slot}]" + (f"+{offset}" if offset else "")

    def _skip(self, count: int) -> None:
        for _ in range(count):
            self._word()

    def _word(self) -> int:
        return next(self._words)
