"""Options: read and set with `vires.config`, by environment variables, or for a block of code.

`vires.config.update("enable_x64", True)` and JAX's spelling `"jax_enable_x64"` both work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Option:
    """One option: its value, the values it accepts, and whether compiled programs depend on it."""

    value: Any
    accepts: Callable[[Any], bool]
    needs: str
    affects_programs: bool
    doc: str


def _one_of(*choices: Any) -> Callable[[Any], bool]:
    return lambda value: any(
        value is choice or (value == choice and type(value) is type(choice)) for choice in choices
    )


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _environment(name: str, default: Any) -> Any:
    text = os.environ.get(f"VIRES_{name.upper()}", os.environ.get(f"JAX_{name.upper()}"))
    if text is None:
        return default
    return {"1": True, "true": True, "0": False, "false": False}.get(text.lower(), text)


class Config:
    """The options of the process. Attribute access reads, `update` sets."""

    def __init__(self) -> None:
        self._options: dict[str, Option] = {}
        self._listeners: list[Callable[[], object]] = []
        #: Changes whenever an option that compiled programs depend on does.
        self.state = 0
        self._states: dict[tuple[Any, ...], int] = {}

    def define(
        self,
        name: str,
        default: Any,
        accepts: Callable[[Any], bool],
        needs: str,
        doc: str,
        affects_programs: bool = False,
    ) -> None:
        value = _environment(name, default)
        if not accepts(value):
            raise ValueError(f"VIRES_{name.upper()}: needs {needs}; got {value!r}")
        self._options[name] = Option(value, accepts, needs, affects_programs, doc)
        self._set(name, value)

    def _set(self, name: str, value: Any) -> None:
        """Set an option, as an attribute too: many are read on the way to a compiled program."""
        self._options[name].value = self.__dict__[name] = value

    def _find(self, name: str) -> tuple[str, Option]:
        short = str(name).removeprefix("jax_")
        option = self._options.get(short)
        if option is None:
            known = ", ".join(sorted(self._options))
            raise AttributeError(f"config: needs one of the options {known}; got {name!r}")
        return short, option

    def update(self, name: str, value: Any) -> None:
        """Set an option for the whole process."""
        short, option = self._find(name)
        if not option.accepts(value):
            raise ValueError(f"config.{short}: needs {option.needs}; got {value!r}")
        before = option.value
        self._set(short, value)
        if not option.affects_programs:
            return
        try:
            self._changed()
        except ValueError:  # a listener refuses the value: nothing has changed
            self._set(short, before)
            self._changed()
            raise

    def _changed(self) -> None:
        values = tuple(o.value for o in self._options.values() if o.affects_programs)
        self.state = self._states.setdefault(values, len(self._states))
        for listener in self._listeners:
            listener()

    def on_change(self, listener: Callable[[], object]) -> None:
        """Call `listener` after each change of an option that compiled programs depend on."""
        self._listeners.append(listener)
        self._changed()

    def option(self, name: str) -> Option:
        """The option itself, for those who read it often."""
        return self._find(name)[1]

    def read(self, name: str) -> Any:
        return self._find(name)[1].value

    def __getattr__(self, name: str) -> Any:  # JAX's spellings, and what is no option
        if name.startswith("_"):
            raise AttributeError(name)
        return self._find(name)[1].value

    def __setattr__(self, name: str, value: Any) -> None:
        short = name.removeprefix("jax_")
        if short in self.__dict__.get("_options", ()):
            raise AttributeError(
                f"config.{short}: needs update to be set; got an assignment; "
                f"try config.update({name!r}, {value!r})"
            )
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._options]

    @contextmanager
    def override(self, name: str, value: Any) -> Generator[None]:
        """Set an option inside a `with` block."""
        before = self.read(name)
        self.update(name, value)
        try:
            yield
        finally:
            self.update(name, before)


config = Config()
# fmt: off
config.define(
    "enable_x64", "auto", _one_of(True, False, "auto"), "True, False or 'auto'",
    "'auto': 32-bit by default, 64-bit when asked for; "
    "True: 64-bit by default; False: 64-bit is truncated", True,
)
config.define(
    "engine", "llvm", lambda v: isinstance(v, str), "the name of an engine",
    "which engine runs programs", True,
)
config.define(
    "disable_jit", False, _flag, "True or False",
    "run jitted functions operation by operation", True,
)
config.define(
    "debug_nans", False, _flag, "True or False",
    "raise FloatingPointError when a result holds nan", True,
)
config.define(
    "debug_infs", False, _flag, "True or False",
    "raise FloatingPointError when a result holds inf", True,
)
config.define(
    "enable_checks", False, _flag, "True or False",
    "check every staged program and every pass",
)
config.define(
    "numpy_rank_promotion", "allow", _one_of("allow", "warn", "raise"),
    "'allow', 'warn' or 'raise'", "what to do when operands of different rank are broadcast", True,
)
config.define(
    "default_matmul_precision", None, lambda v: v is None or isinstance(v, str),
    "None or a precision's name", "precision of matrix products where none is given", True,
)
config.define(
    "key_reuse", "warn", _one_of("warn", "error", "allow"), "'warn', 'error' or 'allow'",
    "what using one random key twice does",
)
config.define(
    "log_compiles", False, _flag, "True or False",
    "log each compilation with its time",
)
config.define(
    "numpy_dtype_promotion", "standard", _one_of("standard", "strict"),
    "'standard' or 'strict'", "type promotion", True,
)
# fmt: on


_x64, _key_reuse = config.option("enable_x64"), config.option("key_reuse")


def x64_mode() -> bool | str:
    """The value of enable_x64: True, False or "auto"."""
    return _x64.value


def key_reuse_mode() -> str:
    """The value of key_reuse: "warn", "error" or "allow"."""
    return _key_reuse.value
