"""scan, map and fori_loop with known bounds: values, derivatives, vmap, shapes, messages."""

from __future__ import annotations

import numpy as onp
import pytest
from checks import assert_close, check_derivatives, check_vmap, to_numpy

import vires
import vires.numpy as np
from vires import grad, jit, lax, make_jaxpr, vmap
from vires.core import tree


def unrolled(f, init, xs, length=None, reverse=False):
    """What scan computes, step by step in NumPy."""
    leaves = tree.leaves(xs)
    length = len(leaves[0]) if leaves else length
    carry, rows = init, [None] * length
    for i in reversed(range(length)) if reverse else range(length):
        carry, rows[i] = f(carry, tree.map(lambda x: x[i], xs))
    return carry, tree.map(lambda *ys: onp.stack([onp.asarray(y) for y in ys]), *rows)


def step(carry, x):
    c = np.sin(carry * x["a"]) + x["b"]
    return c, {"twice": 2 * c, "pair": (carry, c * x["b"])}


RNG = onp.random.default_rng(1)
XS = {"a": RNG.standard_normal((5, 3)), "b": RNG.standard_normal((5, 3))}
INIT = RNG.standard_normal(3)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_values(reverse, length):
    xs = tree.map(lambda x: x[:length], XS)
    expected = unrolled(step, INIT, xs, reverse=reverse)
    assert_close(lax.scan(step, INIT, xs, reverse=reverse), to_numpy(expected), rtol=1e-12)
    assert_close(
        jit(lambda i, x: lax.scan(step, i, x, reverse=reverse))(INIT, xs),
        to_numpy(expected),
        rtol=1e-12,
    )


def test_no_steps():
    carry, ys = lax.scan(lambda c, x: (c + 1, (c * x, np.float32(1))), np.ones(2), np.ones((0, 2)))
    assert_close(carry, onp.ones(2))
    assert ys[0].shape == (0, 2) and ys[1].shape == (0,)
    gradient = grad(lambda c: lax.scan(lambda c, x: (c * x, c), c, np.ones((0,)))[0])(2.0)
    assert float(gradient) == 1.0
    onp.testing.assert_array_equal(
        vmap(lambda c: lax.scan(lambda c, x: (c, c), c, np.ones(0))[1])(np.ones(3)).shape, (3, 0)
    )


def test_without_xs_carry_or_results():
    carry, ys = lax.scan(lambda c, x: (2 * c, None), 1, None, length=10)
    assert int(carry) == 1024 and ys is None
    carry, ys = lax.scan(lambda c, x: (None, x * x), None, np.arange(4))
    assert carry is None
    assert_close(ys, onp.arange(4) ** 2)
    assert lax.scan(lambda c, x: ((), None), (), None, length=3) == ((), None)


def test_none_leaves_and_namedtuples():
    carry, ys = lax.scan(
        lambda c, x: ({"n": None, "v": c["v"] + x[0]}, (None, c["v"])),
        {"n": None, "v": 0.0},
        (np.ones(3), None),
    )
    assert float(carry["v"]) == 3.0 and carry["n"] is None
    assert ys[0] is None
    assert_close(ys[1], onp.arange(3.0))


def test_unroll_changes_nothing():
    expected = to_numpy(lax.scan(step, INIT, XS))
    for unroll in (2, 5, 7, True):
        assert_close(lax.scan(step, INIT, XS, unroll=unroll), expected, rtol=1e-12)


def test_python_numbers_take_the_type_that_comes_out():
    total, _ = lax.scan(lambda s, x: (s + x, None), 0, np.array([1.5, 2.0]))
    assert total.dtype == np.float32 and float(total) == 3.5
    total, _ = lax.scan(lambda s, x: (0, None), np.float32(3), np.arange(2))
    assert total.dtype == np.float32


@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives(reverse):
    def f(init, xs, w):
        def body(c, x):
            c = np.sin(c * x["a"] * w) + x["b"]
            return c, c * w

        carry, ys = lax.scan(body, init, xs, reverse=reverse)
        return carry, ys

    xs = tree.map(lambda x: x[:3, :2], XS)
    check_derivatives(f, INIT[:2], xs, onp.array([0.3, -0.7]))


def test_derivatives_of_part_of_the_results():
    xs = XS["a"][:4, 0]
    check_derivatives(lambda xs: lax.scan(lambda c, x: (c * x, (c, np.sin(x))), 1.0, xs)[1][1], xs)
    check_derivatives(
        lambda xs: lax.scan(lambda c, x: ((c[0] + 1, c[1] * x), c[0]), (0, 1.0), xs)[0][1], xs
    )
    assert_close(
        grad(lambda x: lax.scan(lambda c, _: (c + 1, c), 0, None, length=3)[0] * x)(2.0), 3.0
    )


def test_derivatives_where_only_the_constant_moves():
    """The carry starts without a tangent and gets one on the way."""
    check_derivatives(
        lambda w: lax.scan(lambda c, x: (np.sin(c + w * x), c * w), 0.0, XS["a"][:3, 0])[1],
        onp.float64(0.5),
    )


def test_integer_carries_pass_derivatives_by():
    def f(x):
        def body(carry, _):
            i, total = carry
            return (i + 1, total + x**2 * i), total * x

        (_, total), ys = lax.scan(body, (0, 0.0), None, length=4)
        return total + ys.sum()

    check_derivatives(f, onp.float64(0.7))
    check_derivatives(jit(f), onp.float64(0.7))


def test_third_derivative():
    f = lambda x: lax.scan(lambda c, _: (c * x, None), 1.0, None, length=4)[0]
    x = onp.float64(1.5)
    assert_close(grad(grad(grad(f)))(x), 24 * x, rtol=1e-9)
    assert_close(vires.hessian(f)(x), 12 * x**2, rtol=1e-9)


def test_constant_residuals_are_not_stacked():
    """Values that follow from constants alone are computed once, before the loop."""

    def f(w, x):
        return lax.scan(lambda c, _: (np.sin(c * np.exp(w)), None), x, None, length=7)[0].sum()

    text = str(make_jaxpr(grad(f))(onp.ones(3), onp.ones(3)))
    outer = [line for line in text.splitlines() if line.startswith("    ") and "f64[7,3]" in line]
    assert text.count("name=hoisted") == 1
    assert any("f64[7,3]" in line for line in outer)
    scans = [
        eqn
        for eqn in make_jaxpr(grad(f))(onp.ones(3), onp.ones(3)).eqns
        if eqn.primitive.name == "scan"
    ]
    stacked = [v.aval.shape for v in scans[0].outvars if v.aval.shape == (7, 3)]
    assert len(stacked) == 2  # the carry, and the cosine


def test_vmap():
    def f(init, xs):
        return lax.scan(step, init, xs)

    init = RNG.standard_normal((4, 3))
    xs = tree.map(lambda x: RNG.standard_normal((4, *x.shape)), XS)
    check_vmap(f, init, xs)
    check_vmap(f, INIT, xs, in_axes=(None, 0))
    check_vmap(f, init, XS, in_axes=(0, None))
    moved = tree.map(lambda x: onp.moveaxis(x, 0, 2), xs)
    expected = to_numpy(vmap(f)(init, xs))
    assert_close(vmap(f, in_axes=(0, 2))(init, moved), expected)
    moved = tree.map(lambda x: onp.moveaxis(x, 0, 1), xs)
    assert_close(vmap(f, in_axes=(0, 1))(init, moved), expected)


def test_vmap_maps_only_the_carries_that_need_it():
    def f(x):
        return lax.scan(lambda c, _: ((c[0] + 1, c[1] + x), None), (0, 0.0), None, length=3)[0]

    program = make_jaxpr(vmap(f))(np.ones(5))
    (eqn,) = [eqn for eqn in program.eqns if eqn.primitive.name == "scan"]
    assert sorted(v.aval.shape for v in eqn.outvars) == [(), (5,)]


def test_vmap_of_grad_and_grad_of_vmap():
    f = lambda x, y: lax.scan(lambda c, z: (np.sin(c * x) + z, None), y, np.arange(3.0))[0]
    x, y = RNG.standard_normal(4), RNG.standard_normal(4)
    check_vmap(grad(f), x, y)
    check_derivatives(lambda x, y: vmap(f)(x, y), x, y)
    check_derivatives(lambda x, y: vmap(f, (0, None))(x, y), x, y[0])


def test_linear_transpose_with_a_counter():
    """A loop that is linear in one carry and counts in another."""

    def f(x):
        return lax.scan(
            lambda c, _: ((c[0] + 1.0, c[1] * c[0]), c[1] * 2.0), (1.0, x), None, length=3
        )[0][1]

    (ct,) = vires.linear_transpose(f, onp.float64(1))(onp.float64(1))
    assert_close(ct, 6.0)


def test_linear_transpose_with_constants_and_results():
    """A loop that counts, and is linear in what it closes over."""

    def f(x, zs):
        def body(c, yz):
            (n, total), (y, z) = c, yz
            return (n + 1.0, total + n * y * x + z), total * n

        start = (1.0, onp.zeros(2))
        (_, total), seen = lax.scan(body, start, (np.arange(1.0, 4.0), zs))
        return total, seen

    x, zs = RNG.standard_normal(2), RNG.standard_normal((3, 2))
    cts = (RNG.standard_normal(2), RNG.standard_normal((3, 2)))
    found = vires.linear_transpose(f, x, zs)(cts)
    # f(a) . ct is the inner product of a and the transpose's answer, for unit vectors a.
    for k, operand in enumerate((x, zs)):
        for place in onp.ndindex(*operand.shape):
            unit = [onp.zeros_like(x), onp.zeros_like(zs)]
            unit[k][place] = 1.0
            want = sum((onp.asarray(r) * c).sum() for r, c in zip(f(*unit), cts, strict=True))
            assert_close(found[k][place], want, rtol=1e-6)


def test_results_that_are_not_used_are_not_computed():
    def f(x):
        (a, _), _ = lax.scan(lambda c, x: ((c[0] * x, np.sin(c[1])), np.cos(x)), (1.0, 1.0), x)
        return a

    from vires.control.dce import dce

    program, _ = dce(make_jaxpr(f)(np.ones(3)), (True,))
    names = {eqn.primitive.name for eqn in program.eqns[-1].params["jaxpr"].eqns}
    assert names == {"mul"}


def test_jit_traces_the_body_once():
    count = []

    def body(c, x):
        count.append(1)
        return c + x, c

    for _ in range(3):
        lax.scan(body, np.float32(0), np.ones(3))
    assert len(count) == 1


def test_closures_are_not_stale():
    scale = 2.0

    def body(c, x):
        return c + scale * x, None

    assert float(lax.scan(body, 0.0, np.ones(3))[0]) == 6.0
    scale = 3.0
    assert float(lax.scan(body, 0.0, np.ones(3))[0]) == 9.0


def test_disable_jit():
    seen = []
    with vires.disable_jit():
        _, ys = lax.scan(lambda c, x: (seen.append(float(c)) or c + x, c), 0.0, np.arange(3.0))
    assert seen == [0.0, 0.0, 1.0]
    assert_close(ys, onp.array([0.0, 0.0, 1.0]))


# --- fori_loop and map


def test_fori_loop():
    assert int(lax.fori_loop(0, 5, lambda i, t: t + i, 0)) == 10
    assert int(lax.fori_loop(3, 1, lambda i, t: t + i, 7)) == 7
    assert_close(
        lax.fori_loop(-2, 2, lambda i, t: {"x": t["x"] * 2 + i}, {"x": 1.0}),
        {"x": onp.float32(-3.0)},
    )
    assert int(jit(lambda n: lax.fori_loop(0, n, lambda i, t: t + i, 0))(5)) == 10
    assert int(lax.fori_loop(np.int32(1), np.int32(4), lambda i, t: t * i, 1)) == 6
    assert lax.fori_loop(0, 3, lambda i, t: t + i, np.ones(2)).dtype == np.float32


def test_fori_loop_derivatives():
    check_derivatives(
        lambda x: lax.fori_loop(0, 4, lambda i, c: np.sin(c * x) + i, x), onp.float64(0.3)
    )
    # A traced bound: forward mode only.
    f = lambda x, n: lax.fori_loop(0, n, lambda i, c: np.sin(c * x) + i, x)
    _, dot = jit(lambda x, n: vires.jvp(lambda x: f(x, n), (x,), (1.0,)))(0.3, 4)
    assert_close(dot, to_numpy(grad(lambda x: f(x, 4))(0.3)))
    with pytest.raises(ValueError, match=r"fori_loop with bounds that are Python integers"):
        jit(grad(f))(0.3, 4)


def test_map():
    xs = {"a": np.arange(7.0), "b": np.ones((7, 2))}
    f = lambda x: (x["a"] * x["b"], x["a"] + 1)
    expected = (
        to_numpy(f({"a": onp.arange(7.0)[:, None], "b": onp.ones((7, 2))})[0]),
        onp.arange(7.0) + 1,
    )
    for batch_size in (None, 1, 2, 3, 7, 10):
        assert_close(lax.map(f, xs, batch_size=batch_size), expected)
    check_derivatives(
        lambda x: lax.map(lambda x: np.sin(x) ** 2, x, batch_size=2), RNG.standard_normal(5)
    )
    with pytest.raises(ValueError, match="map: needs a batch_size of at least 1; got 0"):
        lax.map(f, xs, batch_size=0)


# --- messages


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: lax.scan(
                lambda c, x: ({"w": (c["w"][0].astype("int32"),)}, x),
                {"w": (np.float32(1),)},
                np.ones(3),
            ),
            TypeError,
            r"scan: needs a carry of one type from step to step; got carry\['w'\]\[0\] f32\[\] "
            r"going in and i32\[\] coming out of <lambda>; try x.astype\(...\) in the function",
        ),
        (
            lambda: lax.scan(lambda c, x: (np.ones(2), x), np.ones(3), np.ones(3)),
            TypeError,
            r"scan: needs a carry of one type .* got carry f32\[3\] going in and f32\[2\] coming "
            r"out of <lambda>$",
        ),
        (
            lambda: lax.scan(lambda c, x: ((c,), x), 1.0, np.ones(3)),
            TypeError,
            r"scan: needs a carry of one structure from step to step; got .* going in and .* "
            r"coming out of <lambda>",
        ),
        (
            lambda: lax.scan(lambda c, x: c, 1.0, np.ones(3)),
            TypeError,
            r"scan: needs f to return a pair \(carry, y\)",
        ),
        (
            lambda: lax.scan(lambda c, x: (c, x, x), 1.0, np.ones(3)),
            TypeError,
            r"scan: needs f to return a pair",
        ),
        (
            lambda: lax.scan(lambda c, x: (c, x), 1.0, (np.ones(3), np.ones(4))),
            ValueError,
            r"scan: needs xs with equal leading axes; got f32\[3\], f32\[4\]",
        ),
        (
            lambda: lax.scan(lambda c, x: (c, x), 1.0),
            ValueError,
            r"scan: needs xs, or length; got neither",
        ),
        (
            lambda: lax.scan(lambda c, x: (c, x), 1.0, np.ones(3), length=4),
            ValueError,
            r"scan: needs length equal to the leading axis of xs, 3; got length=4",
        ),
        (
            lambda: lax.scan(lambda c, x: (c, x), 1.0, np.float32(3)),
            ValueError,
            r"scan: needs xs with a leading axis to go along; got the 0-d f32\[\]",
        ),
        (
            lambda: lax.scan(lambda c, x: (c, x), 1.0, length=-1),
            ValueError,
            r"scan: needs a length of at least 0; got -1",
        ),
        (
            lambda: lax.scan(lambda c, x: (c, x), 1.0, length=1.5),
            TypeError,
            r"scan: needs length as an int; got 1.5",
        ),
        (
            lambda: lax.scan(lambda c, x: (c, x), "a", np.ones(3)),
            TypeError,
            r"scan: needs init made of arrays and numbers; got str \('a'\)",
        ),
        (
            lambda: lax.scan(lambda c, x: (c, "y"), 1.0, np.ones(3)),
            TypeError,
            r"scan: needs the result of <lambda> made of arrays and numbers; got str",
        ),
        (lambda: lax.scan(3, 1.0, np.ones(3)), TypeError, r"scan: needs a function as f; got int"),
        (
            lambda: lax.scan(lambda c, x: (c, x), 1.0, np.ones(3), unroll=0),
            ValueError,
            r"scan: needs unroll of at least 1",
        ),
        (
            lambda: lax.fori_loop(0, 1.5, lambda i, c: c, 1),
            TypeError,
            r"fori_loop: needs bounds that are 0-d integers; got f32\[\]",
        ),
        (
            lambda: jit(lambda n: lax.fori_loop(0, n, lambda i, c: c, 1, unroll=2))(3),
            ValueError,
            r"fori_loop: needs bounds known while tracing for unroll; got traced ones",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
