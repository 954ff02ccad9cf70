"""custom_root, custom_linear_solve, associative_scan."""

from __future__ import annotations

import numpy as onp
import pytest
from checks import assert_close, check_derivatives, check_vmap

import vires
import vires.numpy as np
from vires import grad, jit, lax, vmap

RNG = onp.random.default_rng(3)


# --- custom_root


def square_root(a):
    def newton(f, x):
        return lax.while_loop(
            lambda c: c[1] < 30,
            lambda c: (c[0] - f(c[0]) / vires.jvp(f, (c[0],), (np.ones_like(c[0]),))[1], c[1] + 1),
            (x, 0),
        )[0]

    return lax.custom_root(lambda x: x * x - a, a, newton, lambda g, y: y / g(np.ones_like(y)))


def test_root_of_a_number():
    check_derivatives(square_root, onp.float64(4.0))
    check_derivatives(jit(square_root), onp.float64(2.0))
    check_vmap(square_root, onp.array([1.0, 2.0, 9.0]))
    check_vmap(grad(square_root), onp.array([1.0, 2.0, 9.0]))
    assert_close(
        grad(lambda a: vmap(square_root)(a).sum())(onp.array([1.0, 4.0])), onp.array([0.5, 0.25])
    )


def test_root_of_a_pytree_with_aux():
    def f(p):
        """The point where a line of slope p meets a cubic, by Newton's method on a pytree."""

        def equations(z):
            return {"x": z["y"] - z["x"] ** 3, "y": z["y"] + z["x"] - p}

        def solve(g, z):
            def step(_, z):
                x, y = z["x"], z["y"]
                # The Jacobian of the two equations is [[-3x^2, 1], [1, 1]].
                r = g(z)
                det = -3 * x**2 - 1
                return {
                    "x": x - (r["x"] - r["y"]) / det,
                    "y": y - (-3 * x**2 * r["y"] - r["x"]) / det,
                }

            return lax.fori_loop(0, 40, step, z), {"steps": 40}

        def tangent_solve(g, y):
            one, zero = np.ones_like(y["x"]), np.zeros_like(y["x"])
            a, b = g({"x": one, "y": zero}), g({"x": zero, "y": one})
            det = a["x"] * b["y"] - b["x"] * a["y"]
            return {
                "x": (y["x"] * b["y"] - b["x"] * y["y"]) / det,
                "y": (a["x"] * y["y"] - y["x"] * a["y"]) / det,
            }

        guess = {"x": np.ones_like(p), "y": np.ones_like(p)}
        root, aux = lax.custom_root(equations, guess, solve, tangent_solve, has_aux=True)
        assert int(aux["steps"]) == 40
        return root

    check_derivatives(f, onp.float64(3.0), order=1)


def test_root_messages():
    with pytest.raises(
        TypeError, match=r"custom_root: needs f to return a value of the type of initial_guess"
    ):
        lax.custom_root(lambda x: (x,), 1.0, lambda f, x: x, lambda g, y: y)
    with pytest.raises(
        TypeError, match=r"custom_root: needs solve to return a value .* got .* \(f32\[2\]\)"
    ):
        lax.custom_root(lambda x: x, 1.0, lambda f, x: np.ones(2), lambda g, y: y)


# --- custom_linear_solve


def richardson(matvec, b):
    """Iterations that converge for matrices near the identity; not differentiable in reverse."""
    return lax.while_loop(
        lambda c: c[1] < 60, lambda c: (c[0] + (b - matvec(c[0])), c[1] + 1), (np.zeros_like(b), 0)
    )[0]


A = onp.eye(3) + 0.2 * RNG.standard_normal((3, 3))
B = RNG.standard_normal(3)


def solve(a, b, **options):
    return lax.custom_linear_solve(lambda x: np.dot(a, x), b, richardson, **options)


def test_linear_solve():
    f = lambda a, b: solve(a, b, transpose_solve=richardson)
    assert_close(f(A, B), onp.linalg.solve(A, B))
    check_derivatives(f, A, B)
    check_derivatives(jit(f), A, B)
    bs = RNG.standard_normal((2, 3))
    check_vmap(f, A, bs, in_axes=(None, 0))
    check_vmap(f, onp.stack([A, A.T]), B, in_axes=(0, None))
    check_vmap(grad(lambda a, b: f(a, b).sum(), (0, 1)), onp.stack([A, A.T]), bs)
    check_derivatives(lambda a, bs: vmap(f, (None, 0))(a, bs), A, bs, order=1)


def test_symmetric_linear_solve():
    r = RNG.standard_normal((3, 3))
    s = onp.eye(3) + 0.1 * (r + r.T)
    # Only symmetric changes of the matrix keep the promise.
    f = lambda d, b: solve(s + d * onp.eye(3), b, symmetric=True)
    check_derivatives(f, onp.float64(0.01), B)


def test_linear_solve_with_aux_and_pytrees():
    def f(a, b):
        matvec = lambda x: {"u": np.dot(a, x["u"]), "v": 2.0 * x["v"]}
        solver = lambda mv, b: (
            {"u": richardson(lambda u: mv({"u": u, "v": b["v"]})["u"], b["u"]), "v": b["v"] / 2.0},
            7,
        )
        x, aux = lax.custom_linear_solve(matvec, {"u": b, "v": b}, solver, solver, has_aux=True)
        assert int(aux) == 7
        return x

    assert_close(f(A, B)["u"], onp.linalg.solve(A, B))
    check_derivatives(f, A, B, order=1)


def test_linear_solve_messages():
    with pytest.raises(
        TypeError,
        match=r"custom_linear_solve: needs transpose_solve \(or symmetric=True\) for reverse mode",
    ):
        grad(lambda b: solve(A, b).sum())(B)
    assert_close(vires.jvp(lambda b: solve(A, b), (B,), (B,))[1], onp.linalg.solve(A, B))
    with pytest.raises(
        TypeError, match=r"custom_linear_solve: needs matvec to return a value of the type of b"
    ):
        lax.custom_linear_solve(lambda x: x.sum(), B, richardson)
    with pytest.raises(
        TypeError, match=r"custom_linear_solve: needs solve to return a value of the type of b"
    ):
        lax.custom_linear_solve(lambda x: x, B, lambda mv, b: (b, b))


# --- associative_scan


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(n, reverse):
    x = RNG.integers(1, 4, (n, 2)).astype("float32")
    turn = (lambda a: a[::-1]) if reverse else (lambda a: a)
    found = lax.associative_scan(lambda a, b: a * b, x, reverse=reverse)
    assert_close(found, turn(onp.cumprod(turn(x), axis=0)), rtol=1e-6)
    found = lax.associative_scan(lambda a, b: a + b, x.T, reverse=reverse, axis=-1)
    assert_close(found, turn(onp.cumsum(turn(x), axis=0)).T, rtol=1e-6)


def test_associative_scan_of_linear_recurrences():
    """Pairs (a, b) for x -> a x + b, whose combination does not commute."""
    a, b = RNG.standard_normal(9), RNG.standard_normal(9)
    combine = lambda f, g: (f[0] * g[0], f[1] * g[0] + g[1])
    found = lax.associative_scan(combine, (a, b))[1]
    x, expected = 0.0, []
    for k in range(9):
        x = a[k] * x + b[k]
        expected.append(x)
    assert_close(found, onp.array(expected))
    check_derivatives(lambda a, b: lax.associative_scan(combine, (a, b))[1], a, b, order=1)


def test_associative_scan_of_nothing():
    assert lax.associative_scan(lambda a, b: a + b, np.ones((0, 3))).shape == (0, 3)
    assert lax.associative_scan(lambda a, b: a + b, ()) == ()


def test_associative_scan_messages():
    with pytest.raises(
        ValueError, match=r"associative_scan: needs axis of the arrays; got axis 1 for f32\[3\]"
    ):
        lax.associative_scan(lambda a, b: a + b, np.ones(3), axis=1)
    with pytest.raises(
        ValueError,
        match=r"associative_scan: needs arrays of one size along axis 0; got f32\[3\], f32\[4\]",
    ):
        lax.associative_scan(lambda a, b: a, (np.ones(3), np.ones(4)))
    with pytest.raises(TypeError, match="associative_scan: needs a function as fn"):
        lax.associative_scan(None, np.ones(3))
