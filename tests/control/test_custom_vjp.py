"""custom_vjp, custom_gradient, closure_convert, linear_call, stop_gradient."""

from __future__ import annotations

import functools

import numpy as onp
import pytest
from checks import assert_close, check_derivatives, check_vmap

import vires
import vires.numpy as np
from vires import grad, jit, lax, vmap
from vires.control.closures import closure_convert, custom_gradient
from vires.control.custom import SymbolicZero
from vires.control.custom_vjp import custom_vjp
from vires.control.linear_call import linear_call
from vires.control.remat import checkpoint


@custom_vjp
def f(x, y):
    return np.sin(x) * y


f.defvjp(
    lambda x, y: (f(x, y), (x, y)),
    lambda r, ct: (10.0 * np.cos(r[0]) * r[1] * ct, ct * np.sin(r[0])),
)


PLACES = {
    "plain": f,
    "jit": jit(f),
    "scan": lambda x, y: lax.scan(lambda c, _: (f(c, y), None), x, None, length=1)[0],
    "cond": lambda x, y: lax.cond(True, f, lambda x, y: x, x, y),
    "checkpoint": checkpoint(f),
    "map": lambda x, y: lax.map(lambda x: f(x, y), np.reshape(x, (1,)))[0],
    "vmap": lambda x, y: vmap(f, (0, None))(np.reshape(x, (1,)), y)[0],
    "jit vmap": lambda x, y: jit(vmap(f, (0, None)))(np.reshape(x, (1,)), y)[0],
}


@pytest.mark.parametrize("place", PLACES)
def test_rules_are_used_wherever_the_call_is(place):
    g = PLACES[place]
    x, y = onp.float32(0.7), onp.float32(2)
    assert_close(g(x, y), onp.sin(x) * y)
    expected = (10 * onp.cos(x) * y, onp.sin(x))
    assert_close(grad(g, (0, 1))(x, y), expected)
    assert_close(jit(grad(g, (0, 1)))(x, y), expected)
    assert_close(grad(lambda x: grad(g)(x, y))(x), -10 * onp.sin(x) * y)
    xs = onp.array([0.1, 0.2, 0.3], "float32")
    assert_close(vmap(grad(g, (0, 1)), (0, None))(xs, y), (10 * onp.cos(xs) * y, onp.sin(xs)))
    total = lambda xs, y: vmap(g, (0, None))(xs, y).sum()
    assert_close(grad(total, (0, 1))(xs, y), (10 * onp.cos(xs) * y, onp.sin(xs).sum()))
    assert_close(jit(grad(total, (0, 1)))(xs, y), (10 * onp.cos(xs) * y, onp.sin(xs).sum()))


def test_forward_mode_raises():
    with pytest.raises(
        TypeError, match=r"custom_vjp: needs reverse mode .* got forward mode .* try custom_jvp"
    ):
        vires.jvp(f, (1.0, 2.0), (1.0, 1.0))


def test_pytrees_none_and_unused_residuals():
    @custom_vjp
    def g(a, b):
        return {"p": a["x"] * b[0], "q": a["y"] + b[1]}

    def backward(residuals, ct):
        _, note = residuals
        assert note is None
        return {"x": 3.0 * ct["p"], "y": None}, None

    g.defvjp(lambda a, b: (g(a, b), (a, None)), backward)
    loss = lambda a, b: sum(g(a, b).values())
    da, db = grad(loss, (0, 1))({"x": 2.0, "y": 3.0}, (4.0, 5.0))
    assert (float(da["x"]), float(da["y"])) == (3.0, 0.0)
    assert (float(db[0]), float(db[1])) == (0.0, 0.0)
    da, db = jit(grad(loss, (0, 1)))({"x": 2.0, "y": 3.0}, (4.0, 5.0))
    assert (float(da["x"]), float(da["y"])) == (3.0, 0.0)


def test_nondiff_arguments():
    @functools.partial(custom_vjp, nondiff_argnums=(0, 2))
    def apply(g, x, n):
        return g(x) * n

    apply.defvjp(lambda g, x, n: (apply(g, x, n), x), lambda g, n, x, ct: (n * 100.0 * ct,))
    assert_close(grad(apply, 1)(np.sin, 1.0, 3), onp.float32(300))
    assert_close(jit(grad(lambda x: apply(np.sin, x, n=3)))(1.0), onp.float32(300))


def test_integer_arguments():
    @custom_vjp
    def g(x, n):
        return x * n

    g.defvjp(lambda x, n: (g(x, n), n), lambda n, ct: (7.0 * n * ct, None))
    assert float(grad(g)(2.0, 3)) == 21.0
    assert float(jit(grad(g))(2.0, 3)) == 21.0
    check_vmap(grad(g), onp.ones(3, "float32"), onp.arange(3))


def test_symbolic_zeros():
    seen = []

    @custom_vjp
    def g(x):
        return x, 2 * x

    def forward(x):
        return (x.value, 2 * x.value), None

    def backward(_, cts):
        seen.append([isinstance(ct, SymbolicZero) for ct in cts])
        return (cts[0] * 3.0 if not isinstance(cts[0], SymbolicZero) else 0.0,)

    g.defvjp(forward, backward, symbolic_zeros=True)
    assert float(grad(lambda x: g(x)[0])(2.0)) == 3.0


def test_python_control_flow_in_rules():
    @custom_vjp
    def g(x):
        return x

    g.defvjp(lambda x: (x, x > 0), lambda positive, ct: (ct if positive else -ct,))
    assert float(grad(g)(2.0)) == 1.0
    assert float(grad(g)(-2.0)) == -1.0


def test_closing_over_values():
    def scaled(a):
        @custom_vjp
        def g(x):
            return np.sin(x) * a

        g.defvjp(lambda x: (g(x), x), lambda x, ct: (10.0 * a * np.cos(x) * ct,))
        return g

    a = onp.array([1.0, 2.0, 3.0], "float32")
    x = onp.float32(0.5)
    assert_close(jit(vmap(lambda a: scaled(a)(2 * a)))(a), a * onp.sin(2 * a))
    assert_close(vmap(lambda a: grad(scaled(a))(x))(a), 10 * a * onp.cos(x))
    assert_close(grad(lambda x: vmap(lambda a: scaled(a)(x))(a).sum())(x), 60 * onp.cos(x))
    with pytest.raises(
        TypeError, match=r"custom_vjp: needs derivatives with respect to arguments only"
    ):
        jit(grad(lambda a: jit(lambda x: scaled(a)(x))(a)))(2.0)


def _with_rules(forward, backward):
    g = custom_vjp(lambda x: x)
    g.defvjp(forward, backward)
    return g


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: custom_vjp(np.sin)(1.0),
            AttributeError,
            r"custom_vjp: needs a derivative rule before sin is called; got none; try sin.defvjp",
        ),
        (
            lambda: grad(_with_rules(lambda x: x, lambda r, ct: (ct,)))(1.0),
            TypeError,
            r"custom_vjp: needs the forward rule <lambda> of <lambda> to return a pair \(result, "
            r"residuals\)",
        ),
        (
            lambda: grad(_with_rules(lambda x: (x, None), lambda r, ct: ct))(1.0),
            TypeError,
            r"custom_vjp: needs the backward rule <lambda> of <lambda> to return a tuple of 1 "
            r"cotangents",
        ),
        (
            lambda: grad(_with_rules(lambda x: (x, None), lambda r, ct: (ct, ct)))(1.0),
            TypeError,
            r"custom_vjp: needs the backward rule <lambda> of <lambda> to return a tuple of 1 "
            r"cotangents",
        ),
        (
            lambda: grad(_with_rules(lambda x: (x, None), lambda r, ct: (np.ones(3),)))(1.0),
            ValueError,
            r"custom_vjp: .* got f32\[3\] for arguments\[0\], f32\[\]",
        ),
        (
            lambda: grad(
                lambda x: _with_rules(lambda x: (x["a"], None), lambda r, ct: (ct,))({"a": x})
            )(1.0),
            TypeError,
            r"custom_vjp: needs the backward rule .* to give cotangents of the structure of the "
            r"arguments",
        ),
        (
            lambda: jit(grad(jit(_with_rules(lambda x: (np.ones(3), None), lambda r, ct: (ct,)))))(
                1.0
            ),
            TypeError,
            r"custom_vjp: needs its forward rule to give results of the types that <lambda> gives, "
            r"\(f32\[\]\)",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- its relatives


def test_custom_gradient():
    @custom_gradient
    def g(x):
        y = np.sin(x)
        return y, lambda ct: 10.0 * ct * np.cos(x)

    x = onp.float32(0.4)
    assert_close(g(x), onp.sin(x))
    assert_close(grad(g)(x), 10 * onp.cos(x))
    assert_close(grad(grad(g))(x), -10 * onp.sin(x))
    assert_close(jit(grad(jit(g)))(x), 10 * onp.cos(x))
    xs = onp.array([0.1, 0.2], "float32")
    assert_close(vmap(grad(g))(xs), 10 * onp.cos(xs))
    two = custom_gradient(lambda x, y: (x * y, lambda ct: (ct * y, 5.0 * ct * x)))
    assert_close(grad(two, (0, 1))(2.0, 3.0), (onp.float32(3), onp.float32(10)))
    with pytest.raises(
        TypeError, match=r"custom_gradient: needs <lambda> to return \(result, function"
    ):
        custom_gradient(lambda x: x)(1.0)


def test_closure_convert():
    def apply(x, y):
        converted, values = closure_convert(lambda z: z * y + 2.0, x)
        return _called(converted, x, *values)

    @functools.partial(custom_vjp, nondiff_argnums=(0,))
    def _called(g, x, *values):
        return g(x, *values)

    def forward(g, x, *values):
        return g(x, *values), (x, values)

    _called.defvjp(forward, lambda g, r, ct: (7.0 * ct, *(r[0] * ct for _ in r[1])))
    assert_close(grad(apply, (0, 1))(2.0, 3.0), (onp.float32(7), onp.float32(2)))
    converted, values = closure_convert(lambda x: x + 1, 1.0)
    assert values == [] and float(converted(2.0)) == 3.0
    with pytest.raises(
        TypeError, match="closure_convert: needs arguments of the structure of example_args"
    ):
        converted((2.0,))


def test_linear_call():
    def g(x, r):
        return linear_call(lambda r, x: x / r, lambda r, ct: 7.0 * ct / r, r, x)

    assert_close(g(4.0, 2.0), onp.float32(2))
    assert_close(grad(g)(4.0, 2.0), onp.float32(3.5))
    assert_close(grad(g, 1)(4.0, 2.0), onp.float32(-1))
    assert_close(vires.jvp(g, (4.0, 2.0), (1.0, 0.0))[1], onp.float32(0.5))
    assert_close(jit(grad(g))(4.0, 2.0), onp.float32(3.5))
    x = onp.array([1.0, 2.0], "float32")
    assert_close(vmap(grad(g), (None, 0))(1.0, x), 7 / x)
    assert_close(grad(lambda x: vmap(g, (0, None))(x, 2.0).sum())(x), onp.full(2, 3.5, "float32"))
    with pytest.raises(
        TypeError,
        match=r"linear_call: needs fun_transpose to return .* \(f32\[\]\); got \(f32\[2\]\)",
    ):
        linear_call(lambda r, x: x, lambda r, ct: np.ones(2), 1.0, 1.0)


def test_stop_gradient():
    assert float(grad(lambda x: x * lax.stop_gradient(x))(3.0)) == 3.0
    out = lax.stop_gradient({"a": 1.0, "n": 3, "s": "text", "none": None})
    assert float(out["a"]) == 1.0 and out["n"] == 3 and out["s"] == "text" and out["none"] is None
    check_vmap(
        lambda x: grad(lambda x: np.sin(lax.stop_gradient(x)) * x)(x),
        onp.arange(3.0, dtype="float32"),
    )
    assert float(vires.jvp(lambda x: lax.stop_gradient(x), (3.0,), (1.0,))[1]) == 0.0
    check_derivatives(
        lambda x, y: lax.stop_gradient(y) * 0 + x * x, onp.float64(2.0), onp.float64(3.0)
    )
