"""vmap equals a loop, over axes, structures, and compositions."""

from __future__ import annotations

import itertools

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import grad, jit, jvp, lax, vmap

RNG = onp.random.default_rng(0)


def loop(f, args, in_axes, size):
    """The definition: one example at a time."""
    pick = lambda x, axis, i: x if axis is None else onp.take(x, i, axis)
    return onp.stack(
        [
            onp.asarray(f(*(pick(x, a, i) for x, a in zip(args, in_axes, strict=True))))
            for i in range(size)
        ]
    )


TWO = [
    lambda x, y: x * y + np.sin(x),
    lambda x, y: np.dot(x, y),
    lambda x, y: x @ y.T,
    lambda x, y: np.sum(x, axis=0) - np.max(y),
    lambda x, y: np.where(x > y, x, 2.0 * y),
    lambda x, y: np.concatenate([x, y], axis=-1)[..., ::-1],
    lambda x, y: np.sort(x, axis=0) + np.argmax(y),
    lambda x, y: np.cumsum(x, axis=1) * y,
]


@pytest.mark.parametrize("f", TWO)
@pytest.mark.parametrize(
    "in_axes", [a for a in itertools.product((0, 1, 2, -1, None), repeat=2) if a != (None, None)]
)
def test_vmap_is_a_loop(f, in_axes):
    size, inner = 5, (3, 3)

    def make(axis):
        if axis is None:
            return RNG.standard_normal(inner)
        shape = list(inner)
        shape.insert(axis if axis >= 0 else len(inner) + 1 + axis, size)
        return RNG.standard_normal(shape)

    args = [make(a) for a in in_axes]
    expected = loop(f, args, in_axes, size)
    onp.testing.assert_allclose(vmap(f, in_axes)(*args), expected, rtol=1e-12)
    onp.testing.assert_allclose(jit(vmap(f, in_axes))(*args), expected, rtol=1e-12)
    moved = vmap(f, in_axes, out_axes=-1)(*args)
    onp.testing.assert_allclose(onp.moveaxis(onp.asarray(moved), -1, 0), expected, rtol=1e-12)


def test_nested_and_with_derivatives():
    x = RNG.standard_normal((4, 3, 2))
    f = lambda v: np.sum(np.tanh(v) ** 2)
    g = vmap(vmap(grad(f)))(x)
    onp.testing.assert_allclose(g, grad(lambda a: np.sum(vmap(vmap(f))(a)))(x), rtol=1e-12)
    out = vmap(lambda v: jvp(f, (v,), (v,))[1])(x[:, 0])
    onp.testing.assert_allclose(out, onp.sum(onp.asarray(g)[:, 0] * x[:, 0], -1), rtol=1e-12)
    per_example = jit(vmap(grad(f)))(x)
    onp.testing.assert_allclose(per_example, g, rtol=1e-12)


def test_pytrees_of_axes():
    tree = {
        "a": RNG.standard_normal((3, 4)),
        "b": (RNG.standard_normal((4, 2)), RNG.standard_normal(2)),
    }
    axes = {"a": 1, "b": (0, None)}
    out = vmap(
        lambda t: {"s": np.sum(t["a"]) + np.sum(t["b"][0] * t["b"][1]), "t": t["a"]},
        (axes,),
        {"s": 0, "t": 1},
    )(tree)
    expected = tree["a"].sum(0) + (tree["b"][0] * tree["b"][1]).sum(1)
    onp.testing.assert_allclose(out["s"], expected, rtol=1e-12)
    onp.testing.assert_allclose(out["t"], tree["a"], rtol=1e-12)


def test_keyword_arguments_are_mapped_over_axis_0():
    out = vmap(lambda x, *, y: x + y)(np.arange(3.0), y=np.arange(3.0))
    onp.testing.assert_array_equal(out, [0, 2, 4])


def test_results_that_do_not_depend_on_the_examples():
    out = vmap(lambda x: (x, 1.0), out_axes=(0, None))(np.arange(3.0))
    assert out[1].shape == () and float(out[1]) == 1.0
    assert vmap(lambda x: np.ones(2))(np.arange(3.0)).shape == (3, 2)
    assert vmap(lambda: np.ones(2), axis_size=4)().shape == (4, 2)


def test_no_examples():
    assert vmap(lambda x: np.sin(x) @ x)(np.ones((0, 3))).shape == (0,)


def test_concrete_values_that_are_not_mapped_keep_python_control_flow():
    f = lambda x, n: x * 2 if n > 1 else x
    onp.testing.assert_array_equal(vmap(f, (0, None))(np.arange(3.0), 2), [0, 2, 4])


def test_collectives_over_the_named_axis():
    x = RNG.standard_normal((4, 3))
    total = vmap(lambda v: v - lax.psum(v, "i"), axis_name="i")(x)
    onp.testing.assert_allclose(total, x - x.sum(0), rtol=1e-12)
    onp.testing.assert_allclose(
        vmap(lambda v: lax.pmean(v, "i"), axis_name="i")(x),
        onp.broadcast_to(x.mean(0), x.shape),
        rtol=1e-12,
    )
    onp.testing.assert_array_equal(
        vmap(lambda v: lax.axis_index("i"), axis_name="i")(x), onp.arange(4)
    )
    g = vmap(grad(lambda v: np.sum(lax.psum(v, "i") ** 2)), axis_name="i")(x)
    assert g.shape == x.shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: vmap(np.add)(np.ones(3), np.ones(4)),
            r"vmap: needs one size for all mapped axes; got 3 .* 4 ",
        ),
        (
            lambda: vmap(np.sin, in_axes=2)(np.ones((3, 3))),
            r"vmap: needs an axis of the argument; got axis 2",
        ),
        (lambda: vmap(np.sin)(1.0), r"vmap: needs an axis of the argument; got axis 0"),
        (
            lambda: vmap(np.add, in_axes=(0,))(np.ones(3), np.ones(3)),
            r"vmap: needs in_axes for each positional argument",
        ),
        (
            lambda: vmap(np.sin, in_axes=None)(np.ones(3)),
            r"vmap: needs at least one mapped argument",
        ),
        (
            lambda: vmap(np.sin, out_axes=None)(np.ones(3)),
            r"vmap: needs a result that is the same for all examples",
        ),
        (lambda: vmap(np.sin, out_axes=5)(np.ones(3)), r"vmap: needs out_axes within"),
        (
            lambda: vmap(lambda t: t["a"], in_axes=({"b": 0},))({"a": np.ones(3)}),
            r"vmap: needs in_axes whose structure",
        ),
        (
            lambda: vmap(lambda x: 1.0 if x > 0 else 2.0)(np.ones(3)),
            r"bool: needs a concrete value",
        ),
        (lambda: vmap(lambda x: lax.psum(x, "j"), axis_name="i")(np.ones(3)), r"'?j'?"),
        (lambda: vmap("f"), r"vmap: needs a function"),
        (lambda: vmap(np.sin, in_axes=1.5)(np.ones(3)), r"vmap: needs in_axes|axes as int or None"),
    ],
)
def test_messages(call, message):
    with pytest.raises((TypeError, ValueError, NameError), match=message):
        call()


def test_vmap_in_jit_traces_once_for_each_size():
    count = 0

    @jit
    def f(x):
        nonlocal count
        count += 1
        return vmap(np.sin)(x)

    for n in (3, 3, 4, 4):
        assert f(np.ones(n)).shape == (n,)
    assert count == 2
    assert isinstance(f(np.ones(3)), vires.Array)
