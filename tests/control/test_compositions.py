"""Control flow in control flow under several transformations, against loops and differences."""

from __future__ import annotations

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as onp
import pytest
from checks import assert_close, check_derivatives, check_vmap, to_numpy

import vires
import vires.numpy as np
from vires import grad, jit, lax, vmap
from vires.control.custom_jvp import custom_jvp
from vires.control.remat import checkpoint

RNG = onp.random.default_rng(4)
X = RNG.standard_normal(3)


@custom_jvp
def squared(x):
    return x * x


squared.defjvp(lambda p, t: (squared(p[0]), 2.0 * p[0] * t[0]))


def deep(x):
    """A scan of a cond of a jit of a loop of a checkpointed function."""

    def body(carry, z):
        def bent(c):
            inner = lambda i, c: np.sin(c) + 0.1 * i * squared(z)
            return jit(lambda c: lax.fori_loop(0, 2, checkpoint(inner), c))(c)

        new = lax.cond(z.sum() > 0, bent, lambda c: c * np.cos(z), carry)
        return new, {"sum": new.sum(), "switched": lax.switch(2, [np.sin, np.cos, squared], z)}

    carry, ys = lax.scan(body, x, np.stack([x, -x, 2 * x]))
    return carry.sum() + (ys["sum"] * ys["switched"].sum()).sum()


def test_derivatives_of_nested_control_flow():
    check_derivatives(deep, X)
    check_derivatives(jit(deep), X)
    check_derivatives(checkpoint(deep), X)


def test_hessians():
    h = vires.hessian(deep)(X)
    assert_close(h, to_numpy(vires.jacfwd(vires.jacfwd(deep))(X)), rtol=1e-8)
    assert_close(h, to_numpy(vires.jacrev(vires.jacrev(deep))(X)), rtol=1e-8)
    assert_close(jit(vires.hessian(deep))(X), to_numpy(h), rtol=1e-10)
    assert_close(h, to_numpy(np.transpose(h)), rtol=1e-8)


def test_vmap_of_nested_control_flow():
    xs = RNG.standard_normal((4, 3))
    check_vmap(deep, xs, rtol=1e-10)
    check_vmap(grad(deep), xs, rtol=1e-9)
    assert_close(
        grad(lambda xs: vmap(deep)(xs).sum())(xs), to_numpy(vmap(grad(deep))(xs)), rtol=1e-9
    )


def test_vmap_of_vmap_of_while_of_scan():
    def f(limit, x):
        def body(c):
            total, n = c
            return lax.scan(lambda t, z: (t + z * z, None), total, x)[0], n + 1

        return lax.while_loop(lambda c: c[0] < limit, body, (0.1, 0))

    limits, xs = (
        onp.array([1.0, 3.0, 9.0], "float32"),
        RNG.standard_normal((2, 3)).astype("float32"),
    )
    out = vmap(vmap(f, (0, None)), (None, 0))(limits, xs)
    for i, j in itertools.product(range(2), range(3)):
        assert_close((out[0][i, j], out[1][i, j]), to_numpy(f(limits[j], xs[i])))


def test_scan_over_functions_of_scan():
    """A recurrent network: gradients of a loss through time and over layers."""

    def cell(w, h, x):
        return np.tanh(np.dot(w["x"], x) + np.dot(w["h"], h))

    def loss(ws, xs):
        def layer(xs, w):
            _, hs = lax.scan(lambda h, x: (cell(w, h, x),) * 2, np.zeros_like(xs[0]), xs)
            return hs, None

        return (lax.scan(layer, xs, ws)[0] ** 2).sum()

    def unrolled(ws, xs):
        for k in range(2):
            h, hs = np.zeros_like(xs[0]), []
            for x in xs:
                h = cell({"x": ws["x"][k], "h": ws["h"][k]}, h, x)
                hs.append(h)
            xs = np.stack(hs)
        return (xs**2).sum()

    ws = {"x": RNG.standard_normal((2, 3, 3)), "h": RNG.standard_normal((2, 3, 3))}
    xs = RNG.standard_normal((4, 3))
    assert_close(grad(loss, (0, 1))(ws, xs), to_numpy(grad(unrolled, (0, 1))(ws, xs)), rtol=1e-9)
    assert_close(
        jit(grad(loss, (0, 1)))(ws, xs), to_numpy(grad(unrolled, (0, 1))(ws, xs)), rtol=1e-9
    )
    check_derivatives(loss, ws, xs, order=1)


def test_loops_over_keys_of_a_dictionary_of_integers_and_floats():
    def f(x):
        state = {"n": 0, "x": x, "flag": True, "u": np.uint8(3)}

        def body(s, _):
            return {
                "n": s["n"] + 1,
                "x": lax.cond(s["flag"], np.sin, np.cos, s["x"]),
                "flag": s["n"] < 1,
                "u": s["u"],
            }, s["n"]

        state, ns = lax.scan(body, state, None, length=4)
        return state["x"], ns

    (value, ns) = f(X)
    assert_close(ns, onp.arange(4))
    assert_close(value, onp.cos(onp.cos(onp.sin(onp.sin(X)))))
    check_derivatives(lambda x: f(x)[0], X)


# --- random programs


def programs(depth):
    """Functions of a vector that combine control flow at random, and the same in plain Python."""
    leaf = st.sampled_from(
        [
            (np.sin, np.sin),
            (lambda x: x * 0.5 + 0.1, lambda x: x * 0.5 + 0.1),
            (squared, lambda x: x * x),
            (lambda x: np.cos(x) * x.sum() * 0.3, lambda x: np.cos(x) * x.sum() * 0.3),
        ]
    )
    if not depth:
        return leaf
    inner = programs(depth - 1)

    def scanned(pair, n, reverse):
        f, g = pair

        def written_out(x):
            c, ys = x, [None] * n
            for i in reversed(range(n)) if reverse else range(n):
                c = g(c + 0.1 * i)
                ys[i] = c.sum()
            return c + sum(ys) * 0.1 if n else c

        def looped(x):
            def body(c, i):
                c = f(c + 0.1 * i)
                return c, c.sum()

            c, ys = lax.scan(body, x, np.arange(n) * 1.0, reverse=reverse)
            return c + ys.sum() * 0.1

        return looped, written_out

    def chosen(pair, other):
        return (
            lambda x: lax.cond(x[0] > 0, pair[0], other[0], x),
            lambda x: np.where(x[0] > 0, pair[1](x), other[1](x)),
        )

    return st.one_of(
        leaf,
        st.builds(scanned, inner, st.integers(0, 3), st.booleans()),
        st.builds(chosen, inner, inner),
        st.builds(lambda p, q: (lambda x: p[0](q[0](x)), lambda x: p[1](q[1](x))), inner, inner),
        st.builds(lambda p: (jit(p[0]), p[1]), inner),
        st.builds(lambda p: (checkpoint(p[0]), p[1]), inner),
        st.builds(
            lambda p: (
                lambda x: vmap(p[0])(np.stack([x, 2 * x])).sum(0),
                lambda x: p[1](x) + p[1](2 * x),
            ),
            inner,
        ),
    )


@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(programs(3))
def test_random_programs(pair):
    # Each program is new: compiling them all would take most of the time.
    with vires.config.override("engine", "reference"):
        _check_program(pair)


def _check_program(pair):
    f, g = pair
    x = onp.array([0.3, -0.8])
    close = lambda a, b: assert_close(a, to_numpy(b), rtol=1e-5, atol=1e-6)
    close(f(x), g(x))
    close(jit(f)(x), g(x))
    loss, expected = (lambda x: (f(x) ** 2).sum()), (lambda x: (g(x) ** 2).sum())
    close(grad(loss)(x), grad(expected)(x))
    close(jit(grad(loss))(x), grad(expected)(x))
    close(vires.jvp(f, (x,), (x,))[1], vires.jvp(g, (x,), (x,))[1])
    close(vires.jvp(grad(loss), (x,), (x,))[1], vires.jvp(grad(expected), (x,), (x,))[1])
    xs = onp.stack([x, -x, 2 * x])
    close(vmap(grad(loss))(xs), np.stack([grad(expected)(row) for row in xs]))


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_deep_nesting_of_jit(mode):
    f = np.sin
    for _ in range(30):
        f = jit(lambda x, f=f: f(x) * 0.9)
    factor = 0.9**30
    if mode == "forward":
        assert_close(vires.jvp(f, (X,), (X,))[1], factor * onp.cos(X) * X)
    else:
        assert_close(grad(lambda x: f(x).sum())(X), factor * onp.cos(X))
