"""custom_jvp: the rule is used under every transformation, nested and staged; messages."""

from __future__ import annotations

import functools

import numpy as onp
import pytest
from checks import assert_close, check_vmap, to_numpy

import vires
import vires.numpy as np
from vires import grad, jit, lax, vmap
from vires.control.custom import SymbolicZero
from vires.control.custom_jvp import custom_jvp
from vires.control.remat import checkpoint


@custom_jvp
def f(x):
    return np.sin(x)


@f.defjvp
def _(primals, tangents):
    (x,), (dx,) = primals, tangents
    return f(x), 10.0 * np.cos(x) * dx  # the factor shows that the rule was used


PLACES = {
    "plain": f,
    "jit": jit(f),
    "jit jit": jit(lambda x: jit(f)(x)),
    "scan": lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=1)[0],
    "while": lambda x: lax.while_loop(lambda c: c[1] < 1, lambda c: (f(c[0]), c[1] + 1), (x, 0))[0],
    "cond": lambda x: lax.cond(True, f, lambda x: x, x),
    "checkpoint": checkpoint(f),
    "map": lambda x: lax.map(f, np.reshape(x, (1,)))[0],
    "vmap": lambda x: vmap(f)(np.reshape(x, (1,)))[0],
    "jit vmap": lambda x: jit(vmap(f))(np.reshape(x, (1,)))[0],
}


@pytest.mark.parametrize("place", PLACES)
def test_rule_is_used_wherever_the_call_is(place):
    g = PLACES[place]
    x = onp.float32(0.7)
    assert_close(g(x), onp.sin(x))
    assert_close(vires.jvp(g, (x,), (onp.float32(2),))[1], 20 * onp.cos(x))
    if place == "while":
        return
    assert_close(grad(g)(x), 10 * onp.cos(x))
    assert_close(jit(grad(g))(x), 10 * onp.cos(x))
    # The rule's own derivative: of 10 cos(x), not of the function.
    assert_close(grad(grad(g))(x), -10 * onp.sin(x))
    assert_close(vires.jacfwd(vires.jacrev(g))(x), -10 * onp.sin(x))
    xs = onp.array([0.1, 0.2, 0.3], "float32")
    assert_close(vmap(grad(g))(xs), 10 * onp.cos(xs))
    assert_close(grad(lambda xs: vmap(g)(xs).sum())(xs), 10 * onp.cos(xs))
    assert_close(jit(vmap(grad(grad(g))))(xs), -10 * onp.sin(xs))


def test_pytrees_and_several_arguments():
    @custom_jvp
    def g(a, b):
        return {"sum": a["x"] + b, "product": a["x"] * b}

    @g.defjvp
    def _(primals, tangents):
        (a, b), (da, db) = primals, tangents
        return g(a, b), {"sum": da["x"] + 3 * db, "product": a["x"] * db}

    value, pull = vires.vjp(g, {"x": 2.0}, 5.0)
    assert_close(to_numpy(value), {"sum": onp.float32(7), "product": onp.float32(10)})
    da, db = pull({"sum": np.float32(1), "product": np.float32(1)})
    assert (float(da["x"]), float(db)) == (1.0, 5.0)


def test_nondiff_arguments():
    for keywords in (
        {"nondiff_argnums": (0, 2)},
        {"nondiff_argnames": ("g", "n")},
        {"nondiff_argnums": (0, -1)},
    ):

        @functools.partial(custom_jvp, **keywords)
        def apply(g, x, n):
            return g(x) * n

        @apply.defjvp
        def _(g, n, primals, tangents):
            (x,), (dx,) = primals, tangents
            return apply(g, x, n), n * 100.0 * dx

        assert_close(grad(apply, 1)(np.sin, 1.0, 3), onp.float32(300))
        assert_close(jit(grad(lambda x: apply(np.sin, x, n=3)))(1.0), onp.float32(300))
        check_vmap(lambda x: apply(np.sin, x, 3), onp.arange(3.0, dtype="float32"))


def test_keyword_arguments_and_defaults():
    @custom_jvp
    def g(x, y=2.0, z=3.0):
        return x * y * z

    g.defjvp(lambda p, t: (g(*p), t[0] + 10 * t[1] + 100 * t[2]))
    assert float(g(1.0, z=5.0)) == 10.0
    assert float(grad(lambda x: g(z=x, x=1.0))(1.0)) == 100.0
    assert float(grad(lambda x: g(x, y=x))(1.0)) == 11.0


def test_defjvps():
    @custom_jvp
    def g(x, y):
        return x * y

    g.defjvps(lambda dx, out, x, y: 10 * dx * y, None)
    assert float(g(2.0, 3.0)) == 6.0
    assert_close(grad(g, (0, 1))(2.0, 3.0), (onp.float32(30), onp.float32(0)))
    assert_close(vires.jvp(g, (2.0, 3.0), (1.0, 1.0))[1], onp.float32(30))


def test_integer_arguments_and_results():
    @custom_jvp
    def g(x, n):
        return x * n, n + 1

    @g.defjvp
    def _(primals, tangents):
        (x, n), (dx, dn) = primals, tangents
        assert dn.dtype == vires.dtypes.float0
        return g(x, n), (7.0 * dx, dn)

    assert float(grad(lambda x: g(x, 3)[0])(2.0)) == 7.0
    assert float(jit(grad(lambda x: g(x, 3)[0]))(2.0)) == 7.0
    check_vmap(lambda x, n: grad(lambda x: g(x, n)[0])(x), onp.ones(3, "float32"), onp.arange(3))


def test_symbolic_zeros():
    seen = []

    @custom_jvp
    def g(x, y):
        return x * y

    def rule(primals, tangents):
        seen.append([type(t) is SymbolicZero for t in tangents])
        x, y = primals
        dx, _ = tangents
        return g(x, y), dx * y

    g.defjvp(rule, symbolic_zeros=True)
    assert float(grad(g)(2.0, 3.0)) == 3.0
    assert float(jit(grad(lambda x: jit(g)(x, 3.0)))(2.0)) == 3.0
    assert_close(vmap(grad(lambda x: g(x, 3.0)))(np.ones(2)), onp.full(2, 3.0, "float32"))
    assert seen and all(zeros == [False, True] for zeros in seen)


def test_control_flow_on_concrete_values():
    @custom_jvp
    def g(x):
        return x if x > 0 else -x

    @g.defjvp
    def _(primals, tangents):
        (x,), (dx,) = primals, tangents
        return g(x), dx if x > 0 else 5.0 * dx

    assert float(grad(g)(1.0)) == 1.0
    assert float(grad(g)(-1.0)) == 5.0


def test_rule_with_control_flow_and_jit_on_tangents():
    @custom_jvp
    def g(x):
        return np.sin(x)

    @g.defjvp
    def _(primals, tangents):
        (x,), (dx,) = primals, tangents
        dx = jit(lambda x, dx: np.cos(x) * dx)(x, dx)
        dx = lax.cond(x > 0, lambda dx: 2 * dx, lambda dx: 3 * dx, dx)
        return g(x), lax.fori_loop(0, 3, lambda i, dx: dx * np.sin(x) * i + dx, dx)

    expected = lambda x: onp.cos(x) * (2 if x > 0 else 3) * (1 + onp.sin(x)) * (1 + 2 * onp.sin(x))
    for x in (onp.float32(0.3), onp.float32(-0.4)):
        assert_close(vires.jvp(g, (x,), (onp.float32(1),))[1], expected(x))
        assert_close(grad(g)(x), expected(x))
        assert_close(jit(grad(jit(g)))(x), expected(x))


WRAPPED = {
    "jit": jit,
    "checkpoint": checkpoint,
    "scan": lambda g: lambda x: lax.scan(lambda c, _: (g(c), c), x, None, length=2)[0],
    "cond": lambda g: lambda x: lax.cond(x > 0, g, lambda x: x * x, x),
    "fori_loop": lambda g: lambda x: lax.fori_loop(0, 2, lambda i, c: g(c), x),
    "jit of cond of jit": lambda g: jit(lambda x: lax.cond(x > 0, jit(g), lambda x: x * x, x)),
}


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_rule_whose_result_and_tangent_come_from_one_operation(wrapper):
    """Reverse mode takes such an operation apart: the result must be known, the tangent linear."""
    inner = WRAPPED[wrapper](lambda x: np.sin(x) * x)
    g = custom_jvp(lambda x: inner(x))
    g.defjvp(lambda primals, tangents: vires.jvp(inner, primals, tangents))
    x = onp.float64(0.7)
    for f in (g, jit(g)):
        assert_close(vires.value_and_grad(f)(x), to_numpy(vires.value_and_grad(inner)(x)))
        assert_close(jit(grad(grad(f)))(x), to_numpy(grad(grad(inner))(x)))


def scaled(a):
    """A function that closes over a value."""

    @custom_jvp
    def g(x):
        return np.sin(x) * a

    g.defjvp(lambda p, t: (g(p[0]), 10.0 * a * np.cos(p[0]) * t[0]))
    return g


def test_closing_over_values_mapped_by_vmap():
    a = onp.array([1.0, 2.0, 3.0], "float32")
    x = onp.float32(0.5)
    assert_close(vmap(lambda a: scaled(a)(x))(a), a * onp.sin(x))
    assert_close(jit(vmap(lambda a: scaled(a)(2 * a)))(a), a * onp.sin(2 * a))
    assert_close(vmap(lambda a: grad(scaled(a))(x))(a), 10 * a * onp.cos(x))
    assert_close(grad(lambda x: vmap(lambda a: scaled(a)(x))(a).sum())(x), 60 * onp.cos(x))
    assert_close(
        grad(lambda x: vmap(lambda a: scaled(a)(a * x))(a).sum())(x),
        (10 * a * a * onp.cos(a * x)).sum(),
    )
    assert_close(jit(lambda a: grad(scaled(a))(x))(2.0), 20 * onp.cos(x))


def test_differentiating_what_is_closed_over_raises():
    with pytest.raises(
        TypeError,
        match=r"custom_jvp: needs derivatives with respect to arguments only; .* try to pass",
    ):
        jit(grad(lambda a: jit(lambda x: scaled(a)(x))(a)))(2.0)


def test_methods():
    class Model:
        def __init__(self, w):
            self.w = w

        @functools.partial(custom_jvp, nondiff_argnums=(0,))
        def apply(self, x):
            return self.w * x

        @apply.defjvp
        def _(self, primals, tangents):
            return self.apply(*primals), 5.0 * tangents[0]

    model = Model(3.0)
    assert float(model.apply(2.0)) == 6.0
    assert float(grad(model.apply)(2.0)) == 5.0


def _with_rule(rule, fun=lambda x: x):
    g = custom_jvp(fun)
    g.defjvp(rule)
    return g


def rule(primals, tangents):
    raise AssertionError


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: custom_jvp(np.sin)(1.0),
            AttributeError,
            r"custom_jvp: needs a derivative rule before sin is called; got none; try sin.defjvp",
        ),
        (
            lambda: grad(_with_rule(lambda p, t: p[0]))(1.0),
            TypeError,
            r"custom_jvp: needs the rule <lambda> of <lambda> to return a pair \(result, tangent "
            r"of the result\); got",
        ),
        (
            lambda: grad(_with_rule(lambda p, t: (p[0], (t[0],))))(1.0),
            TypeError,
            r"custom_jvp: needs the rule <lambda> of <lambda> to return a result and a tangent of "
            r"one structure; got",
        ),
        (
            lambda: grad(_with_rule(lambda p, t: (p[0], np.ones(3))))(1.0),
            TypeError,
            r"custom_jvp: .* got tangent f32\[3\] for a result f32\[\]",
        ),
        (
            lambda: grad(_with_rule(lambda p, t: (p[0], np.ones((), "int32"))))(1.0),
            TypeError,
            r"custom_jvp: .* got tangent i32\[\] for a result f32\[\]",
        ),
        (
            lambda: jit(grad(jit(_with_rule(lambda p, t: (np.ones(3), np.ones(3))))))(1.0),
            TypeError,
            r"custom_jvp: needs its jvp rule to give results of the types that <lambda> gives, "
            r"\(f32\[\]\); got \(f32\[3\]\)",
        ),
        (
            lambda: custom_jvp(lambda x: x, nondiff_argnames="y"),
            ValueError,
            r"custom_jvp: needs nondiff_argnames among the arguments of <lambda>; got 'y'",
        ),
        (
            lambda: grad(_with_rule(rule, lambda x, *, y: x))(1.0, y=2.0),
            TypeError,
            r"custom_jvp: needs arguments that can be given by position, since its rules take them "
            r"so; got keyword-only y",
        ),
        (
            lambda: jit(lambda x: _with_rule(rule, lambda x, s: x)(x, "s"))(1.0),
            TypeError,
            r"custom_jvp: needs arguments of <lambda> \(others belong in nondiff_argnums\) made of "
            r"arrays and numbers; got str",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
