"""Names of arguments, and what they keep alive."""

from __future__ import annotations

import functools
import gc
import weakref

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires.api.arguments import argument_names


class Method:
    def method(self, a, b):
        return a, b


@functools.wraps(lambda q, r: 0)
def wrapped(*args):
    return args


FUNCTIONS = {
    "plain": (lambda x, y: 0, (1, 2), {}, ["x", "y"]),
    "rest": (lambda x, *rest, k=1: 0, (1, 2, 3), {"k": 4}, ["x", "rest[0]", "rest[1]", "k"]),
    "only rest": (lambda *xs: 0, (1, 2), {}, ["xs[0]", "xs[1]"]),
    "default": (lambda x, y=2: 0, (1,), {"y": 2}, ["x", "y"]),
    "tree": (lambda p, q: 0, ({"w": [1, 2]}, None), {}, ["p['w'][0]", "p['w'][1]"]),
    "method": (Method().method, (1, 2), {}, ["a", "b"]),
    "partial": (functools.partial(lambda u, v: 0, 1), (2,), {}, ["v"]),
    "wrapped": (wrapped, (1, 2), {}, ["q", "r"]),
    "built in": (min, (1, 2), {}, ["args[0]", "args[1]"]),
    "too many": (lambda x: 0, (1, 2), {}, ["x", "args[1]"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_names(name):
    function, args, kwargs, expected = FUNCTIONS[name]
    names = argument_names(function, args, kwargs)
    assert len(names) == len(expected) and list(names) == expected == names[:]


@pytest.mark.parametrize("static", [0, -2])
def test_a_static_argument_does_not_shift_the_names(static):
    f = vires.jit(lambda n, x: x, static_argnums=static)
    with pytest.raises(TypeError, match=r"at x of"):
        f(3, "s")
    with pytest.raises(TypeError, match=r"at x\['b'\] of"):
        f(3, {"a": 1.0, "b": "s"})


class Held:
    pass


@pytest.mark.parametrize("how", ["jit", "lower", "make_jaxpr", "grad"])
def test_what_a_function_closes_over_goes_with_it(how):
    """By counting references: nothing waits for the collector of cycles."""

    def begin():
        held = Held()

        def function(x):
            return (np.sin(x) * (2 if held else 3)).sum()

        if how == "jit":
            vires.jit(function)(onp.ones(3, "float32"))
        elif how == "lower":
            vires.jit(function).lower(onp.ones(3, "float32")).compile()
        elif how == "grad":
            vires.jit(vires.grad(function))(onp.ones(3, "float32"))
        else:
            return weakref.ref(held), vires.make_jaxpr(function)(onp.ones(3, "float32"))
        return weakref.ref(held), None

    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        seen, _kept = begin()
        assert seen() is None
    finally:
        if was_enabled:
            gc.enable()
