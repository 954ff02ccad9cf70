"""Collectives inside control flow under vmap with a named axis."""

from __future__ import annotations

import numpy as onp
import pytest
from checks import assert_close, to_numpy

import vires.numpy as np
from vires import grad, jit, lax, vmap
from vires.control.custom_jvp import custom_jvp
from vires.control.custom_vjp import custom_vjp
from vires.control.remat import checkpoint

X = np.arange(3.0)
#: Ways to call a function without arguments: no operand is mapped, only the axis is named.
WAYS = {
    "plain": lambda f: f(),
    "jit": lambda f: jit(f)(),
    "checkpoint": lambda f: checkpoint(f)(),
    "scan": lambda f: lax.scan(lambda c, _: (c + f(), None), 0.0, None, length=1)[0],
    "cond": lambda f: lax.cond(True, f, lambda: 0.0),
    "while": lambda f: lax.while_loop(lambda c: c[0] < 1, lambda c: (c[0] + 1, f()), (0, 0.0))[1],
    "jit of scan of cond": lambda f: jit(
        lambda: lax.scan(lambda c, _: (lax.cond(c < 1, f, lambda: c), None), 0.0, None, length=1)[0]
    )(),
}


@pytest.mark.parametrize("way", WAYS)
def test_programs_that_depend_on_the_axis_alone(way):
    call = WAYS[way]
    index = lambda x: call(lambda: lax.axis_index("i") * 1.0) + x
    assert_close(vmap(index, axis_name="i")(X), onp.array([0.0, 2.0, 4.0], "float32"))
    assert_close(jit(vmap(index, axis_name="i"))(X), onp.array([0.0, 2.0, 4.0], "float32"))
    total = lambda x: call(lambda: lax.psum(1.0, "i")) + x
    assert_close(vmap(total, axis_name="i")(X), onp.array([3.0, 4.0, 5.0], "float32"))


def test_custom_derivatives():
    f = custom_jvp(lambda y: y * lax.axis_index("i"))
    f.defjvp(lambda p, t: (f(*p), 2.0 * t[0]))
    assert_close(
        vmap(lambda x: f(2.0) + x, axis_name="i")(X), onp.array([0.0, 3.0, 6.0], "float32")
    )
    assert_close(
        vmap(lambda x: grad(f)(2.0) + x, axis_name="i")(X), onp.array([2.0, 3.0, 4.0], "float32")
    )
    g = custom_vjp(lambda y: y * lax.axis_index("i"))
    g.defvjp(lambda y: (g(y), None), lambda _, ct: (ct * lax.psum(1.0, "i"),))
    assert_close(vmap(lambda x: grad(g)(x), axis_name="i")(X), onp.full(3, 3.0, "float32"))
    assert_close(grad(lambda x: vmap(g, axis_name="i")(x).sum())(X), onp.full(3, 3.0, "float32"))


def test_derivatives_of_collectives_in_loops():
    def looped(x):
        return lax.scan(lambda c, _: (lax.psum(np.sin(c) * x, "i"), None), x, None, length=2)[0]

    def written_out(x):
        c = x
        for _ in range(2):
            c = (np.sin(c) * x).sum() * np.ones(3)
        return c.sum()

    found = grad(lambda x: vmap(looped, axis_name="i")(x).sum())(X)
    assert_close(found, to_numpy(grad(written_out)(X)))
    assert_close(vmap(grad(looped), axis_name="i")(X), to_numpy(grad(written_out)(X)))
