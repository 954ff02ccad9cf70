"""custom_vmap and sequential_vmap: the rule is used under vmap, also differentiated and staged."""

from __future__ import annotations

import numpy as onp
import pytest
from checks import assert_close

import vires
import vires.numpy as np
from vires import grad, jit, vmap
from vires.control.custom_vmap import custom_vmap, sequential_vmap

X = onp.array([0.1, 0.2, 0.3], "float32")


def make(seen):
    @custom_vmap
    def f(x, y):
        return {"a": np.sin(x) * y, "b": y}

    @f.def_vmap
    def rule(axis_size, in_batched, x, y):
        seen.append((axis_size, tuple(in_batched)))
        a = 10.0 * np.sin(x) * y
        return {"a": a, "b": y}, {"a": True, "b": in_batched[1]}

    return f


def test_rule_is_used():
    seen = []
    f = make(seen)
    assert_close(f(X[0], 2.0)["a"], onp.sin(X[0]) * 2)
    assert_close(jit(f)(X[0], 2.0)["a"], onp.sin(X[0]) * 2)
    assert not seen
    out = vmap(f, (0, None))(X, 2.0)
    assert_close(out["a"], 20 * onp.sin(X))
    assert_close(out["b"], onp.full(3, 2.0, "float32"))
    assert seen == [(3, (True, False))]
    assert_close(jit(vmap(jit(f), (0, 0)))(X, X)["a"], 10 * onp.sin(X) * X)
    assert seen[-1] == (3, (True, True))


def test_derivatives():
    f = make([])
    loss = lambda x, y: f(x, y)["a"].sum()
    assert_close(grad(loss)(X[0], 2.0), 2 * onp.cos(X[0]))
    assert_close(vmap(grad(loss), (0, None))(X, 2.0), 20 * onp.cos(X))
    assert_close(grad(lambda x: vmap(f, (0, None))(x, 2.0)["a"].sum())(X), 20 * onp.cos(X))
    assert_close(jit(vmap(grad(jit(loss)), (0, None)))(X, 2.0), 20 * onp.cos(X))
    dots = vmap(lambda x: vires.jvp(lambda x: f(x, 2.0)["a"], (x,), (np.float32(1),))[1])(X)
    assert_close(dots, 20 * onp.cos(X))


def test_sequential():
    shapes = []

    def note(x, y):
        shapes.append((x.shape, y.shape))
        return x * y

    f = sequential_vmap(note)
    assert_close(vmap(f, (0, None))(X, 2.0), 2 * X)
    assert set(shapes) == {((), ())}
    assert_close(grad(lambda x: vmap(f, (0, None))(x, 2.0).sum())(X), onp.full(3, 2.0, "float32"))


def test_messages():
    f = custom_vmap(lambda x: x)
    with pytest.raises(AttributeError, match="custom_vmap: needs a rule before <lambda> is called"):
        vmap(f)(X)
    f.def_vmap(lambda n, batched, x: x)
    with pytest.raises(TypeError, match=r"needs the rule of <lambda> to return a pair"):
        vmap(f)(X)
    f.def_vmap(lambda n, batched, x: ((x,), True))
    with pytest.raises(
        TypeError, match="needs the rule of <lambda> to return a result of the structure"
    ):
        vmap(f)(X)
    with pytest.raises(TypeError, match="custom_vmap: needs mapped values as arguments"):
        vmap(lambda y: _closing(y)(1.0))(X)


def _closing(y):
    f = custom_vmap(lambda x: x * y)
    f.def_vmap(lambda n, batched, x: (x, batched[0]))
    return f
