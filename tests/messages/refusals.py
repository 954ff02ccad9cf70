"""Checks that a bad call is refused: with which exception, which message, and at whose line."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import optree

import vires

_FOLDERS = [os.path.dirname(module.__file__ or "") for module in (vires, np, optree)]
_LIBRARIES = (*_FOLDERS, sysconfig.get_path("purelib"))


class Case(NamedTuple):
    """A call that must be refused: a function of arrays, on one line, and what it raises."""

    call: Callable[..., Any]
    operands: Sequence[Any]
    error: type[BaseException]
    message: str


def a(*shape: int, dtype: Any = "float32") -> Any:
    """Ones."""
    return vires.numpy.asarray(np.ones(shape, dtype))


def ints(*values: int) -> Any:
    return vires.numpy.asarray(np.array(values, "int32"))


def user_frame(error: BaseException) -> traceback.FrameSummary:
    """The innermost frame outside of libraries."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)][-1]


def refusal(function: Callable[..., Any], *operands: Any) -> tuple[BaseException, str]:
    """The exception that a call raises, and the source of the user's line that it is raised at."""
    try:
        result = function(*operands)
    except BaseException as error:
        return error, user_frame(error).line or ""
    raise AssertionError(f"not refused; gave {result!r:.200}")


def check(case: Case) -> None:
    """The call is refused with the same exception and message at once and under jit."""
    for mode, function in (("at once", case.call), ("jit", vires.jit(case.call))):
        try:
            result = function(*case.operands)
        except BaseException as error:
            assert isinstance(error, case.error), f"{mode}: {type(error).__name__}: {error}"
            assert re.search(case.message, str(error)), f"{mode}: {error}"
            frame = user_frame(error)
            line = case.call.__code__.co_firstlineno
            at_run_time = mode == "jit" and frame.name == check.__name__
            assert frame.lineno == line or at_run_time, f"{mode}: raised at {frame}"
        else:
            raise AssertionError(f"{mode}: not refused; gave {result!r:.200}")


def named(cases: Sequence[Case]) -> list[str]:
    """Names for parametrized cases: the message and the position."""
    texts = [re.sub("[^a-z0-9_ ]", "", case.message.lower())[:40] for case in cases]
    return [f"{i}-{text}" for i, text in enumerate(texts)]
