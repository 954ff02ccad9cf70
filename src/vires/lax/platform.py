"""Names that programs for other platforms use: platforms, accuracy, composites."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from vires.ops.accept import refuse

__all__ = ["AccuracyMode", "Tolerance", "composite", "platform_dependent"]


class AccuracyMode(Enum):
    """How accurate an elementary function has to be: there is one implementation, the best."""

    HIGHEST = 1
    DEFAULT = 2


class Tolerance(NamedTuple):
    """Errors that a function may have: absolute, relative, in units in the last place."""

    atol: float = 0.0
    rtol: float = 0.0
    ulps: int = 0


def platform_dependent(
    *args: Any, default: Callable[..., Any] | None = None, **per_platform: Callable[..., Any]
) -> Any:
    """Call the function given for the platform that programs run on, `cpu`, or else the default.

    >>> from vires import lax
    >>> lax.platform_dependent(2, cpu=lambda x: x + 1, tpu=lambda x: x - 1)
    3
    """
    chosen = per_platform.get("cpu", default)
    if chosen is None:
        names = ", ".join(sorted(per_platform)) or "none"
        raise refuse(
            "platform_dependent", "a function for cpu, or a default", names, "", ValueError
        )
    return chosen(*args)


def composite(decomposition: Callable[..., Any], name: str, version: int = 0) -> Callable[..., Any]:
    """A function with a name that a compiler may know; here it is its decomposition.

    >>> from vires import lax
    >>> lax.composite(lambda x: x * 2, "my.double")(3)
    6
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        return decomposition(*args, **kwargs)

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    return function
