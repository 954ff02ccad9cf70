"""while_loop: values, forward mode, vmap with loops of different lengths, messages."""

from __future__ import annotations

import numpy as onp
import pytest
from checks import assert_close, check_derivatives, check_vmap, to_numpy

import vires
import vires.numpy as np
from vires import grad, jit, lax, make_jaxpr, vmap


def power_below(limit, factor, x):
    """x, x factor, x factor^2, ...: the first not below the limit, and its number of steps."""
    return lax.while_loop(lambda c: c[0] < limit, lambda c: (c[0] * factor, c[1] + 1), (x, 0))


def test_values():
    value, steps = power_below(100.0, 3.0, 1.0)
    assert float(value) == 243.0 and int(steps) == 5
    value, steps = jit(power_below)(100.0, 3.0, 200.0)
    assert float(value) == 200.0 and int(steps) == 0
    assert lax.while_loop(lambda c: False, lambda c: c, ()) == ()


def test_pytrees_and_arrays():
    def body(c):
        return {"a": c["a"] * 2, "b": (c["b"][0] + 1, None)}

    out = lax.while_loop(
        lambda c: (c["a"] < 10).sum() > 1, body, {"a": np.arange(3.0), "b": (0, None)}
    )
    assert_close(out["a"], onp.arange(3) * 16.0)
    assert int(out["b"][0]) == 4


def test_python_numbers_take_the_type_that_comes_out():
    out = lax.while_loop(lambda c: c < 3, lambda c: c + 1.5, 1)
    assert out.dtype == np.float32 and float(out) == 4.0


def test_forward_mode():
    f = lambda factor, x: power_below(50.0, factor, x)[0]
    check_derivatives(f, onp.float64(1.7), onp.float64(1.1), modes=("forward",))
    check_derivatives(jit(f), onp.float64(1.7), onp.float64(1.1), modes=("forward",))
    assert_close(vires.jacfwd(lambda x: f(2.0, x))(onp.float64(1.0)), 64.0)
    _, tangent_function = vires.linearize(lambda x: f(2.0, x), onp.float64(1.0))
    assert_close(tangent_function(onp.float64(3.0)), 192.0)


def test_second_forward_derivative():
    f = lambda x: lax.while_loop(lambda c: c[1] < 3, lambda c: (c[0] * x, c[1] + 1), (x, 0))[0]
    x = onp.float64(1.3)
    assert_close(vires.jacfwd(vires.jacfwd(f))(x), 12 * x**2)


def test_reverse_mode_where_no_derivative_passes_the_loop():
    f = lambda x: x * power_below(10, 2, 1)[0]
    assert_close(grad(f)(3.0), onp.float32(16.0))
    g = lambda x: x * lax.stop_gradient(power_below(10.0, 2.0, x)[0])
    assert_close(grad(g)(3.0), onp.float32(12.0))
    # The derivative of the condition is not wanted.
    h = lambda x: x * power_below(x * 10, 2, 1)[0]
    assert_close(grad(h)(1.0), onp.float32(16.0))


def test_reverse_mode_message():
    message = (
        r"while_loop: needs forward mode \(jvp, jacfwd\), since the number of steps is not known "
        r"beforehand; got reverse mode .* try scan, or fori_loop"
    )
    with pytest.raises(ValueError, match=message):
        grad(lambda x: power_below(10.0, 2.0, x)[0])(1.0)
    with pytest.raises(ValueError, match=message):
        jit(grad(lambda x: power_below(10.0, 2.0, x)[0]))(1.0)


LIMITS = onp.array([1.0, 10.0, 100.0, 0.0], "float32")
FACTORS = onp.array([2.0, 3.0, 1.5, 5.0], "float32")


@pytest.mark.parametrize(
    "in_axes", [(0, 0, None), (0, None, None), (None, 0, None), (None, None, 0), (0, 0, 0)]
)
def test_vmap(in_axes):
    args = [
        a if d == 0 else v
        for a, v, d in zip((LIMITS, FACTORS, FACTORS), (20.0, 2.0, 1.0), in_axes, strict=True)
    ]
    check_vmap(power_below, *args, in_axes=in_axes)


def test_vmap_twice():
    f = lambda limit, factor: power_below(limit, factor, 1.0)
    out = vmap(vmap(f, (None, 0)), (0, None))(LIMITS, FACTORS)
    for i in range(4):
        for j in range(4):
            value, steps = f(LIMITS[i], FACTORS[j])
            assert_close((out[0][i, j], out[1][i, j]), to_numpy((value, steps)))


def loop_of(f, *args):
    (eqn,) = [e for e in make_jaxpr(f)(*args).eqns if e.primitive.name == "while"]
    return eqn


def test_a_loop_over_several_axes_has_one_set_of_flags():
    f = lambda limit, factor, start: power_below(limit, factor, start)
    twice = vmap(vmap(f, (None, 0, None)), (0, None, None))
    thrice = vmap(twice, (None, None, 0))
    starts = onp.array([1.0, 7.0], "float32")
    eqn = loop_of(thrice, LIMITS, FACTORS, starts)
    flags = [v.aval.shape for v in eqn.outvars if v.aval.dtype == bool]
    assert flags == [(2, 4, 4)] and len(eqn.outvars) == 3
    out = jit(thrice)(LIMITS, FACTORS, starts)
    for i, j, k in onp.ndindex(2, 4, 4):
        expected = f(LIMITS[j], FACTORS[k], starts[i])
        assert_close((out[0][i, j, k], out[1][i, j, k]), to_numpy(expected))
    empty = vmap(twice, (None, None, 0))(LIMITS, FACTORS, starts[:0])
    assert [x.shape for x in empty] == [(0, 4, 4), (0, 4, 4)]


def test_a_loop_while_any_holds_that_does_not_keep_the_others():
    """Flags of its own, whose examples change as long as any of them goes on."""

    def f(x):
        step = lambda c: (c[0] & (c[1] < 8), c[1] * 2)
        return lax.while_loop(lambda c: np.any(c[0]), step, (x > 0, x))[1]

    x = onp.array([[1.0, 3.0], [5.0, -1.0], [-1.0, -2.0], [0.5, 100.0]], "float32")
    assert len(loop_of(vmap(f), x).outvars) == 3
    check_vmap(f, x)


def test_index_checks_in_loops_over_two_axes():
    table = np.arange(4.0)

    def f(n):
        step = lambda c: (c[0] + 1, c[1] + table[c[0]])
        return lax.while_loop(lambda c: c[0] < n, step, (0, 0.0))[1]

    twice = vmap(vmap(f))
    expected = onp.array([[0.0, 6.0], [1.0, 3.0]], "float32")
    assert_close(twice(np.array([[1, 4], [2, 3]])), expected)
    with pytest.raises(IndexError):
        twice(np.array([[1, 4], [2, 5]]))


def test_vmap_keeps_carries_unmapped_where_it_can():
    f = lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, 1.0))
    (eqn,) = [e for e in make_jaxpr(vmap(f))(np.ones(5)).eqns if e.primitive.name == "while"]
    assert [v.aval.shape for v in eqn.outvars] == [(), (5,)]


def test_vmap_of_jvp():
    f = lambda x: vires.jvp(lambda x: power_below(30.0, 2.0, x)[0], (x,), (1.0,))
    check_vmap(f, onp.array([1.0, 5.0, 40.0], "float32"))


def test_index_checks_do_not_see_examples_that_have_ended():
    """An example whose loop has ended goes on with the others; its index may be out of bounds."""
    table = np.arange(4.0)

    def f(n):
        def body(c):
            i, total = c
            return i + 1, total + table[i]

        return lax.while_loop(lambda c: c[0] < n, body, (0, 0.0))[1]

    assert_close(vmap(f)(np.array([1, 4, 2])), onp.array([0.0, 6.0, 1.0], "float32"))
    with pytest.raises(IndexError):
        vmap(f)(np.array([1, 5, 2]))


def test_disable_jit():
    seen = []
    with vires.disable_jit():
        lax.while_loop(lambda c: c < 3, lambda c: seen.append(int(c)) or c + 1, 0)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: lax.while_loop(lambda c: c, lambda c: c, 1.0),
            r"while_loop: needs cond_fun to return a 0-d bool; got \(f32\[\]\) from <lambda>; try "
            r"a comparison",
        ),
        (
            lambda: lax.while_loop(lambda c: c > 0, lambda c: c, np.ones(2)),
            r"while_loop: needs cond_fun to return a 0-d bool; got \(bool\[2\]\)",
        ),
        (
            lambda: lax.while_loop(lambda c: (True,), lambda c: c, 1.0),
            r"while_loop: needs cond_fun to return a 0-d bool",
        ),
        (
            lambda: lax.while_loop(
                lambda c: True, lambda c: {"x": c["x"] > 0}, {"x": np.float32(1)}
            ),
            r"while_loop: needs a carry of one type from step to step; got carry\['x'\] f32\[\] "
            r"going in and bool\[\]",
        ),
        (
            lambda: lax.while_loop(lambda c: True, lambda c: (c, c), 1.0),
            r"while_loop: needs a carry of one structure",
        ),
        (
            lambda: lax.while_loop(1, lambda c: c, 1.0),
            r"while_loop: needs a function as cond_fun; got int",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(TypeError, match=message):
        call()
