"""checkpoint: same values and derivatives, fewer residuals; policies; static arguments."""

from __future__ import annotations

import numpy as onp
import pytest
from checks import assert_close, check_derivatives, check_vmap, to_numpy

import vires
import vires.numpy as np
from vires import grad, jit, lax, make_jaxpr
from vires.control.identities import checkpoint_name
from vires.control.remat import checkpoint, checkpoint_policies


def layer(w, x):
    return np.sin(checkpoint_name(np.dot(np.sin(x), w), "product"))


def loss(w, x):
    for _ in range(2):
        x = checkpoint(layer)(w, x)
    return (x * x).sum()


RNG = onp.random.default_rng(2)
W, X = RNG.standard_normal((3, 3)), RNG.standard_normal((2, 3))


def test_derivatives():
    check_derivatives(loss, W, X)
    check_derivatives(jit(loss), W, X)
    check_derivatives(checkpoint(loss), W, X)  # nested
    check_vmap(lambda x: grad(loss)(W, x), RNG.standard_normal((3, 2, 3)))


def test_inside_scan():
    f = lambda x: lax.scan(checkpoint(lambda c, w: (np.sin(c * w), None), prevent_cse=False), x, W)[
        0
    ].sum()
    check_derivatives(f, X)
    program = make_jaxpr(grad(f))(X)
    forward = next(e for e in program.eqns if e.primitive.name == "scan")
    assert (
        len(forward.outvars) == 2
    )  # the last carry, and the carry before each step: nothing else is kept


def test_scan_inside():
    check_derivatives(checkpoint(lambda x: lax.scan(lambda c, w: (np.sin(c * w), c), x, W)), X)


def kept(f, *args):
    """Types of what the first of the checkpointed equations hands to the second."""
    eqns = [e for e in make_jaxpr(grad(f))(*args).eqns if e.primitive.name == "checkpoint"]
    (first, second) = eqns
    computed = set(first.outvars)
    return sorted(v.aval.str_short() for v in second.invars if v in computed)


@pytest.mark.parametrize(
    "policy, expected",
    [
        (None, []),
        (checkpoint_policies.nothing_saveable, []),
        (checkpoint_policies.dots_saveable, ["f64[2,3]"]),
        (checkpoint_policies.dots_with_no_batch_dims_saveable, ["f64[2,3]"]),
        (checkpoint_policies.everything_saveable, ["f64[2,3]", "f64[2,3]"]),
        (checkpoint_policies.save_only_these_names("product"), ["f64[2,3]"]),
        (checkpoint_policies.save_only_these_names("other"), []),
        (checkpoint_policies.save_any_names_but_these("product"), []),
        (
            checkpoint_policies.save_from_both_policies(
                checkpoint_policies.save_only_these_names("other"),
                checkpoint_policies.dots_saveable,
            ),
            ["f64[2,3]"],
        ),
    ],
)
def test_policies(policy, expected):
    f = checkpoint(lambda w, x: layer(w, x).sum(), policy=policy)
    found = kept(f, W, X)
    assert (
        found == expected
        if policy is not checkpoint_policies.everything_saveable
        else len(found) >= 2
    )
    check_derivatives(f, W, X)
    if expected:  # what was saved is not computed again
        again = [e for e in make_jaxpr(grad(f))(W, X).eqns if e.primitive.name == "checkpoint"][1]
        products = [e for e in again.params["jaxpr"].eqns if e.primitive.name == "dot_general"]
        assert len(products) == 2 - 1 * (len(again.outvars) == 1)


def test_policy_looks_into_called_functions():
    inner = jit(lambda w, x: np.dot(x, w))
    f = checkpoint(
        lambda w, x: np.sin(inner(w, np.sin(x))).sum(), policy=checkpoint_policies.dots_saveable
    )
    assert kept(f, W, X) == ["f64[2,3]"]
    check_derivatives(f, W, X)


def test_barrier_keeps_the_computations_apart():
    text = str(make_jaxpr(grad(checkpoint(lambda x: np.sin(np.sin(x)))))(1.0))
    assert text.count("optimization_barrier") == 1
    text = str(make_jaxpr(grad(checkpoint(lambda x: np.sin(np.sin(x)), prevent_cse=False)))(1.0))
    assert "optimization_barrier" not in text


def test_decorator_pytrees_keywords_and_static_arguments():
    @checkpoint(static_argnums=(1,))
    def f(params, n, *, scale):
        for _ in range(n):
            params = {"x": np.sin(params["x"]) * scale}
        return params

    out, pull = vires.vjp(lambda p, s: f(p, 2, scale=s), {"x": X}, onp.float64(2.0))
    plain, plain_pull = vires.vjp(
        lambda p, s: {"x": np.sin(np.sin(p["x"]) * s) * s}, {"x": X}, onp.float64(2.0)
    )
    assert_close(out, to_numpy(plain))
    assert_close(pull(out), to_numpy(plain_pull(out)))


def test_traces_once():
    count = []
    f = checkpoint(lambda x: (count.append(1), x * x)[1])
    for _ in range(3):
        f(np.ones(2))
    assert len(count) == 1


def test_messages():
    with pytest.raises(TypeError, match="checkpoint: needs a function as fun; got int"):
        checkpoint(3)
    with pytest.raises(NotImplementedError, match="checkpoint: needs concrete=False"):
        checkpoint(lambda x: x, concrete=True)
    with pytest.raises(
        TypeError,
        match=r"checkpoint: needs arguments of <lambda> made of arrays and numbers; got str",
    ):
        checkpoint(lambda x: x)("a")
