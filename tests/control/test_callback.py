"""pure_callback, io_callback, debug.callback, debug.print."""

from __future__ import annotations

import numpy as onp
import pytest
from checks import assert_close

import vires
import vires.numpy as np
from vires import grad, jit, lax, vmap
from vires.control.callback import debug_callback, debug_print, io_callback, pure_callback
from vires.control.custom_jvp import custom_jvp


class Shape:
    def __init__(self, *shape, dtype="float32"):
        self.shape, self.dtype = shape, onp.dtype(dtype)


def host_sine(x, **options):
    return pure_callback(onp.sin, Shape(*x.shape), x, **options)


X = onp.array([0.1, 0.2, 0.3], "float32")


def test_pure_callback():
    for f in (host_sine, jit(host_sine)):
        assert_close(f(np.array(X)), onp.sin(X))
    out = jit(
        lambda x: pure_callback(
            lambda a, b: {"sum": a + b, "none": None}, {"sum": Shape(3), "none": None}, x, b=x
        )
    )(X)
    assert out["none"] is None
    assert_close(out["sum"], X + X)
    # NumPy's 64-bit results are rounded to the type that was declared.
    assert_close(
        pure_callback(lambda x: onp.float64(x) ** 2, Shape(), np.float32(3)), onp.float32(9)
    )
    carry, _ = lax.scan(lambda c, x: (c + host_sine(x), None), np.float32(0), X)
    assert_close(carry, onp.sin(X).sum())


@pytest.mark.parametrize(
    "method", ["sequential", "sequential_unrolled", "expand_dims", "broadcast_all"]
)
def test_pure_callback_under_vmap(method):
    shapes = []

    def host(x, y):
        shapes.append((x.shape, y.shape))
        return x * y

    f = lambda x, y: pure_callback(host, Shape(2), x, y, vmap_method=method)
    x, y = onp.arange(6, dtype="float32").reshape(3, 2), onp.ones(2, "float32")
    assert_close(vmap(f, (0, None))(x, y), x * y)
    assert_close(jit(vmap(f, (1, None), 1))(x.T, y), (x * y).T)
    expected = {"expand_dims": ((3, 2), (1, 2)), "broadcast_all": ((3, 2), (3, 2))}.get(
        method, ((2,), (2,))
    )
    assert set(shapes) == {expected}
    assert len(shapes) == (6 if method.startswith("sequential") else 2)


def test_pure_callback_with_a_derivative_rule():
    f = custom_jvp(lambda x: host_sine(x, vmap_method="expand_dims"))
    f.defjvp(lambda p, t: (f(*p), np.cos(p[0]) * t[0]))
    assert_close(grad(f)(np.float32(0.3)), onp.cos(onp.float32(0.3)))
    assert_close(vmap(grad(f))(X), onp.cos(X))


def test_io_callback():
    seen = []

    def note(x):
        seen.append(float(x))
        return onp.float32(len(seen))

    f = jit(lambda x: io_callback(note, Shape(), x) + io_callback(note, Shape(), 2 * x))
    assert float(f(np.float32(3))) == 3.0
    assert seen == [3.0, 6.0]
    seen.clear()
    # The results are not used, the effects are wanted.
    jit(lambda x: (io_callback(note, Shape(), x), x)[1])(np.float32(5))
    jit(
        lambda x: lax.cond(
            x > 0, lambda x: (io_callback(note, Shape(), x), None)[1], lambda x: None, x
        )
    )(np.float32(7))
    assert seen == [5.0, 7.0]
    seen.clear()
    vmap(lambda x: io_callback(note, Shape(), x))(X)
    assert_close(onp.array(seen, "float32"), X)
    with pytest.raises(ValueError, match="io_callback: needs ordered=False under vmap"):
        vmap(lambda x: io_callback(note, Shape(), x, ordered=True))(X)


def test_debug_callback():
    seen = []
    f = lambda x: (
        debug_callback(lambda a, b: seen.append((float(a), float(b))), x, b=2 * x),
        x * x,
    )[1]
    for g in (
        f,
        jit(f),
        grad(f),
        jit(grad(f)),
        lambda x: vires.jvp(f, (x,), (x,)),
        lambda x: vires.vjp(f, x),
    ):
        seen.clear()
        g(3.0)
        assert seen == [(3.0, 6.0)]
    seen.clear()
    jit(vmap(grad(f)))(np.array([1.0, 2.0]))
    assert seen == [(1.0, 2.0), (2.0, 4.0)]
    seen.clear()
    jit(lambda x: lax.scan(lambda c, x: (f(c + x), None), 0.0, x))(np.array([1.0, 2.0]))
    assert seen == [(1.0, 2.0), (3.0, 6.0)]


def test_debug_print(capsys):
    @jit
    def f(x):
        debug_print("x = {}, twice {twice:.1f}", x, twice=2 * x)
        debug_print("done")
        return x

    f(3)
    vmap(lambda x: debug_print("{x}", x=x))(np.arange(2))
    assert capsys.readouterr().out == "x = 3, twice 6.0\ndone\n0\n1\n"


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: grad(host_sine)(np.float32(1)),
            TypeError,
            r"pure_callback: needs a derivative rule",
        ),
        (
            lambda: vmap(host_sine)(X),
            NotImplementedError,
            r"pure_callback: needs vmap_method under vmap; got None for pure_callback sin; try "
            r"vmap_method='sequential'",
        ),
        (
            lambda: host_sine(np.ones(2), vmap_method="all"),
            ValueError,
            r"pure_callback: needs vmap_method None or one of",
        ),
        (
            lambda: pure_callback(lambda x: onp.ones(4), Shape(3), X),
            TypeError,
            r"pure_callback: needs <lambda> to return the types that were declared; got "
            r"float64\[4\] for result 0, f32\[3\]",
        ),
        (
            lambda: pure_callback(lambda x: (x,), Shape(3), X),
            TypeError,
            r"pure_callback: needs <lambda> to return a value of the structure that was declared",
        ),
        (
            lambda: pure_callback(lambda x: x, 3, X),
            TypeError,
            r"pure_callback: needs result_shape_dtypes made of objects with a shape and a dtype; "
            r"got int",
        ),
        (
            lambda: debug_print("{} {}", 1),
            ValueError,
            r"debug.print: needs one place for each argument; got '{} {}' for 1",
        ),
        (
            lambda: debug_print("{0}", 1, 2),
            ValueError,
            r"debug.print: needs one place for each argument",
        ),
        (
            lambda: debug_print("{a}", b=1),
            ValueError,
            r"debug.print: needs the keyword arguments that '{a}' names, \['a'\]; got \['b'\]",
        ),
        (
            lambda: debug_callback(3),
            TypeError,
            r"debug.callback: needs a function as callback; got int",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
