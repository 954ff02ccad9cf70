"""cond and switch: values, forms of calling, derivatives, vmap with one index each, messages."""

from __future__ import annotations

import numpy as onp
import pytest
from checks import assert_close, check_derivatives, check_vmap

import vires
import vires.numpy as np
from vires import grad, jit, lax, make_jaxpr, vmap
from vires.control.callback import debug_callback


def test_values():
    f = lambda p, x: lax.cond(p, lambda x: x + 1.0, lambda x: x - 1.0, x)
    for p in (True, False, 1, 0, 2.5, np.array(True), onp.bool_(False)):
        expected = 6.0 if p else 4.0
        assert float(f(p, 5.0)) == expected
        assert float(jit(f)(p, 5.0)) == expected


def test_forms_of_calling():
    assert float(lax.cond(True, 3.0, lambda x: x + 1, 5.0, lambda x: x - 1)) == 4.0
    assert float(lax.cond(False, 3.0, lambda x: x + 1, 5.0, lambda x: x - 1)) == 4.0
    assert float(lax.cond(True, lambda x: x + 1, lambda x: x - 1, operand=3.0)) == 4.0
    assert lax.cond(True, lambda _: None, lambda _: None, operand=None) is None
    assert float(lax.cond(True, lambda: 1.0, lambda: 2.0)) == 1.0
    out = lax.cond(True, lambda a, b: {"x": a, "y": b}, lambda a, b: {"x": b, "y": a}, 1.0, 2.0)
    assert (float(out["x"]), float(out["y"])) == (1.0, 2.0)


def test_only_one_branch_runs():
    seen = []
    note = lambda name: lambda x: (debug_callback(lambda: seen.append(name)), x)[1]
    jit(lambda p: lax.cond(p, note("true"), note("false"), 1.0))(True)
    assert seen == ["true"]


def test_switch():
    branches = [lambda x: x, lambda x: 2 * x, lambda x: 3 * x]
    for index, factor in (
        (-5, 1),
        (0, 1),
        (1, 2),
        (2, 3),
        (7, 3),
        (onp.int64(2**40), 3),
        (onp.uint8(1), 2),
    ):
        assert float(lax.switch(index, branches, 5.0)) == 5.0 * factor
        assert float(jit(lambda i: lax.switch(i, branches, 5.0))(index)) == 5.0 * factor
    assert float(lax.switch(0, [lambda x: x], 5.0)) == 5.0


def test_branches_close_over_different_values():
    a, b = np.ones(3), 2 * np.ones(3)
    f = lambda p, y: lax.cond(p, lambda: a + y, lambda: b * a)
    assert_close(jit(f)(True, 1.0), onp.full(3, 2.0, "float32"))
    assert_close(jit(f)(False, 1.0), onp.full(3, 2.0, "float32"))
    assert_close(grad(lambda y: f(True, y).sum())(1.0), onp.float32(3.0))
    assert_close(grad(lambda y: f(False, y).sum())(1.0), onp.float32(0.0))


def test_python_numbers_take_the_type_of_their_counterpart():
    out = lax.cond(True, lambda x: 0, lambda x: x, np.float32(1.0))
    assert out.dtype == np.float32 and not out.weak_type
    assert lax.cond(False, lambda: 1, lambda: 2.5).dtype == np.float32


def test_derivatives():
    def f(x, y):
        g = lambda p: lax.cond(
            p, lambda x, y: np.sin(x) * y, lambda x, y: np.exp(x * 0.3) + x * x * y, x, y
        )
        return g(x.sum() > 0), g(x.sum() < 0)

    x, y = onp.array([0.3, 0.8]), onp.array([-1.2, 0.4])
    check_derivatives(f, x, y)
    check_derivatives(jit(f), x, y)


def test_derivatives_of_switch_with_different_residuals():
    branches = [
        lambda x, y: x,
        lambda x, y: np.sin(x) * np.cos(y) * np.exp(y),
        lambda x, y: (x * y).sum() * x,
        lambda x, y: np.zeros_like(x) + 1.0,
    ]
    x, y = onp.array([0.3, 0.8]), onp.array([-1.2, 0.4])
    for i in range(4):
        check_derivatives(lambda x, y: lax.switch(i, branches, x, y), x, y)
        check_derivatives(lambda x, y: jit(lambda i: lax.switch(i, branches, x, y))(i), x, y)


def test_same_branch_twice():
    g = lambda x: np.sin(x)
    assert_close(grad(lambda x: lax.cond(x > 0, g, g, x))(0.5), onp.cos(onp.float32(0.5)))


def test_integer_results_pass_derivatives_by():
    f = lambda x: lax.cond(x > 0, lambda x: (x * x, 1), lambda x: (x, 2), x)
    (_, number), (dot, _) = vires.jvp(f, (3.0,), (1.0,))
    assert int(number) == 1 and float(dot) == 6.0
    assert float(grad(lambda x: f(x)[0])(-3.0)) == 1.0


def test_vmap_with_one_index():
    f = lambda p, x: lax.cond(p, lambda x: (x, 1.0), lambda x: (x * x, 2.0), x)
    check_vmap(f, True, onp.arange(4.0, dtype="float32"), in_axes=(None, 0))
    check_vmap(f, False, onp.arange(4.0, dtype="float32"), in_axes=(None, 0))
    (eqn,) = [
        e
        for e in make_jaxpr(lambda p, x: vmap(f, (None, 0))(p, x))(True, np.ones(3)).eqns
        if e.primitive.name == "cond"
    ]
    assert [v.aval.shape for v in eqn.outvars] == [(3,), ()]


def test_vmap_with_an_index_for_each_example():
    f = lambda i, x: lax.switch(
        i, [lambda x: (x, 0), lambda x: (x * x, 1), lambda x: (np.sin(x), 2)], x
    )
    i, x = onp.array([0, 1, 2, 5, -1]), onp.arange(10.0, dtype="float32").reshape(5, 2)
    check_vmap(f, i, x)
    check_vmap(f, i, x[1], in_axes=(0, None))
    g = lambda p, x: lax.cond(p, lambda x: x + 1, lambda x: x - 1, x)
    check_vmap(g, onp.array([True, False, True]), onp.arange(3.0, dtype="float32"))
    h = lambda x: grad(lambda x: lax.cond(x > 0, np.sin, lambda x: x * x * x, x))(x)
    check_vmap(h, onp.array([0.5, -0.5, 0.1], "float32"))


def test_vmap_runs_no_checks_for_examples_that_took_the_other_branch():
    table = np.arange(4.0)
    f = lambda i: lax.cond(i < 4, lambda i: table[i], lambda i: -1.0, i)
    assert_close(vmap(f)(np.array([1, 7, 3])), onp.array([1.0, -1.0, 3.0], "float32"))
    nested = lambda i: lax.cond(
        i < 4,
        lambda i: lax.scan(
            lambda c, _: (c + jit(lambda i: table[i])(i), None), 0.0, None, length=2
        )[0],
        lambda i: -1.0,
        i,
    )
    assert_close(vmap(nested)(np.array([1, 7, 3])), onp.array([2.0, -1.0, 6.0], "float32"))
    with pytest.raises(IndexError):
        vmap(lambda i: lax.cond(i < 6, lambda i: table[i], lambda i: -1.0, i))(np.array([1, 5]))


def test_disable_jit():
    seen = []
    with vires.disable_jit():
        lax.cond(True, lambda: seen.append("true"), lambda: seen.append("false"))
    assert seen == ["true"]


def test_results_that_are_not_used_are_not_computed():
    from vires.control.dce import dce

    f = lambda p, x, y: lax.cond(p, lambda x, y: (np.sin(x), np.cos(y)), lambda x, y: (x, y), x, y)[
        0
    ]
    program, used = dce(make_jaxpr(f)(True, 1.0, 1.0), (True,))
    assert used == (True, True, False)
    assert [len(b.eqns) for b in program.eqns[-1].params["branches"]] == [0, 1]


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: lax.cond(np.ones(2), lambda: 1, lambda: 2),
            TypeError,
            r"cond: needs a 0-d predicate; got f32\[2\]; try vires.numpy.where, or vmap",
        ),
        (
            lambda: lax.cond("yes", lambda: 1, lambda: 2),
            TypeError,
            r"cond: needs a 0-d predicate; got str \('yes'\)",
        ),
        (
            lambda: lax.cond(
                True, lambda x: {"a": x.astype("int32")}, lambda x: {"a": x}, np.ones(2)
            ),
            TypeError,
            r"cond: needs branches with results of the same types; got result\['a'\] f32\[2\] from "
            r"false_fun \(<lambda>\) and i32\[2\] from true_fun \(<lambda>\); try x.astype",
        ),
        (
            lambda: lax.cond(True, lambda x: (x,), lambda x: x, 1.0),
            TypeError,
            r"cond: needs branches with results of one structure; got",
        ),
        (
            lambda: lax.cond(True, 1, lambda: 2),
            TypeError,
            r"cond: needs a function as true_fun; got int",
        ),
        (
            lambda: lax.cond(True, lambda x: x, lambda x: x, 1.0, operand=1.0),
            TypeError,
            r"cond: needs operands or operand=",
        ),
        (
            lambda: lax.switch(1.0, [lambda: 1, lambda: 2]),
            TypeError,
            r"switch: needs a 0-d integer index; got f32\[\]",
        ),
        (lambda: lax.switch(1, []), ValueError, r"switch: needs at least one branch; got none"),
        (
            lambda: lax.switch(1, [lambda: 1, lambda: 2, lambda: np.ones(2)]),
            TypeError,
            r"switch: needs branches with results of the same types; got result i32\[\] from "
            r"branches\[0\] \(<lambda>\) and f32\[2\] from branches\[2\]",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
