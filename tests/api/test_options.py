"""The options do what they say: looking for nan, logging, strict promotion, checks, caches."""

from __future__ import annotations

import logging

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import grad, jit, lax, vmap
from vires.core.check import MalformedProgram, check_program
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Var
from vires.core.primitive import PRIMITIVES

LOG = lambda x: np.log(x) * 2.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: LOG(np.array([1.0, -1.0])),
        lambda: jit(LOG)(np.array([1.0, -1.0])),
        lambda: vmap(LOG)(np.array([1.0, -1.0])),
        lambda: grad(lambda x: np.sum(LOG(x)))(np.array([1.0, -1.0])),
        lambda: jit(grad(lambda x: np.sum(LOG(x))))(np.array([1.0, -1.0])),
        lambda: lax.fori_loop(0, 3, lambda i, x: LOG(x), np.float32(-1.0)),
    ],
)
def test_debug_nans(call):
    call()
    with (
        vires.debug_nans(True),
        pytest.raises(FloatingPointError, match=r"needs .*without nan; got"),
    ):
        call()
    call()


def test_debug_names_the_operation_and_lets_good_values_pass():
    f = jit(lambda x: np.sqrt(x) + 1.0)
    with vires.debug_nans(True):
        onp.testing.assert_allclose(f(np.array([4.0])), [3.0])
        with pytest.raises(
            FloatingPointError, match=r"^sqrt: needs results without nan; got nan in f32\[1\]"
        ):
            f(np.array([-4.0]))
    with vires.debug_infs(True), pytest.raises(FloatingPointError, match="without inf"):
        np.ones(2) / np.zeros(2)


def test_log_compiles(caplog):
    with vires.log_compiles(True), caplog.at_level(logging.WARNING, "vires"):
        jit(lambda x: x + 1, inline=False)(np.ones(7))
    assert any("compiled" in m and "f32[7]" in m for m in caplog.messages)
    caplog.clear()
    jit(lambda x: x + 2)(np.ones(7))
    assert not caplog.messages


def test_strict_promotion():
    x, n = np.ones(2), np.ones(2, "int32")
    assert (x + n).dtype == np.float32
    with vires.config.override("numpy_dtype_promotion", "strict"):
        assert (x + 1.5).dtype == np.float32
        for call in (lambda: x + n, lambda: jit(lambda a, b: a * b)(x, n)):
            with pytest.raises(TypeError, match="promotion: needs operands of one dtype"):
                call()
    assert (x + n).dtype == np.float32


@pytest.mark.parametrize("name", ["enable_x64", "jax_enable_x64"])
def test_an_option_is_not_set_by_assignment(name):
    with pytest.raises(
        AttributeError, match=rf"config.enable_x64: needs .*config.update\('{name}'"
    ):
        setattr(vires.config, name, True)
    assert vires.config.enable_x64 == vires.config.read("enable_x64") == "auto"


def test_an_unknown_engine_changes_nothing():
    with pytest.raises(ValueError, match=r"config.engine: needs one of .*llvm.*; got 'none'"):
        vires.config.update("engine", "none")
    assert vires.config.engine != "none"
    onp.testing.assert_array_equal(np.ones(2) + 1, [2, 2])


def test_clear_caches_compiles_again():
    traces = []
    f = jit(lambda x: traces.append(1) or x + 1)
    f(1.0)
    assert f._cache_size() == 1
    vires.clear_caches()
    assert f._cache_size() == 0
    assert float(f(1.0)) == 2.0


def test_named_call_leaves_the_function_alone():
    def f(x):
        return x + 1

    g = vires.named_call(f, name="other")
    assert g.__name__ == "other" and f.__name__ == "f" and g(1) == 2


def test_enable_checks_accepts_what_is_staged():
    def f(x):
        step = lambda c, y: (c + np.sin(y), c * y)
        return lax.cond(x[0] > 0, lambda: lax.scan(step, 0.0, x)[0], lambda: np.sum(x))

    with vires.enable_checks(True):
        onp.testing.assert_allclose(
            jit(grad(f))(np.array([1.0, 2.0])), onp.cos([1.0, 2.0]), rtol=1e-6
        )


def test_the_checker_refuses_malformed_programs():
    good = vires.make_jaxpr(lambda x: np.sin(x) * x)(np.ones(3))
    check_program(good)
    jaxpr = good.jaxpr
    first, second = jaxpr.eqns
    wrong = Var(vires.typeof(np.ones(4)))
    cases = {
        "defined before": Jaxpr([], jaxpr.invars, jaxpr.outvars, [second]),
        "one definition": Jaxpr([], jaxpr.invars, jaxpr.outvars, [first, first, second]),
        "inferred types": Jaxpr(
            [],
            jaxpr.invars,
            [wrong],
            [JaxprEqn(list(first.invars), [wrong], PRIMITIVES["sin"], {})],
        ),
    }
    for message, bad in cases.items():
        with pytest.raises(MalformedProgram, match=message):
            check_program(ClosedJaxpr(bad))
    with pytest.raises(MalformedProgram, match="a value for each constant"):
        check_program(ClosedJaxpr(Jaxpr([wrong], [], [wrong], []), []))
