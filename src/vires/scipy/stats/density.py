"""The decorator of functions of distributions: elementwise, with default parameters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from vires.numpy.ufunc import elementwise


def distribution_function(body: Callable[..., Any]) -> Callable[..., Any]:
    """A function of promoted float operands of one shape as one of any operands that broadcast.

    Its arguments may be named and left out where the body has defaults.
    """
    parameters = list(inspect.signature(body).parameters.values())
    names = [p.name for p in parameters]
    operation = elementwise("inexact", name=body.__name__)(body)

    @functools.wraps(body)
    def function(*args: Any, **kwargs: Any) -> Any:
        if len(args) == len(names) and not kwargs:
            return operation(*args)
        if kwargs.keys() - set(names[len(args) :]) or len(args) > len(names):
            raise TypeError(
                f"{body.__name__}: needs arguments {', '.join(names)}; "
                f"got {len(args)} and {', '.join(kwargs) or 'no others'}"
            )
        given = list(args)
        for p in parameters[len(args) :]:
            value = kwargs.get(p.name, p.default)
            if value is p.empty:
                raise TypeError(
                    f"{body.__name__}: needs the argument {p.name}; "
                    f"got {len(args)} and {', '.join(kwargs) or 'no others'}"
                )
            given.append(value)
        return operation(*given)

    return function
