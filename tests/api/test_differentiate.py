"""grad, jvp, vjp, linearize and Jacobians against finite differences and each other."""

from __future__ import annotations

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import grad, hessian, jacfwd, jacrev, jvp, linearize, value_and_grad, vjp

F64 = onp.float64


def central(f, x, step=1e-6):
    """Gradient of a scalar function of a float64 array by central differences."""
    x = onp.asarray(x, F64)
    out = onp.zeros_like(x)
    for i in onp.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        out[i] = (float(f(up)) - float(f(down))) / (2 * step)
    return out


FUNCTIONS = [
    lambda x: np.sum(np.sin(x) * x),
    lambda x: np.sum(np.tanh(x @ x.T)),
    lambda x: np.prod(x[0] + 3.0) + np.max(x) - np.min(x[1]),
    lambda x: np.mean(np.exp(-(x**2))) / (1.0 + np.sum(x) ** 2),
    lambda x: np.log(np.sum(np.exp(x.reshape(-1)[::2]))),
    lambda x: np.sum(np.where(x > 0, x**3, -x)),
    lambda x: np.sum(np.concatenate([x, 2.0 * x], axis=1)[:, 1:4] ** 2),
]


@pytest.mark.parametrize("f", FUNCTIONS)
def test_gradient_is_the_limit_of_differences(f):
    x = onp.random.default_rng(0).standard_normal((3, 3))
    onp.testing.assert_allclose(grad(f)(x), central(f, x), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_forward_and_reverse_agree_to_second_order(f):
    x = onp.random.default_rng(1).standard_normal((3, 3))
    v = onp.random.default_rng(2).standard_normal((3, 3))
    onp.testing.assert_allclose(
        jvp(f, (x,), (v,))[1], onp.sum(onp.asarray(grad(f)(x)) * v), rtol=1e-10
    )
    forward_over_reverse = jacfwd(grad(f))(x)
    reverse_over_reverse = jacrev(grad(f))(x)
    reverse_over_forward = jacrev(jacfwd(f))(x)
    onp.testing.assert_allclose(forward_over_reverse, reverse_over_reverse, rtol=1e-9, atol=1e-11)
    onp.testing.assert_allclose(forward_over_reverse, reverse_over_forward, rtol=1e-9, atol=1e-11)
    onp.testing.assert_allclose(hessian(f)(x), forward_over_reverse, rtol=1e-12)
    directional = central(lambda y: onp.sum(onp.asarray(grad(f)(y)) * v), x)
    onp.testing.assert_allclose(
        onp.tensordot(forward_over_reverse, v, 2), directional, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("f", FUNCTIONS)
def test_jit_changes_nothing(f):
    x = onp.random.default_rng(3).standard_normal((3, 3))
    onp.testing.assert_allclose(vires.jit(grad(f))(x), grad(f)(x), rtol=1e-12, atol=1e-14)
    onp.testing.assert_allclose(grad(vires.jit(f))(x), grad(f)(x), rtol=1e-12, atol=1e-14)


def test_gradient_has_the_structure_and_dtypes_of_the_argument():
    params = {"w": np.ones((2, 3)), "b": [np.zeros(3), None, (onp.float64(2.0),)]}

    def f(p, x):
        return np.sum((x @ p["w"] + p["b"][0]) * p["b"][2][0])

    g = grad(f)(params, np.ones((4, 2)))
    assert vires.tree_util.tree_structure(g) == vires.tree_util.tree_structure(params)
    assert g["w"].shape == (2, 3) and g["w"].dtype == np.float32
    assert g["b"][2][0].dtype == onp.float64


def test_argnums():
    f = lambda x, y, z: x * y + z
    assert float(grad(f, 1)(2.0, 3.0, 4.0)) == 2.0
    assert [float(v) for v in grad(f, (0, 2))(2.0, 3.0, 4.0)] == [3.0, 1.0]
    assert float(grad(f, -1)(2.0, 3.0, 4.0)) == 1.0
    assert isinstance(grad(f, [0])(2.0, 3.0, 4.0), tuple)


def test_has_aux_returns_concrete_values():
    value, aux = value_and_grad(lambda x: (x**2, {"double": 2 * x, "text": "kept"}), has_aux=True)(
        3.0
    )[0]
    assert float(value) == 9.0 and float(aux["double"]) == 6.0 and aux["text"] == "kept"
    assert isinstance(aux["double"], vires.Array) and not isinstance(
        aux["double"], vires.core.trace.Tracer
    )
    g, aux = grad(lambda x: (x**2, x), has_aux=True)(3.0)
    assert float(g) == 6.0 and float(aux) == 3.0


def test_python_control_flow_on_concrete_values():
    def f(x):
        while x < 100.0:
            x = x * x if x > 2 else x + 1.5
        return x

    assert float(grad(f)(1.0)) == pytest.approx(
        float((f(1.0 + 1e-3) - f(1.0 - 1e-3)) / 2e-3), rel=1e-3
    )


def test_vjp_can_be_pulled_many_times():
    y, pull = vjp(lambda x, n: (np.sin(x), x * n), np.array([0.5, 1.0]), 3)
    zero = onp.zeros((), vires.dtypes.float0)
    assert y[1].shape == (2,)
    for scale in (1.0, 2.0):
        ct = (scale * np.ones(2), np.zeros(2))
        dx, dn = pull(ct)
        onp.testing.assert_allclose(dx, scale * onp.cos([0.5, 1.0]), rtol=1e-6)
        assert dn.dtype == zero.dtype


def test_linearize_is_linear_and_right():
    f = lambda x: np.sin(x) * np.exp(x)
    y, tangent = linearize(f, onp.float64(0.7))
    exact = onp.exp(0.7) * (onp.sin(0.7) + onp.cos(0.7))
    assert float(y) == pytest.approx(onp.sin(0.7) * onp.exp(0.7), rel=1e-14)
    assert float(tangent(onp.float64(1.0))) == pytest.approx(exact, rel=1e-14)
    assert float(tangent(onp.float64(-2.0))) == pytest.approx(-2 * exact, rel=1e-14)


def test_jacobians_of_trees():
    f = lambda p: {"s": p["a"].sum() * p["b"], "v": p["a"] * 2.0}
    p = {"a": onp.arange(3.0), "b": onp.array([[1.0, 2.0]])}
    for jacobian in (jacfwd, jacrev):
        j = jacobian(f)(p)
        assert j["s"]["a"].shape == (1, 2, 3) and j["s"]["b"].shape == (1, 2, 1, 2)
        onp.testing.assert_allclose(j["s"]["a"], onp.broadcast_to(p["b"][..., None], (1, 2, 3)))
        onp.testing.assert_allclose(j["v"]["a"], 2 * onp.eye(3))
        onp.testing.assert_allclose(j["v"]["b"], onp.zeros((3, 1, 2)))


def test_holomorphic():
    z = onp.complex128(0.3 + 0.4j)
    f = lambda z: np.sin(z) * z
    exact = onp.cos(z) * z + onp.sin(z)
    assert complex(grad(f, holomorphic=True)(z)) == pytest.approx(exact, rel=1e-13)


def test_gradient_of_a_constant_and_of_an_unused_argument():
    assert float(grad(lambda x: 3.0 * np.ones(()))(1.0)) == 0.0
    assert float(grad(lambda x, y: x)(1.0, 2.0)) == 1.0
    g = grad(lambda x, y: x, 1)(1.0, np.ones(3))
    assert g.shape == (3,) and not onp.asarray(g).any()


def test_no_tangent_survives_in_a_closure():
    kept = []

    def f(x):
        kept.append(x)
        return x * x

    grad(f)(3.0)
    with pytest.raises(
        vires.errors.UnexpectedTracerError, match="needs to be used inside the function"
    ):
        kept[0] + 1.0


def test_real_functions_of_complex_inputs() -> None:
    z = onp.array([1 + 2j, 0.5 - 1j], "complex64")

    def f(z, scale):
        return (scale * np.abs(z) ** 2 + np.real(z**3)).sum()

    # df/dx - i df/dy of |z|^2 is 2 conj(z), that of the real part of a holomorphic g is g'.
    want = 2 * 2 * onp.conj(z) + 3 * z**2
    for transform in (grad, vires.jacrev, lambda f: vires.jit(grad(f))):
        onp.testing.assert_allclose(transform(f)(z, 2.0), want, rtol=1e-5)
    value, (by_z, by_scale) = vires.value_and_grad(f, (0, 1))(z, 2.0)
    onp.testing.assert_allclose(by_z, want, rtol=1e-5)
    assert by_z.dtype == onp.complex64 and by_scale.dtype == onp.float32
    assert float(value) == pytest.approx(float(f(z, 2.0)))
    onp.testing.assert_allclose(by_scale, (onp.abs(z) ** 2).sum(), rtol=1e-6)
    mapped = vires.vmap(grad(lambda z: np.real(z**3)))(z)
    onp.testing.assert_allclose(mapped, 3 * z**2, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: grad(lambda x: x)(np.ones(3)),
            r"grad: needs a function with a scalar result; got f32\[3\]",
        ),
        (lambda: grad(lambda x: x)(3), r"grad: needs real- or complex-valued inputs; got int32"),
        (
            lambda: grad(lambda x: (x, x))(1.0),
            r"grad: needs a function with a scalar result.*structure",
        ),
        (lambda: grad(lambda x: x > 0)(1.0), r"grad: needs a real result; got bool"),
        (lambda: grad(lambda x: x)(1j), r"grad: needs a real result; got complex64.*holomorphic"),
        (
            lambda: vires.jacfwd(np.real)(np.ones(2) * 1j),
            r"jacfwd: needs real inputs; got complex64; try holomorphic=True",
        ),
        (lambda: grad(lambda x: x, 2)(1.0), r"grad: needs an argument at position 2"),
        (lambda: grad(3), r"grad: needs a function; got int"),
        (
            lambda: grad(lambda x: x, has_aux=True)(1.0),
            r"has_aux: needs a function that returns a pair",
        ),
        (
            lambda: grad(lambda x: "text")(1.0),
            r"grad: needs a function whose results are arrays; got str",
        ),
        (
            lambda: jvp(np.sin, (1.0,), (np.ones(2),)),
            r"jvp: needs tangents of the primals' types; got primal f32\[\]",
        ),
        (lambda: jvp(np.sin, (1.0,), ([1.0],)), r"jvp: needs tangents of the primals' structure"),
        (lambda: jvp(np.sin, 1.0, 1.0), r"jvp: needs primals and tangents as tuples"),
        (
            lambda: vjp(np.sin, 1.0)[1]((1.0, 2.0)),
            r"vjp: needs cotangents of the result's structure",
        ),
        (lambda: vjp(np.sin, 1.0)[1](np.ones(2)), r"vjp: needs tangents of the primals' types"),
        (lambda: grad(np.sin)("a"), r"grad: needs arrays or numbers; got str"),
    ],
)
def test_messages(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
