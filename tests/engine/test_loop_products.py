"""Products that are taken out of scans, before and after them."""

from __future__ import annotations

import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires import lax
from vires.engine.llvm import codes, loop_products


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """All products are worth their place outside of a loop."""
    monkeypatch.setattr(loop_products, "_WORTH", 1)
    monkeypatch.setattr(loop_products, "_TERMS", 1)
    monkeypatch.setattr(codes, "_codes", {})


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def plan_of(function, *args):
    """The plan for the first scan of a function."""
    (eqn,) = [e for e in vires.make_jaxpr(function)(*args).eqns if e.primitive.name == "scan"]
    counts = [eqn.params[name] for name in ("length", "num_consts", "num_carry")]
    return loop_products.plan_products(eqn.params["jaxpr"], *counts)


def in_python(step, carry, xs, reverse=False):
    """A scan as a loop of NumPy."""
    ys = [None] * len(xs)
    for t in reversed(range(len(xs))) if reverse else range(len(xs)):
        carry, ys[t] = step(carry, xs[t])
    return carry, np.stack(ys)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("order", ["x @ w", "w.T @ x.T"])
def test_products_of_slices_are_done_before(order, reverse):
    w, xs, start = normal(6, 5), normal(7, 4, 6), normal(4, 5)

    def step(carry, x, np=vnp, w=w):
        product = x @ w if order == "x @ w" else (w.T @ x.T).T
        carry = np.tanh(carry + product)
        return carry, carry * 2

    def f(start, xs, w):
        return lax.scan(lambda c, x: step(c, x, w=w), start, xs, reverse=reverse)

    if order == "x @ w":
        plan = plan_of(f, start, xs, w)
        assert len(plan.hoisted) == 1 and not plan.sunk
        assert not any(e.primitive.name == "dot_general" for e in plan.body.eqns)
    last, ys = vires.jit(f)(start, xs, w)
    exact = in_python(
        lambda c, x: step(c, x, np, w.astype(np.float64)), start.astype(np.float64), xs, reverse
    )
    np.testing.assert_allclose(np.asarray(last), exact[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.asarray(ys), exact[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.int32])
def test_added_products_are_one_product_after(dtype, reverse):
    if np.dtype(dtype).kind == "i":
        a, b, start = (np.arange(n, dtype=dtype).reshape(s) % 7 for n, s in
                       ((7 * 4 * 6, (7, 4, 6)), (7 * 4 * 5, (7, 4, 5)), (30, (6, 5))))  # fmt: skip
    else:
        a, b, start = (normal(*s, dtype=dtype) for s in ((7, 4, 6), (7, 4, 5), (6, 5)))

    def f(start, a, b):
        def step(carry, x):
            a, b = x
            return carry + a.T @ (b * 2), a.sum()

        return lax.scan(step, start, (a, b), reverse=reverse)

    plan = plan_of(f, start, a, b)
    assert [each.carry for each in plan.sunk] == [0] and not plan.kept
    total, sums = vires.jit(f)(start, a, b)
    np.testing.assert_allclose(
        np.asarray(total), start + np.einsum("tij,tik->jk", a, b * 2), rtol=1e-5, atol=1e-4
    )
    np.testing.assert_allclose(np.asarray(sums), a.sum((1, 2)), rtol=1e-5, atol=1e-5)


def test_values_that_are_needed_in_the_loop_stay():
    a, start = normal(7, 5, 5), normal(5, 5)

    def read(c, x):  # the sum so far is a result of every turn
        c = c + x @ x
        return c, c

    def nonlinear(c, x):
        return vnp.sin(c) + x @ x, None

    def constant(c, x):  # the operands of the sum are the same in every turn
        return c + start @ start, x

    for step in (read, nonlinear, constant):
        assert plan_of(lambda s, a, step=step: lax.scan(step, s, a), start, a) is None
    total, all_of_them = vires.jit(lambda s, a: lax.scan(read, s, a))(start, a)
    exact = start + np.cumsum([x @ x for x in a], 0)
    np.testing.assert_allclose(np.asarray(all_of_them), exact, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.asarray(total), exact[-1], rtol=1e-4, atol=1e-4)


def test_memory_is_not_spent_without_bound(monkeypatch):
    monkeypatch.setattr(loop_products, "_BYTES", 100)
    w, xs, start = normal(6, 5), normal(7, 4, 6), normal(4, 5)
    f = lambda s, xs, w: lax.scan(lambda c, x: (vnp.tanh(c + x @ w), None), s, xs)
    assert plan_of(f, start, xs, w) is None


def cell(wx, wh, b, c, x):
    h, s = c
    gates = x @ wx + h @ wh + b
    i, f, o = (vires.nn.sigmoid(gates[:, n * 8 : n * 8 + 8]) for n in range(3))
    s = f * s + i * vnp.tanh(gates[:, 24:])
    return (o * vnp.tanh(s), s), s


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_of_a_recurrent_network(reverse):
    parameters = normal(5, 32, dtype=np.float64) / 3, normal(8, 32, dtype=np.float64) / 3
    parameters = (*parameters, normal(32, dtype=np.float64) / 3)
    xs, start = normal(6, 3, 5, dtype=np.float64), np.zeros((3, 8))

    def loss(parameters, xs):
        step = lambda c, x: cell(*parameters, c, x)
        (h, _), states = lax.scan(step, (start, start), xs, reverse=reverse)
        return vnp.sum(h**2) + vnp.sum(vnp.sin(states))

    def unrolled(parameters, xs):
        c, states = (start, start), []
        for t in reversed(range(6)) if reverse else range(6):
            c, s = cell(*parameters, c, xs[t])
            states.append(s)
        return vnp.sum(c[0] ** 2) + sum(vnp.sum(vnp.sin(s)) for s in states)

    found = vires.jit(vires.grad(loss, (0, 1)))(parameters, xs)
    exact = vires.grad(unrolled, (0, 1))(parameters, xs)
    for a, b in zip(vires.tree.leaves(found), vires.tree.leaves(exact), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-9, atol=1e-11)


def test_the_same_bits_for_any_number_of_threads():
    w, xs, start = normal(40, 50), normal(30, 20, 40), normal(20, 50) / 5

    def f(w, xs):
        def loss(w):
            _, ys = lax.scan(lambda c, x: (vnp.tanh(c + x @ w),) * 2, start, xs)
            return vnp.sum(ys**2)

        return vires.grad(loss)(w)

    gradient, results = vires.jit(f), set()
    for count in (1, 2, 3):
        with vires.threads(count):
            results.add(np.asarray(gradient(w, xs)).tobytes())
    assert len(results) == 1


def test_nested_loops_and_calls_inside():
    w, xs = normal(5, 5) / 3, normal(4, 3, 5)

    def f(w, xs):
        def outer(c, x):
            inner = lambda d, y: (vnp.tanh(d @ w + y), None)
            d, _ = lax.scan(inner, x @ w, vnp.stack([c, x]))
            return d, d

        return lax.scan(outer, xs[0], xs)[1]

    found = np.asarray(vires.jit(f)(w, xs))
    c, w64, exact = xs[0].astype(np.float64), w.astype(np.float64), []
    for x in xs:
        d = x @ w64
        for y in (c, x):
            d = np.tanh(d @ w64 + y)
        c = d
        exact.append(d)
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-5)
