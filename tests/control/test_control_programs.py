"""What programs are made into: calls, dead code, inlining, masks; caching of traced functions."""

from __future__ import annotations

import functools
import gc
import weakref

import numpy as onp
from checks import assert_close

import vires.numpy as np
from vires import grad, jit, lax, make_jaxpr
from vires.control.call import inlined
from vires.control.callback import debug_print
from vires.control.dce import dce, has_effects
from vires.control.functions import trace_function
from vires.control.masked import has_checks, masked
from vires.control.reference import run_reference
from vires.core import tree
from vires.core.avals import ShapedArray
from vires.core.dtypes import float32
from vires.core.jaxpr import evaluate


def names(closed):
    return [eqn.primitive.name for eqn in closed.eqns]


def test_dead_code_inside_calls():
    f = lambda x, y: jit(lambda x, y: (np.sin(x), np.cos(y)))(x, y)[1]
    program, used = dce(make_jaxpr(f)(1.0, 2.0), (True,))
    assert used == (False, True)
    assert names(program.eqns[0].params["jaxpr"]) == ["cos"]
    program, used = dce(make_jaxpr(f)(1.0, 2.0), (False,))
    assert used == (False, False) and not program.eqns


def test_dead_code_of_loops():
    f = lambda x: lax.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x, np.sin(c[2])), (0, 1.0, x)
    )
    program, used = dce(make_jaxpr(f)(1.0), (True, False, False))
    assert used == (False,)
    assert names(program.eqns[0].params["body_jaxpr"]) == ["add"]
    assert_close(evaluate(program.jaxpr, program.consts)[0], onp.int32(3))


def test_effects_stay():
    f = lambda x: (jit(lambda x: (debug_print("{}", x), x)[1])(x), 2 * x)[1]
    program, _ = dce(make_jaxpr(f)(1.0), (False,))
    assert names(program) == ["jit"] and has_effects(program.eqns[0])
    g = lambda x: lax.scan(lambda c, _: (debug_print("{}", c), (c, None))[1], x, None, length=2)[0]
    program, _ = dce(make_jaxpr(g)(1.0), (False,))
    assert names(program) == ["scan"]


def test_inlining():
    f = jit(lambda x: jit(lambda y: np.sin(y) + y)(x) * jit(lambda y: np.sin(y) + y)(2 * x))
    program = inlined(make_jaxpr(f)(1.0))
    assert "jit" not in names(program)
    x = onp.float32(0.3)
    assert_close(
        evaluate(program.jaxpr, program.consts, x)[0], (onp.sin(x) + x) * (onp.sin(2 * x) + 2 * x)
    )


def test_reference_runs_programs():
    def f(x):
        y = lax.scan(lambda c, z: (lax.cond(z > 1, np.sin, np.cos, c), c), x, np.arange(3.0))[1]
        return lax.while_loop(lambda c: c.sum() < 10, lambda c: c * 2, y)

    closed = make_jaxpr(f)(onp.float32(0.5))
    (found,) = run_reference(closed, onp.asarray(0.5, "float32"))
    assert_close(found, onp.asarray(f(onp.float32(0.5))))


def test_masks():
    table = np.arange(4.0)
    closed = make_jaxpr(lambda i: jit(lambda i: table[i])(i))(1)
    assert has_checks(closed)
    off = masked(closed)
    assert float(evaluate(off.jaxpr, off.consts, True, 2)[0]) == 2.0
    evaluate(off.jaxpr, off.consts, False, 9)  # does not raise
    assert not has_checks(make_jaxpr(np.sin)(1.0))


def test_unused_residuals_are_not_handed_out():
    program = make_jaxpr(grad(jit(lambda x: np.sin(x) * 2.0)))(1.0)
    forward = program.eqns[0]
    assert len(forward.outvars) == 2  # the value, and the cosine
    program = make_jaxpr(grad(jit(lambda x: x * x)))(1.0)
    assert len(program.eqns[0].outvars) == 1  # the residual is the argument


# --- tracing users' functions once

AVAL = ShapedArray((3,), float32)


def trace(f):
    return trace_function(f, tree.structure((0,)), [AVAL], "test")


def test_traced_once():
    f = lambda x: np.sin(x)
    assert trace(f) is trace(f)
    assert trace(f).closed is trace(f).closed


def test_traced_again_when_a_captured_variable_changes():
    scale = 2.0
    f = lambda x: x * scale
    before = trace(f)
    scale = 3.0
    assert trace(f) is not before


def test_traced_again_when_an_inner_function_captures_another_value():
    scale = 2.0
    g = lambda x: x * scale
    f = lambda x: g(x)
    before = trace(f)
    scale = 3.0
    assert trace(f) is not before


def test_wrappers_do_not_take_over_what_was_traced():
    f = lambda x: np.sin(x)
    traced = trace(f)
    g = functools.wraps(f)(lambda x: np.cos(x))
    assert trace(g) is not traced
    assert names(trace(g).closed) == ["cos"]


def test_functions_are_freed():
    class Big:
        pass

    big = Big()
    f = lambda x: (big, np.sin(x))[1]  # noqa: F821 - deleted after the call
    trace(f)
    gone = weakref.ref(big)
    del f, big
    gc.collect()
    assert gone() is None


def test_values_of_outer_transformations_are_not_kept():
    def f(y):
        body = lambda c, _: (c * y, None)
        return lax.scan(body, 1.0, None, length=2)[0]

    assert float(grad(f)(3.0)) == 6.0
    assert float(grad(f)(4.0)) == 8.0
