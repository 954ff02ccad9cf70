"""Derivative rules that refer to traced values of enclosing transformations."""

from __future__ import annotations

import numpy as onp
import pytest
from checks import assert_close

import vires
import vires.numpy as np
from vires import lax

PLACES = {
    "plain": lambda f: f,
    "jit": vires.jit,
    "vmap": lambda f: lambda x: vires.vmap(f)(np.stack([x, x]))[0],
    "scan": lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=1)[0],
    "cond": lambda f: lambda x: lax.cond(x > -10.0, f, f, x),
    "checkpoint": vires.checkpoint,
    "solve": lambda f: (
        lambda x: lax.custom_linear_solve(lambda v: v, f(x), lambda _, b: b, lambda _, b: b)
    ),
}


def forward_rule(w):
    """sin(x) w, with the derivative 10 w dx."""

    @vires.custom_jvp
    def f(x):
        return np.sin(x) * w

    f.defjvp(lambda primals, tangents: (f(*primals), 10.0 * w * tangents[0]))
    return f


def reverse_rule(w):
    """The same, by a reverse rule that refers to w in both parts."""

    @vires.custom_vjp
    def f(x):
        return np.sin(x) * w

    f.defvjp(lambda x: (f(x), None), lambda _, ct: (10.0 * w * ct,))
    return f


@pytest.mark.parametrize("make", [forward_rule, reverse_rule])
@pytest.mark.parametrize("place", PLACES)
def test_rules_refer_to_values_that_are_traced_around_them(place, make):
    of = lambda w, x: PLACES[place](make(w))(x)
    slope = lambda w: vires.grad(lambda x: of(w, x))(2.0)
    ws = onp.array([3.0, 4.0], "float32")
    assert_close(vires.jit(slope)(3.0), 30.0)
    assert_close(vires.vmap(slope)(ws), 10 * ws)
    assert_close(vires.jit(vires.vmap(slope))(ws), 10 * ws)
    still = lambda w: of(lax.stop_gradient(w), w)
    assert_close(vires.jit(vires.grad(still))(3.0), 30.0)
    assert_close(vires.jit(lambda w: slope(w.astype(np.float32)))(3), 30.0)
    assert_close(lax.scan(lambda c, w: (c, slope(w)), 0.0, ws)[1], 10 * ws)


@pytest.mark.parametrize("place", ["plain", "jit", "scan", "cond", "checkpoint"])
def test_second_derivatives(place):
    def value(w):
        return vires.grad(vires.grad(PLACES[place](forward_rule(w))))(2.0)

    assert_close(vires.jit(value)(3.0), 0.0)


def test_forward_mode_through_a_loop():
    def slope(w):
        step = lambda c: (c[0] + 1, forward_rule(w)(c[1]))
        loop = lambda x: lax.while_loop(lambda c: c[0] < 2, step, (0, x))[1]
        return vires.jvp(loop, (2.0,), (1.0,))[1]

    assert_close(vires.jit(slope)(3.0), 900.0)


@pytest.mark.parametrize("make", [forward_rule, reverse_rule])
@pytest.mark.parametrize("place", ["jit", "scan", "cond", "checkpoint"])
def test_a_derivative_that_the_rules_do_not_know_of_is_refused(place, make):
    with pytest.raises(TypeError, match="with respect to a value that f closes over"):
        vires.grad(lambda w: PLACES[place](make(w))(w))(3.0)
